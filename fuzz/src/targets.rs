//! All targets, by the names that folders, the command line and the documentation use.

mod api;
mod config;
mod datagrams;
mod kernel;
mod lies;
mod mesh;
mod orders;
mod packets;
mod recognise;
mod rule_text;
mod rules;
mod script;
mod ssh;
mod words;

use crate::Target;
pub(crate) use mesh::{pair::HONEST, seeds as mesh_seeds};

/// Every target.
const ALL: &[Target] = &[
    Target::talk("adb"),
    Target::talk("any"),
    Target::talk("dns"),
    Target::talk("docker"),
    Target::talk("elasticsearch"),
    Target::talk("ftp"),
    Target::talk("http"),
    Target::talk("https"),
    Target::talk("imap"),
    Target::talk("imaps"),
    Target::talk("kubernetes"),
    Target::talk("ldap"),
    Target::talk("memcached"),
    Target::talk("modbus"),
    Target::talk("mongodb"),
    Target::talk("mqtt"),
    Target::talk("mssql"),
    Target::talk("mysql"),
    Target::talk("pop3"),
    Target::talk("pop3s"),
    Target::talk("postgresql"),
    Target::talk("rdp"),
    Target::talk("redis"),
    Target::talk("sip"),
    Target::talk("smb"),
    Target::talk("smtp"),
    Target::talk("smtps"),
    Target::talk("ssh"),
    Target::talk("telnet"),
    Target::talk("vnc"),
    Target::new("api", "what is said to the API's doors: requests in HTTP, their paths, queries and bodies", api::talk),
    Target::new("config", "a configuration file", config::file),
    Target::new("datagrams", "datagrams to the services over UDP", datagrams::any),
    Target::new(
        "kernel-words",
        "what the kernel, the keeper and /proc tell: records, logged packets, interfaces, routes",
        kernel::told,
    ),
    Target::new("lies", "what the process that plays tells the daemon, once somebody has taken it over", lies::told),
    Target::new("mesh-member", "what a member says who was taken over: messages, records, sketches, stream frames", mesh::member),
    Target::new(
        "mesh-stranger",
        "what a stranger says to a mesh: datagrams, requests to join, records as proofs",
        mesh::stranger,
    ),
    Target::new(
        "orders",
        "what the node's own processes say to each other, nf_tables' answers, and who is said to be logged in",
        orders::said,
    ),
    Target::new("packets", "frames, as the kernel program judges them", packets::judged),
    Target::new("recognise", "the recognisers, and the layers they open", recognise::look),
    Target::new("rule-text", "a text of rules, and what is said to what it compiles to", rule_text::read),
    Target::new("rules", "an operator's rules, some of them nasty, held against what was said", rules::look),
    Target::new("script", "an operator's script, and what is said to it", script::played),
    Target::new("sftp", "what is said to the SFTP server behind an SSH client's login", ssh::files),
    Target::new("ssh-inside", "messages of an SSH client behind a real key exchange", ssh::inside),
    Target::new("words", "numbers, times, subjects, names, keys and orders, as people and clients write them", words::any),
];

/// Every target, in the order of the list.
#[must_use]
pub const fn all() -> &'static [Target] {
    ALL
}

/// The target of this name.
#[must_use]
pub fn named(name: &str) -> Option<Target> {
    ALL.iter().find(|target| target.name == name).copied()
}
