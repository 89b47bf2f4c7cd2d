//! From the last octet of what gives a stranger away to the entry in the kernel, by one clock for both.

use super::STAGE;
use crate::{
    Family, HTTP_PORT, Lab, NodeConfig, Place,
    moments::{entered, first_visit},
    wait_until,
};
use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// How long a ban may take to be seen, and its lifting.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
/// How long everybody rests before and after the last octet.
const REST: Duration = Duration::from_millis(20);

/// `rounds` visits with a password to the web trap of a node that enforces; sorted.
///
/// # Errors
/// The node does not come up, or a visit earns no ban.
pub fn measure(rounds: usize) -> Result<Vec<Duration>> {
    let lab = Lab::up()?;
    let mut node = lab.node(NodeConfig::alone(STAGE))?;
    node.start()?;
    let (at, subject) = (STAGE.at(Family::V4, HTTP_PORT), Place::Attacker.subject(Family::V4));
    let mut times = Vec::new();
    for _ in 0..rounds {
        let sent = lab.attacker().namespace.inside(|| visit(at, Timestamp::now))?;
        wait_until("the ban", SEEN_WITHIN, || Ok(node.ban_of(&subject)?.map(|_| ())))?;
        let visit = first_visit(&node, sent)?;
        let on_the_way = Duration::try_from(visit.duration_since(sent)).unwrap_or_default();
        times.push(on_the_way + entered(&node, &subject, visit)?);
        node.client(&["unban", &subject])?.checked()?;
        wait_until("the ban to be lifted", SEEN_WITHIN, || Ok(node.ban_of(&subject)?.is_none().then_some(())))?;
    }
    times.sort_unstable();
    Ok(times)
}

/// The same for no trap: one thread waits for strangers and reads until a request is whole, a second one is told so over a pipe and looks at
/// the clock. Nothing is looked at, judged or entered: no two processes of which one reads and the other one decides can be faster.
///
/// # Errors
/// The port is taken, or a visit is not heard.
pub fn floor(rounds: usize) -> Result<Vec<Duration>> {
    let lab = Lab::up()?;
    let at = STAGE.at(Family::V4, HTTP_PORT);
    let listener = lab.host(STAGE).namespace.inside(|| Ok(TcpListener::bind(at)?))?;
    let (mut told, tells) = std::io::pipe()?;
    let mut times = thread::scope(|scope| {
        let reads = scope.spawn(move || hear(&listener, rounds, tells));
        let decides = scope.spawn(move || (0..rounds).map(|_| told.read_exact(&mut [0]).map(|()| Instant::now())).collect());
        let sent = lab.attacker().namespace.inside(|| {
            let sent: Result<Vec<Instant>> = (0..rounds).map(|_| visit(at, Instant::now)).collect();
            // Who says nothing ends the waiting for those who will not come.
            sent.inspect_err(|_| drop(TcpStream::connect(at)))
        })?;
        reads.join().map_err(|_| anyhow!("whoever reads broke"))??;
        let told: std::io::Result<Vec<Instant>> = decides.join().map_err(|_| anyhow!("whoever decides broke"))?;
        Ok::<_, anyhow::Error>(told?.iter().zip(sent).map(|(told, sent)| told.duration_since(sent)).collect::<Vec<_>>())
    })?;
    times.sort_unstable();
    Ok(times)
}

/// Reads one request of each of so many visitors.
fn hear(listener: &TcpListener, visitors: usize, mut tells: impl Write) -> Result<()> {
    for _ in 0..visitors {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(SEEN_WITHIN))?;
        let (mut heard, mut piece) = (Vec::new(), [0; 4_096]);
        while !heard.ends_with(b"\r\n\r\n") {
            let length = stream.read(&mut piece)?;
            anyhow::ensure!(length > 0, "a visitor left");
            heard.extend_from_slice(&piece[..length]);
        }
        tells.write_all(&[1])?;
    }
    Ok(())
}

/// A visit with a password from where this thread is; gives when its last octet was sent.
fn visit<T>(at: SocketAddr, now: impl Fn() -> T) -> Result<T> {
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic YWRtaW46aHVudGVyMg==\r\n\r\n", at.ip());
    let (last, before) = request.as_bytes().split_last().context("a request")?;
    let mut stream = TcpStream::connect_timeout(&at, SEEN_WITHIN)?;
    stream.set_nodelay(true)?;
    stream.write_all(before)?;
    // What came before is read by now: only the last octet is on its way.
    thread::sleep(REST);
    let sent = now();
    stream.write_all(&[*last])?;
    thread::sleep(REST);
    Ok(sent)
}
