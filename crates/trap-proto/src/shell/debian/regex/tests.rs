//! What is found, what it may cost, and what is too large.

extern crate std;

use super::*;
use alloc::format;

fn posix(tool: Tool, is_extended: bool) -> Kind {
    Kind::Posix(Syntax { tool, is_extended, folds: false })
}

fn made(pattern: &str, groups: usize) -> Result<Regex, Wrong> {
    Regex::new(&[pattern.as_bytes()], posix(Tool::Grep, true), Wants { groups, ..Wants::default() }, &Work::default())
}

#[test]
fn the_first_place_and_there_the_longest_is_found_with_its_groups() {
    type Row = (&'static str, bool, &'static str, Option<(usize, usize)>);
    let table: [Row; 26] = [
        ("^processor", false, "processor\t: 0", Some((0, 9))),
        ("root$", false, "a root", Some((2, 6))),
        ("a|bb", true, "xbb", Some((1, 3))),
        ("a|b", false, "a|b", Some((0, 3))),
        ("a\\|b", false, "xb", Some((1, 2))),
        ("[0-9]+\\.[0-9]", true, "v 12.5", Some((2, 6))),
        ("[[:space:]]x", false, "a x", Some((1, 3))),
        ("[^a-c]", false, "abcd", Some((3, 4))),
        ("(ab){2}", true, "ababab", Some((0, 4))),
        ("ab*c", false, "xabbbc", Some((1, 6))),
        ("a\\+", false, "baa", Some((1, 3))),
        ("cpu.*[0-9]", false, "cpu MHz 22 a", Some((0, 10))),
        ("a|ab", true, "ab", Some((0, 2))),
        ("bc|abcd|b", true, "abcx bc", Some((1, 3))),
        ("b|abcd", true, "abcd", Some((0, 4))),
        ("x{2,3}", true, "xxxx", Some((0, 3))),
        ("x{,2}y", true, "xxxy", Some((1, 4))),
        ("\\bid\\b", false, "a id b", Some((2, 4))),
        ("\\<d", false, "id d", Some((3, 4))),
        ("d\\>", false, "da d", Some((3, 4))),
        ("\\Bd", false, "d id", Some((3, 4))),
        ("\\w\\+\\W", false, "..a_1-", Some((2, 6))),
        ("", false, "ab", Some((0, 0))),
        (".", false, "\u{e9}", Some((0, 1))),
        ("nosuch", false, "a", None),
        ("^b", false, "ab", None),
    ];
    for (pattern, is_extended, text, expected) in table {
        let work = Work::default();
        let regex = Regex::new(&[pattern.as_bytes()], posix(Tool::Grep, is_extended), Wants::default(), &work).unwrap();
        let found = regex.walk().find(text.as_bytes(), 0, &work);
        assert_eq!(found.map(|found| (found.start, found.end)), expected, "{pattern}");
        assert_eq!(regex.walk().fits(text.as_bytes(), &work), expected.is_some(), "{pattern}");
    }
    let regex = made("(a+)(b)(c)?", 3).unwrap();
    let found = regex.walk().find(b"xaab", 0, &Work::default()).unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(|number| found.group(number)), [Some((1, 4)), Some((1, 3)), Some((3, 4)), None, None]);
}

/// What it costs to look through a text that almost fits, in steps of work, without what building costs.
fn cost(pattern: &str, text: &[u8]) -> u32 {
    let regex = made(pattern, 2).unwrap();
    let work = Work::default();
    let mut walk = regex.walk();
    assert!(walk.find(text, 0, &work).is_none() && !work.is_done(), "{pattern}");
    Work::default().left() - work.left()
}

