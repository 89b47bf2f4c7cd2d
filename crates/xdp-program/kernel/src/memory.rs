//! The two functions that a compiler may call for copies and fills. `llc` writes them out in place; bpf-linker asks for
//! them. They return nothing, unlike C's: no caller looks, and the verifier lets no function return a stack address.

/// Octet by octet, and volatile: otherwise the compiler would see a fill and call this very function.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, len: usize) {
    for at in 0..len {
        // SAFETY: the compiler's contract: `len` octets can be written.
        unsafe { to.add(at).write_volatile(value as u8) };
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) {
    for at in 0..len {
        // SAFETY: the compiler's contract: `len` octets can be read and written.
        unsafe { to.add(at).write_volatile(from.add(at).read()) };
    }
}
