//! The interfaces, looked at every second by a thread of its own: asking the kernel may wait for whoever changes interfaces.

use honeymesh_xdp::{LinkHandle, Lookout, Sight};
use std::{io, time::Duration};
use tokio::sync::{mpsc, watch};

/// How often the interfaces are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Starts the thread. It tells what it sees each time, because the keeper's words may have been lost, and ends when nobody
/// listens any more. `links` has those of the second program that it looks at, as soon as there are others than at the start.
///
/// # Errors
/// No thread can be started.
pub fn watch(mut lookout: Lookout, mut links: watch::Receiver<Vec<LinkHandle>>) -> io::Result<mpsc::Receiver<Sight>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::Builder::new().name("lookout".into()).spawn(move || {
        while !sender.is_closed() {
            if links.has_changed().unwrap_or(false) {
                lookout.heed(links.borrow_and_update().clone());
            }
            match lookout.look() {
                Ok(seen) => {
                    if sender.blocking_send(seen).is_err() {
                        return;
                    }
                }
                Err(error) => tracing::warn!(%error, "the interfaces cannot be looked at"),
            }
            std::thread::sleep(EVERY);
        }
    })?;
    Ok(receiver)
}
