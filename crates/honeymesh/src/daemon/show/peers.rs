//! Mesh members and clusters.

use super::id;
use honeymesh_format::{ClusterJson, PeerJson, QuarantineJson, base64_text, time_micros};
use honeymesh_mesh::StreamTraffic;
use honeymesh_mesh_proto::{Member, MemberState, PeerStats, Refusals};
use honeymesh_node::{PeerReport, Quarantined, Standing};
use honeymesh_types::{MonoTime, NodeId, Now, Trust, WallTime};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// All members of all clusters, in the order of the configuration and then of their identities; behind them those that are quarantined
/// and no members any more.
#[must_use]
pub fn peers(reports: &[PeerReport], quarantined: &[&Quarantined], now: Now) -> Vec<PeerJson> {
    let known = |report| others(report).map(move |member| peer(report, member, now)).chain(gone(report));
    let proof = |id: &str| quarantined.iter().find(|liar| liar.node.to_string() == id).map(|liar| quarantine(liar));
    let known = reports.iter().flat_map(known);
    let mut all: Vec<PeerJson> = known.map(|peer| PeerJson { quarantine: proof(&peer.id), ..peer }).collect();
    let lost = quarantined.iter().filter(|liar| all.iter().all(|peer| peer.id != id(liar.node)));
    let lost: Vec<PeerJson> = lost.map(|liar| gone_liar(liar)).collect();
    all.extend(lost);
    all
}

/// Who is revoked and no member any more, so that it stays to be seen.
fn gone(report: &PeerReport) -> impl Iterator<Item = PeerJson> {
    let is_gone = |node: &NodeId| others(report).all(|member| member.node != *node);
    let revoked = report.admissions.iter().filter(|one| one.standing == Standing::Revoked).map(|one| one.node);
    let nodes: BTreeSet<NodeId> = revoked.chain(report.revoked_here.iter().copied()).filter(is_gone).collect();
    nodes.into_iter().map(|node| {
        let peer = PeerJson { id: id(node), state: state(MemberState::Down).into(), ..PeerJson::default() };
        admitted(PeerJson { cluster: report.cluster.to_string(), trust: report.trust.to_string(), ..peer }, report, node)
    })
}

/// A peer with how it stands with the authority.
fn admitted(peer: PeerJson, report: &PeerReport, node: NodeId) -> PeerJson {
    let one = report.admissions.iter().find(|one| one.node == node);
    let standing =
        one.map_or(if report.authority.is_some() { Standing::Uncertified } else { Standing::Open }, |one| one.standing);
    PeerJson {
        name: peer.name.or_else(|| one.and_then(|one| one.name.as_ref()).map(ToString::to_string)),
        admission: standing_word(standing).into(),
        revoked: standing == Standing::Revoked || report.revoked_here.contains(&node),
        certificate: one.and_then(|one| one.until).map(time_micros),
        owner: peer.owner.or_else(|| one.and_then(|one| one.owner.as_ref()).map(ToString::to_string)),
        ..peer
    }
}

const fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "open",
        Standing::Certified => "certified",
        Standing::Expired => "expired",
        Standing::Uncertified => "uncertified",
        Standing::Revoked => "revoked",
    }
}

fn gone_liar(liar: &Quarantined) -> PeerJson {
    PeerJson {
        cluster: liar.cluster.to_string(),
        name: Some(liar.name.to_string()),
        id: id(liar.node),
        state: "gone".into(),
        trust: Trust::Observe.to_string(),
        quarantine: Some(quarantine(liar)),
        ..PeerJson::default()
    }
}

fn quarantine(liar: &Quarantined) -> QuarantineJson {
    QuarantineJson {
        since: time_micros(liar.since),
        cluster: liar.cluster.to_string(),
        subject: liar.subject.to_string(),
        said_at: time_micros(liar.said_at),
        record_base64: base64_text(&liar.raw),
    }
}

