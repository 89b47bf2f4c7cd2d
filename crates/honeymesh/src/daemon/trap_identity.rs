//! The certificate and the RSA host key that the traps show, made at the first start and kept: a machine's do not change when it
//! restarts. (Its other keys are made from the node's identity each time.)

use super::state_dir::{StateDir, create_secret};
use crate::config::{Config, Dark, secrets};
use honeymesh_trap::{IdentityError, SshIdentity, TlsIdentity};
use honeymesh_trap_proto::Persona;
use std::{path::PathBuf, time::Duration, time::SystemTime};

/// Its file in the state directory: the host's name, certificate and key, mode 0600. An operator's own pair may be put in its place.
const TLS_FILE: &str = "traps.pem";
/// The same for its RSA host key: the node's mark and the key.
const SSH_FILE: &str = "traps-ssh.pem";
/// What the first line of a file begins with that was made here; the host's name follows.
const MADE_FOR: &str = "# made for ";

/// The certificate with its key, and the host key; `None` without traps. What was made for another name, or for another node, is
/// made again.
///
/// # Errors
/// In words with the mend: the file is damaged, others may read it, or it cannot be written.
pub fn load_or_make(config: &Config, state: &StateDir, persona: &Persona) -> Result<Option<(TlsIdentity, SshIdentity)>, String> {
    if config.traps.is_empty() && config.dark.dark.value != Dark::Trap {
        return Ok(None);
    }
    let certificate =
        Kept { path: state.file(TLS_FILE), made_for: persona.host(), read: TlsIdentity::from_pem, show: TlsIdentity::to_pem };
    let tls = certificate.load_or_make(|| {
        // Debian makes it when the machine is set up.
        let since = Duration::from_secs(persona.set_up("ssl-cert"));
        TlsIdentity::make(persona.host(), since.min(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()))
    })?;
    let mark = format!("{:016x}", persona.number("ssh rsa host key"));
    let key = Kept { path: state.file(SSH_FILE), made_for: &mark, read: SshIdentity::from_pem, show: SshIdentity::to_pem };
    Ok(Some((tls, key.load_or_make(SshIdentity::make)?)))
}

/// Something secret in a file.
struct Kept<'a, T> {
    path: PathBuf,
    made_for: &'a str,
    read: fn(&[u8]) -> Result<T, IdentityError>,
    show: fn(&T) -> String,
}

impl<T> Kept<'_, T> {
    fn load_or_make(&self, make: impl FnOnce() -> Result<T, IdentityError>) -> Result<T, String> {
        let path = self.path.display();
        if self.path.exists() {
            let text = secrets::read_secret(&self.path).map_err(|error| format!("what the traps show: {error}"))?;
            let made_for = text.lines().next().and_then(|line| line.strip_prefix(MADE_FOR));
            if made_for.is_none_or(|name| name == self.made_for) {
                let damaged = |error| format!("{path}: {error}; remove it to have another one made");
                return (self.read)(text.as_bytes()).map_err(damaged);
            }
            std::fs::remove_file(&self.path).map_err(|error| format!("{path} cannot be replaced: {error}"))?;
        }
        let made = make().map_err(|error| error.to_string())?;
        let text = zeroize::Zeroizing::new(format!("{MADE_FOR}{}\n{}", self.made_for, (self.show)(&made)));
        create_secret(&self.path, text.as_bytes()).map_err(|error| format!("{path} cannot be written: {error}"))?;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::owner::Owner;

    fn config(toml: &str) -> Config {
        crate::config::parse(toml, "here").config
    }

    #[test]
    fn the_certificate_follows_the_hosts_name_and_the_host_key_the_node() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::prepare(dir.path(), Owner::oneself()).unwrap();
        let config = config("[[trap]]\nname = \"web\"\nservice = \"https\"\nlisten = [\"127.0.0.1:8443\"]\n");
        let one = Persona::of([1; 32]);
        let made = load_or_make(&config, &state, &one).unwrap().unwrap();
        assert_eq!(load_or_make(&config, &state, &one).unwrap(), Some(made.clone()));
        let renamed = load_or_make(&config, &state, &one.named("shop").unwrap()).unwrap().unwrap();
        assert!(renamed.0 != made.0 && renamed.1 == made.1, "a host key outlives a name");
        let other = load_or_make(&config, &state, &Persona::of([2; 32]).named("shop").unwrap()).unwrap().unwrap();
        assert!(other.0 == renamed.0 && other.1 != made.1, "and goes with the node");
        std::fs::write(state.file(TLS_FILE), "junk").unwrap();
        assert!(load_or_make(&config, &state, &Persona::of([1; 32])).unwrap_err().contains("remove it to have another one"));
    }

    /// The day from which on a certificate is valid, as it stands in it: year, month and day.
    fn valid_from(pem: &str) -> String {
        let digit =
            |char: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|one| *one == char);
        let body = pem.split("-----").nth(2).unwrap();
        let digits: Vec<usize> = body.bytes().filter_map(digit).collect();
        let bytes = digits.chunks(4).flat_map(|four| {
            let number = four.iter().fold(0, |number, digit| number << 6 | digit) << (6 * (4 - four.len()));
            [number >> 16, number >> 8, number].map(|byte| u8::try_from(byte & 0xff).unwrap())
        });
        let bytes: Vec<u8> = bytes.collect();
        // UTCTime, of 13 characters.
        let at = bytes.windows(2).position(|two| two == [0x17, 13]).unwrap() + 2;
        String::from_utf8(bytes[at..at + 6].to_vec()).unwrap()
    }

    #[test]
    fn the_certificate_is_as_old_as_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::prepare(dir.path(), Owner::oneself()).unwrap();
        let config = config("[[trap]]\nname = \"web\"\nservice = \"https\"\nlisten = [\"127.0.0.1:8443\"]\n");
        for seed in 1..5 {
            let persona = Persona::of([seed; 32]);
            let (made, _) = load_or_make(&config, &state, &persona).unwrap().unwrap();
            let day = valid_from(&made.to_pem());
            assert!(("251001".."251221").contains(&day.as_str()), "{day}: a machine of autumn 2025");
        }
    }

    #[test]
    fn without_traps_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::prepare(dir.path(), Owner::oneself()).unwrap();
        assert_eq!(load_or_make(&config(""), &state, &Persona::of([1; 32])).unwrap(), None);
        assert!(!state.file(TLS_FILE).exists());
    }
}
