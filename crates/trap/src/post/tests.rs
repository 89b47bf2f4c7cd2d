//! Who may say how much, and who is answered how often.

use super::*;
use std::net::Ipv4Addr;

/// So many neighbourhoods send what no one of them may send alone.
const NEIGHBOURHOODS: u8 = 100;

/// A datagram of the `index`th neighbourhood's one source.
fn datagram(index: u8) -> Arrived {
    let source = (Ipv4Addr::new(198, 51, index, 1), 4_711).into();
    Arrived { source, local: Local::of_tests(), bytes: b"12345678".to_vec(), cut: 0 }
}

async fn ear() -> Ear {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    Ear { trap: 0, socket, has_transfers: false, transfer: None }
}

/// Everybody sends so often: how many are taken, and how many of them answered.
fn storm(post: &Post, ear: &Ear, times: u8) -> (usize, usize) {
    let wish = Wish { length: 8, nonce_at: None, leaves: Leaves::Asked };
    let mut taken = Vec::new();
    for _ in 0..times {
        taken.extend((0..NEIGHBOURHOODS).filter_map(|index| post.take(datagram(index), ear)));
    }
    let answered = taken.iter().filter(|letter| matches!(post.answer(letter.number.0, wish), Verdict::Send(_))).count();
    (taken.len(), answered)
}

#[test]
fn sources_are_prefixes() {
    let same = |one: &str, two: &str| of_source(one.parse().unwrap()) == of_source(two.parse().unwrap());
    assert!(same("192.0.2.1", "::ffff:192.0.2.1") && !same("192.0.2.1", "192.0.2.200"));
    assert!(same("2001:db8:1:2::1", "2001:db8:1:2::2") && !same("2001:db8:1:2::1", "2001:db8:1:3::1"));
}

#[tokio::test(start_paused = true)]
async fn in_all_a_bounded_number_is_taken_and_half_as_many_answered_whoever_they_are() {
    let (post, ear) = (Post::new().unwrap(), ear().await);
    // No source and no neighbourhood comes near a limit of its own: 12 each.
    assert_eq!(storm(&post, &ear, 12), (1_000, 500));
    post.empty();
    assert_eq!(storm(&post, &ear, 1), (0, 0), "nothing is left");
    for _ in 0..10 {
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(storm(&post, &ear, 2), (100, 50), "a tenth of a second's share");
        post.empty();
    }
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(storm(&post, &ear, 12), (1_000, 500), "no more at once than that, however long the pause was");
}
