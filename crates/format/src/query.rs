//! Which events somebody wants to see.

use honeymesh_types::{EventId, EventKind, Subject, WallTime};

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
