//! The other end of somebody's `scp`, in its own words.

use super::{
    Output, Reads,
    run::{Leaving, Run},
    text::Content,
};
use alloc::format;

impl Run<'_, '_> {
    /// The other end of somebody's `scp`.
    pub(super) fn scp(&mut self, arguments: &[&[u8]], output: &mut Output) {
        let has = |letter: u8| arguments.iter().any(|word| word.starts_with(b"-") && word.contains(&letter));
        let path = arguments.last().copied().unwrap_or_default();
        if has(b't') {
            if self.read_all(Reads::Copy).is_none() && self.leaving == Some(Leaving::Reads(Reads::Copy)) {
                output.out.push(0);
            }
        } else if has(b'f') {
            self.scp_from(path, output);
        } else {
            output.status = 1;
            output.complain("usage: scp [-346ABCOpqRrsTv] [-c cipher] [-D sftp_server_path] [-F ssh_config]\n");
        }
    }

    /// The end of somebody's `scp` that a file comes from. It says all at once, and waits for the three nods then.
    fn scp_from(&mut self, path: &[u8], output: &mut Output) {
        let content = match self.shell.content(path, self.place) {
            Ok(content) if content.bytes.len() as u64 == content.length => content,
            Ok(_) => Content::default(),
            Err(what) => {
                let what = if what == "Is a directory" { "not a regular file" } else { what };
                output.status = 1;
                return output.say(&format!("\x01scp: {}: {what}\n", crate::safe_text(path, 200)));
            }
        };
        let mode = self.shell.is_program(path, self.place);
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        output.say(if mode { "C0755 " } else { "C0644 " });
        output.say(&format!("{} ", content.length));
        output.out.extend([name, b"\n", &content.bytes, b"\0"].concat());
        let _ = self.read_all(Reads::Nods);
    }
}
