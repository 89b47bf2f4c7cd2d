//! What the server says of itself.

use super::manage;
use crate::{persona::Era, text::filled};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::WallTime;

/// What a memcached 1.6.38 of Debian 13 that nobody uses answered to `stats`, with names where servers and moments differ.
const STATS: &str = include_str!("stats.txt");
/// The same to `stats settings`.
const SETTINGS: &str = include_str!("settings.txt");
/// The server is started so many seconds after its machine.
const START_SECONDS: u64 = 5;

/// The answer to `stats`, with what is said behind it.
pub(super) fn text(of: &[&[u8]], version: &str, era: Era, items: usize, now: WallTime) -> String {
    match of {
        [] => general(version, era, items, now),
        [b"settings"] => filled(SETTINGS, &[]),
        [b"reset"] => "RESET\r\n".to_string(),
        [b"items" | b"conns"] => "END\r\n".to_string(),
        [b"cachedump", rest @ ..] => manage::cachedump(rest).to_string(),
        [b"detail", rest @ ..] => manage::detail(rest).to_string(),
        [b"slabs"] => "STAT active_slabs 0\r\nSTAT total_malloced 0\r\nEND\r\n".to_string(),
        [b"sizes"] => "STAT sizes_status disabled\r\nEND\r\n".to_string(),
        _ => "ERROR\r\n".to_string(),
    }
}

/// When the server started, in seconds since 1970.
pub(super) const fn started(era: Era, now: WallTime) -> u64 {
    era.booted(now).0 / 1_000_000 + START_SECONDS
}

/// The answer to `stats` alone.
fn general(version: &str, era: Era, items: usize, now: WallTime) -> String {
    let uptime = era.uptime(now).saturating_sub(START_SECONDS);
    let connections = uptime / 113 + 2;
    let numbers = [
        ("pid", era.pid("memcached", now).into()),
        ("uptime", uptime),
        ("time", now.0 / 1_000_000),
        ("user", uptime / 2_100),
        ("system", uptime / 1_700),
        ("connections", connections),
        ("read", connections * 41),
        ("written", connections * 1_310),
        ("juggles", uptime * 4),
        ("bytes", items as u64 * 67),
        ("items", items as u64),
    ];
    let mut values: Vec<(&str, String)> = numbers.into_iter().map(|(name, number)| (name, number.to_string())).collect();
    values.push(("version", version.to_string()));
    filled(STATS, &values)
}
