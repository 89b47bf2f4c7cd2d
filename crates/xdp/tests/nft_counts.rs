//! How many bans the sets of nf_tables hold: what ends by itself, changes its kind or is taken away by others makes room.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    alone,
    backend::{full, nft},
    ban, hour,
    tool::{add_ours, tool},
    wait,
};
use honeymesh_types::{Enforcement, Scope};
use honeymesh_xdp::{Error, Nft, now};
use std::{net::Ipv4Addr, time::Duration};

/// How many fit.
const MAX: u32 = 16;
/// The life of what ends by itself.
const SHORT: Duration = Duration::from_millis(400);

fn name(net: u32, host: u32) -> String {
    format!("198.51.{net}.{host}")
}

fn elements(set: &str) -> usize {
    tool(&format!("list set inet honeymesh {set}")).unwrap().matches("expires").count()
}

#[test]
fn silences_that_have_ended_make_room_for_others() {
    alone("ended silences", |room| {
        let mut options = room.options(&["lo"]);
        options.max_bans = MAX;
        let mut nft = nft(&options).unwrap();
        nft.raise(&full("203.0.113.1"), now()).unwrap();
        for round in 0..4 {
            for host in 0..MAX {
                let until = now().wall.plus(SHORT);
                nft.raise(&ban(&name(round, host), Scope::Dark, Some(until)), now())
                    .unwrap_or_else(|error| panic!("{round}: {error}"));
            }
            assert!(
                matches!(nft.raise(&hour("203.0.113.77", Scope::Dark), now()), Err(Error::Full { limit: MAX, .. })),
                "{round}"
            );
            assert!(wait(|| elements("dark4_32") == 0), "{round}: they do not end");
            // Whoever gave them their end says so.
            for host in 0..MAX {
                nft.lift(&name(round, host).parse().unwrap()).unwrap();
            }
        }
        nft.release().unwrap();
    });
}

#[test]
fn a_silence_that_becomes_a_ban_makes_room_for_another() {
    alone("changed silences", |room| {
        let mut options = room.options(&["lo"]);
        options.max_bans = MAX;
        let mut nft = nft(&options).unwrap();
        for round in 0..4 {
            for host in 0..MAX {
                let subject = name(round, host);
                for what in [hour(&subject, Scope::Dark), full(&subject)] {
                    nft.raise(&what, now()).unwrap_or_else(|error| panic!("{round}, {subject}: {error}"));
                }
            }
            assert!(matches!(nft.raise(&full("203.0.113.77"), now()), Err(Error::Full { limit: MAX, .. })), "{round}");
            nft.raise(&hour("203.0.113.77", Scope::Dark), now()).unwrap();
            nft.lift(&"203.0.113.77".parse().unwrap()).unwrap();
            for host in 0..MAX {
                assert!(nft.lift(&name(round, host).parse().unwrap()).unwrap());
            }
        }
        nft.release().unwrap();
    });
}

/// More than are counted while somebody waits.
const MANY: u32 = 51_000;
/// Few fit beside them.
const MORE: u32 = 2_000;

fn many(from: u32, count: u32) -> Vec<Enforcement> {
    let subject = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 + number).to_string();
    (from..from + count).map(|number| hour(&subject(number), Scope::All)).collect()
}

fn raise_all(nft: &mut Nft, all: &[Enforcement]) -> usize {
    all.iter().filter(|what| nft.raise(what, now()).is_err()).count()
}

#[test]
fn what_others_took_away_makes_room_with_the_next_audit() {
    alone("flushed bans", |room| {
        let mut options = room.options(&["lo"]);
        options.max_bans = MANY + MORE / 2;
        // Nobody owns them, so that another may change them.
        ["netdev", "inet"].into_iter().for_each(add_ours);
        let mut nft = nft(&options).unwrap();
        let auditor = nft.take_auditor().unwrap();
        nft.reconcile(&many(0, MANY), now()).unwrap();
        assert_eq!(raise_all(&mut nft, &many(MANY, MORE)), (MORE / 2) as usize, "full");
        tool("flush set netdev honeymesh ban4_32").unwrap();
        let missing = auditor.audit(&many(0, MANY), now()).unwrap().missing;
        assert_eq!(missing.len(), MANY as usize);
        assert_eq!(raise_all(&mut nft, &many(2 * MANY, MORE)), 0, "there is room");
        nft.release().unwrap();
    });
}
