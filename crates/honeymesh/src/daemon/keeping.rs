//! The keeper as the daemon has it: a child process, the warden, whose own child it is, and the socket that both speak on.

use super::start::refused;
use crate::failure::Failure;
use honeymesh_xdp::{Heard, Kernel, LinkHandle, Options, Watch, Word};
use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tokio::io::unix::AsyncFd;

/// This very program, also when its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";
/// How long the keeper may take to end.
pub const END_MAX: Duration = Duration::from_secs(2);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The keeper, started and waiting for nothing.
#[derive(Debug)]
pub struct Started {
    watch: Watch,
    child: Child,
    pid: u32,
}

/// The keeper, listened to.
#[derive(Debug)]
pub struct Keeping {
    watch: AsyncFd<Watch>,
    child: Child,
}

/// What came from it.
#[derive(Debug)]
pub enum Said {
    /// A word, and a link of the second program if one came with it.
    Word(Word, Option<LinkHandle>),
    /// It ended, and no other comes: how the warden ended.
    End(String),
}

/// Starts the keeper, as a process of its own with nothing of this one in its memory, and waits until it keeps.
///
/// # Errors
/// It cannot be started, or cannot give its power away.
pub fn start(kernel: &Kernel, options: &Options) -> Result<Started, Failure> {
    let (mut watch, theirs) = kernel.hand_over(options).map_err(refused)?;
    let mut command = Command::new(SELF);
    command.arg0("honeymesh").arg("keeper").env_clear().stdin(Stdio::from(theirs)).stdout(Stdio::null());
    let mut child = command.spawn().map_err(|error| Failure::Refused(format!("the keeper cannot be started: {error}")))?;
    // The command holds the keeper's end of the socket, which must be the keeper's alone.
    drop(command);
    match watch.await_begin() {
        Ok(pid) => Ok(Started { watch, child, pid }),
        Err(error) => {
            drop(watch);
            let _it_ends = ended(&mut child);
            Err(refused(error))
        }
    }
}

impl Started {
    /// Listens on the current runtime.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn listen(self) -> std::io::Result<Keeping> {
        Ok(Keeping { watch: super::awaited(self.watch)?, child: self.child })
    }

    /// Its process number.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }
}

impl Keeping {
    /// Waits for its next word. Nothing is lost if the waiting is given up.
    async fn next(&mut self) -> Said {
        loop {
            let Ok(mut ready) = self.watch.readable_mut().await else { return Said::End("its socket broke".into()) };
            match ready.get_inner_mut().hear() {
                Heard::Word(word, link) => return Said::Word(word, link),
                Heard::Silence => ready.clear_ready(),
                Heard::End => return Said::End(ended(&mut self.child)),
            }
        }
    }

    /// Ends it: what it holds is held or released as it was told at its start.
    pub fn end(self) {
        let Self { watch, mut child } = self;
        drop(watch);
        tracing::debug!("the keeper: {}", ended(&mut child));
    }
}

/// The next word of a keeper; never, if there is none.
pub async fn next(keeping: &mut Option<Keeping>) -> Said {
    match keeping {
        Some(keeping) => keeping.next().await,
        None => std::future::pending().await,
    }
}

/// How it ended; waits a moment for it. One that does not end by itself is of no use, but it is not this process's to kill.
fn ended(child: &mut Child) -> String {
    let deadline = Instant::now() + END_MAX;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(Some(status)) => return status.to_string(),
            Ok(None) => thread::sleep(LOOK_EVERY),
            Err(error) => return error.to_string(),
        }
    }
    "it does not end".into()
}
