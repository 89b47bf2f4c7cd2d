//! What the kernel path uses of the kernel, each tried.

use super::{netlink, throwaway};
use crate::{
    Attach, Dark, Error, Flood, OnExit, Options, ScanOptions, Spoofable, TableKind, bpf, load,
    netlink::octets::{ACK, CREATE, REQUEST, attribute, message, nested, text},
    nft, system,
    ticks::Ticks,
};
use nix::sys::socket::SockProtocol;
use std::{io, os::fd::AsFd, path::PathBuf, time::Duration};

/// Something that the kernel path uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Maps that hold bans, prefixes, counters and settings.
    Maps,
    /// Arrays that user space maps into its memory.
    SharedMaps,
    /// The ring buffer that knocks come through.
    RingBuffer,
    /// Programs for XDP.
    Xdp,
    /// Programs for XDP that take packets of several pages.
    LargePackets,
    /// Our program with its tables, as the verifier sees it.
    Program,
    /// XDP in a driver, by a link: tried with a virtual cable.
    Native,
    /// XDP in the network stack, by a link.
    Generic,
    /// Programs for tc.
    Tc,
    /// Links for tc.
    Tcx,
    /// Maps of sockets, for steering connections to the traps.
    SocketMaps,
    /// A chain of nftables at an interface's ingress.
    Nftables,
    /// Rules of nftables that see probes of dark ports.
    NftSockets,
    /// Rules of nftables that weigh the reactions of silenced sources.
    NftCoins,
    /// A rule of nftables that hands connections to the traps.
    NftTraps,
    /// The packet log, which tells what those rules saw.
    NftLog,
    /// The kernel says by netlink what a driver can.
    DriverFacts,
}

impl Feature {
    /// Every feature.
    pub const ALL: [Self; 17] = [
        Self::Maps,
        Self::SharedMaps,
        Self::RingBuffer,
        Self::Xdp,
        Self::LargePackets,
        Self::Program,
        Self::Native,
        Self::Generic,
        Self::Tc,
        Self::Tcx,
        Self::SocketMaps,
        Self::Nftables,
        Self::NftSockets,
        Self::NftCoins,
        Self::NftTraps,
        Self::NftLog,
        Self::DriverFacts,
    ];
}

/// What came of trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It works.
    Works,
    /// This process may not try.
    Denied,
    /// It does not work; what the kernel says.
    Fails(String),
}

impl From<io::Result<()>> for Tried {
    fn from(result: io::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Works,
            Err(error) if system::is_denied(error.raw_os_error()) => Self::Denied,
            Err(error) => Self::Fails(error.to_string()),
        }
    }
}

const HASH: u32 = 1;
const ARRAY: u32 = 2;
const PERCPU_ARRAY: u32 = 6;
const LPM_TRIE: u32 = 11;
const SOCKMAP: u32 = 15;
const RINGBUF: u32 = 27;
const NO_PREALLOC: u32 = 1;
const MMAPABLE: u32 = 1 << 10;
const PROG_TC: u32 = 3;
const PROG_XDP: u32 = 6;
/// `BPF_F_XDP_HAS_FRAGS`.
const HAS_FRAGS: u32 = 1 << 5;
const AT_XDP: u32 = 37;
/// `BPF_TCX_INGRESS`.
const AT_TCX: u32 = 46;
const PAGE: u32 = 4_096;

/// Tries everything. Nothing of it outlives the call.
#[must_use]
pub fn try_features() -> Vec<(Feature, Tried)> {
    let [native, generic, tcx, nftables, sockets, coins, traps, log] = throwaway::with_cable(on_cable).unwrap_or_else(|error| {
        let tried = Tried::from(Err(error));
        std::array::from_fn(|_| tried.clone())
    });
    let tried = |feature| match feature {
        Feature::Maps => maps().into(),
        Feature::SharedMaps => map(ARRAY, 4, PAGE, 1, MMAPABLE).into(),
        Feature::RingBuffer => map(RINGBUF, 0, 0, PAGE, 0).into(),
        Feature::Xdp => program(PROG_XDP, 0).into(),
        Feature::LargePackets => program(PROG_XDP, HAS_FRAGS).into(),
        Feature::Program => ours(),
        Feature::Tc => program(PROG_TC, 0).into(),
        Feature::SocketMaps => map(SOCKMAP, 4, 8, 1, 0).into(),
        Feature::DriverFacts => super::interface::driver_facts_work().into(),
        Feature::Native => native.clone(),
        Feature::Generic => generic.clone(),
        Feature::Tcx => tcx.clone(),
        Feature::Nftables => nftables.clone(),
        Feature::NftSockets => sockets.clone(),
        Feature::NftCoins => coins.clone(),
        Feature::NftTraps => traps.clone(),
        Feature::NftLog => log.clone(),
    };
    Feature::ALL.into_iter().map(|feature| (feature, tried(feature))).collect()
}

fn map(kind: u32, key_size: u32, value_size: u32, max_entries: u32, flags: u32) -> io::Result<()> {
    bpf::map_create(kind, key_size, value_size, max_entries, flags).map(drop)
}

