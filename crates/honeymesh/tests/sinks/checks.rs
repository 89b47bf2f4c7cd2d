//! What must hold of each sink, told by readers that forgive nothing.

use std::collections::{BTreeMap, BTreeSet};

/// Our own tones, which a terminal may get.
const TONES: [&str; 4] = ["\x1b[1m", "\x1b[32m", "\x1b[31m", "\x1b[0m"];
/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
const METRIC: &str = "honeymesh_";

type Lines = Vec<String>;

/// Lines with nothing in them that is obeyed or cannot be seen, and none that the journal would take for more urgent than it is.
pub fn terminal(bytes: &[u8]) -> Result<Lines, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("no UTF-8: {error}"))?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    let lines: Lines = text.split_terminator('\n').map(Into::into).collect();
    for line in &lines {
        let bad = line.chars().find(|c| c.is_control() || honeymesh_format::is_unsafe(*c));
        if let Some(c) = bad {
            return Err(format!("{c:?} in {line:?}"));
        }
        if !honeymesh_types::is_shown_as_it_is(line) {
            return Err(format!("a tower of marks in {line:?}"));
        }
        let level = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        if level.is_some_and(|(level, _)| level.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(format!("a priority at the beginning of {line:?}"));
        }
    }
    Ok(lines)
}

/// The same of what a terminal gets that shows colours.
pub fn coloured(bytes: &[u8]) -> Result<Lines, String> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    terminal(TONES.iter().fold(text, |text, tone| text.replace(tone, "")).as_bytes())
}

/// The daemon's log for people: every line is a record with time and level.
pub fn log(bytes: &[u8]) -> Result<Lines, String> {
    let lines = terminal(bytes)?;
    for line in &lines {
        let (time, rest) = line.split_once(' ').ok_or_else(|| format!("no time: {line:?}"))?;
        honeymesh_format::parse_time(time).map_err(|error| format!("{error}: {line:?}"))?;
        let level = rest.trim_start().split(' ').next().unwrap_or_default();
        if !["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level) {
            return Err(format!("no level: {line:?}"));
        }
    }
    Ok(lines)
}

/// One JSON object a line.
pub fn json_lines(bytes: &[u8]) -> Result<Vec<serde_json::Value>, String> {
    let parse = |line: &String| {
        let value: serde_json::Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line:?}"))?;
        if value.is_object() { Ok(value) } else { Err(format!("no object: {line:?}")) }
    };
    terminal(bytes)?.iter().map(parse).collect()
}

/// CSV by RFC 4180, every cell quoted, every row as wide as the first, and no cell a formula, also where a spreadsheet cuts at
/// semicolons.
pub fn csv(bytes: &[u8]) -> Result<Vec<Vec<String>>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("no UTF-8: {error}"))?;
    let rest = text.strip_suffix("\r\n").ok_or("the last row has no end")?;
    let mut rows = Vec::new();
    for row in rest.split("\r\n") {
        if terminal(format!("{row}\n").as_bytes())?.len() != 1 {
            return Err(format!("a row of several lines: {row:?}"));
        }
        let cells = cells(row)?;
        for part in cells.iter().flat_map(|cell| cell.split(';')) {
            if part.trim_start_matches(|c: char| c.is_whitespace() || c == '"').starts_with(FORMULA) {
                return Err(format!("a formula: {part:?}"));
            }
        }
        rows.push(cells);
    }
    match rows.iter().find(|row| row.len() != rows[0].len()) {
        Some(row) => Err(format!("{} cells instead of {}: {row:?}", row.len(), rows[0].len())),
        None => Ok(rows),
    }
}

