//! Runs test programs side by side: much of their time they wait, for a daemon, a deadline, a packet that must not come.

use crate::output::{self, Watched};
use anyhow::Result;
use std::{
    collections::{BTreeMap, VecDeque},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// So many for each processor: while one waits another computes.
const EACH_PROCESSOR: usize = 2;
/// After so long without a word those that run are named.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Where something runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Wherever there is room.
    Any,
    /// In the lab, which has few places.
    Lab,
    /// Beside all others, and after one another: work that never waits. It should have the lowest priority.
    Beside,
}

/// Something to run.
pub struct Job {
    /// What it is called.
    pub name: String,
    /// What one types to run only this.
    pub again: String,
    /// Where.
    pub lane: Lane,
    /// The program.
    pub command: Command,
}

/// What became of it.
pub struct Done {
    /// What it is called.
    pub name: String,
    /// What one types to run only this.
    pub again: String,
    /// How long it took.
    pub took: Duration,
    /// How it ended, and what it skipped.
    pub watched: Watched,
    /// Everything that it said.
    pub said: String,
}

/// How many are run at once.
#[derive(Clone, Copy, Debug)]
pub struct AtOnce {
    /// Of all, but for those beside.
    pub jobs: usize,
    /// Of those, in the lab.
    pub labs: usize,
}

impl AtOnce {
    /// What this machine bears.
    pub fn here() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self { jobs: EACH_PROCESSOR * processors, labs: processors }
    }
}

/// Runs all, each begun in the order given; hands what became of each to `done` as it ends. Labs follow one another without
/// a pause, because together they take longest.
///
/// # Errors
/// The first that could not be started. The others have run all the same.
pub fn run(jobs: Vec<Job>, at_once: AtOnce, mut done: impl FnMut(&Done)) -> Result<Vec<Done>> {
    let queue = Mutex::new(Queue::of(jobs, at_once.labs));
    let (sender, results) = mpsc::channel();
    let work = |is_beside: bool, sender: mpsc::Sender<Told>| {
        loop {
            let next = lock(&queue).next(is_beside);
            let Some(job) = next else { return };
            let (name, lane) = (job.name.clone(), job.lane);
            let _ = sender.send((name.clone(), None));
            let ended = carry_out(job);
            lock(&queue).places += usize::from(lane == Lane::Lab);
            let _ = sender.send((name, Some(ended)));
        }
    };
    thread::scope(|scope| {
        for worker in 0..=at_once.jobs.max(1) {
            let (sender, work) = (sender.clone(), &work);
            scope.spawn(move || work(worker == 0, sender));
        }
        drop(sender);
        collect(&results, &mut done)
    })
}

/// Something has begun, or has ended so.
type Told = (String, Option<Result<Done>>);

