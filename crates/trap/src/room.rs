//! The process that plays: takes strangers in, and plays to each what it came for.
//!
//! It knows neither who they are nor what becomes of them. It opens nothing, and needs no clock but that of the machine.

use crate::{
    Limits, RoomLine, Setting, TlsIdentity,
    beside::{Call, Switchboard},
    bind::Plays,
    broken::fault,
    curves,
    line::{Arrivals, Pipe},
    report::{REPORT_WAIT, REPORT_WAIT_MS, Teller, Transcript, add},
    rules::{Eyes, Rules},
    session::{Common, Conversation, Drip, wall},
    tls::Tls,
    wire::{ADMISSION_BYTES_MAX, Admission, Evidence},
};
use honeymesh_detect::Tally;
use honeymesh_trap_proto::{Datagram, Findings, Leaves, Reply};
use honeymesh_types::Signs;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io,
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpStream, sync::oneshot, task::JoinSet, time::timeout};

/// How long open sessions may take for their last report when the traps close.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// Everything that is played, and to whom.
pub struct Room {
    plays: Vec<Plays>,
    common: Arc<Common>,
    /// Keyed afresh at each start: nobody outside can guess a session's seed.
    seeds: RandomState,
}

/// A room that is ready to play.
pub struct Ready {
    room: Room,
    arrivals: Arrivals,
    pipe: Pipe,
}

/// While it plays.
struct Playing {
    room: Room,
    pipe: Arc<Pipe>,
    open: JoinSet<u64>,
    dismissals: HashMap<u64, oneshot::Sender<()>>,
    met: Met,
}

