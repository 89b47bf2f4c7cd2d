//! A member that was taken over: it holds the cluster's key and its own identity, and misbehaves on the wire.

use crate::dice::Dice;
use honeymesh_mesh_proto::{Config, Effect, Hlc, Mesh, Said, Statement, Touch};
use honeymesh_types::{Grade, MonoTime, NodeId, Now, Reasons, Scope, Subject};
use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// How often it acts while it misbehaves.
const EVERY: Duration = Duration::from_millis(10);
/// Records that it signs each time it floods.
const FLOOD_RECORDS: u32 = 50;
/// Records in every other misdeed.
const FEW_RECORDS: u32 = 4;
/// Datagrams that it remembers, to play them back; the oldest goes.
const OVERHEARD_MAX: usize = 256;
/// Datagrams that it plays back or makes up each time, for each of its victims.
const DATAGRAMS: usize = 4;
/// Whom a flood is about: a net that nobody else speaks of.
const FLOODED: u32 = 0xc612_0000;
/// Where strangers live: a net that nobody else speaks of.
const STRANGERS: u32 = 0xc633_6400;
/// How many strangers it slanders ...
const SLANDERED: u32 = 1_000;
/// ... a page at a time, ...
const SLANDERED_A_PAGE: u32 = 36;
/// ... beginning with this one.
const SLANDERED_FROM: u32 = 1_000;
/// How long its bans last.
const TTL: Duration = Duration::from_secs(3_600);

/// In which way a member misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdeed {
    /// Says more than any budget allows, each word signed as it should be.
    Flood,
    /// Sends other members' datagrams again, to everybody.
    Replay,
    /// Says things in another member's name.
    Forge,
    /// Says things as of two minutes from now, with a clock that is an hour ahead.
    Future,
    /// Sends nonsense, sealed and unsealed.
    Garbage,
    /// Bans the members themselves, every loopback address and whole address families.
    Protected,
    /// Says that it was touched by a thousand innocents, in pages signed as they should be.
    Slander,
}

impl Misdeed {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Flood, Self::Replay, Self::Forge, Self::Future, Self::Garbage, Self::Protected, Self::Slander];

    /// Its name in scenario files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flood => "flood",
            Self::Replay => "replay",
            Self::Forge => "forge",
            Self::Future => "future",
            Self::Garbage => "garbage",
            Self::Protected => "protected",
            Self::Slander => "slander",
        }
    }
}

/// An honest node, as its victim.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Victim {
    pub(crate) addr: SocketAddr,
    pub(crate) node: NodeId,
}

/// The member itself: a mesh that takes part like any other, and more.
pub(crate) struct Rogue {
    pub(crate) mesh: Mesh,
    victims: Vec<Victim>,
    dice: Dice,
    overheard: VecDeque<Vec<u8>>,
    /// What it does, until when, and when next.
    spree: Option<(Misdeed, MonoTime, MonoTime)>,
    said: u32,
}

impl Rogue {
    pub(crate) fn new(config: Config, victims: Vec<Victim>, dice: Dice, now: Now) -> Self {
        Self { mesh: Mesh::new(config, now), victims, dice, overheard: VecDeque::new(), spree: None, said: 0 }
    }

    pub(crate) fn begin(&mut self, misdeed: Misdeed, lasts: Duration, now: Now) {
        self.spree = Some((misdeed, now.mono.plus(lasts), now.mono));
    }

    pub(crate) fn wake_at(&self) -> MonoTime {
        let next = self.spree.map_or(MonoTime::MAX, |(_, _, next)| next);
        self.mesh.wake_at().min(next)
    }

    pub(crate) fn hear(&mut self, from: SocketAddr, bytes: &[u8], now: Now) -> Vec<(SocketAddr, Vec<u8>)> {
        if self.overheard.len() >= OVERHEARD_MAX {
            self.overheard.pop_front();
        }
        self.overheard.push_back(bytes.to_vec());
        let mut out = Vec::new();
        self.mesh.datagram(from, bytes, now, &mut out);
        sends(out)
    }

