//! Pages of touches: what they survive, what they are refused for, and what they weigh.

use super::*;
use crate::{
    Said,
    limits::{RECORD_BYTES_MAX, TOUCH_PAGE_BYTES_MAX},
    record::{Record, RecordId, Signed, wire},
    testing::{hour, key, record, signed, subject, tag, wall},
};
use alloc::{format, string::ToString, vec};

const NOW_MS: u64 = 1_000_000_000;

fn touch(source: &str, port: u16, secs_ago: u64) -> Touch {
    Touch { source: subject(source), port, at: wall(NOW_MS - secs_ago * 1_000) }
}

fn page(number: u64, touches: Vec<Touch>) -> Said {
    Said::Touches { page: number, ttl: hour(), touches }
}

fn said(touches: Vec<Touch>) -> Signed {
    let about = touches.first().map_or(subject("192.0.2.1"), |touch| touch.source);
    signed(1, &about.to_string(), page(7, touches), NOW_MS)
}

fn checked(record: &Record) -> Result<(), RecordError> {
    wire::check(record, tag(), tag(), wall(NOW_MS))
}

#[test]
fn a_page_comes_out_as_it_went_in() {
    let touches = vec![
        touch("203.0.113.7/32", 23, 0),
        touch("2001:db8:1::/64", 8_080, 11),
        touch("203.0.113.9/32", 445, 86_399),
        touch("2001:db8::5/128", 22, 3_600),
    ];
    let signed = said(touches);
    let (read, signed_for) = wire::read(&signed.raw).unwrap();
    assert_eq!((&read, signed_for), (&*signed.record, tag()));
    assert_eq!((wire::verify(&signed.raw, read.origin), checked(&read)), (Ok(()), Ok(())));
    let Said::Touches { touches, .. } = &read.said else { panic!("it was a page") };
    let told: Vec<_> = touches.iter().map(|touch| format!("{} {}", touch.source, touch.port)).collect();
    assert_eq!(told, ["203.0.113.7/32 23", "203.0.113.9/32 445", "2001:db8:1::/64 8080", "2001:db8::5/128 22"]);
    let ages: Vec<_> = touches.iter().map(|touch| wall(NOW_MS).since(touch.at).as_secs()).collect();
    assert_eq!(ages, [0, 86_400, 20, 3_600], "older by ten seconds at most");
    assert_eq!((read.subject, read.until()), (subject("203.0.113.7"), wall(NOW_MS).plus(hour())));
}

#[test]
fn the_fullest_page_fits_into_a_record_and_one_touch_more_is_refused() {
    for (source, most) in [("203.0.113.0/32", 36), ("2001:db8::/64", 24), ("2001:db8::1/128", 14)] {
        let touches = |many: u16| (0..many).map(|port| touch(source, port, 604_800)).collect::<Vec<_>>();
        let mut full = record(1, source, page(u64::MAX, touches(most)), NOW_MS);
        assert_eq!(checked(&full), Ok(()), "{source}");
        full.origin_name = "n".repeat(63).parse().unwrap();
        assert!(wire::sign(full, tag(), &key(1)).unwrap().raw.len() <= RECORD_BYTES_MAX, "{source}");
        let over = record(1, source, page(7, touches(most + 1)), NOW_MS);
        assert_eq!(checked(&over), Err(RecordError::Malformed), "{source}");
    }
}

