//! `[[peer]]`, `[canary]` and `[[bridge]]`: how far peers are believed.

use super::{Config, problem::Placed, reader::Document, reader::Section, sections::required, values};
use honeymesh_node::{BridgeRule, PeerRule, PeerWord, Quorum, SlowPolicy};
use honeymesh_types::{ClusterName, Grade, NodeId, NodeName, Trust};
use ipnet::IpNet;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// The longest life of a record.
const TTL_MAX: Duration = Duration::from_secs(7 * 86_400);
/// The most `[[peer]]` sections, and the most `[[bridge]]` sections.
const RULES_MAX: usize = 1_024;
/// The most canary nets; each record of a peer is compared with all of them.
const CANARIES_MAX: usize = 64;
/// Digits of an identity.
const ID_DIGITS: usize = 64;

/// How far peers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// `[[peer]]`, in the order of the file.
    pub peers: Vec<Placed<PeerRule>>,
    /// `[canary] nets`.
    pub canaries: Vec<Placed<IpNet>>,
    /// `[[bridge]]`, in the order of the file.
    pub bridges: Vec<Placed<BridgeRule>>,
}

/// All three.
pub(super) fn judgement(root: &Section<'_, '_>) -> Judgement {
    let canary = root.section("canary");
    let canaries = canary.list("nets", values::net).map_or_else(Vec::new, |nets| nets.value);
    if let Some(one) = canaries.get(CANARIES_MAX) {
        canary.doc.error(one.place, format!("[canary] nets: {CANARIES_MAX} at most; write wider prefixes or fewer"));
    }
    canary.finish();
    Judgement { peers: each(root, "peer", peer), canaries, bridges: each(root, "bridge", bridge) }
}

fn each<T>(root: &Section<'_, '_>, key: &'static str, read: impl Fn(Section<'_, '_>) -> Option<T>) -> Vec<Placed<T>> {
    let sections = root.sections(key);
    if let Some(one) = sections.get(RULES_MAX) {
        root.doc.error(one.place, format!("[[{key}]]: {RULES_MAX} at most; remove some"));
    }
    let placed = |section: Section<'_, '_>| {
        let place = section.place;
        read(section).map(|value| Placed { value, place })
    };
    sections.into_iter().filter_map(placed).collect()
}

/// `corroborate` and `corroborate_window` of a cluster.
pub(super) fn quorum(section: &Section<'_, '_>) -> Quorum {
    let (low, high) = (u64::from(*Quorum::OWNERS.start()), u64::from(*Quorum::OWNERS.end()));
    let owners = section.number("corroborate", low..=high).and_then(|given| u8::try_from(given.value).ok());
    let window = section.duration("corroborate_window", SECOND..=DAY).map(|given| given.value);
    let usual = Quorum::default();
    Quorum { owners: owners.unwrap_or(usual.owners), window: window.unwrap_or(usual.window) }
}

/// `slow`, `slow_witnesses` and `slow_window` of a cluster. What is only observed bans nobody, so there they are off unless asked for.
pub(super) fn slow(section: &Section<'_, '_>, trust: Trust) -> Option<SlowPolicy> {
    let (low, high) = (u64::from(*SlowPolicy::WITNESSES.start()), u64::from(*SlowPolicy::WITNESSES.end()));
    let is_on = section.switch_or("slow", trust > Trust::Observe);
    let witnesses = section.number("slow_witnesses", low..=high).and_then(|given| u8::try_from(given.value).ok());
    let window = section.duration("slow_window", MINUTE..=TTL_MAX).map(|given| given.value);
    let usual = SlowPolicy::default();
    let policy = SlowPolicy { witnesses: witnesses.unwrap_or(usual.witnesses), window: window.unwrap_or(usual.window) };
    is_on.then_some(policy)
}

fn peer(section: Section<'_, '_>) -> Option<PeerRule> {
    let node =
        required(&section, "node", section.text("node", peer_word), "write its name, or its id from `honeymesh peers --json`");
    let cluster = section.word::<ClusterName>("cluster").map(|cluster| cluster.value);
    let trust = section.word::<Trust>("trust").map(|trust| trust.value);
    let owner = section.word::<NodeName>("owner").map(|owner| owner.value);
    if trust.is_none() && owner.is_none() && !section.has("trust") && !section.has("owner") {
        section.doc.error(section.place, "[[peer]]: says nothing about the peer; write trust or owner");
    }
    section.finish();
    Some(PeerRule { node: node?.value, cluster, trust, owner })
}

