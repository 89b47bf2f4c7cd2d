//! Accepts strangers until it is told to stop.

use crate::{
    Bound, Limits,
    bind::{Plays, Trap},
    limits::{Entry, Gate, Pass},
    report::{Outlet, REPORT_WAIT, Stranger},
    session::Conversation,
    status::count,
};
use honeymesh_types::{Now, SessionId, Visit};
use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

/// How long to wait after a failed `accept`: without descriptors or memory, trying at once again only burns the CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long open sessions may take for their last report when the traps close.
const FAREWELL: Duration = Duration::from_secs(1);

/// What all listeners share.
struct House {
    gate: Arc<Gate>,
    limits: Limits,
    visits: mpsc::Sender<Visit>,
    clock: fn() -> Now,
    next_session: AtomicU64,
    /// Keyed afresh at each start: nobody outside can guess a session's seed.
    seeds: RandomState,
}

/// One listening socket and what answers there.
struct Door {
    listener: TcpListener,
    plays: Plays,
    outlet: Outlet,
    address: SocketAddr,
    house: Arc<House>,
    stop: watch::Receiver<()>,
}

impl Bound {
    /// Accepts strangers and reports their visits until `shutdown` is ready or the receiver of `visits` is gone.
    ///
    /// Needs a tokio runtime, its listeners, and nothing else. `clock` dates the reports. If `visits` is full, a
    /// session waits a short time and then gives the report up, counted in `reports_lost`.
    ///
    /// # Errors
    /// A listener could not be handed to the runtime; nobody was accepted.
    pub async fn run(
        self,
        visits: mpsc::Sender<Visit>,
        clock: fn() -> Now,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let (stop, stopped) = watch::channel(());
        let house = Arc::new(House {
            gate: self.gate,
            limits: self.limits,
            visits: visits.clone(),
            clock,
            next_session: AtomicU64::new(1),
            seeds: RandomState::new(),
        });
        let mut open = JoinSet::new();
        for door in doors(self.traps, &house, &stopped)? {
            open.spawn(door.keep());
        }
        tokio::select! {
            () = shutdown => {}
            () = visits.closed() => tracing::warn!("nobody takes the traps' reports any more; the traps close"),
        }
        drop(stop);
        let farewell = async { while open.join_next().await.is_some() {} };
        // Whoever is not ready by then is cut off: dropping the set ends its tasks.
        let _ = timeout(FAREWELL, farewell).await;
        Ok(())
    }
}

fn doors(traps: Vec<Trap>, house: &Arc<House>, stopped: &watch::Receiver<()>) -> io::Result<Vec<Door>> {
    let mut doors = Vec::new();
    for trap in traps {
        for listener in trap.listeners {
            let address = listener.local_addr()?;
            let outlet = Outlet {
                visits: house.visits.clone(),
                clock: house.clock,
                counters: Arc::clone(&trap.counters),
                wait: REPORT_WAIT,
                played: trap.counters.service,
                signs: trap.plays.signs(),
            };
            doors.push(Door {
                listener: TcpListener::from_std(listener)?,
                plays: trap.plays.clone(),
                outlet,
                address,
                house: Arc::clone(house),
                stop: stopped.clone(),
            });
        }
    }
    Ok(doors)
}

impl Door {
    async fn keep(mut self) {
        let mut sessions = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, source)) => self.greet(stream, source, &mut sessions),
                    Err(error) => self.failed(&error).await,
                },
                Some(ended) = sessions.join_next() => self.ended(&ended),
                _ = self.stop.changed() => break,
            }
        }
        drop(self.listener);
        while sessions.join_next().await.is_some() {}
    }

    fn greet(&self, stream: TcpStream, source: SocketAddr, sessions: &mut JoinSet<()>) {
        let stranger = Stranger {
            session: SessionId(self.house.next_session.fetch_add(1, Relaxed)),
            // The address comes from `accept`: whoever reset the connection meanwhile has no other.
            source: SocketAddr::new(source.ip().to_canonical(), source.port()),
            local: stream.local_addr().unwrap_or(self.address),
        };
        match self.house.gate.enter(stranger.source.ip()) {
            Entry::Admitted(pass) => drop(sessions.spawn(self.conversation(stream, stranger, pass).hold())),
            Entry::Refused => {
                count(&self.outlet.counters.refused);
                self.outlet.tell_now(&stranger);
            }
            Entry::RefusedAgain => count(&self.outlet.counters.refused),
        }
    }

    fn conversation(&self, stream: TcpStream, stranger: Stranger, pass: Pass) -> Conversation {
        // Answers are written whole; without this the kernel would hold back a small one.
        let _ = stream.set_nodelay(true);
        let service = self.plays.at(stranger.local.port());
        Conversation {
            stream,
            session: service.session(self.house.seeds.hash_one(stranger.session)),
            stranger,
            outlet: Outlet { played: service.name(), ..self.outlet.clone() },
            limits: self.house.limits,
            stop: self.stop.clone(),
            pass,
        }
    }

    /// A connection that died in the queue is nothing; everything else is scarcity, which passes.
    async fn failed(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        count(&self.outlet.counters.accept_errors);
        tracing::debug!(trap = %self.outlet.counters.name, %error, "cannot accept");
        sleep(ACCEPT_PAUSE).await;
    }

    fn ended(&self, ended: &Result<(), tokio::task::JoinError>) {
        if ended.as_ref().is_err_and(tokio::task::JoinError::is_panic) {
            count(&self.outlet.counters.panics);
        }
    }
}
