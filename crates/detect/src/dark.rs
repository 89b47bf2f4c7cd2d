//! Connections to dark ports: what one amounts to, and how many different ones make a scan.
//!
//! A dark port serves nothing, but an honest client may knock at one: a browser that tries HTTPS first, an old bookmark,
//! a monitor with a typing error. So a handshake there is no attack, nor is an ordinary request. It proves that this
//! address touched this port, and nothing about any other port: a scan are so many proofs for different ports.

use crate::Verdict;
use alloc::{collections::BTreeMap, format, vec, vec::Vec};
use core::time::Duration;
use honeymesh_types::{Grade, MonoTime, Reasons, Scope, Subject};

/// How many sources are remembered. Each has finished a handshake, so none is forged. At the bound the one that was seen
/// least recently gives way, counted in [`Handshakes::forgotten`].
pub const HANDSHAKE_SOURCES_MAX: usize = 4_096;
/// How many ports are remembered of one source, and so the highest threshold; at the bound the oldest gives way.
pub const HANDSHAKE_PORTS_MAX: usize = 16;

/// The score of a proven scan at the lowest threshold.
const SCORE_BASE: u8 = 30;
/// What each port adds.
const SCORE_PER_PORT: u8 = 5;
/// The most that ports alone can score.
const SCORE_MAX: u8 = 80;

/// Counts the dark ports that each source has finished a handshake with.
#[derive(Clone, Debug)]
pub struct Handshakes {
    ports: usize,
    window: Duration,
    sources: BTreeMap<Subject, Source>,
    forgotten: u64,
}

/// What is remembered of one source.
#[derive(Clone, Debug, Default)]
struct Source {
    /// Ports with when they were touched last, oldest first.
    touched: Vec<(u16, MonoTime)>,
}

/// What a handshake with a dark port comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Contact {
    /// So many different ports within the window, and more are needed.
    Below {
        /// The different ports so far.
        ports: usize,
    },
    /// These ports within the window make a scan. The count of the source begins anew.
    Scan {
        /// The ports, oldest first.
        ports: Vec<u16>,
    },
}

impl Handshakes {
    /// `ports` (1 to [`HANDSHAKE_PORTS_MAX`], others are brought there) different ones within `window` make a scan.
    #[must_use]
    pub fn new(ports: u8, window: Duration) -> Self {
        Self { ports: usize::from(ports).clamp(1, HANDSHAKE_PORTS_MAX), window, sources: BTreeMap::new(), forgotten: 0 }
    }

    /// How many different ports make a scan.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.ports
    }

    /// Sources that were forgotten for want of room while their ports still counted.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Notes that `source` has finished a handshake with the dark `port`.
    pub fn note(&mut self, source: Subject, port: u16, now: MonoTime) -> Contact {
        let window = self.window;
        if !self.sources.contains_key(&source) {
            self.make_room(now);
        }
        let known = self.sources.entry(source).or_default();
        known.touched.retain(|(other, at)| *other != port && now.since(*at) <= window);
        if known.touched.len() >= HANDSHAKE_PORTS_MAX {
            known.touched.remove(0);
        }
        known.touched.push((port, now));
        if known.touched.len() < self.ports {
            return Contact::Below { ports: known.touched.len() };
        }
        let ports = known.touched.iter().map(|(port, _)| *port).collect();
        self.sources.remove(&source);
        Contact::Scan { ports }
    }

    /// Makes room for one source: those whose ports do not count any more go, else the one seen least recently.
    fn make_room(&mut self, now: MonoTime) {
        if self.sources.len() < HANDSHAKE_SOURCES_MAX {
            return;
        }
        let window = self.window;
        self.sources.retain(|_, source| now.since(source.seen()) <= window);
        if self.sources.len() < HANDSHAKE_SOURCES_MAX {
            return;
        }
        if let Some(oldest) = self.sources.iter().min_by_key(|(_, source)| source.seen()).map(|(subject, _)| *subject) {
            self.sources.remove(&oldest);
            self.forgotten = self.forgotten.saturating_add(1);
        }
    }
}

impl Source {
    /// When it was seen last.
    fn seen(&self) -> MonoTime {
        self.touched.last().map_or(MonoTime::default(), |(_, at)| *at)
    }
}

