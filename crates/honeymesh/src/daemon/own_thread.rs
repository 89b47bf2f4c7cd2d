//! A runtime of one thread, beside the loop: whoever wakes somebody else on it costs no system call.

use std::{io, thread};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The thread; what was spawned on it is dropped at the end.
#[derive(Debug)]
pub struct OwnThread {
    handle: Handle,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl OwnThread {
    /// Starts a thread of this name.
    ///
    /// # Errors
    /// No thread, or no descriptors, are left.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_name(name).build()?;
        let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel());
        let drive = move || {
            let _or_nobody_can_stop_it_any_more = runtime.block_on(stopped);
            // Who waits for another process must not hold up the end.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(drive)?;
        Ok(Self { handle, stop, thread })
    }

    /// What is spawned with it runs there.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends what runs there, wherever it waits.
    pub fn end(self) {
        let _unless_it_has_ended = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the thread of the traps' doors broke");
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
        own.end();
        assert!(name.recv().is_err(), "it was dropped");
        assert!(waiting.is_finished());
    }
}
