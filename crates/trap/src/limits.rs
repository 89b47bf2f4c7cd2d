//! Who may come in: sessions at once, in all and from one source.

use crate::Limits;
use honeymesh_types::Subject;
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Counts the sessions that are open. Holds an entry only for sources with an open session, so it never has more
/// than `sessions_max`.
#[derive(Debug)]
pub(crate) struct Gate {
    sessions_max: usize,
    per_source_max: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    sessions: usize,
    sources: BTreeMap<Subject, Source>,
}

#[derive(Debug, Default)]
struct Source {
    sessions: usize,
    refused: bool,
    /// Tells its open sessions to end.
    dismissal: watch::Sender<()>,
}

/// What the gate says to a connection.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Come in; the pass is given back by dropping it.
    Admitted(Pass),
    /// Not now, and somebody should hear of it.
    Refused,
    /// Not now, as before.
    RefusedAgain,
}

/// The right to one session.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    source: Subject,
    dismissed: watch::Receiver<()>,
}

impl Pass {
    /// Ready once the source is dismissed.
    pub(crate) async fn dismissed(&mut self) {
        if self.dismissed.changed().await.is_err() {
            // The sender lives as long as the source has a session, so this is never reached; if it were, nobody
            // was dismissed.
            std::future::pending::<()>().await;
        }
    }
}

/// Ends open sessions. Clones act on the same traps.
#[derive(Clone, Debug)]
pub struct Dismisser(pub(crate) Arc<Gate>);

impl Dismisser {
    /// Ends every open session whose source (an IPv4 address, an IPv6 /64) touches `subject`, each after what it is
    /// doing now; what it has not told yet is told. For a source that has just been banned: its packets do not arrive
    /// any more, and one that is still on its way when the ban is lifted must not count as a new visit.
    pub fn dismiss(&self, subject: &Subject) {
        self.0.dismiss(subject);
    }
}

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let inside = Mutex::new(Inside::default());
        Arc::new(Self { sessions_max: limits.sessions_max, per_source_max: limits.sessions_per_source_max, inside })
    }

    /// A refusal for want of room is always worth a report; one for too many sessions of the same source is told
    /// once, until its last session has ended.
    pub(crate) fn enter(self: &Arc<Self>, addr: IpAddr) -> Entry {
        let source = Subject::of_source(addr, &[]);
        let mut inside = self.inside();
        if let Some(known) = inside.sources.get_mut(&source)
            && known.sessions >= self.per_source_max
        {
            return if std::mem::replace(&mut known.refused, true) { Entry::RefusedAgain } else { Entry::Refused };
        }
        if inside.sessions >= self.sessions_max {
            return Entry::Refused;
        }
        inside.sessions += 1;
        let known = inside.sources.entry(source).or_default();
        known.sessions += 1;
        let dismissed = known.dismissal.subscribe();
        Entry::Admitted(Pass { gate: Arc::clone(self), source, dismissed })
    }

    /// Costs a look-up and what it finds, not a walk over all sources: bans may come by the thousand.
    fn dismiss(&self, subject: &Subject) {
        let first = Subject::of_source(subject.addr(), &[]);
        let inside = self.inside();
        let touched = inside.sources.range(first.min(*subject)..).take_while(|(source, _)| subject.overlaps(&source.net()));
        for (_, source) in touched {
            source.dismissal.send_replace(());
        }
    }

    fn leave(&self, source: &Subject) {
        let mut inside = self.inside();
        inside.sessions = inside.sessions.saturating_sub(1);
        if let Some(known) = inside.sources.get_mut(source) {
            known.sessions = known.sessions.saturating_sub(1);
            if known.sessions == 0 {
                inside.sources.remove(source);
            }
        }
    }

    /// Counters stay true even if a holder of the lock panicked: no update is left half done.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.leave(&self.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(sessions_max: usize, sessions_per_source_max: usize) -> Arc<Gate> {
        Gate::new(&Limits { sessions_max, sessions_per_source_max, ..Limits::default() })
    }

    fn pass(gate: &Arc<Gate>, source: &str) -> Option<Pass> {
        match gate.enter(source.parse().unwrap()) {
            Entry::Admitted(pass) => Some(pass),
            Entry::Refused | Entry::RefusedAgain => None,
        }
    }

    #[test]
    fn one_source_cannot_take_the_house() {
        let gate = gate(10, 2);
        let passes = [pass(&gate, "192.0.2.1").unwrap(), pass(&gate, "192.0.2.1").unwrap()];
        assert!(matches!(gate.enter("192.0.2.1".parse().unwrap()), Entry::Refused), "told the first time");
        assert!(matches!(gate.enter("192.0.2.1".parse().unwrap()), Entry::RefusedAgain));
        assert!(pass(&gate, "192.0.2.2").is_some(), "others come in");
        drop(passes);
        assert!(pass(&gate, "192.0.2.1").is_some(), "and so does it, once it has left");
    }

    #[test]
    fn an_ipv6_customer_is_one_source_however_many_addresses_it_has() {
        let gate = gate(10, 1);
        let _pass = pass(&gate, "2001:db8:1:2::1").unwrap();
        assert!(pass(&gate, "2001:db8:1:2::2").is_none());
        assert!(pass(&gate, "2001:db8:1:3::1").is_some());
    }

    #[test]
    fn a_dismissal_reaches_the_sources_that_touch_the_subject_and_no_others() {
        let gate = gate(10, 2);
        let addresses =
            ["192.0.1.255", "192.0.2.0", "192.0.2.1", "192.0.2.255", "192.0.3.0", "2001:db8:1:2::1", "2001:db8:1:3::1"];
        let table: [(&str, &[usize]); 7] = [
            ("192.0.2.1", &[2]),
            ("192.0.2.0/24", &[1, 2, 3]),
            ("192.0.2.77", &[]),
            ("0.0.0.0/0", &[0, 1, 2, 3, 4]),
            ("2001:db8:1:2::/64", &[5]),
            ("2001:db8:1:3::99", &[6]),
            ("2001:db8::/32", &[5, 6]),
        ];
        for (subject, dismissed) in table {
            let passes = addresses.map(|address| pass(&gate, address).unwrap());
            Dismisser(Arc::clone(&gate)).dismiss(&subject.parse().unwrap());
            let told: Vec<usize> = (0..passes.len()).filter(|index| passes[*index].dismissed.has_changed().unwrap()).collect();
            assert_eq!(told, dismissed, "{subject}");
            let later = pass(&gate, addresses[2]).unwrap();
            assert!(!later.dismissed.has_changed().unwrap(), "{subject}: who comes later was not meant");
        }
    }

    #[test]
    fn the_house_has_a_limit_and_forgets_who_left() {
        let gate = gate(2, 2);
        let passes = [pass(&gate, "192.0.2.1").unwrap(), pass(&gate, "192.0.2.2").unwrap()];
        assert!(matches!(gate.enter("192.0.2.3".parse().unwrap()), Entry::Refused));
        assert!(matches!(gate.enter("192.0.2.3".parse().unwrap()), Entry::Refused), "a full house is told each time");
        drop(passes);
        assert!(gate.inside().sources.is_empty() && gate.inside().sessions == 0);
    }
}
