//! The guarded interfaces: how each would be enforced on, and why.

use super::{
    finding::{Area, Finding, State},
    rung::Ladder,
};
use crate::config::{Attach, Config};
use honeymesh_format::DoctorInterfaceJson;
use honeymesh_xdp::{
    AttachMode, Occupant, default_route_interface,
    doctor::{Attached, InterfaceFacts, wanted_interfaces},
};

/// Beyond this, a packet may not fit into one page with what a driver puts beside it.
const MTU_PAGE: u32 = 3_400;
const MATTERS: &str = "an interface without the program is not defended";

/// The interfaces that a start would guard.
pub struct Guarded {
    pub names: Vec<String>,
    /// How they were chosen, if that needs saying.
    pub finding: Option<Finding>,
}

/// Those of the configuration, or the default route's.
pub fn guarded(config: &Config) -> Guarded {
    if !config.xdp.interfaces.is_empty() {
        let wanted: Vec<String> = config.xdp.interfaces.iter().map(|name| name.value.clone()).collect();
        return Guarded { names: wanted_interfaces(&wanted), finding: None };
    }
    match default_route_interface() {
        Ok(name) => {
            let detail = format!("none is named, so the default route's is guarded: {name}");
            let finding = Finding::new(Area::Interface, "choice", State::Ok, detail, MATTERS);
            Guarded { names: vec![name], finding: Some(finding) }
        }
        Err(error) => {
            let finding = Finding::new(Area::Interface, "choice", State::Fail, error.to_string(), MATTERS);
            let finding = finding.mend("name the interfaces in [xdp] interfaces");
            Guarded { names: Vec::new(), finding: Some(finding) }
        }
    }
}

/// What would become of one interface.
#[derive(Debug)]
pub struct Plan {
    pub json: DoctorInterfaceJson,
    pub findings: Vec<Finding>,
}

/// How an interface would be enforced on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Native,
    Generic,
    Nftables,
    None,
    Unknown,
}

