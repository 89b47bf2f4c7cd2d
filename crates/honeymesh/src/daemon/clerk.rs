//! The clerk as the daemon has it: a child, and the line that orders go over.

use super::{keys::Unwritten, start::refused};
use crate::{
    clerk::{ANSWER_LEN, Answer, Counts, KeyFile, Order, Outcome, tell_files},
    failure::Failure,
};
use honeymesh_mesh_proto::KeyRing;
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// This very program, also when its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";
/// How long the clerk may take to begin, or to obey: a disk may be slow.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one that does not begin may take to end, so that it can be said how it did.
const END_PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const END_LOOK: Duration = Duration::from_millis(10);

/// The line to the clerk. Copies share it.
#[derive(Clone, Debug)]
pub struct Clerk(Arc<Line>);

#[derive(Debug)]
struct Line {
    /// Held while an order is under way.
    socket: Mutex<UnixStream>,
    /// What the clerk has counted, after its last answer.
    counts: Mutex<Counts>,
    is_gone: AtomicBool,
    /// The clerk's number, for whoever has to look at it.
    pid: u32,
}

/// Starts it, as a process of its own with nothing of this one in its memory, and waits until it has given its power away.
///
/// # Errors
/// It cannot be started, cannot give its power away, or says nothing in time. It has ended then, or ends when it looks at its line.
pub fn start(files: &[KeyFile]) -> Result<(Clerk, Child), Failure> {
    let mut command = Command::new(SELF);
    command.arg0("honeymesh").arg("clerk").env_clear().current_dir("/");
    begin(command, files, PATIENCE)
}

fn begin(mut command: Command, files: &[KeyFile], patience: Duration) -> Result<(Clerk, Child), Failure> {
    let cannot = |error: &dyn std::fmt::Display| refused(format!("the process that writes key files cannot be started: {error}"));
    let (mut ours, theirs) = UnixStream::pair().map_err(|error| cannot(&error))?;
    ours.set_read_timeout(Some(patience))
        .and_then(|()| ours.set_write_timeout(Some(patience)))
        .map_err(|error| cannot(&error))?;
    let spawned = command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).spawn();
    let mut child = spawned.map_err(|error| cannot(&error))?;
    // The command holds the process's end, which must be its alone.
    drop(command);
    match tell_files(&mut ours, files).and_then(|()| hear(&mut ours)) {
        Ok(begun) => Ok((Clerk::on(ours, begun.counts, child.id()), child)),
        Err(error) => {
            // It ends when the line does, if it is still there.
            drop(ours);
            Err(cannot(&match ended(&mut child) {
                Some(how) => format!("it has ended before it was ready ({how}), and said why in the line before, if it could"),
                None => format!("it was not ready in time ({error}); process {} is left, look what holds it up", child.id()),
            }))
        }
    }
}

/// How it has ended, if it does so in time.
fn ended(child: &mut Child) -> Option<String> {
    let until = Instant::now() + END_PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.to_string()),
            Ok(None) if Instant::now() < until => std::thread::sleep(END_LOOK),
            Ok(None) | Err(_) => return None,
        }
    }
}

