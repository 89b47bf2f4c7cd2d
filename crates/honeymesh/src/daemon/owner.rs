//! Whom the daemon becomes once it is up, and whose the files in its state directory are.

use crate::{
    config::{Config, problem::Placed},
    failure::Failure,
};
use honeymesh_sandbox::User;
use nix::unistd::{Gid, Group, Uid, getegid, geteuid, setfsgid, setfsuid, setgroups};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Whom the daemon becomes, if the machine has such a user; else [`NUMBER`]. And the group whose members may use the control
/// socket.
pub const NAME: &str = "honeymesh";
/// The user and the group where there is none of that name: a number that nobody else has, for systemd leaves it unused and
/// Debian reserves it.
pub const NUMBER: u32 = 65_521;
/// How a warning begins that tells why nobody else was become.
pub const STAYS_ROOT: &str = "the daemon stays root, though without any capability";
/// Who stays root says so by this name.
const ROOT: &str = "root";

/// Whom the daemon becomes, or stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    user: User,
    name: String,
}

impl Owner {
    /// Whoever this process is: it stays that.
    #[must_use]
    pub fn oneself() -> Self {
        Self::of(geteuid().as_raw(), getegid().as_raw())
    }

    /// Whoever has these numbers.
    #[must_use]
    pub fn of(user: u32, group: u32) -> Self {
        Self { user: User { user, group }, name: name_of(user) }
    }

    /// Whom the configuration names, or whom the machine has. A process that is not root stays who it is. What keeps it root although
    /// nobody asked for that is told in `warnings`.
    ///
    /// # Errors
    /// [`Failure::Usage`]: the user that the configuration names is none, or cannot be become, or cannot reach its files.
    pub fn choose(config: &Config, warnings: &mut Vec<String>) -> Result<Self, Failure> {
        if !geteuid().is_root() {
            return Ok(Self::oneself());
        }
        let state_dir = &config.node.state_dir;
        let Some(asked) = &config.node.user else {
            return Ok(Self::usual().and_then(|owner| owner.fits(state_dir).map(|()| owner)).unwrap_or_else(|why| {
                warnings.push(format!("{STAYS_ROOT}: {why}"));
                Self::oneself()
            }));
        };
        if asked.value == ROOT {
            warnings.push(format!("[node] user: {STAYS_ROOT}; leave the key out"));
            return Ok(Self::oneself());
        }
        let usage = |why: String| Failure::usage(format!("[node] user: {why}"));
        let owner = Self::named(&asked.value).ok_or_else(|| {
            usage(format!(
                "this machine has no user `{0}`; make it with `useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {0}`, or leave the key out",
                asked.value
            ))
        })?;
        if owner.user.user == 0 {
            return Err(usage(format!("`{}` is root under another name; write \"root\" if that is meant", asked.value)));
        }
        owner.fits(state_dir).map(|()| owner).map_err(usage)
    }

    /// The user of that name, or the number.
    fn usual() -> Result<Self, String> {
        if let Some(named) = Self::named(NAME).filter(|owner| owner.user.user != 0) {
            return Ok(named);
        }
        let is_taken = nix::unistd::User::from_uid(Uid::from_raw(NUMBER)).ok().flatten().is_some();
        if is_taken {
            return Err(format!(
                "there is no user `{NAME}`, and the number {NUMBER} is `{}`'s; make one with `useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {NAME}`",
                name_of(NUMBER)
            ));
        }
        let group = group().unwrap_or(NUMBER);
        Ok(Self { user: User { user: NUMBER, group }, name: NUMBER.to_string() })
    }

    fn named(name: &str) -> Option<Self> {
        let user = nix::unistd::User::from_name(name).ok().flatten()?;
        Some(Self { user: User { user: user.uid.as_raw(), group: user.gid.as_raw() }, name: name.to_owned() })
    }

