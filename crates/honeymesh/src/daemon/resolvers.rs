//! Where the resolvers are written down: `/etc/resolv.conf`, or whatever place that leads to. They are looked at every second, and a daemon
//! that is not root reads no place but those it was given at its start.
//!
//! Nothing else that the C library looks up is needed after the start: the daemon asks nobody for the address of a name, nor for a user.

use honeymesh_xdp::RESOLV_CONF;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What must be readable besides `readable`, so that resolvers are seen when they change: the directory of the file that `/etc/resolv.conf`
/// leads to, because whoever keeps such a file puts a new one in its place; at the top of the file system, where a directory would be too much, the file.
pub fn beyond(readable: &[PathBuf]) -> Option<PathBuf> {
    beyond_of(Path::new(RESOLV_CONF), readable)
}

fn beyond_of(link: &Path, readable: &[PathBuf]) -> Option<PathBuf> {
    let file = fs::canonicalize(link).ok()?;
    let is_in = |place: &PathBuf| fs::canonicalize(place).is_ok_and(|place| file.starts_with(place));
    if readable.iter().any(is_in) {
        return None;
    }
    let directory = file.parent()?;
    // The root and one name.
    let is_top = directory.components().count() <= 2;
    Some(if is_top { file } else { directory.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_the_resolvers_file_leads_to_is_given_and_nothing_that_is_readable_anyway() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let (etc, elsewhere) = (root.join("etc"), root.join("a/elsewhere"));
        for made in [&etc, &elsewhere] {
            fs::create_dir_all(made).unwrap();
        }
        let link = etc.join("resolv.conf");
        assert_eq!(beyond_of(&link, std::slice::from_ref(&etc)), None, "there is none");
        fs::write(&link, "").unwrap();
        assert_eq!(beyond_of(&link, std::slice::from_ref(&etc)), None);
        fs::remove_file(&link).unwrap();
        fs::write(elsewhere.join("resolv.conf"), "").unwrap();
        symlink("../a/link", &link).unwrap();
        symlink("elsewhere/resolv.conf", root.join("a/link")).unwrap();
        assert_eq!(beyond_of(&link, std::slice::from_ref(&etc)), Some(elsewhere.clone()));
        // Readable under another name.
        symlink(&elsewhere, root.join("name")).unwrap();
        assert_eq!(beyond_of(&link, &[etc.clone(), root.join("name")]), None);
        // At the top there is nothing but the file.
        assert_eq!(beyond_of(Path::new("/proc/version"), &[etc]), Some("/proc/version".into()));
    }
}
