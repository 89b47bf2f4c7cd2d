//! The circle of members: knocking, letting in, and what the membership protocol has found out.

use super::{Mesh, Sender};
use crate::{
    Effect, Member, MemberChange, Refused,
    frame::{Bytes, Message},
    membership::{Change, Ident, Known, News, Packet, Share, State},
    peers::ShortId,
    post::To,
    repair::Errand,
};
use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};
use honeymesh_types::{MonoTime, Now};

/// How long a node looks for others that are down, after one has come back ...
const REUNION: Duration = Duration::from_secs(2);
/// ... and how often it knocks at one of them then.
const REUNION_KNOCK_EVERY: Duration = Duration::from_millis(50);

/// A split has healed: where one comes back, others are to be found too.
#[derive(Default)]
pub(super) struct Reunion {
    until: MonoTime,
    due: MonoTime,
}

impl Reunion {
    /// Somebody has come.
    fn begin(&mut self, now: MonoTime) {
        if self.until <= now {
            self.due = now;
        }
        self.until = now.plus(REUNION);
    }

    pub(super) fn wake_at(&self) -> MonoTime {
        if self.until == MonoTime(0) { MonoTime::MAX } else { self.due }
    }
}

/// For how long a probe is sent again: the library then asks others to try, and needs some of its second for that.
const PROBE_AGAIN_FOR: Duration = Duration::from_millis(650);

/// The probe that is out.
#[derive(Default)]
pub(super) struct Probe {
    packet: Option<Packet>,
    due: MonoTime,
    until: MonoTime,
}

impl Probe {
    fn begin(&mut self, packet: Packet, patience: Duration, now: MonoTime) {
        *self = Self { packet: Some(packet), due: now.plus(patience), until: now.plus(PROBE_AGAIN_FOR) };
    }

    fn answered(&mut self, id: ShortId) {
        self.packet.take_if(|packet| packet.to.short() == id);
    }

    fn again(&mut self, patience: Duration, now: MonoTime) -> Option<Packet> {
        self.due = now.plus(patience);
        if now >= self.until {
            self.packet = None;
        }
        self.packet.clone()
    }

    pub(super) fn wake_at(&self) -> MonoTime {
        if self.packet.is_some() { self.due } else { MonoTime::MAX }
    }
}

impl Mesh {
    /// Does this node know where others reach it? Until then it is no member.
    pub(super) fn is_placed(&self) -> bool {
        let addr = self.members.me().addr;
        !addr.ip().is_unspecified() && addr.port() != 0
    }

    /// Takes a packet of the membership protocol.
    pub(super) fn swim(&mut self, sender: Sender, packet: &[u8], now: Now, out: &mut Vec<Effect>) -> Result<(), Refused> {
        if !self.is_placed() {
            return Ok(());
        }
        // It may have been forgotten; then our next datagram says so, and it introduces itself again.
        let known = self.post.peers.get(sender.id).and_then(|peer| peer.stats.node);
        let node = known.ok_or(Refused::Identity)?;
        let mut news = News::default();
        let admission = &self.admission;
        let taken = self.members.packet(node, packet, &|node| admission.admits(node, now.wall), now, &mut news);
        self.carry_out(news, now, out);
        taken
    }

    /// Sends a probe again while its answer is missing: a lost datagram alone makes nobody a suspect.
    pub(super) fn probe_again(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.probe.wake_at() > now.mono {
            return;
        }
        let patience = self.receipts.patience();
        if let Some(packet) = self.probe.again(patience, now.mono) {
            self.post.stats.probes_again += 1;
            let to = To { addr: packet.to.addr, peer: Some(packet.to.short()) };
            self.post.send(to, Message::Swim { packet: Bytes(&packet.bytes), digest: None }, now, out);
        }
    }

    pub(super) fn wake_members(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.members.wake_at() <= now.mono {
            let mut news = News::default();
            self.members.wake(now, &mut news);
            self.carry_out(news, now, out);
        }
    }

