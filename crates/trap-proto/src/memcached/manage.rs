//! Commands that manage the server. None of them changes what the trap does: it says what memcached would say.

const OK: &str = "OK\r\n";
const ERROR: &str = "ERROR\r\n";
pub(super) const BAD_LINE: &str = "CLIENT_ERROR bad command line format\r\n";
/// Classes of sizes that there are at most.
const CLASSES_MAX: u32 = 64;
/// The last class of Debian's settings.
const CLASS_LAST: i32 = 39;
/// The most megabytes that may be asked for.
const MEGABYTES_MAX: u32 = 1_000_000_000;
/// What a watcher can be told of.
const WATCHED: [&[u8]; 10] = [
    b"rawcmds",
    b"evictions",
    b"fetchers",
    b"mutations",
    b"sysevents",
    b"connevents",
    b"proxyreqs",
    b"proxyevents",
    b"proxyuser",
    b"deletions",
];

/// A number, as memcached reads one.
pub(super) fn parse<T: core::str::FromStr>(digits: &[u8]) -> Option<T> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// A number of 32 bits with its sign, which memcached reads as one of 64 and cuts.
pub(super) fn signed(digits: &[u8]) -> Option<i32> {
    let [_, _, _, _, low @ ..] = parse::<i64>(digits)?.to_be_bytes();
    Some(i32::from_be_bytes(low))
}

/// The same without a sign.
pub(super) fn word(digits: &[u8]) -> Option<u32> {
    let [_, _, _, _, low @ ..] = parse::<u64>(digits)?.to_be_bytes();
    Some(u32::from_be_bytes(low))
}

fn fraction(digits: &[u8]) -> Option<f64> {
    parse::<f64>(digits).filter(|number| number.is_finite())
}

/// `verbosity level [noreply]`.
pub(super) fn verbosity(words: &[&[u8]]) -> &'static str {
    match words {
        [level] | [level, _] if word(level).is_some() => OK,
        [_] | [_, _] => BAD_LINE,
        _ => ERROR,
    }
}

/// `cache_memlimit megabytes [noreply]`.
pub(super) fn memory(words: &[&[u8]]) -> &'static str {
    let ([megabytes] | [megabytes, _]) = words else { return ERROR };
    match word(megabytes) {
        None => ERROR,
        Some(0..8) => "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n",
        Some(8..=MEGABYTES_MAX) => OK,
        Some(_) => "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n",
    }
}

/// `lru tune|mode|temp_ttl …`.
pub(super) fn lru(words: &[&[u8]]) -> &'static str {
    match words {
        [b"tune", hot, warm, hot_age, warm_age, ..] => {
            let shares = word(hot).zip(word(warm));
            match (shares, fraction(hot_age), fraction(warm_age)) {
                (Some((hot, warm)), Some(_), Some(_)) if hot.wrapping_add(warm) > 80 => {
                    "ERROR hot and warm pcts must not exceed 80\r\n"
                }
                (Some(_), Some(hot), Some(warm)) if hot <= 0.0 || warm <= 0.0 => {
                    "ERROR hot/warm age factors must be greater than 0\r\n"
                }
                (Some(_), Some(_), Some(_)) => OK,
                _ => ERROR,
            }
        }
        [b"mode", b"flat" | b"segmented", ..] => OK,
        [b"temp_ttl", lives, ..] if signed(lives).is_some() => OK,
        _ => ERROR,
    }
}

/// `slabs reassign|automove …`.
pub(super) fn slabs(words: &[&[u8]]) -> &'static str {
    match words {
        [b"reassign", from, to] => match (signed(from), signed(to)) {
            (Some(from), Some(to)) if from == to => "SAME src and dst class are identical\r\n",
            (Some(from), Some(to)) if from > CLASS_LAST || !(0..=CLASS_LAST).contains(&to) || from < -1 => {
                "BADCLASS invalid src or dst class id\r\n"
            }
            (Some(_), Some(_)) => "NOSPARE source class has no spare pages\r\n",
            _ => BAD_LINE,
        },
        [b"automove", b"ratio" | b"freeratio", rest @ ..] => match rest {
            [ratio, ..] if fraction(ratio).is_some() => OK,
            _ => ERROR,
        },
        [b"automove", b"window", rest @ ..] => match rest {
            [window, ..] if word(window).is_some() => OK,
            _ => BAD_LINE,
        },
        [b"automove", level, ..] => match word(level) {
            Some(0..=2) => OK,
            Some(_) => ERROR,
            None => BAD_LINE,
        },
        _ => ERROR,
    }
}

/// `lru_crawler …` but for what lists the keys.
pub(super) fn crawler(words: &[&[u8]]) -> &'static str {
    match words {
        [b"crawl", classes] => match is_classes(classes) {
            true => OK,
            false => "BADCLASS invalid class id\r\n",
        },
        [b"metadump" | b"mgdump", _] => "BADCLASS invalid class id\r\n",
        [b"tocrawl", items] if word(items).is_some() => OK,
        [b"sleep", pause] => match word(pause) {
            Some(0..=1_000_000) => OK,
            Some(_) => "CLIENT_ERROR sleep must be one second or less\r\n",
            None => BAD_LINE,
        },
        [b"tocrawl", _] => BAD_LINE,
        [b"enable" | b"disable"] => OK,
        _ => ERROR,
    }
}

/// All classes, or numbers of some, with commas between them.
pub(super) fn is_classes(text: &[u8]) -> bool {
    let is_class = |number: &[u8]| word(number).is_some_and(|class| (1..CLASSES_MAX).contains(&class));
    matches!(text, b"all" | b"hash") || text.split(|byte| *byte == b',').all(is_class)
}

/// `watch …`, and whether this connection is told of what happens from here on.
pub(super) fn watch(words: &[&[u8]]) -> (&'static str, bool) {
    if words.iter().all(|word| WATCHED.contains(word)) { (OK, true) } else { (ERROR, false) }
}

/// `flush_all [delay] [noreply]`: the delay.
pub(super) fn flush(words: &[&[u8]]) -> Result<i32, &'static str> {
    match words {
        [] | [b"noreply"] => Ok(0),
        [delay] | [delay, _] => signed(delay).ok_or("CLIENT_ERROR invalid exptime argument\r\n"),
        _ => Err(ERROR),
    }
}

/// `delete key …`: what is wrong with what stands behind the key.
pub(super) fn delete(behind: &[&[u8]]) -> Result<(), &'static str> {
    match behind {
        [] | [b"0" | b"noreply"] | [b"0", b"noreply"] => Ok(()),
        [_] | [_, _] => Err("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"),
        _ => Err(ERROR),
    }
}

/// `stats cachedump class limit`, of which nothing is shown.
pub(super) fn cachedump(words: &[&[u8]]) -> &'static str {
    let [class, limit, ..] = words else { return "CLIENT_ERROR bad command line\r\n" };
    match (word(class), word(limit)) {
        (Some(CLASSES_MAX..), Some(_)) => "CLIENT_ERROR Illegal slab id\r\n",
        (Some(_), Some(_)) => "END\r\n",
        _ => BAD_LINE,
    }
}

/// `stats detail on|off|dump`.
pub(super) fn detail(words: &[&[u8]]) -> &'static str {
    match words {
        [b"on" | b"off", ..] => OK,
        [b"dump", ..] => "END\r\n",
        _ => "CLIENT_ERROR usage: stats detail on|off|dump\r\n",
    }
}
