//! Digests and repairs: noticing that a peer's set differs, and mending it.

use super::{Mesh, Sender, checks::Cause};
use crate::{
    Effect, Refused,
    answer::horizon,
    bucket::Bucket,
    frame::{Answer, Bytes, Digest, IDS_MAX, Ids, Message, Packer, Prefix, Stub, Tally},
    knock::jittered,
    peers::ShortId,
    post::To,
    repair::{Errand, GIFT_MAX, Progress, Session},
    roster::below,
    sketch::{Difference, Growth, SYMBOLS_KEPT, SYMBOLS_SENT, Symbols},
    stream::StreamId,
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;
use honeymesh_types::{MonoTime, Now};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// How often a digest is sent.
const DIGEST_EVERY: Duration = Duration::from_secs(1);
/// Every so many digests another one goes to a peer that is configured or down.
const DIGESTS_PER_STRAY: u64 = 10;
/// Every so many digests a node that is alone knocks at somebody it knew.
const DIGESTS_PER_LONELY_KNOCK: u64 = 3;
/// How long sets may differ before that is mended: what is under way arrives in that time.
const DOUBT: Duration = Duration::from_millis(500);
/// Peers whose sets are in doubt at once; more are left to their next digest.
const DOUBTS_MAX: usize = 64;
/// Sets whose counts differ by more are not sketched.
const SKETCH_DIFFERENCE_MAX: usize = 500;
/// Sketches of all peers that are read in a second, ...
const SKETCHES_PER_SECOND: u32 = 20;
/// ... and at once.
const SKETCHES_BURST: u32 = 40;
/// Repairs at once.
const SESSIONS_MAX: usize = 2;
/// How long to wait after asking for members in vain; doubled each time.
const CENSUS_WAIT_MIN: Duration = Duration::from_secs(1);
/// How much longer to wait if only a few are missing.
const CENSUS_FEW_WAIT: Duration = Duration::from_secs(2);
/// The longest wait between asking for members in vain.
const CENSUS_WAIT_MAX: Duration = Duration::from_secs(32);

/// How long after somebody was let in any difference in the number of members is looked into.
const CENSUS_KEEN: Duration = Duration::from_secs(60);

/// A peer whose set differs, unless what is under way mends it.
#[derive(Clone, Copy)]
struct Doubt {
    due: MonoTime,
    sender: Sender,
    /// How many records it has.
    count: usize,
}

/// What this node is finding out about others' sets.
pub(super) struct Digests {
    due: MonoTime,
    /// A digest has gone out with a probe since the last round.
    is_told: bool,
    round: u64,
    doubts: BTreeMap<ShortId, Doubt>,
    /// Peers' sketches that may be read.
    sketches: Bucket,
    pub(super) sessions: Vec<Session>,
    /// The name of the newest one.
    last_session: u64,
    /// Before this time nobody is asked for members.
    census_due: MonoTime,
    census_wait: Duration,
    /// Until then any difference in the number of members is looked into: somebody was let in whom this node has not met.
    census_keen_until: MonoTime,
}

impl Digests {
    pub(super) fn new(rng: &mut ChaCha8Rng, now: MonoTime) -> Self {
        Self {
            due: now.plus(jittered(DIGEST_EVERY, rng)),
            is_told: false,
            round: 0,
            doubts: BTreeMap::new(),
            sketches: Bucket::full(SKETCHES_BURST, now),
            sessions: Vec::new(),
            last_session: 0,
            census_due: now,
            census_wait: CENSUS_WAIT_MIN,
            census_keen_until: now,
        }
    }

    /// The repair of this name, if it is still under way.
    pub(super) fn session(&mut self, serial: u64) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.serial == serial)
    }

    /// Where it is.
    pub(super) fn place(&self, serial: u64) -> Option<usize> {
        self.sessions.iter().position(|session| session.serial == serial)
    }

    /// Begins a repair; gives its place.
    pub(super) fn begin(&mut self, mut session: Session) -> usize {
        self.last_session += 1;
        session.serial = self.last_session;
        self.sessions.push(session);
        self.sessions.len() - 1
    }

    pub(super) fn wake_at(&self) -> MonoTime {
        let doubts = self.doubts.values().map(|doubt| doubt.due).min().unwrap_or(MonoTime::MAX);
        let sessions = self.sessions.iter().map(Session::wake_at).min().unwrap_or(MonoTime::MAX);
        self.due.min(doubts).min(sessions)
    }
}

