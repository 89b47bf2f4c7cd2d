//! `honeymesh release`: everything off the kernel, for an uninstall. Needs no daemon, and refuses while one runs.

use crate::{
    cli::Release,
    config::{self, Config},
    failure::Failure,
    output,
};
use honeymesh_format::{json_text, printable};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use serde::Serialize;
use std::os::unix::net::UnixStream;

/// What `release --json` prints.
#[derive(Serialize)]
struct Report {
    pin_dir: String,
    removed: Vec<String>,
}

/// Takes the program off every interface and removes every pin, of whatever version, and the nf_tables tables of the fallback.
///
/// # Errors
/// A daemon runs, or something could not be removed.
pub fn run(args: &Release) -> Result<(), Failure> {
    let parsed = config::load(&args.config).map_err(|problem| Failure::Config(vec![problem.line(&args.config)]))?;
    let config = &parsed.config;
    refuse_while_running(config)?;
    let mut removed = honeymesh_xdp::release(&config.xdp.pin_dir).map_err(|error| Failure::Refused(error.to_string()))?;
    if honeymesh_xdp::release_nft().map_err(|error| Failure::Refused(error.to_string()))? {
        removed.push("the nf_tables tables netdev honeymesh and inet honeymesh: removed".into());
    }
    let pin_dir = config.xdp.pin_dir.display().to_string();
    let text = match args.json {
        true => json_text(&Report { pin_dir, removed }).map_err(|error| Failure::Refused(error.to_string()))?,
        false if removed.is_empty() => format!("nothing to release below {}", printable(&pin_dir)),
        false => removed.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n"),
    };
    Ok(output::say(&text)?)
}

/// A daemon with `on_exit = "release"` pins nothing, so only its control socket tells of it.
fn refuse_while_running(config: &Config) -> Result<(), Failure> {
    let path = config.control_socket();
    let Ok(socket) = UnixStream::connect(&path) else { return Ok(()) };
    let pid = getsockopt(&socket, PeerCredentials).map(|peer| format!(" (process {})", peer.pid())).unwrap_or_default();
    let path = path.display();
    Err(Failure::Refused(format!("the daemon at {path}{pid} runs; stop it first (`systemctl stop honeymesh`), then release")))
}