/// Judges a source that has finished a handshake with each of these dark `ports`: nobody can forge that.
pub fn judge_handshakes(ports: &[u16]) -> Verdict {
    let each = u8::try_from(ports.len()).unwrap_or(u8::MAX).saturating_mul(SCORE_PER_PORT);
    let named: Vec<_> = ports.iter().take(HANDSHAKE_PORTS_MAX).map(|port| format!("{port}")).collect();
    Verdict {
        grade: Grade::Handshake,
        reasons: Reasons::SCAN,
        scope: Scope::All,
        score: SCORE_BASE.saturating_add(each).min(SCORE_MAX),
        entropy_millibits: 0,
        findings: vec![format!("finished handshakes with {} dark ports: {}", ports.len(), named.join(" "))],
        reckoning: Vec::new(),
        intent: crate::Intent::Attack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: MonoTime = MonoTime(1_000_000_000);
    const WINDOW: Duration = Duration::from_secs(60);

    fn source(index: u32) -> Subject {
        Subject::host(core::net::Ipv4Addr::from_bits(index).into())
    }

    fn later(seconds: u64) -> MonoTime {
        START.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn so_many_different_ports_within_the_window_make_a_scan() {
        let mut handshakes = Handshakes::new(3, WINDOW);
        assert_eq!(handshakes.note(source(1), 21, START), Contact::Below { ports: 1 });
        assert_eq!(handshakes.note(source(1), 22, later(30)), Contact::Below { ports: 2 });
        assert_eq!(handshakes.note(source(1), 23, later(60)), Contact::Scan { ports: vec![21, 22, 23] });
        assert_eq!(handshakes.note(source(1), 24, later(61)), Contact::Below { ports: 1 }, "and the count begins anew");
    }

    #[test]
    fn the_same_port_again_is_the_same_proof() {
        let mut handshakes = Handshakes::new(2, WINDOW);
        for second in 0..1_000 {
            assert_eq!(handshakes.note(source(1), 443, later(second)), Contact::Below { ports: 1 });
        }
    }

    #[test]
    fn what_has_left_the_window_does_not_count_and_a_port_counts_from_when_it_was_touched_last() {
        let mut handshakes = Handshakes::new(3, WINDOW);
        let _ = handshakes.note(source(1), 21, START);
        let _ = handshakes.note(source(1), 22, later(50));
        assert_eq!(handshakes.note(source(1), 23, later(61)), Contact::Below { ports: 2 });
        let _ = handshakes.note(source(1), 22, later(100));
        assert_eq!(handshakes.note(source(1), 24, later(121)), Contact::Scan { ports: vec![23, 22, 24] });
    }

    #[test]
    fn one_source_never_vouches_for_another() {
        let mut handshakes = Handshakes::new(2, WINDOW);
        assert_eq!(handshakes.note(source(1), 21, START), Contact::Below { ports: 1 });
        assert_eq!(handshakes.note(source(2), 22, START), Contact::Below { ports: 1 });
    }

    #[test]
    fn a_threshold_of_one_and_one_beyond_the_bound_are_kept_within_it() {
        assert_eq!(Handshakes::new(1, WINDOW).note(source(1), 21, START), Contact::Scan { ports: vec![21] });
        assert_eq!((Handshakes::new(0, WINDOW).threshold(), Handshakes::new(200, WINDOW).threshold()), (1, HANDSHAKE_PORTS_MAX));
        let mut all = Handshakes::new(16, WINDOW);
        let notes: Vec<Contact> = (1..=16).map(|port| all.note(source(1), port, START)).collect();
        assert!(matches!(&notes[15], Contact::Scan { ports } if ports.len() == 16) && notes[14] == Contact::Below { ports: 15 });
    }

    #[test]
    fn a_crowd_makes_the_longest_unseen_give_way_and_is_counted() {
        let mut handshakes = Handshakes::new(3, WINDOW);
        let _ = handshakes.note(source(0), 21, START);
        let _ = handshakes.note(source(1), 21, later(1));
        for index in 2..=u32::try_from(HANDSHAKE_SOURCES_MAX).unwrap() {
            let _ = handshakes.note(source(index), 21, later(2));
        }
        assert_eq!((handshakes.sources.len(), handshakes.forgotten()), (HANDSHAKE_SOURCES_MAX, 1));
        assert_eq!(handshakes.note(source(1), 22, later(3)), Contact::Below { ports: 2 }, "only the oldest was forgotten");
        let _ = handshakes.note(source(1_000_000), 21, later(90));
        assert_eq!((handshakes.sources.len(), handshakes.forgotten()), (1, 1), "what counts no more goes first, uncounted");
    }

    #[test]
    fn proven_scans_close_everything_and_more_ports_score_more() {
        let verdict = judge_handshakes(&[21, 22, 23]);
        assert_eq!((verdict.grade, verdict.scope, verdict.reasons), (Grade::Handshake, Scope::All, Reasons::SCAN));
        assert_eq!(verdict.findings, ["finished handshakes with 3 dark ports: 21 22 23"]);
        assert!(verdict.score < judge_handshakes(&[1, 2, 3, 4]).score && verdict.score <= SCORE_MAX);
    }
}
