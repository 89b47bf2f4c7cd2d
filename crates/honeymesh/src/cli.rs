//! The command line: every command, its arguments and its help.

use clap::{Args, Parser, Subcommand, ValueEnum};
use honeymesh_types::{ClusterName, Mode, Subject};
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// A decentralized active-defence appliance: traps, an XDP ban table, a gossip mesh.
#[derive(Debug, Parser)]
#[command(name = "honeymesh", version, arg_required_else_help = true, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 the daemon said no, 2 bad usage or bad config, 3 the daemon cannot be reached.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground
    Run(Run),
    /// Validate a configuration: unknown keys, bad values and unsafe choices, with line and column
    Check(Check),
    /// What works on this machine, what does not, and how to mend it; changes nothing
    Doctor(Doctor),
    /// Mode, uptime, interfaces, drops, bans by reason, traps, mesh members, audit drift
    Status(Plain),
    /// The bans in force
    Bans(Bans),
    /// Ban an address or a prefix, on every node unless --local
    Ban(Ban),
    /// Lift a ban, on every node unless --local
    Unban(Unban),
    /// The whole chain behind a ban: evidence, grade, origins, expiry, drops; or why an address is not banned
    Why(Why),
    /// What is never banned
    Allow(Allow),
    /// What traps and kernel saw
    Events(Events),
    /// Forensic export of events
    Export(Export),
    /// What a stranger sent, by its SHA-256: a harmless dump, or the bytes as a file
    Payload(Payload),
    /// Mesh members per cluster, their trust, what they sent, what was refused; turn one away, take it back, believe it again
    Peers(Peers),
    /// Make a token that lets one new machine into a cluster
    JoinToken(JoinTokenArgs),
    /// Join a cluster with a token, on a machine where no daemon runs yet
    Join(Join),
    /// Make the authority of a cluster, which decides who is a member
    Authority(Authority),
    /// Make or rotate a cluster key
    Key(Key),
    /// Change the mode at run time
    Mode(ModeArgs),
    /// Take everything off the kernel that a stopped daemon has left there: for an uninstall, or to begin anew
    Release(Release),
    /// Keep the kernel program on its interfaces; started by the daemon
    #[command(hide = true)]
    Keeper,
    /// Write to nf_tables for a daemon that starts this by itself
    #[command(hide = true)]
    NftWriter,
    /// Replace the clusters' key files; started by the daemon
    #[command(hide = true)]
    Clerk,
    /// Play the traps; started by the daemon
    #[command(hide = true)]
    Traps,
}

/// Where the daemon is, and how to print.
#[derive(Args, Clone, Debug)]
pub struct Plain {
    /// The daemon's control socket
    #[arg(long, value_name = "PATH", default_value = "/var/lib/honeymesh/honeymesh.sock")]
    pub socket: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How the daemon's own log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `honeymesh run`.
#[derive(Args, Debug)]
pub struct Run {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = crate::config::CONFIG_FILE)]
    pub config: PathBuf,
    /// How log lines look on stderr; RUST_LOG chooses which
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// `honeymesh release`.
#[derive(Args, Debug)]
pub struct Release {
    /// The configuration whose daemon is stopped; where it is not given, /etc/honeymesh/honeymesh.toml if that is there
    #[arg(long, value_name = "FILE", conflicts_with = "pin_dir")]
    pub config: Option<PathBuf>,
    /// Where the pins are, without asking a configuration
    #[arg(long, value_name = "DIR")]
    pub pin_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `honeymesh check`.
#[derive(Args, Debug)]
pub struct Check {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = crate::config::CONFIG_FILE)]
    pub config: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `honeymesh doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// The configuration; default: the usual file if it is there, else the defaults
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `honeymesh bans`.
#[derive(Args, Debug)]
pub struct Bans {
    /// Only bans that touch this address or prefix
    #[arg(long, value_name = "IP|CIDR")]
    pub subject: Option<Subject>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh ban`.
