//! What real servers answered, and that the traps answer the same.

use super::{
    conversation::{Conversation, Ear, Turn, read_bytes, write_bytes},
    wire::Layer,
};
use crate::support::{Traps, quick};
use honeymesh_trap::{Limits, Options, TrapOptions};
use honeymesh_trap_proto::{Definition, Persona, Service};
use honeymesh_types::Transport;
use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::Semaphore;

/// The servers' answers, a file for each.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real");
/// Conversations with a trap that are held at once.
const AT_ONCE: usize = 12;
/// What stands for a machine's name.
const HOST: &str = "{host}";
/// What stands for what changes from one answer to the next.
const HIDDEN: &[u8] = b"{hidden}";
/// What says that an answer came from another port.
const MOVED: &str = " from another port";
/// How long it is listened for a difference that was not heard at once.
const LATE: Duration = Duration::from_secs(2);

/// A server's answers: a file of `tests/real`.
///
/// Lines that begin with a word are about all of it: `# remark`, `package name version`, `service name`, `site name`, `banner text`, `let_in number`,
/// `transport udp` (each thing said is a datagram),
/// `address ADDRESS:PORT` (where the recorder finds it), `hide BEGIN...END` (hidden between these, which may be escaped, and stay),
/// `hide-bytes TURN FROM..TO` (the same by place, with as many zeroes), `hide-packet TURN` (the same for an SSH packet that it begins with).
/// `= name` begins a conversation; `> said`, `< heard`, `,` before something that is said after no answer, `.` closed by the server,
/// `@ from another port` (what follows was heard from another one than was asked), `^ layer` (from here on, see [`Layer`]), `~ why the trap differs`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Server {
    pub name: String,
    pub remarks: Vec<String>,
    pub packages: Vec<(String, String)>,
    pub definition: Definition,
    pub address: Option<SocketAddr>,
    pub hidden: Vec<(Vec<u8>, Vec<u8>)>,
    pub hidden_bytes: Vec<(usize, usize, usize)>,
    pub hidden_packets: Vec<usize>,
    pub conversations: Vec<Conversation>,
}

impl Server {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut files: Vec<PathBuf> = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
        files.sort();
        let read = |path: &PathBuf| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            Self::read(name, &fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        files.iter().map(read).collect()
    }

