//! What holds after confinement, as the kernel tells it.

use crate::{Error, Restriction};
use std::{fmt, fs, io};

/// What holds after confinement, as the kernel tells it in `/proc/self/task/*/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Threads looked at.
    pub threads: usize,
    /// Capabilities that any thread has: effective, permitted, inheritable or ambient.
    pub capabilities: u64,
    /// Capabilities that a program started by any thread could get. Nothing is started any more, so this only stays
    /// when the process had no power to give it up.
    pub bounding: u64,
    /// Every thread has no-new-privileges.
    pub no_new_privileges: bool,
    /// Every thread has a seccomp filter.
    pub seccomp: bool,
    /// What became of the restriction of files.
    pub files: Restriction,
}

impl Report {
    /// Asks the kernel about every thread.
    pub(crate) fn read(files: Restriction) -> Result<Self, Error> {
        let wrap = |source| Error::Kernel { step: "read /proc/self/task", source };
        let mut report = Self { no_new_privileges: true, seccomp: true, files, ..Self::default() };
        for task in fs::read_dir("/proc/self/task").map_err(wrap)? {
            match fs::read_to_string(task.map_err(wrap)?.path().join("status")) {
                Ok(status) => report.add(&status),
                // A thread that ended meanwhile has no power.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {}
                Err(error) => return Err(wrap(error)),
            }
        }
        if report.threads == 0 { Err(wrap(io::ErrorKind::NotFound.into())) } else { Ok(report) }
    }

    fn add(&mut self, status: &str) {
        self.threads += 1;
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            self.capabilities |= bits(status, set);
        }
        self.bounding |= bits(status, "CapBnd");
        self.no_new_privileges &= value(status, "NoNewPrivs") == Some("1");
        self.seccomp &= value(status, "Seccomp") == Some("2");
    }
}

fn value<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

/// A line that cannot be read counts as every capability: doubt is no proof.
fn bits(status: &str, key: &str) -> u64 {
    value(status, key).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(u64::MAX)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = |held: bool| if held { "on" } else { "off" };
        write!(
            f,
            "{} threads, capabilities {:x} (bounding {:x}), no new privileges {}, seccomp {}, files {}",
            self.threads,
            self.capabilities,
            self.bounding,
            yes(self.no_new_privileges),
            yes(self.seccomp),
            self.files
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t2\nNoNewPrivs:\t1\nCapInh:\t0000000000000000\n\
        CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000400\nCapAmb:\t0000000000000000\n";

    fn read(status: &str) -> Report {
        let mut report = Report { no_new_privileges: true, seccomp: true, ..Report::default() };
        report.add(STATUS);
        report.add(status);
        report
    }

    #[test]
    fn the_weakest_thread_decides() {
        let held = read(STATUS);
        assert_eq!((held.threads, held.capabilities, held.bounding), (2, 0, 0x400));
        assert!(held.no_new_privileges && held.seccomp);
        assert!(!read(&STATUS.replace("Seccomp:\t2", "Seccomp:\t0")).seccomp);
        assert!(!read(&STATUS.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0")).no_new_privileges);
        assert_eq!(read(&STATUS.replace("CapAmb:\t0000000000000000", "CapAmb:\t0000000000000001")).capabilities, 1);
    }

    #[test]
    fn what_cannot_be_read_is_not_believed() {
        let nothing = read("");
        assert_eq!(nothing.capabilities, u64::MAX);
        assert!(!nothing.no_new_privileges && !nothing.seccomp);
    }

    #[test]
    fn a_report_reads_as_one_line() {
        let text = read(STATUS).to_string();
        assert_eq!(text, "2 threads, capabilities 0 (bounding 400), no new privileges on, seccomp on, files not restricted");
    }
}
