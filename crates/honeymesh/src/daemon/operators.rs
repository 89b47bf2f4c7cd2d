//! From where operators are logged in: remote sessions that the system has authenticated.
//!
//! Only an authenticated session counts. A mere TCP connection to port 22 would protect whoever guesses passwords there.
//! Two records are read, since systems have one or the other: systemd-logind's sessions and `/run/utmp`.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

/// The most sessions that are looked at in each record; further ones are not protected.
const SESSIONS_MAX: usize = 256;
/// The largest record that is read, in bytes.
const RECORD_BYTES_MAX: u64 = 1 << 20;

const LOGIND: &str = "/run/systemd/sessions";
const UTMP: &str = "/run/utmp";

/// Who is protected in the end although not everything could be looked at: those who are known come last.
const PROTECTED_MAX: usize = 4 * SESSIONS_MAX;

/// The addresses of all remote sessions, sorted, each once. Where a record cannot be looked at, `known` ones stay, and why is told:
/// nobody who is logged in loses his protection because this process can open nothing. (A record that is not there has none.)
#[must_use]
pub fn logged_in(known: &[IpAddr]) -> (Vec<IpAddr>, Option<io::Error>) {
    logged_in_of(Path::new(LOGIND), Path::new(UTMP), known)
}

fn logged_in_of(sessions: &Path, utmp: &Path, known: &[IpAddr]) -> (Vec<IpAddr>, Option<io::Error>) {
    let mut all = Vec::new();
    let failed = [logind(sessions, &mut all), of_utmp(utmp, &mut all)].into_iter().find_map(Result::err);
    all.retain(|addr| !addr.is_loopback() && !addr.is_unspecified());
    if failed.is_some() {
        let unseen: Vec<IpAddr> = known.iter().filter(|addr| !all.contains(addr)).copied().collect();
        all.extend(unseen);
        all.truncate(PROTECTED_MAX);
    }
    all.sort_unstable();
    all.dedup();
    (all, failed)
}

/// Adds the sessions of utmp that live.
fn of_utmp(file: &Path, all: &mut Vec<IpAddr>) -> io::Result<()> {
    let utmp = if_there(crate::config::secrets::read_bounded(file, RECORD_BYTES_MAX))?.unwrap_or_default();
    all.extend(utmp_sessions(&utmp).filter(|(pid, _)| is_alive(*pid)).map(|(_, addr)| addr));
    Ok(())
}

/// Adds logind's sessions: those that can be read before the first that cannot.
fn logind(dir: &Path, all: &mut Vec<IpAddr>) -> io::Result<()> {
    let Some(entries) = if_there(fs::read_dir(dir))? else { return Ok(()) };
    let mut looked_at = 0;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some() {
            continue;
        }
        match if_there(crate::config::secrets::read_bounded(&path, RECORD_BYTES_MAX)) {
            Ok(bytes) => all.extend(bytes.and_then(|bytes| logind_session(&String::from_utf8(bytes).ok()?))),
            // What is too large or no regular file is no session.
            Err(error) if error.kind() == io::ErrorKind::Other => {}
            Err(error) => return Err(error),
        }
        looked_at += 1;
        if looked_at == SESSIONS_MAX {
            break;
        }
    }
    Ok(())
}

/// `None` for what is not there, or has just gone.
fn if_there<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// The remote address of one logind session file: `KEY=value` lines.
pub fn logind_session(text: &str) -> Option<IpAddr> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let is_over = value("STATE").is_some_and(|state| state == "closing");
    if value("REMOTE") != Some("1") || is_over {
        return None;
    }
    address(value("REMOTE_HOST")?)
}

/// An address as these records write it, perhaps with a zone.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split('%').next().unwrap_or(text);
    text.parse::<IpAddr>().ok().map(|addr| addr.to_canonical())
}

/// One utmp record as glibc lays it out on every 64-bit Linux and on 32-bit x86, in bytes.
const UTMP_BYTES: usize = 384;
const UTMP_PID: usize = 4;
const UTMP_HOST: std::ops::Range<usize> = 76..332;
const UTMP_ADDR: std::ops::Range<usize> = 348..364;
/// `ut_type` of a session of a user who has logged in.
const USER_PROCESS: i16 = 7;

/// Process and address of each session with a remote address.
pub fn utmp_sessions(bytes: &[u8]) -> impl Iterator<Item = (i32, IpAddr)> + '_ {
    bytes.chunks_exact(UTMP_BYTES).take(SESSIONS_MAX).filter_map(|record| {
        let kind = i16::from_ne_bytes([record[0], record[1]]);
        let pid = record.get(UTMP_PID..UTMP_PID + 4).and_then(|pid| pid.try_into().ok()).map(i32::from_ne_bytes)?;
        if kind != USER_PROCESS {
            return None;
        }
        Some((pid, utmp_addr(record)?))
    })
}