    fn read(name: &str, text: &str) -> Result<Self, String> {
        let mut server = Self { name: name.into(), ..Self::default() };
        for (number, line) in text.lines().enumerate() {
            server.line(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        }
        Ok(server)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (mark, rest) = line.split_at(line.len().min(1));
        if let Some(conversation) =
            self.conversations.last_mut().filter(|_| matches!(mark, ">" | "<" | "," | "." | "~" | "^" | "@"))
        {
            return conversation_line(conversation, mark, rest);
        }
        let word = |rest: &str| rest.trim().to_owned();
        match line.split_once(' ') {
            None if line.is_empty() => {}
            Some(("#", text)) => self.remarks.push(text.into()),
            Some(("=", name)) => self.conversations.push(Conversation {
                name: name.into(),
                turns: vec![Turn::default()],
                ..Conversation::default()
            }),
            Some(("package", text)) => {
                let (package, version) = text.split_once(' ').ok_or("a package has a version")?;
                self.packages.push((word(package), word(version)));
            }
            Some(("service", name)) => self.definition.service = word(name),
            Some(("site", name)) => self.definition.site = Some(word(name)),
            Some(("transport", name)) => self.definition.transport = Some(word(name)),
            Some(("banner", text)) => self.definition.banner = Some(text.into()),
            Some(("let_in", text)) => self.definition.let_in = Some(text.parse().map_err(|_| format!("no number: {text}"))?),
            Some(("address", text)) => self.address = Some(text.parse().map_err(|_| format!("no address: {text}"))?),
            Some(("hide", text)) => {
                let (begin, end) = text.split_once("...").ok_or("hide BEGIN...END")?;
                self.hidden.push((read_bytes(&format!(" {begin}"))?, read_bytes(&format!(" {end}"))?));
            }
            Some(("hide-bytes", text)) => self.hidden_bytes.push(place(text).ok_or("hide-bytes TURN FROM..TO")?),
            Some(("hide-packet", turn)) => self.hidden_packets.push(turn.parse().map_err(|_| format!("no turn: {turn}"))?),
            _ => return Err(format!("unknown: {line}")),
        }
        Ok(())
    }

    /// The file again.
    pub fn write(&self) -> String {
        let mut text = String::new();
        self.remarks.iter().for_each(|remark| writeln!(text, "# {remark}").unwrap());
        self.packages.iter().for_each(|(name, version)| writeln!(text, "package {name} {version}").unwrap());
        writeln!(text, "service {}", self.definition.service).unwrap();
        self.definition.site.iter().for_each(|site| writeln!(text, "site {site}").unwrap());
        self.definition.transport.iter().for_each(|transport| writeln!(text, "transport {transport}").unwrap());
        self.definition.banner.iter().for_each(|banner| writeln!(text, "banner {banner}").unwrap());
        self.definition.let_in.iter().for_each(|let_in| writeln!(text, "let_in {let_in}").unwrap());
        self.address.iter().for_each(|address| writeln!(text, "address {address}").unwrap());
        for (begin, end) in &self.hidden {
            writeln!(text, "hide {}...{}", begin.escape_ascii(), end.escape_ascii()).unwrap();
        }
        self.hidden_bytes.iter().for_each(|(turn, from, to)| writeln!(text, "hide-bytes {turn} {from}..{to}").unwrap());
        self.hidden_packets.iter().for_each(|turn| writeln!(text, "hide-packet {turn}").unwrap());
        self.conversations.iter().for_each(|conversation| write_conversation(conversation, &mut text));
        text
    }

    /// Is it among those that `ONLY` names, with commas between them, if it names any?
    pub fn is_asked_for(&self) -> bool {
        std::env::var("ONLY").ok().is_none_or(|only| only.split(',').any(|name| name == self.name))
    }

    /// How it is spoken to.
    pub fn over(&self) -> Transport {
        if self.definition.transport.as_deref() == Some("udp") { Transport::Udp } else { Transport::Tcp }
    }

    /// What was heard without what changes: a machine's name, and what is to be hidden.
    pub fn plain(&self, turn: usize, heard: &[u8], host: &str) -> Vec<u8> {
        let mut plain = replaced(heard, host.as_bytes(), HOST.as_bytes());
        for (begin, end) in &self.hidden {
            plain = hidden(&plain, begin, end);
        }
        for (_, from, to) in self.hidden_bytes.iter().filter(|(of, ..)| *of == turn) {
            let end = (*to).min(plain.len());
            if let Some(bytes) = plain.get_mut(*from..end) {
                bytes.fill(0);
            }
        }
        match ssh_packet(&plain).filter(|_| self.hidden_packets.contains(&turn)) {
            Some(length) => [HIDDEN, &plain[length..]].concat(),
            None => plain,
        }
    }
}

/// How long the SSH packet is that these bytes begin with.
fn ssh_packet(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize + 4;
    (bytes.len() >= length && bytes.get(5) == Some(&20)).then_some(length)
}

fn conversation_line(conversation: &mut Conversation, mark: &str, rest: &str) -> Result<(), String> {
    match mark {
        "." => conversation.closed = true,
        "," => conversation.turns.push(Turn::default()),
        "@" if rest == MOVED => conversation.turns.last_mut().unwrap().has_moved = true,
        "@" => return Err(format!("only `@{MOVED}`")),
        "~" => conversation.differs = Some(rest.trim().into()),
        "^" => {
            let layer = Some(Layer::read(rest.trim())?);
            match conversation.turns.as_mut_slice() {
                [greeting] if greeting.heard.is_empty() => greeting.layer = layer,
                _ => conversation.turns.push(Turn { layer, ..Turn::default() }),
            }
        }
        ">" => {
            let is_greeting = conversation.turns.len() == 1;
            if is_greeting || conversation.turns.last().is_none_or(|turn| !turn.heard.is_empty()) {
                conversation.turns.push(Turn::default());
            }
            conversation.turns.last_mut().unwrap().said.extend(read_bytes(rest)?);
        }
        _ => conversation.turns.last_mut().unwrap().heard.extend(read_bytes(rest)?),
    }
    Ok(())
}

fn write_conversation(conversation: &Conversation, text: &mut String) {
    writeln!(text, "\n= {}", conversation.name).unwrap();
    conversation.differs.iter().for_each(|why| writeln!(text, "~ {why}").unwrap());
    let mut silent = false;
    for (index, turn) in conversation.turns.iter().enumerate() {
        match &turn.layer {
            Some(layer) => writeln!(text, "^ {layer}").unwrap(),
            None if silent => text.push_str(",\n"),
            None => {}
        }
        silent = index > 0 && turn.heard.is_empty();
        write_bytes('>', &turn.said, text);
        if turn.has_moved {
            writeln!(text, "@{MOVED}").unwrap();
        }
        write_bytes('<', &turn.heard, text);
    }
    if conversation.closed {
        text.push_str(".\n");
    }
}

fn place(text: &str) -> Option<(usize, usize, usize)> {
    let (turn, range) = text.split_once(' ')?;
    let (from, to) = range.split_once("..")?;
    Some((turn.parse().ok()?, from.parse().ok()?, to.parse().ok()?))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    (!what.is_empty()).then(|| bytes.windows(what.len()).position(|window| window == what)).flatten()
}

fn replaced(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let (mut new, mut rest) = (Vec::new(), bytes);
    while let Some(at) = find(rest, what) {
        new.extend_from_slice(&rest[..at]);
        new.extend_from_slice(with);
        rest = &rest[at + what.len()..];
    }
    new.extend_from_slice(rest);
    new
}

/// Whatever stands between `begin` and `end`, replaced.
fn hidden(bytes: &[u8], begin: &[u8], end: &[u8]) -> Vec<u8> {
    let (mut new, mut rest) = (Vec::new(), bytes);
    while let Some(at) = find(rest, begin) {
        let from = at + begin.len();
        let Some(length) = find(&rest[from..], end) else { break };
        new.extend_from_slice(&rest[..from]);
        new.extend_from_slice(HIDDEN);
        rest = &rest[from + length..];
    }
    new.extend_from_slice(rest);
    new
}

/// What the machine of the tests' traps is called.
pub fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| Persona::of([7; 32]).host().into())
}

