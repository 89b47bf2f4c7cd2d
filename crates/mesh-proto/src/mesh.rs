//! The mesh of one cluster: everything that arrives, leaves or falls due goes through here.

mod admission;
mod bulk;
mod checks;
mod circle;
mod confirm;
mod digests;
mod guests;
#[cfg(any(test, feature = "testing"))]
mod insider;
mod joining;
mod records;
mod relays;
mod streams;

use crate::{
    Config, Effect, Key, KeyRingError, Member, MeshStats, RecordError, Refused, Signed, Statement,
    admission::{Admission, join::JOIN_VERSION, token::Tokens},
    answer::{Room, answer},
    bucket::Bucket,
    cluster::ClusterTag,
    frame::{Answer, Message},
    gone::Gone,
    hlc::Clock,
    knock::Doors,
    membership::{Ident, Membership, Swim},
    origins::Origins,
    peers::ShortId,
    post::{Post, To},
    roster::Roster,
    set::Set,
    spread::{Duty, Receipts, Spread},
};
use alloc::{boxed::Box, vec::Vec};
use checks::Checker;
use circle::{Probe, Reunion};
use confirm::Confirms;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use digests::Digests;
use ed25519_dalek::SigningKey;
use honeymesh_types::{ClusterName, MonoTime, NodeId, NodeName, Now, Subject, WallTime};
pub use joining::IssueError;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use relays::Relays;
use streams::Streams;

/// The mesh of one cluster. See the crate's description.
pub struct Mesh {
    keys: crate::KeyRing,
    cluster: ClusterTag,
    signer: SigningKey,
    node: NodeId,
    name: NodeName,
    clock: Clock,
    set: Set,
    post: Post,
    members: Box<dyn Membership + Send + Sync>,
    roster: Roster,
    gone: Gone,
    doors: Doors,
    admission: Admission,
    tokens: Tokens,
    join_requests: Bucket,
    /// Answers to joins so far.
    join_replies: u32,
    boot_salt: u64,
    cluster_name: ClusterName,
    spread: Spread,
    receipts: Receipts,
    origins: Origins,
    checker: Checker,
    digests: Digests,
    reunion: Reunion,
    probe: Probe,
    streams: Streams,
    relays: Relays,
    confirms: Confirms,
    rng: ChaCha8Rng,
    /// Members known from before, until the first wake.
    known: Vec<Member>,
    /// The wall clock when it was last seen.
    wall: WallTime,
    /// Where datagrams are opened.
    body: Vec<u8>,
}

/// No address.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Who sent a message, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sender {
    id: ShortId,
    addr: SocketAddr,
}

impl Sender {
    const fn to(self) -> To {
        To { addr: self.addr, peer: Some(self.id) }
    }
}

impl Mesh {
    /// A mesh that knows nobody yet; call [`Mesh::wake`] at once, to knock at the configured peers.
    #[must_use]
    pub fn new(config: Config, now: Now) -> Self {
        let signer = SigningKey::from_bytes(&config.identity);
        let node = NodeId(signer.verifying_key().to_bytes());
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        // Who can only dial out has no address before it has a relay.
        let advertise = if config.dial_out { NOWHERE } else { config.advertise };
        let me = Ident { node: node.0, addr: advertise, incarnation: now.wall.as_millis() };
        let members = Box::new(Swim::new(me, ChaCha8Rng::seed_from_u64(rng.next_u64())));
        let cluster = ClusterTag::of(&config.cluster);
        let mut admission = Admission::new(cluster, &config.admission, &config.node_name, now.mono);
        // Without it this node is not admitted, which `Mesh::admission` says.
        let _ = config.admission.certificate.as_ref().map(|raw| admission.take(raw, now.wall));
        Self {
            post: Post::new(&config, node),
            cluster,
            signer,
            node,
            clock: Clock::default(),
            set: Set::new(cluster, &config.limits),
            members,
            roster: Roster::default(),
            gone: Gone::default(),
            doors: Doors::new(&config.join, now.mono),
            admission,
            tokens: Tokens::default(),
            join_requests: Self::join_bucket(now),
            join_replies: 0,
            boot_salt: config.boot_salt,
            cluster_name: config.cluster,
            spread: Spread::default(),
            receipts: Receipts::default(),
            origins: Origins::new(&config.limits),
            checker: Checker::default(),
            digests: Digests::new(&mut rng, now.mono),
            reunion: Reunion::default(),
            probe: Probe::default(),
            streams: Streams::default(),
            relays: Relays::default(),
            confirms: Confirms::default(),
            rng,
            known: config.members,
            wall: now.wall,
            body: Vec::with_capacity(crate::limits::DATAGRAM_BYTES_MAX),
            keys: config.keys,
            name: config.node_name,
        }
    }

