//! Traps that no single machine would serve, on one address: whoever scans it sees that nobody is at home.

use super::{Config, Trap, problem::Place, reader::Document};
use std::net::IpAddr;

/// The kind of machine that a service is found on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Machine {
    /// The persona: Debian, with what is packaged for it.
    Debian,
    /// A remote desktop with network level authentication, as Windows has it.
    Windows,
    /// A television box.
    Android,
    /// A controller in a factory.
    Controller,
}

impl Machine {
    /// `None`: it is found anywhere, or is forwarded by the router in front of any machine.
    fn of(trap: &Trap) -> Option<Self> {
        match trap.definition.service.as_str() {
            "rdp" => Some(Self::Windows),
            "adb" => Some(Self::Android),
            "modbus" => Some(Self::Controller),
            "script" | "any" | "telnet" | "ssdp" | "mssql" => None,
            "http" | "https" if trap.definition.site.as_deref() == Some("router") => None,
            _ => Some(Self::Debian),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Debian => "a Debian server's",
            Self::Windows => "a Windows machine's",
            Self::Android => "a television box's",
            Self::Controller => "a factory controller's",
        }
    }
}

/// One address that a trap listens on.
struct Seat<'a> {
    trap: &'a Trap,
    machine: Machine,
    ip: IpAddr,
    place: Option<Place>,
}

/// Warns once of each trap that does not fit beside an earlier one.
pub(super) fn across(doc: &Document<'_>, config: &Config) {
    let seats: Vec<Seat<'_>> = config.traps.iter().flat_map(seats).collect();
    let mut warned: Vec<&str> = Vec::new();
    for (index, later) in seats.iter().enumerate() {
        let misfit = |earlier: &&Seat<'_>| earlier.machine != later.machine && meet(earlier.ip, later.ip);
        let Some(earlier) = seats[..index].iter().find(misfit) else { continue };
        let name = later.trap.name.value.as_str();
        if warned.contains(&name) {
            continue;
        }
        warned.push(name);
        let (mine, theirs) = (&later.trap.definition.service, &earlier.trap.definition.service);
        doc.warn(
            later.place,
            format!(
                "trap `{name}`: {mine} is {} and {theirs} (trap `{}`) {}, which no machine has on one address; give it an address of its own, or leave it out",
                later.machine.name(),
                earlier.trap.name.value,
                earlier.machine.name(),
            ),
        );
    }
}

fn seats(trap: &Trap) -> impl Iterator<Item = Seat<'_>> {
    let machine = Machine::of(trap);
    trap.listen.iter().filter_map(move |listen| {
        machine.map(|machine| Seat { trap, machine, ip: listen.value.ip().to_canonical(), place: listen.place })
    })
}

/// Can both be reached at one address? A wildcard has every address of its family.
fn meet(one: IpAddr, other: IpAddr) -> bool {
    one == other || (one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified()))
}
