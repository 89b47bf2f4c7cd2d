//! What stands in the machine's files: what `cat` prints of them, and how long they are.

use super::{Output, Place, Shell, processor};
use crate::{shell::paths::is_within, text::hex};
use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
};

const BUILDER: &str = "(debian-kernel@lists.debian.org) (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils \
    for Debian) 2.44)";
/// What only root may read.
const SECRET: [&str; 7] = [
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
    "/var/log/btmp",
];

const MOTD: &str = "\nThe programs included with the Debian GNU/Linux system are free software;\n\
    the exact distribution terms for each program are described in the\nindividual files in /usr/share/doc/*/copyright.\n\n\
    Debian GNU/Linux comes with ABSOLUTELY NO WARRANTY, to the extent\npermitted by applicable law.\n";
const CRONTAB: &str = "# /etc/crontab: system-wide crontab\nSHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n\n\
    17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n\
    25 6\t* * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }\n\
    47 6\t* * 7\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }\n\
    52 6\t1 * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.monthly; }\n#\n";
const SSHD: &str = "Include /etc/ssh/sshd_config.d/*.conf\n\n#Port 22\n#AddressFamily any\n#ListenAddress 0.0.0.0\n#ListenAddress ::\n\n\
    PermitRootLogin yes\n#MaxAuthTries 6\n#MaxSessions 10\n\nPasswordAuthentication yes\n#PermitEmptyPasswords no\n\n\
    KbdInteractiveAuthentication yes\n\nUsePAM yes\n\nAllowTcpForwarding no\nX11Forwarding yes\nPrintMotd no\n\n\
    AcceptEnv LANG LC_* COLORTERM NO_COLOR\n\n\
    # override default of no subsystems\nSubsystem\tsftp\t/usr/lib/openssh/sftp-server\n";
const SUDOERS: &str = "Defaults\tenv_reset\nDefaults\tmail_badpass\n\
    Defaults\tsecure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\nDefaults\tuse_pty\n\n\
    root\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n\n@includedir /etc/sudoers.d\n";
const PROFILE: &str = "if [ \"$(id -u)\" -eq 0 ]; then\n  PATH=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\nelse\n\
    \x20 PATH=\"/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games\"\nfi\nexport PATH\n\n\
    if [ -d /etc/profile.d ]; then\n  for i in /etc/profile.d/*.sh; do\n    [ -r $i ] && . $i\n  done\n  unset i\nfi\n";
const BASHRC: &str = "# ~/.bashrc: executed by bash(1) for non-login shells.\n\n# umask 022\n# export LS_OPTIONS='--color=auto'\n\
    # alias ll='ls $LS_OPTIONS -l'\n";
const OWN_PROFILE: &str = "# ~/.profile: executed by Bourne-compatible login shells.\n\nif [ \"$BASH\" ]; then\n\
    \x20 if [ -f ~/.bashrc ]; then\n    . ~/.bashrc\n  fi\nfi\n\nmesg n 2> /dev/null || true\n";
const BASH_LOGOUT: &str = "# ~/.bash_logout: executed by bash(1) when login shell exits.\n\nif [ \"$SHLVL\" = 1 ]; then\n\
    \x20   [ -x /usr/bin/clear_console ] && /usr/bin/clear_console -q\nfi\n";
/// What whoever looks after a machine has typed, of which each machine has some lines.
const TYPED: [&str; 16] = [
    "apt update",
    "apt upgrade -y",
    "apt install -y curl",
    "df -h",
    "free -m",
    "uptime",
    "systemctl restart ssh",
    "tail -n 50 /var/log/dpkg.log",
    "ls -la",
    "cd /etc",
    "cat /etc/ssh/sshd_config",
    "hostname -I",
    "lscpu",
    "passwd",
    "reboot",
    "exit",
];
const TYPED_LEAST: u64 = 14;
const TYPED_MORE: u64 = 40;

