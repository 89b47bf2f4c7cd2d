//! Whoever is honest passes, on every rung: the self-probe's source like any other, and much that is sent at once, whole.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    PATIENCE, alone,
    backend::{HERE, Kind, Stage, full},
    wait,
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// Octets of a transfer: many frames, and where the network stack merges them, as large as one can be.
const MUCH: usize = 8 << 20;

#[test]
fn what_the_operator_allows_covers_the_self_probes_source() {
    for kind in Kind::ALL {
        alone("the probe's source", |room| is_covered(&Stage::new(room, kind)));
    }
}

fn is_covered(stage: &Stage<'_>) {
    for is_probing in [false, true] {
        let mut kernel = stage.start();
        if is_probing {
            kernel.begin_probing();
        }
        for (source, around, wider) in
            [("192.0.0.31", "192.0.0.0/24", "192.0.0.0/8"), ("100:0:0:1::1f", "100:0:0:1::/64", "100::/16")]
        {
            kernel.raise(&full(around)).unwrap();
            kernel.set_allow(&[]);
            assert!(stage.drops(&*kernel, source), "{source}: from a wire it is a source like any other");
            for net in [around, wider, source] {
                kernel.set_allow(&[net]);
                assert!(!stage.drops(&*kernel, source), "{source} is allowed by {net}");
            }
            kernel.set_allow(&["198.18.0.0/15"]);
            assert!(stage.drops(&*kernel, source), "{source}");
        }
        kernel.release();
    }
}

#[test]
fn much_that_is_sent_at_once_arrives_whole_until_its_sender_is_banned() {
    for kind in Kind::ALL {
        alone("a large transfer", |room| arrives_whole(&Stage::new(room, kind)));
    }
}

fn arrives_whole(stage: &Stage<'_>) {
    let mut kernel = stage.start();
    let listener = TcpListener::bind((HERE, 80)).unwrap();
    let sent: Vec<u8> = (0..MUCH).map(|at| (at / 7 + at / 4_099).to_le_bytes()[0]).collect();
    let words = sent.clone();
    let mut far = stage.peer.run(move || TcpStream::connect((HERE, 80)).unwrap());
    let (mut near, _) = listener.accept().unwrap();
    near.set_read_timeout(Some(PATIENCE)).unwrap();
    let sending = thread::spawn(move || far.write_all(&words).map(|()| far));
    let mut heard = vec![0; MUCH];
    near.read_exact(&mut heard).unwrap();
    assert!(heard == sent, "{:?}: it is not what was sent", stage.kind);
    let mut far = sending.join().unwrap().unwrap();
    kernel.raise(&full("192.0.2.2")).unwrap();
    // So little that it finds room where nobody confirms it.
    far.write_all(&sent[..16 << 10]).unwrap();
    assert!(wait(|| kernel.drops("192.0.2.2") > 0), "{:?}", stage.kind);
    near.set_nonblocking(true).unwrap();
    assert!(near.read(&mut heard).is_err(), "{:?}: nothing more arrives", stage.kind);
    kernel.release();
}