    /// Can it be become, and can it reach the state directory then? In words with the mend if not.
    fn fits(&self, state_dir: &Path) -> Result<(), String> {
        self.user.try_on().map_err(|error| {
            format!("it cannot become user `{}` ({error}): that takes CAP_SETUID and CAP_SETGID, and a user namespace that has the number", self.name)
        })?;
        let Some(closed) = self.closed(state_dir).map_err(|error| error.to_string())? else { return Ok(()) };
        let (closed, name, state_dir) = (closed.display(), &self.name, state_dir.display());
        Err(format!(
            "user `{name}` cannot reach [node] state_dir {state_dir}, because {closed} is closed to it; run chmod o+x {closed}, or set state_dir elsewhere"
        ))
    }

    /// The first directory on the way to `path` that it may not pass, if there is one.
    fn closed(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        self.files(|| {
            let is_closed =
                |step: &&&Path| fs::symlink_metadata(step).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
            way.iter().find(is_closed).and_then(|step| step.parent()).map(Path::to_owned)
        })
    }

    /// Its numbers, if it is somebody else than this process.
    #[must_use]
    pub fn other(&self) -> Option<User> {
        (self.user.user != geteuid().as_raw()).then_some(self.user)
    }

    /// Its numbers.
    #[must_use]
    pub const fn user(&self) -> User {
        self.user
    }

    /// Its name, or its number if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// May the state directory have been this user's? Root's before there was another, this one's, or that of a start which found no
    /// better one.
    #[must_use]
    pub fn may_follow(&self, user: u32) -> bool {
        let named = Self::named(NAME).map(|owner| owner.user.user);
        [0, self.user.user].contains(&user) || (geteuid().is_root() && (user == NUMBER || named == Some(user)))
    }

    /// Is it the user that the configuration names?
    #[must_use]
    pub fn is_named(&self, asked: Option<&Placed<String>>) -> bool {
        asked.and_then(|asked| Self::named(&asked.value)).is_some_and(|named| named.user.user == self.user.user)
    }

    /// Does `work` with this user's rights to files, and no more, on this thread and those that it starts meanwhile: links that
    /// lead to other people's files lead nowhere. New files are this user's. Whoever is no root has no other rights anyway.
    ///
    /// # Errors
    /// The kernel does not give these rights; then nothing was done, for it would have been done as root.
    pub fn files<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        let Some(user) = self.other() else { return Ok(work()) };
        let _rights = Rights::of(user).ok_or_else(|| {
            io::Error::other(format!(
                "what belongs to user `{}` is touched with that user's rights only, and this process cannot take them; that takes CAP_SETUID and CAP_SETGID",
                self.name
            ))
        })?;
        Ok(work())
    }

    /// Leaves the groups that root was in: from here on they would only be in the way.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn leave_groups(&self) -> Result<(), Failure> {
        match self.other() {
            Some(_) => setgroups(&[]).map_err(|error| Failure::Refused(format!("root's groups cannot be left: {error}"))),
            None => Ok(()),
        }
    }
}

/// The group whose members may use the control socket, if there is one.
#[must_use]
pub fn group() -> Option<u32> {
    Group::from_name(NAME).ok().flatten().map(|group| group.gid.as_raw())
}

/// The name of a user, or its number if it has none.
#[must_use]
pub fn name_of(user: u32) -> String {
    let found = nix::unistd::User::from_uid(Uid::from_raw(user)).ok().flatten();
    found.map_or_else(|| user.to_string(), |user| user.name)
}

/// One thread's rights to files, until this is dropped.
struct Rights {
    before: (Uid, Gid),
}

