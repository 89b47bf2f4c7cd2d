//! What the process that plays tells the daemon, once somebody has taken it over.

use crate::{Input, talk::bounded};
use honeymesh_trap::testing::{BYTES_MAX, CAPTURE_BYTES_MAX, GUESTS, VISITS_MAX, hear, messages};
use honeymesh_trap_proto::Findings;
use honeymesh_types::{MARK_BYTES_MAX, Shape, Visit};
use tokio::runtime::{Builder, Runtime};

/// Packets of one input.
const PACKETS_MAX: usize = 600;

thread_local! {
    static RUNTIME: Option<Runtime> = Builder::new_current_thread().enable_all().build().ok();
}

/// `packets, each a part`; one that is empty is repeated 100 times.
pub(super) fn told(data: &[u8]) {
    messages(data);
    let mut input = Input::new(data);
    let mut packets: Vec<&[u8]> = Vec::new();
    while !input.is_empty() && packets.len() < PACKETS_MAX {
        let (part, last) = (input.part(), packets.last().copied());
        match last {
            Some(last) if part.is_empty() => packets.extend(std::iter::repeat_n(last, 100)),
            _ => packets.push(part),
        }
    }
    packets.iter().for_each(|packet| messages(packet));
    RUNTIME.with(|runtime| {
        let Some(runtime) = runtime else { return };
        let heard = runtime.block_on(hear(&packets)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(heard.active, 0, "somebody is counted who has left");
        assert!(heard.ports <= GUESTS.len(), "{} ports for {} guests", heard.ports, GUESTS.len());
        GUESTS.iter().for_each(|guest| {
            let told: Vec<&Visit> = heard.visits.iter().filter(|visit| visit.source.ip() == *guest).collect();
            assert!((1..=VISITS_MAX).contains(&told.len()), "{guest}: told {} times", told.len());
            assert!(
                told.iter().map(|visit| visit.payload.len()).sum::<usize>() <= CAPTURE_BYTES_MAX,
                "{guest}: more than is kept"
            );
            assert!(told.iter().map(|visit| visit.bytes).sum::<u64>() <= BYTES_MAX, "{guest}: more than a session has");
        });
        assert!(heard.visits.iter().all(|visit| GUESTS.contains(&visit.source.ip())), "somebody who was never here is accused");
        heard.visits.iter().for_each(harmless);
    });
}

fn harmless(visit: &Visit) {
    assert_eq!((visit.trap.as_str(), visit.service.as_str()), ("bait", "ftp"));
    bounded(&Findings { signs: visit.signs, fields: visit.fields.clone() });
    let Some(marks) = &visit.marks else { return };
    assert!(marks.shapes.len() <= Shape::ALL.len());
    assert!(marks.shapes.values().all(|words| words.len() <= MARK_BYTES_MAX && !words.chars().any(char::is_control)));
    let entropy = &marks.entropy;
    assert!([entropy.whole, entropy.window, entropy.short].iter().all(|millibits| *millibits <= 8_000));
}
