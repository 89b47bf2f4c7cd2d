//! The clerk as the daemon has it: a child, and the line that orders go over.

use super::start::refused;
use crate::{
    clerk::{ANSWER_LEN, Answer, Counts, KeyFile, Order, Outcome, tell_files},
    failure::Failure,
};
use honeymesh_mesh_proto::KeyRing;
use std::{
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// This very program, also when its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";
/// How long the clerk may take to begin, or to obey: a disk may be slow.
const PATIENCE: Duration = Duration::from_secs(10);

/// The line to the clerk. Copies share it.
#[derive(Clone, Debug)]
pub struct Clerk(Arc<Line>);

#[derive(Debug)]
struct Line {
    /// The socket, and what the clerk has counted.
    socket: Mutex<(UnixStream, Counts)>,
    is_gone: AtomicBool,
}

/// Starts it, as a process of its own with nothing of this one in its memory, and waits until it has given its power away.
///
/// # Errors
/// It cannot be started, or cannot give its power away.
pub fn start(files: &[KeyFile]) -> Result<(Clerk, Child), Failure> {
    let cannot = |error: io::Error| refused(format!("the process that writes key files cannot be started: {error}"));
    let (mut ours, theirs) = UnixStream::pair().map_err(cannot)?;
    let mut command = Command::new(SELF);
    command.arg0("honeymesh").arg("clerk").env_clear().current_dir("/");
    let child = command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).spawn().map_err(cannot)?;
    // The command holds the process's end, which must be its alone.
    drop(command);
    ours.set_read_timeout(Some(PATIENCE)).and_then(|()| ours.set_write_timeout(Some(PATIENCE))).map_err(cannot)?;
    tell_files(&mut ours, files).map_err(cannot)?;
    let begun = hear(&mut ours).map_err(cannot)?;
    Ok((Clerk(Arc::new(Line { socket: Mutex::new((ours, begun.counts)), is_gone: AtomicBool::new(false) })), child))
}

fn hear(socket: &mut UnixStream) -> io::Result<Answer> {
    let mut octets = [0; ANSWER_LEN];
    socket.read_exact(&mut octets)?;
    Answer::decode(&octets).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl Clerk {
    /// Has the keys of the file at `place` replaced by these. Waits for the disk.
    ///
    /// # Errors
    /// The clerk is gone, or the system does not let it; the file is as it was, or, if it did not answer in time, unknown.
    pub fn replace(&self, place: u8, keys: &KeyRing) -> io::Result<()> {
        if self.is_gone() {
            return Err(io::Error::other("the process that writes it has ended"));
        }
        let mut held = self.0.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let (socket, counts) = &mut *held;
        let order = Order { place, keys: keys.clone() }.encode();
        let answer = socket.write_all(&*order).and_then(|()| hear(socket)).inspect_err(|_| {
            // What comes late would be taken for the answer to the next order.
            self.set_gone();
        })?;
        *counts = answer.counts;
        match answer.outcome {
            Outcome::Done => Ok(()),
            Outcome::Refused => Err(io::Error::other("the process that writes it does not understand the order")),
            Outcome::Failed(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Orders so far, as the clerk has counted them; those of a moment ago while one is under way.
    #[must_use]
    pub fn counts(&self) -> Option<Counts> {
        self.0.socket.try_lock().ok().map(|held| held.1)
    }

    /// It has ended, or does not answer: key files are written no more.
    pub fn set_gone(&self) {
        self.0.is_gone.store(true, Relaxed);
    }

    /// Has it?
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.is_gone.load(Relaxed)
    }
}
