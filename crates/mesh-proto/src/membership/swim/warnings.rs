//! Those whom this node suspects are told so, directly, until they answer or are declared down.
//!
//! News of a suspicion reaches the suspect by gossip, and its refutation comes back the same way: where much is lost, now and then
//! not within the time that it has. One answer of its own is enough.

use super::Ident;
use crate::peers::ShortId;
use alloc::collections::BTreeMap;
use core::time::Duration;
use honeymesh_types::MonoTime;

/// How often one suspect is told.
const WARN_EVERY: Duration = Duration::from_secs(1);
/// The most suspects that are told; those beyond are left to gossip, as when half of the cluster is gone.
const WARNED_MAX: usize = 16;

/// One suspect.
struct Warning {
    suspect: Ident,
    /// How often it had refuted a suspicion when it was suspected.
    refuted: u16,
    due: MonoTime,
    until: MonoTime,
}

/// All that are told.
#[derive(Default)]
pub(super) struct Warnings {
    open: BTreeMap<ShortId, Warning>,
}

impl Warnings {
    /// This node suspects somebody, and will declare it down then.
    pub(super) fn begin(&mut self, suspect: Ident, refuted: u16, now: MonoTime, down_after: Duration) {
        if self.open.len() < WARNED_MAX || self.open.contains_key(&suspect.short()) {
            let warning = Warning { suspect, refuted, due: now, until: now.plus(down_after) };
            self.open.insert(suspect.short(), warning);
        }
    }

    /// It is no suspect any more.
    pub(super) fn end(&mut self, suspect: Ident) {
        self.open.remove(&suspect.short());
    }

    /// Who is to be told now, and of which suspicion.
    pub(super) fn due(&mut self, now: MonoTime) -> Option<(Ident, u16)> {
        self.open.retain(|_, warning| warning.until > now);
        let warning = self.open.values_mut().find(|warning| warning.due <= now)?;
        warning.due = now.plus(WARN_EVERY);
        Some((warning.suspect, warning.refuted))
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> MonoTime {
        self.open.values().map(|warning| warning.due).min().unwrap_or(MonoTime::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn suspect(n: u8) -> Ident {
        Ident { node: [n; 32], addr: "192.0.2.1:1".parse().unwrap(), incarnation: 0 }
    }

    fn at(millis: u64) -> MonoTime {
        MonoTime::from_millis(millis)
    }

    #[test]
    fn a_suspect_is_told_each_second_until_it_is_declared_down() {
        let mut warnings = Warnings::default();
        warnings.begin(suspect(1), 4, at(500), Duration::from_millis(3_200));
        let mut seen = Vec::new();
        while warnings.next() != MonoTime::MAX {
            let now = warnings.next();
            seen.extend(warnings.due(now).map(|(_, refuted)| (now, refuted)));
        }
        assert_eq!(seen, [500, 1_500, 2_500, 3_500].map(|millis| (at(millis), 4)));
        warnings.begin(suspect(1), 4, at(500), Duration::from_secs(9));
        warnings.end(suspect(1));
        assert_eq!((warnings.due(at(600)), warnings.next()), (None, MonoTime::MAX));
    }

    #[test]
    fn only_so_many_are_told() {
        let mut warnings = Warnings::default();
        for n in 0..99 {
            warnings.begin(suspect(n), 0, at(0), Duration::from_secs(9));
            warnings.begin(suspect(n), 1, at(0), Duration::from_secs(9));
        }
        let told: Vec<u16> = core::iter::from_fn(|| warnings.due(at(0))).map(|(_, refuted)| refuted).collect();
        assert_eq!(told, [1; WARNED_MAX], "each once, of the newest suspicion");
    }
}