#[derive(Args, Debug)]
pub struct Ban {
    /// The address or prefix
    #[arg(value_name = "IP|CIDR")]
    pub subject: Subject,
    /// How long: 90s, 5m, 24h, 7d or forever; default: `[bans] ttl`
    #[arg(long, value_name = "DURATION|forever", value_parser = ttl)]
    pub ttl: Option<String>,
    /// Why, in your own words
    #[arg(long, value_name = "TEXT", value_parser = note)]
    pub note: Option<String>,
    /// Only on this node
    #[arg(long)]
    pub local: bool,
    /// Allow a prefix wider than /16 (IPv4) or /32 (IPv6)
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh unban`.
#[derive(Args, Debug)]
pub struct Unban {
    /// The address or prefix, as `honeymesh bans` shows it
    #[arg(value_name = "IP|CIDR")]
    pub subject: Subject,
    /// Only on this node
    #[arg(long)]
    pub local: bool,
    /// Wait at most this long until this node enforces it no longer, then say what is known of each member
    #[arg(long, value_name = "DURATION", value_parser = crate::config::values::duration)]
    pub wait: Option<Duration>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh why`.
#[derive(Args, Debug)]
pub struct Why {
    /// The address
    #[arg(value_name = "IP")]
    pub addr: IpAddr,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh payload`.
#[derive(Args, Debug)]
pub struct Payload {
    /// The SHA-256, as `honeymesh events` shows it
    #[arg(value_name = "HASH")]
    pub hash: String,
    /// Write the bytes into this new file, which only its owner can read and nobody can run
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh allow`.
#[derive(Args, Debug)]
pub struct Allow {
    /// What to do with the allowlist.
    #[command(subcommand)]
    pub action: AllowAction,
}

/// What to do with the allowlist.
#[derive(Debug, Subcommand)]
pub enum AllowAction {
    /// Never ban this address or prefix; bans inside it are lifted
    Add(AllowNet),
    /// Take it off the allowlist again
    Remove(AllowNet),
    /// Everything that is never banned, and why
    List(Plain),
}

/// An allowlist entry.
#[derive(Args, Debug)]
pub struct AllowNet {
    /// The address or prefix
    #[arg(value_name = "NET")]
    pub net: Subject,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh events`.
#[derive(Args, Debug)]
pub struct Events {
    /// Keep printing as they happen
    #[arg(long, short)]
    pub follow: bool,
    /// From this long ago (1h), or from this time (2026-11-22T10:00:00Z)
    #[arg(long, value_name = "AGO|TIME", value_parser = crate::when::parse)]
    pub since: Option<crate::when::When>,
    /// Only events that touch this address or prefix
    #[arg(long, value_name = "IP|CIDR")]
    pub subject: Option<Subject>,
    /// Only this kind: knock, visit, scan, ban, unban, expire, mesh, audit
    #[arg(long, value_name = "KIND")]
    pub kind: Option<honeymesh_types::EventKind>,
    /// The newest so many; default: 100, or 10 with --follow, or all with --since
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh export`.
#[derive(Args, Debug)]
pub struct Export {
    /// json, jsonl or csv
    #[arg(long, value_name = "FORMAT")]
    pub format: honeymesh_format::ExportFormat,
    /// From this long ago, or from this time
    #[arg(long, value_name = "AGO|TIME", value_parser = crate::when::parse)]
    pub since: Option<crate::when::When>,
    /// Until this long ago, or until this time
    #[arg(long, value_name = "AGO|TIME", value_parser = crate::when::parse)]
    pub until: Option<crate::when::When>,
    /// Only events that touch this address or prefix
    #[arg(long, value_name = "IP|CIDR")]
    pub subject: Option<Subject>,
    /// Write to this file (mode 0600) instead of the standard output; an existing one is replaced when all is written
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh peers`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Peers {
    /// What to do; nothing: list them.
    #[command(subcommand)]
    pub action: Option<PeersAction>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// What to do with members.
#[derive(Debug, Subcommand)]
pub enum PeersAction {
    /// Turn a node away and withdraw its bans: everywhere where the authority's secret is here, else on this node only
    Revoke(PeerNode),
    /// Take a revocation back
    Restore(PeerNode),
    /// Believe a quarantined peer again
    Pardon(Pardon),
    /// Verify the signature of a record, such as the proof of a quarantine; needs no daemon
    Verify(Verify),
}

/// Which node.
#[derive(Args, Debug)]
pub struct PeerNode {
    /// Its name, or the beginning of its identity (4 digits or more)
    #[arg(value_name = "NODE")]
    pub node: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh join-token`.
#[derive(Args, Debug)]
pub struct JoinTokenArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: JoinTokenAction,
}

/// What to do with join tokens.
#[derive(Debug, Subcommand)]
pub enum JoinTokenAction {
    /// Print a token that lets one machine in, once and for a short time
    New(JoinTokenNew),
}

/// `honeymesh join-token new`.
#[derive(Args, Debug)]
pub struct JoinTokenNew {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    pub cluster: ClusterName,
    /// For how long it is good, 1s to 7d
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = crate::config::values::duration)]
    pub ttl: Duration,
    /// Who will run the new machine; default: its name
    #[arg(long, value_name = "NAME")]
    pub owner: Option<honeymesh_types::NodeName>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh join`.
#[derive(Args, Debug)]
pub struct Join {
    /// The token that `honeymesh join-token new` printed; `-` reads it from the standard input
    #[arg(value_name = "TOKEN")]
    pub token: String,
    /// The configuration of this machine
    #[arg(long, value_name = "FILE", default_value = crate::config::CONFIG_FILE)]
    pub config: PathBuf,
    /// Append the section to the configuration instead of printing it
    #[arg(long)]
    pub write: bool,
    /// Where to keep the cluster's key; default: CLUSTER.key beside the configuration
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// For how long to try to reach the other node
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = crate::config::values::duration)]
    pub patience: Duration,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `honeymesh authority`.
#[derive(Args, Debug)]
pub struct Authority {
    /// What to do.
    #[command(subcommand)]
    pub action: AuthorityAction,
}

/// What to do with authorities.
#[derive(Debug, Subcommand)]
pub enum AuthorityAction {
    /// Write the secret of a new authority to a new file, mode 0600, and print its public half
    New(KeyNew),
}

/// `honeymesh key`.
#[derive(Args, Debug)]
pub struct Key {
    /// What to do.
    #[command(subcommand)]
    pub action: KeyAction,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeyAction {
    /// Write a fresh 256-bit cluster key to a new file, mode 0600
    New(KeyNew),
    /// Go over to another key without losing a message
    Rotate(KeyRotate),
}

/// `honeymesh key new`.
#[derive(Args, Debug)]
pub struct KeyNew {
    /// The file; it must not exist
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `honeymesh key rotate`.
#[derive(Args, Debug)]
pub struct KeyRotate {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    pub cluster: ClusterName,
    /// The file with the new key; the daemon reads it, so it must be readable there
    #[arg(long, value_name = "FILE")]
    pub new: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh peers pardon`.
#[derive(Args, Debug)]
pub struct Pardon {
    /// Its name, its id, or the first 8 digits of that and more
    #[arg(value_name = "NODE")]
    pub node: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// `honeymesh peers verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// The `record_base64` of `honeymesh peers --json` or `honeymesh why --json`
    #[arg(value_name = "BASE64")]
    pub record: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `honeymesh mode`.
#[derive(Args, Debug)]
pub struct ModeArgs {
    /// observe, enforce, or lockdown: only the never-ban set and established connections pass, on trial until confirmed
    #[arg(value_name = "MODE")]
    pub mode: Mode,
    /// With lockdown: the mode before comes back after this time (5s to 1h, default 60s) unless it is confirmed
    #[arg(long, value_name = "DURATION", value_parser = crate::config::values::duration, conflicts_with = "confirm")]
    pub confirm_within: Option<Duration>,
    /// With lockdown: the one on trial is meant; it rolls back no more
    #[arg(long)]
    pub confirm: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub plain: Plain,
}

/// The longest note, in bytes.
const NOTE_BYTES_MAX: usize = 200;

fn note(text: &str) -> Result<String, String> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(format!("it is longer than {NOTE_BYTES_MAX} bytes"));
    }
    Ok(text.into())
}

/// Checked here, judged by the daemon.
fn ttl(text: &str) -> Result<String, String> {
    text.parse::<honeymesh_format::Ttl>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// A usage error as one line: what, and where help is.
#[must_use]
pub fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraphs: Vec<String> = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let told = |part: &&String| !part.starts_with("Usage:") && !part.starts_with("For more information") && !part.is_empty();
    let what = paragraphs.iter().filter(told).cloned().collect::<Vec<_>>().join("; ");
    format!("{}; see `honeymesh --help`", what.strip_prefix("error: ").unwrap_or(&what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(args: &[&str]) -> String {
        one_line(&Cli::try_parse_from([&["honeymesh"], args].concat()).unwrap_err())
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn usage_errors_are_one_line_with_what_and_how_to_mend() {
        let table: [(&[&str], &str); 6] = [
            (&["bna", "192.0.2.1"], "tip: a similar subcommand exists: 'bans'"),
            (&["ban", "192.0.2.300"], "neither an IP address nor a prefix"),
            (&["ban", "192.0.2.1/24"], "write 192.0.2.0/24 if the whole prefix is meant"),
            (&["ban", "192.0.2.1", "--ttl", "5"], "such as 90s, 5m, 24h or 7d"),
            (&["mode", "on"], "observe|enforce|lockdown"),
            (&["export"], "--format"),
        ];
        for (args, part) in table {
            let line = error(args);
            assert!(line.contains(part) && line.lines().count() == 1, "{args:?}: {line}");
        }
    }

    #[test]
    fn a_ban_takes_a_time_or_for_ever() {
        let parse = |ttl: &str| Cli::try_parse_from(["honeymesh", "ban", "192.0.2.1", "--ttl", ttl]);
        assert!(parse("1h").is_ok() && parse("forever").is_ok() && parse("0s").is_err() && parse("ever").is_err());
    }
}
