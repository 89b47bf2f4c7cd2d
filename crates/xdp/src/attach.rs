//! The program onto the interfaces, through links that outlive it.

use crate::{
    Attach, AttachMode, Error, Occupant, OnExit, Options, bpf,
    link::{Link, Seat},
    pins::{self, LinkPin, Pins},
    system::{self, Interface},
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

/// Puts the program on every interface: in place of an earlier start's through the pinned link, so that no packet meets
/// neither program, or newly. Links of interfaces that are not named any more come off.
pub(crate) fn attach_all(
    program: BorrowedFd<'_>,
    interfaces: &[Interface],
    options: &Options,
    pins: Option<&Pins>,
) -> Result<Vec<Link>, Error> {
    let mut earlier = pins.map(Pins::all_links).unwrap_or_default();
    let mut links = Vec::new();
    let mut made = Made(Vec::new());
    for interface in interfaces {
        let link = match take_over(program, interface, options.attach, &mut earlier)? {
            Some(link) => link,
            None => attach(program, interface, options.attach)?,
        };
        if let Some(pins) = pins.filter(|_| options.exit == OnExit::Hold) {
            pin(&link, pins, &mut made)?;
        }
        links.push(link);
    }
    made.0.clear();
    for pin in earlier {
        tracing::info!(index = pin.index, "an interface that is not guarded any more is released");
        take_off(&pin)?;
    }
    Ok(links)
}

/// Pins made by this start, removed again unless all went well.
struct Made(Vec<std::path::PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.drain(..) {
            let _already_gone = pins::remove_file(&path);
        }
    }
}

/// Replaces the program on an interface that an earlier start has attached to, if it sits there as wanted.
fn take_over(
    program: BorrowedFd<'_>,
    interface: &Interface,
    wanted: Attach,
    earlier: &mut Vec<LinkPin>,
) -> Result<Option<Link>, Error> {
    let mut taken = None;
    let (here, elsewhere) = earlier.drain(..).partition(|pin| pin.index == interface.index);
    *earlier = elsewhere;
    let here: Vec<LinkPin> = here;
    for pin in here {
        let fits = match wanted {
            Attach::Auto => true,
            Attach::Native => pin.mode == AttachMode::Native,
            Attach::Generic => pin.mode == AttachMode::Generic,
        };
        let link = bpf::get(&pin.path).ok().map(|fd| Link::new(interface.clone(), Seat::Xdp(pin.mode), fd));
        let live = link.filter(|link| fits && taken.is_none() && link.is_attached());
        match live.filter(|link| bpf::link_update(link.fd(), program).is_ok()) {
            Some(link) => taken = Some(link),
            // One program fits on an interface, so this is another name for the link just taken, or a dead one.
            None if taken.is_some() => pins::remove_file(&pin.path)?,
            // The interface is another one by now, or the program must sit differently: it comes off.
            None => take_off(&pin)?,
        }
    }
    Ok(taken)
}

/// Takes a pinned link off its interface, and removes the pin.
fn take_off(pin: &LinkPin) -> Result<(), Error> {
    if let Ok(fd) = bpf::get(&pin.path) {
        let _gone_already = bpf::link_detach(fd.as_fd());
    }
    pins::remove_file(&pin.path)
}

fn attach(program: BorrowedFd<'_>, interface: &Interface, wanted: Attach) -> Result<Link, Error> {
    put(program, interface, wanted).map_err(|source| match failure(interface, source) {
        Error::Attach { interface, source } if wanted == Attach::Native => Error::NotNative { interface, source },
        other => other,
    })
}

/// Puts the program on an interface that is free.
pub(crate) fn put(program: BorrowedFd<'_>, interface: &Interface, wanted: Attach) -> io::Result<Link> {
    let link = |mode, flags| {
        let fd = bpf::link_create(program, interface.index, flags)?;
        Ok(Link::new(interface.clone(), Seat::Xdp(mode), fd))
    };
    let native = || link(AttachMode::Native, bpf::MODE_NATIVE);
    let generic = || link(AttachMode::Generic, bpf::MODE_GENERIC);
    match wanted {
        Attach::Native => native(),
        Attach::Generic => generic(),
        Attach::Auto => native().or_else(|error| match error.raw_os_error() {
            Some(libc::EBUSY | libc::EEXIST) => Err(error),
            denied if system::is_denied(denied) => Err(error),
            _ => {
                tracing::debug!(interface = interface.name, %error, "no native XDP, so generic");
                generic()
            }
        }),
    }
}

fn failure(interface: &Interface, source: io::Error) -> Error {
    match source.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => {
            Error::Occupied { interface: interface.name.clone(), by: Occupant::of(&interface.name) }
        }
        denied if system::is_denied(denied) => Error::Privilege { doing: format!("attach to {}", interface.name) },
        _ => Error::Attach { interface: interface.name.clone(), source },
    }
}

/// Pins the link under this version's name, if it is not pinned there yet.
fn pin(link: &Link, pins: &Pins, made: &mut Made) -> Result<(), Error> {
    let path = pins.link(link);
    if path.exists() {
        return Ok(());
    }
    bpf::pin(link.fd(), &path).map_err(|source| Error::Pin { doing: "pin", path: path.clone(), source })?;
    made.0.push(path);
    Ok(())
}
