//! The daemon's side: lets strangers in, hands them over to whoever plays, and turns what comes back into visits.
//!
//! Who a stranger is stays here. What is told of a session is told by the process that parses strangers' bytes, so it is
//! believed no further than it can be: a session that nobody let in is nobody's, and no session can be told of without end.

mod datagrams;
mod entrance;
mod passive;
mod strays;
#[cfg(test)]
mod taken_over;
#[cfg(feature = "testing")]
pub mod testing;
mod transfers;
mod vigil;

use crate::{
    Bound, Line, Room,
    bind::Plays,
    limits::{Gate, Guest},
    line::{Heard, Inward, lines},
    post::{FIRST_NUMBER, Post},
    report::{REPORT_WAIT, REPORTS_MAX, SESSION_BYTES_MAX, Stranger, VISIT_WAIT},
    room::FAREWELL,
    rules::{RULES_CUT, RULES_FIELD},
    status::{Counters, House, count},
    wire::{
        Admission, Body, DISMISSED_PER_MESSAGE, Evidence, PACKET_BYTES_MAX, PLACE_BYTES_MAX, ReportHead, body_bytes_max,
        read_body,
    },
};
use datagrams::Mailbox;
use entrance::doors;
use honeymesh_trap_proto::safe_text;
use honeymesh_types::{Now, Transport, Visit};
use std::{
    collections::BTreeMap,
    future::Future,
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use strays::STRAY_PAUSE;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use transfers::Keeping;
pub use vigil::UNPLAYED_MAX;
use vigil::{Shutter, Vigil, watch_over};

/// How long a stranger waits to be handed over: whoever plays takes no one while it is being started again.
const HAND_WAIT: Duration = Duration::from_secs(2);
/// How long [`Bound::keep`] may take once it is to end: for a stranger who was just let in, and for what is still told.
pub const CLOSING_MAX: Duration = HAND_WAIT.saturating_add(FAREWELL).saturating_add(REPORT_WAIT);
/// How often those are looked for who should have left long ago.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Packets that are still read when there is no more time: four times what the pipe holds, so that whoever writes without end does
/// not keep the traps from closing.
const LAST_PACKETS_MAX: usize = 1_024;

/// What became of the process that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Another one has begun in its place.
    Began {
        /// Its process number.
        pid: u32,
    },
    /// It has ended, as wait(2) tells it, and another one will begin. Its sessions have ended with it.
    Ended {
        /// What wait(2) gave.
        status: i32,
    },
    /// Nobody has played for [`UNPLAYED_MAX`], or nobody will: dark ports are closed until [`News::Began`].
    Closed,
}

/// What the daemon's side needs besides its sockets.
#[derive(Debug)]
pub struct Household {
    /// Where visits go. If it is full, a visit waits five seconds (250 ms while the traps close), and with it all that is told; then
    /// it is given up, and counted in `reports_lost`.
    pub visits: mpsc::Sender<Visit>,
    /// Where it goes what becomes of the process that plays. If it is full, the news is not told.
    pub news: mpsc::Sender<News>,
    /// Dates the visits.
    pub clock: fn() -> Now,
}

/// What doors and hearing share.
struct Shared {
    gate: Arc<Gate>,
    post: Post,
    /// Octets kept of one datagram.
    capture_bytes_max: usize,
    traps: Vec<(Plays, Arc<Counters>)>,
    house: Arc<House>,
    household: Household,
}

/// Who listens to the process that plays.
struct Hearing {
    heard: Heard,
    shared: Arc<Shared>,
    report: Option<Coming>,
    /// A visit that waits for room, and its trap: whoever listens may be stopped meanwhile.
    untold: Option<(usize, Visit)>,
    /// The longest that a visit waits for room; without a wait it is told at once or never.
    wait_max: Duration,
    has_begun: bool,
    vigil: Vigil,
    stray_pause: Duration,
    /// None while nobody is let in.
    keeping: Option<Keeping>,
}

/// A report of which not every packet is there yet.
struct Coming {
    head: ReportHead,
    body: Vec<u8>,
}

