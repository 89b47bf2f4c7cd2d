//! Scans: what a row of touched dark ports amounts to.

use crate::{Intent, Verdict};
use alloc::{format, string::String, vec, vec::Vec};
use core::time::Duration;
use honeymesh_types::{Grade, Reasons, Scope};

/// The score of a scan at the lowest threshold.
const SCORE_BASE: u8 = 10;
/// What each distinct port adds.
const SCORE_PER_PORT: u8 = 5;
/// The most that ports alone can score: nothing was said yet.
const SCORE_MAX: u8 = 60;
/// How many ports a finding names.
const PORTS_NAMED_MAX: usize = 16;

/// What evidence that may be forged earns (`[scan] spoofable`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spoofable {
    /// Silence on the ports that serve nothing: a forged scan harms nobody.
    #[default]
    Dark,
    /// Silence on every port.
    All,
    /// Nothing but an event.
    Off,
}

impl Spoofable {
    /// Which packets it silences; `None` is none.
    #[must_use]
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::Dark => Some(Scope::Dark),
            Self::All => Some(Scope::All),
            Self::Off => None,
        }
    }
}

/// What the operator decided about scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanPolicy {
    /// What evidence that may be forged earns.
    pub spoofable: Spoofable,
    /// How many different dark ports make a scan, 1 to 16.
    pub ports: u8,
    /// Within this time.
    pub window: Duration,
}

impl Default for ScanPolicy {
    /// Three ports in a minute; silence on dark ports for what may be forged.
    fn default() -> Self {
        Self { spoofable: Spoofable::default(), ports: 3, window: Duration::from_secs(60) }
    }
}

/// Judges a source that touched the distinct dark `ports`: SYNs can be forged, so it is never more than `spoofable`. With
/// [`Spoofable::Off`] the verdict is told but must not be carried out.
pub fn judge_scan(ports: &[u16], policy: ScanPolicy) -> Verdict {
    Verdict {
        grade: Grade::Spoofable,
        reasons: Reasons::SCAN,
        scope: policy.spoofable.scope().unwrap_or(Scope::Dark),
        score: score(ports.len()),
        entropy_millibits: 0,
        findings: vec![finding(ports)],
        reckoning: Vec::new(),
        intent: Intent::Unclear,
    }
}

fn score(ports: usize) -> u8 {
    let ports = u8::try_from(ports).unwrap_or(u8::MAX);
    SCORE_BASE.saturating_add(ports.saturating_mul(SCORE_PER_PORT)).min(SCORE_MAX)
}

fn finding(ports: &[u16]) -> String {
    let named: Vec<String> = ports.iter().take(PORTS_NAMED_MAX).map(|port| format!("{port}")).collect();
    format!("touched {} dark ports: {}", ports.len(), named.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_forgeable_however_many_ports_it_touched() {
        let many: Vec<u16> = (1..=1_000).collect();
        for ports in [&[][..], &[22], &[22, 23, 80], &many] {
            let verdict = judge_scan(ports, ScanPolicy::default());
            assert_eq!((verdict.grade, verdict.scope, verdict.reasons), (Grade::Spoofable, Scope::Dark, Reasons::SCAN));
            assert!(verdict.score <= SCORE_MAX);
        }
    }

    #[test]
    fn the_policy_decides_the_scope_and_ports_raise_the_score() {
        let all = ScanPolicy { spoofable: Spoofable::All, ..ScanPolicy::default() };
        assert_eq!(judge_scan(&[1], all).scope, Scope::All);
        assert_eq!(Spoofable::Off.scope(), None);
        assert!(judge_scan(&[1, 2, 3], all).score < judge_scan(&[1, 2, 3, 4], all).score);
        assert_eq!(judge_scan(&[22, 23, 80], all).findings, ["touched 3 dark ports: 22 23 80"]);
    }
}
