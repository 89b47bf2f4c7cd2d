//! Membership by SWIM (the foca library): probing, suspicion, and gossip about who is alive.
//!
//! What foca leaves to its user is done here: its list is bounded, its timers are delivered in order, its
//! configuration follows the size of the cluster, and nobody speaks in another's name.

mod packet;
mod timers;
mod warnings;

use super::{Admits, Change, Ident, Known, Membership, News, Packet, Share, State};
use crate::{
    Refused,
    frame::SWIM_BYTES_MAX,
    limits::{INCARNATION_AHEAD_MAX, MEMBERS_MAX},
    peers::ShortId,
};
use alloc::vec::Vec;
use core::{
    net::{IpAddr, SocketAddr},
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};
use foca::{Config, Foca, NoCustomBroadcast, Notification, PeriodicParams, PostcardCodec, Timer};
use honeymesh_types::{MonoTime, NodeId, Now};
use rand_chacha::ChaCha8Rng;
use timers::Timers;
use warnings::Warnings;

/// How often one member is probed.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How long a probe's direct answer may take.
const PROBE_RTT: Duration = Duration::from_millis(700);
/// How often news of members is handed on between probes, while there is any, ...
const GOSSIP_EVERY: Duration = Duration::from_millis(500);
/// ... to how many, ...
const GOSSIP_TO: usize = 2;
/// ... and the same while there is much of it.
const GOSSIP_HURRIED: (Duration, usize) = (Duration::from_millis(200), 3);
/// How often a member is asked for others.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(120);
/// How often members that are down are asked to come back.
const ANNOUNCE_TO_DOWN_EVERY: Duration = Duration::from_secs(1);
/// How long a member that is down is remembered.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);

impl foca::Identity for Ident {
    type Addr = ShortId;

    fn renew(&self) -> Option<Self> {
        Some(Self { incarnation: self.incarnation.checked_add(1)?, ..*self })
    }

    fn addr(&self) -> ShortId {
        self.short()
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.incarnation, self.addr, self.node) > (adversary.incarnation, adversary.addr, adversary.node)
    }
}

/// The foca library behind [`Membership`].
pub(crate) struct Swim {
    foca: Foca<Ident, PostcardCodec, ChaCha8Rng, NoCustomBroadcast>,
    timers: Timers,
    warnings: Warnings,
    /// The cluster size, as a power of two, that the configuration was made for, and whether there was a hurry.
    tuned_for: (u32, bool),
    is_hurried: bool,
}

impl Swim {
    pub(crate) fn new(me: Ident, rng: ChaCha8Rng) -> Self {
        Self {
            foca: Foca::new(me, config(0, false), rng, PostcardCodec),
            timers: Timers::default(),
            warnings: Warnings::default(),
            tuned_for: (0, false),
            is_hurried: false,
        }
    }

    /// May this node be a member at all? Nonsense from an insider must not spread.
    fn is_sane(ident: &Ident, now: Now) -> bool {
        let ip = ident.addr.ip();
        let is_reachable = !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::from([255; 4]);
        let newest = now.wall.plus(INCARNATION_AHEAD_MAX).as_millis();
        is_reachable && ident.addr.port() != 0 && ident.incarnation <= newest
    }

    fn is_known(&self, ident: &Ident) -> bool {
        let id = ident.short();
        id == self.foca.identity().short() || self.foca.iter_membership_state().any(|member| member.id().short() == id)
    }

    /// Is there room for this node? Who has been down for longest gives way.
    fn has_room(&mut self, ident: &Ident, news: &mut News, now: Now) -> bool {
        if self.foca.iter_membership_state().len() < MEMBERS_MAX || self.is_known(ident) {
            return true;
        }
        match self.timers.oldest_grave() {
            Some(buried) => {
                let done = self.foca.handle_timer(
                    Timer::RemoveDown(buried),
                    Io { timers: &mut self.timers, warnings: &mut self.warnings, news, now },
                );
                done.is_ok() && self.foca.iter_membership_state().len() < MEMBERS_MAX
            }
            None => false,
        }
    }

    /// Somebody knows a later life of ours than this one (our clock was set back): live a later one still.
    fn outlive(&mut self, seen: &Ident, now: Now, news: &mut News) {
        let me = *self.foca.identity();
        if seen.node == me.node && seen.incarnation > me.incarnation {
            let incarnation = seen.incarnation.saturating_add(1);
            self.change(Ident { incarnation, ..me }, now, news);
        }
    }

    fn change(&mut self, me: Ident, now: Now, news: &mut News) {
        // The only errors are the same identity again and one that cannot be encoded; both leave all as it was.
        let _ = self.foca.change_identity(me, Io { timers: &mut self.timers, warnings: &mut self.warnings, news, now });
        // It has stopped probing; without this it goes on only once somebody is heard, and would take the dead for alive until then.
        let all = Io { timers: &mut self.timers, warnings: &mut self.warnings, news, now };
        let _ = self.foca.apply_many(core::iter::empty(), false, all);
    }

