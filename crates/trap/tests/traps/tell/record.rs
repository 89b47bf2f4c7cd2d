//! Asks real servers and keeps their answers: `tests/real/record.sh` runs it, where such servers run.

use super::{
    conversation::{Conversation, Ear},
    real::{Server, host},
};
use honeymesh_types::Transport;
use std::{env, fs, sync::Arc, time::Duration};

/// How long nothing must come until an answer is taken for whole: longer than any of the servers thinks about one.
const SILENCE: Duration = Duration::from_millis(4_000);
/// The same where datagrams are sent: soon after, some servers say again what they said.
const DATAGRAM_SILENCE: Duration = Duration::from_millis(400);
/// Conversations with one server that are held at once.
const AT_ONCE: usize = 16;

/// `REAL_HOST` is what the machine is called, `REAL_PACKAGES` a file with a package and its version in each line
/// (`dpkg-query -W`), `ONLY` the files that are asked for, if not all.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "asks real servers; see tests/real/record.sh"]
async fn record_the_real_servers() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is missing: run tests/real/record.sh"));
    let host = variable("REAL_HOST");
    let packages = fs::read_to_string(variable("REAL_PACKAGES")).unwrap();
    let version = |name: &str| packages.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t')).map(str::to_owned);
    let mut asked = Vec::new();
    for mut server in Server::all().into_iter().filter(Server::is_asked_for) {
        for (name, known) in &mut server.packages {
            *known = version(name).unwrap_or_else(|| panic!("{name} is not installed"));
        }
        asked.push(tokio::spawn(record(server, host.clone())));
    }
    for one in asked {
        one.await.unwrap();
    }
}

async fn record(server: Server, host: String) {
    let server = Arc::new(server);
    let mut conversations: Vec<Conversation> = Vec::new();
    for some in server.conversations.chunks(AT_ONCE) {
        let asked: Vec<_> =
            some.iter().map(|known| tokio::spawn(hear(Arc::clone(&server), known.clone(), host.clone()))).collect();
        for one in asked {
            conversations.push(one.await.unwrap());
        }
    }
    let mut server = Arc::into_inner(server).unwrap();
    server.conversations = conversations;
    let path = format!("{}/tests/real/{}.txt", env!("CARGO_MANIFEST_DIR"), server.name);
    fs::write(path, server.write()).unwrap();
}

async fn hear(server: Arc<Server>, known: Conversation, host: String) -> Conversation {
    let silence = if server.over() == Transport::Udp { DATAGRAM_SILENCE } else { SILENCE };
    let address = server.address.expect("an address");
    let mut heard = known.repeat(server.over(), address, &Ear::Silence(silence)).await.unwrap();
    for (turn, one) in heard.turns.iter_mut().enumerate() {
        one.heard = server.plain(turn, &one.heard, &host);
    }
    heard
}

/// The machine whose servers are asked is called what the traps of the tests are: `tests/real/record.sh` reads it here.
#[test]
fn the_host_has_a_name_that_a_real_machine_can_have() {
    let host = host();
    println!("host {host}");
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    assert!(
        (1..=63).contains(&host.len()) && host.chars().all(is_letter) && !host.starts_with('-') && !host.ends_with('-'),
        "{host}"
    );
}
