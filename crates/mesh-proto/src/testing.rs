//! What tests need: nodes, records, and a wire between them.

use crate::{
    Claims, Config, Effect, Hlc, Key, KeyRing, Limits, Mesh, Record, Role, Said, Signed, Statement, StreamEvent, StreamId,
    StreamOrder, cluster::ClusterTag, record::wire,
};
use alloc::{collections::VecDeque, format, string::String, vec::Vec};
use core::{net::SocketAddr, time::Duration};
use ed25519_dalek::SigningKey;
use honeymesh_types::{Grade, MonoTime, NodeId, Now, Reasons, Scope, Subject, WallTime};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// When tests happen.
pub(crate) const START_MS: u64 = 1_767_225_600_000;

pub(crate) fn at(millis: u64) -> Now {
    Now { wall: WallTime::from_millis(START_MS + millis), mono: MonoTime::from_millis(millis) }
}

pub(crate) fn wall(millis: u64) -> WallTime {
    at(millis).wall
}

pub(crate) fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

pub(crate) fn tag() -> ClusterTag {
    ClusterTag::of(&"test".parse().unwrap())
}

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub(crate) fn ban(ttl: Duration) -> Said {
    let (reasons, grade, scope) = (Reasons::TRAP, Grade::Payload, Scope::All);
    Said::Ban { reasons, grade, scope, ttl, score: 50, note: None }
}

pub(crate) fn hour() -> Duration {
    Duration::from_secs(3_600)
}

/// A record of node `n` as it would have said it at `millis`, whatever any policy says.
pub(crate) fn record(n: u8, about: &str, said: Said, millis: u64) -> Record {
    let origin = NodeId(key(n).verifying_key().to_bytes());
    let statement = Statement { subject: subject(about), said };
    wire::compose(statement, origin, format!("node-{n}").parse().unwrap(), Hlc::at(wall(millis)))
}

pub(crate) fn signed(n: u8, about: &str, said: Said, millis: u64) -> Signed {
    wire::sign(record(n, about, said, millis), tag(), &key(n)).unwrap()
}

pub(crate) fn addr(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 7_946))
}

/// The configuration of node `n`, which knocks at the nodes in `join`.
pub(crate) fn config(n: u8, join: &[u8]) -> Config {
    Config {
        cluster: "test".parse().unwrap(),
        node_name: format!("node-{n}").parse().unwrap(),
        identity: [n; 32].into(),
        advertise: addr(n),
        keys: KeyRing::new(Key::from_bytes([1; 32])),
        join: join.iter().map(|n| addr(*n)).collect(),
        members: Vec::new(),
        admission: crate::Admission::default(),
        limits: Limits::default(),
        dial_out: false,
        boot_salt: u64::from(n) << 32,
        seed: u64::from(n),
    }
}

/// A few meshes joined by a wire that loses nothing unless told to.
pub(crate) struct Wire {
    pub(crate) meshes: Vec<(SocketAddr, Mesh)>,
    pub(crate) millis: u64,
    /// Who does not hear whom.
    pub(crate) cut: fn(SocketAddr, SocketAddr) -> bool,
    /// How many of a hundred datagrams are lost, by these dice.
    pub(crate) loss: Option<(ChaCha8Rng, u32)>,
    /// What the meshes told, with who told it.
    pub(crate) told: Vec<(SocketAddr, Effect)>,
    /// Every datagram that was sent.
    pub(crate) sent: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// The streams there are: their ends.
    pub(crate) streams: Vec<[SocketAddr; 2]>,
    /// Nobody can open a stream.
    pub(crate) no_streams: bool,
    /// Who opens a stream hears nothing of it.
    pub(crate) silent_streams: bool,
    /// So many frames are carried; the next one finds its stream cut.
    pub(crate) frames_left: usize,
    /// How many milliseconds a check of signatures takes that a mesh does not do itself.
    pub(crate) check_takes: u64,
    /// Checks that take their time: whose they are, and when they are done.
    checking: VecDeque<(u64, SocketAddr, Claims)>,
}

impl Wire {
    pub(crate) fn new(configs: Vec<Config>) -> Self {
        let meshes = configs.into_iter().map(|config| (config.advertise, Mesh::new(config, at(0)))).collect();
        Self {
            meshes,
            millis: 0,
            cut: |_, _| false,
            loss: None,
            told: Vec::new(),
            sent: Vec::new(),
            streams: Vec::new(),
            no_streams: false,
            silent_streams: false,
            frames_left: usize::MAX,
            check_takes: 0,
            checking: VecDeque::new(),
        }
    }

    /// `n` nodes of one cluster that have met.
    pub(crate) fn joined(n: u8) -> Self {
        let mut wire = Self::new((1..=n).map(|n| config(n, &[1])).collect());
        wire.run(3_000);
        assert!(wire.meshes.iter().all(|(_, mesh)| mesh.members().len() == usize::from(n) - 1), "all have met");
        wire.told.clear();
        wire.sent.clear();
        wire
    }

    pub(crate) fn now(&self) -> Now {
        at(self.millis)
    }

    pub(crate) fn mesh(&mut self, n: u8) -> &mut Mesh {
        let found = self.meshes.iter_mut().find(|(addr, _)| addr.ip() == self::addr(n).ip());
        &mut found.unwrap().1
    }