impl Bound {
    /// Lets strangers in and tells their visits until `shutdown` is ready, the receiver of visits is gone, or the process at the
    /// other end of `line` and whoever starts it again have ended.
    ///
    /// # Errors
    /// A listener could not be handed to the runtime, and nobody was let in; or nobody plays any more.
    pub async fn keep(self, line: Line, household: Household, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
        let begun = line.begun();
        let (inward, heard) = line.listen()?;
        let (inward, visits) = (Arc::new(inward), household.visits.clone());
        let (stop, stopped) = watch::channel(());
        let traps = self.traps.iter().map(|trap| (trap.plays.clone(), Arc::clone(&trap.counters))).collect();
        let capture_bytes_max = self.limits.capture_bytes_max;
        let shared =
            Arc::new(Shared { gate: self.gate, post: Post::new()?, capture_bytes_max, traps, house: self.house, household });
        let mut open = JoinSet::new();
        let has_dark = shared.traps.iter().any(|(plays, _)| plays.is_dark());
        let ((vigil, told), (shut, shutter)) = (Vigil::new(), Shutter::new());
        if has_dark {
            drop(tokio::spawn(watch_over(told, shut, shared.household.news.clone())));
        }
        let (doors, mailboxes) = doors(self.traps, &inward, &shared, &shutter, &stopped)?;
        doors.into_iter().for_each(|door| drop(open.spawn(door.keep())));
        mailboxes.into_iter().for_each(|mailbox| drop(open.spawn(mailbox.keep())));
        let keeping = Some(Keeping::new(&inward, &stopped));
        open.spawn(dismiss(Arc::clone(&shared), inward, stopped));
        let (shared_too, report, untold) = (Arc::clone(&shared), None, None);
        let mut hearing = Hearing {
            heard,
            shared: shared_too,
            report,
            untold,
            wait_max: VISIT_WAIT,
            has_begun: false,
            vigil,
            stray_pause: STRAY_PAUSE,
            keeping,
        };
        begun.into_iter().for_each(|pid| hearing.began(pid));
        let ended = tokio::select! {
            // In this order: whoever wants an end may take no reports any more either, and then nothing is amiss.
            biased;
            () = shutdown => Ok(()),
            () = visits.closed() => {
                tracing::warn!("nobody takes the traps' reports any more; the traps close");
                Ok(())
            }
            ended = hearing.until_nobody_plays() => Err(ended.err().unwrap_or_else(|| io::Error::other("nobody plays any more"))),
        };
        drop(stop);
        while open.join_next().await.is_some() {}
        if let Some(keeping) = hearing.keeping.take() {
            keeping.end().await;
        }
        // With the last door the line to the process is closed: it tells what is left, and ends.
        hearing.hear_out().await;
        shared.let_go(shared.gate.empty());
        shared.tell_letters(shared.post.empty());
        ended
    }

    /// The same with the playing in this process, on the same runtime: for tests, and where strangers' bytes need no process of
    /// their own.
    ///
    /// # Errors
    /// As [`Bound::keep`].
    pub async fn run(
        self,
        visits: mpsc::Sender<Visit>,
        clock: fn() -> Now,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let (line, rooms) = lines()?;
        let plays = self.traps.iter().map(|trap| trap.plays.clone()).collect();
        let room = Room::of(plays, self.limits, &self.tokens, None, self.tls.as_ref())?;
        let playing = tokio::spawn(room.listen(rooms)?.run());
        let household = Household { visits, news: mpsc::channel(1).0, clock };
        let kept = self.keep(line, household, shutdown).await;
        playing.await.map_err(io::Error::other)??;
        kept
    }
}

/// Tells whoever plays which sessions end.
async fn dismiss(shared: Arc<Shared>, inward: Arc<Inward>, mut stop: watch::Receiver<()>) {
    loop {
        tokio::select! {
            () = shared.gate.dismissal.notified() => {}
            _ = stop.changed() => return,
        }
        for sessions in shared.gate.dismissed().chunks(DISMISSED_PER_MESSAGE) {
            let dismissal = Admission::Dismiss(sessions.to_vec());
            tokio::select! {
                _unless_nobody_is_there = inward.hand(&dismissal, None) => {}
                _ = stop.changed() => return,
            }
        }
    }
}

impl Shared {
    fn counters(&self, guest: &Guest) -> &Counters {
        &self.traps[guest.trap].1
    }

    fn visit(&self, trap: usize, stranger: &Stranger, bytes: u64, body: Body) -> Visit {
        let Body { findings, marks, payload } = body;
        self.note_cut(&findings.fields);
        let (plays, counters) = &self.traps[trap];
        Visit {
            at: (self.household.clock)(),
            session: stranger.session,
            trap: counters.name.clone(),
            service: plays.at(stranger.local.port()).name().to_owned(),
            source: stranger.source,
            local: stranger.local,
            transport: Transport::Tcp,
            payload,
            bytes,
            signs: findings.signs | plays.signs(),
            fields: findings.fields,
            marks,
        }
    }