    pub(crate) fn wake(&mut self, now: Now) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut out = Vec::new();
        self.mesh.wake(now, &mut out);
        let mut all = sends(out);
        if let Some((misdeed, until, next)) = self.spree
            && next <= now.mono
        {
            self.spree = (now.mono < until).then_some((misdeed, until, now.mono.plus(EVERY)));
            all.extend(self.misbehave(misdeed, now));
        }
        all
    }

    fn misbehave(&mut self, misdeed: Misdeed, now: Now) -> Vec<(SocketAddr, Vec<u8>)> {
        let (me, ahead) = (self.mesh.identity(), Duration::from_secs(120));
        match misdeed {
            Misdeed::Flood => self.push(FLOOD_RECORDS, me, Hlc::at(now.wall), now),
            Misdeed::Forge => {
                let other = self.victims[place(&mut self.dice, self.victims.len())].node;
                self.push(FEW_RECORDS, other, Hlc::at(now.wall), now)
            }
            Misdeed::Future => {
                let mad = Now { wall: now.wall.plus(Duration::from_secs(3_600)), ..now };
                self.push(FEW_RECORDS, me, Hlc::at(now.wall.plus(ahead)), mad)
            }
            Misdeed::Protected => self.push_protected(now),
            Misdeed::Slander => self.slander(now),
            Misdeed::Replay => self.for_each_victim(|rogue| {
                let which = place(&mut rogue.dice, rogue.overheard.len());
                rogue.overheard.get(which).cloned().unwrap_or_default()
            }),
            Misdeed::Garbage => self.for_each_victim(Self::nonsense),
        }
    }

    /// Tells everybody the same new things.
    fn push(&mut self, many: u32, origin: NodeId, at: Hlc, now: Now) -> Vec<(SocketAddr, Vec<u8>)> {
        let first = self.said;
        self.said += many;
        let whom = |number: u32| Subject::host(IpAddr::V4(Ipv4Addr::from_bits(FLOODED + number)));
        self.push_about((first..first + many).map(whom).collect(), origin, at, now)
    }

    fn push_protected(&mut self, now: Now) -> Vec<(SocketAddr, Vec<u8>)> {
        let nets = ["127.0.0.0/16", "10.0.0.0/16", "10.0.0.0/8", "0.0.0.0/0"].into_iter().filter_map(|net| net.parse().ok());
        let members = self.victims.iter().map(|victim| Subject::host(victim.addr.ip()));
        let subjects = nets.chain(members).collect();
        self.push_about(subjects, self.mesh.identity(), Hlc::at(now.wall), now)
    }

    /// Says the next page about [`stranger`]s, until all of them are named.
    fn slander(&mut self, now: Now) -> Vec<(SocketAddr, Vec<u8>)> {
        let named = self.said..(self.said + SLANDERED_A_PAGE).min(SLANDERED);
        self.said = named.end;
        let touch = |number| Touch { source: stranger(SLANDERED_FROM + number), port: 23, at: now.wall };
        let touches: Vec<Touch> = named.map(touch).collect();
        let Some(first) = touches.first() else { return Vec::new() };
        let said = Said::Touches { page: now.wall.as_millis(), ttl: TTL * 24, touches: touches.clone() };
        let mut out = Vec::new();
        // A page that the mesh refuses would leave them unnamed, which the scenario finds out.
        let _ = self.mesh.publish(Statement { subject: first.source, said }, now, &mut out);
        sends(out)
    }

    fn push_about(&mut self, subjects: Vec<Subject>, origin: NodeId, at: Hlc, now: Now) -> Vec<(SocketAddr, Vec<u8>)> {
        let sign = |subject| self.mesh.insider_record(ban(subject), origin, at);
        let records: Vec<Arc<[u8]>> = subjects.into_iter().filter_map(sign).collect();
        let mut out = Vec::new();
        for victim in &self.victims {
            self.mesh.insider_push(victim.addr, &records, now, &mut out);
        }
        sends(out)
    }

    /// So many datagrams to each victim.
    fn for_each_victim(&mut self, make: impl Fn(&mut Self) -> Vec<u8>) -> Vec<(SocketAddr, Vec<u8>)> {
        let victims: Vec<SocketAddr> = self.victims.iter().map(|victim| victim.addr).collect();
        victims.into_iter().flat_map(|addr| [addr; DATAGRAMS]).map(|addr| (addr, make(self))).collect()
    }

    /// Bytes that mean nothing: sealed, bare, too long, or an honest datagram with one byte changed.
    fn nonsense(&mut self) -> Vec<u8> {
        let length = place(&mut self.dice, 1_300) + 1;
        let mut bytes: Vec<u8> = (0..length).map(|_| self.dice.number().to_le_bytes()[0]).collect();
        match self.dice.below(4) {
            0 => self.mesh.insider_seal(&bytes).unwrap_or_default(),
            1 => bytes,
            2 => {
                bytes.resize(1_401 + length, 0);
                bytes
            }
            _ => self.bent().unwrap_or(bytes),
        }
    }

    fn bent(&mut self) -> Option<Vec<u8>> {
        let mut datagram = self.overheard.get(place(&mut self.dice, self.overheard.len()))?.clone();
        let where_ = place(&mut self.dice, datagram.len());
        *datagram.get_mut(where_)? ^= 1;
        Some(datagram)
    }
}

/// Somebody outside who touches nodes, or is said to.
pub(crate) fn stranger(number: u32) -> Subject {
    Subject::host(IpAddr::V4(Ipv4Addr::from_bits(STRANGERS + number)))
}

/// A ban of somebody as a trap would have earned it.
const fn ban(subject: Subject) -> Statement {
    let said = Said::Ban { reasons: Reasons::TRAP, grade: Grade::Hostile, scope: Scope::All, ttl: TTL, score: 90, note: None };
    Statement { subject, said }
}

fn place(dice: &mut Dice, bound: usize) -> usize {
    usize::try_from(dice.below(bound as u64)).unwrap_or(0)
}

fn sends(effects: Vec<Effect>) -> Vec<(SocketAddr, Vec<u8>)> {
    let send = |effect| if let Effect::Send { to, bytes } = effect { Some((to, bytes)) } else { None };
    effects.into_iter().filter_map(send).collect()
}
