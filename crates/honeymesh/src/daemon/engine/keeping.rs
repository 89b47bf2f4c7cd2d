//! Never silently off: which interfaces are guarded and steered, what the keeper does about it, and whether the self-probe still
//! proves it.

mod probe;
mod said;

use honeymesh_format::{InterfaceJson, KeeperJson, ProbeJson, printable, time_micros};
use honeymesh_types::{MonoTime, WallTime};
use honeymesh_xdp::{AttachMode, INTERFACES_MAX, InterfaceState, InterfaceStatus, PROBE_EVERY, Place, Steered};
use std::{collections::BTreeMap, time::Duration};

/// Interfaces put right again that are remembered for the next audit, for each program; more are only counted in events.
const PUT_BACK_MAX: usize = 64;
/// The self-probe is missed after this long.
const PROBE_MISSED: Duration = Duration::from_secs(3 * PROBE_EVERY.as_secs());
/// For so long after a change of the mode, a probe of the keeper's may still tell of the mode before.
const MODE_SETTLES: Duration = Duration::from_secs(1);

/// Everything known about interfaces, keeper and probe.
#[derive(Debug, Default)]
pub struct Keeping {
    interfaces: Vec<(InterfaceStatus, WallTime)>,
    failed: BTreeMap<String, i32>,
    steering_failed: BTreeMap<String, i32>,
    /// Interfaces that were put right since the last audit.
    pub put_back: PutBack,
    keeper: Option<KeeperJson>,
    probe: Option<ProbeJson>,
    /// What the last probe came to, before its cause was looked for; none if it was fine.
    probe_failed: Option<String>,
    probe_due: Option<MonoTime>,
    /// When the next one is run, where no keeper does.
    probe_next: Option<MonoTime>,
    /// When the mode was changed last.
    pub mode_set: Option<MonoTime>,
}

/// Interfaces on which a program had to be put again.
#[derive(Debug, Default)]
pub struct PutBack {
    /// The first program.
    pub xdp: Vec<String>,
    /// The second one.
    pub tcx: Vec<String>,
}

/// Which of the two programs is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Xdp,
    Tcx,
}

impl Program {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Xdp => "xdp",
            Self::Tcx => "tcx",
        }
    }
}

impl Keeping {
    /// A keeper has begun, the first or another one. From now on probes are expected.
    pub fn began(&mut self, pid: u32, now: MonoTime) {
        let restarts = self.keeper.as_ref().map_or(0, |before| before.restarts.saturating_add(1));
        self.keeper = Some(KeeperJson { running: true, pid, ended: None, restarts, warden: true });
        self.probe_due = Some(now.plus(PROBE_MISSED));
    }

    /// Takes what the lookout saw; what has changed has changed now. What that is, for each program.
    fn see(&mut self, seen: Vec<InterfaceStatus>, now: WallTime) -> Vec<(Program, InterfaceStatus)> {
        let before = std::mem::take(&mut self.interfaces);
        let known = |status: &InterfaceStatus| before.iter().find(|(known, _)| known.name == status.name);
        let since = |status: &InterfaceStatus| known(status).filter(|(known, _)| is_same(known, status)).map(|(_, since)| *since);
        let mut changed = Vec::new();
        for status in &seen {
            if since(status).is_none() {
                changed.push((Program::Xdp, status.clone()));
            }
            // Of an interface that is not there, the first program's word is enough.
            let is_told = status.steering == Steered::Unwanted || status.state == InterfaceState::Absent;
            if !is_told && known(status).is_none_or(|(known, _)| known.steering != status.steering) {
                changed.push((Program::Tcx, status.clone()));
            }
        }
        self.interfaces = seen.iter().map(|status| (status.clone(), since(status).unwrap_or(now))).collect();
        self.failed.retain(|name, _| seen.iter().any(|status| status.name == *name && !status.attached));
        self.steering_failed.retain(|name, _| seen.iter().any(|status| status.name == *name && status.steering == Steered::Off));
        changed
    }

    /// Takes what the keeper said of the second program on one interface; the lookout has the last word, within a second.
    fn note_steering(&mut self, place: &Place, steering: Steered) {
        if let Some((known, _)) = self.interfaces.iter_mut().find(|(known, _)| known.name == place.name) {
            known.steering = steering;
        }
    }

    /// Takes what the keeper said of one interface; the lookout has the last word, within a second.
    fn note(&mut self, place: &Place, state: InterfaceState, mode: Option<AttachMode>, now: WallTime) {
        let before = self.interfaces.iter().position(|(known, _)| known.name == place.name);
        let (mode_before, steering, since) = match before.and_then(|at| self.interfaces.get(at)) {
            Some((known, since)) => (known.mode, known.steering, if known.state == state { *since } else { now }),
            None => (AttachMode::Native, Steered::Unwanted, now),
        };
        // Whatever was on an interface goes with it.
        let is_gone = state == InterfaceState::Absent && steering == Steered::On;
        let steering = if is_gone { Steered::Off } else { steering };
        let attached = state == InterfaceState::Attached;
        let (name, mode) = (place.name.clone(), mode.unwrap_or(mode_before));
        let status = InterfaceStatus { name, index: place.index, mode, attached, state, steering };
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
            steering: steering(status).map(str::to_owned),
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
        let interfaces = self.interfaces.iter().map(|(status, _)| status);
        let mut warnings: Vec<String> =
            interfaces.flat_map(|status| [self.warning(status), self.steering_warning(status)]).flatten().collect();
        if self.keeper.as_ref().is_some_and(|keeper| keeper.running && !keeper.warden) {
            warnings.push(
                "the warden has ended: the keeper keeps, but if it ends, no other comes; restart the daemon (no packet slips through)"
                    .into(),
            );
        }
        if let Some(ended) = self.keeper.as_ref().and_then(|keeper| keeper.ended.as_ref()) {
            warnings.push(format!(
                "the keeper has ended ({ended}): the kernel goes on enforcing, but nobody puts the programs on interfaces that come, and the self-probe is off; restart the daemon (no packet slips through)"
            ));
        }
        if let Some(why) = self.probe.as_ref().and_then(|probe| probe.why.as_ref()) {
            warnings.push(format!("the self-probe failed: {why}"));
        }
        if (self.is_kept() || self.keeper.is_none()) && self.probe_due.is_some_and(|due| due < now) {
            warnings.push("the self-probe has not been heard of for long; restart the daemon".into());
        }
        warnings
    }

