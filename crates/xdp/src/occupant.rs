//! Who holds an interface that we want, and how to make room.
//!
//! Only one XDP program fits on an interface. libxdp gets around that with a dispatcher, a program that calls others
//! through `freplace`; joining it needs type information in our program, which has none. So an occupied interface is
//! refused, with everything that an operator needs to decide.

use crate::{AttachMode, bpf, netlink::Netlink};
use honeymesh_xdp_abi::table;
use std::{fmt, os::fd::AsFd};

/// The name that libxdp gives its dispatcher.
const DISPATCHER: &str = "xdp_dispatcher";

/// An XDP program that is not ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occupant {
    /// Its number, by which `bpftool prog show id` knows it; `None` if it went in the meantime.
    pub program: Option<u32>,
    /// Its name; `None` without the power to ask (`CAP_SYS_ADMIN`), which only the start has.
    pub name: Option<String>,
    /// Where it sits; `None` if in the network card.
    pub mode: Option<AttachMode>,
}

impl Occupant {
    /// Who sits on `interface` now.
    pub(crate) fn of(interface: &str) -> Self {
        let Some(seen) = Netlink::open().and_then(|netlink| netlink.named(interface)).ok().flatten() else {
            return Self::default();
        };
        let slots = [(seen.native, Some(AttachMode::Native)), (seen.generic, Some(AttachMode::Generic)), (seen.offloaded, None)];
        let Some((Some(program), mode)) = slots.into_iter().find(|(program, _)| program.is_some()) else {
            return Self::default();
        };
        let info = bpf::program_by_id(program).and_then(|fd| bpf::program_info(fd.as_fd()));
        Self { program: Some(program), name: info.ok().map(|info| info.name), mode }
    }

    /// Is it libxdp's dispatcher, with other programs below it?
    #[must_use]
    pub fn is_dispatcher(&self) -> bool {
        self.name.as_deref() == Some(DISPATCHER)
    }

    /// What an operator can do about it.
    #[must_use]
    pub fn mend(&self, interface: &str) -> String {
        match self.name.as_deref() {
            Some(DISPATCHER) => format!("take it and what it calls off with `xdp-loader unload --all {interface}`"),
            Some(table::PROGRAM) => {
                "stop the honeymesh that has put it there, or run `honeymesh release` with its configuration".into()
            }
            _ => format!(
                "take it off with `ip link set dev {interface} xdp off`, or, if that says busy, end the process that holds its link (`bpftool link` names it)"
            ),
        }
    }
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}`")?,
            None => f.write_str("a program")?,
        }
        let program = self.program.map_or_else(|| "gone by now".into(), |program| format!("number {program}"));
        let mode = self.mode.map_or("in the network card", AttachMode::as_str);
        write!(f, " ({program}, {mode}")?;
        if self.is_dispatcher() {
            f.write_str(", libxdp's dispatcher")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_occupant_is_told_with_the_way_to_take_it_off() {
        let of = |name: &str| Occupant { program: Some(7), name: Some(name.into()), mode: Some(AttachMode::Native) };
        assert_eq!(of("other").to_string(), "`other` (number 7, native)");
        assert_eq!(of(DISPATCHER).to_string(), "`xdp_dispatcher` (number 7, native, libxdp's dispatcher)");
        assert!(of(DISPATCHER).mend("eth0").contains("xdp-loader unload --all eth0"));
        assert!(of("other").mend("eth0").contains("ip link set dev eth0 xdp off"));
        assert!(of(table::PROGRAM).mend("eth0").contains("honeymesh release"));
        assert_eq!(Occupant::default().to_string(), "a program (gone by now, in the network card)");
    }
}