    /// Knocks at configured peers that are not there.
    pub(super) fn knock(&mut self, now: Now, out: &mut Vec<Effect>) {
        for addr in self.doors.due(now.mono, &self.roster, &mut self.rng) {
            self.knock_at(To { addr, peer: None }, now, out);
        }
    }

    /// Knocks at one of those who are down, while they are likely to be back.
    pub(super) fn reunite(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.reunion.wake_at() > now.mono {
            return;
        }
        let lost = if self.reunion.until > now.mono { self.lost_member() } else { None };
        self.members.hurry(lost.is_some());
        let Some(to) = lost else {
            self.reunion = Reunion::default();
            return;
        };
        self.reunion.due = now.mono.plus(REUNION_KNOCK_EVERY);
        self.knock_at(to, now, out);
    }

    pub(super) fn knock_at(&mut self, to: To, now: Now, out: &mut Vec<Effect>) {
        let me = self.members.me();
        let is_guest = to.peer.is_some_and(|id| self.post.routes.guests.contains_key(&id));
        // Who can only dial out has its relay's address.
        if to.addr != me.addr || self.post.routes.is_dial_out || is_guest {
            let certificate = self.own_certificate();
            self.post.send(to, Message::Knock { me, at: to.addr, certificate: Bytes(&certificate) }, now, out);
        }
    }

    /// Somebody knocks: lets it in and tells it who is here.
    pub(super) fn knocked(
        &mut self,
        sender: Sender,
        ident: Ident,
        at: SocketAddr,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        if ident.short() != sender.id {
            return Err(Refused::Identity);
        }
        let mut news = News::default();
        if !self.is_placed() {
            self.members.move_to(at, now, &mut news);
        }
        let learned = self.learn(&[alive(ident)], Share::HandOn, now, &mut news);
        self.carry_out(news, now, out);
        self.welcome(sender, self.members.get(sender.id), now, out);
        learned.map(|_| ())
    }

    fn welcome(&mut self, sender: Sender, you: Option<Known>, now: Now, out: &mut Vec<Effect>) {
        let certificate = self.own_certificate();
        let welcome = Message::Welcome { me: self.members.me(), at: sender.addr, you, certificate: Bytes(&certificate) };
        self.post.send(sender.to(), welcome, now, out);
    }

    /// Somebody answers a knock.
    pub(super) fn welcomed(
        &mut self,
        sender: Sender,
        ident: Ident,
        at: SocketAddr,
        you: Option<Known>,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        if ident.short() != sender.id {
            return Err(Refused::Identity);
        }
        let mut news = News::default();
        let was_there = self.roster.contains(sender.id);
        self.settle(at, now, &mut news);
        let before = self.members.me();
        let about_us = you.filter(|you| you.ident.node == self.node.0);
        let known: Vec<Known> = [alive(ident)].into_iter().chain(about_us).collect();
        let learned = self.learn(&known, Share::HandOn, now, &mut news);
        self.carry_out(news, now, out);
        self.doors.opened(sender.addr, sender.id);
        self.return_welcome(sender, before, now, out);
        if !was_there && self.roster.contains(sender.id) {
            self.start(sender, Errand { records: true, members: true, ..Errand::default() }, now, out);
        }
        learned.map(|_| ())
    }

    /// A node that does not know its address takes the one it is seen at, with the port it listens on.
    fn settle(&mut self, seen_at: SocketAddr, now: Now, news: &mut News) {
        if !self.is_placed() {
            let port = Some(self.members.me().addr.port()).filter(|port| *port != 0).unwrap_or(seen_at.port());
            self.members.move_to(SocketAddr::new(seen_at.ip(), port), now, news);
        }
    }

    /// If one of the two has declared the other down, the other must begin a new life and say so.
    fn return_welcome(&mut self, sender: Sender, before: Ident, now: Now, out: &mut Vec<Effect>) {
        if self.members.me() != before {
            self.knock_at(sender.to(), now, out);
        }
        let you = self.members.get(sender.id).filter(|known| known.state == State::Down);
        if you.is_some() {
            self.welcome(sender, you, now, out);
        }
    }