#[test]
fn nobody_names_a_prefix_nothing_or_somebody_else() {
    for source in ["203.0.113.0/24", "2001:db8::/48", "2001:db8::/96"] {
        let wide = record(1, source, page(7, vec![touch(source, 1, 0)]), NOW_MS);
        assert_eq!(wire::sign(wide, tag(), &key(1)).unwrap_err(), RecordError::Malformed, "{source}");
    }
    let empty = record(1, "203.0.113.7", page(7, Vec::new()), NOW_MS);
    assert_eq!(checked(&empty), Err(RecordError::Malformed));
    let mut other = record(1, "203.0.113.7", page(7, vec![touch("203.0.113.7/32", 1, 0)]), NOW_MS);
    other.subject = subject("203.0.113.8");
    assert_eq!(checked(&other), Err(RecordError::Malformed));
    let mut endless = record(1, "203.0.113.7", page(7, vec![touch("203.0.113.7/32", 1, 0)]), NOW_MS);
    endless.said = Said::Touches { page: 7, ttl: crate::limits::TTL_MAX * 2, touches: vec![touch("203.0.113.7/32", 1, 0)] };
    assert_eq!(checked(&endless), Err(RecordError::Ttl));
}

#[test]
fn an_address_has_one_form_and_a_list_that_is_cut_short_is_none() {
    let mapped = [&[0; 10][..], &[0xff, 0xff, 203, 0, 113, 7, 0, 22, 0, 0]].concat();
    let lists = |v4, v6| Lists { v4, customers: &[], v6 };
    assert_eq!(lists(&[], &mapped).read(wall(0)), None);
    assert_eq!(lists(&[203, 0, 113, 7, 0, 22, 0], &[]).read(wall(0)), None);
    assert_eq!(lists(&[203, 0, 113, 7, 0, 22, 0, 0], &[]).read(wall(0)).unwrap().len(), 1);
}

#[test]
fn the_wire_format_of_a_page_is_fixed() {
    let signed = said(vec![touch("203.0.113.7/32", 23, 10), touch("2001:db8:1::/64", 22, 0)]);
    assert_eq!(format!("{:?}", RecordId::of(&signed.raw)), "9042d507", "a page's bytes changed: foreign pages are lost");
}

/// What a node with so many sources in its window has told, in bytes of signed records: in pages, and in a record for each.
fn bytes(sources: u32) -> (usize, usize) {
    let source = |n: u32| touch(&format!("{}/32", core::net::Ipv4Addr::from_bits(0x0a00_0000 + n)), 23, 0);
    let all: Vec<Touch> = (0..sources).map(source).collect();
    let full = TOUCH_PAGE_BYTES_MAX / source(0).weight();
    let pages = all.chunks(full).map(|touches| said(touches.to_vec()).raw.len()).sum();
    (pages, said(vec![source(0)]).raw.len() * all.len())
}

/// The same in pages of 64-bit hashes with port and age: an entry of 12 bytes weighs what an IPv6 customer does.
fn hashed_bytes(sources: u32) -> usize {
    let customer = |n: u32| touch(&format!("2001:db8:{:x}:{:x}::/64", n >> 16, n & 0xffff), 23, 0);
    let all: Vec<Touch> = (0..sources).map(customer).collect();
    // The subject in front is a longer one.
    let longer = said(vec![customer(0)]).raw.len() - said(vec![touch("203.0.113.7/32", 23, 0)]).raw.len() - 4;
    all.chunks(TOUCH_PAGE_BYTES_MAX / 12).map(|touches| said(touches.to_vec()).raw.len() - longer).sum()
}

/// A count-min sketch that over-counts by less than one but once in 2^32: e * n counters of a byte in each of 22 rows.
const fn count_min_bytes(sources: u64) -> u64 {
    22 * (sources * 2_718_282).div_ceil(1_000_000)
}

/// The figures of `docs/mesh/slow-attacks.md`.
#[test]
fn the_exact_list_is_smaller_than_a_record_for_each_and_than_a_sketch_that_is_as_sure() {
    for (sources, pages, each, hashed, count_min) in
        [(10, 216, 1_440, 256, 616), (1_000, 11_836, 144_000, 17754, 59818), (65_536, 773_765, 9_437_184, 1160579, 3919212)]
    {
        let found = (bytes(sources), hashed_bytes(sources), count_min_bytes(sources.into()));
        assert_eq!(found, ((pages, each), hashed, count_min), "{sources} sources");
    }
}
