//! `honeymesh join`: asks the node that made a token for keys and a certificate, and puts them where the daemon looks.
//!
//! Needs no daemon, and refuses to work beside one: the identity that is let in is the one the daemon will start with.

use crate::{
    cli::Join,
    config::{self, Config},
    daemon::{
        admission::certificate_file,
        state_dir::{StateDir, create_secret, hex},
    },
    failure::Failure,
    output,
};
use honeymesh_mesh_proto::{Granted, JoinToken, Joining};
use std::{
    fs::OpenOptions,
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

/// How long to wait for an answer before asking again.
const RETRY: Duration = Duration::from_millis(500);
/// The longest token that is read from the standard input, in bytes.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// Joins.
///
/// # Errors
/// Usage: the token or the configuration is wrong. Refused: the other node said no or does not answer, a daemon runs here, or
/// a file cannot be written. Whatever fails leaves no half-written file; the identity stays, and the token can be used again by
/// this machine until it expires.
pub fn run(args: &Join) -> Result<(), Failure> {
    let token = JoinToken::parse(&token_text(args)?).map_err(|error| Failure::usage(error.to_string()))?;
    let config = configuration(args)?;
    let cluster = &token.cluster;
    if config.clusters.iter().any(|known| known.name.value == *cluster) {
        let file = args.config.display();
        return Err(Failure::usage(format!("{file} has a [[cluster]] `{cluster}` already; remove it, or use it as it is")));
    }
    if std::os::unix::net::UnixStream::connect(config.control_socket()).is_ok() {
        return Err(Failure::Refused("a daemon runs here; stop it, join, and start it again".into()));
    }
    let key_file = key_file(args, &token)?;
    let state = StateDir::as_it_is(&config).map_err(|error| Failure::Refused(error.to_string()))?;
    let identity = state.identity().map_err(Failure::Refused)?;
    let granted = ask(&token, &config, &identity, args.patience)?;
    keep(&granted, &state, &key_file, &certificate_file(&config.node.state_dir, cluster))?;
    let section = section(&token, &granted, &key_file);
    if args.write {
        append(&args.config, &section)?;
    }
    tell(args, &token, &key_file, &section)
}

fn token_text(args: &Join) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    match args.token.as_str() {
        "-" => io::stdin().lock().take(TOKEN_BYTES_MAX).read_to_string(&mut text).map(drop)?,
        token => text.push_str(token),
    }
    Ok(text)
}

/// A machine that has no configuration yet joins with the defaults.
fn configuration(args: &Join) -> Result<Config, Failure> {
    if !args.config.exists() {
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(config::parse("", &host).config);
    }
    let parsed = config::load(&args.config).map_err(|problem| Failure::Config(vec![problem.line(&args.config)]))?;
    if parsed.is_usable() {
        return Ok(parsed.config);
    }
    let errors = parsed.problems.iter().filter(|problem| problem.severity == config::problem::Severity::Error);
    Err(Failure::Config(errors.map(|problem| problem.line(&args.config)).collect()))
}

fn key_file(args: &Join, token: &JoinToken) -> Result<PathBuf, Failure> {
    let beside = || args.config.with_file_name(format!("{}.key", token.cluster));
    let file = std::path::absolute(args.key_file.clone().unwrap_or_else(beside))?;
    if file.exists() {
        return Err(Failure::Refused(format!(
            "{} exists and is not overwritten; remove it, or give another --key-file",
            file.display()
        )));
    }
    Ok(file)
}

/// Asks again and again, because datagrams get lost, until there is an answer.
fn ask(token: &JoinToken, config: &Config, identity: &[u8; 32], patience: Duration) -> Result<Granted, Failure> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(|error| Failure::Refused(format!("the kernel gives no random bytes: {error}")))?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = honeymesh_types::WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let joining = Joining::new(token, identity, &config.node.name, nonce, now)
        .ok_or_else(|| Failure::Refused("the request does not fit into a datagram; give this node a shorter name".into()))?;
    let any: SocketAddr =
        if token.addr.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(RETRY))?;
    let deadline = Instant::now() + patience;
    let mut buffer = [0; 2_048];
    while Instant::now() < deadline {
        // An unreachable network is tried again: it may be coming up.
        let sent = socket.send_to(joining.datagram(), token.addr);
        if sent.is_err() {
            std::thread::sleep(RETRY);
            continue;
        }
        let again = Instant::now() + RETRY;
        while Instant::now() < again {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { break };
            let answer =
                buffer.get(..length).filter(|_| from.ip() == token.addr.ip()).and_then(|datagram| joining.answer(datagram));
            match answer {
                Some(Ok(granted)) => return Ok(granted),
                Some(Err(refused)) => return Err(Failure::Refused(refused.to_string())),
                None => {}
            }
        }
    }
    Err(Failure::Refused(format!(
        "{} does not answer: it may be down, UDP to it may be blocked, or it does not know this token (it was made elsewhere, or so long ago that it is forgotten); see `honeymesh peers` there, or make a new token",
        token.addr
    )))
}