impl Mode {
    const fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Nftables => "nftables",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

/// A mode, how good that is, why, and how to mend it.
struct Choice {
    mode: Mode,
    state: State,
    why: String,
    mend: Option<String>,
}

fn choice(mode: Mode, state: State, why: impl Into<String>) -> Choice {
    Choice { mode, state, why: why.into(), mend: None }
}

impl Choice {
    fn mend(self, how: impl Into<String>) -> Self {
        Self { mend: Some(how.into()), ..self }
    }
}

/// Says how an interface would be enforced on, from facts alone. One that is missing matters most if none is there at all.
pub fn plan(facts: &InterfaceFacts, is_one_there: bool, ladder: Ladder) -> Plan {
    let choice = match facts.exists {
        true => choose(facts, ladder),
        false => missing(is_one_there),
    };
    let json = DoctorInterfaceJson {
        name: facts.name.clone(),
        driver: facts.driver.clone(),
        mode: choice.mode.word().into(),
        why: choice.why.clone(),
        program: facts.attached.as_ref().map(program),
    };
    let detail = format!("{}: {}", choice.mode.word(), choice.why);
    let finding = Finding::new(Area::Interface, &facts.name, choice.state, detail, MATTERS);
    let mut findings = vec![choice.mend.map_or(finding.clone(), |mend| finding.mend(mend))];
    findings.extend(is_down(facts));
    findings.extend(is_too_large(facts, choice.mode));
    Plan { json, findings }
}

/// The program on an interface, in a word.
fn program(attached: &Attached) -> String {
    let name = attached.name.as_deref().unwrap_or("of unknown name");
    format!("{name} ({}, {})", attached.id, attached.mode.map_or("several or in hardware", AttachMode::as_str))
}

fn missing(is_one_there: bool) -> Choice {
    let mend = "nothing needs mending if it is to come later; else mend [xdp] interfaces: `ip link` lists them";
    match is_one_there {
        true => choice(Mode::None, State::Warn, "there is no such interface; it is guarded as soon as there is").mend(mend),
        false => choice(Mode::None, State::Fail, "there is no such interface, and none of the others named; a start needs one")
            .mend(mend),
    }
}

fn choose(facts: &InterfaceFacts, ladder: Ladder) -> Choice {
    let wanted = ladder.wanted;
    if wanted == Attach::Nftables {
        return nftables(ladder, "[xdp] attach = \"nftables\" says so");
    }
    if ladder.has_xdp == Some(false) {
        return without_xdp(ladder);
    }
    if let Some(attached) = &facts.attached {
        return occupied(facts, attached);
    }
    let driver = facts.driver.as_deref().unwrap_or("no driver that tells its name");
    match (wanted, facts.native) {
        (Attach::Nftables, _) => nftables(ladder, "[xdp] attach = \"nftables\" says so"),
        (Attach::Generic, _) => choice(Mode::Generic, State::Ok, "[xdp] attach = \"generic\" says so"),
        (Attach::Native | Attach::Auto, Some(true)) => {
            choice(Mode::Native, State::Ok, format!("the driver ({driver}) says that it runs XDP"))
        }
        (Attach::Native, Some(false)) => {
            let why = format!("[xdp] attach = \"native\", but the driver ({driver}) does not run XDP");
            choice(Mode::None, State::Fail, why).mend("set [xdp] attach = \"auto\"")
        }
        (Attach::Auto, Some(false)) => {
            let why = format!("the driver ({driver}) does not run XDP, so the network stack does: right, but dearer");
            choice(Mode::Generic, State::Warn, why)
                .mend("nothing needs mending; a card whose driver runs XDP drops several times cheaper")
        }
        (_, None) => {
            let why = format!(
                "the kernel does not tell (since 6.3) what the driver ({driver}) can; a start tries native, then generic"
            );
            choice(Mode::Unknown, State::Skip, why)
        }
    }
}

/// One program fits on an interface.
fn occupied(facts: &InterfaceFacts, attached: &Attached) -> Choice {
    let mode = match attached.mode {
        Some(AttachMode::Native) => Mode::Native,
        Some(AttachMode::Generic) => Mode::Generic,
        // nf_tables is no program on the interface.
        Some(AttachMode::Nftables) | None => Mode::Unknown,
    };
    if attached.is_ours {
        return choice(mode, State::Ok, "our program is on it already");
    }
    if attached.name.is_none() {
        let why = format!("there is an XDP program on it ({}), and this process may not ask whose", attached.id);
        return choice(mode, State::Skip, why).mend("run doctor as root");
    }
    let occupant = Occupant { program: Some(attached.id), name: attached.name.clone(), mode: attached.mode };
    let why = format!("another XDP program is on it: {}", program(attached));
    let leave = format!("or leave {} out of [xdp] interfaces", facts.name);
    choice(Mode::None, State::Fail, why).mend(format!("{}, {leave}", occupant.mend(&facts.name)))
}

/// nf_tables, because it is wanted.
fn nftables(ladder: Ladder, why: &str) -> Choice {
    match ladder.has_nftables {
        Some(false) => choice(Mode::None, State::Fail, format!("{why}, but this kernel has no nftables for us"))
            .mend("set [xdp] attach = \"auto\""),
        _ => choice(Mode::Nftables, State::Ok, why),
    }
}

/// There is no XDP for us: whoever insists on it does not start.
fn without_xdp(ladder: Ladder) -> Choice {
    match ladder.has_nftables {
        _ if ladder.wanted != Attach::Auto => {
            choice(Mode::None, State::Fail, "[xdp] attach insists on XDP, and this kernel has none for us")
                .mend("set [xdp] attach = \"auto\", or run Linux 5.18 or later with XDP")
        }
        Some(true) => {
            choice(Mode::Nftables, State::Warn, "this kernel has no XDP for us, so nftables drops at the interface's ingress")
                .mend("run Linux 5.18 or later with XDP")
        }
        _ => choice(Mode::None, State::Fail, "this kernel has neither XDP for us nor nftables")
            .mend("run Linux 5.18 or later with XDP"),
    }
}

fn is_down(facts: &InterfaceFacts) -> Option<Finding> {
    let is_down = facts.exists && !facts.is_up;
    let finding = || {
        let detail = "is switched off; it can be guarded, and is once it is on";
        let finding = Finding::new(Area::Interface, &facts.name, State::Warn, detail, "nothing arrives there");
        finding.mend(format!("ip link set dev {} up", facts.name))
    };
    is_down.then(finding)
}

fn is_too_large(facts: &InterfaceFacts, mode: Mode) -> Option<Finding> {
    let mtu = facts.mtu.filter(|mtu| *mtu > MTU_PAGE && mode == Mode::Native && facts.native_large == Some(false))?;
    let detail = format!("its MTU is {mtu}, and the driver does not hand packets of several pages to XDP");
    let matters = "such drivers refuse XDP at that size, so a start falls back to generic";
    let finding = Finding::new(Area::Interface, &facts.name, State::Warn, detail, matters);
    Some(finding.mend(format!("ip link set dev {} mtu 1500, or live with generic", facts.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eth0() -> InterfaceFacts {
        InterfaceFacts {
            name: "eth0".into(),
            exists: true,
            is_up: true,
            mtu: Some(1_500),
            driver: Some("virtio_net".into()),
            native: Some(true),
            native_large: Some(false),
            attached: None,
        }
    }

    const fn all(wanted: Attach) -> Ladder {
        Ladder { wanted, has_xdp: Some(true), has_nftables: Some(true) }
    }

    fn told(facts: &InterfaceFacts, wanted: Attach) -> (String, State) {
        let plan = plan(facts, false, all(wanted));
        (plan.json.mode, plan.findings[0].state)
    }

    #[test]
    fn the_mode_follows_the_driver_and_the_wish() {
        let cannot = InterfaceFacts { native: Some(false), ..eth0() };
        let silent = InterfaceFacts { native: None, ..eth0() };
        let table = [
            (eth0(), Attach::Auto, "native", State::Ok),
            (eth0(), Attach::Native, "native", State::Ok),
            (eth0(), Attach::Generic, "generic", State::Ok),
            (cannot.clone(), Attach::Auto, "generic", State::Warn),
            (cannot, Attach::Native, "none", State::Fail),
            (silent, Attach::Auto, "unknown", State::Skip),
            (InterfaceFacts { exists: false, ..eth0() }, Attach::Auto, "none", State::Fail),
        ];
        for (facts, wanted, mode, state) in table {
            assert_eq!(told(&facts, wanted), (mode.into(), state), "{facts:?} {wanted:?}");
        }
    }

    #[test]
    fn a_program_on_the_interface_is_ours_or_in_the_way() {
        let with = |name: Option<&str>, is_ours| {
            let attached = Attached { id: 7, mode: Some(AttachMode::Generic), name: name.map(Into::into), is_ours };
            InterfaceFacts { attached: Some(attached), ..eth0() }
        };
        assert_eq!(told(&with(Some("honeymesh"), true), Attach::Auto), ("generic".into(), State::Ok));
        assert_eq!(told(&with(None, false), Attach::Auto), ("generic".into(), State::Skip));
        let other = plan(&with(Some("xdp_dispatcher"), false), false, all(Attach::Auto));
        assert_eq!((other.json.mode.as_str(), other.findings[0].state), ("none", State::Fail));
        assert!(other.findings[0].mend.as_ref().unwrap().contains("xdp-loader unload --all eth0`, or leave eth0 out"));
        assert_eq!(other.json.program.as_deref(), Some("xdp_dispatcher (7, generic)"));
    }

    #[test]
    fn without_xdp_nftables_is_the_last_resort() {
        let told = |wanted, has_nftables| {
            let plan = plan(&eth0(), false, Ladder { wanted, has_xdp: Some(false), has_nftables: Some(has_nftables) });
            (plan.json.mode, plan.findings[0].state)
        };
        let refused = || ("none".to_owned(), State::Fail);
        assert_eq!(
            [told(Attach::Auto, true), told(Attach::Nftables, true)],
            [State::Warn, State::Ok].map(|state| ("nftables".into(), state))
        );
        assert_eq!([told(Attach::Auto, false), told(Attach::Nftables, false)], [refused(), refused()]);
        // Whoever insists does not fall back.
        assert_eq!([told(Attach::Native, true), told(Attach::Generic, true)], [refused(), refused()]);
    }

    #[test]
    fn sleeping_and_jumbo_interfaces_are_pointed_out() {
        let facts = InterfaceFacts { is_up: false, mtu: Some(9_000), ..eth0() };
        let plan = plan(&facts, false, all(Attach::Auto));
        let states: Vec<State> = plan.findings.iter().map(|finding| finding.state).collect();
        assert_eq!(states, [State::Ok, State::Warn, State::Warn]);
    }
}
