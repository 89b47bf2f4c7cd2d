//! What one look at 64 KiB costs with an operator's rules: `cargo run -p honeymesh-trap --features testing --example rules`.
#![expect(clippy::print_stdout, reason = "it is there to be read")]

use honeymesh_detect::Tally;
use honeymesh_trap::rules::{Eyes, RuleFile, RuleProblem, compile};
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

const BYTES: usize = 64 * 1_024;
const LOOKS: u32 = 40;
/// A look earns its time before the next one begins: the rules have a quarter of all time.
const REST: u32 = 4;

/// So many rules as people write them: four strings each, one of them an expression if there is room for it.
fn made_up(count: usize) -> Vec<RuleFile> {
    let rule = |n: usize| {
        let last = if n < 500 { format!("/bot{n}_[a-z]{{4,12}}\\.sh/") } else { format!("\"bot{n}_\"") };
        format!(
            "rule r{n} {{ strings: $a = \"marker-{n}-of-a-family\" $b = \"/tmp/.x{n}/\" nocase \
             $c = {{ 6d 61 72 {:02x} ?? [2-8] 7f 45 }} $d = {last} condition: 2 of them }}\n",
            n % 251
        )
    };
    vec![RuleFile { name: "made-up.yar".into(), text: (0..count).map(rule).collect() }]
}

fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

fn said() -> [Vec<u8>; 3] {
    let repeated = |words: &[u8]| words.iter().copied().cycle().take(BYTES).collect::<Vec<u8>>();
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    [
        repeated(b"Lorem ipsum dolor sit amet, consectetur adipiscing elit. "),
        repeated(b"/tmp/.x7/ bot12_ marker-3- mar\x03 bot7_abcdefg /tmp/.x99 "),
        noise.take(BYTES).collect(),
    ]
}

/// The least that a look at it takes, and whether one was cut.
fn least(eyes: &Eyes, said: &[u8]) -> (Duration, &'static str) {
    let (mut least, mut cut) = (Duration::MAX, "");
    for _ in 0..LOOKS {
        let begun = Instant::now();
        let sight = eyes.look(said, &BTreeMap::new(), &Tally::default());
        let took = begun.elapsed();
        if sight.facts.get("rules").is_some_and(|rules| rules.ends_with('+')) {
            cut = ", cut";
        }
        least = least.min(took);
        std::thread::sleep(took * REST);
    }
    (least, cut)
}

fn show(name: &str, eyes: &Eyes) {
    let long = said().map(|said| {
        let (took, cut) = least(eyes, &said);
        format!("{:.2} ms{cut}", took.as_secs_f64() * 1e3)
    });
    let request = b"GET /index.html HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\r\n";
    let (took, cut) = least(eyes, request);
    println!("| {name} | {} | {} µs{cut} | {} kB |", long.join(" | "), took.as_micros(), resident_kb());
}

fn main() -> Result<(), Vec<RuleProblem>> {
    println!("| rules | text | what the rules are about | noise | a request | own memory |");
    println!("|---|---:|---:|---:|---:|---:|");
    show("none", &Eyes::new(&[], None));
    let examples = vec![RuleFile { name: "rules.yar".into(), text: include_str!("../../../docs/traps/rules.yar").into() }];
    for (name, files) in
        [("the four examples", examples), ("100, with 400 strings", made_up(100)), ("4,000, with 16,000 strings", made_up(4_000))]
    {
        let begun = Instant::now();
        let (rules, _) = compile(&files)?;
        let took = begun.elapsed().as_millis();
        show(&format!("{name}; compiled in {took} ms"), &Eyes::new(&[], Some(rules)));
    }
    Ok(())
}
