//! What became of a change that cannot be read back.

use super::{Beginning, Table};
use crate::nft::{
    layout::{Earns, Manner, Scan, sends_from},
    orders::{Depth, Network},
    side::Side,
    socket::Socket,
};
use nix::sched::{CloneFlags, unshare};

fn network() -> Network {
    Network { interfaces: vec!["lo".into()], carriers: vec!["lo".into()], sends_from: sends_from() }
}

fn table() -> Table {
    let scan = Scan {
        ports: 3,
        window_ms: 60_000,
        earns: Earns::Silence,
        ttl_ms: 60_000,
        budget: 8,
        sources: 1_024,
        udp: true,
        oracle: false,
        manner: Manner::Refuse,
        except: Vec::new(),
        sends_from: sends_from(),
    };
    let beginning = Beginning { network: network(), max_bans: 8, releases: true, scan };
    Table::open(Socket::open().unwrap(), beginning).unwrap()
}

#[test]
fn what_the_kernel_took_is_taken_though_it_cannot_be_read_back() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("SKIPPED: needs root for network namespaces");
        return;
    }
    let test = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let mut table = table();
        table.is_unreadable = true;
        table.set_enforcing(false).unwrap();
        let state = table.state();
        assert!(!state.owes && !state.mended.is_changed, "{state:?}");
        table.guard(network(), Depth::Whole).unwrap();
        let state = table.state();
        assert!(!state.owes && !state.mended.is_changed, "our own work is nobody else's: {state:?}");
        table.is_unreadable = false;
        table.guard(network(), Depth::Rules).unwrap();
        assert!(table.unread.is_empty() && table.are_rules_as_left(&Side::BOTH).unwrap());
        assert!(!table.state().mended.is_changed);
    };
    std::thread::spawn(test).join().unwrap();
}
