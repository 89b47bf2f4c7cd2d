//! Dark ports while nobody plays: after a moment they are closed ports.
//!
//! The listener is shut, not given up: the kernel then refuses whoever comes and whoever waits, on every rung, because the program at the
//! door of the network stack, the handshake without a socket and `tproxy` all ask for a socket that listens. It keeps its port and what power
//! has made of it, which the daemon has no more, and listens again as soon as somebody plays.

use super::News;
use crate::bind::DARK_BACKLOG;
use rustix::net::{Shutdown, listen, shutdown};
use std::{io, net::TcpListener, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

/// So long dark ports stay open while nobody plays: whoever comes meanwhile waits for the next process, which plays to it. A process that
/// dies now and then is there again after some ten milliseconds; one that is known to begin later than this closes them at once.
pub const UNPLAYED_MAX: Duration = Duration::from_millis(250);

/// Says when dark ports close.
#[derive(Debug)]
pub(super) struct Vigil(watch::Sender<Option<Instant>>);

impl Vigil {
    /// Somebody plays, so far. With it, what [`watch_over`] needs.
    pub(super) fn new() -> (Self, watch::Receiver<Option<Instant>>) {
        let (due, told) = watch::channel(None);
        (Self(due), told)
    }

    /// Nobody plays, and nobody will for so long. Whoever said so before had the first word: no end puts the closing off.
    pub(super) fn ended(&self, pause: Duration) {
        let now = Instant::now();
        let due = if pause > UNPLAYED_MAX { now } else { now + UNPLAYED_MAX };
        self.0.send_modify(|told| *told = Some(told.map_or(due, |before| before.min(due))));
    }

    /// Somebody plays.
    pub(super) fn began(&self) {
        self.0.send_replace(None);
    }
}

/// Shuts doors when that is due, opens them when somebody plays, and tells it. Ends with whoever holds the [`Vigil`].
pub(super) async fn watch_over(mut told: watch::Receiver<Option<Instant>>, shut: watch::Sender<bool>, news: mpsc::Sender<News>) {
    loop {
        let due = *told.borrow_and_update();
        let is_due = due.is_some_and(|due| due <= Instant::now());
        if shut.send_replace(is_due) != is_due && is_due {
            let _unless_it_is_full = news.try_send(News::Closed);
        }
        let next = async {
            match due.filter(|_| !is_due) {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = told.changed() => if changed.is_err() { return },
            () = next => {}
        }
    }
}

/// One door's view of it.
#[derive(Clone, Debug)]
pub(super) struct Shutter(watch::Receiver<bool>);

impl Shutter {
    /// What [`watch_over`] writes, and what doors read.
    pub(super) fn new() -> (watch::Sender<bool>, Self) {
        let (shut, told) = watch::channel(false);
        (shut, Self(told))
    }

    /// Waits until doors are to be shut.
    pub(super) async fn shuts(&mut self) {
        if self.0.wait_for(|shut| *shut).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until they may be open.
    pub(super) async fn opens(&mut self) {
        if self.0.wait_for(|shut| !*shut).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Has the kernel refuse whoever comes to this listener or waits there.
pub(super) fn close(listener: &TcpListener) {
    let _closed_already = shutdown(listener, Shutdown::Both);
}

/// Has it listen again, at the same port.
///
/// # Errors
/// Somebody else listens there.
pub(super) fn open_again(listener: &TcpListener) -> io::Result<()> {
    Ok(listen(listener, DARK_BACKLOG)?)
}

#[cfg(test)]
mod tests;
