//! The keeper's hands: looks at the wanted interfaces and puts the program where it is missing.

use super::{
    kit::Kit,
    words::{Place, Why, Word},
};
use crate::{
    Attach, OnExit,
    attach::{self, Link},
    bpf,
    lookout::{mode_of, occupant},
    netlink::{Netlink, Seen},
    pins,
    system::Interface,
    wanted,
};
use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

/// Keeps the program on the interfaces.
#[derive(Debug)]
pub(super) struct Guard {
    wanted: Vec<String>,
    attach: Attach,
    exit: OnExit,
    directory: Option<PathBuf>,
    program: OwnedFd,
    id: u32,
    links: Vec<Link>,
    last: BTreeMap<String, Stand>,
}

/// How an interface stood when it was looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Attached(u32),
    Absent,
    Occupied(u32, u32),
    Failed(u32, i32),
}

impl Guard {
    pub(super) fn new(kit: Kit) -> io::Result<Self> {
        let Kit { wanted, attach, exit, directory, program, links } = kit;
        let id = bpf::program_info(program.as_fd())?.id;
        let last = links.iter().map(|link| (link.interface().name.clone(), Stand::Attached(link.interface().index))).collect();
        Ok(Self { wanted, attach, exit, directory, program, id, links, last })
    }

    pub(super) fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// Looks at every wanted interface, and mends. `is_over`: the daemon is gone, so nothing is to be changed any more: the
    /// next one may be at work already.
    pub(super) fn look(&mut self, netlink: &Netlink, is_over: &dyn Fn() -> bool) -> io::Result<Vec<Word>> {
        let mut said = Vec::new();
        let found = wanted::find(netlink, &self.wanted)?;
        self.last.retain(|name, _| found.iter().any(|(found, _)| found == name));
        for (name, seen) in found {
            if is_over() {
                break;
            }
            let before = self.last.get(&name).copied();
            let (stand, why) = match &seen {
                None => (Stand::Absent, Why::Came),
                Some(seen) => self.mend(&name, seen, before),
            };
            self.last.insert(name.clone(), stand);
            if before != Some(stand) || why != Why::Came {
                said.extend(self.word(name, stand, why));
            }
        }
        self.bury();
        Ok(said)
    }

    /// Puts the program on, unless it is there or somebody else's is.
    fn mend(&mut self, name: &str, seen: &Seen, before: Option<Stand>) -> (Stand, Why) {
        let index = seen.index;
        if mode_of(seen, self.id).is_some() {
            return (Stand::Attached(index), Why::Came);
        }
        let why = if before == Some(Stand::Attached(index)) { Why::CameOff } else { Why::Came };
        let Some(other) = occupant(seen) else { return (self.put(name, index), why) };
        match self.put_back(index) {
            true => (Stand::Attached(index), Why::Replaced),
            false => (Stand::Occupied(index, other), why),
        }
    }

    fn put(&mut self, name: &str, index: u32) -> Stand {
        let interface = Interface { name: name.into(), index };
        match attach::put(self.program.as_fd(), &interface, self.attach) {
            Ok(link) => {
                self.pin(&link);
                self.links.push(link);
                Stand::Attached(index)
            }
            Err(error) => Stand::Failed(index, error.raw_os_error().unwrap_or(0)),
        }
    }

    /// Puts our program back into our link, if one is on this interface: then whoever sits there sits in it.
    fn put_back(&self, index: u32) -> bool {
        let here = self.links.iter().filter(|link| bpf::link_interface(link.fd()).is_ok_and(|at| at == index));
        let mut put_back = here.map(|link| bpf::link_update(link.fd(), self.program.as_fd()).is_ok());
        put_back.any(|done| done)
    }

    /// Without a pin it holds as long as the keeper lives; the next start takes the pins it finds.
    fn pin(&self, link: &Link) {
        let Some(path) = self.path(link) else { return };
        let _dead_one_of_the_same_index = pins::remove_file(&path);
        if let Err(error) = bpf::pin(link.fd(), &path) {
            eprintln!("honeymesh keeper: cannot pin {}: {error}", path.display());
        }
    }

    fn path(&self, link: &Link) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        Some(directory.join(pins::link_name(link.interface().index, link.mode())))
    }

    /// Links that are on no interface any more go, and so do their pins.
    fn bury(&mut self) {
        let (alive, dead): (Vec<Link>, Vec<Link>) =
            self.links.drain(..).partition(|link| bpf::link_interface(link.fd()).is_ok_and(|index| index != 0));
        self.links = alive;
        for link in dead {
            let is_reused =
                self.links.iter().any(|other| other.interface().index == link.interface().index && other.mode() == link.mode());
            if let Some(path) = self.path(&link).filter(|_| !is_reused) {
                let _gone_already = pins::remove_file(&path);
            }
        }
    }

    fn word(&self, name: String, stand: Stand, why: Why) -> Option<Word> {
        let place = |index| Place { name, index };
        Some(match stand {
            Stand::Attached(index) => {
                let link = self.links.iter().rev().find(|link| link.interface().index == index)?;
                Word::Attached { place: place(index), mode: link.mode(), why }
            }
            Stand::Absent => Word::Absent { place: place(0) },
            Stand::Occupied(index, program) => Word::Occupied { place: place(index), program },
            Stand::Failed(index, errno) => Word::Failed { place: place(index), errno },
        })
    }

    /// The end: what is to hold is pinned and holds; what is to go comes off now.
    pub(super) fn end(self) {
        if self.exit == OnExit::Release {
            self.links.iter().for_each(Link::detach);
        }
    }
}