fn hear(socket: &mut UnixStream) -> io::Result<Answer> {
    let mut octets = [0; ANSWER_LEN];
    socket.read_exact(&mut octets)?;
    Answer::decode(&octets).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl Clerk {
    fn on(socket: UnixStream, counts: Counts, pid: u32) -> Self {
        Self(Arc::new(Line { socket: Mutex::new(socket), counts: Mutex::new(counts), is_gone: AtomicBool::new(false), pid }))
    }

    /// Has the keys of the file at `place` replaced by these. Waits for the disk, and for the order that is under way.
    ///
    /// # Errors
    /// The clerk is gone, or the system does not let it; the file is as it was, or, if it did not answer in time, unknown.
    pub fn replace(&self, place: u8, keys: &KeyRing) -> Result<(), Unwritten> {
        let mut socket = self.0.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // Not before the line is ours alone: whoever had it until now may have given it up.
        if self.is_gone() {
            return Err(io::Error::other("the process that writes it has ended").into());
        }
        let order = Order { place, keys: keys.clone() }.encode();
        let answer = socket.write_all(&*order).and_then(|()| hear(&mut socket)).map_err(|error| {
            // What comes late would be taken for the answer to the next order, so there is none: the clerk ends after this one.
            self.set_gone();
            let _ = socket.shutdown(Shutdown::Both);
            self.unanswered(&error)
        })?;
        *self.counted() = answer.counts;
        match answer.outcome {
            Outcome::Done => Ok(()),
            Outcome::Refused => Err(io::Error::other("the process that writes it does not understand the order").into()),
            Outcome::Failed(errno) => Err(io::Error::from_raw_os_error(errno).into()),
            Outcome::Unconfirmed(errno) => Err(Unwritten::Unconfirmed(io::Error::from_raw_os_error(errno))),
        }
    }

    /// An order was given, whole or not, and nobody knows what came of it.
    fn unanswered(&self, error: &io::Error) -> Unwritten {
        let pid = self.0.pid;
        Unwritten::Unanswered(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!(
                "process {pid}, which writes it, did not answer for {} s, perhaps because of its disk, and may still do so until it ends",
                PATIENCE.as_secs()
            ),
            _ => format!("process {pid}, which writes it, broke off in the middle of the order: {error}"),
        })
    }

    /// Orders so far, as the clerk has counted them when it answered last.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.counted()
    }

    fn counted(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clerk::ORDER_LEN;
    use honeymesh_mesh_proto::Key;
    use std::{sync::mpsc, thread};

    const BEFORE: Counts = Counts { done: 3, refused: 0, failed: 1 };
    const DONE: Answer = Answer { outcome: Outcome::Done, counts: Counts { done: 4, ..BEFORE } };

    /// A line, and the clerk's end of it.
    fn line(patience: Duration) -> (Clerk, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(patience)).unwrap();
        (Clerk::on(ours, BEFORE, 77), theirs)
    }

    fn ring() -> KeyRing {
        KeyRing::new(Key::from_bytes([7; 32]))
    }

    fn take_order(line: &mut UnixStream) {
        line.read_exact(&mut [0; ORDER_LEN]).unwrap();
    }

    #[test]
    fn counters_stay_what_they_were_while_an_order_is_under_way() {
        let (clerk, mut theirs) = line(Duration::from_secs(60));
        let (working, done) = (clerk.clone(), mpsc::channel());
        let worker = thread::spawn(move || done.0.send(working.replace(0, &ring())).unwrap());
        take_order(&mut theirs);
        assert_eq!(clerk.counts(), BEFORE);
        theirs.write_all(&DONE.encode()).unwrap();
        done.1.recv().unwrap().unwrap();
        worker.join().unwrap();
        assert_eq!(clerk.counts(), DONE.counts);
    }

    #[test]
    fn a_late_answer_is_nobodys_and_what_it_may_still_do_is_said() {
        let (clerk, mut theirs) = line(Duration::from_millis(300));
        let first = thread::spawn({
            let clerk = clerk.clone();
            move || clerk.replace(0, &ring())
        });
        take_order(&mut theirs);
        // One that waits for the first one to end, having seen a clerk that was there.
        let second = thread::spawn({
            let clerk = clerk.clone();
            move || clerk.replace(0, &ring())
        });
        let Err(Unwritten::Unanswered(words)) = first.join().unwrap() else { panic!("there was no answer") };
        assert!(words.contains("process 77") && words.contains("may still do so until it ends"), "{words}");
        let _late = theirs.write_all(&DONE.encode());
        let Err(Unwritten::AsItWas(error)) = second.join().unwrap() else { panic!("the late answer was taken for its own") };
        assert!(error.to_string().contains("has ended"), "{error}");
        assert!(clerk.is_gone() && clerk.counts() == BEFORE);
        // It hears nothing more, not even the second order, and so it ends.
        assert_eq!(theirs.read(&mut [0; ORDER_LEN]).unwrap(), 0);
    }

    #[test]
    fn one_that_dies_over_an_order_leaves_the_file_in_doubt() {
        let (clerk, mut theirs) = line(Duration::from_secs(60));
        let worker = thread::spawn(move || clerk.replace(0, &ring()));
        take_order(&mut theirs);
        drop(theirs);
        let Err(Unwritten::Unanswered(words)) = worker.join().unwrap() else { panic!("there was no answer") };
        assert!(words.contains("process 77") && words.contains("broke off"), "{words}");
    }

    #[test]
    fn one_that_does_not_begin_is_told_with_how_it_ended() {
        let told = |script: &str, patience| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            begin(command, &[], patience).map(drop).unwrap_err().to_string()
        };
        let patience = Duration::from_secs(60);
        for script in ["exit 7", "head -c 4 >/dev/null; exit 7"] {
            let words = told(script, patience);
            assert!(words.contains("ended before it was ready (exit status: 7)"), "{words}");
        }
        let words = told("kill -9 $$", patience);
        assert!(words.contains("ended before it was ready (signal: 9"), "{words}");
        let words = told("exec sleep 3", Duration::from_millis(50));
        assert!(words.contains("was not ready in time") && words.contains("is left"), "{words}");
    }
}