/// The host field if it is an address, else the binary one, where IPv4 is the first word.
fn utmp_addr(record: &[u8]) -> Option<IpAddr> {
    let host = record.get(UTMP_HOST)?.split(|byte| *byte == 0).next()?;
    if let Some(addr) = std::str::from_utf8(host).ok().and_then(address) {
        return Some(addr);
    }
    let raw: [u8; 16] = record.get(UTMP_ADDR)?.try_into().ok()?;
    let (first, rest) = raw.split_at(4);
    match rest.iter().all(|byte| *byte == 0) {
        true if first == [0; 4] => None,
        true => <[u8; 4]>::try_from(first).ok().map(|octets| Ipv4Addr::from(octets).into()),
        false => Some(IpAddr::V6(Ipv6Addr::from(raw)).to_canonical()),
    }
}

/// Where `/proc` hides other users' processes (`hidepid`), so that not even the first one is seen, a recorded one counts as alive: an
/// administrator who is locked out is worse than a record that is too old. So does one that cannot be looked for.
fn is_alive(pid: i32) -> bool {
    let exists = |pid: i32| Path::new("/proc").join(pid.to_string()).try_exists().unwrap_or(true);
    pid > 0 && (exists(pid) || !exists(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_logind_sessions_are_found() {
        let open = "UID=0\nACTIVE=1\nSTATE=active\nREMOTE=1\nREMOTE_HOST=198.51.100.7\n";
        assert_eq!(logind_session(open), Some("198.51.100.7".parse().unwrap()));
        let table = [
            (open.replace("REMOTE=1", "REMOTE=0"), None),
            (open.replace("active", "closing"), None),
            (open.replace("198.51.100.7", "host.example"), None),
            (open.replace("198.51.100.7", "fe80::1%eth0"), Some("fe80::1".parse().unwrap())),
            (open.replace("198.51.100.7", "::ffff:192.0.2.1"), Some("192.0.2.1".parse().unwrap())),
            (String::new(), None),
        ];
        for (text, addr) in table {
            assert_eq!(logind_session(&text), addr, "{text}");
        }
    }

    fn record(kind: i16, host: &str, addr: [u8; 16]) -> Vec<u8> {
        let mut record = vec![0; UTMP_BYTES];
        record[..2].copy_from_slice(&kind.to_ne_bytes());
        record[4..8].copy_from_slice(&77_i32.to_ne_bytes());
        record[76..76 + host.len()].copy_from_slice(host.as_bytes());
        record[348..364].copy_from_slice(&addr);
        record
    }

    #[test]
    fn utmp_records_of_logged_in_users_are_found() {
        let v4 = [198, 51, 100, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let v6 = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets();
        let all = [
            record(7, "192.0.2.1", v4),
            record(7, "host", v4),
            record(7, "", v6),
            record(7, "tty1", [0; 16]),
            record(8, "192.0.2.9", v4),
        ];
        let found: Vec<String> = utmp_sessions(&all.concat()).map(|(pid, addr)| format!("{pid} {addr}")).collect();
        assert_eq!(found, ["77 192.0.2.1", "77 198.51.100.7", "77 2001:db8::7"]);
    }

    #[test]
    fn whoever_is_known_stays_where_a_record_cannot_be_looked_at_and_goes_where_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (sessions, utmp) = (dir.path().join("sessions"), dir.path().join("utmp"));
        let known: [IpAddr; 2] = ["198.51.100.7".parse().unwrap(), "198.51.100.8".parse().unwrap()];
        let none: &[IpAddr] = &[];
        let looked = |known: &[IpAddr]| {
            let (all, failed) = logged_in_of(&sessions, &utmp, known);
            (all, failed.is_some())
        };
        assert_eq!(looked(&known), (none.to_vec(), false), "there is no record");
        fs::create_dir(&sessions).unwrap();
        fs::create_dir(sessions.join("no session")).unwrap();
        fs::write(sessions.join("1"), "REMOTE=1\nREMOTE_HOST=198.51.100.9\n").unwrap();
        assert_eq!(looked(&known), (vec!["198.51.100.9".parse().unwrap()], false));
        // Neither can be read: a directory in the place of a file, and a file in the place of a directory.
        fs::create_dir(&utmp).unwrap();
        assert_eq!(looked(&known), ([&known[..], &["198.51.100.9".parse().unwrap()]].concat(), true), "and who is seen is added");
        fs::remove_dir(&utmp).unwrap();
        fs::remove_dir_all(&sessions).unwrap();
        fs::write(&sessions, "").unwrap();
        assert_eq!(looked(&known), (known.to_vec(), true));
        let many: Vec<IpAddr> = (0..5_000_u32).map(|host| Ipv4Addr::from(0x0a00_0000 + host).into()).collect();
        assert_eq!(looked(&many).0.len(), PROTECTED_MAX);
    }

    #[test]
    fn a_torn_record_is_left_out() {
        assert_eq!(utmp_sessions(&record(7, "192.0.2.1", [0; 16])[..383]).count(), 0);
    }
}