    /// Tells those whom this node suspects so, and asks them: who answers has refuted it, here and by its answer everywhere.
    fn warn(&mut self, now: Now, news: &mut News) {
        let me = *self.foca.identity();
        while let Some((suspect, refuted)) = self.warnings.due(now.mono) {
            let mut all = self.foca.iter_membership_state();
            let held = all.find(|member| member.id().short() == suspect.short());
            let is_suspect = |member: &foca::Member<Ident>| {
                member.state() == foca::State::Suspect && *member.id() == suspect && member.incarnation() == refuted
            };
            let Some(held) = held.filter(|member| is_suspect(member)) else {
                self.warnings.end(suspect);
                continue;
            };
            // Our own refutations are not known here; who holds us for older news takes no note of it. The number of the probe is
            // nobody's: the answer counts for what its header says.
            let header = foca::Header { src: me, src_incarnation: 0, dst: suspect, message: foca::Message::Ping(0) };
            let packet = packet::write(&packet::Packet::of(header, held.clone()));
            if let Some((bytes, _)) = packet.as_deref().and_then(packet::shorten) {
                news.packets.push(Packet { to: suspect, bytes, is_probe: false });
            }
        }
    }

    /// Keeps the configuration fit for the size of the cluster.
    fn tune(&mut self) {
        let size = u32::try_from(self.foca.num_members()).unwrap_or(u32::MAX).saturating_add(1).ilog2();
        let wanted = (size, self.is_hurried);
        if wanted != self.tuned_for && self.foca.set_config(config(size, self.is_hurried)).is_ok() {
            self.tuned_for = wanted;
        }
    }
}

impl Membership for Swim {
    fn me(&self) -> Ident {
        *self.foca.identity()
    }

    fn move_to(&mut self, addr: SocketAddr, now: Now, news: &mut News) {
        let me = *self.foca.identity();
        self.change(Ident { addr, incarnation: me.incarnation.saturating_add(1), ..me }, now, news);
    }

    fn packet(&mut self, sender: NodeId, packet: &[u8], admits: Admits<'_>, now: Now, news: &mut News) -> Result<(), Refused> {
        let packet = packet::lengthen(packet, sender.0, self.foca.identity()).ok_or(Refused::Malformed)?;
        let mut read = packet::read(&packet).ok_or(Refused::Malformed)?;
        let source = read.header.src;
        if !Self::is_sane(&source, now) {
            return Err(Refused::Identity);
        }
        if !self.has_room(&source, news, now) {
            return Err(Refused::MembersFull);
        }
        let all = read.members.len();
        let is_let_in = |member: &foca::Member<Ident>| member.state() == foca::State::Down || admits(&member.id().node);
        let me = *self.foca.identity();
        read.members.retain(|member| {
            let id = member.id();
            Self::is_sane(id, now) && !is_earlier_life(id, &me) && is_let_in(member) && self.has_room(id, news, now)
        });
        for member in &read.members {
            self.outlive(member.id(), now, news);
        }
        let rewritten = if read.members.len() == all { None } else { Some(packet::write(&read).ok_or(Refused::Malformed)?) };
        let io = Io { timers: &mut self.timers, warnings: &mut self.warnings, news, now };
        let taken = self.foca.handle_data(rewritten.as_deref().unwrap_or(&packet), io);
        if matches!(read.header.message, foca::Message::Ack(_)) {
            news.answered.push(source.short());
        }
        self.tune();
        taken.map_err(|_| Refused::Malformed)
    }

    fn learn(&mut self, known: &[Known], admits: Admits<'_>, share: Share, now: Now, news: &mut News) -> Result<usize, Refused> {
        let mut new = 0;
        for known in known {
            let is_let_in = known.state == State::Down || admits(&known.ident.node);
            let is_past = is_earlier_life(&known.ident, self.foca.identity());
            if !Self::is_sane(&known.ident, now) || !is_let_in || is_past {
                continue;
            }
            if !self.has_room(&known.ident, news, now) {
                return Err(Refused::MembersFull);
            }
            let before = news.changes.len();
            self.outlive(&known.ident, now, news);
            let update = foca::Member::new(known.ident, known.refuted, known.state.into());
            let io = Io { timers: &mut self.timers, warnings: &mut self.warnings, news, now };
            self.foca.apply_many(core::iter::once(update), share == Share::HandOn, io).map_err(|_| Refused::Malformed)?;
            new += usize::from(news.changes.len() > before);
        }
        self.tune();
        Ok(new)
    }

    fn wake(&mut self, now: Now, news: &mut News) {
        while let Some(timer) = self.timers.due(now.mono) {
            // An error says that a timer came late or too early for the protocol's taste; it mends itself.
            let _ = self.foca.handle_timer(timer, Io { timers: &mut self.timers, warnings: &mut self.warnings, news, now });
        }
        self.warn(now, news);
        self.tune();
    }

