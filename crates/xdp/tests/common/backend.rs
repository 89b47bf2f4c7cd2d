//! All rungs behind one face, real frames to them, and what became of those.

use super::{PATIENCE, Peer, Room, ban, flood::Wire, hour, wait};
use honeymesh_types::{Enforcement, Knock, Lockdown, Scope};
use honeymesh_xdp::{Attach, AttachMode, Counters, Drift, Error, Kernel, Knocks, Nft, NftEnds, NftWriter, Options, now};
use honeymesh_xdp_program::testing::Packet;
use std::{
    cell::RefCell,
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// Somebody who is always banned: when this one's frame is counted, all frames before it were judged.
pub const SENTINEL: &str = "198.51.100.254";
/// Our address on the cable.
pub const HERE: &str = "192.0.2.1";

/// The hardware address that made frames go to.
pub const HARDWARE: &str = "02:00:00:00:00:01";
/// The same of IPv6.
pub const HERE6: &str = "2001:db8::1";

/// How long one end of the cable waits for the other the first time, before it tries again.
const MEETING: Duration = Duration::from_secs(2);

/// Which rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// XDP in the driver.
    Xdp,
    /// XDP in the network stack, before everything else there.
    Generic,
    /// nf_tables.
    Nft,
}

impl Kind {
    /// All of them, the highest first.
    pub const ALL: [Self; 3] = [Self::Xdp, Self::Generic, Self::Nft];

    /// Starts the XDP back end on this rung. Fails where the kernel says that the programs are not there, or there in another way.
    pub fn kernel(self, options: &Options) -> Result<(Kernel, Knocks), Error> {
        let (attach, mode) = match self {
            Self::Xdp => (Attach::Native, AttachMode::Native),
            Self::Generic => (Attach::Generic, AttachMode::Generic),
            Self::Nft => panic!("there is no XDP on this rung"),
        };
        let started = Kernel::start(&Options { attach, ..options.clone() })?;
        let seen: Vec<_> = started.0.interfaces().into_iter().map(|seen| (seen.mode, seen.attached)).collect();
        assert_eq!(seen, vec![(mode, true); options.interfaces.len()], "it is not this rung that is tested");
        Ok(started)
    }
}

/// What all rungs do.
pub trait Backend {
    fn raise(&mut self, what: &Enforcement) -> Result<(), Error>;
    fn lift(&mut self, subject: &str) -> bool;
    fn set_allow(&mut self, nets: &[&str]);
    fn set_enforcing(&mut self, on: bool);
    fn set_lockdown(&mut self, lockdown: Lockdown);
    fn drops(&self, subject: &str) -> u64;
    fn reconcile(&mut self, intent: &[Enforcement]) -> Drift;
    fn mend(&mut self, what: &Enforcement) -> Drift;
    fn guard(&mut self) -> Drift;
    fn audit(&mut self, intent: &[Enforcement]) -> Drift;
    fn counters(&self) -> Counters;
    fn begin_probing(&mut self);
    fn release(self: Box<Self>);
}

macro_rules! backend {
    ($kind:ty) => {
        impl Backend for $kind {
            fn raise(&mut self, what: &Enforcement) -> Result<(), Error> {
                <$kind>::raise(self, what, now())
            }
            fn lift(&mut self, subject: &str) -> bool {
                <$kind>::lift(self, &subject.parse().unwrap()).unwrap()
            }
            fn set_allow(&mut self, nets: &[&str]) {
                let nets: Vec<_> = nets.iter().map(|net| super::net_of(net)).collect();
                <$kind>::set_allow(self, &nets).unwrap();
            }
            fn set_enforcing(&mut self, on: bool) {
                <$kind>::set_enforcing(self, on).unwrap();
            }
            fn set_lockdown(&mut self, lockdown: Lockdown) {
                <$kind>::set_lockdown(self, lockdown).unwrap();
            }
            fn drops(&self, subject: &str) -> u64 {
                <$kind>::drops(self, &subject.parse().unwrap())
            }
            fn reconcile(&mut self, intent: &[Enforcement]) -> Drift {
                <$kind>::reconcile(self, intent, now()).unwrap()
            }
            fn mend(&mut self, what: &Enforcement) -> Drift {
                <$kind>::mend(self, &what.subject, Some(what), now()).unwrap()
            }
            fn guard(&mut self) -> Drift {
                <$kind>::guard(self).unwrap()
            }
            fn audit(&mut self, intent: &[Enforcement]) -> Drift {
                self.take_auditor().unwrap().audit(intent, now()).unwrap()
            }
            fn counters(&self) -> Counters {
                <$kind>::counters(self).unwrap()
            }
            fn begin_probing(&mut self) {
                <$kind>::begin_probing(self).unwrap();
            }
            fn release(self: Box<Self>) {
                (*self).release().unwrap();
            }
        }
    };
}

backend!(Kernel);
backend!(Nft);

/// The nftables back end, its writer a thread of the test's network namespace.
pub fn nft(options: &Options) -> Result<Nft, Error> {
    Nft::start(options, |NftEnds { orders, looks }| {
        std::thread::spawn(|| NftWriter::open(orders, looks).unwrap().run());
        Ok(())
    })
}

/// What `attempt` gives once nobody who has ended is in its way: a writer may take a moment to notice that its daemon is gone, and so may
/// whatever another test has just started before it closes what it got of our descriptors.
pub fn unhindered<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> T {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(Error::InUse { .. }) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            other => return other.unwrap(),
        }
    }
}

