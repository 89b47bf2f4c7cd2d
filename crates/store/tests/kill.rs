//! A process that dies by `kill -9` in the middle of a storm of bans loses none that the store acknowledged.

use honeymesh_store::{ClaimRow, Retention, Store, Write};
use honeymesh_types::{Event, EventId, EventKind, Grade, Reasons, Scope, Subject, WallTime};
use std::{
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Set in the helper process: where it shall write.
const DIR_VARIABLE: &str = "HONEYMESH_STORE_TEST_DIR";
/// Bans that are acknowledged before the helper is killed.
const ACKNOWLEDGED_MIN: u32 = 200;
const KEEP_ALL: Retention =
    Retention { events_max: 1_000_000, age: Duration::from_secs(3_650 * 86_400), payload_bytes_max: 1 << 40 };

fn subject(number: u32) -> Subject {
    Subject::host(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)))
}

fn claim(number: u32) -> ClaimRow {
    ClaimRow {
        subject: subject(number),
        slot: "trap".into(),
        origin_name: "edge-1".into(),
        reasons: Reasons::TRAP,
        grade: Grade::Hostile,
        scope: Scope::All,
        score: 90,
        since: WallTime(1),
        last: WallTime(1),
        until: None,
        note: None,
        evidence: None,
        meshed: true,
        force: false,
    }
}

/// Not a test of its own: the process that is killed.
#[test]
fn helper_writes_bans_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else { return };
    let store = Store::open(Path::new(&dir), KEEP_ALL).unwrap();
    let writer = store.writer();
    for number in 0..u32::MAX {
        writer.send(Write::Claim(Box::new(claim(number)))).unwrap();
        let mut event = Event::new(EventId(u128::from(number)), WallTime(1), "edge-1".parse().unwrap(), EventKind::Ban);
        event.subject = Some(subject(number));
        let _ = writer.send(Write::Event(Box::new(event)));
        writer.sync(Duration::from_secs(60)).unwrap();
        println!("\nacknowledged {number}");
    }
}

#[test]
fn no_acknowledged_ban_is_lost_by_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_writes_bans_until_it_is_killed", "--nocapture"])
        .env(DIR_VARIABLE, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(helper.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut last = 0;
    for line in lines {
        let Some(number) = line.strip_prefix("acknowledged ") else { continue };
        last = number.parse().unwrap();
        if last == ACKNOWLEDGED_MIN {
            helper.kill().unwrap();
        }
    }
    helper.wait().unwrap();
    assert!(last >= ACKNOWLEDGED_MIN, "the helper ended too early, at {last}");
    let store = Store::open(dir.path(), KEEP_ALL).unwrap();
    let claims = store.reader().unwrap().stored().unwrap().claims;
    for number in 0..=last {
        assert!(claims.contains(&claim(number)), "ban {number} of {last} acknowledged ones is lost");
    }
}