    /// Takes note of the members known from before this start.
    pub(super) fn introduce(&mut self, now: Now, out: &mut Vec<Effect>) {
        let members = core::mem::take(&mut self.known);
        if members.is_empty() || !self.is_placed() {
            return;
        }
        let others = members.iter().filter(|member| member.node != self.node);
        let known: Vec<Known> = others.map(Known::of).collect();
        let mut news = News::default();
        // A full list leaves out the rest, as documented.
        let _ = self.learn(&known, Share::Keep, now, &mut news);
        self.carry_out(news, now, out);
    }

    /// Takes a list of members that was asked for; true if any was new.
    pub(super) fn learn_members<'a>(
        &mut self,
        items: impl Iterator<Item = &'a [u8]>,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<bool, Refused> {
        let known: Vec<Known> = items.filter_map(|item| postcard::from_bytes(item).ok()).collect();
        let mut news = News::default();
        let learned = self.learn(&known, Share::Keep, now, &mut news);
        self.carry_out(news, now, out);
        learned.map(|new| new > 0)
    }

    /// Takes over what is known of others, as far as they are let in.
    fn learn(&mut self, known: &[Known], share: Share, now: Now, news: &mut News) -> Result<usize, Refused> {
        let admission = &self.admission;
        self.members.learn(known, &|node| admission.admits(node, now.wall), share, now, news)
    }

    /// Sends what the membership protocol wants sent, and takes note of who came and went.
    pub(super) fn carry_out(&mut self, news: News, now: Now, out: &mut Vec<Effect>) {
        self.post.routes.own = self.members.me().addr;
        for id in &news.answered {
            self.probe.answered(*id);
            self.note_answer(*id, now.mono);
        }
        for change in &news.changes {
            self.note_change(change, now, out);
        }
        if !self.is_placed() {
            return;
        }
        for packet in news.packets {
            let to = To { addr: packet.to.addr, peer: Some(packet.to.short()) };
            let digest = if packet.is_probe { Some(self.digest_for_probe(now)) } else { None };
            self.post.send(to, Message::Swim { packet: Bytes(&packet.bytes), digest }, now, out);
            if packet.is_probe {
                self.probe.begin(packet, self.receipts.patience(), now.mono);
            }
        }
    }

    /// Does what a member that went was to do.
    fn inherit(&mut self, id: ShortId) {
        for overdue in self.receipts.forget(id) {
            self.push_on(&overdue.signed, Some(id), overdue.duty);
        }
    }

    fn note_change(&mut self, change: &Change, now: Now, out: &mut Vec<Effect>) {
        match *change {
            Change::Came(ident) => {
                self.post.peers.reborn(ident.short());
                self.roster.insert(ident.short(), ident.addr);
                self.gone.came(ident.short());
                self.reunion.begin(now.mono);
            }
            Change::Went(ident) => {
                self.roster.remove(ident.short());
                let is_full = self.gone.went(ident.short(), ident.addr, now.mono);
                self.post.stats.gone_dropped += u64::from(is_full);
                self.inherit(ident.short());
            }
            Change::Reborn(ident) => {
                self.post.peers.reborn(ident.short());
                if self.roster.contains(ident.short()) {
                    self.roster.insert(ident.short(), ident.addr);
                }
            }
        }
        if let Some((ident, told)) = change.told() {
            let state = if told == MemberChange::Up { State::Alive } else { State::Down };
            let name = self.post.peers.name(ident.short()).cloned();
            let known = Known { ident, refuted: 0, state };
            out.push(Effect::Member { member: Member { name, ..known.member() }, change: told });
        }
    }
}

const fn alive(ident: Ident) -> Known {
    Known { ident, refuted: 0, state: State::Alive }
}
