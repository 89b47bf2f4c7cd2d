//! No input costs more than its length allows: instructions are counted, by valgrind, and no clock is asked.
#![expect(clippy::panic, reason = "a test that cannot go on must fail where it stands")]

use honeymesh_fuzz::growth::{Case, cases};
use std::{env, fs, hint::black_box, path::Path, process::Command};

/// What the second doubling may cost more than the first: twice as much if it is linear, four times as much if it is quadratic.
const GROWTH_MAX: f64 = 2.2;
/// The most that one byte more may cost, in instructions; the dearest, of requests for the list of an engine's containers, takes some 3,300.
const EACH_BYTE_MAX: f64 = 4_000.0;
/// Instructions that count as nothing: a buffer that grows, a report.
const NOISE: f64 = 150_000.0;

#[inline(never)]
fn measured_talk(case: &Case, input: &[u8]) -> usize {
    case.take(black_box(input));
    // Behind the call, so that it is no jump, which valgrind would not see as a call.
    black_box(input.len())
}

/// Every case at every length; the other test runs it once more, and counts.
#[test]
fn talks_of_growing_length() {
    for case in cases() {
        case.prepare();
        for length in case.lengths() {
            assert_eq!(measured_talk(&case, &case.input(length)), length);
        }
    }
}

#[test]
fn what_an_input_costs_grows_with_its_length_and_no_faster() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("linear-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let out = folder.join("out");
    let mut valgrind = Command::new("valgrind");
    // One dump before each call, for what came before it, and one behind it.
    valgrind.args(["--tool=callgrind", "--quiet", "--dump-before=linear::measured_talk", "--dump-after=linear::measured_talk"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display())).arg(env::current_exe().unwrap());
    valgrind.args(["--exact", "talks_of_growing_length", "--test-threads=1"]);
    let output = valgrind.output().expect("valgrind; `cargo xtask setup` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cases = cases();
    let mut wrong = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let lengths = case.lengths();
        let cost = [1, 2, 3].map(|length| counted(&folder.join(format!("out.{}", 2 * (at * lengths.len() + length)))));
        let (first, second) = (cost[1] - cost[0], cost[2] - cost[1]);
        println!("{:>12.0} {:>12.0} {:>12.0}  {}", cost[0], cost[1], cost[2], case.name);
        // How much longer the last of them is than the first.
        let more = u16::try_from(lengths[2] - lengths[0]).map_or(f64::MAX, f64::from);
        let is_dear = cost[2] - cost[0] > EACH_BYTE_MAX * more;
        if is_dear || second > first.max(0.0) * GROWTH_MAX + NOISE {
            wrong.push(format!("{}: {cost:?} instructions for {lengths:?} bytes", case.name));
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    assert!(wrong.is_empty(), "costs grow faster than inputs, or a byte costs too much:\n{}", wrong.join("\n"));
}

/// The instructions of one dump.
fn counted(dump: &Path) -> f64 {
    let text = fs::read_to_string(dump).unwrap_or_else(|error| panic!("{}: {error}", dump.display()));
    let total = text.lines().find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")));
    total.and_then(|total| total.trim().parse().ok()).unwrap_or_else(|| panic!("{} has no total", dump.display()))
}