fn cells(row: &str) -> Result<Vec<String>, String> {
    let mut cells = Vec::new();
    let mut rest = row;
    loop {
        let mut cell = String::new();
        rest = rest.strip_prefix('"').ok_or_else(|| format!("a cell without quotes: {rest:?}"))?;
        loop {
            let (before, after) = rest.split_once('"').ok_or_else(|| format!("a cell without an end: {row:?}"))?;
            cell.push_str(before);
            rest = after;
            match rest.strip_prefix('"') {
                Some(after) => rest = after,
                None => break,
            }
            cell.push('"');
        }
        cells.push(cell);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(cells),
            None => return Err(format!("something behind a cell: {rest:?}")),
        }
    }
}

/// Server-sent events: each block one `data` with an `id` or an `event`, or remarks alone, and no line that is nothing of these. Gives each
/// block's object, and its name if it has one.
pub fn sse(bytes: &[u8]) -> Result<Vec<(Option<String>, serde_json::Value)>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("no UTF-8: {error}"))?;
    let rest = text.strip_suffix("\n\n").ok_or("the last block has no end")?;
    let mut blocks = Vec::new();
    for block in rest.split("\n\n") {
        let mut fields = BTreeMap::new();
        let mut remarks = 0;
        let lines = terminal(format!("{block}\n").as_bytes())?;
        for line in &lines {
            match line.split_once(':') {
                Some(("", _)) => remarks += 1,
                Some((name @ ("id" | "event" | "data"), value)) => {
                    if fields.insert(name, value.strip_prefix(' ').unwrap_or(value).to_owned()).is_some() {
                        return Err(format!("{name} twice: {block:?}"));
                    }
                }
                _ => return Err(format!("a line of its own: {line:?}")),
            }
        }
        if fields.is_empty() && remarks > 0 {
            continue;
        }
        let (event, data) = (fields.remove("event"), fields.remove("data").ok_or_else(|| format!("no data: {block:?}"))?);
        // Events of the node have a number and no name; what the stream itself says has a name and no number.
        if event.is_some() == fields.contains_key("id") {
            return Err(format!("neither an event nor a word of the stream: {block:?}"));
        }
        blocks.push((event, json_lines(format!("{data}\n").as_bytes())?.remove(0)));
    }
    Ok(blocks)
}

/// The text format of Prometheus: families, their samples, and no sample twice. Gives how many samples there are.
pub fn metrics(bytes: &[u8]) -> Result<usize, String> {
    let mut family = String::new();
    let mut seen = BTreeSet::new();
    for line in terminal(bytes)? {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap_or_default().to_owned();
            if !seen.insert(format!("# {family}")) {
                return Err(format!("a family twice: {line:?}"));
            }
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').ok_or_else(|| format!("no value: {line:?}"))?;
            value.parse::<f64>().map_err(|error| format!("{error}: {line:?}"))?;
            let labels = series.strip_prefix(&family).ok_or_else(|| format!("not of {family}: {line:?}"))?;
            labelled(labels.trim_start_matches("_bucket").trim_start_matches("_sum").trim_start_matches("_count"))?;
            if !series.starts_with(METRIC) || !seen.insert(series.to_owned()) {
                return Err(format!("not ours, or twice: {line:?}"));
            }
        }
    }
    Ok(seen.iter().filter(|series| !series.starts_with('#')).count())
}