fn maps() -> io::Result<()> {
    map(HASH, 4, 8, 1, NO_PREALLOC)?;
    map(ARRAY, 4, 8, 1, 0)?;
    map(PERCPU_ARRAY, 4, 8, 1, 0)?;
    map(LPM_TRIE, 8, 8, 1, NO_PREALLOC)
}

fn program(kind: u32, flags: u32) -> io::Result<()> {
    bpf::pass_load(kind, flags).map(drop)
}

/// Has the kernel verify the program itself, with small tables.
fn ours() -> Tried {
    match Ticks::calibrate().and_then(|ticks| load::load(&small(), None, &ticks)) {
        Ok(_) => Tried::Works,
        Err(Error::Privilege { .. }) => Tried::Denied,
        Err(error) => Tried::Fails(error.to_string()),
    }
}

fn small() -> Options {
    let (window, ttl) = (Duration::from_secs(60), Duration::from_secs(60));
    Options {
        interfaces: vec!["lo".into()],
        attach: Attach::Auto,
        pin_dir: PathBuf::from("/"),
        max_bans: 1_024,
        max_v6: None,
        table: TableKind::default(),
        scan: ScanOptions {
            ports: 3,
            window,
            spoofable: Spoofable::Dark,
            ttl,
            budget: 1_024,
            sources: 1_024,
            udp: true,
            oracle: true,
        },
        flood: Flood::Off,
        exit: OnExit::Release,
        dark: Dark::Refuse,
        except: Vec::new(),
    }
}

/// What needs an interface: native and generic XDP, tcx, nftables. And what leaves nothing where nobody else is: our own rules, and what
/// they need apart.
fn on_cable(index: u32) -> [Tried; 8] {
    let xdp = |mode| {
        let program = bpf::pass_load(PROG_XDP, HAS_FRAGS).or_else(|_| bpf::pass_load(PROG_XDP, 0))?;
        bpf::attach(program.as_fd(), index, AT_XDP, mode).map(drop)
    };
    let tcx = || {
        let program = bpf::pass_load(PROG_TC, 0)?;
        bpf::attach(program.as_fd(), index, AT_TCX, 0).map(drop)
    };
    let [sockets, coins, traps, log] = rules();
    [xdp(bpf::MODE_NATIVE).into(), xdp(bpf::MODE_GENERIC).into(), tcx().into(), nftables().into(), sockets, coins, traps, log]
}

/// Has the kernel take the rules, with everything that can be asked of them.
fn rules() -> [Tried; 4] {
    match nft::try_rules(&Options { dark: Dark::Trap, ..small() }) {
        Ok(nft::TriedRules { sockets, coins, traps, log }) => [sockets, coins, traps, log].map(Tried::from),
        Err(error) => {
            let tried = Tried::from(Err(error));
            std::array::from_fn(|_| tried.clone())
        }
    }
}

/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = NFTABLES << 8;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
/// `NFPROTO_NETDEV`.
const NETDEV: u8 = 5;

/// Makes a table with a chain at the ingress of the cable.
fn nftables() -> io::Result<()> {
    let header = |family: u8, resource: u16| [&[family, 0][..], &resource.to_be_bytes()].concat();
    let hook = [attribute(1, &[0; 4]), attribute(2, &[0; 4]), text(3, throwaway::CABLE)];
    let chain = [text(1, "hmd"), text(3, "in"), nested(4, &hook), text(7, "filter")];
    let batch = [
        message(BATCH_BEGIN, REQUEST, 0, &header(0, NFTABLES)),
        message(NEW_TABLE, REQUEST | CREATE, 0, &[header(NETDEV, 0), text(1, "hmd")].concat()),
        message(NEW_CHAIN, REQUEST | CREATE | ACK, 0, &[header(NETDEV, 0), chain.concat()].concat()),
        message(BATCH_END, REQUEST, 0, &header(0, NFTABLES)),
    ];
    netlink::ask(SockProtocol::NetlinkNetFilter, &batch.concat()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_tried_and_answers_for_itself() {
        let tried = try_features();
        assert_eq!(tried.len(), Feature::ALL.len());
        if nix::unistd::Uid::effective().is_root() {
            let failed: Vec<_> = tried.iter().filter(|(_, tried)| *tried != Tried::Works).collect();
            assert!(failed.is_empty(), "this machine is one that has them all: {failed:?}");
        }
    }

    #[test]
    fn what_nftables_lacks_is_told_apart() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let told = throwaway::with_cable(|_| {
            let whole = rules();
            // Somebody else has the log's group.
            let theirs = nft::Log::open(Duration::from_secs(60)).unwrap();
            let taken = rules();
            drop(theirs);
            let mut plain = small();
            plain.scan.oracle = false;
            (whole, taken, nft::try_rules(&plain).unwrap().coins.map_err(|error| error.kind()))
        });
        let (whole, taken, coins) = told.unwrap();
        assert!(whole.iter().all(|tried| *tried == Tried::Works), "{whole:?}");
        let [sockets, thrown, traps, log] = taken;
        assert_eq!([sockets, thrown, traps], [const { Tried::Works }; 3]);
        assert_eq!(log, Tried::Denied, "the kernel's word for a group that somebody has");
        assert_eq!(coins, Err(io::ErrorKind::Unsupported), "coins that nobody asked for are not said to work");
    }
}
