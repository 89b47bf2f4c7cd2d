//! The keeper's hands: looks at the wanted interfaces and puts the programs where they are missing.

use super::{
    kit::{self, Kit},
    words::{Place, Why, Word},
};
use crate::{
    Attach, LinkHandle, OnExit, attach, bpf,
    link::{Link, Seat},
    lookout::{mode_of, occupant},
    netlink::{Netlink, Seen},
    pins, steering,
    system::Interface,
    wanted,
};
use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

/// Keeps the programs on the interfaces.
#[derive(Debug)]
pub(super) struct Guard {
    wanted: Vec<String>,
    attach: Attach,
    exit: OnExit,
    directory: Option<PathBuf>,
    program: Program,
    steering: Option<Program>,
    links: Vec<Link>,
    last: BTreeMap<String, Stand>,
    last_steered: BTreeMap<String, Stand>,
    /// To whoever starts another keeper after this one, which must know the links of both.
    heirs: Option<OwnedFd>,
}

/// One of the two programs, and its number.
#[derive(Debug)]
struct Program {
    fd: OwnedFd,
    id: u32,
}

/// How an interface stood with one of the programs when it was looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Attached(u32),
    Absent,
    Occupied(u32, u32),
    Failed(u32, i32),
}

/// What is said, and the link of the second program that it is about.
pub(super) type Said = (Word, Option<LinkHandle>);

impl Program {
    fn of(fd: OwnedFd) -> io::Result<Self> {
        let id = bpf::program_info(fd.as_fd())?.id;
        Ok(Self { fd, id })
    }
}

impl Guard {
    pub(super) fn new(kit: Kit, heirs: Option<OwnedFd>) -> io::Result<Self> {
        let Kit { wanted, attach, exit, directory, program, steering, links } = kit;
        let stood = |is_steering: bool| {
            let links = links.iter().filter(move |link| (link.seat() == Seat::Tcx) == is_steering);
            links.map(|link| (link.interface().name.clone(), Stand::Attached(link.interface().index))).collect()
        };
        let (last, last_steered) = (stood(false), stood(true));
        let (program, steering) = (Program::of(program)?, steering.map(Program::of).transpose()?);
        Ok(Self { wanted, attach, exit, directory, program, steering, links, last, last_steered, heirs })
    }

    /// Pins what a keeper before this one was killed too early for.
    pub(super) fn pin_kept(&self) {
        for link in self.links.iter().filter(|link| link.is_attached()) {
            let _pinned_already = self.pin(link);
        }
    }

