//! What one session holds, however long it talks.

use honeymesh_fuzz::growth::cases;

/// As long as a session may be before its carrier ends it: a quarter of that, in bytes.
const TALK_BYTES: usize = 1 << 20;
/// What it may hold meanwhile, in bytes: a whole message of its protocol, or what one connection may store.
const HELD_BYTES_MAX: usize = 100 * 1_024;

/// Nothing else runs in this process: what is allocated is counted.
#[test]
fn what_a_session_holds_does_not_grow_with_what_it_is_told() {
    let mut wrong = Vec::new();
    for case in cases() {
        let held = case.holds(TALK_BYTES);
        println!("{held:>8}  {}", case.name);
        if held > HELD_BYTES_MAX {
            wrong.push(format!("{held} bytes: {}", case.name));
        }
    }
    assert!(wrong.is_empty(), "sessions hold more than {HELD_BYTES_MAX} bytes:\n{}", wrong.join("\n"));
}
