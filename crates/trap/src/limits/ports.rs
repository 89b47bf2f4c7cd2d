//! Ports of their own that sessions have: so many in all, of one source and of one session, each as long as its session at most.

use super::{Gate, Guest};
use crate::report::Stranger;
use honeymesh_types::Subject;
use std::collections::HashMap;
use tokio::sync::oneshot;

/// Sessions that have a port, or a connection to it, at once. At the bound no further one gets any.
pub const PORTS_MAX: usize = 64;
/// The same of one source (an IPv4 address, an IPv6 /64).
pub(crate) const PORTS_OF_SOURCE_MAX: usize = 4;
/// Ports that one session may ask for, one after the other.
pub(crate) const PORTS_OF_SESSION_MAX: u16 = 256;
/// Wishes of one session that are heard, granted or not: twice what whoever plays honestly ever says, so that none of its sessions is taken
/// for a liar's.
const WISHES_OF_SESSION_MAX: u16 = 2 * PORTS_OF_SESSION_MAX;

/// All that are open, by session: each has one at most.
#[derive(Debug, Default)]
pub(super) struct Ports {
    open: HashMap<u64, Port>,
    last: u64,
}

#[derive(Debug)]
struct Port {
    number: u64,
    source: Subject,
    /// When it is gone, whoever keeps the port closes it.
    _closes: oneshot::Sender<()>,
}

/// What becomes of a session's wish for a port.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Nobody of that number is in, or nobody who may have one, or nobody who would still ask: what the process says cannot be true.
    Stray,
    /// It is to leave. Whoever plays may not have heard of that yet.
    Leaving {
        /// Which trap.
        trap: usize,
    },
    /// There is no place, or it has had enough.
    Full {
        /// Which trap.
        trap: usize,
    },
    /// It may be opened.
    Granted(Grant),
}

/// A place for a port.
#[derive(Debug)]
pub(crate) struct Grant {
    /// This port's, and nobody else's.
    pub(crate) number: u64,
    pub(crate) trap: usize,
    /// Who alone may connect to it, and where he came to.
    pub(crate) stranger: Stranger,
    /// Ready when the port is to be closed.
    pub(crate) closed: oneshot::Receiver<()>,
}

impl Gate {
    /// A session wants a port; the one that it had closes in any case.
    pub(crate) fn wants_port(&self, session: u64, may_have: impl FnOnce(&Guest) -> bool) -> Wish {
        let mut guard = self.inside();
        let inside = &mut *guard;
        let Some(guest) = inside.guests.get_mut(&session) else { return Wish::Stray };
        if !may_have(guest) || guest.wishes >= WISHES_OF_SESSION_MAX {
            return Wish::Stray;
        }
        guest.wishes += 1;
        inside.ports.close(session);
        let (trap, stranger, source) = (guest.trap, guest.stranger, guest.source);
        if guest.is_dismissed {
            return Wish::Leaving { trap };
        }
        if guest.ports >= PORTS_OF_SESSION_MAX {
            return Wish::Full { trap };
        }
        match inside.ports.open(session, source) {
            None => Wish::Full { trap },
            Some((number, closed)) => {
                guest.ports += 1;
                Wish::Granted(Grant { number, trap, stranger, closed })
            }
        }
    }

    /// Sessions that have one.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn ports(&self) -> usize {
        self.inside().ports.open.len()
    }

    /// Its port could not be opened, or nobody came to it in time: its place is free.
    pub(crate) fn forget_port(&self, session: u64, number: u64) {
        let mut inside = self.inside();
        if inside.ports.open.get(&session).is_some_and(|port| port.number == number) {
            inside.ports.close(session);
        }
    }
}

