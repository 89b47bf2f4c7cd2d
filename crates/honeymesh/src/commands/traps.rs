//! `honeymesh traps`: what the daemon starts to play the traps. Not for people.
//!
//! What is started is the warden: it gives everything away, and then makes a copy of itself that gives away still more and meets
//! the strangers. When the copy ends, of whatever a stranger has sent it, there is another one. The warden meets nobody.

use crate::failure::Failure;
use honeymesh_sandbox::{Files, Role, Sandbox, close_inherited, forbid_more, in_a_copy, let_go_of_code, narrow};
use honeymesh_trap::{LEAVING_MAX, PORT_CONNECTIONS_MAX, Room, RoomLine, Setting, address_space_max, note_faults};
use nix::{
    sys::{
        prctl,
        resource::{Resource, getrlimit, rlim_t, setrlimit},
        signal::{SigSet, Signal},
    },
    unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid},
};
use std::{
    io,
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

/// What the warden may read: the proof that its power is gone.
const PROOF: &str = "/proc/self";
/// Descriptors besides one for each session: lines, loop, standard streams, and what is on its way; and what sessions have brought to them,
/// those that are to leave, too.
const DESCRIPTORS_BESIDES: usize = 64 + PORT_CONNECTIONS_MAX + LEAVING_MAX;
/// The first pause before another copy; each further one is twice as long ...
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// ... up to this. A process that dies at once, again and again, costs no processor, and nobody gives it up.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A copy that lived so long had nothing wrong with it: the pauses begin anew.
const LIVED: Duration = Duration::from_secs(60);
/// The exit code of a copy that could not begin.
const NOT_BEGUN: i32 = 71;

/// Takes the lines from standard input and output, gives its power away, and sees to it that somebody plays until the daemon
/// is gone.
///
/// # Errors
/// It was not started by a daemon, power cannot be given away, or no copy can be made.
pub fn run() -> Result<(), Failure> {
    close_inherited();
    // Only for the process list: nothing depends on it.
    let _a_name_is_no_duty = prctl::set_name(c"honeymesh-trapw");
    // Whoever stops the daemon's whole group means the daemon, which still wants to hear what was said last.
    let stops = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT]);
    stops.thread_block().map_err(|error| refused(&error))?;
    let admissions = io::stdin().as_fd().try_clone_to_owned().map_err(|error| refused(&error))?;
    let evidence = io::stdout().as_fd().try_clone_to_owned().map_err(|error| refused(&error))?;
    let line = RoomLine::of(admissions, evidence);
    let setting = line
        .setting()
        .map_err(|error| Failure::usage(format!("`honeymesh traps` is started by `honeymesh run`, not by hand ({error})")))?;
    limit(&setting)?;
    become_nobody(setting.user).map_err(|error| refused(&error))?;
    let files = Files { read: vec![PROOF.into()], write: Vec::new() };
    Sandbox::of(Role::TrapWarden).files(files).confine().map_err(|error| refused(&error))?;
    keep_playing(&line, &setting).map_err(|error| refused(&error))
}

fn refused(error: &dyn std::fmt::Display) -> Failure {
    Failure::Refused(format!("the process that plays the traps: {error}"))
}

/// Descriptors and memory: no more than the sessions can need.
fn limit(setting: &Setting) -> Result<(), Failure> {
    let (sessions, open) = (setting.limits.sessions_max, setting.limits.open_max());
    let set = |resource, value: usize| {
        let value = rlim_t::try_from(value).unwrap_or(rlim_t::MAX);
        setrlimit(resource, value, value)
    };
    let memory = address_space_max(&setting.limits, !setting.rules.is_empty());
    set(Resource::RLIMIT_AS, memory).map_err(|error| refused(&error))?;
    let descriptors = open.saturating_add(DESCRIPTORS_BESIDES);
    set(Resource::RLIMIT_NOFILE, descriptors).map_err(|error| {
        let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard);
        Failure::Refused(format!(
            "[traps] sessions_max: {sessions} sessions need {descriptors} descriptors, and a process may have {allowed} here ({error}); \
             raise that (LimitNOFILE= of the systemd unit), or write {} at most",
            usize::try_from(allowed).unwrap_or(usize::MAX).saturating_sub(DESCRIPTORS_BESIDES + LEAVING_MAX)
        ))
    })
}

/// Root becomes the other user for good; whoever is no root stays who it is.
fn become_nobody((user, group): (u32, u32)) -> nix::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    forbid_more();
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)
}

/// One copy after the other, until the daemon is gone.
fn keep_playing(line: &RoomLine, setting: &Setting) -> io::Result<()> {
    let mut pause = PAUSE_MIN;
    let_go_of_code();
    loop {
        let begun = Instant::now();
        let status = in_a_copy(|| play(line, setting).map_or(NOT_BEGUN, |()| 0))?;
        if line.is_over() {
            return Ok(());
        }
        if begun.elapsed() >= LIVED {
            pause = PAUSE_MIN;
        }
        rest(line, status, pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Tells the end, and waits this long before another copy. While the line is full it is told again: dark ports go by it.
fn rest(line: &RoomLine, status: i32, pause: Duration) {
    let over = Instant::now() + pause;
    let mut is_told = false;
    loop {
        let left = over.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        is_told = is_told || line.tell_gone(status, left);
        thread::sleep(if is_told { left } else { left.min(PAUSE_MIN) });
    }
}

/// In the copy: opens its loop, gives up what only the warden needs, and plays until the daemon is gone.
fn play(line: &RoomLine, setting: &Setting) -> io::Result<()> {
    let _a_name_is_no_duty = prctl::set_name(c"honeymesh-trap");
    note_faults();
    let (room, line) = (Room::new(setting)?, line.try_clone()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let playing = room.listen(line)?;
        narrow(Role::Trap).map_err(io::Error::other)?;
        let_go_of_code();
        playing.run().await
    })
}
