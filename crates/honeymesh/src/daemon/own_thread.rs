//! A runtime of one thread, beside the loop: whoever wakes somebody else on it costs no system call.

use std::{io, sync::mpsc, thread, time::Duration};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The thread; what was spawned on it is dropped at the end.
#[derive(Debug)]
pub struct OwnThread {
    handle: Handle,
    stop: oneshot::Sender<()>,
    ended: mpsc::Receiver<()>,
}

impl OwnThread {
    /// Starts a thread of this name.
    ///
    /// # Errors
    /// No thread, or no descriptors, are left.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_name(name).build()?;
        let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel());
        let (told, ended) = mpsc::channel();
        let drive = move || {
            let _told_when_it_goes = told;
            let _or_nobody_can_stop_it_any_more = runtime.block_on(stopped);
            // Who waits for another process must not hold up the end.
            runtime.shutdown_background();
        };
        thread::Builder::new().name(name.to_owned()).spawn(drive)?;
        Ok(Self { handle, stop, ended })
    }

    /// What is spawned with it runs there.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends what runs there, wherever it waits. What does not wait within `patience` is left behind.
    pub fn end(self, patience: Duration) {
        let _unless_it_has_ended = self.stop.send(());
        if self.ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("the traps' doors do not end in time, and are left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spawned_runs_on_the_thread_and_ends_with_it() {
        let own = OwnThread::start("own").unwrap();
        let (told, name) = std::sync::mpsc::channel();
        let waiting = own.handle().spawn(async move {
            told.send(thread::current().name().map(str::to_owned)).unwrap();
            std::future::pending::<()>().await;
        });
        assert_eq!(name.recv().unwrap().as_deref(), Some("own"));
        own.end(Duration::from_secs(20));
        assert!(name.recv().is_err(), "it was dropped");
        assert!(waiting.is_finished());
    }
}
