//! Words of the process that plays that cannot be true.

use super::Hearing;
use crate::status::count;
use std::time::Duration;
use tokio::time::sleep;

/// How long nothing is read after one: a sender that was taken over costs no processor.
pub(super) const STRAY_PAUSE: Duration = Duration::from_millis(1);

impl Hearing {
    /// Words about nobody: of one that was let go already, or of a sender that was taken over.
    pub(super) async fn stray(&self) {
        count(&self.shared.house.strays);
        self.rest().await;
    }

    /// Reads nothing for a moment.
    pub(super) async fn rest(&self) {
        if !self.stray_pause.is_zero() {
            sleep(self.stray_pause).await;
        }
    }
}
