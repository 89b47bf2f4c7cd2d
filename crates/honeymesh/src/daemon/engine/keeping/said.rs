//! What the keeper says, and what is seen without one: taken, logged, and told as events.

use super::{PUT_BACK_MAX, Program};
use crate::daemon::{enforcer::Enforcer, engine::Engine};
use honeymesh_format::printable;
use honeymesh_types::EventKind;
use honeymesh_xdp::{AttachMode, InterfaceState, InterfaceStatus, Place, Sight, Steered, Why, Word};
use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

/// How a change of an interface is logged.
#[derive(Clone, Copy)]
enum Loudness {
    News,
    Warning,
}

/// For the next audit.
fn remember(put_back: &mut Vec<String>, place: &Place) {
    if put_back.len() < PUT_BACK_MAX {
        put_back.push(place.name.clone());
    }
}

impl<K: Enforcer> Engine<K> {
    /// Takes what the lookout saw. Where no keeper guards what comes, that is done now. What was mended in passing since the last look
    /// is told by an audit, which looks for bans that went with it.
    pub fn interfaces_looked(&mut self, sight: Sight) {
        match self.kernel.look_after(sight) {
            Ok(seen) => self.interfaces_seen(seen),
            Err(error) => {
                self.trouble("an interface that came", None, &error);
                self.interfaces_seen(self.kernel.interfaces());
            }
        }
        self.probe_if_due();
        self.look_at_crowd();
        let mended = self.kernel.take_mended();
        self.mended(&mended);
        self.lock_withheld();
    }

    /// Takes how the interfaces stand. Without a keeper this is all there is, so changes are told from here.
    pub fn interfaces_seen(&mut self, seen: Vec<InterfaceStatus>) {
        let now = (self.clock)().wall;
        let is_first = self.keeping.interfaces.is_empty();
        let changed = self.keeping.see(seen, now);
        if self.keeping.is_kept() || is_first {
            return;
        }
        for (program, status) in changed {
            let place = Place { name: status.name.clone(), index: status.index };
            let state = match (program, status.steering) {
                (Program::Xdp, _) => status.state,
                (Program::Tcx, Steered::On) => InterfaceState::Attached,
                (Program::Tcx, _) => InterfaceState::Detached,
            };
            let (why, level) = match (status.mode, status.state) {
                (AttachMode::Nftables, InterfaceState::Attached) => ("it is there, so it is guarded (nftables)", Loudness::News),
                (AttachMode::Nftables, InterfaceState::Absent) => {
                    ("it is not there; it is guarded as soon as it is", Loudness::Warning)
                }
                (AttachMode::Nftables, _) => {
                    ("no chain can be hung on it, which is tried again with every look", Loudness::Warning)
                }
                _ => ("seen without a keeper", Loudness::Warning),
            };
            let program = (status.mode != AttachMode::Nftables).then_some(program);
            self.tell_interface(&place, program, state, why, level);
        }
    }

