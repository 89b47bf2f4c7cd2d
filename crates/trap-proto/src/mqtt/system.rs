//! What mosquitto tells of itself under `$SYS`: a small broker with a steady traffic, whose counters agree with its uptime.

use super::Retained;
use alloc::{format, string::ToString, vec::Vec};

/// Bytes of a message, as a house's sensors send them.
const MESSAGE_BYTES: u64 = 61;

/// All topics, in mosquitto's words, of a broker whose traffic this number decides.
pub(super) fn topics(version: &str, traffic: u64, uptime_seconds: u64) -> Vec<Retained> {
    let clients = 4 + traffic % 9;
    let per_minute = 20 + (traffic >> 8) % 200;
    // The last minutes differ a little from the mean.
    let wobble = uptime_seconds / 10 % 7 + traffic % 7;
    let received = uptime_seconds * per_minute / 60;
    let sent = received * 2 + received / 9;
    let stored = 40 + (traffic >> 16) % 60;
    let mut topics = Vec::new();
    let mut say = |topic: &str, value: u64| topics.push((format!("$SYS/broker/{topic}"), value.to_string()));
    for (topic, value) in [
        ("clients/total", clients + 1),
        ("clients/inactive", 1),
        ("clients/disconnected", 1),
        ("clients/active", clients),
        ("clients/connected", clients),
        ("clients/expired", 0),
        ("clients/maximum", clients + 3),
        ("messages/stored", stored),
        ("store/messages/count", stored),
        ("store/messages/bytes", stored * 17),
        ("subscriptions/count", clients * 3),
        ("shared_subscriptions/count", 0),
        ("retained messages/count", stored),
        ("messages/received", received),
        ("messages/sent", sent),
        ("publish/messages/dropped", 0),
        ("publish/messages/received", received * 4 / 5),
        ("publish/messages/sent", sent * 4 / 5),
        ("publish/bytes/received", received * MESSAGE_BYTES / 3),
        ("publish/bytes/sent", sent * MESSAGE_BYTES / 3),
        ("bytes/received", received * MESSAGE_BYTES),
        ("bytes/sent", sent * MESSAGE_BYTES),
    ] {
        say(topic, value);
    }
    for minutes in ["1min", "5min", "15min"] {
        let now = per_minute + wobble;
        for (topic, value) in [
            ("messages/received", now),
            ("messages/sent", now * 2 + 3),
            ("publish/received", now * 4 / 5),
            ("publish/sent", now * 8 / 5),
            ("bytes/received", now * MESSAGE_BYTES),
            ("bytes/sent", now * MESSAGE_BYTES * 2),
        ] {
            let hundredths = (traffic >> 24).wrapping_mul(value + 1) % 100;
            topics.push((format!("$SYS/broker/load/{topic}/{minutes}"), format!("{value}.{hundredths:02}")));
        }
    }
    topics.push(("$SYS/broker/version".to_string(), format!("mosquitto version {version}")));
    topics.push(("$SYS/broker/uptime".to_string(), format!("{uptime_seconds} seconds")));
    topics
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    #[test]
    fn counters_agree_grow_and_fit_into_one_answer() {
        for traffic in [0, 7, u64::MAX, 0x0123_4567_89ab_cdef] {
            let at = |uptime| topics("2.0.21", traffic, uptime).into_iter().collect::<BTreeMap<_, _>>();
            let (early, late) = (at(3_600), at(5_000_000));
            let number = |all: &BTreeMap<_, _>, topic: &str| {
                let text: &alloc::string::String = &all[&format!("$SYS/broker/{topic}")];
                text.parse::<u64>().unwrap()
            };
            for topic in ["messages/received", "messages/sent", "bytes/received", "publish/messages/sent"] {
                assert!(number(&early, topic) < number(&late, topic), "{topic}");
            }
            assert_eq!(number(&late, "clients/total"), number(&late, "clients/active") + number(&late, "clients/inactive"));
            assert!(number(&late, "publish/messages/received") <= number(&late, "messages/received"));
            let bytes: usize = late.iter().map(|(topic, value)| topic.len() + value.len() + 8).sum();
            assert!(bytes < 4_096, "{bytes}");
        }
    }
}
