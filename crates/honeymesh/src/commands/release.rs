//! `honeymesh release`: everything off the kernel, for an uninstall. Needs no daemon, and refuses while one runs.

use crate::{
    cli::Release,
    config::{self, CONFIG_FILE, CONTROL_SOCKET, PIN_DIR, STATE_DIR, problem::Severity},
    failure::Failure,
    output,
};
use honeymesh_format::{json_text, printable};
use nix::{
    sys::socket::{getsockopt, sockopt::PeerCredentials},
    unistd::geteuid,
};
use serde::Serialize;
use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

/// What `release --json` prints.
#[derive(Serialize)]
struct Report {
    pin_dir: String,
    removed: Vec<String>,
}

/// Where a daemon has left something, and where it would be heard.
struct Place {
    pin_dir: PathBuf,
    socket: PathBuf,
}

/// Takes the program off every interface and removes every pin, of whatever version, and the nf_tables tables of the fallback with their
/// lock. What cannot be removed keeps nothing else.
///
/// # Errors
/// A daemon runs, the configuration does not tell where to look, or something could not be removed.
pub fn run(args: &Release) -> Result<(), Failure> {
    let Place { pin_dir, socket } = place(args)?;
    if !geteuid().is_root() {
        return Err(Failure::Refused(
            "only root can see and take off what a daemon has left in the kernel; run this as root".into(),
        ));
    }
    refuse_while_running(&socket)?;
    let (pins, tables) = (honeymesh_xdp::release(&pin_dir), honeymesh_xdp::release_nft());
    let mut removed = Vec::new();
    let mut failed = Vec::new();
    match pins {
        Ok(mut told) => removed.append(&mut told),
        Err(error) => failed.push(error.to_string()),
    }
    match tables {
        Ok(true) => removed.push("the nf_tables tables netdev honeymesh and inet honeymesh: removed".into()),
        Ok(false) => {}
        Err(error) => failed.push(error.to_string()),
    }
    say(args, &pin_dir, removed, failed.is_empty())?;
    if failed.is_empty() { Ok(()) } else { Err(Failure::Refused(failed.join("; "))) }
}

fn say(args: &Release, pin_dir: &Path, removed: Vec<String>, is_all: bool) -> Result<(), Failure> {
    let pin_dir = pin_dir.display().to_string();
    let text = match args.json {
        true => json_text(&Report { pin_dir, removed }).map_err(|error| Failure::Refused(error.to_string()))?,
        false if removed.is_empty() && !is_all => return Ok(()),
        false if removed.is_empty() => format!("nothing to release below {}", printable(&pin_dir)),
        false => removed.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n"),
    };
    Ok(output::say(&text)?)
}

/// An uninstall may have come without the configuration, or with one that has gone wrong meanwhile.
fn place(args: &Release) -> Result<Place, Failure> {
    let default = |pin_dir| Place { pin_dir, socket: Path::new(STATE_DIR).join(CONTROL_SOCKET) };
    if let Some(pin_dir) = &args.pin_dir {
        return Ok(default(pin_dir.clone()));
    }
    let file = args.config.as_deref().unwrap_or(Path::new(CONFIG_FILE));
    if args.config.is_none() && !file.exists() {
        output::complain(&format!(
            "there is no {CONFIG_FILE}, so the default directory of pins is looked at; --pin-dir names another"
        ));
        return Ok(default(PIN_DIR.into()));
    }
    let instead = format!("or say where the pins are, {PIN_DIR} if nobody chose otherwise: honeymesh release --pin-dir DIR");
    let parsed = config::read(file).map_err(|problem| Failure::Config(vec![problem.line(file), instead.clone()]))?;
    if !parsed.tells_pins {
        let errors = parsed.problems.iter().filter(|problem| problem.severity == Severity::Error);
        return Err(Failure::Config(errors.map(|problem| problem.line(file)).chain([instead]).collect()));
    }
    Ok(Place { pin_dir: parsed.config.xdp.pin_dir.clone(), socket: parsed.config.control_socket() })
}

/// A daemon with `on_exit = "release"` pins nothing, so only its control socket tells of it.
fn refuse_while_running(path: &Path) -> Result<(), Failure> {
    let Ok(socket) = UnixStream::connect(path) else { return Ok(()) };
    let pid = getsockopt(&socket, PeerCredentials).map(|peer| format!(" (process {})", peer.pid())).unwrap_or_default();
    let path = path.display();
    Err(Failure::Refused(format!("the daemon at {path}{pid} runs; stop it first (`systemctl stop honeymesh`), then release")))
}
