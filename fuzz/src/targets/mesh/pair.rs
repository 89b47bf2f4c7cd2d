//! Two nodes that have met: an honest one, and one that was taken over.

use honeymesh_mesh_proto::{Admission, Config, Effect, Key, KeyRing, Limits, Mesh};
use honeymesh_types::{MonoTime, Now, WallTime};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// When it happens: 2026-11-22T10:00:00Z.
const START_MS: u64 = 1_795_341_600_000;
/// Where the insider is.
pub(crate) const INSIDER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 7_946);
/// Where the honest node is.
pub(crate) const HONEST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 7_946);

/// Both.
pub(crate) struct Pair {
    pub(crate) insider: Mesh,
    pub(crate) honest: Mesh,
    pub(crate) millis: u64,
    pub(crate) streams: u64,
    pub(crate) is_open: bool,
}

/// So long after the beginning.
pub(crate) fn at(millis: u64) -> Now {
    Now { wall: WallTime::from_millis(START_MS + millis), mono: MonoTime::from_millis(millis) }
}

/// Node 1 is the insider, node 2 the honest one.
pub(crate) fn config(n: u8) -> Config {
    let name = |text: &str| text.parse().unwrap_or_else(|error| panic!("{error}"));
    Config {
        cluster: "test".parse().unwrap_or_else(|error| panic!("{error}")),
        node_name: name(&format!("node-{n}")),
        identity: [n; 32].into(),
        advertise: if n == 1 { INSIDER } else { HONEST },
        keys: KeyRing::new(Key::from_bytes([1; 32])),
        join: if n == 1 { vec![HONEST] } else { Vec::new() },
        members: Vec::new(),
        admission: Admission::default(),
        limits: Limits { origin_records_max: 500, records_max: 2_000, ..Limits::default() },
        dial_out: false,
        boot_salt: u64::from(n) << 32,
        seed: u64::from(n),
    }
}

/// What stands before a message: the clock, that the receiver is known, and no introduction.
pub(crate) fn head(now: Now) -> Vec<u8> {
    let (mut head, mut left) = (Vec::new(), now.wall.as_millis());
    while left >= 0x80 {
        head.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    head.extend([u8::try_from(left).unwrap_or(0), 1, 0]);
    head
}

impl Pair {
    /// Both have introduced themselves.
    pub(crate) fn met() -> Self {
        let mut pair = Self {
            insider: Mesh::new(config(1), at(0)),
            honest: Mesh::new(config(2), at(0)),
            millis: 0,
            streams: 0,
            is_open: false,
        };
        for _ in 0..4 {
            let (now, mut out) = (pair.now(), Vec::new());
            pair.insider.wake(now, &mut out);
            pair.talk(out, false);
            let mut out = Vec::new();
            pair.honest.wake(now, &mut out);
            pair.talk(out, true);
            pair.millis += 1;
        }
        assert_eq!((pair.honest.members().len(), pair.insider.members().len()), (1, 1), "they have met");
        pair
    }

    pub(crate) const fn is_honest(addr: SocketAddr) -> bool {
        matches!(addr.ip(), IpAddr::V4(addr) if addr.octets()[3] == 2)
    }

    /// Carries datagrams to and fro until nobody says anything.
    pub(crate) fn talk(&mut self, effects: Vec<Effect>, from_honest: bool) -> Vec<Vec<u8>> {
        let (now, mut said) = (self.now(), Vec::new());
        let mut todo: Vec<(bool, Effect)> = effects.into_iter().map(|effect| (from_honest, effect)).collect();
        for _ in 0..256 {
            let Some((from_honest, effect)) = todo.pop() else { break };
            let Effect::Send { to, bytes } = effect else { continue };
            if Self::is_honest(to) == from_honest {
                continue;
            }
            said.push(bytes.clone());
            let mut out = Vec::new();
            match from_honest {
                true => self.insider.datagram(HONEST, &bytes, now, &mut out),
                false => self.honest.datagram(INSIDER, &bytes, now, &mut out),
            }
            todo.extend(out.into_iter().map(|effect| (!from_honest, effect)));
        }
        said
    }

    pub(crate) fn now(&self) -> Now {
        at(self.millis)
    }
}
