//! What the node's own processes say to each other, once somebody has taken one of them over, and who the system says is logged in.

use crate::Input;
use honeymesh::{
    clerk::{ANSWER_LEN, Answer, ORDER_LEN, Order, hear_files, tell_files},
    daemon::operators::{logind_session, utmp_sessions},
};
use honeymesh_xdp::testing::{nft_answer, nft_dumped, nft_order};

/// Files of a clerk that there may be here.
const FILES: usize = 3;
/// Octets of one utmp record.
const UTMP_RECORD_LEN: usize = 384;

/// `reader | octets`.
pub(super) fn said(data: &[u8]) {
    let mut input = Input::new(data);
    let reader = input.below(8);
    let octets = input.rest();
    match reader {
        0 => assert!(nft_order(octets) != Some(false), "an order that is written as another one"),
        1 => assert!(nft_answer(octets) != Some(false), "an answer that is written as another one"),
        2 => assert!(nft_dumped(octets) <= octets.len() / 4),
        3 => {
            let mut order = [0; ORDER_LEN];
            order.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
            if let Some(order) = Order::decode(&order, FILES) {
                assert!(usize::from(order.place) < FILES);
                assert!(
                    Order::decode(&order.encode(), FILES).as_ref() == Some(&order),
                    "an order that is written as another one"
                );
            }
        }
        4 => {
            let mut answer = [0; ANSWER_LEN];
            answer.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
            if let Some(said) = Answer::decode(&answer) {
                assert_eq!(Answer::decode(&said.encode()), Some(said));
            }
        }
        5 => {
            if let Ok(files) = hear_files(&mut &*octets) {
                let mut again = Vec::new();
                assert!(files.iter().all(|file| file.path.is_absolute()));
                assert!(
                    tell_files(&mut again, &files).is_ok() && hear_files(&mut again.as_slice()).is_ok_and(|heard| heard == files)
                );
            }
        }
        6 => assert!(utmp_sessions(octets).count() <= octets.len() / UTMP_RECORD_LEN),
        _ => {
            let text = String::from_utf8_lossy(octets);
            if logind_session(&text).is_some() {
                assert!(text.contains("REMOTE_HOST"), "nobody is remote");
            }
        }
    }
}
