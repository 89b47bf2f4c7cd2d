//! Never silently off: which interfaces are guarded, what the keeper does about it, and whether the self-probe still proves it.

use super::Engine;
use crate::daemon::enforcer::Enforcer;
use honeymesh_format::{InterfaceJson, KeeperJson, ProbeJson, printable, time_micros};
use honeymesh_types::{EventKind, MonoTime, WallTime};
use honeymesh_xdp::{AttachMode, INTERFACES_MAX, InterfaceState, InterfaceStatus, PROBE_EVERY, Place, Probed, Why, Word};
use std::{collections::BTreeMap, time::Duration};

/// Interfaces put right again that are remembered for the next audit; more are only counted in events.
const PUT_BACK_MAX: usize = 64;
/// The self-probe is missed after this long.
const PROBE_MISSED: Duration = Duration::from_secs(3 * PROBE_EVERY.as_secs());
/// For so long after a change of the mode, a probe may still tell of the mode before.
const MODE_SETTLES: Duration = Duration::from_secs(1);

/// Everything known about interfaces, keeper and probe.
#[derive(Debug, Default)]
pub struct Keeping {
    interfaces: Vec<(InterfaceStatus, WallTime)>,
    failed: BTreeMap<String, i32>,
    /// Interfaces that were put right since the last audit.
    pub put_back: Vec<String>,
    keeper: Option<KeeperJson>,
    probe: Option<ProbeJson>,
    probe_due: Option<MonoTime>,
    /// When the mode was changed last.
    pub mode_set: Option<MonoTime>,
}

impl Keeping {
    /// A keeper has begun. From now on probes are expected.
    pub fn began(&mut self, pid: u32, now: MonoTime) {
        self.keeper = Some(KeeperJson { running: true, pid, ended: None });
        self.probe_due = Some(now.plus(PROBE_MISSED));
    }

    /// Takes what the lookout saw; what has changed has changed now.
    fn see(&mut self, seen: Vec<InterfaceStatus>, now: WallTime) -> Vec<InterfaceStatus> {
        let before = std::mem::take(&mut self.interfaces);
        let since = |status: &InterfaceStatus| {
            before.iter().find(|(known, _)| known.name == status.name && known.state == status.state).map(|(_, since)| *since)
        };
        let changed = seen.iter().filter(|status| since(status).is_none()).cloned().collect();
        self.interfaces = seen.iter().map(|status| (status.clone(), since(status).unwrap_or(now))).collect();
        self.failed.retain(|name, _| seen.iter().any(|status| status.name == *name && !status.attached));
        changed
    }

    /// Takes what the keeper said of one interface; the lookout has the last word, within a second.
    fn note(&mut self, place: &Place, state: InterfaceState, mode: Option<AttachMode>, now: WallTime) {
        let before = self.interfaces.iter().position(|(known, _)| known.name == place.name);
        let (mode_before, since) = match before.and_then(|at| self.interfaces.get(at)) {
            Some((known, since)) => (known.mode, if known.state == state { *since } else { now }),
            None => (AttachMode::Native, now),
        };
        let attached = state == InterfaceState::Attached;
        let (name, mode) = (place.name.clone(), mode.unwrap_or(mode_before));
        let status = InterfaceStatus { name, index: place.index, mode, attached, state };
        if let Some(entry) = before.and_then(|at| self.interfaces.get_mut(at)) {
            *entry = (status, since);
        } else if self.interfaces.len() < INTERFACES_MAX {
            self.interfaces.push((status, since));
        }
    }

    /// The interfaces for users.
    pub fn interfaces(&self) -> Vec<InterfaceJson> {
        let json = |(status, since): &(InterfaceStatus, WallTime)| InterfaceJson {
            name: status.name.clone(),
            index: status.index,
            xdp_mode: if status.attached { status.mode.to_string() } else { "none".into() },
            attached: status.attached,
            state: status.state.as_str().into(),
            since: time_micros(*since),
        };
        self.interfaces.iter().map(json).collect()
    }

    /// The keeper for users.
    pub fn keeper(&self) -> Option<KeeperJson> {
        self.keeper.clone()
    }

    /// The probe for users.
    pub fn probe(&self) -> Option<ProbeJson> {
        self.probe.clone()
    }

