//! The clock: kept right, and not behind what was already written.

use super::finding::{Area, Finding, State};
use crate::config::Config;
use honeymesh_format::duration_text;
use honeymesh_types::WallTime;
use honeymesh_xdp::doctor::ClockFacts;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Before this the machine has plainly not been told the time: 2025-01-01.
const PLAUSIBLE: WallTime = WallTime(1_735_689_600_000_000);
/// The store's own files may be a moment ahead of a clock that is being slewed.
const BACKWARDS_MAX: Duration = Duration::from_secs(5);
/// A mesh whose members disagree by more than this refuses records of one another.
const ERROR_MAX: Duration = Duration::from_secs(1);
/// The store's files, whose times say how late it has been.
const FILES: [&str; 3] = ["honeymesh.db", "honeymesh.db-wal", "honeymesh.db-shm"];

/// What was seen of the clock.
pub struct ClockLook {
    pub facts: ClockFacts,
    pub now: WallTime,
    /// The newest time that the store was written at.
    pub newest: Option<WallTime>,
}

/// When the store was last written.
pub fn newest(config: &Config) -> Option<WallTime> {
    let times = FILES.iter().filter_map(|name| std::fs::metadata(config.node.state_dir.join(name)).ok()?.modified().ok());
    times.max().map(wall)
}

fn wall(time: SystemTime) -> WallTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Judges it; `has_mesh`: do others depend on it?
pub fn judge(look: &ClockLook, has_mesh: bool) -> Vec<Finding> {
    vec![time(look), synchronized(&look.facts, has_mesh)]
}

fn time(look: &ClockLook) -> Finding {
    let matters = "bans, evidence and certificates carry the time; with a clock that went back, bans of before last too long";
    let finding = |state, detail: String| Finding::new(Area::Clock, "time", state, detail, matters);
    let mend = "set the clock right, with `timedatectl set-ntp true` for example";
    if look.now < PLAUSIBLE {
        return finding(State::Fail, "the clock is years behind".into()).mend(mend);
    }
    let ahead = look.newest.map_or(0, |newest| newest.0.saturating_sub(look.now.0));
    match Duration::from_micros(ahead) {
        ahead if ahead > BACKWARDS_MAX => {
            let seconds = Duration::from_secs(ahead.as_secs());
            finding(State::Fail, format!("the clock is {} behind what the store was last written at", duration_text(seconds)))
                .mend(mend)
        }
        _ => finding(State::Ok, "plausible, and not behind what was written before".into()),
    }
}

fn synchronized(facts: &ClockFacts, has_mesh: bool) -> Finding {
    let matters = match has_mesh {
        true => "members of a mesh must agree about the time to some seconds, or records are refused and bans end early or late",
        false => "evidence is worth more with a time that can be trusted",
    };
    let finding = |state, detail: String| Finding::new(Area::Clock, "synchronization", state, detail, matters);
    let mend = "run chrony or systemd-timesyncd (inside a container: on its host)";
    match (facts.is_synchronized, facts.error_max) {
        (Some(true), Some(error)) if error > ERROR_MAX => {
            finding(State::Warn, format!("synchronized, but it may be off by {} ms", error.as_millis())).mend(mend)
        }
        (Some(true), _) => finding(State::Ok, "something keeps the clock right".into()),
        (Some(false), _) => finding(State::Warn, "nothing keeps the clock right".into()).mend(mend),
        (None, _) => finding(State::Skip, "the kernel does not say".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretended_clocks_are_judged() {
        let now = WallTime(PLAUSIBLE.0 + 1_000_000_000);
        let good = ClockFacts { is_synchronized: Some(true), error_max: Some(Duration::from_millis(3)) };
        let states = |facts, now, newest| {
            let look = ClockLook { facts, now, newest };
            judge(&look, true).iter().map(|finding| finding.state).collect::<Vec<_>>()
        };
        let later = |seconds: u64| Some(WallTime(now.0 + seconds * 1_000_000));
        assert_eq!(states(good, now, None), [State::Ok, State::Ok]);
        assert_eq!(states(good, now, later(1)), [State::Ok, State::Ok], "a slewed clock");
        assert_eq!(states(good, now, later(3_600)), [State::Fail, State::Ok], "it went back an hour");
        assert_eq!(states(good, WallTime(0), None), [State::Fail, State::Ok]);
        let alone = ClockFacts { is_synchronized: Some(false), ..good };
        assert_eq!(states(alone, now, None), [State::Ok, State::Warn]);
        let vague = ClockFacts { error_max: Some(Duration::from_secs(9)), ..good };
        assert_eq!(states(vague, now, None), [State::Ok, State::Warn]);
        assert_eq!(states(ClockFacts::default(), now, None), [State::Ok, State::Skip]);
    }
}
