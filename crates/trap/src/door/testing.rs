//! The daemon's ear without its doors: for whoever tells it lies.

use super::{Hearing, Household, Keeping, Shared, vigil::Vigil};
use crate::{
    Limits,
    bind::Plays,
    limits::{Entry, Gate},
    line::lines,
    post::Post,
    report::{REPORTS_MAX, SESSION_BYTES_MAX, VISIT_WAIT},
    status::{Counters, House, count},
    wire::{self, Admission, Evidence, PACKET_BYTES_MAX},
};
use honeymesh_trap_proto::{Definition, Findings, Persona, Service};
use honeymesh_types::{Now, Signs, Visit};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// Who has connected: session 1 from the first of them, 2 from the second, and so on.
pub const GUESTS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 2)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 3)),
];
/// Where they came to: an address that ports can be opened at.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// What is kept of one session, in octets.
pub const CAPTURE_BYTES_MAX: usize = 4_096;
/// Visits of one guest at most: its reports, the last one, and one when it leaves.
pub const VISITS_MAX: usize = REPORTS_MAX + 2;
/// Octets of one guest that are believed at most.
pub const BYTES_MAX: u64 = SESSION_BYTES_MAX + PACKET_BYTES_MAX as u64;
/// Visits that wait.
const QUEUE: usize = 4_096;

/// What came of it.
#[derive(Debug)]
pub struct Heard {
    /// Everything that was told.
    pub visits: Vec<Visit>,
    /// Guests that are still counted as in.
    pub active: u64,
    /// Packets that could not be true.
    pub strays: u64,
    /// Ports that were open at once, at most.
    pub ports: usize,
}

/// Lets the [`GUESTS`] in, then hears these packets as if the process that plays had written them, then sees it end.
///
/// # Errors
/// No descriptors are left.
pub async fn hear(packets: &[&[u8]]) -> io::Result<Heard> {
    let limits = Limits { capture_bytes_max: CAPTURE_BYTES_MAX, ..Limits::default() };
    let plays = Service::define(&Definition { service: "ftp".into(), ..Definition::default() }, &Persona::of([7; 32]));
    let plays = Plays::One(plays.map_err(io::Error::other)?);
    let counters = Arc::new(Counters { name: "bait".into(), service: "ftp", ..Counters::default() });
    let (visits, mut told) = mpsc::channel(QUEUE);
    let household = Household { visits, news: mpsc::channel(1).0, clock: Now::default };
    let shared = Arc::new(Shared {
        gate: Gate::new(&limits),
        post: Post::new()?,
        capture_bytes_max: CAPTURE_BYTES_MAX,
        traps: vec![(plays, Arc::clone(&counters))],
        house: Arc::new(House::default()),
        household,
    });
    for guest in GUESTS {
        let here = SocketAddr::from((HERE, 21));
        if let Entry::Admitted(_) = shared.gate.enter(SocketAddr::new(guest, 4_000), here, 0) {
            count(&counters.active);
        }
    }
    let (line, _rooms) = lines()?;
    let (inward, heard) = line.listen()?;
    let (_stop, stopped) = watch::channel(());
    let keeping = Some(Keeping::new(&Arc::new(inward), &stopped));
    let stray_pause = Duration::ZERO;
    let mut hearing = Hearing {
        heard,
        shared: Arc::clone(&shared),
        report: None,
        untold: None,
        wait_max: VISIT_WAIT,
        has_begun: false,
        stray_pause,
        keeping,
        vigil: Vigil::new().0,
    };
    let mut ports = 0;
    for packet in packets {
        hearing.hear(&packet[..packet.len().min(PACKET_BYTES_MAX)]).await;
        ports = ports.max(shared.gate.ports());
    }
    shared.let_go(shared.gate.empty());
    let mut visits = Vec::new();
    while let Ok(visit) = told.try_recv() {
        visits.push(visit);
    }
    Ok(Heard { visits, active: counters.active.load(Relaxed), strays: shared.house.strays.load(Relaxed), ports })
}

/// A message in either direction, read and written again. Panics if it is another one then.
///
/// # Panics
/// What was read does not write itself as what reads the same.
pub fn messages(bytes: &[u8]) {
    if let Some(evidence) = Evidence::read(bytes) {
        let written = evidence.to_bytes();
        assert_eq!(Evidence::read(&written), Some(evidence), "evidence that reads as something else");
    }
    if let Some(admission) = Admission::read(bytes) {
        assert_eq!(Admission::read(&admission.to_bytes()), Some(admission), "an admission that reads as something else");
    }
    if let Some(body) = wire::read_body(u16::MAX, bytes) {
        assert!(body.payload.len() <= bytes.len());
        let written = wire::body(&body.findings, body.marks.as_ref(), &body.payload);
        assert_eq!(wire::read_body(u16::MAX, &written), Some(body), "a body that reads as something else");
    }
    drop(crate::Setting::read(bytes));
}

/// Packets of an honest process: for each guest a port, a report with these fields and this payload, and its end.
#[must_use]
pub fn honest(payload: &[u8]) -> Vec<Vec<u8>> {
    let mut findings = Findings::default();
    findings.fields.insert("username".into(), "root".into());
    let body = wire::body(&findings, None, payload);
    let mut packets = vec![Evidence::Hello { pid: 7 }.to_bytes()];
    for session in (1..).take(GUESTS.len()) {
        packets.push(Evidence::Listen { session, wish: 1 }.to_bytes());
        packets.extend(wire::packets(session, payload.len() as u64, Signs::CREDENTIALS, &body));
        packets.push(Evidence::Over { session, lost: 0, fault: b"" }.to_bytes());
    }
    packets
}
