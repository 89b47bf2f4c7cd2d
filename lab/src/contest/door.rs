//! From the last octet of what gives a stranger away to the entry in the kernel, by one clock for both.

use super::STAGE;
use crate::{
    Family, HTTP_PORT, Lab, NodeConfig, Place,
    moments::{entered, first_visit},
    wait_until,
};
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::{io::Write, net::TcpStream, time::Duration};

/// How long a ban may take to be seen, and its lifting.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// `rounds` visits with a password to the web trap of a node that enforces; sorted.
///
/// # Errors
/// The node does not come up, or a visit earns no ban.
pub fn measure(rounds: usize) -> Result<Vec<Duration>> {
    let lab = Lab::up()?;
    let mut node = lab.node(NodeConfig::alone(STAGE))?;
    node.start()?;
    let (at, subject) = (STAGE.at(Family::V4, HTTP_PORT), Place::Attacker.subject(Family::V4));
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic YWRtaW46aHVudGVyMg==\r\n\r\n", at.ip());
    let (last, before) = request.as_bytes().split_last().context("a request")?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let sent = lab.attacker().namespace.inside(|| {
            let mut stream = TcpStream::connect_timeout(&at, SEEN_WITHIN)?;
            stream.set_nodelay(true)?;
            stream.write_all(before)?;
            // What came before is read by now: only the last octet is on its way.
            std::thread::sleep(Duration::from_millis(20));
            let sent = Timestamp::now();
            stream.write_all(&[*last])?;
            std::thread::sleep(Duration::from_millis(20));
            Ok(sent)
        })?;
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
