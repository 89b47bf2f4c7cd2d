//! What stands in a path or a query, parsed; an unknown key is an error that names the known ones.

use super::problem::{Problem, quoted};
use honeymesh_format::{EventQuery, parse_duration, parse_time};
use honeymesh_types::WallTime;
use std::{
    fmt::Display,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

/// The pairs of a query.
pub(super) type Pairs = Vec<(String, String)>;

/// Calls `take` for every pair; it says whether it knows the key.
pub(super) fn each(pairs: &Pairs, known: &str, mut take: impl FnMut(&str, &str) -> Result<bool, Problem>) -> Result<(), Problem> {
    for (key, value) in pairs {
        if !take(key, value)? {
            return Err(Problem::bad(format!("query key `{}` is not known here; known are: {known}", quoted(key))));
        }
    }
    Ok(())
}

/// One value; the refusal names its key.
pub(super) fn value<T: FromStr<Err: Display>>(key: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::bad(format!("`{key}`: {error}; got `{}`", quoted(text))))
}

/// `true` or `false`; nothing at all is true, so that `?local` does what it says.
pub(super) fn flag(key: &str, text: &str) -> Result<bool, Problem> {
    match text {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(Problem::bad(format!("`{key}` is true or false; got `{}`", quoted(other)))),
    }
}

/// A number from 1 to `max`.
pub(super) fn limit(text: &str, max: u64) -> Result<u64, Problem> {
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| Problem::bad(format!("`limit` is a number from 1 to {max}; got `{}`", quoted(text))))
}

/// A time as RFC 3339 writes it, or how long ago: `1h`.
pub(super) fn time(key: &str, text: &str) -> Result<WallTime, Problem> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(now().minus(ago));
    }
    parse_time(text).map_err(|error| Problem::bad(format!("`{key}`: {error}, or how long ago, such as 1h")))
}

/// The condition on events that `key` stands for, entered into `query`; false if there is no such condition.
pub(super) fn event_condition(query: &mut EventQuery, key: &str, text: &str) -> Result<bool, Problem> {
    match key {
        "since" => query.since = Some(time(key, text)?),
        "until" => query.until = Some(time(key, text)?),
        "subject" => query.subject = Some(value(key, text)?),
        "kind" => query.kind = Some(value(key, text)?),
        "after" => query.after = Some(value(key, text)?),
        "order" => query.order = value(key, text)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn now() -> WallTime {
    WallTime::default().plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
