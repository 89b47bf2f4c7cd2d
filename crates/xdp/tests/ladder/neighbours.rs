//! Who is banned is still asked for his hardware address, answers, asks for ours, and is answered: ARP and neighbour discovery.

use crate::common::{
    self,
    backend::{HERE, HERE6, Stage, full},
};
use std::{
    net::{IpAddr, UdpSocket},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// A question is repeated every second; so many may be lost.
const FOUND_WITHIN: Duration = Duration::from_secs(5);

/// What the calling thread's network stack knows of a neighbour.
fn known(who: &str) -> String {
    let shown = Command::new("ip").args(["neigh", "show", who]).output().unwrap();
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

/// Forgets all neighbours on the interface `at`, then says something to this one. Was its hardware address found for it?
fn finds(at: &str, who: &str) -> bool {
    common::ip(&format!("neigh flush dev {at} nud all"));
    assert!(!known(who).contains("lladdr"), "{who} is forgotten");
    let unspecified = if who.contains(':') { "::" } else { "0.0.0.0" };
    let socket = UdpSocket::bind((unspecified, 0)).unwrap();
    let start = Instant::now();
    while start.elapsed() < FOUND_WITHIN {
        // What waits for the address is told as refused, when it was asked for in vain.
        let _refused_or_not = socket.send_to(b"x", (who.parse::<IpAddr>().unwrap(), 9));
        thread::sleep(Duration::from_millis(10));
        if known(who).contains("lladdr") {
            return true;
        }
    }
    false
}

pub(crate) fn banned_neighbours_are_still_found_and_find_us(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    // The address alone, and a prefix around it; of both families.
    for subjects in [["192.0.2.2", "2001:db8::2"], ["192.0.2.0/24", "2001:db8::/64"], ["192.0.0.0/16", "2001:db8::/48"]] {
        for (subject, here, there) in [(subjects[0], HERE, "192.0.2.2"), (subjects[1], HERE6, "2001:db8::2")] {
            kernel.raise(&full(subject)).unwrap();
            assert!(stage.drops(&*kernel, there), "{subject}");
            let before = kernel.counters();
            assert!(finds("hm0", there), "{subject}: it answers us");
            assert!(stage.peer.run(move || finds("hm1", here)), "{subject}: we answer it");
            let after = kernel.counters();
            assert!(
                there == "192.0.2.2" || after.neighbour >= before.neighbour + 2,
                "{subject}: question and answer are counted"
            );
            assert!(kernel.drops(subject) > 1, "{subject}: what it said then was dropped");
            assert!(kernel.lift(subject));
        }
    }
    kernel.release();
}
