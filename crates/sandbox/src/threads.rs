//! Reaches every thread of the process: capabilities, users and file rules belong to threads, and no system call takes
//! them from another one. Each is asked by a signal and gives them up itself.
#![expect(unsafe_code, reason = "signals to single threads, and what their handler does")]

use crate::{Error, User, capabilities::give_up};
use libc::{c_int, pid_t};
use std::{
    collections::BTreeSet,
    fs, io,
    os::fd::{AsRawFd, OwnedFd},
    sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

/// How long one thread may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
const POLL_PAUSE: Duration = Duration::from_micros(200);
const NO_RULES: c_int = -1;

// What the handler is to do and what came of it. `confine` is called once, so nobody else writes them.
static KEEP: AtomicU64 = AtomicU64::new(0);
static RULES: AtomicI32 = AtomicI32::new(NO_RULES);
static IS_OTHER: AtomicBool = AtomicBool::new(false);
static USER: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];
static ANSWERS: AtomicUsize = AtomicUsize::new(0);
static FAULT: AtomicI32 = AtomicI32::new(0);

/// Makes every thread give up its capabilities but `keep`, become `user`, and bind itself to `rules`.
pub(crate) fn everywhere(keep: u64, user: Option<User>, rules: Option<&OwnedFd>) -> Result<(), Error> {
    let rules = rules.map(AsRawFd::as_raw_fd);
    failed(give_up(keep, user, rules))?;
    KEEP.store(keep, SeqCst);
    IS_OTHER.store(user.is_some(), SeqCst);
    if let Some(User { user, group }) = user {
        USER.iter().zip([user, group]).for_each(|(number, value)| number.store(value, SeqCst));
    }
    RULES.store(rules.unwrap_or(NO_RULES), SeqCst);
    let handler = Handler::install()?;
    let asked = ask_all(handler.signal);
    drop(handler);
    asked
}

fn failed(errno: c_int) -> Result<(), Error> {
    if errno == 0 {
        return Ok(());
    }
    Err(Error::Kernel { step: "drop capabilities and user", source: io::Error::from_raw_os_error(errno) })
}

/// Until a look at all threads finds no new one: a thread may start others before it is asked.
fn ask_all(signal: c_int) -> Result<(), Error> {
    // SAFETY: both only return a number.
    let (process, own) = unsafe { (libc::getpid(), libc::gettid()) };
    let mut asked = BTreeSet::from([own]);
    loop {
        let new: Vec<pid_t> = threads()?.into_iter().filter(|thread| asked.insert(*thread)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for thread in new {
            ask(process, thread, signal)?;
        }
    }
}

fn threads() -> Result<Vec<pid_t>, Error> {
    let tasks = fs::read_dir("/proc/self/task").map_err(|source| Error::Kernel { step: "list threads", source })?;
    Ok(tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// One thread after the other: the next answer is this one's.
fn ask(process: pid_t, thread: pid_t, signal: c_int) -> Result<(), Error> {
    let answers = ANSWERS.load(SeqCst);
    // SAFETY: takes plain numbers; a thread that is gone is an error.
    if unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) } != 0 {
        let error = io::Error::last_os_error();
        let gone = error.raw_os_error() == Some(libc::ESRCH);
        return if gone { Ok(()) } else { Err(Error::Kernel { step: "reach a thread", source: error }) };
    }
    let started = Instant::now();
    while ANSWERS.load(SeqCst) == answers {
        if !exists(thread) {
            return Ok(());
        }
        if started.elapsed() > ANSWER_WAIT {
            return Err(Error::Thread { thread, name: name(thread) });
        }
        thread::sleep(POLL_PAUSE);
    }
    failed(FAULT.load(SeqCst))
}

fn exists(thread: pid_t) -> bool {
    fs::exists(format!("/proc/self/task/{thread}")).unwrap_or(true)
}

fn name(thread: pid_t) -> String {
    fs::read_to_string(format!("/proc/self/task/{thread}/comm")).unwrap_or_default().trim_end().to_string()
}

extern "C" fn on_signal(_signal: c_int) {
    // SAFETY: this thread's own errno; whatever was interrupted must find it as it was.
    let errno = unsafe { &mut *libc::__errno_location() };
    let interrupted = *errno;
    let rules = RULES.load(SeqCst);
    let [user, group] = [USER[0].load(SeqCst), USER[1].load(SeqCst)];
    let user = IS_OTHER.load(SeqCst).then_some(User { user, group });
    let fault = give_up(KEEP.load(SeqCst), user, (rules != NO_RULES).then_some(rules));
    if fault != 0 {
        FAULT.store(fault, SeqCst);
    }
    ANSWERS.fetch_add(1, SeqCst);
    *errno = interrupted;
}

/// The handler, while it is needed; then the signal is as before.
struct Handler {
    signal: c_int,
    before: libc::sigaction,
}

impl Handler {
    fn install() -> Result<Self, Error> {
        let signal = libc::SIGRTMAX() - 1;
        // SAFETY: a sigaction of zeros is a valid value: default action, empty mask, no flags.
        let (mut action, mut before): (libc::sigaction, libc::sigaction) = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        // SAFETY: both pointers are to live sigactions, and the handler only does what a handler may: system calls
        // and atomics.
        let result = unsafe { libc::sigaction(signal, &raw const action, &raw mut before) };
        Error::check("install a signal handler", i64::from(result))?;
        Ok(Self { signal, before })
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // SAFETY: restores what the kernel gave us; no old action is asked for.
        unsafe { libc::sigaction(self.signal, &raw const self.before, std::ptr::null_mut()) };
    }
}
