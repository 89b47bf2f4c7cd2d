//! A forger is blind to the oracle: what is let through for a suspect is refused, whatever dark ports are else: traps or silent. A trap would
//! answer whose address was forged with a SYN-ACK, its reset would move its IP-ID, and that can be asked for from afar.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    alone,
    backend::{HERE, HERE6, Kind, Stage, nft},
    wait, wire,
};
use honeymesh_types::{Fate, KnockKind};
use honeymesh_xdp::{Dark, Knocks, Options, now};
use honeymesh_xdp_program::testing::{ACK, Packet, RST, SYN};
use std::{collections::BTreeSet, net::TcpListener, ops::Range, os::fd::AsFd, thread, time::Duration};

/// More than are ever answered.
const PORTS: Range<u16> = 100..228;
/// How much longer it is listened for what must not come: everybody is on this machine.
const MOMENT: Duration = Duration::from_millis(300);

/// What of the ports of a suspect is told, until each was. It is listened `meanwhile`.
fn coins(knocks: &mut Knocks, mut meanwhile: impl FnMut()) -> Vec<(u16, Fate)> {
    let mut coins = Vec::new();
    let all_told = wait(|| {
        meanwhile();
        while let Some(knock) = knocks.next(now()) {
            if let KnockKind::Suspect { fate } = knock.kind {
                coins.push((knock.port, fate));
            }
        }
        coins.len() >= 128 || coins.iter().filter(|(_, fate)| *fate == Fate::Answered).count() >= 64
    });
    assert!(all_told, "{coins:?}");
    coins
}

fn options(stage: &Stage<'_>, dark: Dark) -> Options {
    let mut options = stage.room.options(&["hm0"]);
    options.dark = dark;
    options.scan.oracle = true;
    options
}

/// What was heard from the far end of the cable.
struct Answers {
    ear: wire::Ear,
    heard: Vec<(u16, u8)>,
}

impl Answers {
    /// Sends SYNs of this source to these ports, and begins to listen.
    fn to(stage: &Stage<'_>, source: &str, here: &str, ports: Range<u16>) -> Self {
        let all: Vec<_> = ports.map(|port| wire::summed(Packet::tcp(source, here, port, SYN).build())).collect();
        let ear = stage.peer.run(move || {
            let ear = wire::Ear::new("hm1");
            all.iter().for_each(|frame| wire::send("hm1", frame));
            ear
        });
        Self { ear, heard: Vec::new() }
    }

    fn listen(&mut self) {
        self.heard.extend(self.ear.segments());
    }

    /// Listens until all of these ports have answered with these flags, and a moment more.
    fn listen_for(&mut self, flags: u8, ports: &BTreeSet<u16>) {
        let all_came = wait(|| {
            self.listen();
            self.with(flags).is_superset(ports)
        });
        assert!(all_came, "{:?} of {ports:?}", self.with(flags));
        thread::sleep(MOMENT);
        self.listen();
    }

    /// The ports that answered with these flags.
    fn with(&self, flags: u8) -> BTreeSet<u16> {
        self.heard.iter().filter(|(_, found)| *found == flags).map(|(port, _)| *port).collect()
    }
}

/// Silences each source, sends SYNs to [`PORTS`], and looks at what comes back.
fn watch(stage: &Stage<'_>, knocks: &mut Knocks, dark: Dark) {
    for (source, here) in [("192.0.2.2", HERE), ("2001:db8::2", HERE6)] {
        let mut before = Answers::to(stage, source, here, 1..4);
        let trapped = if dark == Dark::Trap { BTreeSet::from([1, 2, 3]) } else { BTreeSet::new() };
        before.listen_for(SYN | ACK, &trapped);
        assert_eq!(before.with(SYN | ACK), trapped, "{source}: a trap, up to the one that makes a scan");
        if dark == Dark::Silent {
            assert_eq!(before.heard, [], "{source}: nothing is answered that is not weighed");
        }
        let mut answers = Answers::to(stage, source, here, PORTS);
        let coins = coins(knocks, || answers.listen());
        let answered: BTreeSet<u16> = coins.iter().filter(|(_, fate)| *fate == Fate::Answered).map(|(port, _)| *port).collect();
        assert!((32..=64).contains(&answered.len()), "{coins:?}");
        answers.listen_for(RST | ACK, &answered);
        assert_eq!(answers.with(SYN | ACK), BTreeSet::new(), "{source}");
        assert_eq!(answers.with(RST | ACK), answered, "{source}");
    }
}

fn traps() -> [TcpListener; 2] {
    ["127.0.0.1:0", "[::1]:0"].map(|at| TcpListener::bind(at).unwrap())
}

fn where_xdp_drops(kind: Kind, what: &str, dark: Dark) {
    alone(what, |room| {
        let stage = Stage::new(room, kind);
        let [v4, v6] = traps();
        let (mut kernel, mut knocks) = kind.kernel(&options(&stage, dark)).unwrap();
        kernel.set_local(&[HERE, HERE6].map(|addr| addr.parse().unwrap())).unwrap();
        if dark == Dark::Trap {
            kernel.arm(Some(v4.as_fd()), Some(v6.as_fd())).unwrap();
        }
        watch(&stage, &mut knocks, dark);
        kernel.release().unwrap();
    });
}

fn where_nf_tables_drops(what: &str, dark: Dark) {
    alone(what, |room| {
        let stage = Stage::new(room, Kind::Nft);
        let [v4, v6] = traps();
        let mut nft = nft(&options(&stage, dark)).unwrap();
        let mut knocks = nft.take_knocks().unwrap();
        if dark == Dark::Trap {
            nft.arm(Some(v4.as_fd()), Some(v6.as_fd())).unwrap();
        }
        watch(&stage, &mut knocks, dark);
        nft.release().unwrap();
    });
}

#[test]
fn no_suspect_meets_the_trap_where_xdp_drops() {
    where_xdp_drops(Kind::Xdp, "a blind forger, XDP", Dark::Trap);
}

#[test]
fn no_suspect_meets_the_trap_where_generic_xdp_drops() {
    where_xdp_drops(Kind::Generic, "a blind forger, generic XDP", Dark::Trap);
}

#[test]
fn no_suspect_meets_the_trap_where_nf_tables_drops() {
    where_nf_tables_drops("a blind forger, nf_tables", Dark::Trap);
}

#[test]
fn where_dark_ports_are_silent_only_what_is_weighed_is_answered_by_xdp() {
    where_xdp_drops(Kind::Xdp, "silence and a blind forger, XDP", Dark::Silent);
}

#[test]
fn where_dark_ports_are_silent_only_what_is_weighed_is_answered_by_generic_xdp() {
    where_xdp_drops(Kind::Generic, "silence and a blind forger, generic XDP", Dark::Silent);
}

#[test]
fn where_dark_ports_are_silent_only_what_is_weighed_is_answered_by_nf_tables() {
    where_nf_tables_drops("silence and a blind forger, nf_tables", Dark::Silent);
}
