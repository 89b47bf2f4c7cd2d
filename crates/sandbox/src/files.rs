//! Restricts files to named paths with Landlock.

use crate::Error;
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, Scope,
};
use std::{
    fmt,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// What this crate knows of Landlock; an older kernel restricts what it can.
const KNOWN: ABI = ABI::V6;

/// The only files that may still be opened, by path, each with everything beneath it. A path that does not exist is
/// an error, so that a typing error does not open or close anything unseen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// To be read.
    pub read: Vec<PathBuf>,
    /// To be read, written, created, renamed and removed.
    pub write: Vec<PathBuf>,
}

/// Closes every descriptor but the standard ones: whoever started this process may have left some open for it.
///
/// To be called first of all, before the process has opened anything that it goes on with. Older kernels than 5.9 cannot do it, and close none.
#[expect(unsafe_code, reason = "closing descriptors by number has no safe wrapper")]
pub fn close_inherited() {
    // SAFETY: takes plain numbers; nobody in this process has a descriptor yet that could be closed under it.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

/// What became of the restriction of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restriction {
    /// Nobody asked for it.
    #[default]
    None,
    /// The kernel has no Landlock, or it is switched off: files are as open as their owners allow.
    Unsupported,
    /// It holds, as far as this kernel's Landlock goes.
    Held,
}

impl fmt::Display for Restriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "not restricted",
            Self::Unsupported => "not restricted (this kernel cannot)",
            Self::Held => "restricted",
        })
    }
}

/// The rules as a descriptor that every thread binds itself to.
pub(crate) fn prepare(files: Option<&Files>) -> Result<(Restriction, Option<OwnedFd>), Error> {
    let Some(files) = files else { return Ok((Restriction::None, None)) };
    let wrap = |error: &dyn fmt::Display| Error::Files(error.to_string());
    let all = AccessFs::from_all(KNOWN);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        // Other processes' local sockets that have names and no paths (Linux 6.12). Not its signals: the filter refuses them already, and
        // before 6.15 a thread that has bound itself could not reach the next one.
        .and_then(|rules| rules.scope(Scope::AbstractUnixSocket))
        .and_then(Ruleset::create)
        .map_err(|error| wrap(&error))?;
    for path in &files.read {
        rules = allow(rules, path, AccessFs::ReadFile | AccessFs::ReadDir)?;
    }
    for path in &files.write {
        rules = allow(rules, path, all & !AccessFs::Execute)?;
    }
    Ok(match Option::<OwnedFd>::from(rules) {
        Some(rules) => (Restriction::Held, Some(rules)),
        None => (Restriction::Unsupported, None),
    })
}

fn allow(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, Error> {
    let wrap = |error: &dyn fmt::Display| Error::Files(format!("{}: {error}", path.display()));
    let beneath = PathFd::new(path).map_err(|error| wrap(&error))?;
    // A file takes fewer rights than a directory; the rest would be an error.
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(KNOWN) };
    rules.add_rule(PathBeneath::new(beneath, access)).map_err(|error| wrap(&error))
}
