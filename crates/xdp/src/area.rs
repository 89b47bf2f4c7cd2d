//! Memory that the kernel's program reads: an array map, mapped.
#![expect(unsafe_code, reason = "mmap(2), and a view of shared memory, have no safe binding")]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::{self, NonNull},
};

/// A type made of atomic integers only: whoever else writes it meanwhile, and whatever octets are there, it is sound.
///
/// # Safety
/// Implementors are `repr(C)`, have no padding that matters, and consist of atomics whose every bit pattern is a value.
pub(crate) unsafe trait Cells: Sync {}

/// Shared memory. It goes with the last owner; the map stays.
#[derive(Debug)]
pub(crate) struct Area {
    base: NonNull<u8>,
    len: usize,
    #[cfg(test)]
    layout: Option<std::alloc::Layout>,
}

// SAFETY: the memory is only ever seen as atomics.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

impl Area {
    /// Maps the first `len` octets of an array map that was made mappable. No other thread may be confined from mapping
    /// yet: it happens at the start only.
    pub(crate) fn map(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing of ours.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, rights, flags, fd.as_raw_fd(), 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        match NonNull::new(base.cast::<u8>()) {
            Some(base) => Ok(Self {
                base,
                len,
                #[cfg(test)]
                layout: None,
            }),
            None => Err(io::Error::other("mapped at address 0")),
        }
    }

    /// Zeros of our own.
    #[cfg(test)]
    pub(crate) fn zeroed(len: usize) -> Self {
        let layout = std::alloc::Layout::from_size_align(len, 64).unwrap();
        // SAFETY: the layout is not empty.
        let base = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).unwrap();
        Self { base, len, layout: Some(layout) }
    }

    /// As many `T` as fit.
    pub(crate) fn cells<T: Cells>(&self) -> &[T] {
        debug_assert!(self.base.as_ptr().addr().is_multiple_of(align_of::<T>()));
        // SAFETY: the memory is as long, page-aligned (or aligned as the lines are), zero or somebody's atomics, and lives
        // as long as `self`.
        unsafe { std::slice::from_raw_parts(self.base.cast().as_ptr(), self.len / size_of::<T>()) }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        #[cfg(test)]
        if let Some(layout) = self.layout {
            // SAFETY: it was allocated with this layout.
            unsafe { std::alloc::dealloc(self.base.as_ptr(), layout) };
            return;
        }
        // SAFETY: nobody has a reference any more, and the mapping is this long.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
