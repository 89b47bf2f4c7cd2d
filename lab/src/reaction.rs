//! How fast the house reacts, measured many times: from a trap's report to the entry in each kernel, and how many probes
//! are answered once the scan threshold is reached.

use crate::{
    Capture, Family, Lab, Place, Trio, curl, forge_syns,
    moments::{entered, first_visit},
};
use anyhow::{Result, ensure};
use jiff::Timestamp;
use std::{collections::BTreeMap, net::IpAddr, thread, time::Duration};

/// How long the visitor waits for a page; the ban follows the report, not the page.
const PAGE_TIME_MAX: Duration = Duration::from_millis(500);
/// Dark ports that each scanner probes.
const PORTS: std::ops::Range<u16> = 1000..1032;
/// How long answers may still be on their way.
const SETTLE_TIME: Duration = Duration::from_millis(500);
/// The most scanners: as many as one /24 has addresses for besides the attacker's own.
const SCANNERS_MAX: usize = 200;

/// What was measured.
#[derive(Debug)]
pub struct Reaction {
    /// For each node, from the report of node 1's trap to the entry in its kernel; sorted.
    pub entries: [Vec<Duration>; 3],
    /// For each scanner, how many of its probes of dark ports were answered.
    pub answers: Vec<usize>,
    /// Probes each scanner sent.
    pub probes: usize,
}

/// The smallest of `sorted` that `percent` of them do not exceed; zero of none.
#[must_use]
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Measures `rounds` times, at most 200.
///
/// # Errors
/// If the lab or a node fails, or a ban does not spread.
pub fn measure(rounds: usize) -> Result<Reaction> {
    let rounds = rounds.clamp(1, SCANNERS_MAX);
    let lab = Lab::up()?;
    let trio = Trio::up(&lab, |config| config)?;
    let mut entries = [const { Vec::new() }; 3];
    for round in 0..rounds {
        let family = Family::BOTH[round % 2];
        for (all, one) in entries.iter_mut().zip(touch(&lab, &trio, family)?) {
            all.push(one);
        }
    }
    entries.iter_mut().for_each(|all| all.sort_unstable());
    Ok(Reaction { entries, answers: scans(&lab, rounds)?, probes: PORTS.len() })
}

/// One visit to node 1's HTTP trap, and how long until each kernel had the ban; then everything is as before.
fn touch(lab: &Lab, trio: &Trio<'_>, family: Family) -> Result<[Duration; 3]> {
    let subject = Place::Attacker.subject(family);
    let began = Timestamp::now();
    curl(lab.attacker(), Place::Node(1).at(family, crate::HTTP_PORT), "/", PAGE_TIME_MAX)?;
    trio.wait_banned(&subject)?;
    let visit = first_visit(trio.node(1), began)?;
    let mut times = [Duration::ZERO; 3];
    for (node, time) in trio.nodes().iter().zip(&mut times) {
        *time = entered(node, &subject, visit)?;
    }
    trio.node(1).client(&["unban", &subject])?.checked()?;
    trio.wait_free(&subject)?;
    Ok(times)
}

/// `rounds` scanners, each with an address of its own, one after the other; how many answers each got.
fn scans(lab: &Lab, rounds: usize) -> Result<Vec<usize>> {
    let target = Place::Node(1).addr(Family::V4);
    let capture = Capture::start(lab.attacker(), lab.scratch(), "reaction")?;
    let scanners = (1..=254).filter(|host| *host != 1 && *host != 66).take(rounds).map(|host| IpAddr::from([203, 0, 113, host]));
    let scanners: Vec<_> = scanners.collect();
    // Their neighbour answers for them, so that what comes back to them is seen on its link.
    let lines = scanners.iter().map(|scanner| format!("addr add {scanner}/32 dev eth0")).collect::<Vec<_>>();
    lab.attacker().namespace.ip_batch(&lines)?;
    for scanner in &scanners {
        forge_syns(lab.attacker(), *scanner, target, PORTS)?;
    }
    thread::sleep(SETTLE_TIME);
    let mut answers: BTreeMap<_, usize> = scanners.iter().map(|scanner| (*scanner, 0)).collect();
    let mut probes = 0;
    for segment in capture.finish()? {
        probes += usize::from(segment.to.ip() == target && PORTS.contains(&segment.to.port()) && segment.flags == "S");
        if segment.from.ip() == target && PORTS.contains(&segment.from.port()) {
            answers.entry(segment.to.ip()).and_modify(|count| *count += 1);
        }
    }
    ensure!(probes == rounds * PORTS.len(), "{probes} probes were seen of {}", rounds * PORTS.len());
    Ok(answers.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<_> = (1..=100).map(Duration::from_micros).collect();
        assert_eq!(percentile(&hundred, 50), Duration::from_micros(50));
        assert_eq!(percentile(&hundred, 99), Duration::from_micros(99));
        assert_eq!(percentile(&hundred[..3], 99), Duration::from_micros(3));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
