//! Files the configuration names: read bounded, refused when others can read them; and the machine's name.

use super::{
    Config,
    problem::{Place, Problem},
    walk,
};
use honeymesh_mesh_proto::{Key, KeyRing};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// The largest key or token file that is read, in bytes.
pub const SECRET_BYTES_MAX: u64 = 4_096;
/// Shorter bearer tokens can be guessed.
const TOKEN_CHARS_STRONG: usize = 20;
/// Permission bits that a secret must not have: anything for the group or for others.
const MODE_TOO_OPEN: u32 = 0o077;
/// Permission bits for everybody.
const MODE_OTHERS: u32 = 0o007;

/// Reads a whole file of at most `bytes_max` bytes.
///
/// # Errors
/// It cannot be read, is no regular file, or is larger.
pub fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    // Without O_NONBLOCK a named pipe in the file's place would hold the reader up for ever.
    let file = File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    bounded(file, bytes_max)
}

fn bounded(file: File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it is larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// A secret's bytes and its permission bits. Root follows no link that somebody else may have put on the way ([`walk`]).
fn secret(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, u32)> {
    let file = walk::file(path)?;
    let mode = file.metadata()?.mode();
    Ok((Zeroizing::new(bounded(file, SECRET_BYTES_MAX)?), mode))
}

/// Reads a file that only its owner may read.
///
/// # Errors
/// In words with the mend: it is missing, unreadable, too large, others may read it, or the way to it is not to be trusted.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, String> {
    let shown = path.display();
    let (bytes, mode) = secret(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    if mode & MODE_TOO_OPEN != 0 {
        return Err(format!("{shown} has mode {:04o}, others can read it; run chmod 600 {shown}", mode & 0o7777));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{shown} is not text; make a new one"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The cluster keys of a file: one a line, the first seals, the others only open; empty lines and `#` comments are
/// skipped.
///
/// # Errors
/// As [`read_secret`], or it holds no key, too many, or something else.
pub fn read_keys(path: &Path) -> Result<KeyRing, String> {
    let text = read_secret(path)?;
    let shown = path.display();
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let mut ring: Option<KeyRing> = None;
    for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let key = Key::parse(line).map_err(|error| format!("{shown} line {number}: {error}"))?;
        match &mut ring {
            None => ring = Some(KeyRing::new(key)),
            Some(ring) => ring.add(key).map_err(|error| format!("{shown} line {number}: {error}"))?,
        }
    }
    ring.ok_or_else(|| format!("{shown} holds no key; make one with `honeymesh key new FILE`"))
}

/// What is wrong with a token file, if anything; one that is absent is made at the first start. A short or readable token is only a warning: somebody may have
/// reasons to share it with a scraper.
fn token_problem(path: &Path, place: Option<Place>) -> Option<Problem> {
    let shown = path.display();
    let (bytes, mode) = match secret(path) {
        Ok(secret) => secret,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            return Some(Problem::error(
                place,
                format!("[api] token_file: {shown} cannot be read: {error}; mend its owner or mode"),
            ));
        }
    };
    let token = bytes.trim_ascii();
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        let mend = "write one line of visible ASCII characters, for example with `openssl rand -hex 32`, or delete it";
        return Some(Problem::error(place, format!("[api] token_file: {shown} holds no token; {mend}")));
    }
    if token.len() < TOKEN_CHARS_STRONG {
        return Some(Problem::warning(
            place,
            format!("[api] token_file: {shown} is short enough to be guessed; write 20 characters or more"),
        ));
    }
    let is_open = mode & MODE_OTHERS != 0;
    is_open.then(|| {
        Problem::warning(place, format!("[api] token_file: everybody on this machine can read {shown}; run chmod 600 {shown}"))
    })
}

/// What the machine calls itself; empty if that is no text.
#[must_use]
pub fn host_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What is wrong with the files that `config` names.
#[must_use]
pub fn check(config: &Config) -> Vec<Problem> {
    let keys = config.clusters.iter().filter_map(|cluster| {
        let error = read_keys(&cluster.key_file.value).err()?;
        Some(Problem::error(cluster.key_file.place, format!("[[cluster]] key_file: {error}")))
    });
    let authorities = config.clusters.iter().filter_map(|cluster| {
        let (file, public) = (cluster.authority_file.as_ref()?, cluster.authority.as_ref()?);
        let error = match crate::daemon::admission::read_authority(&file.value) {
            Ok(secret) if honeymesh_mesh_proto::public_key(&secret) == public.value => return None,
            Ok(_) => format!("{} is not the secret of [[cluster]] authority; give the file of that one", file.value.display()),
            Err(error) => error,
        };
        Some(Problem::error(file.place, format!("[[cluster]] authority_file: {error}")))
    });
    let token = Some(&config.api.token_file)
        // Whoever may not even see it cannot say what is wrong with it.
        .filter(|token| config.api.listen.is_some() && std::fs::symlink_metadata(&token.value).is_ok())
        .and_then(|token| token_problem(&token.value, token.place));
    keys.chain(authorities).chain(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::problem::Severity;
    use std::os::unix::fs::PermissionsExt;

    const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn file(content: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_key_file_holds_keys_line_by_line() {
        let other = KEY.replace('0', "1");
        let ring = read_keys(file(&format!("# old and new\n{other}\n\n{KEY}\n"), 0o600).path()).unwrap();
        assert_eq!(ring.keys(), [Key::parse(&other).unwrap(), Key::parse(KEY).unwrap()]);
    }

    #[test]
    fn bad_key_files_are_refused_with_the_mend_and_without_the_key() {
        let table = [
            (file("", 0o600), "holds no key; make one with"),
            (file(&KEY[1..], 0o600), "line 1: a key is 64 hexadecimal digits"),
            (file(&format!("{KEY}\nzz"), 0o600), "line 2"),
            (file(KEY, 0o640), "run chmod 600"),
            (file(&"0".repeat(5_000), 0o600), "larger than 4096 bytes"),
        ];
        for (file, part) in table {
            let error = read_keys(file.path()).unwrap_err();
            assert!(error.contains(part) && !error.contains(&KEY[1..]), "{error}");
        }
        assert!(read_keys(Path::new("/nonexistent/key")).unwrap_err().contains("cannot be read"));
        assert!(read_keys(Path::new("/")).is_err());
    }

    #[test]
    fn a_token_file_is_judged() {
        let told =
            |content: &str, mode| token_problem(file(content, mode).path(), None).map(|problem| (problem.severity, problem.what));
        assert_eq!(told("0123456789abcdef0123\n", 0o600), None);
        for bad in ["", "0123456789abcdef 0123", "0123456789abcdefä0123"] {
            assert!(told(bad, 0o600).is_some_and(|(severity, _)| severity == Severity::Error), "{bad}");
        }
        let warned = [told("short", 0o600), told("0123456789abcdef0123", 0o644)];
        assert!(warned.iter().flatten().filter(|(severity, _)| *severity == Severity::Warning).count() == 2, "{warned:?}");
    }
}
