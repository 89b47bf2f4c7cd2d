//! What becomes of the process that plays the traps: logged, told as events, and warned of while it happens again and again.

use super::Engine;
use crate::daemon::enforcer::Enforcer;
use honeymesh_format::TrapProcessJson;
use honeymesh_trap::{HouseStatus, News};
use honeymesh_types::{EventKind, MonoTime};
use std::{collections::VecDeque, os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

/// So many ends ...
const LOOP_ENDS: usize = 3;
/// ... within this time are a crash loop.
const LOOP_WITHIN: Duration = Duration::from_secs(300);
/// While it goes on, ends are told no more often than this; the others are counted.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The process that plays, so far.
#[derive(Debug, Default)]
pub struct Players {
    ends: VecDeque<MonoTime>,
    last_end: Option<String>,
    is_running: bool,
    /// Nobody plays for so long that dark ports are closed.
    has_closed: bool,
    /// When that was told last.
    closed_told: Option<MonoTime>,
    told: Option<MonoTime>,
    untold: u64,
}

impl Players {
    /// Takes an end. Gives how many were not told since the last that was, if this one may be told.
    fn ended(&mut self, how: String, now: MonoTime) -> Option<u64> {
        (self.is_running, self.last_end) = (false, Some(how));
        let was_looping = self.is_looping(now);
        self.ends.retain(|end| now.since(*end) < LOOP_WITHIN);
        if self.ends.len() == LOOP_ENDS {
            self.ends.pop_front();
        }
        self.ends.push_back(now);
        if was_looping && self.told.is_some_and(|told| now.since(told) < TOLD_EVERY) {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// Dark ports are closed. May that be told?
    fn closed(&mut self, now: MonoTime) -> bool {
        self.has_closed = true;
        let is_new = self.closed_told.is_none_or(|told| now.since(told) >= TOLD_EVERY);
        if is_new {
            self.closed_told = Some(now);
        }
        is_new
    }

    fn began(&mut self) {
        (self.is_running, self.has_closed) = (true, false);
    }

    fn is_looping(&self, now: MonoTime) -> bool {
        self.ends.iter().filter(|end| now.since(**end) < LOOP_WITHIN).count() >= LOOP_ENDS
    }

    /// What an operator should know of it.
    pub fn warning(&self, now: MonoTime) -> Option<String> {
        let how = self.last_end.as_deref().unwrap_or_default();
        let closed = if self.has_closed { "; dark ports are closed until another one plays" } else { "" };
        if self.is_looping(now) {
            return Some(format!(
                "the process that plays the traps ends again and again, the last time by {how}: somebody may have found a fault in a trap; \
                 look at `honeymesh events --kind audit`, and take that trap out{closed}"
            ));
        }
        self.has_closed.then(|| format!("the process that plays the traps has ended ({how}){closed}"))
    }

    /// The process for users.
    pub fn json(&self, house: HouseStatus) -> Option<TrapProcessJson> {
        let pid = u32::try_from(house.pid).ok().filter(|pid| *pid > 0)?;
        Some(TrapProcessJson {
            running: self.is_running || self.last_end.is_none(),
            pid,
            ended: self.last_end.clone(),
            restarts: house.restarts,
        })
    }
}

impl<K: Enforcer> Engine<K> {
    /// Takes what became of the process that plays the traps.
    pub fn traps_told(&mut self, news: News) {
        let now = (self.clock)().mono;
        match news {
            News::Began { pid } => {
                self.players.began();
                tracing::info!(pid, "another process plays the traps");
            }
            News::Closed => {
                if !self.players.closed(now) {
                    return;
                }
                tracing::error!("nobody plays the traps: dark ports are closed until another process does");
                let mut event = self.event(EventKind::Audit);
                event.fields.insert("traps".into(), "closed".into());
                self.publish(event);
            }
            News::Ended { status } => {
                let how = ExitStatus::from_raw(status).to_string();
                let Some(untold) = self.players.ended(how.clone(), now) else { return };
                let is_looping = self.players.is_looping(now);
                if is_looping {
                    tracing::error!(
                        untold,
                        "the process that plays the traps ends again and again ({how}); its sessions end with it"
                    );
                } else {
                    tracing::warn!("the process that plays the traps has ended ({how}); another one is started");
                }
                let mut event = self.event(EventKind::Audit);
                event.fields.insert("traps".into(), if is_looping { "crash_loop" } else { "ended" }.into());
                event.fields.insert("why".into(), how);
                event.fields.insert("untold".into(), untold.to_string());
                self.publish(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ends_within_five_minutes_are_a_loop_and_told_more_rarely() {
        let mut players = Players::default();
        let at = |s: u64| MonoTime::from_millis(s * 1_000);
        assert_eq!(players.ended("signal: 11".into(), at(0)), Some(0));
        assert_eq!(players.ended("signal: 11".into(), at(1)), Some(0));
        assert!(players.warning(at(1)).is_none());
        assert_eq!(players.ended("signal: 11".into(), at(2)), Some(0), "now it is a loop, which is told at once");
        assert_eq!(players.ended("signal: 11".into(), at(3)), None, "told a second ago");
        assert!(players.warning(at(3)).unwrap().contains("signal: 11"));
        assert_eq!(players.ended("signal: 6".into(), at(12)), Some(1));
        assert!(players.warning(at(400)).is_none(), "it is over");
        for second in 1_000..2_000 {
            let _ = players.ended("exit status: 1".into(), at(second));
        }
        assert!(players.ends.len() <= LOOP_ENDS);
    }

    #[test]
    fn closed_dark_ports_are_told_no_more_often_than_ends_and_warned_of_until_somebody_plays() {
        let mut players = Players::default();
        let at = |s: u64| MonoTime::from_millis(s * 1_000);
        let _ = players.ended("signal: 9".into(), at(0));
        assert!(players.warning(at(0)).is_none(), "another one is there in a moment");
        assert_eq!([0, 5, 10].map(|second| players.closed(at(second))), [true, false, true]);
        assert!(players.warning(at(10)).unwrap().contains("dark ports are closed"));
        players.began();
        assert!(players.warning(at(11)).is_none());
    }
}
