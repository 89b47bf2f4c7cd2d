//! The interfaces, looked at by a thread of its own: asking the kernel may wait for whoever changes interfaces. It looks every second, and
//! where nobody else guards what comes, as soon as the kernel announces a change.

use honeymesh_xdp::{LinkHandle, Lookout, Sight};
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// How often it is told what is seen, whether it is news or not: the keeper's words may have been lost, and what the kernel has refused
/// is said again with it.
const EVERY: Duration = Duration::from_secs(1);

/// Starts the thread. It ends when nobody listens any more. `links` has those of the second program that it looks at, as soon as there are
/// others than at the start.
///
/// # Errors
/// No thread can be started.
pub fn watch(mut lookout: Lookout, mut links: watch::Receiver<Vec<LinkHandle>>) -> io::Result<mpsc::Receiver<Sight>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::Builder::new().name("lookout".into()).spawn(move || {
        let (mut last, mut due) = (None, Instant::now());
        while !sender.is_closed() {
            if links.has_changed().unwrap_or(false) {
                lookout.heed(links.borrow_and_update().clone());
            }
            match lookout.look() {
                // What was announced may be about an interface that nobody wants guarded, again and again.
                Ok(seen) if Instant::now() >= due || last.as_ref() != Some(&seen) => {
                    last = Some(seen.clone());
                    if sender.blocking_send(seen).is_err() {
                        return;
                    }
                    due = Instant::now() + EVERY;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the interfaces cannot be looked at");
                    due = Instant::now() + EVERY;
                }
            }
            lookout.wait(due.saturating_duration_since(Instant::now()));
        }
    })?;
    Ok(receiver)
}