impl Mesh {
    /// Sends the digest that is due, looks into doubts, and asks again what went unanswered.
    pub(super) fn wake_digests(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.digests.due <= now.mono {
            self.digests.due = now.mono.plus(jittered(DIGEST_EVERY, &mut self.rng));
            self.digests.round += 1;
            self.set.expire(now.wall);
            self.send_digests(now, out);
        }
        while let Some(doubt) = self.due_doubt(now.mono) {
            self.digests.doubts.remove(&doubt.sender.id);
            self.look_into(&doubt, now, out);
        }
        let overdue = |session: &Session| session.wake_at() <= now.mono;
        while let Some(at) = self.digests.sessions.iter().position(overdue) {
            self.go_on(at, now, out);
        }
    }

    fn due_doubt(&self, now: MonoTime) -> Option<Doubt> {
        self.digests.doubts.values().find(|doubt| doubt.due <= now).copied()
    }

    /// Shows the peer a sketch, so that it can tell and mend the difference; asks it if that is certainly too much for one.
    fn look_into(&mut self, doubt: &Doubt, now: Now, out: &mut Vec<Effect>) {
        if self.set.count(now.wall).abs_diff(doubt.count) > SKETCH_DIFFERENCE_MAX {
            self.start(doubt.sender, Errand { records: true, ..Errand::default() }, now, out);
            return;
        }
        self.post.stats.sketches += 1;
        let symbols = Symbols::pack(&self.set.symbols(SYMBOLS_SENT, now.wall));
        let (mine, symbols) = (self.set.tally(Prefix::ROOT, now.wall), Symbols(Bytes(&symbols)));
        self.post.send(doubt.sender.to(), Message::Sketch { horizon_ms: now.wall.as_millis(), mine, symbols }, now, out);
    }

    /// Takes a sketch of a peer's set: hands over what the peer lacks, and fetches what is missing here. If the sketch is too short,
    /// more of it is asked for. At most [`SKETCHES_PER_SECOND`] are read; others are left to the next digest.
    pub(super) fn sketched(
        &mut self,
        sender: Sender,
        horizon_ms: u64,
        mine: Tally,
        symbols: Symbols<'_>,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        let horizon = horizon(horizon_ms, now.wall)?;
        if !self.digests.sketches.take(SKETCHES_PER_SECOND, SKETCHES_BURST, now.mono) {
            return Err(Refused::PeerRate);
        }
        if self.set.tally(Prefix::ROOT, horizon) == mine {
            return Ok(());
        }
        let (ours, theirs) = (self.set.symbols(SYMBOLS_KEPT, horizon), symbols.unpack());
        if theirs.len() < SYMBOLS_SENT {
            return Err(Refused::Malformed);
        }
        match self.set.hasher().difference(&ours, &theirs) {
            Some(difference) if !difference.is_empty() => self.mend(sender, difference, now, out),
            // The same stubs and yet another tally: two records share one.
            Some(_) => self.start(sender, Errand { records: true, ..Errand::default() }, now, out),
            None => {
                let growth = Some((horizon, Growth::new(ours, theirs)));
                self.start(sender, Errand { growth, ..Errand::default() }, now, out);
            }
        }
        Ok(())
    }

    /// Mends a difference that is known.
    fn mend(&mut self, sender: Sender, difference: Difference, now: Now, out: &mut Vec<Effect>) {
        if difference.ours.len() > GIFT_MAX {
            self.tell_ids(sender.to(), &difference.ours, now, out);
        } else {
            self.hand_over(sender.to(), difference.ours.iter().map(|stub| stub.range()), now, out);
        }
        if !difference.theirs.is_empty() {
            self.start(sender, Errand { fetch: difference.theirs, ..Errand::default() }, now, out);
        }
    }

    fn send_digests(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !core::mem::take(&mut self.digests.is_told)
            && let Some(to) = self.roster.pick(&mut self.rng)
        {
            self.send_digest(to, false, now, out);
        }
        if self.digests.round.is_multiple_of(DIGESTS_PER_STRAY)
            && let Some(to) = self.stray()
        {
            self.send_digest(to, false, now, out);
        }
        if self.roster.len() == 0
            && self.digests.round.is_multiple_of(DIGESTS_PER_LONELY_KNOCK)
            && let Some(to) = self.lost_member()
        {
            self.knock_at(to, now, out);
        }
    }