    /// Knows these members and no others from now on, for ever: none is probed, none comes or goes, and nothing is told of it. For
    /// tests and measurements; call it before the first [`Mesh::wake`].
    #[cfg(any(test, feature = "testing"))]
    pub fn fix_members(&mut self, members: &crate::membership::FixedMembers) {
        let me = self.members.me();
        self.roster = members.roster(me.short());
        self.members = Box::new(crate::membership::Fixed::new(me, members.clone()));
        self.known = Vec::new();
    }

    /// Takes a datagram. Anything may be in it; what is refused is counted and changes nothing else.
    pub fn datagram(&mut self, from: SocketAddr, bytes: &[u8], now: Now, out: &mut Vec<Effect>) {
        self.wall = now.wall;
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        if bytes.first() == Some(&JOIN_VERSION) {
            if let Err(why) = self.joining(from, bytes, now, out) {
                self.post.refuse(why, from, None, out);
            }
            return;
        }
        if self.hand_on(from, bytes, now, out) {
            return;
        }
        let mut body = core::mem::take(&mut self.body);
        match self.post.open(from, bytes, now, &mut body) {
            Ok((id, message)) => {
                let sender = Sender { id, addr: from };
                if let Err(why) = self.message(sender, message, now, out) {
                    self.post.refuse(why, from, Some(id), out);
                }
            }
            Err((why, peer)) => self.post.refuse(why, from, peer, out),
        }
        self.body = body;
        self.flush(now, out);
    }

    fn message(&mut self, sender: Sender, message: Message<'_>, now: Now, out: &mut Vec<Effect>) -> Result<(), Refused> {
        if let Err(why) = self.check_sender(sender, &message, now) {
            // Perhaps it is only not known here yet: it can show what the authority said of it.
            if why == Refused::Uncertified {
                self.ask_deeds(sender.to(), sender.id, now, out);
            }
            return Err(why);
        }
        match message {
            Message::Swim { packet, digest } => {
                let taken = self.swim(sender, packet.0, now, out);
                let told = digest.map_or(Ok(()), |digest| self.digest(sender, &digest, now, out));
                taken.and(told)
            }
            Message::Knock { me, at, certificate } => {
                self.shown(sender, certificate.0, now, out)?;
                self.knocked(sender, me, at, now, out)
            }
            Message::Welcome { me, at, you, certificate } => {
                self.shown(sender, certificate.0, now, out)?;
                self.welcomed(sender, me, at, you, now, out)
            }
            Message::Push { until, records } => {
                self.pushed(sender, until, records, now, out);
                Ok(())
            }
            Message::Digest(digest) => self.digest(sender, &digest, now, out),
            Message::Ask { number, question } => {
                let Self { set, members, post, .. } = self;
                let tell = |answer: Answer<'_>| post.send(sender.to(), Message::Answer { number, answer }, now, out);
                answer(question, set, &**members, now.wall, &Room::DATAGRAM, tell)
            }
            Message::Answer { number, answer } => self.answered(sender, None, number, answer, now, out),
            Message::Have(ids) => {
                self.told(sender, &ids, now, out);
                Ok(())
            }
            Message::Sketch { horizon_ms, mine, symbols } => self.sketched(sender, horizon_ms, mine, symbols, now, out),
            Message::Deeds { deeds, next } => self.deeds(sender, deeds, next, now, out),
            Message::DeedsFrom(from) => {
                self.tell_deeds(sender.to(), from, now, out);
                Ok(())
            }
            Message::Confirm(ids) => {
                self.asked_to_confirm(sender, &ids, now, out);
                Ok(())
            }
            Message::Confirmed(ids) => {
                self.confirmed(sender, &ids, out);
                Ok(())
            }
        }
    }

    /// Does everything that has fallen due.
    pub fn wake(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.wall = now.wall;
        self.wake_admission(now, out);
        self.introduce(now, out);
        self.wake_members(now, out);
        self.probe_again(now, out);
        self.knock(now, out);
        self.reunite(now, out);
        self.wake_digests(now, out);
        self.wake_streams(now, out);
        self.wake_relays(now, out);
        self.wake_confirms(now, out);
        self.flush(now, out);
    }

    /// When [`Mesh::wake`] must be called next. Later is harmless, earlier does nothing.
    #[must_use]
    pub fn wake_at(&self) -> MonoTime {
        if !self.known.is_empty() {
            return MonoTime(0);
        }
        let (members, doors) = (self.members.wake_at(), self.doors.wake_at());
        members
            .min(doors)
            .min(self.admission.wake_at())
            .min(self.reunion.wake_at())
            .min(self.probe.wake_at())
            .min(self.digests.wake_at())
            .min(self.spread.wake_at())
            .min(self.receipts.wake_at())
            .min(self.streams.wake_at())
            .min(self.confirms.wake_at())
            .min(self.relays.wake_at(self.post.routes.is_dial_out))
    }

