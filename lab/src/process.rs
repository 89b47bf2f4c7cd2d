//! Other programs: run to the end with a deadline, or kept as a task that is stopped when it is dropped.

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    io::{Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How often a waiting loop looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a program came to.
#[derive(Debug)]
pub struct Outcome {
    /// The command, as one would type it.
    pub words: String,
    /// How it ended; `None` if it was stopped at the deadline.
    pub status: Option<ExitStatus>,
    /// What it wrote to its output.
    pub stdout: String,
    /// What it wrote to its errors.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Did it end by itself with code 0?
    #[must_use]
    pub fn ok(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Its exit code, if it ended by itself.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status?.code()
    }

    /// Itself if it succeeded.
    ///
    /// # Errors
    /// With its words and everything it wrote, if it failed or was stopped at the deadline.
    pub fn checked(self) -> Result<Self> {
        if self.ok() {
            return Ok(self);
        }
        let how = self.status.map_or_else(|| format!("stopped after {:?}", self.took), |status| status.to_string());
        bail!("`{}`: {how}\n{}{}", self.words, self.stdout, self.stderr);
    }
}

/// Runs `command` to its end, or stops it and its children after `time_max`.
///
/// # Errors
/// If it cannot be started; how it ends is not judged.
pub fn run(command: &mut Command, time_max: Duration) -> Result<Outcome> {
    run_with_input(command, "", time_max)
}

/// The same with something to read.
///
/// # Errors
/// As [`run`].
pub fn run_with_input(command: &mut Command, input: &str, time_max: Duration) -> Result<Outcome> {
    let words = words(command);
    let began = Instant::now();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("failed to start `{words}`"))?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input is not to blame.
        let _ = stdin.write_all(input.as_bytes());
    }
    let status = end_within(&mut child, time_max)?;
    let text = |reader: thread::JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned();
    Ok(Outcome { words, status, stdout: text(stdout), stderr: text(stderr), took: began.elapsed() })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn end_within(child: &mut Child, time_max: Duration) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + time_max;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(LOOK_EVERY);
    }
    stop(child, Signal::SIGKILL);
    Ok(None)
}

/// Sends `signal` to the child's whole group (it leads one) and waits for the child.
fn stop(child: &mut Child, signal: Signal) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(pid), signal);
    }
    let _ = child.wait();
}

fn words(command: &Command) -> String {
    let all = std::iter::once(command.get_program()).chain(command.get_args());
    all.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A program that goes on in the background, in a process group of its own; killed with its children when dropped.
#[derive(Debug)]
pub struct Task {
    child: Child,
}

impl Task {
    /// Starts it. Call it inside a namespace to have it there.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let words = words(command);
        let child = command.process_group(0).spawn().with_context(|| format!("failed to start `{words}`"))?;
        Ok(Self { child })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// `kill -9`: it has no time to do anything about it.
    pub fn kill(mut self) {
        stop(&mut self.child, Signal::SIGKILL);
    }

    /// Asks it to end with `signal` and waits at most `time_max`; then kills it. Returns how it ended by itself.
    pub fn ask_to_end(mut self, signal: Signal, time_max: Duration) -> Option<ExitStatus> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).ok()?);
        let _ = killpg(pid, signal);
        end_within(&mut self.child, time_max).ok().flatten()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.ended().is_none() {
            stop(&mut self.child, Signal::SIGKILL);
        }
    }
}

/// Looks again and again until `look` finds something.
///
/// # Errors
/// Names `what` if nothing was found within `time_max`; an error of `look` ends the waiting at once.
pub fn wait_until<T>(what: &str, time_max: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + time_max;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("waited {time_max:?} in vain until {what}");
        }
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn both_outputs_the_code_and_the_input_come_through() {
        let outcome = run_with_input(Command::new("sh").args(["-c", "cat; echo err >&2; exit 3"]), "in", SOON).unwrap();
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str(), outcome.code()), ("in", "err\n", Some(3)));
        let error = outcome.checked().unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("err"), "{error}");
    }

    #[test]
    fn a_deadline_ends_the_children_too() {
        // The grandchild holds the pipe open: only killing the whole group ends the reading.
        let outcome = run(Command::new("sh").args(["-c", "sleep 60 & sleep 60"]), Duration::from_millis(50)).unwrap();
        assert_eq!(outcome.status, None);
        assert!(outcome.took < SOON);
    }

    #[test]
    fn waiting_in_vain_names_what_it_waited_for() {
        let error = wait_until("pigs fly", Duration::from_millis(1), || Ok(None::<()>)).unwrap_err().to_string();
        assert_eq!(error, "waited 1ms in vain until pigs fly");
        assert_eq!(wait_until("it is 3", SOON, || Ok(Some(3))).unwrap(), 3);
    }

    #[test]
    fn a_dropped_task_is_dead() {
        let task = Task::spawn(Command::new("sleep").arg("60")).unwrap();
        let pid = task.pid();
        drop(task);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