    /// Takes a word of the keeper.
    pub fn keeper_said(&mut self, word: Word) {
        match word {
            Word::Probed(probed) => self.probed(&probed),
            Word::Attached { place, mode, why } => self.attached(&place, mode, why),
            Word::Absent { place } => {
                self.keeping.note(&place, InterfaceState::Absent, None, (self.clock)().wall);
                let why = "it is not there; it is guarded as soon as it is";
                self.tell_interface(&place, None, InterfaceState::Absent, why, Loudness::Warning);
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
            Word::Steered { place, why } => self.steered(&place, why),
            Word::NotSteered { place, errno } => {
                self.keeping.steering_failed.insert(place.name.clone(), errno);
                self.keeping.note_steering(&place, Steered::Off);
                let why = format!("the second program cannot be put on: {}", std::io::Error::from_raw_os_error(errno));
                self.tell_interface(&place, Some(Program::Tcx), InterfaceState::Detached, &why, Loudness::Warning);
            }
            Word::Began { pid } => self.keeper_began_again(pid),
            Word::Ended { status } => self.keeper_ends(ExitStatus::from_raw(status).to_string()),
            Word::Alone => self.keeper_is_alone(),
        }
    }

    fn attached(&mut self, place: &Place, mode: AttachMode, why: Why) {
        self.keeping.note(place, InterfaceState::Attached, Some(mode), (self.clock)().wall);
        let (level, why) = match why {
            Why::Came | Why::Kept => (Loudness::News, format!("it is there, so it is guarded ({mode})")),
            Why::CameOff => (Loudness::Warning, format!("the program had come off; it is on again ({mode})")),
            Why::Replaced => (Loudness::Warning, format!("another program had been put into its place; it is on again ({mode})")),
        };
        if matches!(level, Loudness::Warning) {
            remember(&mut self.keeping.put_back.xdp, place);
        }
        self.tell_interface(place, Some(Program::Xdp), InterfaceState::Attached, &why, level);
    }

    fn steered(&mut self, place: &Place, why: Why) {
        self.keeping.note_steering(place, Steered::On);
        let (level, why) = match why {
            // What was there before is no news.
            Why::Kept => return,
            Why::Came => (Loudness::News, "it is there, so its dark ports are steered"),
            Why::CameOff => (Loudness::Warning, "the second program had come off; it is on again"),
            Why::Replaced => (Loudness::Warning, "another program had been put into the second one's place; it is on again"),
        };
        if matches!(level, Loudness::Warning) {
            remember(&mut self.keeping.put_back.tcx, place);
        }
        self.tell_interface(place, Some(Program::Tcx), InterfaceState::Attached, why, level);
    }

    fn unguarded(&mut self, place: &Place, state: InterfaceState, why: &str) {
        self.keeping.note(place, state, None, (self.clock)().wall);
        self.tell_interface(place, Some(Program::Xdp), state, why, Loudness::Warning);
    }

    /// `program`: which one it is about; none if about both.
    fn tell_interface(&mut self, place: &Place, program: Option<Program>, state: InterfaceState, why: &str, level: Loudness) {
        let (name, state) = (printable(&place.name).into_owned(), state.as_str());
        let program = program.map(Program::as_str);
        match level {
            Loudness::News => tracing::info!(interface = name, program, state, "{why}"),
            Loudness::Warning => tracing::warn!(interface = name, program, state, "{why}"),
        }
        let mut event = self.event(EventKind::Audit);
        event.fields.insert("interface".into(), name);
        event.fields.insert("index".into(), place.index.to_string());
        event.fields.extend(program.map(|program| ("program".into(), program.into())));
        event.fields.insert("state".into(), state.into());
        event.fields.insert("why".into(), why.into());
        self.publish(event);
    }

    /// The keeper has ended, and another one is on its way.
    fn keeper_ends(&mut self, how: String) {
        tracing::warn!("the keeper has ended ({how}); another one is started");
        self.tell_keeper("ended", [("why", how.clone())]);
        if let Some(keeper) = &mut self.keeping.keeper {
            (keeper.running, keeper.ended) = (false, Some(how));
        }
    }

    fn keeper_began_again(&mut self, pid: u32) {
        self.keeper_began(pid);
        let restarts = self.keeping.keeper.as_ref().map_or(0, |keeper| keeper.restarts);
        tracing::warn!(pid, restarts, "another keeper has begun");
        self.tell_keeper("began", [("pid", pid.to_string())]);
    }

    fn keeper_is_alone(&mut self) {
        tracing::error!("the warden has ended: if the keeper ends, no other comes until a restart");
        self.tell_keeper("alone", [("why", "the process that starts another one has ended".to_owned())]);
        if let Some(keeper) = &mut self.keeping.keeper {
            keeper.warden = false;
        }
    }

    fn tell_keeper(&mut self, what: &str, more: [(&str, String); 1]) {
        let mut event = self.event(EventKind::Audit);
        event.fields.insert("keeper".into(), what.into());
        event.fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
        self.publish(event);
    }

    /// The keeper is gone, and no other comes. The kernel goes on; what it kept is not kept any more.
    pub fn keeper_ended(&mut self, how: String) {
        tracing::error!(
            "the keeper has ended ({how}), and no other comes: the kernel goes on enforcing, but interfaces that come or lose a program are not guarded until a restart"
        );
        self.tell_keeper("ended", [("why", how.clone())]);
        let keeper = self.keeping.keeper.get_or_insert_default();
        (keeper.running, keeper.ended, keeper.warden) = (false, Some(how), false);
    }
}