/// What makes others go back without end costs twice as much for a text that is twice as long, and never more than each octet in each state.
#[test]
fn what_a_search_costs_is_linear_in_the_text() {
    let optional = format!("^{}{}c", "a?".repeat(30), "a".repeat(30));
    let patterns = [
        "(a*)*b",
        "(a*)*(a*)*(a*)*b",
        "(a|aa)*c",
        "((a|a)|(aa|aaa))*c",
        "^(a+)+$",
        &optional,
        ".*.*.*x",
        ".*.*.*.*.*.*.*.*=.*",
        "(x+x+)+y",
        "(a{0,8}){0,8}x",
        "(.*a){12}x",
        "[^b]{1,80}x",
        "(|a)*b",
        "(a()|())*b",
        "(\\ba*|a*\\b)*x",
    ];
    for pattern in patterns {
        let costs = [100, 200, 400].map(|length| {
            let mut text = alloc::vec![b'a'; length];
            text.push(b'!');
            cost(pattern, &text)
        });
        std::println!("{costs:?} {pattern}");
        assert!(costs[2] - costs[1] <= 2 * (costs[1] - costs[0]) + 2, "{pattern}: {costs:?}");
        let states = made(pattern, 2).unwrap().states();
        // Each state is entered from another and left once in an octet, and remembers two groups; so that is the most.
        assert!(costs[2] as usize <= 401 * 4 * states / walk::VISITS_A_STEP + 1, "{pattern}: {costs:?} with {states} states");
    }
}

/// Places are looked for from the last one on, and each search may see all of the text: that is at most quadratic, and paid for.
#[test]
fn what_all_places_cost_is_paid_for() {
    let (regex, work) = (made("a.*b|a", 0).unwrap(), Work::default());
    let (mut walk, mut from, mut count) = (regex.walk(), 0, 0);
    while let Some(found) = walk.find(&[b'a'; 4_096], from, &work) {
        (from, count) = (found.end, count + 1);
    }
    assert!(work.is_done() && (3..200).contains(&count), "{count}");
}

#[test]
fn what_is_too_large_is_refused_before_there_is_room_for_it() {
    let refused = |pattern: &[u8], kind: Kind| {
        let work = Work::default();
        let result = Regex::new(&[pattern], kind, Wants { groups: 9, ..Wants::default() }, &work);
        let steps = Work::default().left() - work.left();
        assert!(steps as usize <= BUILD_STEPS + PATTERN_BYTES_MAX / BYTES_A_STEP + STATES_MAX / STATES_A_STEP + 1, "{steps}");
        assert_eq!(result.err(), Some(Wrong::Large), "{}", crate::safe_text(pattern, 80));
    };
    let patterns = [
        b"((a{1,255}){1,255}){1,255}".to_vec(),
        b"(((((a{255}){255}){255}){255}){255}){255}".to_vec(),
        b"a{32767}".to_vec(),
        b"(a|b|){0,32767}".to_vec(),
        b"([ab]{0,32767})*".to_vec(),
        b"a{40000}".to_vec(),
        b"a*****".to_vec(),
        b"(".repeat(50),
        [b"(".repeat(50), b")".repeat(50)].concat(),
        b"a".repeat(PATTERN_BYTES_MAX + 2),
        b"(a)(b)(c)(d)(e)(f)(g)(h)(i)".iter().chain(&b"x".repeat(500)).copied().collect(),
    ];
    patterns.iter().for_each(|pattern| refused(pattern, posix(Tool::Sed, true)));
    for pattern in [&b"((a{1,255}){1,255}){1,255}"[..], b"a{1000}{1000}", &b"(?:".repeat(100)] {
        refused(
            &[pattern, &b")".repeat(pattern.iter().filter(|byte| **byte == b':').count())].concat(),
            Kind::Perl { folds: true },
        );
    }
    refused(&b"a".repeat(PATTERN_BYTES_MAX + 2), Kind::Fixed { folds: true });
    assert!(
        Regex::new(
            &alloc::vec![&b""[..]; PATTERN_BYTES_MAX + 2],
            Kind::Fixed { folds: false },
            Wants::default(),
            &Work::default()
        )
        .is_err()
    );
    let long = b"x|".repeat(PATTERN_BYTES_MAX / 2);
    assert!(
        Regex::new(&[&long], posix(Tool::Grep, true), Wants::default(), &Work::default()).is_ok(),
        "what a bot lists is none of it"
    );
}

/// What a group has found is nowhere found again: the rest of the pattern is.
#[test]
fn a_back_reference_fits_nothing() {
    let fits = |pattern: &str, text: &str| made(pattern, 0).unwrap().walk().fits(text.as_bytes(), &Work::default());
    assert!(!fits("(a)\\1", "aa") && fits("(a)\\1|b", "b") && fits("(a)(\\1)*", "aa"));
    assert_eq!(made("(a)\\2", 0).err(), Some(Wrong::Reference));
}
