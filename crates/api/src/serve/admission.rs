//! How many connections there are, in all and of one source.

use super::Limits;
use crate::source::SourceKey;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts who is inside. The map holds only sources that are, so it is bounded by the connections.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    limits: Limits,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    total: usize,
    by_source: HashMap<SourceKey, usize>,
}

/// A place inside; gives it back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    inside: Arc<Mutex<Inside>>,
    source: SourceKey,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, inside: Arc::default() }
    }

    /// A place for a connection of `source`; `None` if there is no room for it.
    pub(super) fn enter(&self, source: IpAddr) -> Option<Place> {
        let source = SourceKey::of(source);
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let own = inside.by_source.get(&source).copied().unwrap_or(0);
        if inside.total >= self.limits.connections_max || own >= self.limits.connections_per_source_max {
            return None;
        }
        inside.total += 1;
        inside.by_source.insert(source, own + 1);
        Some(Place { inside: self.inside.clone(), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.total = inside.total.saturating_sub(1);
        if let Some(own) = inside.by_source.get_mut(&self.source) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                inside.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_per_source_and_in_all_and_come_back() {
        let admission = Admission::new(Limits { connections_max: 3, connections_per_source_max: 2, ..Limits::default() });
        let enter = |text: &str| admission.enter(text.parse().unwrap());
        let first = enter("2001:db8::1").unwrap();
        let _second = enter("2001:db8::2").unwrap();
        assert!(enter("2001:db8::3").is_none(), "one /64 is one source");
        let _third = enter("192.0.2.1").unwrap();
        assert!(enter("192.0.2.2").is_none(), "full");
        drop(first);
        assert!(enter("192.0.2.2").is_some());
        assert_eq!(admission.inside.lock().unwrap().by_source.len(), 2, "nothing is kept of who has left");
    }
}