/// `{name="value",…}`, or nothing.
fn labelled(text: &str) -> Result<(), String> {
    let wrong = || format!("no labels: {text:?}");
    let Some(mut rest) = text.strip_prefix('{') else { return if text.is_empty() { Ok(()) } else { Err(wrong()) } };
    loop {
        let (name, after) = rest.split_once("=\"").ok_or_else(wrong)?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            return Err(wrong());
        }
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().ok_or_else(wrong)? {
                (_, '\\') if matches!(chars.next(), Some((_, '\\' | '"' | 'n'))) => {}
                (_, '\\') => return Err(wrong()),
                (at, '"') => break at,
                _ => {}
            }
        };
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest == "}" => return Ok(()),
            None => return Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_refuses_what_it_is_there_for() {
        let ok = b"2026-11-30T05:00:00.000000Z  INFO ready\n";
        assert!(log(ok).is_ok() && terminal(ok).is_ok() && terminal(b"").is_ok());
        for bad in [
            "a\x1b[2J\n",
            "a\u{9b}2J\n",
            "a\rb\n",
            "a\0\n",
            "a\u{202e}b\n",
            "a\u{200d}b\n",
            "a\u{2028}b\n",
            "a\u{85}b\n",
            "a\u{e0041}\n",
            "<0>panic\n",
            "ok\n<34>1 forged\n",
            "no end",
            "z\u{301}\u{301}\u{301}\u{301}\u{301}\n",
        ] {
            assert!(terminal(bad.as_bytes()).is_err(), "{bad:?}");
            assert!(coloured(bad.as_bytes()).is_err() || bad.contains('\r'), "{bad:?}");
        }
        assert!(terminal(b"\xff\n").is_err());
        assert!(terminal(b"\x1b[1mbold\x1b[0m\n").is_err() && coloured(b"\x1b[1mbold\x1b[0m\r\n").is_ok());
        for bad in ["forged line\n", "2026-11-30T05:00:00Z FATAL x\n", "2026-11-30T05:00:00.000000Z  INFO x\nsecond\n"] {
            assert!(log(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(json_lines(b"{\"a\":1}\n{}\n").unwrap().len(), 2);
        for bad in ["{\"a\":\"x\n\"}\n", "[]\n", "{\"a\":\"\u{2028}\"}\n", "{}{}\n", "{\"a\":\"\u{7f}\"}\n"] {
            assert!(json_lines(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(csv(b"\"a\",\"b\"\r\n\"1\",\"x\"\"y,z\"\r\n").unwrap()[1], ["1", "x\"y,z"]);
        for bad in [
            "\"a\"\r\n\"=1\"\r\n",
            "\"a\"\r\n\"  +1\"\r\n",
            "\"a\"\r\n\"x;=1\"\r\n",
            "\"a\"\r\n\"\"\"=1\"\r\n",
            "\"a\"\r\n\"b\",\"c\"\r\n",
            "\"a\"\r\nb\r\n",
            "\"a\"\r\n\"b\"c\"\r\n",
            "\"a\"\r\n\"b\nc\"\r\n",
            "\"a\"",
            "\"a\"\r\n\"\u{ff1d}1\"\r\n",
            "\"a\r\n\"\r\n",
        ] {
            assert!(csv(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(sse(b":hello\n\nid: 1\ndata: {\"a\":1}\n\n:\n\nevent: lag\ndata: {}\n\n").unwrap().len(), 2);
        for bad in [
            "id: 1\ndata: {}\n",
            "id: 1\n\n",
            "data: {}\n\n",
            "id: 1\nevent: lag\ndata: {}\n\n",
            "id: 1\ndata: {}\ndata: {}\n\n",
            "id: 1\ndata: {}\nretry: 1\n\n",
            "id: 1\ndata: x\n\n",
            "id: 1\rretry: 1\ndata: {}\n\n",
            "forged\n\n",
            "\n\n\n\n",
        ] {
            assert!(sse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let family = "# HELP honeymesh_a x\n# TYPE honeymesh_a gauge\n";
        assert_eq!(metrics(format!("{family}honeymesh_a{{b=\"c\\\"\\\\\\n\",d=\"\"}} 1\n").as_bytes()), Ok(1));
        for bad in [
            "honeymesh_a{b=\"c\"} x",
            "honeymesh_b 1",
            "honeymesh_a{b=\"c\"d\"} 1",
            "honeymesh_a{b=\"\\x\"} 1",
            "honeymesh_a{b=\"c\\\"} 1",
            "honeymesh_a 1\nhoneymesh_a 2",
            "honeymesh_a{b=\"c\"",
            "other",
            "honeymesh_a{b=\"c\"} 1\n# TYPE honeymesh_a gauge",
        ] {
            assert!(metrics(format!("{family}{bad}\n").as_bytes()).is_err(), "{bad:?}");
        }
    }
}
