//! Memory that the kernel's program reads: an array map, seen through windows.
//!
//! All of an array would be resident the moment it is mapped (the kernel enters every page at once), so a place for all of it
//! is only reserved, and a window is mapped into its place when a cell in it is asked for. Windows onto the same map show the
//! same memory: what was stored through one that has gone is there for every reader, and for the next window.
#![expect(unsafe_code, reason = "mmap(2), and a view of shared memory, have no safe binding")]

mod windows;

use std::{
    cell::Cell,
    io,
    marker::PhantomData,
    ops::{Deref, Range},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    ptr::{self, NonNull},
};
use windows::Windows;

/// Octets of a window, or a page of this machine where that is more. The smaller it is the faster it is mapped.
const WINDOW: usize = 16 << 10;

/// A type made of atomic integers only: whoever else writes it meanwhile, and whatever octets are there, it is sound.
///
/// # Safety
/// Implementors are `repr(C)`, have no padding that matters, consist of atomics whose every bit pattern is a value, and are as
/// long as a power of two, at most a page.
pub(crate) unsafe trait Cells: Sync {}

/// An array, for one thread at a time. The place that was reserved goes with it; the map stays.
#[derive(Debug)]
pub(crate) struct Area {
    map: OwnedFd,
    base: NonNull<u8>,
    /// Octets that are asked for ...
    len: usize,
    /// ... and that are reserved: whole pages.
    reserved: usize,
    window: usize,
    /// The window's octets are two to the power of this.
    shift: u32,
    windows: Windows,
    /// Cells that somebody looks at while only windows are mapped: until they are none, no window goes.
    held: Cell<usize>,
}

// SAFETY: the place is this value's own, and the memory behind it is only ever seen as atomics. It is not `Sync`: a window goes
// when nobody of this thread looks.
unsafe impl Send for Area {}

/// A cell, looked at. Its window stays as long as this does.
pub(crate) struct Seen<'a, T> {
    cell: NonNull<T>,
    /// Where it is counted; `None` while all of it is mapped, because that ends only when nobody can look ([`Area::fold`]).
    held: Option<&'a Cell<usize>>,
    shape: PhantomData<&'a T>,
}

impl<T: Cells> Deref for Seen<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the cell was mapped when this was made. Windows go while `held` counts nobody; if it does not count this, all
        // was mapped, and goes only by a call that borrows the area for itself.
        unsafe { self.cell.as_ref() }
    }
}

impl<T> Drop for Seen<'_, T> {
    fn drop(&mut self) {
        if let Some(held) = self.held {
            held.set(held.get() - 1);
        }
    }
}

/// While it lives, windows are mapped in long runs, for whoever walks from end to end. What it has mapped goes with it, unless
/// every step needs it.
pub(crate) struct Walk<'a> {
    area: &'a Area,
    before: bool,
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.area.windows.stride(self.before);
        if !self.before && !self.area.windows.is_whole() && self.area.held.get() == 0 {
            self.area.end_walk();
        }
    }
}

impl Area {
    /// Reserves a place for the first `len` octets of an array map that was made mappable, and maps its first window, which
    /// stays: whoever has a map mapped for writing cannot find it frozen. Of others at most `windows_max` stay mapped.
    pub(crate) fn new(map: BorrowedFd<'_>, len: usize, windows_max: usize) -> io::Result<Self> {
        let map = map.try_clone_to_owned()?;
        let page = page();
        let (reserved, window) = (len.next_multiple_of(page), WINDOW.max(page));
        let base = reserve(ptr::null_mut(), reserved, 0)?;
        let windows = Windows::new(reserved.div_ceil(window), windows_max);
        let area = Self { map, base, len, reserved, window, shift: window.trailing_zeros(), windows, held: Cell::new(0) };
        area.show(0, window)?;
        area.windows.pin_first();
        Ok(area)
    }

    /// Another view of the same memory, for another thread.
    pub(crate) fn twin(&self, windows_max: usize) -> io::Result<Self> {
        use std::os::fd::AsFd;
        Self::new(self.map.as_fd(), self.len, windows_max)
    }

    /// Says that every step needs one of the cells from this one on: their windows stay rather than others.
    pub(crate) fn needed_from<T: Cells>(&self, index: usize) {
        self.windows.needed_from((index * size_of::<T>()) >> self.shift);
    }

    /// Is all of it mapped?
    pub(crate) const fn is_whole(&self) -> bool {
        self.windows.is_whole()
    }

    /// How many `T` there are.
    pub(crate) const fn count<T: Cells>(&self) -> usize {
        self.len / size_of::<T>()
    }