/// The nftables back end, started after one that has ended.
pub fn nft_again(options: &Options) -> Nft {
    unhindered(|| nft(options))
}

/// Lives of bans that must hold until something was judged: the first that suffices on this machine.
const LIVES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(10)];

/// Raises a ban of the life that it is given, and does what must be done while that holds; again, with a longer life, where the machine
/// took longer for it. What came of it in time, and the life.
pub fn in_time<T>(mut attempt: impl FnMut(Duration) -> T) -> (T, Duration) {
    for life in LIVES {
        let start = Instant::now();
        let done = attempt(life);
        if start.elapsed() < life {
            return (done, life);
        }
    }
    panic!("{LIVES:?} are not enough");
}

/// An end in jiffies is up to 130 ms late.
pub const LATE_MAX: Duration = Duration::from_millis(200);

/// A guarded host, `hm0`, and the far end of its cable.
pub struct Stage<'a> {
    pub room: &'a Room,
    pub peer: Peer,
    pub kind: Kind,
    pub max_bans: u32,
    knocks: RefCell<Option<Knocks>>,
}

impl<'a> Stage<'a> {
    pub fn new(room: &'a Room, kind: Kind) -> Self {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        super::ip(&format!("link set hm0 address {HARDWARE}"));
        // Whoever has not met asks for the hardware address first, and if that question is lost a second passes before the next.
        for to in [HERE, HERE6] {
            let to = SocketAddr::new(to.parse::<IpAddr>().unwrap(), 9);
            let met =
                move || TcpStream::connect_timeout(&to, MEETING).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
            assert!(wait(|| peer.run(met)), "{to} does not answer");
        }
        Self { room, peer, kind, max_bans: 1_000, knocks: RefCell::default() }
    }

    /// From here on nothing comes out of the far end but what a test sends: its own network stack has no IPv6 any more, and with it no
    /// reports to multicast routers. They leave at moments that it chooses by chance, and a lockdown drops and counts them, too. Returns when
    /// all that was on its way has been judged.
    pub fn hush(&self, backend: &dyn Backend) {
        self.peer.run(|| std::fs::write("/proc/sys/net/ipv6/conf/hm1/disable_ipv6", "1").unwrap());
        self.dropped(backend, &[]);
    }

    /// Also after a start that has ended.
    pub fn start(&self) -> Box<dyn Backend> {
        let mut options = self.room.options(&["hm0"]);
        options.max_bans = self.max_bans;
        // Whoever read before is gone, too.
        drop(self.knocks.take());
        let mut backend: Box<dyn Backend> = match self.kind {
            Kind::Xdp | Kind::Generic => {
                let (mut kernel, knocks) = unhindered(|| self.kind.kernel(&options));
                kernel.set_local(&[HERE, HERE6].map(|addr| addr.parse().unwrap())).unwrap();
                self.knocks.replace(Some(knocks));
                Box::new(kernel)
            }
            Kind::Nft => {
                let mut nft = nft_again(&options);
                self.knocks.replace(nft.take_knocks());
                Box::new(nft)
            }
        };
        backend.raise(&ban(SENTINEL, Scope::All, None)).unwrap();
        backend
    }

    /// Sends frames and waits until all of them were judged. How many were dropped (or would have been).
    pub fn dropped(&self, backend: &dyn Backend, frames: &[Packet]) -> u64 {
        let all = |backend: &dyn Backend| {
            let counters = backend.counters();
            counters.dropped + counters.would_drop
        };
        let (before, sentinel) = (all(backend), backend.drops(SENTINEL));
        let mut octets: Vec<_> = frames.iter().map(Packet::build).collect();
        octets.push(Packet::udp(SENTINEL, HERE, 9).build());
        // One socket for all: the kernel takes its time to close one.
        self.peer.run(move || {
            let wire = Wire::out_of("hm1");
            octets.iter().for_each(|frame| wire.send(frame));
        });
        let start = Instant::now();
        while backend.drops(SENTINEL) == sentinel {
            assert!(start.elapsed() < PATIENCE, "the sentinel was not dropped");
            std::thread::sleep(Duration::from_millis(1));
        }
        all(backend) - before - 1
    }

    /// What the kernel told since it was asked last.
    pub fn told(&self) -> Vec<Knock> {
        let mut knocks = self.knocks.borrow_mut();
        std::iter::from_fn(|| knocks.as_mut()?.next(now())).collect()
    }

    /// Is one datagram from this source dropped?
    pub fn drops(&self, backend: &dyn Backend, source: &str) -> bool {
        self.dropped(backend, &[datagram(source)]) == 1
    }
}

pub fn datagram(source: &str) -> Packet {
    Packet::udp(source, if source.contains(':') { "2001:db8::1" } else { HERE }, 53)
}

/// The intent that a test has, with the one that every stage has.
pub fn intent(more: &[Enforcement]) -> Vec<Enforcement> {
    more.iter().copied().chain([ban(SENTINEL, Scope::All, None)]).collect()
}

/// A full ban for an hour.
pub fn full(subject: &str) -> Enforcement {
    hour(subject, Scope::All)
}

/// A full ban that ends soon.
pub fn brief(subject: &str, life: Duration) -> Enforcement {
    ban(subject, Scope::All, Some(now().wall.plus(life)))
}