    fn hurry(&mut self, is_hurried: bool) {
        self.is_hurried = is_hurried;
        self.tune();
    }

    fn wake_at(&self) -> MonoTime {
        self.timers.next().min(self.warnings.next())
    }

    fn get(&self, id: ShortId) -> Option<Known> {
        self.foca.iter_membership_state().find(|member| member.id().short() == id).map(known)
    }

    fn list(&self, after: Option<ShortId>) -> Vec<Known> {
        let is_later = |known: &Known| after.is_none_or(|after| known.ident.short() > after);
        let mut list: Vec<Known> = self.foca.iter_membership_state().map(known).filter(is_later).collect();
        list.sort_unstable_by_key(|known| known.ident.short());
        list
    }

    fn down(&self) -> Vec<Known> {
        let all = self.foca.iter_membership_state();
        let mut down: Vec<Known> = all.filter(|member| member.state() == foca::State::Down).map(known).collect();
        down.sort_unstable_by_key(|known| known.ident.short());
        down
    }

    fn has_addr(&self, addr: SocketAddr) -> bool {
        self.foca.iter_membership_state().any(|member| member.id().addr == addr)
    }

    fn live(&self) -> usize {
        self.foca.num_members()
    }
}

/// Is this an earlier life of ours? The library would tell everybody that it is down, and whoever had not heard of the new one would take us
/// for dead until then; they learn of it anyhow, by whatever we say.
fn is_earlier_life(ident: &Ident, me: &Ident) -> bool {
    ident.node == me.node && ident.incarnation < me.incarnation
}

fn known(member: &foca::Member<Ident>) -> Known {
    let state = match member.state() {
        foca::State::Alive => State::Alive,
        foca::State::Suspect => State::Suspect,
        foca::State::Down => State::Down,
    };
    Known { ident: *member.id(), refuted: member.incarnation(), state }
}

impl From<State> for foca::State {
    fn from(state: State) -> Self {
        match state {
            State::Alive => Self::Alive,
            State::Suspect => Self::Suspect,
            State::Down => Self::Down,
        }
    }
}

/// A configuration for a cluster of about `2^size` nodes: the bigger, the more often news is repeated and the longer
/// a suspect may defend itself.
fn config(size: u32, is_hurried: bool) -> Config {
    let (gossip_every, gossip_to) = if is_hurried { GOSSIP_HURRIED } else { (GOSSIP_EVERY, GOSSIP_TO) };
    let count = |n: usize| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
    let every = |frequency, n| Some(PeriodicParams { frequency, num_members: count(n) });
    let repeats = u8::try_from(3 + size).unwrap_or(u8::MAX);
    Config {
        probe_period: PROBE_EVERY,
        probe_rtt: PROBE_RTT,
        num_indirect_probes: count(3),
        max_transmissions: NonZeroU8::new(repeats).unwrap_or(NonZeroU8::MIN),
        suspect_to_down_after: PROBE_EVERY * (4 + size),
        remove_down_after: Some(FORGET_AFTER),
        max_packet_size: count(SWIM_BYTES_MAX),
        notify_down_members: true,
        periodic_announce: every(ANNOUNCE_EVERY, 1),
        periodic_announce_to_down_members: every(ANNOUNCE_TO_DOWN_EVERY, 1),
        periodic_gossip: every(gossip_every, gossip_to),
    }
}

/// Where foca leaves what it wants done.
struct Io<'a> {
    timers: &'a mut Timers,
    warnings: &'a mut Warnings,
    news: &'a mut News,
    now: Now,
}

impl foca::Runtime<Ident> for Io<'_> {
    fn notify(&mut self, notification: Notification<'_, Ident>) {
        let change = match notification {
            Notification::MemberUp(ident) => Change::Came(*ident),
            Notification::MemberDown(ident) => Change::Went(*ident),
            Notification::Rename(_, after) => Change::Reborn(*after),
            Notification::Active | Notification::Idle | Notification::Defunct | Notification::Rejoin(_) => return,
        };
        self.news.changes.push(change);
    }

    fn send_to(&mut self, to: Ident, data: &[u8]) {
        // The library's own packet is never one that cannot be read.
        if let Some((bytes, message)) = packet::shorten(data) {
            let is_probe = matches!(message, foca::Message::Ping(_));
            self.news.packets.push(Packet { to, bytes, is_probe });
        }
    }

    fn submit_after(&mut self, timer: Timer<Ident>, after: Duration) {
        if let Timer::ChangeSuspectToDown { member_id, incarnation, .. } = timer {
            self.warnings.begin(member_id, incarnation, self.now.mono, after);
        }
        self.timers.submit(timer, self.now.mono.plus(after));
    }
}

#[cfg(test)]
mod tests;
