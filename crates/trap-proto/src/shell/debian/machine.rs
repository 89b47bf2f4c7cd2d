//! What the machine says of itself: kernel, processors, memory, time since its start, and the files that tell it.

use super::{Output, Place, Shell, processor};
use crate::Persona;
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::WallTime;

/// What looking at every process costs, in steps.
pub(super) const PROCESSES_STEPS: usize = 1_500;
/// The long names of what `uname` tells.
const LONG: [(&[u8], u8); 9] = [
    (b"--all", b'a'),
    (b"--kernel-name", b's'),
    (b"--nodename", b'n'),
    (b"--kernel-release", b'r'),
    (b"--kernel-version", b'v'),
    (b"--machine", b'm'),
    (b"--processor", b'p'),
    (b"--hardware-platform", b'i'),
    (b"--operating-system", b'o'),
];
const HOSTNAME_USAGE: &str = "Usage: hostname [-b] {hostname|-F file}         set host name (from file)\n       hostname [-a|-A|-d|-f|-i|-I|-s|-y]       \
    display formatted name\n       hostname                                 display host name\n";

impl Shell<'_> {
    /// Answers what asks for the machine; `false` if this does not.
    pub(super) fn machine(&self, words: &[&[u8]], place: &Place, output: &mut Output) -> bool {
        let (name, arguments) = match words {
            [name, arguments @ ..] => (name.rsplit(|byte| *byte == b'/').next().unwrap_or_default(), arguments),
            [] => return false,
        };
        if !self.work.take(steps(name)) {
            return true;
        }
        let text = match name {
            b"uname" => return self.uname(arguments, output),
            b"nproc" => format!("{}\n", self.persona.machine().cores),
            b"lscpu" => processor::lscpu(self.persona, place.columns().filter(|_| output.screen)),
            b"free" => self.free(arguments),
            b"uptime" => format!("{}\n", self.up()),
            b"w" => place.cut(self.w(arguments, place), output.screen),
            b"who" => self.who(place),
            b"ps" => place.cut(self.ps(arguments, place), output.screen),
            b"mount" if arguments.is_empty() => self.mounts(false),
            b"hostname" => return self.hostname(arguments, output),
            b"hostnamectl" if arguments.is_empty() || arguments == [b"status".as_slice()] => self.hostnamectl(),
            b"df" => {
                self.df(arguments, output);
                return true;
            }
            b"users" => {
                self.users(output);
                return true;
            }
            _ => return false,
        };
        output.out.extend_from_slice(text.as_bytes());
        true
    }

    /// `uname` of coreutils 9.7.
    fn uname(&self, arguments: &[&[u8]], output: &mut Output) -> bool {
        let mut letters: Vec<u8> = Vec::new();
        for word in arguments {
            match (word, LONG.iter().find(|(long, _)| *long == *word)) {
                (_, Some((_, letter))) => letters.push(*letter),
                ([b'-', short @ ..], None) if !short.is_empty() && short[0] != b'-' => letters.extend_from_slice(short),
                ([b'-', b'-', ..], None) => {
                    self.misused("uname", &format!("unrecognized option '{}'", crate::safe_text(word, 200)), output);
                    return true;
                }
                _ => {
                    self.misused("uname", &format!("extra operand \u{2018}{}\u{2019}", crate::safe_text(word, 200)), output);
                    return true;
                }
            }
        }
        if let Some(odd) = letters.iter().find(|letter| !b"asnrvmpio".contains(letter)) {
            self.misused("uname", &format!("invalid option -- '{}'", crate::safe_text(&[*odd], 200)), output);
            return true;
        }
        let kernel = self.persona.kernel(self.now);
        let all = letters.contains(&b'a');
        let parts = [
            (b's', "Linux"),
            (b'n', self.persona.host()),
            (b'r', kernel.release),
            (b'v', kernel.build),
            (b'm', "x86_64"),
            (b'p', "unknown"),
            (b'i', "unknown"),
            (b'o', "GNU/Linux"),
        ];
        let wanted = |letter: u8, part: &str| match all {
            true => part != "unknown",
            false => letters.contains(&letter) || letters.is_empty() && letter == b's',
        };
        let told = parts.iter().filter(|(letter, part)| wanted(*letter, part)).map(|(_, part)| *part);
        output.out.extend_from_slice((told.collect::<Vec<_>>().join(" ") + "\n").as_bytes());
        true
    }

    /// What coreutils say to a word that they do not take.
    fn misused(&self, name: &str, what: &str, output: &mut Output) {
        self.fail(&format!("{name}: {what}\nTry '{name} --help' for more information.\n"), output);
    }

    fn hostname(&self, arguments: &[&[u8]], output: &mut Output) -> bool {
        let persona = self.persona;
        let text = match arguments {
            [] | [b"-s" | b"--short"] => persona.host().into(),
            [b"-f" | b"--fqdn" | b"--long"] => persona.fqdn(),
            [b"-A" | b"--all-fqdns"] => persona.fqdn() + " ",
            [b"-d" | b"--domain"] => persona.domain().into(),
            [b"-i" | b"--ip-address"] => "127.0.1.1".into(),
            [b"-I" | b"--all-ip-addresses"] => self.address() + " ",
            [b"-a" | b"--alias"] => persona.host().into(),
            [word] if word.starts_with(b"-") => {
                let odd = crate::safe_text(word.get(1..2).unwrap_or_default(), 200);
                self.fail(&format!("hostname: invalid option -- '{odd}'\n{HOSTNAME_USAGE}"), output);
                return true;
            }
            // Who gives it a name, and may not, hears so; a name that was given is not kept.
            _ if !self.is_root() => {
                self.fail("hostname: you must be root to change the host name\n", output);
                return true;
            }
            _ => return true,
        };
        output.out.extend_from_slice((text + "\n").as_bytes());
        true
    }

    /// Behind the machine that gives it the one by which it is reached, as at most companies that sell such.
    pub(super) fn address(&self) -> String {
        let number = self.persona.number("address");
        format!("10.{}.{}.{}", number % 200 + 10, number >> 8 & 0xff, (number >> 16) % 250 + 4)
    }

    /// `hostnamectl` of systemd 257, where no terminal shows pictures.
    fn hostnamectl(&self) -> String {
        let kernel = self.persona.kernel(self.now).release;
        let boot = self.uuid(&format!("boot {}", self.persona.booted(self.now).0)).replace('-', "");
        format!(
            " Static hostname: {}\n       Icon name: computer-vm\n         Chassis: vm\n      Machine ID: {}\n         Boot ID: {boot}\n\
             \x20 Virtualization: kvm\nOperating System: Debian GNU/Linux 13 (trixie)\n          Kernel: Linux {kernel}\n    Architecture: x86-64\n\
             \x20Hardware Vendor: QEMU\n  Hardware Model: Standard PC _Q35 + ICH9, 2009_\nFirmware Version: 1.16.3-debian-1.16.3-2\n\
             \x20  Firmware Date: Tue 2014-04-01\n",
            self.persona.host(),
            self.machine_id()
        )
    }

    pub(super) fn fail(&self, text: &str, output: &mut Output) {
        output.status = 1;
        output.complain(text);
    }
}

/// What a program costs, in steps: those that look at every process are dear.
const fn steps(name: &[u8]) -> usize {
    match name {
        b"ps" | b"w" | b"uptime" => PROCESSES_STEPS,
        b"free" | b"df" | b"mount" | b"lscpu" => 100,
        _ => 20,
    }
}

pub(super) fn os_release(persona: &Persona, now: WallTime) -> String {
    format!(
        "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\nVERSION=\"13 (trixie)\"\n\
         VERSION_CODENAME=trixie\nDEBIAN_VERSION_FULL={}\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n\
         SUPPORT_URL=\"https://www.debian.org/support\"\nBUG_REPORT_URL=\"https://bugs.debian.org/\"\n",
        persona.release(now)
    )
}