/// What a status tells about a liar for as long as nobody pardons it.
pub fn quarantine_warning(liar: &Quarantined) -> String {
    let (name, node, subject) = (&liar.name, liar.node, liar.subject);
    format!(
        "peer {name} ({node:.8}) is quarantined: it signed a word against the canary {subject}; look into it, then \
         `honeymesh peers pardon {node:.8}`"
    )
}

/// The members but this node: an earlier life of its own may be among them after a restart.
pub fn others(report: &PeerReport) -> impl Iterator<Item = &Member> {
    report.members.iter().filter(|member| member.node != report.identity)
}

fn peer(report: &PeerReport, member: &Member, now: Now) -> PeerJson {
    let stats = report.stats.peers.iter().find(|stats| stats.node == Some(member.node));
    let count = |read: fn(&PeerStats) -> u64| stats.map_or(0, read);
    let known = PeerJson {
        cluster: report.cluster.to_string(),
        name: member.name.as_ref().map(ToString::to_string),
        id: id(member.node),
        address: member.addr.to_string(),
        state: state(member.state).into(),
        trust: report.judged.get(&member.node).map_or(report.trust, |(trust, _)| *trust).to_string(),
        owner: report.judged.get(&member.node).and_then(|(_, owner)| owner.clone()),
        quarantine: None,
        last_heard: stats.map(|stats| time_micros(wall_of(stats.heard, now))),
        received: count(|stats| stats.received),
        sent: count(|stats| stats.sent),
        records: count(|stats| stats.records_new),
        refused: stats.map(|stats| refused(&stats.refused)).unwrap_or_default(),
        ..PeerJson::default()
    };
    admitted(known, report, member.node)
}

/// The clusters of this node; `listen` has their addresses and `streams` what their streams did, in the same order.
#[must_use]
pub fn clusters(reports: &[PeerReport], listen: &[SocketAddr], streams: &[StreamTraffic]) -> Vec<ClusterJson> {
    let listen = listen.iter().map(ToString::to_string).chain(std::iter::repeat(String::new()));
    let streams = streams.iter().copied().chain(std::iter::repeat(StreamTraffic::default()));
    reports.iter().zip(listen).zip(streams).map(|((report, listen), streams)| cluster(report, listen, &streams)).collect()
}

fn cluster(report: &PeerReport, listen: String, streams: &StreamTraffic) -> ClusterJson {
    let (down, alive): (Vec<&Member>, Vec<&Member>) = others(report).partition(|member| member.state == MemberState::Down);
    ClusterJson {
        name: report.cluster.to_string(),
        trust: report.trust.to_string(),
        id: id(report.identity),
        authority: report.authority.map(|key| key.to_string()),
        admission: standing_word(report.own.standing).into(),
        certificate: report.own.until.map(time_micros),
        listen,
        members_alive: alive.len() as u64,
        members_down: down.len() as u64,
        records: report.stats.records as u64,
        fingerprint: format!("{:032x}", report.fingerprint),
        received: report.stats.received,
        sent: report.stats.sent,
        refused: refused(&report.stats.refused),
        streams: counted(report, streams),
    }
}

/// What the mesh counted, and what the carrier did.
fn counted(report: &PeerReport, streams: &StreamTraffic) -> BTreeMap<String, u64> {
    let all = streams.named().into_iter().chain(report.stats.streams.named());
    all.map(|(name, count)| (name.to_owned(), count)).collect()
}

fn refused(refusals: &Refusals) -> BTreeMap<String, u64> {
    refusals.iter().map(|(why, count)| (why.to_string(), count)).collect()
}

const fn state(state: MemberState) -> &'static str {
    match state {
        MemberState::Alive => "alive",
        MemberState::Suspect => "suspect",
        MemberState::Down => "down",
    }
}

/// What the wall clock showed at a monotonic time, by the clock of today.
fn wall_of(mono: MonoTime, now: Now) -> WallTime {
    now.wall.minus(now.mono.since(mono))
}