impl Shell<'_> {
    /// What stands in a file, whoever may read it; empty for one that is listed and of which nothing is told. `None`: there is none.
    pub(super) fn text(&self, path: &str, place: &Place) -> Option<Cow<'static, str>> {
        self.known(path, place).or_else(|| (self.is_listed(path) && !self.is_folder(path, place)).then_some(Cow::Borrowed("")))
    }

    /// Whether this user may read it.
    pub(super) fn may_read(&self, path: &str) -> bool {
        self.is_root() || !(SECRET.contains(&path) || is_within(path, "/root"))
    }

    /// Of texts that are told.
    pub(super) fn known(&self, path: &str, place: &Place) -> Option<Cow<'static, str>> {
        let persona = self.persona;
        let fixed = match path {
            "/dev/null" | "/proc/1/environ" | "/var/log/btmp" => "",
            "/etc/issue" => "Debian GNU/Linux 13 \\n \\l\n\n",
            "/etc/motd" => MOTD,
            "/etc/crontab" => CRONTAB,
            "/etc/ssh/sshd_config" => SSHD,
            "/etc/sudoers" => SUDOERS,
            "/etc/profile" => PROFILE,
            "/etc/resolv.conf" => "nameserver 9.9.9.9\nnameserver 149.112.112.112\n",
            "/proc/1/cmdline" => "/sbin/init\0",
            "/proc/1/comm" => "systemd\n",
            "/proc/self/cmdline" => "cat\0/proc/self/cmdline\0",
            _ => "/",
        };
        if fixed != "/" {
            return Some(Cow::Borrowed(fixed));
        }
        Some(Cow::Owned(match path {
            "/proc/cpuinfo" => processor::cpuinfo(persona),
            "/proc/meminfo" => self.memory().meminfo(),
            "/proc/version" => {
                let kernel = persona.kernel(self.now);
                format!("Linux version {} {BUILDER} {}\n", kernel.release, kernel.build)
            }
            "/proc/uptime" => self.proc_uptime(),
            "/proc/loadavg" if self.work.take(super::machine::PROCESSES_STEPS) => self.loadavg(place),
            "/proc/mounts" | "/proc/self/mounts" | "/etc/mtab" => self.mounts(true),
            "/proc/cmdline" => {
                format!(
                    "BOOT_IMAGE=/boot/vmlinuz-{} root=UUID={} ro quiet\n",
                    persona.kernel(self.now).release,
                    self.uuid("root")
                )
            }
            "/proc/self/status" => status("cat", self.user_number()),
            "/etc/os-release" | "/usr/lib/os-release" => super::machine::os_release(persona, self.now),
            "/etc/debian_version" => format!("{}\n", persona.release(self.now)),
            "/etc/hostname" => format!("{}\n", persona.host()),
            "/etc/machine-id" => format!("{}\n", self.machine_id()),
            "/etc/fstab" => format!(
                "# <file system> <mount point>   <type>  <options>       <dump>  <pass>\n\
                 UUID={} /               ext4    errors=remount-ro 0       1\n",
                self.uuid("root")
            ),
            "/etc/passwd" => self.passwd(),
            "/etc/group" => self.group(),
            "/etc/shadow" => self.shadow(),
            "/etc/gshadow" => self.gshadow(),
            "/etc/hosts" => format!(
                "127.0.0.1\tlocalhost\n127.0.1.1\t{}\t{}\n\n::1\t\tlocalhost ip6-localhost ip6-loopback\nff02::1\t\tip6-allnodes\n\
                 ff02::2\t\tip6-allrouters\n",
                persona.fqdn(),
                persona.host()
            ),
            _ => return self.at_home_text(path),
        }))
    }

    fn at_home_text(&self, path: &str) -> Option<Cow<'static, str>> {
        let name = path.strip_prefix(&self.home())?.strip_prefix('/')?;
        match (name, self.is_root()) {
            (".bash_history", _) => Some(Cow::Owned(self.history())),
            (".bashrc", true) => Some(Cow::Borrowed(BASHRC)),
            (".profile", true) => Some(Cow::Borrowed(OWN_PROFILE)),
            (".bash_logout", false) => Some(Cow::Borrowed(BASH_LOGOUT)),
            (".ssh/authorized_keys", true) => Some(Cow::Borrowed("")),
            _ => None,
        }
    }

    /// What was typed on the machine before.
    pub(crate) fn history(&self) -> String {
        let dice = [self.persona.key("history"), self.persona.key("history 2")].concat();
        let count = TYPED_LEAST + self.persona.number("history") % TYPED_MORE;
        dice.iter().zip(0..count).map(|(die, _)| TYPED[usize::from(*die) % TYPED.len()].to_string() + "\n").collect()
    }

    pub(super) fn machine_id(&self) -> String {
        hex(&self.persona.key("machine-id")[..16])
    }

    /// As file systems and starts have them (RFC 9562, version 4).
    pub(super) fn uuid(&self, what: &str) -> String {
        let mut bytes = self.persona.key(&format!("uuid {what}"));
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let text = hex(&bytes[..16]);
        [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
    }

    /// `cat`.
    pub(super) fn cat(&self, word: &[u8], place: &Place, output: &mut Output) {
        if output.out.len() > super::OUTPUT_BYTES_MAX {
            return;
        }
        let path = place.resolve(word, &self.home()).unwrap_or_default();
        let what = match self.text(&path, place) {
            _ if !self.may_read(&path) => "Permission denied",
            _ if self.is_folder(&path, place) => "Is a directory",
            None => "No such file or directory",
            Some(text) => return output.out.extend_from_slice(text.as_bytes()),
        };
        self.fail(&format!("cat: {}: {what}\n", String::from_utf8_lossy(word)), output);
    }
}

/// `/proc/self/status`, as far as people read it.
fn status(name: &str, user: u32) -> String {
    let numbers = [user.to_string(), user.to_string(), user.to_string(), user.to_string()].join("\t");
    format!(
        "Name:\t{name}\nUmask:\t0022\nState:\tR (running)\nUid:\t{numbers}\nGid:\t{numbers}\nThreads:\t1\nNoNewPrivs:\t0\nSeccomp:\t0\n"
    )
}
