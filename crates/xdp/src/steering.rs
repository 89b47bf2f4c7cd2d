//! The second program onto the interfaces, at the door of the network stack: connections to dark ports go to the trap, or
//! dark ports are silent.
//!
//! As with the first program, pinned links outlive the process, and a later start replaces the program in place. The
//! sockets do not: when their process ends, the kernel takes them out of the table, and dark ports are closed ports.

use crate::{
    Dark, Error, OnExit, Options, bpf,
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

/// The links of the second program, one an interface; none if dark ports refuse. Unpinned, they come off when
/// this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    links: Vec<Link>,
    /// Pins made by this start, removed again unless [`Steering::keep`] is called.
    made: Made,
    /// Links of earlier starts that nobody wants any more.
    unwanted: Vec<SteeringPin>,
}

#[derive(Debug)]
struct Link {
    interface: Interface,
    fd: OwnedFd,
}

impl Link {
    /// The kernel takes a link off when its interface goes.
    fn is_attached(&self) -> bool {
        bpf::link_interface(self.fd.as_fd()).is_ok_and(|index| index == self.interface.index)
    }
}

impl Steering {
    /// The interfaces that it has come off.
    pub(crate) fn detached(&self) -> impl Iterator<Item = &str> {
        self.links.iter().filter(|link| !link.is_attached()).map(|link| link.interface.name.as_str())
    }

    /// Takes the program off at once, everywhere.
    pub(crate) fn detach(&self) {
        for link in &self.links {
            if let Err(error) = bpf::link_detach(link.fd.as_fd()) {
                tracing::debug!(interface = link.interface.name, %error, "no steering to detach");
            }
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
    program.load().map_err(|error| crate::load::refused(&error))?;
    Ok(program.fd().map_err(|error| Error::Refused(error.to_string()))?.as_fd())
}

/// Replaces the program of the first live link that an earlier start has left on this interface. Other links of ours come
/// off, and other names of the one that is taken go.
fn take_over(program: BorrowedFd<'_>, interface: &Interface, here: Vec<SteeringPin>) -> Result<Option<Link>, Error> {
    let mut taken: Option<Link> = None;
    for pin in here {
        let link = bpf::get(&pin.path).ok().map(|fd| Link { interface: interface.clone(), fd });
        let Some(link) = link.filter(Link::is_attached) else {
            pins::remove_file(&pin.path)?;
            continue;
        };
        match &taken {
            Some(first) if bpf::link_id(first.fd.as_fd()).ok() == bpf::link_id(link.fd.as_fd()).ok() => {
                pins::remove_file(&pin.path)?;
            }
            None if bpf::link_update(link.fd.as_fd(), program).is_ok() => taken = Some(link),
            _ => take_off(&pin)?,
        }
    }
    Ok(taken)
}

fn attach(program: BorrowedFd<'_>, interface: &Interface) -> Result<Link, Error> {
    let fd = bpf::tcx_create(program, interface.index).map_err(|source| failure(interface, source))?;
    Ok(Link { interface: interface.clone(), fd })
}

fn failure(interface: &Interface, source: io::Error) -> Error {
    if system::is_denied(source.raw_os_error()) {
        return Error::Privilege { doing: format!("attach to {}", interface.name) };
    }
    Error::Attach { interface: interface.name.clone(), source }
}

fn pin(link: &Link, pins: &Pins, made: &mut Made) -> Result<(), Error> {
    let path = pins.steering(link.interface.index);
    if path.exists() {
        return Ok(());
    }
    bpf::pin(link.fd.as_fd(), &path).map_err(|source| Error::Pin { doing: "pin", path: path.clone(), source })?;
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