    fn is_kept(&self) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| keeper.running)
    }

    /// What an operator should know.
    pub fn warnings(&self, now: MonoTime) -> Vec<String> {
        let mut warnings: Vec<String> = self.interfaces.iter().filter_map(|(status, _)| self.warning(status)).collect();
        if let Some(ended) = self.keeper.as_ref().and_then(|keeper| keeper.ended.as_ref()) {
            warnings.push(format!(
                "the keeper has ended ({ended}): the kernel goes on enforcing, but nobody puts the program on interfaces that come, and the self-probe is off; restart the daemon (no packet slips through)"
            ));
        }
        if let Some(why) = self.probe.as_ref().and_then(|probe| probe.why.as_ref()) {
            warnings.push(format!("the self-probe failed: {why}"));
        }
        if self.is_kept() && self.probe_due.is_some_and(|due| due < now) {
            warnings.push("the self-probe has not been heard of for long; restart the daemon".into());
        }
        warnings
    }

    fn warning(&self, status: &InterfaceStatus) -> Option<String> {
        let name = printable(&status.name);
        let hope = if self.is_kept() { "it is guarded as soon as that changes" } else { "restart the daemon after that changed" };
        match status.state {
            InterfaceState::Attached => None,
            InterfaceState::Absent => Some(format!("interface {name} is not there, so it is not guarded; {hope}")),
            InterfaceState::Occupied(program) => Some(format!(
                "interface {name} is NOT guarded: another XDP program (number {program}) is on it; see it with `bpftool prog show id {program}`, take it off with `ip link set dev {name} xdp off`; {hope}"
            )),
            InterfaceState::Detached => {
                let errno = self.failed.get(&status.name).map(|errno| std::io::Error::from_raw_os_error(*errno).to_string());
                let why = errno.map_or_else(String::new, |errno| format!(" ({errno})"));
                Some(format!("interface {name} is NOT guarded: the program is not on it{why}; {hope}"))
            }
        }
    }
}

/// How a change of an interface is logged.
#[derive(Clone, Copy)]
enum Loudness {
    News,
    Warning,
}

impl<K: Enforcer> Engine<K> {
    /// Takes what the lookout saw. Without a keeper this is all there is, so changes are told from here.
    pub fn interfaces_seen(&mut self, seen: Vec<InterfaceStatus>) {
        let now = (self.clock)().wall;
        let is_first = self.keeping.interfaces.is_empty();
        let changed = self.keeping.see(seen, now);
        if self.keeping.is_kept() || is_first {
            return;
        }
        for status in changed {
            let place = Place { name: status.name.clone(), index: status.index };
            self.tell_interface(&place, status.state, "seen without a keeper", Loudness::Warning);
        }
    }

    /// Takes a word of the keeper.
    pub fn keeper_said(&mut self, word: Word) {
        match word {
            Word::Began => {}
            Word::Probed(probed) => self.probed(&probed),
            Word::Attached { place, mode, why } => {
                self.keeping.note(&place, InterfaceState::Attached, Some(mode), (self.clock)().wall);
                if why != Why::Came && self.keeping.put_back.len() < PUT_BACK_MAX {
                    self.keeping.put_back.push(place.name.clone());
                }
                let (level, why) = match why {
                    Why::Came => (Loudness::News, format!("it is there, so it is guarded ({mode})")),
                    Why::CameOff => (Loudness::Warning, format!("the program had come off; it is on again ({mode})")),
                    Why::Replaced => {
                        (Loudness::Warning, format!("another program had been put into its place; it is on again ({mode})"))
                    }
                };
                self.tell_interface(&place, InterfaceState::Attached, &why, level);
            }
            Word::Absent { place } => {
                self.unguarded(&place, InterfaceState::Absent, "it is not there; it is guarded as soon as it is");
            }
            Word::Occupied { place, program } => {
                let why = format!("another XDP program (number {program}) is on it; take it off");
                self.unguarded(&place, InterfaceState::Occupied(program), &why);
            }
            Word::Failed { place, errno } => {
                self.keeping.failed.insert(place.name.clone(), errno);
                let why = format!("the program cannot be put on: {}", std::io::Error::from_raw_os_error(errno));
                self.unguarded(&place, InterfaceState::Detached, &why);
            }
        }
    }

    fn unguarded(&mut self, place: &Place, state: InterfaceState, why: &str) {
        self.keeping.note(place, state, None, (self.clock)().wall);
        self.tell_interface(place, state, why, Loudness::Warning);
    }

    fn tell_interface(&mut self, place: &Place, state: InterfaceState, why: &str, level: Loudness) {
        let (name, state) = (printable(&place.name).into_owned(), state.as_str());
        match level {
            Loudness::News => tracing::info!(interface = name, state, "{why}"),
            Loudness::Warning => tracing::warn!(interface = name, state, "{why}"),
        }
        let mut event = self.event(EventKind::Audit);
        event.fields.insert("interface".into(), name);
        event.fields.insert("index".into(), place.index.to_string());
        event.fields.insert("state".into(), state.into());
        event.fields.insert("why".into(), why.into());
        self.publish(event);
    }

    /// The keeper is gone. The kernel goes on; what it kept is not kept any more.
    pub fn keeper_ended(&mut self, how: String) {
        tracing::error!(
            "the keeper has ended ({how}): the kernel goes on enforcing, but interfaces that come or lose the program are not guarded until a restart"
        );
        let mut event = self.event(EventKind::Audit);
        event.fields.insert("keeper".into(), "ended".into());
        event.fields.insert("why".into(), how.clone());
        self.publish(event);
        let pid = self.keeping.keeper.as_ref().map_or(0, |keeper| keeper.pid);
        self.keeping.keeper = Some(KeeperJson { running: false, pid, ended: Some(how) });
    }