/// A trap that lets one source have as many conversations at once as are held here.
pub fn playing(definition: &Definition) -> Traps {
    playing_within(definition, Limits { sessions_per_source_max: 4 * AT_ONCE, ..quick() })
}

/// A trap that takes the time that a real server takes.
pub fn playing_slowly(definition: &Definition) -> Traps {
    playing_within(definition, Limits::default())
}

fn playing_within(definition: &Definition, limits: Limits) -> Traps {
    let service = Service::define(definition, &Persona::of([7; 32])).unwrap();
    let traps = vec![TrapOptions { name: "trap".into(), service, listen: vec!["127.0.0.1:0".parse().unwrap()] }];
    Traps::open(Options { traps, dark: None, limits })
}

/// What a trap answers otherwise than the real server: nothing, or the differences in words.
async fn differences(server: Server, host: &'static str) -> String {
    let traps = playing(&server.definition);
    let address = traps.address("trap");
    let (server, gate) = (Arc::new(server), Arc::new(Semaphore::new(AT_ONCE)));
    let asked: Vec<_> = (0..server.conversations.len())
        .map(|index| {
            let (server, gate) = (Arc::clone(&server), Arc::clone(&gate));
            tokio::spawn(async move {
                let _turn = gate.acquire().await.unwrap();
                difference(&server, &server.conversations[index], host, address).await
            })
        })
        .collect();
    let mut told = String::new();
    for one in asked {
        told += &one.await.unwrap();
    }
    let refused = traps.status("trap").answers_refused;
    if refused > 0 {
        writeln!(told, "{}: {refused} answers were longer than what they answer, and kept back", server.name).unwrap();
    }
    told
}