    fn hope(&self, status: &InterfaceStatus) -> &'static str {
        if self.is_kept() || status.mode == AttachMode::Nftables {
            "it is guarded as soon as that changes"
        } else {
            "restart the daemon after that changed"
        }
    }

    fn steering_warning(&self, status: &InterfaceStatus) -> Option<String> {
        if status.state == InterfaceState::Absent || status.steering != Steered::Off {
            return None;
        }
        let why = in_brackets(self.steering_failed.get(&status.name));
        let (name, hope) = (printable(&status.name), self.hope(status));
        Some(format!(
            "interface {name}: dark ports are ordinary closed ports there: the second program is not on it{why}; {hope}"
        ))
    }

    fn warning(&self, status: &InterfaceStatus) -> Option<String> {
        let (name, hope) = (printable(&status.name), self.hope(status));
        match status.state {
            InterfaceState::Attached => None,
            InterfaceState::Absent => Some(format!("interface {name} is not there, so it is not guarded; {hope}")),
            InterfaceState::Occupied(program) => Some(format!(
                "interface {name} is NOT guarded: another XDP program (number {program}) is on it; see it with `bpftool prog show id {program}`, take it off with `ip link set dev {name} xdp off`; {hope}"
            )),
            InterfaceState::Detached if status.mode == AttachMode::Nftables => {
                Some(format!("interface {name} is NOT guarded: the kernel has refused to hang a chain on it; {hope}"))
            }
            InterfaceState::Detached => {
                let why = in_brackets(self.failed.get(&status.name));
                Some(format!("interface {name} is NOT guarded: the program is not on it{why}; {hope}"))
            }
        }
    }
}

/// Is it the same interface, in the same state?
fn is_same(known: &InterfaceStatus, seen: &InterfaceStatus) -> bool {
    known.name == seen.name && known.index == seen.index && known.state == seen.state
}

/// Why something failed, to be put behind a sentence.
fn in_brackets(errno: Option<&i32>) -> String {
    errno.map_or_else(String::new, |errno| format!(" ({})", std::io::Error::from_raw_os_error(*errno)))
}

/// The second program on an interface, for users; `None` while none is wanted.
const fn steering(status: &InterfaceStatus) -> Option<&'static str> {
    match (status.steering, status.state) {
        (Steered::Unwanted, _) => None,
        (_, InterfaceState::Absent) => Some("absent"),
        (Steered::On, _) => Some("attached"),
        (Steered::Off, _) => Some("detached"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: &str, state: InterfaceState) -> InterfaceStatus {
        let attached = state == InterfaceState::Attached;
        let (mode, steering) = (AttachMode::Native, Steered::Unwanted);
        InterfaceStatus { name: name.into(), index: u32::from(attached), mode, attached, state, steering }
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
        keeping.keeper = Some(KeeperJson { running: false, ended: Some("signal: 9".into()), ..KeeperJson::default() });
        let told = keeping.warnings(MonoTime(0));
        assert!(told[0].contains("restart the daemon") && told[3].contains("the keeper has ended (signal: 9)"), "{told:?}");
    }

    #[test]
    fn a_second_program_that_is_off_is_a_change_of_its_own_and_a_warning_unless_the_interface_is_gone() {
        let mut keeping = Keeping::default();
        let with = |state, steering| InterfaceStatus { steering, ..status("eth0", state) };
        let mut see = |state, steering| {
            let changed = keeping.see(vec![with(state, steering)], WallTime(0));
            let shown = keeping.interfaces()[0].steering.clone();
            (changed.into_iter().map(|(program, _)| program).collect::<Vec<_>>(), shown, keeping.warnings(MonoTime(0)).len())
        };
        use InterfaceState::{Absent, Attached};
        use Program::{Tcx, Xdp};
        let shown = |word: &str| Some(word.to_owned());
        assert_eq!(see(Attached, Steered::On), (vec![Xdp, Tcx], shown("attached"), 0));
        assert_eq!(see(Attached, Steered::Off), (vec![Tcx], shown("detached"), 1));
        assert_eq!(see(Absent, Steered::Off), (vec![Xdp], shown("absent"), 1), "one warning: it is not there");
        assert_eq!(see(Attached, Steered::On), (vec![Xdp, Tcx], shown("attached"), 0));
        assert_eq!(see(Attached, Steered::Unwanted), (Vec::new(), None, 0));
    }
}
