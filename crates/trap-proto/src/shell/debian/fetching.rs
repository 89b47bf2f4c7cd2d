//! What fetches from elsewhere, and never succeeds: `wget` 1.25 and `curl` 8.14. And `crontab`, which whoever fetches leaves behind.

use super::{Output, Reads, Shell, run::Run};
use crate::{calendar::Moment, shell::words::downloads};
use alloc::{
    format,
    string::{String, ToString},
};

/// What curl shows where its output is not seen.
const METER: &str = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n\
    \x20                                Dload  Upload   Total   Spent    Left  Speed\n\
    \r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0";
/// Where crontabs are kept.
const TABLES: &str = "/var/spool/cron/crontabs";

impl Run<'_, '_> {
    /// `crontab`: what is given to it is there until the end.
    pub(super) fn crontab(&mut self, arguments: &[&[u8]], output: &mut Output) {
        let user = self.shell.user().to_string();
        let path = format!("{TABLES}/{user}");
        let is_there = self.place.disk.file(&path).is_some();
        match arguments.iter().copied().find(|word| !matches!(*word, b"-u" | b"-i") && *word != user.as_bytes()) {
            Some(b"-l" | b"-r" | b"-e") if !is_there => {
                self.shell.fail(&format!("no crontab for {user}\n"), output);
            }
            Some(b"-l") => {
                let content = self.place.disk.file(&path).cloned().unwrap_or_default();
                output.out.extend_from_slice(&content.bytes);
                output.beyond += content.length.saturating_sub(content.bytes.len() as u64);
            }
            Some(b"-r") => self.place.disk.remove(&path, false),
            Some(b"-e") => {}
            None | Some(b"-") => {
                if let Some((bytes, beyond)) = self.read_all(Reads::File) {
                    self.place.disk.write(&path, &bytes, bytes.len() as u64 + beyond, false);
                }
            }
            Some(file) => match self.shell.content(file, self.place) {
                Ok(content) => self.place.disk.write(&path, &content.bytes, content.length, false),
                Err(what) => self.shell.fail(&format!("{}: {what}\n", crate::safe_text(file, 200)), output),
            },
        }
    }
}

/// Where something is to be fetched.
struct Wanted {
    url: String,
    host: String,
    port: u16,
    is_number: bool,
}

impl Shell<'_> {
    /// The first line of wget: when, and what it wants.
    pub(super) fn wget(&self, words: &[&[u8]], output: &mut Output) {
        let Some(wanted) = wanted(words) else {
            output.status = 1;
            return output
                .complain("wget: missing URL\nUsage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.\n");
        };
        let is_quiet = words
            .iter()
            .any(|word| word.starts_with(b"-") && !word.starts_with(b"--") && word.contains(&b'q') || *word == b"--quiet");
        if !is_quiet {
            let at = Moment::of(self.now.0 / 1_000_000);
            let Wanted { url, host, port, is_number } = wanted;
            output.complain(&format!(
                "--{:04}-{:02}-{:02} {:02}:{:02}:{:02}--  {url}\n",
                at.year, at.month, at.day, at.hour, at.minute, at.second
            ));
            output.complain(&match is_number {
                true => format!("Connecting to {host}:{port}... failed: Network is unreachable.\n"),
                false => format!(
                    "Resolving {host} ({host})... failed: Temporary failure in name resolution.\n\
                     wget: unable to resolve host address \u{2018}{host}\u{2019}\n"
                ),
            });
        }
        output.status = 4;
    }

    pub(super) fn curl(&self, words: &[&[u8]], output: &mut Output) {
        let Some(Wanted { host, port, is_number, .. }) = wanted(words) else {
            output.status = 2;
            return output.complain("curl: try 'curl --help' or 'curl --manual' for more information\n");
        };
        let has =
            |letter: u8| words.iter().any(|word| word.starts_with(b"-") && !word.starts_with(b"--") && word.contains(&letter));
        let is_silent = has(b's') || words.contains(&&b"--silent"[..]);
        output.status = if is_number { 7 } else { 6 };
        if !is_silent && (!output.screen || has(b'o') || has(b'O')) && !has(b'#') {
            output.complain(METER);
        }
        if !is_silent || has(b'S') || words.contains(&&b"--show-error"[..]) {
            let waited = 1 + self.now.0 / 1_000 % 3;
            output.complain(&match is_number {
                true => {
                    format!("curl: (7) Failed to connect to {host} port {port} after {waited} ms: Could not connect to server\n")
                }
                false => format!("curl: (6) Could not resolve host: {host}\n"),
            });
        }
    }
}

/// The first address in the words, or one that looks like one without its scheme.
fn wanted(words: &[&[u8]]) -> Option<Wanted> {
    let line = words.join(&b' ');
    let meant = crate::shell::fetch::wanted(words);
    let address = downloads(&line).first().copied().or_else(|| meant.first().map(alloc::vec::Vec::as_slice))?;
    let text = crate::safe_text(address, 300);
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", &text));
    let (place, path) = rest.split_once('/').map_or((rest, ""), |(place, path)| (place, path));
    let place = place.rsplit('@').next().unwrap_or(place);
    let usual = match scheme.to_ascii_lowercase().as_str() {
        "https" => 443,
        "ftp" => 21,
        _ => 80,
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(usual)),
        None => (place, usual),
    };
    if host.is_empty() {
        return None;
    }
    let is_number =
        host.split('.').count() == 4 && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') || host.starts_with('[');
    Some(Wanted { url: format!("{scheme}://{place}/{path}"), host: host.to_string(), port, is_number })
}