/// What has been started and what has ended, as it is told, until nobody is left to tell.
fn collect(results: &mpsc::Receiver<Told>, done: &mut impl FnMut(&Done)) -> Result<Vec<Done>> {
    let (mut all, mut running, mut broken) = (Vec::new(), BTreeMap::new(), None);
    loop {
        match results.recv_timeout(SILENCE_MAX) {
            Ok((name, None)) => drop(running.insert(name, Instant::now())),
            Ok((name, Some(ended))) => {
                running.remove(&name);
                match ended {
                    Ok(ended) => {
                        done(&ended);
                        all.push(ended);
                    }
                    Err(error) => broken = broken.or(Some(error)),
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let named: Vec<_> =
                    running.iter().map(|(name, began)| format!("{name} ({} s)", began.elapsed().as_secs())).collect();
                println!("test: still running: {}", named.join(", "));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return broken.map_or(Ok(all), Err),
        }
    }
}

fn carry_out(mut job: Job) -> Result<Done> {
    let began = Instant::now();
    let (watched, said) = output::keep(&mut job.command)?;
    Ok(Done { name: job.name, again: job.again, took: began.elapsed(), watched, said })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is to be run.
struct Queue {
    beside: VecDeque<Job>,
    lab: VecDeque<Job>,
    /// Free places in the lab.
    places: usize,
    others: VecDeque<Job>,
}

impl Queue {
    fn of(jobs: Vec<Job>, labs: usize) -> Self {
        let mut queue = Self { beside: VecDeque::new(), lab: VecDeque::new(), places: labs.max(1), others: VecDeque::new() };
        for job in jobs {
            let lane = match job.lane {
                Lane::Any => &mut queue.others,
                Lane::Lab => &mut queue.lab,
                Lane::Beside => &mut queue.beside,
            };
            lane.push_back(job);
        }
        queue
    }

    /// The next for whoever runs those beside, or for another; `None` if there is none, or only some that whoever is in the lab
    /// will go on with.
    fn next(&mut self, is_beside: bool) -> Option<Job> {
        if is_beside {
            return self.beside.pop_front();
        }
        if self.places > 0
            && let Some(job) = self.lab.pop_front()
        {
            self.places -= 1;
            return Some(job);
        }
        self.others.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANES: [Lane; 3] = [Lane::Any, Lane::Lab, Lane::Beside];

    fn job(name: &str, lane: Lane, script: &str) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job { name: name.into(), again: format!("again {name}"), lane, command }
    }

    fn names(done: &[Done]) -> Vec<&str> {
        done.iter().map(|done| done.name.as_str()).collect()
    }

    #[test]
    fn everything_runs_once_and_what_it_said_is_kept_whole() {
        let jobs =
            (0..9).map(|index| job(&index.to_string(), LANES[index % 3], &format!("echo {index}; exit {index}"))).collect();
        let mut told = Vec::new();
        let done = run(jobs, AtOnce { jobs: 3, labs: 1 }, |done| told.push(done.name.clone())).unwrap();
        let mut sorted = names(&done);
        assert_eq!(sorted, told);
        sorted.sort_unstable();
        assert_eq!(sorted, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
        for done in &done {
            assert_eq!(done.said, format!("{}\n", done.name));
            assert_eq!(done.watched.status.code().unwrap().to_string(), done.name);
        }
    }

    #[test]
    fn labs_follow_one_another_while_others_run_beside_them() {
        // Each takes the place and gives it back; whoever finds it taken fails.
        let place = tempfile("place");
        let script = format!("mkdir {0} && sleep 0.05 && rmdir {0}", place.display());
        let mut jobs: Vec<Job> = (0..4).map(|index| job(&format!("lab{index}"), Lane::Lab, &script)).collect();
        // Ends when the first lab is there: so both run at once.
        jobs.insert(0, job("other", Lane::Any, &format!("while ! test -d {}; do sleep 0.005; done", place.display())));
        let done = run(jobs, AtOnce { jobs: 3, labs: 1 }, |_| {}).unwrap();
        assert_eq!(done.len(), 5);
        assert!(
            done.iter().all(|done| done.watched.status.success()),
            "{:?}",
            done.iter().map(|done| &done.said).collect::<Vec<_>>()
        );
    }

    #[test]
    fn with_one_at_once_the_lab_comes_first_and_the_others_in_their_order() {
        let jobs = vec![job("a", Lane::Any, ":"), job("lab", Lane::Lab, ":"), job("b", Lane::Any, ":")];
        assert_eq!(names(&run(jobs, AtOnce { jobs: 1, labs: 1 }, |_| {}).unwrap()), ["lab", "a", "b"]);
    }

    #[test]
    fn what_is_beside_runs_beside_whatever_there_is_and_in_its_order() {
        let mark = tempfile("beside");
        let jobs = vec![
            job("waits", Lane::Any, &format!("while ! test -d {}; do sleep 0.005; done; rmdir {0}", mark.display())),
            job("first", Lane::Beside, ":"),
            job("second", Lane::Beside, &format!("mkdir {}", mark.display())),
        ];
        assert_eq!(names(&run(jobs, AtOnce { jobs: 1, labs: 1 }, |_| {}).unwrap())[0], "first");
    }

    #[test]
    fn what_cannot_be_started_is_an_error_and_the_others_run() {
        let mut ended = 0;
        let missing = Job { command: Command::new("no-such-program-anywhere"), ..job("missing", Lane::Any, "") };
        assert!(run(vec![missing, job("a", Lane::Any, ":")], AtOnce { jobs: 1, labs: 1 }, |_| ended += 1).is_err());
        assert_eq!(ended, 1);
    }

    fn tempfile(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("honeymesh-xtask-{name}-{}", std::process::id()))
    }
}
