//! The second program onto the interfaces, at the door of the network stack: connections to dark ports go to the trap, or
//! dark ports are silent.
//!
//! As with the first program, pinned links outlive the process, and a later start replaces the program in place. The
//! sockets do not: when their process ends, the kernel takes them out of the table, and dark ports are closed ports.

use crate::{
    Dark, Error, INTERFACES_MAX, OnExit, Options, bpf,
    link::{Link, LinkHandle, Seat},
    pins::{self, Pins, SteeringPin},
    system::{self, Interface},
};
use aya::{Ebpf, programs::SchedClassifier};
use honeymesh_xdp_abi::table;
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

/// Links of the keeper that are looked at: one an interface, and as many that have been put off since.
const KEPT_MAX: usize = 2 * INTERFACES_MAX;

/// The links of the second program, one an interface; none if dark ports refuse. Unpinned, they come off when
/// this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    /// The program, and its number; `None` if none is wanted, or this kernel has no place for it.
    program: Option<(OwnedFd, u32)>,
    links: Vec<Link>,
    /// What the keeper has put on since.
    kept: Vec<LinkHandle>,
    /// Pins made by this start, removed again unless [`Steering::keep`] is called.
    made: Made,
    /// Links of earlier starts that nobody wants any more.
    unwanted: Vec<SteeringPin>,
}

impl Steering {
    /// The program, if one is wanted.
    pub(crate) fn program(&self) -> Option<BorrowedFd<'_>> {
        self.program.as_ref().map(|(fd, _)| fd.as_fd())
    }

    /// The number of the program, if one is wanted.
    pub(crate) fn program_id(&self) -> Option<u32> {
        self.program.as_ref().map(|(_, id)| *id)
    }

    /// What this start has put on.
    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    /// Everything that may hold the program on an interface.
    pub(crate) fn handles(&self) -> Vec<LinkHandle> {
        self.links.iter().map(Link::handle).chain(self.kept.iter().cloned()).collect()
    }

    /// Takes a link that the keeper has made; what it says is not believed, but asked of the kernel. Links that have come
    /// off make room; one that finds none is left out, and its interface told as one without the program.
    pub(crate) fn heed(&mut self, link: LinkHandle) {
        let Some(program) = self.program_id() else { return };
        self.kept.retain(|kept| kept.steers(program).is_some());
        let id = |fd: BorrowedFd<'_>| bpf::link_id(fd).ok();
        let is_known = self.handles().iter().any(|known| id(known.fd()) == id(link.fd()));
        if is_known || link.steers(program).is_none() {
            return;
        }
        if self.kept.len() < KEPT_MAX {
            self.kept.push(link);
        } else {
            tracing::warn!("the keeper holds more links of the second program than are looked at");
        }
    }

    /// Takes the program off at once, everywhere.
    pub(crate) fn detach(&self) {
        self.links.iter().for_each(Link::detach);
        for link in &self.kept {
            let _gone_already = bpf::link_detach(link.fd());
        }
    }
}

/// Makes the second program sit where the options want it: on every interface or on none. What an earlier start has left
/// is taken over in place; what is not wanted comes off with [`Steering::keep`].
pub(crate) fn attach_all(
    object: &mut Ebpf,
    interfaces: &[Interface],
    options: &Options,
    pins: Option<&Pins>,
) -> Result<Steering, Error> {
    let mut steering = Steering { unwanted: pins.map(Pins::all_steering).unwrap_or_default(), ..Steering::default() };
    match (options.dark, system::check_steering()) {
        (Dark::Refuse, _) => return Ok(steering),
        (Dark::Silent, Err(_)) => {
            tracing::warn!("this kernel is too old to silence UDP and ACK to dark ports (Linux 6.6 can); they are answered");
            return Ok(steering);
        }
        (_, checked) => checked?,
    }
    let program = load(object)?;
    let failed = |error: io::Error| Error::Refused(error.to_string());
    let id = bpf::program_info(program).map_err(failed)?.id;
    steering.program = Some((program.try_clone_to_owned().map_err(failed)?, id));
    let pins = pins.filter(|_| options.exit == OnExit::Hold);
    interfaces.iter().try_for_each(|interface| steering.guard(program, interface, pins))?;
    Ok(steering)
}