/// How many strangers came to what, since this process began: to each service of each trap, as the trap on dark ports plays many. So there
/// are at most as many counts as [`honeymesh_trap_proto::Service::NAMES`] for each trap.
#[derive(Debug, Default)]
struct Met(HashMap<(u16, &'static str), u64>);

impl Met {
    /// Counts one more, and tells how many came before.
    fn before(&mut self, trap: u16, service: &'static str) -> u64 {
        let met = self.0.entry((trap, service)).or_default();
        let before = *met;
        *met = met.wrapping_add(1);
        before
    }
}

impl Room {
    /// What the daemon has told.
    ///
    /// # Errors
    /// It is nothing that can be played.
    pub fn new(setting: &Setting) -> io::Result<Self> {
        let (plays, rules) = (setting.plays()?, setting.compiled()?);
        Self::of(plays, setting.limits, &setting.tokens, rules, setting.tls.as_ref())
    }

    /// # Errors
    /// The identity is none.
    pub(crate) fn of(
        plays: Vec<Plays>,
        limits: Limits,
        tokens: &[String],
        rules: Option<Rules>,
        identity: Option<&TlsIdentity>,
    ) -> io::Result<Self> {
        let tls = identity.map(Tls::of).transpose()?;
        let curves = curves::library();
        let plays = plays.into_iter().map(|plays| plays.leaving_curves_to(&curves)).collect();
        let common = Common { limits, recogniser: Eyes::new(tokens, rules), tls, switchboard: Arc::new(Switchboard::default()) };
        Ok(Self { plays, common: Arc::new(common), seeds: RandomState::new() })
    }

    /// Takes the lines, on the current runtime: the last thing that is opened.
    ///
    /// # Errors
    /// The lines are none, or no descriptors are left.
    pub fn listen(self, line: RoomLine) -> io::Result<Ready> {
        let (arrivals, pipe) = line.listen()?;
        Ok(Ready { room: self, arrivals, pipe })
    }
}

impl Ready {
    /// Tells that it has begun, and plays until the daemon closes its line or is gone. Opens nothing.
    ///
    /// # Errors
    /// A line breaks.
    pub async fn run(self) -> io::Result<()> {
        let Self { room, arrivals, pipe } = self;
        pipe.write(std::iter::once(Evidence::Hello { pid: std::process::id() }.to_bytes())).await?;
        let mut playing =
            Playing { room, pipe: Arc::new(pipe), open: JoinSet::new(), dismissals: HashMap::new(), met: Met::default() };
        let ended = playing.until_over(&arrivals).await;
        // With whoever could dismiss them gone, all end.
        playing.dismissals.clear();
        let farewell = async { while playing.open.join_next().await.is_some() {} };
        // Whoever is not ready by then is cut off: dropping the set ends its tasks.
        let _ = timeout(FAREWELL, farewell).await;
        ended
    }
}

impl Playing {
    async fn until_over(&mut self, arrivals: &Arrivals) -> io::Result<()> {
        let mut message = vec![0; ADMISSION_BYTES_MAX];
        loop {
            tokio::select! {
                arrived = arrivals.next(&mut message) => match arrived? {
                    None => return Ok(()),
                    Some((admission, connection)) => self.heed(admission, connection),
                },
                Some(ended) = self.open.join_next() => {
                    // One that broke has told its end by itself.
                    let _ = ended.map(|session| self.dismissals.remove(&session));
                }
            }
        }
    }

    fn heed(&mut self, admission: Admission, connection: Option<OwnedFd>) {
        match (admission, connection) {
            (Admission::Admit { session, trap, port }, Some(connection)) => self.admit(session, trap, port, false, connection),
            (Admission::AdmitSlow { session, trap, port }, Some(connection)) => self.admit(session, trap, port, true, connection),
            (Admission::Dismiss(sessions), _) => {
                for session in sessions {
                    let _if_it_is_still_open = self.dismissals.remove(&session).map(|dismissal| dismissal.send(()));
                }
            }
            (Admission::Datagram { number, trap, port, cut, nonce_at, transfer, bytes }, _) => {
                let (cut, nonce_at) = (cut.into(), nonce_at.map(usize::from));
                self.datagram(number, trap, port, &Datagram { bytes: &bytes, cut, nonce_at, transfer, now: wall() });
            }
            (Admission::Listening { session, wish, at }, _) => {
                self.room.common.switchboard.call(session, Call::Listening(wish, at));
            }
            (Admission::Join { session, wish }, Some(connection)) => {
                self.room.common.switchboard.call(session, Call::Join(wish, connection));
            }
            _ => {}
        }
    }

    /// Answers at once; only telling may take a while. As many wait as the daemon lets wait.
    fn datagram(&mut self, number: u64, trap: u16, port: u16, datagram: &Datagram<'_>) {
        let mut teller = Teller::of_datagram(number, Arc::clone(&self.pipe));
        let reply = self.room.plays.get(usize::from(trap)).map(|plays| {
            let service = plays.at(port);
            let look =
                |reply: &Reply| self.room.common.recogniser.look(datagram.bytes, &reply.findings.fields, &Tally::default());
            catch_unwind(AssertUnwindSafe(|| {
                let mut reply = service.datagram(datagram);
                let marks = add(look(&reply), &mut reply.findings);
                (reply, Some(marks))
            }))
        });
        let is_in_transfer = datagram.transfer.is_some();
        self.open.spawn(async move {
            let mut broke = String::new();
            let (reply, marks) = match reply {
                Some(Ok(told)) => told,
                Some(Err(_)) => {
                    broke = fault().unwrap_or_else(|| "at a place that nobody noted".to_owned());
                    (Reply { findings: Findings { signs: Signs::MALFORMED, ..Findings::default() }, ..Reply::default() }, None)
                }
                None => Default::default(),
            };
            teller.tell(Transcript::default(), &reply.findings, marks.as_ref()).await;
            if !reply.answer.is_empty() || is_in_transfer && reply.leaves != Leaves::Asked {
                let nonce_at = reply.nonce_at.and_then(|at| u16::try_from(at).ok());
                let answer = Evidence::Answer { number, nonce_at, leaves: reply.leaves, bytes: &reply.answer }.to_bytes();
                let _unless_there_is_no_room = timeout(REPORT_WAIT, teller.pipe.write(std::iter::once(answer))).await;
            }
            teller.over(&broke).await;
            number
        });
    }

    fn admit(&mut self, session: u64, trap: u16, port: u16, is_slow: bool, connection: OwnedFd) {
        let teller = Teller::of_session(session, Arc::clone(&self.pipe), REPORT_WAIT_MS);
        let stream = TcpStream::from_std(connection.into());
        let (Some(plays), Ok(stream)) = (self.room.plays.get(usize::from(trap)), stream) else {
            self.open.spawn(async move {
                teller.over("").await;
                session
            });
            return;
        };
        let (dismissal, dismissed) = oneshot::channel();
        self.dismissals.insert(session, dismissal);
        let (plays, seed) = (plays.at(port), self.room.seeds.hash_one(session));
        let mut played = plays.session(seed);
        played.meet(wall(), self.met.before(trap, plays.name()));
        let drip = is_slow.then(|| Box::new(Drip::new(plays.babble(seed))));
        let conversation = Conversation::new(stream, played, drip, &self.room.common, teller, dismissed);
        self.open.spawn(async move {
            conversation.hold().await;
            session
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_trap_proto::{Bait, Persona};

    #[test]
    fn whoever_comes_elsewhere_is_not_counted_even_on_dark_ports() {
        let dark = Plays::Bait(Bait::like([].iter(), &Persona::of([7; 32])));
        let mut met = Met::default();
        let mut before = |trap: u16, port: u16| met.before(trap, dark.at(port).name());
        let told =
            [(0, 3_306), (0, 23), (0, 4_000), (1, 3_306), (0, 3_306), (0, 23), (0, 3_306)].map(|(trap, port)| before(trap, port));
        assert_eq!(told, [0, 0, 0, 0, 1, 1, 2]);
        for port in 0..=u16::MAX {
            before(0, port);
        }
        assert!(met.0.len() <= 2 * honeymesh_trap_proto::Service::NAMES.len(), "{}", met.0.len());
    }
}
