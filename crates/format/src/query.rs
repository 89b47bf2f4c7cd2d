//! Which events somebody wants to see.

use honeymesh_types::{Event, EventId, EventKind, Subject, WallTime};

/// In which order events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

impl Order {
    /// The word in a query.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
        }
    }
}

impl std::str::FromStr for Order {
    type Err = honeymesh_types::UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Newest, Self::Oldest]
            .into_iter()
            .find(|order| order.as_str() == word)
            .ok_or_else(|| honeymesh_types::UnknownWord { got: word.into(), allowed: "newest|oldest" })
    }
}

/// Which events: all conditions hold together; the default is every event, newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Not before this time.
    pub since: Option<WallTime>,
    /// Before this time.
    pub until: Option<WallTime>,
    /// Whose source lies in this prefix, or whose own prefix overlaps it.
    pub subject: Option<Subject>,
    /// Of this kind.
    pub kind: Option<EventKind>,
    /// Behind this event, in the order asked for: the last one of the page before.
    pub after: Option<EventId>,
    /// At most so many; `None` is as many as the reader gives in one page, and all of them in an export.
    pub limit: Option<u64>,
    /// In which order.
    pub order: Order,
}

impl EventQuery {
    /// Does the event meet the conditions on time, subject and kind? `after`, `limit` and `order` are not about one
    /// event alone.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at < until)
            && self.kind.is_none_or(|kind| event.kind == kind)
            && self.subject.is_none_or(|subject| concerns(event, subject))
    }
}

fn concerns(event: &Event, subject: Subject) -> bool {
    match event.subject {
        Some(own) => own.overlaps(&subject.net()),
        None => event.source.is_some_and(|source| subject.contains(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::{banned, visit};

    #[test]
    fn conditions_hold_together() {
        let of = |text: &str| EventQuery { subject: Some(text.parse().unwrap()), ..EventQuery::default() };
        assert!(EventQuery::default().matches(&visit()));
        assert!(of("203.0.113.0/24").matches(&visit()) && of("203.0.113.0/24").matches(&banned()));
        assert!(!of("203.0.113.8").matches(&visit()) && !of("203.0.113.8").matches(&banned()));
        let kind = EventQuery { kind: Some(EventKind::Ban), ..of("203.0.113.7") };
        assert!(!kind.matches(&visit()) && kind.matches(&banned()));
        let (at, later) = (visit().at, WallTime(visit().at.0 + 1));
        let between = |since, until| EventQuery { since: Some(since), until: Some(until), ..EventQuery::default() };
        assert!(between(at, later).matches(&visit()), "since is included");
        assert!(!between(WallTime(0), at).matches(&visit()), "until is not");
    }

    #[test]
    fn a_ban_of_a_wider_prefix_concerns_the_address_inside() {
        let mut wide = banned();
        wide.subject = Some("203.0.113.0/24".parse().unwrap());
        assert!(EventQuery { subject: Some("203.0.113.7".parse().unwrap()), ..EventQuery::default() }.matches(&wide));
    }
}