/// Both files or none.
fn keep(granted: &Granted, state: &StateDir, key_file: &Path, certificate_file: &Path) -> Result<(), Failure> {
    let mut keys = Zeroizing::new(String::new());
    for key in granted.keys.keys() {
        keys.push_str(&key.to_text());
        keys.push('\n');
    }
    let cannot = |file: &Path, error: &dyn std::fmt::Display| {
        Failure::Refused(format!("{} cannot be written: {error}; mend that and join again with the same token", file.display()))
    };
    create_secret(key_file, keys.as_bytes()).map_err(|error| cannot(key_file, &error))?;
    if granted.certificate.is_empty() {
        return Ok(());
    }
    // An earlier join's is replaced: it is of the same identity, and older.
    let text = hex(&granted.certificate) + "\n";
    let kept = state.as_owner_of(certificate_file, || {
        let _ = std::fs::remove_file(certificate_file);
        create_secret(certificate_file, text.as_bytes())
    });
    kept.map_err(|error| {
        let _ = std::fs::remove_file(key_file);
        cannot(certificate_file, &error)
    })
}

/// The section for the configuration.
fn section(token: &JoinToken, granted: &Granted, key_file: &Path) -> String {
    let any = if token.addr.is_ipv4() { "0.0.0.0" } else { "[::]" };
    let port = token.addr.port();
    let key_file = toml_text(&key_file.display().to_string());
    let authority = granted.authority.map(|key| format!("authority = \"{key}\"\n")).unwrap_or_default();
    format!(
        "[[cluster]]\nname = \"{}\"\nlisten = \"{any}:{port}\"\njoin = [\"{}\"]\nkey_file = {key_file}\n{authority}",
        token.cluster, token.addr
    )
}

/// A text as TOML writes it.
fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn append(file: &Path, section: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().append(true).create(true).open(file).and_then(|mut file| write!(file, "\n{section}"));
    written.map_err(|error| {
        let file = file.display();
        Failure::Refused(format!(
            "{file} cannot be written: {error}; this machine has joined, so put the section there yourself:\n{section}"
        ))
    })
}

fn tell(args: &Join, token: &JoinToken, key_file: &Path, section: &str) -> Result<(), Failure> {
    let (cluster, keys) = (token.cluster.to_string(), key_file.display().to_string());
    if args.json {
        let told = serde_json::json!({ "cluster": cluster, "key_file": keys, "section": section, "written": args.write });
        return Ok(output::say(&output::json(&told)?)?);
    }
    output::complain(&format!(
        "joined {cluster}; its keys are in {keys} (mode 0600); start the daemon with the section in {}",
        args.config.display()
    ));
    Ok(output::say(section.trim_end())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_mesh_proto::{Key, KeyRing};
    use std::os::unix::fs::MetadataExt;

    fn granted() -> Granted {
        let mut keys = KeyRing::new(Key::from_bytes([1; 32]));
        keys.add(Key::from_bytes([2; 32])).unwrap();
        Granted { keys, authority: Some(honeymesh_types::NodeId([3; 32])), certificate: vec![1, 2, 3] }
    }

    fn state(dir: &Path) -> StateDir {
        let text = format!("[node]\nstate_dir = \"{}\"", dir.display());
        StateDir::as_it_is(&config::parse(&text, "here").config).unwrap()
    }

    #[test]
    fn keys_and_certificate_are_private_and_the_section_is_understood() {
        let dir = tempfile::tempdir().unwrap();
        let (keys, certificate) = (dir.path().join("m.key"), dir.path().join("m.certificate"));
        keep(&granted(), &state(dir.path()), &keys, &certificate).unwrap();
        assert_eq!(config::secrets::read_keys(&keys).unwrap(), granted().keys);
        assert_eq!(std::fs::metadata(&keys).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&certificate).unwrap(), "010203\n");
        let token = JoinToken::new("m".parse().unwrap(), "192.0.2.1:7946".parse().unwrap(), [0; 32]);
        let file = dir.path().join("h.toml");
        std::fs::write(&file, "[node]\nname = \"a\"").unwrap();
        append(&file, &section(&token, &granted(), &keys)).unwrap();
        let parsed = config::load(&file).unwrap();
        assert!(parsed.is_usable(), "{:?}", parsed.problems);
        let cluster = &parsed.config.clusters[0];
        assert_eq!(cluster.authority.as_ref().unwrap().value, honeymesh_types::NodeId([3; 32]));
        assert_eq!(cluster.join, [token.addr]);
    }

    #[test]
    fn nothing_is_left_behind_when_a_file_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("m.key");
        let error = keep(&granted(), &state(dir.path()), &keys, Path::new("/nonexistent/m.certificate")).unwrap_err();
        assert!(error.to_string().contains("join again with the same token") && !keys.exists(), "{error}");
    }
}
