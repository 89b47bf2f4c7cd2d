//! What a trap lets a thief find: secrets that open nothing, and give away whoever uses them.

use alloc::{format, string::String};
use serde::{Deserialize, Serialize};

/// Secrets to be found, the same on every node that derives them from the same key. Printable ASCII without quotes and
/// markup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lure {
    /// A user's name.
    pub user: String,
    /// Its password.
    pub password: String,
    /// A path on a web server.
    pub path: String,
    /// A key to some interface.
    pub key: String,
    /// An address that all of it seems to be for.
    pub host: String,
    /// Chooses the words around it, so that no two clusters show the same: any number.
    pub style: u8,
}

/// Remarks before and after a path.
const REMARKS: [(&str, &str); 8] = [
    ("TODO: remove ", " after the migration"),
    ("old dump: ", ""),
    ("ops: keep ", " until Friday"),
    ("careful: ", " must not be public"),
    ("moved from ", ", see wiki"),
    ("backup target ", " (nightly)"),
    ("see also ", ""),
    ("restore from ", " if login breaks"),
];
/// Names of scripts.
const SCRIPTS: [&str; 8] = ["backup.sh", "sync.sh", "upload.sh", "cfgsave.sh", "nightly.sh", "push.sh", "save_cfg.sh", "bk.sh"];
/// What such a script says first.
const HEADS: [&str; 4] = ["# nightly, from crontab", "# cfg backup", "# do not delete", "# called by cron"];
/// Names of settings.
const KEYS: [&str; 8] = [
    "backup:config",
    "app:credentials",
    "config:replica",
    "deploy:secrets",
    "settings:backup",
    "cfg:upstream",
    "svc:auth",
    "prod:config",
];

/// One of them.
fn pick<T: Copy, const N: usize>(words: &[T; N], style: u8) -> T {
    words[usize::from(style) % N]
}

impl Lure {
    /// What to look for everywhere. The address is none of it: others have it, too.
    #[must_use]
    pub fn tokens(&self) -> [String; 4] {
        [self.user.clone(), self.password.clone(), self.path.clone(), self.key.clone()]
    }

    /// As a remark in a web page.
    pub(crate) fn html(&self) -> String {
        let (before, after) = pick(&REMARKS, self.style);
        format!("<!-- {before}{}{after} -->\n", self.path)
    }

    /// As a script that somebody left on a device: its name and its text.
    pub(crate) fn script(&self) -> (&'static str, String) {
        let Self { user, password, host, style, .. } = self;
        let head = pick(&HEADS, style >> 3);
        let text = format!("#!/bin/sh\r\n{head}\r\ntar cf - /etc/config | ftpput -u {user} -p {password} {host} cfg.tar -\r\n");
        (pick(&SCRIPTS, *style), text)
    }

    /// As settings in a store of keys and values: their name and their value.
    pub(crate) fn settings(&self) -> (&'static str, String) {
        let Self { user, password, host, key, style, .. } = self;
        let value = format!("{{\"host\":\"{host}\",\"user\":\"{user}\",\"password\":\"{password}\",\"api_key\":\"{key}\"}}");
        (pick(&KEYS, *style), value)
    }
}

#[cfg(test)]
pub(crate) fn example() -> Lure {
    Lure {
        user: "backup-7f3a9c2e".into(),
        password: "kX9wQ2mLt7Rz4bHn".into(),
        path: "/backup-41ce09ab77d2/db.sql.gz".into(),
        key: "key-9bd1c2e47a70d35f".into(),
        host: "10.20.30.40".into(),
        style: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bait, Definition, Persona, Service, drive};
    use alloc::string::ToString;

    fn machine() -> Persona {
        Persona::of([7; 32])
    }

    fn heard(service: &Service, said: &[u8]) -> String {
        drive::said(&drive::whole(service.session(7).as_mut(), said).answer)
    }

    fn service(name: &str) -> Service {
        Service::define(&Definition { service: name.to_string(), ..Definition::default() }, &machine()).unwrap()
    }

    #[test]
    fn a_thief_finds_it_where_thieves_look_and_nobody_else_is_shown_anything() {
        let lure = example();
        let looks: [(&str, &[u8], &str); 4] = [
            ("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &lure.path),
            ("telnet", b"a\r\nb\r\nroot\r\nroot\r\nls\r\ncat backup.sh\r\n", &lure.password),
            ("redis", b"KEYS *\r\nGET backup:config\r\n", &lure.key),
            ("redis", b"GET backup:config\r\n", &lure.user),
        ];
        for (name, said, secret) in looks {
            assert!(heard(&service(name).showing(&lure), said).contains(secret), "{name}");
            assert!(!heard(&service(name), said).contains(secret), "{name}");
        }
        let telnet = heard(&service("telnet").showing(&lure), looks[1].1);
        assert!(telnet.contains("\r\nbackup.sh\r\n"), "{telnet}");
    }

    #[test]
    fn dark_ports_show_it_too() {
        let lure = example();
        let bait = Bait::like([].iter(), &machine()).showing(&lure);
        for port in [80, 4_444] {
            assert!(heard(bait.at(port), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").contains(&lure.path), "{port}");
        }
    }
}