    /// Counts a report that the operator's rules did not see the end of.
    fn note_cut(&self, fields: &BTreeMap<String, String>) {
        if fields.get(RULES_FIELD).is_some_and(|rules| rules.ends_with(RULES_CUT)) {
            count(&self.house.rules_cut);
        }
    }

    /// Tells that somebody was here, if there is room: it must not hold up the others.
    fn tell_now(&self, trap: usize, stranger: &Stranger) {
        let visit = self.visit(trap, stranger, 0, Body::default());
        self.was_told(trap, self.household.visits.try_send(visit).is_ok());
    }

    fn was_told(&self, trap: usize, taken: bool) {
        let counters = &self.traps[trap].1;
        count(if taken { &counters.reports } else { &counters.reports_lost });
    }

    /// Who has left is counted no longer; of whom nothing was told, that much is told.
    fn let_go(&self, guests: Vec<Guest>) {
        for guest in guests {
            self.counters(&guest).active.fetch_sub(1, Relaxed);
            if guest.reports == 0 {
                self.tell_now(guest.trap, &guest.stranger);
            }
        }
    }
}

impl Hearing {
    /// What is left once nobody is let in any more: told, or counted as lost. No visit that finds no room has the time of all others.
    async fn hear_out(&mut self) {
        self.wait_max = REPORT_WAIT;
        let told = async {
            self.tell_untold(REPORT_WAIT).await;
            self.until_nobody_plays().await
        };
        let _until_it_is_too_late = timeout(FAREWELL + REPORT_WAIT, told).await;
        self.hear_the_rest().await;
    }

    /// Hears what is in the pipe, without waiting for anything.
    async fn hear_the_rest(&mut self) {
        (self.wait_max, self.stray_pause) = (Duration::ZERO, Duration::ZERO);
        self.tell_untold_now();
        let mut packet = [0; PACKET_BYTES_MAX];
        for _ in 0..LAST_PACKETS_MAX {
            let Some(length) = self.heard.now(&mut packet) else { return };
            self.hear(&packet[..length]).await;
        }
    }