impl Steering {
    fn guard(&mut self, program: BorrowedFd<'_>, interface: &Interface, pins: Option<&Pins>) -> Result<(), Error> {
        let (here, elsewhere) = self.unwanted.drain(..).partition(|pin| pin.index == interface.index);
        self.unwanted = elsewhere;
        let link = match take_over(program, interface, here)? {
            Some(link) => link,
            None => attach(program, interface)?,
        };
        if let Some(pins) = pins {
            pin(&link, pins, &mut self.made)?;
        }
        self.links.push(link);
        Ok(())
    }

    /// All went well: what was made stays, and what nobody wants any more goes.
    pub(crate) fn keep(&mut self) -> Result<(), Error> {
        self.made.0.clear();
        self.unwanted.drain(..).try_for_each(|pin| take_off(&pin))
    }
}

/// Files that are removed again.
#[derive(Debug, Default)]
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.drain(..) {
            let _already_gone = pins::remove_file(&path);
        }
    }
}

/// Has the kernel verify the program.
fn load(object: &mut Ebpf) -> Result<BorrowedFd<'_>, Error> {
    let missing = || Error::Refused(format!("the object lacks the program {}", table::STEERING));
    let program: &mut SchedClassifier =
        object.program_mut(table::STEERING).ok_or_else(missing)?.try_into().map_err(|_| missing())?;
    crate::load::verified(|| program.load())?;
    Ok(program.fd().map_err(|error| Error::Refused(error.to_string()))?.as_fd())
}

/// Replaces the program of the first live link that an earlier start has left on this interface. Other links of ours come
/// off, and other names of the one that is taken go.
fn take_over(program: BorrowedFd<'_>, interface: &Interface, here: Vec<SteeringPin>) -> Result<Option<Link>, Error> {
    let mut taken: Option<Link> = None;
    for pin in here {
        let link = bpf::get(&pin.path).ok().map(|fd| Link::new(interface.clone(), Seat::Tcx, fd));
        let Some(link) = link.filter(Link::is_attached) else {
            pins::remove_file(&pin.path)?;
            continue;
        };
        match &taken {
            Some(first) if bpf::link_id(first.fd()).ok() == bpf::link_id(link.fd()).ok() => {
                pins::remove_file(&pin.path)?;
            }
            None if bpf::link_update(link.fd(), program).is_ok() => taken = Some(link),
            _ => take_off(&pin)?,
        }
    }
    Ok(taken)
}

fn attach(program: BorrowedFd<'_>, interface: &Interface) -> Result<Link, Error> {
    put(program, interface).map_err(|source| failure(interface, source))
}

/// Puts the program on an interface, in front of whatever is there.
pub(crate) fn put(program: BorrowedFd<'_>, interface: &Interface) -> io::Result<Link> {
    let fd = bpf::tcx_create(program, interface.index)?;
    Ok(Link::new(interface.clone(), Seat::Tcx, fd))
}

fn failure(interface: &Interface, source: io::Error) -> Error {
    if system::is_denied(source.raw_os_error()) {
        return Error::Privilege { doing: format!("attach to {}", interface.name) };
    }
    Error::Attach { interface: interface.name.clone(), source }
}

fn pin(link: &Link, pins: &Pins, made: &mut Made) -> Result<(), Error> {
    let path = pins.link(link);
    if path.exists() {
        return Ok(());
    }
    bpf::pin(link.fd(), &path).map_err(|source| Error::Pin { doing: "pin", path: path.clone(), source })?;
    made.0.push(path);
    Ok(())
}

/// Takes a pinned link off its interface, and removes the pin.
fn take_off(pin: &SteeringPin) -> Result<(), Error> {
    if let Ok(fd) = bpf::get(&pin.path) {
        let _gone_already = bpf::link_detach(fd.as_fd());
    }
    pins::remove_file(&pin.path)
}
