//! What one session holds, however long it talks, what it has for a moment, and what recognisers have while they look.

use honeymesh_fuzz::growth::{Memory, cases};

/// As long as a session may be before its carrier ends it: a quarter of that, in bytes.
const TALK_BYTES: usize = 1 << 20;
/// What it may hold meanwhile, in bytes: a whole message of its protocol, or what one connection may store.
const HELD_BYTES_MAX: usize = 100 * 1_024;
/// What it may have while it takes one piece of 4 KiB, in bytes.
const PEAK_BYTES_MAX: usize = 256 * 1_024;

/// Nothing else runs in this process: what is allocated is counted.
#[test]
fn what_a_session_holds_does_not_grow_with_what_it_is_told() {
    let mut wrong = Vec::new();
    for case in cases() {
        let Memory { held, peak } = case.memory(TALK_BYTES);
        println!("{held:>8} {peak:>8}  {}", case.name);
        if held > HELD_BYTES_MAX || peak > PEAK_BYTES_MAX {
            wrong.push(format!("{held} bytes held, {peak} for a moment: {}", case.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "sessions hold more than {HELD_BYTES_MAX} bytes, or have more than {PEAK_BYTES_MAX} for a moment:\n{}",
        wrong.join("\n")
    );
}
