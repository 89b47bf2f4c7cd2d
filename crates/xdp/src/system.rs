//! What the machine must offer before anything is tried.

use crate::{
    Error,
    wanted::{self, INTERFACES_MAX},
};
use nix::{
    net::if_::{if_nameindex, if_nametoindex},
    sys::utsname::uname,
};
use std::io;

/// The oldest kernel whose XDP and ring buffer have all that the program uses.
const KERNEL_MIN: (u32, u32) = (5, 18);
const KERNEL_MIN_TEXT: &str = "5.18";

/// The oldest kernel whose links at the door of the network stack outlive the process that made them (tcx).
const STEERING_MIN: (u32, u32) = (6, 6);

/// An interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: u32,
}

/// Can dark ports be traps on this kernel?
pub(crate) fn check_steering() -> Result<(), Error> {
    let release = release();
    match version(&release) {
        Some(version) if version < STEERING_MIN => Err(Error::NoSteering { release }),
        _ => Ok(()),
    }
}

fn release() -> String {
    uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default()
}

pub(crate) fn check_kernel() -> Result<(), Error> {
    let release = release();
    // A release that cannot be read is tried: the kernel itself will say what it lacks.
    match version(&release) {
        Some(version) if version < KERNEL_MIN => Err(Error::TooOld { release, needed: KERNEL_MIN_TEXT }),
        _ => Ok(()),
    }
}

/// Is the kernel older than this? One whose release cannot be read counts as new.
pub(crate) fn is_older_than(wanted: (u32, u32)) -> bool {
    let release = uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default();
    version(&release).is_some_and(|version| version < wanted)
}

pub(crate) fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Those of the wanted interfaces that are there, each once.
pub(crate) fn interfaces(wanted: &[String]) -> Result<Vec<Interface>, Error> {
    let present = interface_names();
    let mut found: Vec<Interface> = Vec::new();
    for wanted in wanted {
        let fitting = present.iter().filter(|name| wanted::is_pattern(wanted) && wanted::means(wanted, name));
        let names: Vec<&String> = if wanted::is_pattern(wanted) { fitting.collect() } else { vec![wanted] };
        for name in names {
            let Ok(index) = if_nametoindex(name.as_str()) else { continue };
            if found.iter().all(|known| known.index != index) && found.len() < INTERFACES_MAX {
                found.push(Interface { name: name.clone(), index });
            }
        }
    }
    match wanted.first() {
        Some(name) if found.is_empty() => Err(Error::NoSuchInterface { name: name.clone(), present }),
        _ => Ok(found),
    }
}

/// The interfaces there are, in the kernel's order.
pub(crate) fn interface_names() -> Vec<String> {
    let Ok(all) = if_nameindex() else { return Vec::new() };
    all.iter().map(|interface| interface.name().to_string_lossy().into_owned()).collect()
}

/// The kernel's error number at the bottom of an error, if there is one.
pub(crate) fn errno(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(number) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(number);
        }
        next = error.source();
    }
    None
}

/// Does the error mean that the process may not?
pub(crate) const fn is_denied(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::EPERM | libc::EACCES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_read() {
        assert_eq!(version("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(version("5.4.0-26-generic"), Some((5, 4)));
        assert_eq!(version("6.1"), Some((6, 1)));
        assert_eq!(version("odd"), None);
        assert!(check_kernel().is_ok());
    }

    #[test]
    fn an_unknown_interface_is_named_together_with_those_there_are() {
        let error = interfaces(&["nope0".into(), "nope*".into()]).unwrap_err().to_string();
        assert!(error.starts_with("interface `nope0` does not exist; this machine has: ") && error.contains("lo"), "{error}");
    }

    #[test]
    fn one_that_is_there_is_enough_and_a_pattern_finds_it_too() {
        for wanted in ["lo", "l*", "*"] {
            let found = interfaces(&["nope0".into(), wanted.into()]).unwrap();
            assert_eq!((found[0].name.as_str(), found[0].index), ("lo", 1), "{wanted}");
        }
    }

    #[test]
    fn an_interface_named_twice_is_guarded_once() {
        assert_eq!(interfaces(&["lo".into(), "lo".into()]).unwrap().len(), 1);
    }
}
