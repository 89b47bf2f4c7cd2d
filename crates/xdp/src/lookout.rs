//! How the guarded interfaces stand now, as the kernel tells it: no link and no promise of ours is asked, but the interfaces
//! themselves.

use crate::{
    AttachMode, InterfaceState, InterfaceStatus,
    netlink::{Netlink, Seen},
    wanted,
};
use std::{collections::BTreeMap, io};

/// Looks at the wanted interfaces. Needs no power.
#[derive(Debug)]
pub struct Lookout {
    wanted: Vec<String>,
    program: u32,
    netlink: Netlink,
    modes: BTreeMap<String, AttachMode>,
}

impl Lookout {
    /// A lookout for the program of this number, in the network namespace of the calling thread.
    pub(crate) fn new(wanted: Vec<String>, program: u32) -> io::Result<Self> {
        Ok(Self { wanted, program, netlink: Netlink::open()?, modes: BTreeMap::new() })
    }

    /// Looks once.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn look(&mut self) -> io::Result<Vec<InterfaceStatus>> {
        let found = wanted::find(&self.netlink, &self.wanted)?;
        let there: Vec<InterfaceStatus> = found.into_iter().map(|(name, seen)| self.status(name, seen)).collect();
        self.modes = there.iter().map(|status| (status.name.clone(), status.mode)).collect();
        Ok(there)
    }

    fn status(&self, name: String, seen: Option<Seen>) -> InterfaceStatus {
        let ours = seen.as_ref().and_then(|seen| mode_of(seen, self.program));
        let mode = ours.or_else(|| self.modes.get(&name).copied()).unwrap_or(AttachMode::Native);
        let state = match (&seen, ours) {
            (None, _) => InterfaceState::Absent,
            (_, Some(_)) => InterfaceState::Attached,
            (Some(seen), None) => occupant(seen).map_or(InterfaceState::Detached, InterfaceState::Occupied),
        };
        let index = seen.map_or(0, |seen| seen.index);
        InterfaceStatus { name, index, mode, attached: state == InterfaceState::Attached, state }
    }
}

/// How the program of this number sits there, if it does.
pub(crate) fn mode_of(seen: &Seen, program: u32) -> Option<AttachMode> {
    if seen.native == Some(program) {
        return Some(AttachMode::Native);
    }
    (seen.generic == Some(program)).then_some(AttachMode::Generic)
}

/// The number of whatever program sits there.
pub(crate) fn occupant(seen: &Seen) -> Option<u32> {
    seen.native.or(seen.generic).or(seen.offloaded)
}