    /// One of them. There must be so many.
    #[inline]
    pub(crate) fn get<T: Cells>(&self, index: usize) -> Seen<'_, T> {
        assert!(index < self.count::<T>(), "the {index}th of {} cells", self.count::<T>());
        let offset = index * size_of::<T>();
        // SAFETY: within the place that was reserved.
        let cell = unsafe { self.base.add(offset) }.cast::<T>();
        if self.windows.is_whole() {
            return Seen { cell, held: None, shape: PhantomData };
        }
        let window = offset >> self.shift;
        if !self.windows.is_mapped(window) {
            self.bring(window);
        }
        self.held.set(self.held.get() + 1);
        Seen { cell, held: Some(&self.held), shape: PhantomData }
    }

    /// Maps a window, or a run of them. Where there are too many, others go first, unless somebody looks.
    #[cold]
    fn bring(&self, window: usize) {
        let run = self.windows.missing(window);
        if self.held.get() == 0 {
            self.drop_beyond(self.windows.room_for(run.len()));
        }
        self.map(run);
    }

    fn map(&self, run: Range<usize>) {
        if let Err(error) = self.show(run.start * self.window, run.len() * self.window) {
            gone(&error);
        }
        self.windows.came(run);
    }

    /// Between two steps, when nobody waits: lets windows go, so that the next step finds room for its own.
    pub(crate) fn ease(&self) {
        if self.held.get() == 0 {
            self.drop_beyond(self.windows.at_ease());
        }
    }

    fn drop_beyond(&self, most: usize) {
        while let Some(run) = self.windows.leaves(most) {
            self.hide(run.start * self.window, run.len() * self.window);
        }
    }

    /// Until it is dropped, somebody walks.
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk { area: self, before: self.windows.stride(true) }
    }

    fn end_walk(&self) {
        match self.windows.needed() {
            Some(needed) if self.windows.leave(1..needed.start) => self.hide(self.window, (needed.start - 1) * self.window),
            Some(_) => {}
            None => self.clear(),
        }
    }

    /// Maps everything at once, until [`Area::fold`]: for whoever goes everywhere.
    pub(crate) fn spread(&self) {
        if !self.windows.is_whole() {
            if let Err(error) = self.show(0, self.reserved) {
                gone(&error);
            }
            self.windows.all_came();
        }
    }

    /// Lets every window go but the first.
    pub(crate) fn fold(&mut self) {
        // Whoever looks borrows the area. What was forgotten without an end is not looked at any more.
        self.held.set(0);
        self.clear();
    }

    /// What stays mapped while little happens, so that a step waits for as little as can be: all of it if it fits, else what
    /// every step needs.
    pub(crate) fn rest(&mut self) {
        if self.windows.fit() {
            return self.spread();
        }
        self.fold();
        if let Some(needed) = self.windows.needed() {
            self.map(needed);
        }
    }

    fn clear(&self) {
        if self.windows.all_leave() {
            self.hide(self.window, self.reserved);
        }
    }

    /// Maps a part of the map into its place, in one step.
    fn show(&self, from: usize, len: usize) -> io::Result<()> {
        let len = len.min(self.reserved - from);
        let offset = libc::off_t::try_from(from).map_err(io::Error::other)?;
        let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_FIXED);
        // SAFETY: within the place that was reserved, which nobody else has. What is mapped there already is replaced by the
        // same memory.
        let at = unsafe { libc::mmap(self.base.add(from).as_ptr().cast(), len, rights, flags, self.map.as_raw_fd(), offset) };
        if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Takes a part away; its place stays reserved. Nobody may look at it.
    fn hide(&self, from: usize, len: usize) {
        let len = len.min(self.reserved - from.min(self.reserved));
        if len > 0 {
            // SAFETY: within the place that was reserved.
            let at = unsafe { self.base.add(from) };
            if let Err(error) = reserve(at.as_ptr(), len, libc::MAP_FIXED) {
                gone(&error);
            }
        }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: nobody looks any more, and the place is this long.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.reserved) };
    }
}

/// A place without memory.
fn reserve(at: *mut u8, len: usize, flags: i32) -> io::Result<NonNull<u8>> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: at an address of the kernel's choice it touches nothing of ours; at a fixed one the caller owns the place.
    let base = unsafe { libc::mmap(at.cast(), len, libc::PROT_NONE, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(base.cast::<u8>()).ok_or_else(|| io::Error::other("mapped at address 0"))
}

fn page() -> usize {
    // SAFETY: reads a constant.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(WINDOW)
}

/// The machine has no memory left for a page of a page table: the process ends, as with any other memory that it does not get, and
/// the kernel goes on enforcing. To go on would be to write where nothing is.
fn gone(error: &io::Error) -> ! {
    // The log has a thread of its own, which would not come to it.
    let words = format!("honeymesh: a window onto the kernel's tables cannot be mapped ({error}); the process ends\n");
    let _unless_it_is_closed = io::Write::write_all(&mut io::stderr(), words.as_bytes());
    std::process::abort()
}

#[cfg(test)]
pub(crate) mod tests;
