//! Lets go of code and constants that only the start needed.
#![expect(unsafe_code, reason = "dl_iterate_phdr(3) and madvise(2) have no safe wrapper among this crate's dependencies")]

use libc::{c_int, c_void, dl_phdr_info, size_t};

/// Takes the pages of the program and its libraries that cannot be written out of this process's memory. Those that are still
/// needed come back by themselves, from the kernel's cache of the file. So after a start only what the process really runs
/// counts as its resident memory. Nothing changes if the kernel refuses.
pub fn let_go_of_code() {
    // SAFETY: the function keeps to what the call hands it, and the data pointer is not used.
    unsafe { libc::dl_iterate_phdr(Some(each), std::ptr::null_mut()) };
}

/// One file that is mapped: the program, or a library.
extern "C" fn each(info: *mut dl_phdr_info, _size: size_t, _data: *mut c_void) -> c_int {
    // SAFETY: the C library hands over a live description of a file with so many headers.
    let (base, headers) = unsafe {
        let info = &*info;
        (info.dlpi_addr, std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()))
    };
    // What is written at the start and only then protected (RELRO) lies in segments that can be written.
    let clean = headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0);
    // SAFETY: reads a constant.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(u64::from(u16::MAX) + 1);
    for header in clean {
        let start = base.wrapping_add(header.p_vaddr);
        // Whole pages only: what shares the last one with others stays.
        let (from, to) = (start.next_multiple_of(page), start.wrapping_add(header.p_memsz) / page * page);
        if let (Ok(from), Ok(len)) = (usize::try_from(from), usize::try_from(to.saturating_sub(from)))
            && len > 0
        {
            // SAFETY: nobody writes these pages, in this process or in the file while it runs, so what comes back is what was
            // there; linkers refuse relocations in them.
            unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(from), len, libc::MADV_DONTNEED) };
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Kilobytes of files that are mapped and resident.
    fn of_files() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn code_that_is_let_go_of_is_less_resident_and_runs_all_the_same() {
        let (before, sum) = (of_files(), || (1..=10).map(|number: u32| format!("{number:x}").len()).sum::<usize>());
        let told = sum();
        let_go_of_code();
        let after = of_files();
        assert_eq!(sum(), told);
        // Other tests of this process take some of it back meanwhile.
        assert!(after < before, "{before} kB before, {after} kB after");
    }
}
