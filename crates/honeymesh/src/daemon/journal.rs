//! Events as log lines: what an operator wants to read, nothing per packet above `trace`.

use honeymesh_format::printable;
use honeymesh_types::{Event, EventKind};

/// Logs one event on one line, which is made only if its level is logged.
pub fn log(event: &Event) {
    match event.kind {
        EventKind::Mesh if event.fields.get("change").is_some_and(|change| change == "quarantined") => {
            tracing::warn!("{}", words(event));
        }
        EventKind::Knock => tracing::trace!("{}", words(event)),
        EventKind::Visit | EventKind::Scan => tracing::debug!("{}", words(event)),
        EventKind::Ban | EventKind::Unban | EventKind::Expire | EventKind::Mesh | EventKind::Audit => {
            tracing::info!("{}", words(event));
        }
    }
}

/// `ban 203.0.113.7/32 trap,scan payload all by=edge-1 …`, with nothing in it that a terminal would obey.
fn words(event: &Event) -> String {
    let mut words = vec![event.kind.to_string()];
    let whom = event.subject.map(|subject| subject.to_string()).or_else(|| event.source.map(|source| source.to_string()));
    words.extend(whom);
    if !event.reasons.is_empty() {
        words.push(event.reasons.to_string());
    }
    words.extend(event.grade.map(|grade| grade.to_string()));
    words.extend(event.trap.as_ref().map(|trap| format!("trap={trap}")));
    words.extend(event.port.map(|port| format!("port={port}")));
    words.extend(event.fields.iter().map(|(name, value)| format!("{name}={value}")));
    printable(&words.join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_types::{EventId, WallTime};

    #[test]
    fn a_line_has_nothing_in_it_that_a_terminal_would_obey() {
        let mut event = Event::new(EventId(1), WallTime(0), "n".parse().unwrap(), EventKind::Visit);
        event.source = Some("203.0.113.7".parse().unwrap());
        event.fields.insert("username".into(), "root\n\x1b[2J".into());
        assert_eq!(words(&event), "visit 203.0.113.7 username=root\\n\\x1b[2J");
    }
}
