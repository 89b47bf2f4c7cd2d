//! Which topics a filter is for (MQTT 3.1.1, section 4.7).

/// Does `filter` take `topic`? Linear in both.
pub(super) fn takes(filter: &[u8], topic: &[u8]) -> bool {
    // What begins with `$` is not for wildcards at the beginning.
    if topic.first() == Some(&b'$') && matches!(filter.first(), Some(b'#' | b'+')) {
        return false;
    }
    let mut levels = topic.split(|byte| *byte == b'/');
    for wanted in filter.split(|byte| *byte == b'/') {
        match (wanted, levels.next()) {
            (b"#", _) => return true,
            (b"+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// Is it a filter at all?
pub(super) fn is_filter(filter: &[u8]) -> bool {
    let mut levels = filter.split(|byte| *byte == b'/').peekable();
    let mut is_one = !filter.is_empty() && !filter.contains(&0);
    while let Some(level) = levels.next() {
        is_one &= match level {
            b"#" => levels.peek().is_none(),
            b"+" => true,
            level => !level.contains(&b'#') && !level.contains(&b'+'),
        };
    }
    is_one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_take_what_the_standard_says() {
        let table: [(&str, &str, bool); 12] = [
            ("#", "a/b", true),
            ("#", "$SYS/broker", false),
            ("+/broker", "$SYS/broker", false),
            ("$SYS/#", "$SYS/broker/version", true),
            ("a/#", "a", true),
            ("a/+", "a", false),
            ("a/+", "a/b", true),
            ("a/+", "a/b/c", false),
            ("+/+", "/b", true),
            ("a/b", "a/b", true),
            ("a/b", "a/b/", false),
            ("+", "", true),
        ];
        for (filter, topic, taken) in table {
            assert_eq!(takes(filter.as_bytes(), topic.as_bytes()), taken, "{filter} {topic}");
        }
        for (filter, is_one) in [("#", true), ("a/#/b", false), ("a#", false), ("+/a+", false), ("", false), ("+//#", true)] {
            assert_eq!(is_filter(filter.as_bytes()), is_one, "{filter}");
        }
    }
}
