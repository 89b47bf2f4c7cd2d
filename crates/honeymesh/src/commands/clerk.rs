//! `honeymesh clerk`: what the daemon starts to replace the clusters' key files, which are not the daemon's. Not for people.

use crate::{
    clerk::{Answer, Counts, KeyFile, ORDER_LEN, Order, Outcome, hear_files},
    daemon::keys::{self, Unwritten},
    failure::Failure,
};
use honeymesh_sandbox::{Files, Role, Sandbox, close_inherited, let_go_of_code};
use nix::sys::{
    prctl,
    signal::{SigSet, Signal},
};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd},
    path::PathBuf,
    thread,
    time::Duration,
};
use zeroize::Zeroizing;

/// What it may read: the proof that its power is gone.
const PROOF: &str = "/proc/self";
/// After each order, so that nobody wears the disk out by orders.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes the line from the standard input, opens the directories of the files it is told, gives everything else away, and obeys
/// until the daemon's end of the line closes.
///
/// # Errors
/// It was not started by a daemon, a directory is not there, or power cannot be given away.
pub fn run() -> Result<(), Failure> {
    close_inherited();
    // Only for the process list: nothing depends on it.
    let _a_name_is_no_duty = prctl::set_name(c"honeymesh-clerk");
    // Whoever stops the daemon's whole group means the daemon, which may still have something to write.
    let stops = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT]);
    stops.thread_block().map_err(|error| refused(&error))?;
    let mut line = File::from(io::stdin().as_fd().try_clone_to_owned().map_err(|error| refused(&error))?);
    let files = hear_files(&mut line)
        .map_err(|error| Failure::usage(format!("`honeymesh clerk` is started by `honeymesh run`, not by hand ({error})")))?;
    let desks = files.into_iter().map(Desk::open).collect::<io::Result<Vec<_>>>().map_err(|error| refused(&error))?;
    let write = desks.iter().map(|desk| PathBuf::from(format!("/proc/self/fd/{}", desk.directory.as_raw_fd()))).collect();
    Sandbox::of(Role::Clerk).files(Files { read: vec![PROOF.into()], write }).confine().map_err(|error| refused(&error))?;
    let_go_of_code();
    obey(&mut line, &desks).map_err(|error| refused(&error))
}

fn refused(error: &dyn std::fmt::Display) -> Failure {
    Failure::Refused(format!("the process that writes key files: {error}"))
}

/// One file, and the directory it is in.
struct Desk {
    file: KeyFile,
    directory: File,
}

impl Desk {
    fn open(file: KeyFile) -> io::Result<Self> {
        let directory = keys::directory_of(&file.path)?;
        Ok(Self { file, directory })
    }

    fn carry_out(&self, order: &Order) -> Outcome {
        let text = keys::text(&self.file.cluster, &order.keys);
        match keys::replace(&self.directory, &self.file.path, text.as_bytes()) {
            Ok(()) => Outcome::Done,
            Err(Unwritten::Unconfirmed(error)) => Outcome::Unconfirmed(error.raw_os_error().unwrap_or(0)),
            Err(Unwritten::AsItWas(error)) => Outcome::Failed(error.raw_os_error().unwrap_or(0)),
            Err(Unwritten::Unanswered(_)) => Outcome::Failed(0),
        }
    }
}

/// One order after the other, each answered. First of all it says that it is there, as if it had done something.
fn obey(line: &mut File, desks: &[Desk]) -> io::Result<()> {
    let mut counts = Counts::default();
    line.write_all(&Answer { outcome: Outcome::Done, counts }.encode())?;
    let mut octets = Zeroizing::new([0; ORDER_LEN]);
    while is_whole(line, &mut octets)? {
        let outcome = match Order::decode(&octets, desks.len()) {
            Some(order) => desks.get(usize::from(order.place)).map_or(Outcome::Refused, |desk| desk.carry_out(&order)),
            None => Outcome::Refused,
        };
        count(&mut counts, outcome);
        line.write_all(&Answer { outcome, counts }.encode())?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Reads an order; not if the daemon is gone, in the middle of one or not.
fn is_whole(line: &mut File, octets: &mut [u8; ORDER_LEN]) -> io::Result<bool> {
    match line.read_exact(octets) {
        Ok(()) => Ok(true),
        Err(error) if [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset].contains(&error.kind()) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Counts, and says what no daemon of ours does: the first time, and then less and less often.
fn count(counts: &mut Counts, outcome: Outcome) {
    let number = match outcome {
        Outcome::Done => &mut counts.done,
        Outcome::Refused => &mut counts.refused,
        Outcome::Failed(_) | Outcome::Unconfirmed(_) => &mut counts.failed,
    };
    *number = number.saturating_add(1);
    if outcome == Outcome::Refused && counts.refused.is_power_of_two() {
        let refused = counts.refused;
        eprintln!(
            "honeymesh clerk: REFUSED an order that no honeymesh gives (number {refused}): has somebody taken the daemon over?"
        );
    }
}