impl Rights {
    /// The group that new files get is the one that may use the control socket, if there is one. `None`: the kernel refuses, which it
    /// says in no other way than by leaving everything as it is.
    fn of(user: User) -> Option<Self> {
        let (user, group) = (Uid::from_raw(user.user), Gid::from_raw(group().unwrap_or(user.group)));
        let before_group = setfsgid(group);
        let rights = Self { before: (setfsuid(user), before_group) };
        // Asked for once more, each says who it is by now.
        (setfsgid(group) == group && setfsuid(user) == user).then_some(rights)
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        let (user, group) = self.before;
        setfsuid(user);
        setfsgid(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    fn nobody() -> Owner {
        Owner { user: User { user: NUMBER, group: NUMBER }, name: "somebody".into() }
    }

    fn closed_dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        dir
    }

    fn is_root() -> bool {
        let root = geteuid().is_root();
        if !root {
            eprintln!("SKIPPED: needs root to become somebody else");
        }
        root
    }

    #[test]
    fn its_rights_to_files_are_no_more_than_its_own_and_end_with_the_work() {
        if !is_root() {
            return;
        }
        let dir = closed_dir();
        let own = dir.path().join("own");
        fs::create_dir(&own).unwrap();
        let secret = dir.path().join("secret");
        fs::write(&secret, "root's").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&secret, own.join("link")).unwrap();
        assert_eq!(nobody().closed(&own).unwrap().as_deref(), Some(dir.path()));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(nobody().closed(&own).unwrap(), None);
        std::os::unix::fs::chown(&own, Some(NUMBER), Some(NUMBER)).unwrap();
        let (read, written) = nobody().files(|| (fs::read(own.join("link")), fs::write(own.join("new"), "x"))).unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        written.unwrap();
        assert_eq!(fs::metadata(own.join("new")).unwrap().uid(), NUMBER);
        assert_eq!(fs::read(own.join("link")).unwrap(), b"root's", "this thread is root again");
    }

    #[test]
    fn without_the_power_to_take_its_rights_nothing_is_done_as_root() {
        if !is_root() {
            return;
        }
        let dir = closed_dir();
        let file = dir.path().join("made");
        // On a thread of its own: it does not get the power back.
        let told = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                for power in [honeymesh_sandbox::Capability::CAP_SETUID, honeymesh_sandbox::Capability::CAP_SETGID] {
                    caps::drop(None, caps::CapSet::Effective, power).unwrap();
                }
                nobody().files(|| fs::write(&file, "as root"))
            });
            thread.join().unwrap()
        });
        let error = told.unwrap_err().to_string();
        assert!(error.contains("CAP_SETUID") && error.contains("somebody"), "{error}");
        assert!(!file.exists());
    }

    #[test]
    fn who_is_named_must_be_there_and_who_is_not_named_may_be_missing() {
        if !is_root() {
            return;
        }
        let dir = closed_dir();
        let config = |user: &str, state: &Path| {
            crate::config::parse(&format!("[node]\nstate_dir = \"{}\"\n{user}", state.display()), "here").config
        };
        let chosen = |user: &str| {
            let mut warnings = Vec::new();
            Owner::choose(&config(user, &dir.path().join("state")), &mut warnings).map(|owner| (owner, warnings))
        };
        let error = |user: &str| chosen(user).unwrap_err().to_string();
        assert!(error("user = \"no-such-user\"").contains("useradd --system"));
        // Whoever insists is told; whoever does not is warned, and goes on as root.
        assert!(error("user = \"nobody\"").contains("chmod o+x"), "{}", error("user = \"nobody\""));
        let (owner, warnings) = chosen("").unwrap();
        assert!(owner.other().is_none() && warnings[0].contains(&format!("chmod o+x {}", dir.path().display())), "{warnings:?}");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let (owner, warnings) = chosen("").unwrap();
        assert!(owner.other().is_some_and(|user| user.user != 0) && warnings.is_empty(), "{owner:?} {warnings:?}");
        let (owner, warnings) = chosen("user = \"root\"").unwrap();
        assert!(owner.other().is_none() && warnings[0].contains("stays root"), "{warnings:?}");
        assert_eq!(chosen("user = \"nobody\"").unwrap().0.name(), "nobody");
    }
}
