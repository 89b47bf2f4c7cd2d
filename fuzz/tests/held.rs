//! What one session holds, however long it talks, what it has for a moment, and what recognisers have while they look.

use honeymesh_fuzz::growth::{Memory, cases, memory_of};

/// As long as a session may be before its carrier ends it: a quarter of that, in bytes.
const TALK_BYTES: usize = 1 << 20;
/// What it may hold meanwhile, in bytes: a whole message of its protocol, or what one connection may store.
const HELD_BYTES_MAX: usize = 100 * 1_024;
/// The same where files are read by SFTP: 40 KiB of answers may wait until the stranger takes them, and a read of 32 KiB, in a buffer that doubles.
const FILES_HELD_BYTES_MAX: usize = 128 * 1_024;
/// What it may hold with as many users as have room, and nothing else, in bytes.
const USERS_HELD_BYTES_MAX: usize = 24 * 1_024;
/// What it may have while it takes one piece of 4 KiB, in bytes.
const PEAK_BYTES_MAX: usize = 256 * 1_024;

// What whoever plays is limited to leaves room for that.
const _: () = assert!(
    FILES_HELD_BYTES_MAX <= honeymesh_trap::SESSION_HELD_BYTES_MAX && PEAK_BYTES_MAX <= honeymesh_trap::SESSION_PEAK_BYTES_MAX
);

/// Names of this length are stored in a Redis.
const NAME_BYTES: [usize; 4] = [4, 16, 60, 200];
/// How a Redis is told to store one of them, `N`, in one place, in a few, `K`, or in one of its own.
const STORING: [&str; 13] = [
    "SADD a N",
    "HSET a N v",
    "HSET a N N",
    "ZADD a 1.5 N",
    "RPUSH a N",
    "hincrby a N 1",
    "hincrbyfloat a N 1.5",
    "hincrbyfloat K N 1e307",
    "SADD K N",
    "HSET K N v",
    "ZADD K 1.5 N",
    "SET N N",
    "ZADD N 1 N",
];

/// Keys that are filled and emptied one after the other: as many as a Redis keeps here.
const KEYS: usize = 64;
/// How a Redis is told to fill key `K` with so many short words, `N`, and then to take all but one of them away again.
const EMPTYING: [(usize, &str, &str); 14] = [
    (961, "rpush K N", "ltrim K 0 0"),
    (961, "lpush K N", "ltrim K -1 -1"),
    (961, "rpush K N", "lpop K 960"),
    (961, "rpush K N", "rpop K 960"),
    (961, "rpush K y N", "lrem K 0 x"),
    // What is left of all keys together is as much as may be.
    (24, "rpush K N", "ltrim K 0 15"),
    (100, "sadd K N", "spop K 99"),
    (100, "sadd K N", "srem K N"),
    (100, "hset K N", "hdel K N"),
    (100, "zadd K N", "zremrangebyrank K 1 -1"),
    (100, "zadd K N", "zpopmin K 99"),
    (100, "zadd K N", "zrem K N"),
    (4_000, "append K N", "set K x"),
    (1, "setrange K 8000 x", "set K x"),
];

/// Each of them is a talk of its own: what a key had once leaves no room behind.
fn emptied() -> Vec<(String, Memory)> {
    let told = |&(count, fill, empty): &(usize, &str, &str)| {
        let word = |number: usize| match &fill[..4] {
            "rpus" | "lpus" => " x".to_owned(),
            "hset" => format!(" m{number} v"),
            "zadd" => format!(" {number} m{number}"),
            "appe" => "t".to_owned(),
            _ => format!(" m{number}"),
        };
        let words: String = (0..count).map(word).collect();
        let gone: String = (1..count).map(|number| format!(" m{number}")).collect();
        let said = |key: usize| {
            let said = |command: &str, words: &str| command.replace('K', &format!("k{key}")).replace('N', words.trim_start());
            format!("{}\n{}\n", said(fill, &words), said(empty, &gone))
        };
        let talk: String = (0..KEYS).map(said).collect();
        (format!("redis: {count} words, {fill} and {empty}, key by key"), memory_of("redis", talk.as_bytes()))
    };
    EMPTYING.iter().map(told).collect()
}

/// Texts that a bit made longer, and several databases.
fn elsewhere() -> Vec<(String, Memory)> {
    let bits: String = (0..KEYS).map(|key| format!("SET k{key} {}\nSETBIT k{key} 65536 1\n", "t".repeat(8_192))).collect();
    let left: String = (0..16).map(|number| format!("SELECT {number}\nSADD a 1\nDEL a\n")).collect();
    let filled: String = (0..4_000).map(|number| format!("SADD a {number:0>60}\n")).collect();
    let apart: String = (0..4_000).map(|number| format!("SELECT {}\nSADD {number} 1\nRPUSH l 1\n", number % 16)).collect();
    let talks = [("bits", bits), ("databases left, and one filled", left + &filled), ("all databases", apart)];
    talks.map(|(name, talk)| (format!("redis: {name}"), memory_of("redis", talk.as_bytes()))).into()
}

/// Users of a Redis who had more than they have.
fn users() -> Memory {
    let parts = ["get", "set", "help", "rewrite", "resetstat"].map(|part| format!("+config|{part} ")).concat();
    let passwords = |sign| (0..16).map(|number| format!(" {sign}p{number}")).collect::<String>();
    let rules = format!("{}{} (~a) (~b) (~c) (~d) clearselectors {parts}+config", passwords('>'), passwords('<'));
    let talk: String = (0..500).map(|number| format!("ACL SETUSER u{number} {rules}\n")).collect();
    memory_of("redis", talk.as_bytes())
}

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
    for (name, Memory { held, peak }) in talks.into_iter().chain(stored()).chain(emptied()).chain(elsewhere()) {
        println!("{held:>8} {peak:>8}  {name}");
        let held_max = if name.starts_with("sftp: ") { FILES_HELD_BYTES_MAX } else { HELD_BYTES_MAX };
        if held > held_max || peak > PEAK_BYTES_MAX {
            wrong.push(format!("{held} bytes held, {peak} for a moment: {name}"));
        }
    }
    let Memory { held, .. } = users();
    assert!(held <= USERS_HELD_BYTES_MAX, "{held} bytes held for users who had more");
    assert!(
        wrong.is_empty(),
        "sessions hold more than {HELD_BYTES_MAX} bytes, or have more than {PEAK_BYTES_MAX} for a moment:\n{}",
        wrong.join("\n")
    );
}