    /// Lets some milliseconds pass, one at a time; a datagram takes no time.
    pub(crate) fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.millis += 1;
            self.tick();
        }
    }

    /// Does everything that is due now, and everything that follows from it.
    pub(crate) fn tick(&mut self) {
        let now = self.now();
        while let Some((_, at, claims)) = self.checking.pop_front_if(|(due, ..)| *due <= self.millis) {
            let effects = self.check(at, &claims);
            self.carry(at, effects);
        }
        for place in 0..self.meshes.len() {
            let mut out = Vec::new();
            let (from, mesh) = &mut self.meshes[place];
            if mesh.wake_at() <= now.mono {
                mesh.wake(now, &mut out);
            }
            let from = *from;
            self.carry(from, out);
        }
    }

    /// Carries out what a mesh wants, and what follows from it.
    pub(crate) fn carry(&mut self, from: SocketAddr, effects: Vec<Effect>) {
        let now = self.now();
        let mut todo: VecDeque<(SocketAddr, Effect)> = effects.into_iter().map(|effect| (from, effect)).collect();
        while let Some((from, effect)) = todo.pop_front() {
            if let Effect::Stream(order) = effect {
                todo.extend(self.stream(from, order));
                continue;
            }
            if let Effect::Check(claims) = effect {
                if self.check_takes > 0 {
                    self.checking.push_back((self.millis + self.check_takes, from, claims));
                } else {
                    todo.extend(self.check(from, &claims).into_iter().map(|effect| (from, effect)));
                }
                continue;
            }
            let Effect::Send { to, bytes } = effect else {
                self.told.push((from, effect));
                continue;
            };
            self.sent.push((from, to, bytes.clone()));
            let is_lost = self.loss.as_mut().is_some_and(|(dice, percent)| dice.next_u32() % 100 < *percent);
            if !is_lost
                && !(self.cut)(from, to)
                && let Some((_, mesh)) = self.meshes.iter_mut().find(|(addr, _)| *addr == to)
            {
                let mut out = Vec::new();
                mesh.datagram(from, &bytes, now, &mut out);
                todo.extend(out.into_iter().map(|effect| (to, effect)));
            }
        }
    }

    fn check(&mut self, at: SocketAddr, claims: &Claims) -> Vec<Effect> {
        let (now, mut out) = (self.now(), Vec::new());
        let (_, mesh) = self.meshes.iter_mut().find(|(addr, _)| *addr == at).unwrap();
        mesh.checked(claims.check(), now, &mut out);
        out
    }

    /// Carries out what a mesh wants done with a stream: frames take no time and arrive in order.
    fn stream(&mut self, from: SocketAddr, order: StreamOrder) -> Vec<(SocketAddr, Effect)> {
        let other = |ends: [SocketAddr; 2]| if ends[0] == from { ends[1] } else { ends[0] };
        let place = |stream: StreamId| usize::try_from(stream.0).unwrap();
        match order {
            StreamOrder::Dial { to, .. } if self.no_streams || (self.cut)(from, to) => {
                self.hear(from, StreamEvent::Failed { to })
            }
            StreamOrder::Dial { .. } if self.silent_streams => Vec::new(),
            StreamOrder::Dial { to, expect } => {
                let stream = StreamId(self.streams.len() as u64);
                self.streams.push([from, to]);
                let who = |wire: &Self, addr| wire.meshes.iter().find(|(known, _)| *known == addr).unwrap().1.identity();
                let (dialer, binding) = (who(self, from), [7; 32]);
                let called = who(self, to);
                if expect.is_some_and(|expect| expect != called) {
                    return self.hear(from, StreamEvent::Failed { to });
                }
                let opened = |peer, addr, role| StreamEvent::Opened { stream, peer, addr, role, binding };
                let mut effects = self.hear(from, opened(called, to, Role::Dialer));
                effects.extend(self.hear(to, opened(dialer, from, Role::Listener)));
                effects
            }
            StreamOrder::Send { stream, frame } | StreamOrder::Offer { stream, frame } => {
                assert!(frame.len() <= crate::STREAM_FRAME_BYTES_MAX);
                let ends = self.streams[place(stream)];
                if (self.cut)(ends[0], ends[1]) || self.frames_left == 0 {
                    self.streams[place(stream)] = [addr(0), addr(0)];
                    return ends.into_iter().flat_map(|end| self.hear(end, StreamEvent::Closed(stream))).collect();
                }
                self.frames_left = self.frames_left.saturating_sub(1);
                self.hear(other(ends), StreamEvent::Frame { stream, frame })
            }
            StreamOrder::Close(stream) => self.hear(other(self.streams[place(stream)]), StreamEvent::Closed(stream)),
            StreamOrder::Admit(_) => Vec::new(),
        }
    }

    fn hear(&mut self, at: SocketAddr, event: StreamEvent) -> Vec<(SocketAddr, Effect)> {
        let now = self.now();
        let Some((_, mesh)) = self.meshes.iter_mut().find(|(addr, _)| *addr == at) else { return Vec::new() };
        let mut out = Vec::new();
        mesh.stream(event, now, &mut out);
        out.into_iter().map(|effect| (at, effect)).collect()
    }

    /// Node `n` says something, and everybody who can hears of it at once.
    pub(crate) fn say(&mut self, n: u8, about: &str, said: Said) -> Signed {
        let now = self.now();
        let mut out = Vec::new();
        let statement = Statement { subject: subject(about), said };
        let signed = self.mesh(n).publish(statement, now, &mut out).unwrap();
        self.carry(addr(n), out);
        signed
    }

    /// What every node holds about a subject, in words.
    pub(crate) fn views(&self, about: &str) -> Vec<String> {
        let view = |mesh: &Mesh| {
            let words = mesh.records(&subject(about)).into_iter().map(|signed| {
                let kind = if signed.record.is_ban() { "ban" } else { "unban" };
                format!("{kind} by {}", signed.record.origin_name)
            });
            words.collect::<Vec<_>>().join(", ")
        };
        self.meshes.iter().map(|(_, mesh)| view(mesh)).collect()
    }

    pub(crate) fn all_see(&self, about: &str, view: &str) -> bool {
        self.views(about).iter().all(|seen| seen == view)
    }
}
