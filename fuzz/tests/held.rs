//! What one session holds, however long it talks, what it has for a moment, and what recognisers have while they look.

use honeymesh_fuzz::growth::{Memory, cases, memory_of};

/// As long as a session may be before its carrier ends it: a quarter of that, in bytes.
const TALK_BYTES: usize = 1 << 20;
/// What it may hold meanwhile, in bytes: a whole message of its protocol, or what one connection may store.
const HELD_BYTES_MAX: usize = 100 * 1_024;
/// What it may have while it takes one piece of 4 KiB, in bytes.
const PEAK_BYTES_MAX: usize = 256 * 1_024;

/// Names of this length are stored in a Redis.
const NAME_BYTES: [usize; 4] = [4, 16, 60, 200];
/// How a Redis is told to store one of them, `N`, in one place, in a few, `K`, or in one of its own.
const STORING: [&str; 10] = [
    "SADD a N",
    "HSET a N v",
    "HSET a N N",
    "ZADD a 1.5 N",
    "RPUSH a N",
    "SADD K N",
    "HSET K N v",
    "ZADD K 1.5 N",
    "SET N N",
    "ZADD N 1 N",
];

/// Each kind of value with many names: a talk of its own.
fn stored() -> Vec<(String, Memory)> {
    let mut told = Vec::new();
    for (storing, bytes) in STORING.iter().flat_map(|storing| NAME_BYTES.map(|bytes| (storing, bytes))) {
        let said = |number: u32| {
            let storing = storing.replace('N', &format!("{number:0>bytes$x}")).replace('K', &(number % 8).to_string());
            format!("{storing}\n")
        };
        let talk: String = (0..4_000).map(said).collect();
        told.push((format!("redis: {storing}, names of {bytes} bytes"), memory_of("redis", talk.as_bytes())));
    }
    told
}

/// Nothing else runs in this process: what is allocated is counted.
#[test]
fn what_a_session_holds_does_not_grow_with_what_it_is_told() {
    let mut wrong = Vec::new();
    let talks = cases().iter().map(|case| (case.name.clone(), case.memory(TALK_BYTES))).collect::<Vec<_>>();
    for (name, Memory { held, peak }) in talks.into_iter().chain(stored()) {
        println!("{held:>8} {peak:>8}  {name}");
        if held > HELD_BYTES_MAX || peak > PEAK_BYTES_MAX {
            wrong.push(format!("{held} bytes held, {peak} for a moment: {name}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "sessions hold more than {HELD_BYTES_MAX} bytes, or have more than {PEAK_BYTES_MAX} for a moment:\n{}",
        wrong.join("\n")
    );
}