    pub(super) fn program(&self) -> BorrowedFd<'_> {
        self.program.fd.as_fd()
    }

    /// Whoever would start another keeper, as long as it has not been seen to be gone.
    pub(super) const fn heirs(&self) -> Option<&OwnedFd> {
        self.heirs.as_ref()
    }

    /// Nobody starts another keeper any more.
    pub(super) fn disinherit(&mut self) {
        self.heirs = None;
    }

    /// The links of the second program that were there before: the daemon may never have heard of some.
    pub(super) fn kept(&self) -> Vec<Said> {
        let kept = self.links.iter().filter(|link| link.seat() == Seat::Tcx && link.is_attached());
        kept.map(|link| steered(link.interface(), Why::Kept, link.handle())).collect()
    }

    /// Looks at every wanted interface, and mends. `is_over`: the daemon is gone, so nothing is to be changed any more: the
    /// next one may be at work already.
    pub(super) fn look(&mut self, netlink: &Netlink, is_over: &dyn Fn() -> bool) -> io::Result<Vec<Said>> {
        let mut said = Vec::new();
        if is_over() {
            return Ok(said);
        }
        let found = wanted::find(netlink, &self.wanted)?;
        self.last.retain(|name, _| found.iter().any(|(found, _)| found == name));
        self.last_steered.retain(|name, _| found.iter().any(|(found, _)| found == name));
        let steered = self.bury();
        for (name, seen) in found {
            if is_over() {
                break;
            }
            said.extend(self.guard(&name, seen.as_ref()).map(|word| (word, None)));
            said.extend(self.steer(&name, seen.as_ref(), &steered));
        }
        Ok(said)
    }

    /// The first program on one interface; what is to be said about it.
    fn guard(&mut self, name: &str, seen: Option<&Seen>) -> Option<Word> {
        let before = self.last.get(name).copied();
        let (stand, why) = match seen {
            None => (Stand::Absent, Why::Came),
            Some(seen) => self.mend(name, seen, before),
        };
        self.last.insert(name.to_owned(), stand);
        if before == Some(stand) && why == Why::Came {
            return None;
        }
        let place = |index| Place { name: name.to_owned(), index };
        Some(match stand {
            Stand::Attached(index) => Word::Attached { place: place(index), mode: self.mode(index)?, why },
            Stand::Absent => Word::Absent { place: place(0) },
            Stand::Occupied(index, program) => Word::Occupied { place: place(index), program },
            Stand::Failed(index, errno) => Word::Failed { place: place(index), errno },
        })
    }

    /// How the first program sits on an interface, by its youngest link.
    fn mode(&self, index: u32) -> Option<crate::AttachMode> {
        self.links.iter().rev().filter(|link| link.interface().index == index).find_map(|link| match link.seat() {
            Seat::Xdp(mode) => Some(mode),
            Seat::Tcx => None,
        })
    }

    /// Puts the first program on, unless it is there or somebody else's is.
    fn mend(&mut self, name: &str, seen: &Seen, before: Option<Stand>) -> (Stand, Why) {
        let index = seen.index;
        if mode_of(seen, self.program.id).is_some() {
            return (Stand::Attached(index), Why::Came);
        }
        let why = why(before, index);
        if let Some(other) = occupant(seen) {
            return match self.put_back(index, |seat| seat != Seat::Tcx, self.program()) {
                true => (Stand::Attached(index), Why::Replaced),
                false => (Stand::Occupied(index, other), why),
            };
        }
        let put = attach::put(self.program(), &Interface { name: name.into(), index }, self.attach);
        match put.map(|link| self.hold(link)) {
            Ok(_) => (Stand::Attached(index), why),
            Err(error) => (Stand::Failed(index, error.raw_os_error().unwrap_or(0)), why),
        }
    }

    /// The second program on one interface, if one is wanted; what is to be said about it. It shares its place with others',
    /// so nobody is in its way; and it stands for itself, whatever the first one meets there.
    fn steer(&mut self, name: &str, seen: Option<&Seen>, steered: &BTreeMap<u32, u32>) -> Option<Said> {
        let wanted = self.steering.as_ref()?.id;
        let before = self.last_steered.get(name).copied();
        let (stand, said) = match seen.map(|seen| seen.index) {
            None => (Stand::Absent, None),
            Some(index) if steered.get(&index) == Some(&wanted) => (Stand::Attached(index), None),
            Some(index) => {
                let interface = Interface { name: name.into(), index };
                match self.mend_steering(&interface, before, steered.contains_key(&index)) {
                    Ok((link, why)) => (Stand::Attached(index), Some(self::steered(&interface, why, link))),
                    Err(error) => {
                        let errno = error.raw_os_error().unwrap_or(0);
                        let place = Place { name: name.to_owned(), index };
                        (Stand::Failed(index, errno), Some((Word::NotSteered { place, errno }, None)))
                    }
                }
            }
        };
        self.last_steered.insert(name.to_owned(), stand);
        said.filter(|_| before != Some(stand) || matches!(stand, Stand::Attached(_)))
    }

    /// Puts the second program back into its link, if somebody else's is in it, or on anew.
    fn mend_steering(&mut self, interface: &Interface, before: Option<Stand>, is_usurped: bool) -> io::Result<(LinkHandle, Why)> {
        let program = self.steering.as_ref().ok_or(io::ErrorKind::NotFound)?.fd.as_fd();
        if is_usurped
            && self.put_back(interface.index, |seat| seat == Seat::Tcx, program)
            && let Some(link) = self.handle(interface.index)
        {
            return Ok((link, Why::Replaced));
        }
        let link = steering::put(program, interface)?;
        Ok((self.hold(link), why(before, interface.index)))
    }

    /// The youngest link of the second program on an interface.
    fn handle(&self, index: u32) -> Option<LinkHandle> {
        let here = self.links.iter().rev().find(|link| link.seat() == Seat::Tcx && link.interface().index == index);
        here.map(Link::handle)
    }

    /// Puts our program back into our link, if one is on this interface: then whoever sits there sits in it.
    fn put_back(&self, index: u32, is_seat: impl Fn(Seat) -> bool, program: BorrowedFd<'_>) -> bool {
        let here = self.links.iter().filter(|link| is_seat(link.seat()));
        let here = here.filter(|link| bpf::link_interface(link.fd()).is_ok_and(|at| at == index));
        let mut put_back = here.map(|link| bpf::link_update(link.fd(), program).is_ok());
        put_back.any(|done| done)
    }

    /// Keeps a link that was just made: the next keeper knows it before anything else does, and it is pinned.
    fn hold(&mut self, link: Link) -> LinkHandle {
        if let Some(heirs) = &self.heirs {
            let _gone_or_full = kit::send_links(heirs.as_fd(), &[&link]);
        }
        if let Some(path) = self.path(&link) {
            let _dead_one_of_the_same_index = pins::remove_file(&path);
        }
        if let Err(error) = self.pin(&link) {
            eprintln!("honeymesh keeper: cannot pin the link on interface {}: {error}", link.interface().index);
        }
        let handle = link.handle();
        self.links.push(link);
        handle
    }

    /// Without a pin it holds as long as somebody has it; the next start takes the pins it finds.
    fn pin(&self, link: &Link) -> io::Result<()> {
        self.path(link).map_or(Ok(()), |path| bpf::pin(link.fd(), &path))
    }

    fn path(&self, link: &Link) -> Option<PathBuf> {
        Some(pins::place(self.directory.as_ref()?, link))
    }

    /// Links that are on no interface any more go, and so do their pins. On which interfaces the others hold a second
    /// program, and its number: ours if there are several.
    fn bury(&mut self) -> BTreeMap<u32, u32> {
        let (mut steered, mut alive, mut dead) = (BTreeMap::new(), Vec::new(), Vec::new());
        for link in self.links.drain(..) {
            match bpf::link_facts(link.fd()) {
                Ok(facts) if facts.interface != 0 => {
                    let is_ours = self.steering.as_ref().is_some_and(|program| program.id == facts.program);
                    if link.seat() == Seat::Tcx && (is_ours || !steered.contains_key(&facts.interface)) {
                        steered.insert(facts.interface, facts.program);
                    }
                    alive.push(link);
                }
                _ => dead.push(link),
            }
        }
        self.links = alive;
        for link in dead {
            let is_same = |other: &Link| other.interface().index == link.interface().index && other.seat() == link.seat();
            if let Some(path) = self.path(&link).filter(|_| !self.links.iter().any(is_same)) {
                let _gone_already = pins::remove_file(&path);
            }
        }
        steered
    }

    /// The end: what is to hold is pinned and holds; what is to go comes off now.
    pub(super) fn end(self) {
        if self.exit == OnExit::Release {
            self.links.iter().for_each(Link::detach);
        }
    }
}

/// Why a program is to be put where it is not.
fn why(before: Option<Stand>, index: u32) -> Why {
    if before == Some(Stand::Attached(index)) { Why::CameOff } else { Why::Came }
}

fn steered(interface: &Interface, why: Why, link: LinkHandle) -> Said {
    let place = Place { name: interface.name.clone(), index: interface.index };
    (Word::Steered { place, why }, Some(link))
}