/// 64 hexadecimal digits are an identity, anything else is a name.
fn peer_word(text: &str) -> Result<PeerWord, String> {
    let is_id = text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return text
            .parse()
            .map(PeerWord::Name)
            .map_err(|error: honeymesh_types::NameError| format!("{error}; or write the 64 digits of its id"));
    }
    let mut id = [0; 32];
    for (place, byte) in id.iter_mut().enumerate() {
        let digits = text.get(2 * place..2 * place + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
    }
    Ok(PeerWord::Key(NodeId(id)))
}

fn bridge(section: Section<'_, '_>) -> Option<BridgeRule> {
    let mend = "write the name of a [[cluster]] of this file";
    let from = required(&section, "from", section.word::<ClusterName>("from"), mend);
    let to = required(&section, "to", section.word::<ClusterName>("to"), mend);
    let grades = section.list("grades", |text| match text.parse() {
        Ok(Grade::Spoofable) => Err("spoofable: what may be forged never leaves the node that saw it; leave it out".into()),
        grade => grade.map_err(|error| error.to_string()),
    });
    let usual = || vec![Grade::Payload, Grade::Hostile];
    let grades = grades.map_or_else(usual, |list| list.value.into_iter().map(|grade| grade.value).collect());
    let ttl_max = section.duration("ttl_max", SECOND..=TTL_MAX).map_or(DAY, |given| given.value);
    section.finish();
    Some(BridgeRule { from: from?.value, to: to?.value, grades, ttl_max })
}

/// Names that must be those of clusters, and rules that cannot do what they say.
pub(super) fn across(doc: &Document<'_>, config: &Config) {
    let is_known = |name: &ClusterName| config.clusters.iter().any(|cluster| cluster.name.value == *name);
    let unknown = |name: &ClusterName| format!("`{name}` is no [[cluster]] of this file; write the name of one");
    for rule in &config.judgement.peers {
        if let Some(name) = rule.value.cluster.as_ref().filter(|name| !is_known(name)) {
            doc.error(rule.place, format!("[[peer]] cluster: {}", unknown(name)));
        }
        warn_of_names(doc, config, rule);
    }
    for bridge in &config.judgement.bridges {
        for (key, name) in [("from", &bridge.value.from), ("to", &bridge.value.to)] {
            if !is_known(name) {
                doc.error(bridge.place, format!("[[bridge]] {key}: {}", unknown(name)));
            }
        }
        if bridge.value.from == bridge.value.to {
            doc.error(bridge.place, "[[bridge]] to: is the same cluster as from; write another");
        }
        if bridge.value.grades.is_empty() {
            doc.warn(bridge.place, "[[bridge]] grades: is empty, so nothing crosses; name some grades, or remove the bridge");
        }
    }
    for canary in &config.judgement.canaries {
        let allowed = |net: &&Placed<IpNet>| net.value.contains(&canary.value) || canary.value.contains(&net.value);
        if let Some(net) = config.allow.iter().find(allowed) {
            let what = format!("[canary] nets: {} overlaps {} of [allow]; what speaks is no canary", canary.value, net.value);
            doc.warn(canary.place, format!("{what}; write addresses that nobody uses"));
        }
    }
}