    /// Says something: signs it, puts it into this node's own slot and pushes it at once.
    ///
    /// # Errors
    /// [`RecordError::Spoofable`], [`RecordError::TooWide`], [`RecordError::Ttl`] (zero); nothing was changed. A
    /// longer lifetime than [`crate::limits::TTL_MAX`] and a longer note are cut instead: a ban that must hold
    /// longer is said again before it ends.
    pub fn publish(&mut self, statement: Statement, now: Now, out: &mut Vec<Effect>) -> Result<Signed, RecordError> {
        self.wall = now.wall;
        let signed = self.say(statement, now)?;
        self.push_on(&signed, None, Some(Duty::of_origin(ShortId::of(&self.node.0))));
        self.flush(now, out);
        Ok(signed)
    }

    /// Puts a stored record back at start-up, checked like one from a peer but not pushed. Costs a signature check.
    ///
    /// # Errors
    /// Whatever a peer's record would be refused for, and [`RecordError::Superseded`]; the store may forget it.
    pub fn restore(&mut self, raw: &[u8], now: Now) -> Result<Signed, RecordError> {
        self.wall = now.wall;
        self.put_back(raw, now)
    }

    /// Adds a key that opens, but does not seal yet.
    ///
    /// # Errors
    /// The ring is full; nothing was changed.
    pub fn add_key(&mut self, key: Key) -> Result<(), KeyRingError> {
        self.keys.add(key)?;
        self.post.rekey(&self.keys);
        Ok(())
    }

    /// Makes a key of the ring the one that seals.
    ///
    /// # Errors
    /// The key was not added before; nothing was changed.
    pub fn use_key(&mut self, key: &Key) -> Result<(), KeyRingError> {
        self.keys.promote(key)?;
        self.post.rekey(&self.keys);
        Ok(())
    }

    /// Forgets a key: what is sealed with it does not open any more, and every stream ends, so that who has proven nothing but
    /// that key must prove another.
    ///
    /// # Errors
    /// It is the one that seals, or unknown; nothing was changed.
    pub fn retire_key(&mut self, key: &Key, now: Now, out: &mut Vec<Effect>) -> Result<(), KeyRingError> {
        self.keys.retire(key)?;
        self.post.rekey(&self.keys);
        self.end_streams(now, out);
        Ok(())
    }

    /// The other nodes, dead ones included, by identity.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let named = |known: crate::membership::Known| Member {
            name: self.post.peers.name(known.ident.short()).cloned(),
            ..known.member()
        };
        self.members.list(None).into_iter().map(named).collect()
    }

    /// How many of the others are alive.
    #[must_use]
    pub fn live(&self) -> usize {
        self.members.live()
    }

    /// Bytes of all datagrams sent so far; in [`Mesh::stats`] too, which costs more.
    #[must_use]
    pub const fn sent_bytes(&self) -> u64 {
        self.post.stats.sent_bytes
    }

    /// Is a live member reached at this address, or does a node call from it for which this one is a relay?
    #[must_use]
    pub fn has_peer_at(&self, addr: IpAddr) -> bool {
        let guests = self.post.routes.guests.values().map(|guest| guest.seen);
        self.roster.addrs().map(|addr| addr.ip()).chain(guests).any(|peer| peer.to_canonical() == addr.to_canonical())
    }

    /// This node as the others know it.
    #[must_use]
    pub fn me(&self) -> Member {
        let ident = self.members.me();
        let state = crate::membership::State::Alive;
        let known = crate::membership::Known { ident, refuted: 0, state };
        Member { name: Some(self.name.clone()), ..known.member() }
    }

    /// What is said about exactly this subject and is not over: bans by origin, then unbans by origin.
    #[must_use]
    pub fn records(&self, subject: &Subject) -> Vec<Signed> {
        self.live_records(subject)
    }

    /// Records in the set, unbans included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.count(self.wall)
    }

    /// Is the set empty?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A fingerprint of the whole set at the time last seen: equal sets of one cluster have equal fingerprints.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.set.fingerprint(self.wall)
    }

    /// How signatures were checked so far; in [`Mesh::stats`] too, which costs more.
    #[must_use]
    pub fn checks(&self) -> crate::CheckStats {
        self.checker.stats(&self.post.stats.checks)
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> MeshStats {
        let streams = crate::stream::StreamStats { open: self.streams.open(), ..self.post.stats.streams };
        MeshStats {
            records: self.len(),
            checks: self.checks(),
            peers: self.post.peers.stats(),
            streams,
            ..self.post.stats.clone()
        }
    }

    /// Who this node is: its public key.
    #[must_use]
    pub const fn identity(&self) -> NodeId {
        self.node
    }
}

#[cfg(test)]
mod tests;
