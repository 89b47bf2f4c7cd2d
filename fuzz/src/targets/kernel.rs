//! What the kernel, the keeper and the system's files tell: trusted words with strangers' bytes among them.

use crate::Input;
use honeymesh_types::{KnockKind, Now};
use honeymesh_xdp::testing::{finished_handshake, interfaces, keeper_word, knock, log, logged, network_texts};

/// The ports of one scan at most.
const PORTS_MAX: usize = 16;

/// `reader | octets`.
pub(super) fn told(data: &[u8]) {
    let mut input = Input::new(data);
    let reader = input.below(7);
    let octets = input.rest();
    match reader {
        0 => {
            if let Some(knock) = knock(octets, Now::default())
                && let KnockKind::Scan { ports, .. } = knock.kind
            {
                assert!(ports.len() <= PORTS_MAX);
            }
        }
        1 => {
            if let Some(visit) = finished_handshake(octets, Now::default()) {
                assert!(visit.payload.len() as u64 <= visit.bytes && visit.payload.len() <= octets.len());
            }
        }
        2 => drop(logged(octets)),
        3 => assert!(log(octets) <= octets.len() / 16),
        4 => assert!(interfaces(octets) <= octets.len() / 16),
        5 => assert!(network_texts(&String::from_utf8_lossy(octets)) <= octets.len()),
        _ => {
            if let Some((word, again)) = keeper_word(octets) {
                // A name that is no UTF-8 is longer once it is made legible, and then cut, as is one without the zero behind it.
                let is_legible = !format!("{word:?}").contains('\u{fffd}') && octets.last() == Some(&0);
                assert!(
                    again.is_some() && (!is_legible || Some(word) == again),
                    "a word that is written as another one: {again:?}"
                );
            }
        }
    }
}