/// A name proves nothing, so it cannot raise trust.
fn warn_of_names(doc: &Document<'_>, config: &Config, rule: &Placed<PeerRule>) {
    let (PeerWord::Name(name), Some(trust)) = (&rule.value.node, rule.value.trust) else { return };
    let concerned =
        config.clusters.iter().filter(|cluster| rule.value.cluster.as_ref().is_none_or(|only| *only == cluster.name.value));
    if concerned.into_iter().any(|cluster| trust > cluster.trust.value) {
        let what = format!("[[peer]] node: any member may call itself `{name}`, so a name raises no trust");
        doc.warn(rule.place, format!("{what}; write the peer's id (`honeymesh peers --json`) instead"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const CLUSTERS: &str = "[[cluster]]\nname = \"a\"\nkey_file = \"/k\"\ncorroborate = 3\ncorroborate_window = \"5m\"\n\
        [[cluster]]\nname = \"b\"\nlisten = \"0.0.0.0:7947\"\nkey_file = \"/k\"\n";

    fn told(text: &str) -> Vec<String> {
        let problems = parse(&format!("{CLUSTERS}{text}"), "h").problems;
        problems.iter().map(|problem| problem.what.clone()).filter(|what| !what.contains("no [[trap]]")).collect()
    }

    #[test]
    fn everything_that_can_be_said_is_understood() {
        let id = "ab".repeat(32);
        let text = format!(
            "{CLUSTERS}[[peer]]\nnode = \"{id}\"\ntrust = \"override\"\nowner = \"acme\"\n[[peer]]\nnode = \"edge-2\"\ncluster = \"b\"\n\
             trust = \"observe\"\n[canary]\nnets = [\"240.1.2.0/24\"]\n[[bridge]]\nfrom = \"a\"\nto = \"b\"\ngrades = [\"hostile\"]\nttl_max = \"2h\"\n"
        );
        let parsed = parse(&text, "h");
        assert!(parsed.is_usable(), "{:?}", parsed.problems);
        let config = parsed.config;
        assert_eq!(config.clusters[0].quorum, Quorum { owners: 3, window: Duration::from_secs(300) });
        assert_eq!(config.clusters[1].quorum, Quorum::default());
        let judgement = config.judgement;
        assert_eq!(judgement.peers[0].value.node, PeerWord::Key(NodeId([0xab; 32])));
        assert_eq!(judgement.peers[1].value.node, PeerWord::Name("edge-2".parse().unwrap()));
        assert_eq!(judgement.canaries[0].value, "240.1.2.0/24".parse().unwrap());
        assert_eq!(judgement.bridges[0].value.grades, [Grade::Hostile]);
        assert_eq!(told(text.strip_prefix(CLUSTERS).unwrap()), [""; 0]);
    }

    #[test]
    fn touches_are_exchanged_unless_the_cluster_is_only_observed_or_somebody_says_otherwise() {
        let slow = |lines: &str| {
            let parsed = parse(&format!("[[cluster]]\nname = \"a\"\nkey_file = \"/k\"\n{lines}"), "h");
            assert!(parsed.is_usable(), "{lines}: {:?}", parsed.problems);
            parsed.config.clusters[0].slow
        };
        let usual = SlowPolicy::default();
        assert_eq!((usual.witnesses, usual.window), (3, DAY));
        for (lines, expected) in [
            ("", Some(usual)),
            ("trust = \"corroborate\"\n", Some(usual)),
            ("trust = \"observe\"\n", None),
            ("trust = \"observe\"\nslow = true\n", Some(usual)),
            ("slow = false\nslow_witnesses = 5\n", None),
            ("slow_witnesses = 5\nslow_window = \"2h\"\n", Some(SlowPolicy { witnesses: 5, window: Duration::from_secs(7_200) })),
        ] {
            assert_eq!(slow(lines), expected, "{lines}");
        }
        let told = |line: &str| parse(&format!("{CLUSTERS}{line}\n"), "h").problems.len() > parse(CLUSTERS, "h").problems.len();
        assert!(told("slow_witnesses = 1") && told("slow_window = \"8d\"") && told("slow = 3"));
    }

    #[test]
    fn mistakes_are_named_with_their_mend() {
        let cases = [
            ("[[peer]]\ntrust = \"observe\"\n", "[[peer]] node: is missing; write its name, or its id"),
            ("[[peer]]\nnode = \"x\"\n", "[[peer]]: says nothing about the peer; write trust or owner"),
            ("[[peer]]\nnode = \"x\"\nowner = \"o\"\ncluster = \"c\"\n", "[[peer]] cluster: `c` is no [[cluster]]"),
            (
                "[[peer]]\nnode = \"x\"\ntrust = \"override\"\n",
                "any member may call itself `x`, so a name raises no trust; write the peer's id",
            ),
            ("[[bridge]]\nfrom = \"a\"\nto = \"a\"\n", "[[bridge]] to: is the same cluster as from"),
            ("[[bridge]]\nfrom = \"a\"\nto = \"c\"\n", "[[bridge]] to: `c` is no [[cluster]]"),
            ("[[bridge]]\nfrom = \"a\"\nto = \"b\"\ngrades = [\"spoofable\"]\n", "never leaves the node that saw it"),
            ("[[bridge]]\nfrom = \"a\"\nto = \"b\"\ngrades = []\n", "nothing crosses"),
            ("[canary]\nnets = [\"10.0.0.0/8\"]\n[allow]\nnets = [\"10.1.0.0/16\"]\n", "what speaks is no canary"),
        ];
        for (text, expected) in cases {
            let told = told(text);
            assert!(told.iter().any(|what| what.contains(expected)), "{text}: {told:?}");
        }
        let wrong = parse("[[cluster]]\nname = \"a\"\nkey_file = \"/k\"\ncorroborate = 1\n", "h").problems;
        assert!(wrong.iter().any(|problem| problem.what.contains("from 2 to 16")), "{wrong:?}");
    }
}
