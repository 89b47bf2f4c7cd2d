//! What administrators use: sets of nftables and of ipset.

use super::{BOTH, Contender, Guard, IPSET, NFT_INGRESS, Role, entered};
use crate::{
    bans::{Family, Load, key, net},
    host::{Host, try_run},
};
use std::fmt::Write as _;

/// Where an nftables rule asks its set.
#[derive(Clone, Copy)]
enum Hook {
    Ingress,
    Prerouting,
}

pub fn all() -> Vec<Contender> {
    let one = |name, families, set_up| Contender { name, role: Role::Table, families, bans_max: u32::MAX, nets: true, set_up };
    vec![
        one(NFT_INGRESS, BOTH, Box::new(|host, load| nft(host, load, Hook::Ingress))),
        one("nftables, prerouting (raw) set with timeouts", BOTH, Box::new(|host, load| nft(host, load, Hook::Prerouting))),
        one(IPSET, &[Family::V4], Box::new(ipset)),
    ]
}

fn nft(host: &Host, load: &Load, hook: Hook) -> Result<Guard, String> {
    let rules = rules(load, hook, &host.interface());
    let cost = entered(|| host.run(move || try_run("nft", &["-f", "-"], &rules)))?;
    Ok(Guard { _held: Box::new(()), cost: Some(cost), octets: None })
}

/// The bans of a load as a table of nftables.
fn rules(load: &Load, hook: Hook, interface: &str) -> String {
    let (family, at) = match hook {
        Hook::Ingress => ("netdev", format!("hook ingress device {interface} priority 0")),
        Hook::Prerouting => ("inet", "hook prerouting priority raw".into()),
    };
    let mut text = format!("table {family} bans {{\n{}", nft_set(load));
    let mut chain = format!("chain in {{ type filter {at};\n");
    chain += match load.family {
        Family::V4 => "ip saddr @banned drop\n",
        // As we do: a customer's /64 is one ban, found with one look into a hash.
        Family::V6 => "ip6 saddr & ffff:ffff:ffff:ffff:: @banned drop\n",
    };
    if load.nets > 0 {
        let nets: Vec<String> = (0..load.nets).map(net).collect();
        let elements = format!("elements = {{ {} }};", nets.join(", "));
        writeln!(text, "set nets {{ type ipv4_addr; flags interval; {elements} }}").unwrap();
        chain += "ip saddr @nets drop\n";
    }
    text + &chain + "}\n}\n"
}

fn nft_set(load: &Load) -> String {
    let kind = if load.family == Family::V4 { "ipv4_addr" } else { "ipv6_addr" };
    let mut text = format!("set banned {{ type {kind}; flags timeout; elements = {{ ");
    for number in 0..load.bans {
        write!(text, "{} timeout 24h, ", key(load.family, number)).unwrap();
    }
    text + "}; }\n"
}

/// An nftables table that guards `interface` at ingress.
pub fn ingress(load: &Load, interface: &str) -> String {
    rules(load, Hook::Ingress, interface)
}

fn ipset(host: &Host, load: &Load) -> Result<Guard, String> {
    let size = load.bans.max(1_024);
    let mut text = format!("create banned hash:ip timeout 86400 hashsize {size} maxelem {size}\n");
    for number in 0..load.bans {
        writeln!(text, "add banned {}", key(load.family, number)).unwrap();
    }
    text += "create nets hash:net timeout 86400\n";
    for number in 0..load.nets {
        writeln!(text, "add nets {}", net(number)).unwrap();
    }
    let cost = entered(|| host.run(move || try_run("ipset", &["restore", "-exist"], &text)))?;
    let sets = if load.nets > 0 { &["banned", "nets"][..] } else { &["banned"] };
    for set in sets {
        let args = ["-t", "raw", "-A", "PREROUTING", "-m", "set", "--match-set", set, "src", "-j", "DROP"];
        host.run(move || {
            // The older one is faster, where it is there; each is what somebody runs.
            try_run("iptables-legacy", &args, "").or_else(|_| try_run("iptables", &args, ""))
        })?;
    }
    Ok(Guard { _held: Box::new(()), cost: Some(cost), octets: None })
}
