//! What holds after confinement, as the kernel tells it.

use crate::{Error, Restriction, User};
use std::{collections::BTreeSet, fmt, fs, io};

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
    /// Every user that any thread is: real, effective, saved or for files.
    pub users: BTreeSet<u32>,
    /// Every group that any thread is in, supplementary ones included.
    pub groups: BTreeSet<u32>,
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
        self.users.extend(numbers(status, "Uid"));
        self.groups.extend(numbers(status, "Gid"));
        self.groups.extend(numbers(status, "Groups"));
    }

    /// Is every thread this user, and nobody else, in this group, and in no other?
    #[must_use]
    pub fn is(&self, user: User) -> bool {
        self.users.iter().eq([&user.user]) && self.groups.iter().eq([&user.group])
    }
}

/// A line that is not there, or holds something else, counts as root's: doubt is no proof.
fn numbers(status: &str, key: &str) -> Vec<u32> {
    let Some(list) = value(status, key) else { return vec![0] };
    list.split_whitespace().map(|number| number.parse().unwrap_or(0)).collect()
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
            "{} threads of user {}, capabilities {:x} (bounding {:x}), no new privileges {}, seccomp {}, files {}",
            self.threads,
            self.users.iter().map(u32::to_string).collect::<Vec<_>>().join(" and "),
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
        CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000400\nCapAmb:\t0000000000000000\n\
        Uid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nGroups:\t \n";

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
    fn a_single_thread_that_is_somebody_else_or_in_another_group_is_seen() {
        let user = User { user: 7, group: 8 };
        assert!(read(STATUS).is(user));
        let others =
            [("Uid:\t7\t7\t7\t7", "Uid:\t7\t7\t0\t7"), ("Gid:\t8\t8\t8\t8", "Gid:\t8\t8\t8\t0"), ("Groups:\t ", "Groups:\t27 ")];
        for (line, other) in others.into_iter().chain([("Uid:", "Xid:"), ("Groups:", "Xroups:")]) {
            assert!(!read(&STATUS.replace(line, other)).is(user), "{other}");
        }
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
        assert_eq!(
            text,
            "2 threads of user 7, capabilities 0 (bounding 400), no new privileges on, seccomp on, files not restricted"
        );
    }
}