    /// A digest that goes with a probe: the member that is probed next is as good as one at random.
    pub(super) fn digest_for_probe(&mut self, now: Now) -> Digest {
        self.digests.is_told = true;
        self.own_digest(false, now)
    }

    fn own_digest(&self, hasten: bool, now: Now) -> Digest {
        Digest {
            horizon_ms: now.wall.as_millis(),
            count: u32::try_from(self.set.count(now.wall)).unwrap_or(u32::MAX),
            fingerprint: self.set.fingerprint(now.wall).to_be_bytes(),
            members: u32::try_from(self.members.live()).unwrap_or(u32::MAX),
            hasten,
            deeds: self.admission.register.print(),
        }
    }

    fn send_digest(&mut self, to: To, hasten: bool, now: Now, out: &mut Vec<Effect>) {
        let digest = self.own_digest(hasten, now);
        self.post.send(to, Message::Digest(digest), now, out);
    }

    /// A peer that is configured or down, and not among the living.
    fn stray(&mut self) -> Option<To> {
        let door = self.doors.pick(&mut self.rng).filter(|(addr, met)| {
            *addr != self.members.me().addr && !self.roster.has_addr(*addr) && met.is_none_or(|id| !self.roster.contains(id))
        });
        door.map(|(addr, peer)| To { addr, peer }).or_else(|| self.lost_member())
    }

    /// A member that is down, at random.
    pub(super) fn lost_member(&mut self) -> Option<To> {
        let down = self.members.down();
        let known = down.get(below(&mut self.rng, down.len()))?;
        Some(To { addr: known.ident.addr, peer: Some(known.ident.short()) })
    }

    /// Takes a digest: compares, and doubts if it differs.
    pub(super) fn digest(&mut self, sender: Sender, digest: &Digest, now: Now, out: &mut Vec<Effect>) -> Result<(), Refused> {
        let horizon = horizon(digest.horizon_ms, now.wall)?;
        let is_same =
            self.set.fingerprint(horizon).to_be_bytes() == digest.fingerprint && self.set.count(horizon) == digest.count as usize;
        if digest.deeds != self.admission.register.print() {
            self.ask_deeds(sender.to(), ShortId(0), now, out);
        }
        let members = self.wants_members(digest.members as usize, now.mono);
        if is_same {
            self.digests.doubts.remove(&sender.id);
        } else if !digest.hasten && self.digests.doubts.len() < DOUBTS_MAX {
            let doubt = Doubt { due: now.mono.plus(DOUBT), sender, count: digest.count as usize };
            self.digests.doubts.entry(sender.id).or_insert(doubt);
        }
        let records = !is_same && digest.hasten;
        if records || members {
            self.start(sender, Errand { records, members, ..Errand::default() }, now, out);
        }
        Ok(())
    }

    /// Does the peer know more members, and is it time to ask? A few more only now and then: such news is mostly on its way.
    fn wants_members(&mut self, theirs: usize, now: MonoTime) -> bool {
        let ours = self.members.live();
        let tolerated = if self.lacks_member(now) { 0 } else { (ours / 50).max(1) };
        let is_many = theirs > ours + tolerated;
        let due = if is_many { self.digests.census_due } else { self.digests.census_due.plus(CENSUS_FEW_WAIT) };
        let wants = self.is_placed() && theirs > ours && now >= due;
        if wants {
            self.digests.census_due = now.plus(self.digests.census_wait);
            self.digests.census_wait = (self.digests.census_wait * 2).min(CENSUS_WAIT_MAX);
        }
        wants
    }

    /// Was somebody let in who is no member here yet?
    pub(super) fn lacks_member(&self, now: MonoTime) -> bool {
        now < self.digests.census_keen_until
    }

    /// Somebody was let in who is no member here yet: whoever knows more members is asked soon.
    pub(super) fn expect_member(&mut self, now: MonoTime) {
        self.digests.census_keen_until = now.plus(CENSUS_KEEN);
        self.digests.census_due = now;
        self.digests.census_wait = CENSUS_WAIT_MIN;
    }