    /// Judges a probe; a change for the worse or the better is told, and whatever is wrong is looked for at once.
    fn probed(&mut self, probed: &Probed) {
        let now = (self.clock)();
        let mut judged = self.kernel.probed(probed);
        if self.keeping.mode_set.is_some_and(|set| now.mono.since(set) < MODE_SETTLES) {
            judged = Ok(());
        }
        let before = self.keeping.probe.take().unwrap_or_else(|| ProbeJson { ok: true, ..ProbeJson::default() });
        let why = judged.err().map(|why| self.cause(why));
        let probe = ProbeJson {
            at: time_micros(now.wall),
            ok: why.is_none(),
            every_seconds: PROBE_EVERY.as_secs(),
            runs: before.runs.saturating_add(1),
            failures: before.failures.saturating_add(u64::from(why.is_some())),
            why,
        };
        if probe.why.is_some() || !before.ok {
            self.tell_probe(&probe);
        }
        self.keeping.probe = Some(probe);
        self.keeping.probe_due = Some(now.mono.plus(PROBE_MISSED));
    }

    /// Looks for what made the probe fail, and mends it.
    fn cause(&mut self, why: String) -> String {
        self.audit_soon();
        match self.kernel.guard() {
            Ok(found) => {
                let settings = found.settings_changed.then_some("somebody else had changed the program's settings (said again)");
                let missing = (!found.missing.is_empty()).then_some("its ban was gone from the table (entered again)");
                let causes: Vec<&str> = settings.into_iter().chain(missing).collect();
                self.audits.found(&found);
                if causes.is_empty() { why } else { format!("{why}: {}", causes.join(", ")) }
            }
            Err(error) => format!("{why}, and its cause could not be looked for: {error}"),
        }
    }

    fn tell_probe(&mut self, probe: &ProbeJson) {
        let mut event = self.event(EventKind::Audit);
        event.fields.insert("probe".into(), if probe.ok { "ok" } else { "failed" }.into());
        match &probe.why {
            Some(why) => {
                tracing::error!("the self-probe failed: {why}");
                event.fields.insert("why".into(), why.clone());
            }
            None => tracing::warn!("the self-probe is fine again"),
        }
        self.publish(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: &str, state: InterfaceState) -> InterfaceStatus {
        let attached = state == InterfaceState::Attached;
        InterfaceStatus { name: name.into(), index: u32::from(attached), mode: AttachMode::Native, attached, state }
    }

    #[test]
    fn since_is_when_the_state_changed_and_not_when_it_was_seen() {
        let mut keeping = Keeping::default();
        let seconds = |count: u64| WallTime(count * 1_000_000);
        keeping.see(vec![status("a", InterfaceState::Attached), status("b", InterfaceState::Absent)], seconds(1));
        let changed = keeping.see(vec![status("a", InterfaceState::Attached), status("b", InterfaceState::Attached)], seconds(2));
        assert_eq!(changed.len(), 1);
        let since: Vec<WallTime> = keeping.interfaces.iter().map(|(_, since)| *since).collect();
        assert_eq!(since, [seconds(1), seconds(2)]);
        assert!(keeping.see(Vec::new(), seconds(3)).is_empty());
    }

    #[test]
    fn every_way_of_not_being_guarded_is_a_warning_that_says_what_to_do() {
        let mut keeping = Keeping::default();
        keeping.began(7, MonoTime(0));
        let all = [InterfaceState::Attached, InterfaceState::Absent, InterfaceState::Detached, InterfaceState::Occupied(12)];
        keeping.see(all.into_iter().map(|state| status("eth0", state)).collect(), WallTime(0));
        keeping.failed.insert("eth0".into(), libc::EOPNOTSUPP);
        let told = keeping.warnings(MonoTime(0));
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("not there") && told[0].contains("as soon as"), "{told:?}");
        assert!(told[1].contains("NOT guarded") && told[1].contains("not supported"), "{told:?}");
        assert!(told[2].contains("bpftool prog show id 12") && told[2].contains("ip link set dev eth0 xdp off"), "{told:?}");
        assert!(keeping.warnings(MonoTime(0).plus(PROBE_MISSED + PROBE_EVERY))[3].contains("self-probe has not been heard"));
        keeping.keeper = Some(KeeperJson { running: false, pid: 7, ended: Some("signal: 9".into()) });
        let told = keeping.warnings(MonoTime(0));
        assert!(told[0].contains("restart the daemon") && told[3].contains("the keeper has ended (signal: 9)"), "{told:?}");
    }
}
