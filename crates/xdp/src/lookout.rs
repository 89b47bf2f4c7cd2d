//! How the guarded interfaces stand now, as the kernel tells it: no promise of ours is asked, but the interfaces themselves,
//! and of the second program, which they do not tell, the links that hold it.

use crate::{
    AttachMode, InterfaceState, InterfaceStatus, LinkHandle, Steered,
    netlink::{Announcements, Netlink, Seen},
    wanted,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::AsFd,
    thread,
    time::Duration,
};

/// After an announcement others are gathered for so long: a storm of them costs one look in that time.
const GATHERED: Duration = Duration::from_millis(20);

/// Looks at the wanted interfaces. Needs no power.
#[derive(Debug)]
pub struct Lookout {
    wanted: Vec<String>,
    /// None where no program of ours sits on interfaces, but nf_tables before them.
    program: Option<u32>,
    /// The number of the second program, if one is wanted.
    steering: Option<u32>,
    links: Vec<LinkHandle>,
    netlink: Netlink,
    /// Heard where whoever looks is the one who guards what comes. Elsewhere a keeper is, and hears its own.
    announcements: Option<Announcements>,
    modes: BTreeMap<String, AttachMode>,
}

/// What a look saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The wanted interfaces. Where nf_tables drops, whatever is there counts as attached: whether it is, is known to [`crate::Nft`].
    pub interfaces: Vec<InterfaceStatus>,
    /// The interfaces by which their packets come to the network stack; looked for where nf_tables drops.
    pub(crate) carriers: Vec<String>,
}

impl Lookout {
    /// A lookout for the program of this number, in the network namespace of the calling thread.
    pub(crate) fn new(wanted: Vec<String>, program: u32) -> io::Result<Self> {
        Self::of(wanted, Some(program))
    }

    /// The same where there is no program.
    pub(crate) fn for_nft(wanted: Vec<String>) -> io::Result<Self> {
        Self::of(wanted, None)
    }

    fn of(wanted: Vec<String>, program: Option<u32>) -> io::Result<Self> {
        let netlink = Netlink::open()?;
        Ok(Self { wanted, program, steering: None, links: Vec::new(), netlink, announcements: None, modes: BTreeMap::new() })
    }

    /// The same, and it hears what the kernel announces: [`Lookout::wait`] has to be called again and again.
    pub(crate) fn listening(mut self) -> io::Result<Self> {
        self.announcements = Some(Announcements::open()?);
        Ok(self)
    }

    /// The number of the second program.
    pub(crate) const fn steering(&mut self, program: Option<u32>) {
        self.steering = program;
    }

    /// From now on looks at these links of the second program, and no others.
    pub fn heed(&mut self, links: Vec<LinkHandle>) {
        self.links = links;
    }

    /// Waits until it is time to look again: `at_most` so long, and where nf_tables drops only until the kernel announces that an interface
    /// has come, gone or changed since the last wait ended.
    pub fn wait(&self, at_most: Duration) {
        let Some(announcements) = &self.announcements else { return thread::sleep(at_most) };
        let patience = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
        let mut announced = [PollFd::new(announcements.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut announced, patience), Ok(0)) {
            thread::sleep(GATHERED.min(at_most));
        }
        // Before the look: what is announced from now on is for the next one.
        announcements.drain();
    }

    /// Looks once.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn look(&mut self) -> io::Result<Sight> {
        let found = wanted::find(&self.netlink, &self.wanted)?;
        let indices: Vec<u32> = found.iter().filter_map(|(_, seen)| Some(seen.as_ref()?.index)).collect();
        let Some(program) = self.program else {
            let interfaces = found.into_iter().map(|(name, seen)| plain(name, seen.as_ref())).collect();
            return Ok(Sight { interfaces, carriers: wanted::carriers(&self.netlink.all()?, &indices) });
        };
        let steered = self.steered();
        let there: Vec<InterfaceStatus> =
            found.into_iter().map(|(name, seen)| self.status(program, name, seen, steered.as_ref())).collect();
        self.modes = there.iter().map(|status| (status.name.clone(), status.mode)).collect();
        Ok(Sight { interfaces: there, carriers: Vec::new() })
    }

    /// The interfaces that the second program is on, if one is wanted.
    fn steered(&self) -> Option<BTreeSet<u32>> {
        let program = self.steering?;
        Some(self.links.iter().filter_map(|link| link.steers(program)).collect())
    }

    fn status(&self, program: u32, name: String, seen: Option<Seen>, steered: Option<&BTreeSet<u32>>) -> InterfaceStatus {
        let ours = seen.as_ref().and_then(|seen| mode_of(seen, program));
        let mode = ours.or_else(|| self.modes.get(&name).copied()).unwrap_or(AttachMode::Native);
        let state = match (&seen, ours) {
            (None, _) => InterfaceState::Absent,
            (_, Some(_)) => InterfaceState::Attached,
            (Some(seen), None) => occupant(seen).map_or(InterfaceState::Detached, InterfaceState::Occupied),
        };
        let index = seen.map_or(0, |seen| seen.index);
        let steering = match steered {
            None => Steered::Unwanted,
            Some(on) if on.contains(&index) => Steered::On,
            Some(_) => Steered::Off,
        };
        InterfaceStatus { name, index, mode, attached: state == InterfaceState::Attached, state, steering }
    }
}

/// Under the name that the kernel knows it by: rules go by that.
fn plain(name: String, seen: Option<&Seen>) -> InterfaceStatus {
    let state = if seen.is_some() { InterfaceState::Attached } else { InterfaceState::Absent };
    let name = seen.map_or(name, |seen| seen.name.clone());
    InterfaceStatus {
        name,
        index: seen.map_or(0, |seen| seen.index),
        mode: AttachMode::Nftables,
        attached: seen.is_some(),
        state,
        steering: Steered::Unwanted,
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