    async fn until_nobody_plays(&mut self) -> io::Result<()> {
        let mut packet = [0; PACKET_BYTES_MAX];
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                read = self.heard.next(&mut packet) => match read? {
                    Some(length) => self.hear(&packet[..length]).await,
                    None => return Ok(()),
                },
                _ = look.tick() => self.look(),
            }
        }
    }

    fn look(&self) {
        let late = self.shared.gate.overdue(Instant::now());
        if !late.is_empty() {
            self.shared.house.overdue.fetch_add(late.len() as u64, Relaxed);
            tracing::warn!(sessions = late.len(), "the process that plays the traps has not told the end of sessions in time");
            self.shared.let_go(late);
        }
        self.shared.tell_letters(self.shared.post.overdue(Instant::now()));
    }

    async fn hear(&mut self, packet: &[u8]) {
        match Evidence::read(packet) {
            Some(Evidence::Report { head, part }) => self.report_begins(head, part).await,
            Some(Evidence::Part(part)) => self.report_goes_on(part).await,
            Some(Evidence::Over { session, lost, fault }) => self.over(session, lost, fault).await,
            Some(Evidence::Hello { pid }) => self.began(pid),
            Some(Evidence::Gone { status, pause_ms }) => self.gone(status, Duration::from_millis(pause_ms.into())),
            Some(Evidence::Answer { number, nonce_at, leaves, bytes }) => {
                self.answer(number, bytes, nonce_at.map(usize::from), leaves).await;
            }
            Some(Evidence::Listen { session, wish }) => self.listen(session, wish).await,
            None => self.stray().await,
        }
    }

    async fn report_begins(&mut self, head: ReportHead, part: &[u8]) {
        self.report = None;
        let room = if is_letter(head.session) {
            Some(Self::letter_body_max())
        } else {
            self.shared.gate.told(head.session, |guest| body_bytes_max(guest.capture_room))
        };
        if room.is_none_or(|room| head.body as usize > room) {
            return self.stray().await;
        }
        self.report = Some(Coming { head, body: Vec::with_capacity(head.body as usize) });
        self.report_goes_on(part).await;
    }

    async fn report_goes_on(&mut self, part: &[u8]) {
        let Some(mut coming) = self.report.take() else { return self.stray().await };
        coming.body.extend_from_slice(part);
        match coming.body.len().cmp(&(coming.head.body as usize)) {
            std::cmp::Ordering::Less => self.report = Some(coming),
            std::cmp::Ordering::Equal if is_letter(coming.head.session) => self.report_letter(coming).await,
            std::cmp::Ordering::Equal => self.report(coming).await,
            std::cmp::Ordering::Greater => self.stray().await,
        }
    }

    async fn report(&mut self, Coming { head, body }: Coming) {
        let Some(body) = read_body(head.signs, &body) else { return self.stray().await };
        let noted = self
            .shared
            .gate
            .told(head.session, |guest| note(guest, head.bytes, body.payload.len(), self.shared.capture_bytes_max));
        let Some(guest) = noted.flatten() else { return self.stray().await };
        if head.bytes > 0 {
            self.shared.gate.speaks(head.session);
        }
        self.shared.counters(&guest).bytes.fetch_add(head.bytes, Relaxed);
        let visit = self.shared.visit(guest.trap, &guest.stranger, head.bytes, body);
        self.tell(guest.trap, visit, VISIT_WAIT).await;
    }

    /// Tells a visit, if there is room for it soon.
    async fn tell(&mut self, trap: usize, visit: Visit, wait: Duration) {
        self.untold = Some((trap, visit));
        match wait.min(self.wait_max) {
            Duration::ZERO => self.tell_untold_now(),
            wait => self.tell_untold(wait).await,
        }
    }

    async fn tell_untold(&mut self, wait: Duration) {
        if self.untold.is_none() {
            return;
        }
        let room = timeout(wait, self.shared.household.visits.reserve()).await;
        let Some((trap, visit)) = self.untold.take() else { return };
        // Counted first: whoever has the visit may look at the counters.
        self.shared.was_told(trap, matches!(room, Ok(Ok(_))));
        if let Ok(Ok(room)) = room {
            room.send(visit);
        }
    }

    /// The same without waiting, when there is no more time.
    fn tell_untold_now(&mut self) {
        if let Some((trap, visit)) = self.untold.take() {
            self.shared.was_told(trap, self.shared.household.visits.try_send(visit).is_ok());
        }
    }

    async fn over(&mut self, session: u64, lost: u32, fault: &[u8]) {
        if is_letter(session) {
            return self.letter_is_over(session, lost, fault).await;
        }
        let Some(guest) = self.shared.gate.leave(session) else { return self.stray().await };
        let counters = self.shared.counters(&guest);
        counters.reports_lost.fetch_add(u64::from(lost), Relaxed);
        if !fault.is_empty() {
            count(&counters.panics);
            let place = safe_text(fault, PLACE_BYTES_MAX);
            tracing::error!(trap = %counters.name, %place, "a trap's protocol broke; its session is closed");
        }
        // What could not be told is lost, and counted; the visit itself never is.
        self.shared.let_go(vec![guest]);
    }

    fn began(&mut self, pid: u32) {
        self.report = None;
        self.shared.house.pid.store(u64::from(pid), Relaxed);
        self.vigil.began();
        // The first one begins with nobody inside, and those who came meanwhile are still to be taken by it.
        if std::mem::replace(&mut self.has_begun, true) {
            count(&self.shared.house.restarts);
            let _unless_it_is_full = self.shared.household.news.try_send(News::Began { pid });
        }
    }

    fn gone(&mut self, status: i32, pause: Duration) {
        self.report = None;
        self.vigil.ended(pause);
        self.has_begun = true;
        self.shared.let_go(self.shared.gate.empty());
        self.shared.tell_letters(self.shared.post.empty());
        let _unless_it_is_full = self.shared.household.news.try_send(News::Ended { status });
    }
}

/// Is it a datagram's number, and not a session's?
const fn is_letter(number: u64) -> bool {
    number > FIRST_NUMBER
}

/// Notes a report, and gives the guest if it may still be told of: more than a session can hold is not believed.
fn note(guest: &mut Guest, bytes: u64, payload: usize, capture_max: usize) -> Option<Guest> {
    let is_possible = bytes >= payload as u64
        && payload <= guest.capture_room
        && usize::from(guest.reports) <= REPORTS_MAX
        && guest.bytes.saturating_add(bytes) <= SESSION_BYTES_MAX + (PACKET_BYTES_MAX + capture_max) as u64;
    if !is_possible {
        return None;
    }
    guest.reports += 1;
    guest.bytes += bytes;
    guest.capture_room -= payload;
    Some(guest.clone())
}

#[cfg(test)]
mod tests;