    /// Starts a repair, unless enough are under way: then the next digest will.
    pub(super) fn start(&mut self, sender: Sender, errand: Errand, now: Now, out: &mut Vec<Effect>) {
        let sessions = &self.digests.sessions;
        let is_busy = self.streams.is_dialling()
            || sessions.len() >= SESSIONS_MAX
            || sessions.iter().any(|s| s.is_bulk || s.peer == sender.id);
        if is_busy {
            return;
        }
        self.post.stats.repairs += 1;
        let session = Session::new(sender.id, sender.to(), errand, self.rng.next_u32(), now);
        let at = self.digests.begin(session);
        self.go_on(at, now, out);
    }

    /// Asks what a session has to ask, and closes it if there is nothing left.
    pub(super) fn go_on(&mut self, at: usize, now: Now, out: &mut Vec<Effect>) {
        let Self { digests, set, post, .. } = self;
        let Some(session) = digests.sessions.get_mut(at) else { return };
        let (to, way) = (session.to, session.stream);
        session.pump(set, now.mono, |number, question| post.ask(way, to, Message::Ask { number, question }, now, out));
        match session.progress() {
            Progress::GoesOn => {}
            Progress::Done => {
                let session = digests.sessions.swap_remove(at);
                self.give(&session, now, out);
                self.repair_ended(session.stream, Progress::Done, out);
            }
            Progress::Failed => {
                let session = digests.sessions.swap_remove(at);
                post.stats.repairs_failed += 1;
                self.repair_ended(session.stream, Progress::Failed, out);
            }
        }
    }

    /// Hands over what the peer lacks, or tells it to ask.
    fn give(&mut self, session: &Session, now: Now, out: &mut Vec<Effect>) {
        self.tell_ids(session.to, &session.lacks_these, now, out);
        let Some(gift) = session.gift() else {
            self.send_digest(session.to, true, now, out);
            return;
        };
        self.hand_over(session.to, gift.iter().map(|id| (id.short(), id.short())), now, out);
    }

    /// Tells of records that the peer lacks: it asks for them at its own pace.
    fn tell_ids(&mut self, to: To, ids: &[Stub], now: Now, out: &mut Vec<Effect>) {
        for ids in ids.chunks(IDS_MAX) {
            let ids = Ids::pack(ids.iter().copied());
            self.post.send(to, Message::Have(Ids(Bytes(&ids))), now, out);
        }
    }

    /// Lets a repair with this peer that is under way fetch these, too. Is there one?
    pub(super) fn fetch_too(&mut self, peer: ShortId, ids: &[Stub], now: Now, out: &mut Vec<Effect>) -> bool {
        let Some(at) = self.digests.sessions.iter().position(|session| session.peer == peer && session.stream.is_none()) else {
            return false;
        };
        self.digests.sessions[at].miss(ids.iter().copied());
        self.go_on(at, now, out);
        true
    }

    /// Sends the records between each two of these ids.
    fn hand_over(&mut self, to: To, ranges: impl Iterator<Item = (u64, u64)>, now: Now, out: &mut Vec<Effect>) {
        let mut packer = Packer::default();
        for (first, last) in ranges {
            for (_, raw) in self.set.between(first, last, now.wall) {
                if !packer.push(raw) {
                    self.post.send(to, Message::Push { until: None, records: packer.list() }, now, out);
                    packer = Packer::default();
                    packer.push(raw);
                }
            }
        }
        if !packer.is_empty() {
            self.post.send(to, Message::Push { until: None, records: packer.list() }, now, out);
        }
    }

    /// Takes an answer to a question of ours.
    pub(super) fn answered(
        &mut self,
        sender: Sender,
        way: Option<StreamId>,
        number: u32,
        answer: Answer<'_>,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        let Self { digests, set, .. } = self;
        let asked = |session: &Session| session.peer == sender.id && session.stream == way;
        let at = digests.sessions.iter().position(asked).ok_or(Refused::Unasked)?;
        let haul = digests.sessions[at].answer(number, answer, set).ok_or(Refused::Unasked)?;
        if let Some(records) = haul.records {
            let session = digests.sessions[at].await_check();
            let cause = if way.is_some() { Cause::Haul(session) } else { Cause::Pull(session) };
            self.hear(sender, records, cause, now, out);
        }
        self.consider_stream(at, now, out);
        let members = haul.members.map(|members| self.learn_members(members.iter(), now, out));
        if let Some(Ok(true)) = members {
            self.digests.census_wait = CENSUS_WAIT_MIN;
        }
        self.go_on(at, now, out);
        self.resume(now, out);
        members.map_or(Ok(()), |learned| learned.map(|_| ()))
    }
}