impl Ports {
    fn open(&mut self, session: u64, source: Subject) -> Option<(u64, oneshot::Receiver<()>)> {
        let own = self.open.values().filter(|port| port.source == source).count();
        if own >= PORTS_OF_SOURCE_MAX || self.open.len() >= PORTS_MAX {
            return None;
        }
        self.last += 1;
        let (closes, closed) = oneshot::channel();
        self.open.insert(session, Port { number: self.last, source, _closes: closes });
        Some((self.last, closed))
    }

    /// A session has none any more.
    pub(super) fn close(&mut self, session: u64) {
        self.open.remove(&session);
    }

    /// Nobody has.
    pub(super) fn close_all(&mut self) {
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, limits::Entry};
    use std::{net::SocketAddr, sync::Arc};

    fn gate() -> Arc<Gate> {
        Gate::new(&Limits { sessions_max: 1_000, sessions_per_source_max: 100, ..Limits::default() })
    }

    fn guest(gate: &Gate, source: &str) -> u64 {
        let source: SocketAddr = source.parse().unwrap();
        match gate.enter(source, source, 0) {
            Entry::Admitted(stranger) => stranger.session.0,
            other => panic!("{other:?}"),
        }
    }

    fn granted(gate: &Gate, session: u64) -> Option<Grant> {
        match gate.wants_port(session, |_| true) {
            Wish::Granted(grant) => Some(grant),
            Wish::Leaving { .. } | Wish::Full { .. } => None,
            Wish::Stray => panic!("nobody of that number is in"),
        }
    }

    #[test]
    fn a_session_has_one_port_and_takes_it_along_when_it_leaves() {
        let gate = gate();
        let session = guest(&gate, "192.0.2.1:7");
        let mut first = granted(&gate, session).unwrap();
        let mut second = granted(&gate, session).unwrap();
        assert!(first.closed.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
        gate.forget_port(session, first.number);
        assert_eq!(second.closed.try_recv(), Err(oneshot::error::TryRecvError::Empty), "another one's number closes nothing");
        gate.leave(session).unwrap();
        assert_eq!(second.closed.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert_eq!(gate.ports(), 0);
        assert!(matches!(gate.wants_port(session, |_| true), Wish::Stray), "it has left");
    }

    #[test]
    fn ports_are_bounded_in_all_by_source_and_by_session() {
        let gate = gate();
        let of_one: Vec<u64> = (0..5).map(|_| guest(&gate, "192.0.2.1:7")).collect();
        let kept: Vec<_> = of_one.iter().map(|session| granted(&gate, *session)).collect();
        assert_eq!(kept.iter().flatten().count(), PORTS_OF_SOURCE_MAX);
        let others: Vec<_> = (0..100).map(|host| granted(&gate, guest(&gate, &format!("198.51.100.{host}:7")))).collect();
        assert_eq!(others.iter().flatten().count(), PORTS_MAX - PORTS_OF_SOURCE_MAX);
        let freed = kept[0].as_ref().unwrap();
        gate.forget_port(of_one[0], freed.number);
        let greedy = guest(&gate, "203.0.113.1:7");
        let wishes: Vec<_> = (0..1_000).map(|_| gate.wants_port(greedy, |_| true)).collect();
        let (had, heard) = (usize::from(PORTS_OF_SESSION_MAX), usize::from(WISHES_OF_SESSION_MAX));
        assert!(wishes[..had].iter().all(|wish| matches!(wish, Wish::Granted(_))));
        assert!(wishes[had..heard].iter().all(|wish| matches!(wish, Wish::Full { .. })));
        assert!(wishes[heard..].iter().all(|wish| matches!(wish, Wish::Stray)));
    }

    #[test]
    fn whoever_may_have_none_or_is_banned_gets_none() {
        let gate = gate();
        let session = guest(&gate, "192.0.2.1:7");
        assert!(matches!(gate.wants_port(session, |_| false), Wish::Stray));
        gate.dismiss(&"192.0.2.1".parse().unwrap());
        assert!(matches!(gate.wants_port(session, |_| true), Wish::Leaving { trap: 0 }));
    }
}
