//! The certificate that the traps show, made at the first start and kept: a machine's certificate does not change when it restarts.

use super::state_dir::{StateDir, create_secret};
use crate::config::{Config, Dark, secrets};
use honeymesh_trap::TlsIdentity;
use honeymesh_trap_proto::Persona;
use std::{path::Path, time::Duration, time::SystemTime};

/// Its file in the state directory: the host's name, certificate and key, mode 0600. An operator's own pair may be put in its place.
const TLS_FILE: &str = "traps.pem";
/// What the first line of a file begins with that was made here; the host's name follows.
const MADE_FOR: &str = "# made for ";
/// How long ago the machine was set up at least and at most, as its certificate tells, in hours.
const AGE_HOURS: (u64, u64) = (24 * 40, 24 * 700);

/// The certificate and its key; `None` without traps. One that was made for another name is made again.
///
/// # Errors
/// In words with the mend: the file is damaged, others may read it, or it cannot be written.
pub fn load_or_make(config: &Config, state: &StateDir, persona: &Persona) -> Result<Option<TlsIdentity>, String> {
    if config.traps.is_empty() && config.dark.dark.value != Dark::Trap {
        return Ok(None);
    }
    let path = state.file(TLS_FILE);
    if path.exists() {
        let text = secrets::read_secret(&path).map_err(|error| format!("the traps' certificate {error}"))?;
        let stale = text.lines().next().and_then(|line| line.strip_prefix(MADE_FOR)).is_some_and(|name| name != persona.host());
        if !stale {
            let damaged = |error| format!("{}: {error}; remove it to have another one made", path.display());
            return TlsIdentity::from_pem(text.as_bytes()).map(Some).map_err(damaged);
        }
        std::fs::remove_file(&path).map_err(|error| format!("{} cannot be replaced: {error}", path.display()))?;
    }
    make(&path, persona).map(Some)
}

fn make(path: &Path, persona: &Persona) -> Result<TlsIdentity, String> {
    let (least, most) = AGE_HOURS;
    let age = Duration::from_hours(least + persona.number("tls age") % (most - least));
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().saturating_sub(age);
    let identity = TlsIdentity::make(persona.host(), since).map_err(|error| error.to_string())?;
    let text = zeroize::Zeroizing::new(format!("{MADE_FOR}{}\n{}", persona.host(), identity.to_pem()));
    create_secret(path, text.as_bytes()).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::owner::Owner;

    fn config(toml: &str) -> Config {
        crate::config::parse(toml, "here").config
    }

    #[test]
    fn the_certificate_stays_and_follows_the_hosts_name() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::prepare(dir.path(), Owner::oneself()).unwrap();
        let config = config("[[trap]]\nname = \"web\"\nservice = \"https\"\nlisten = [\"127.0.0.1:8443\"]\n");
        let one = Persona::of([1; 32]);
        let made = load_or_make(&config, &state, &one).unwrap().unwrap();
        assert_eq!(load_or_make(&config, &state, &one).unwrap(), Some(made.clone()));
        let renamed = load_or_make(&config, &state, &one.named("shop").unwrap()).unwrap().unwrap();
        assert_ne!(renamed, made);
        std::fs::write(state.file(TLS_FILE), "junk").unwrap();
        assert!(load_or_make(&config, &state, &Persona::of([1; 32])).unwrap_err().contains("remove it to have another one"));
    }

    #[test]
    fn without_traps_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::prepare(dir.path(), Owner::oneself()).unwrap();
        assert_eq!(load_or_make(&config(""), &state, &Persona::of([1; 32])).unwrap(), None);
        assert!(!state.file(TLS_FILE).exists());
    }
}