async fn difference(server: &Server, known: &Conversation, host: &str, address: SocketAddr) -> String {
    let hide = |turn: usize, heard: &[u8]| server.plain(turn, heard, host);
    let ask = async |ear: Ear<'_>| {
        let mut heard = known.repeat(server.over(), address, &ear).await.unwrap();
        if server.over() == Transport::Udp {
            is_no_longer(&heard, &server.name);
        }
        for (index, turn) in heard.turns.iter_mut().enumerate() {
            turn.heard = server.plain(index, &turn.heard, host);
        }
        heard
    };
    let mut heard = ask(Ear::Expected(known, &hide)).await;
    if known.differs.is_some() && heard == *known {
        // What makes the difference may only have been late on a busy machine.
        heard = ask(Ear::Silence(LATE)).await;
    }
    match (&known.differs, heard == *known) {
        (None, true) | (Some(_), false) => String::new(),
        (Some(_), true) => format!("{}: {} agrees now: take its `~` away\n", server.name, known.name),
        (None, false) => {
            let (mut real, mut trap) = (String::new(), String::new());
            write_conversation(known, &mut real);
            write_conversation(&heard, &mut trap);
            format!("{}: the real one:{real}the trap:{trap}\n", server.name)
        }
    }
}

/// However the trap differs, at no time has it said more than it was told. (An answer that is late counts where it is heard; of each
/// alone the daemon's own check is asked, which counts.)
fn is_no_longer(heard: &Conversation, server: &str) {
    let (mut said, mut answered) = (0, 0);
    for turn in &heard.turns {
        said += turn.said.len();
        answered += turn.heard.len();
        assert!(answered <= said, "{server}: {}: {answered} octets for {said}", heard.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_traps_answer_as_the_real_servers_did() {
    let mut asked = Vec::new();
    for server in Server::all().into_iter().filter(Server::is_asked_for) {
        asked.push(tokio::spawn(differences(server, host())));
    }
    let mut told = String::new();
    for one in asked {
        told += &one.await.unwrap();
    }
    assert!(told.is_empty(), "{told}");
}

/// Silence or less than the whole has that reason only where the real answer is longer than what it answers.
#[test]
fn what_a_trap_does_not_say_for_its_length_is_longer_than_what_was_said() {
    for server in Server::all().into_iter().filter(|server| server.over() == Transport::Udp) {
        let of_length = |known: &&Conversation| known.differs.as_ref().is_some_and(|why| why.starts_with("longer than"));
        for known in server.conversations.iter().filter(of_length) {
            let bytes = |part: fn(&Turn) -> &[u8]| known.turns.iter().map(|turn| part(turn).len()).sum::<usize>();
            assert!(bytes(|turn| &turn.heard) > bytes(|turn| &turn.said), "{}: {}", server.name, known.name);
        }
    }
}

#[test]
fn each_server_is_named_with_its_package_and_its_version_and_its_file_is_written_as_it_is_read() {
    let servers = Server::all();
    assert!(servers.len() >= 5 && servers.iter().all(|server| !server.conversations.is_empty()));
    for server in servers {
        assert!(!server.packages.is_empty(), "{}", server.name);
        let written = Server::read(&server.name, &server.write()).unwrap();
        assert_eq!(written, server);
    }
}

/// A conversation that differs is seen: the stand-in says the year of another release.
#[tokio::test(flavor = "multi_thread")]
async fn a_trap_of_another_release_is_told_from_the_real_server() {
    let mut server = Server::all().into_iter().find(|server| server.name == "openssh").expect("tests/real/openssh.txt");
    server.definition.banner = Some("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7".into());
    let told = differences(server, host()).await;
    assert!(told.contains("OpenSSH_9.2p1"), "{told}");
}

#[test]
fn what_changes_is_hidden_and_the_rest_is_not() {
    let text = "service http\nhide Date: ...\\r\\n\nhide-bytes 1 1..3\n";
    let server = Server::read("x", text).unwrap();
    assert_eq!(
        server.plain(0, b"A web9 Date: now\r\nB Date: \xffx\r\n", "web9"),
        b"A {host} Date: {hidden}\r\nB Date: {hidden}\r\n"
    );
    assert_eq!((server.plain(1, b"abcd", "web9"), server.plain(1, b"ab", "web9")), (b"a\0\0d".to_vec(), b"a\0".to_vec()));
}
