//! What stands in the files: crate attributes, unsafe code, sizes, first lines, paths of somebody's machine.

use super::{
    Finding,
    house::{Kind, UNSAFE_ALLOWED},
    metadata::Crate,
};
use std::path::{Path, PathBuf};

/// The most lines a source file may have.
const LINES_MAX: usize = 600;
/// Files larger than this are data, not text that somebody wrote.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Checks every file of `files` (relative to `root`) and the library roots of `crates`.
pub fn check(root: &Path, crates: &[Crate], files: &[PathBuf]) -> Vec<Finding> {
    let homes = homes(root);
    let mut findings: Vec<_> = files.iter().flat_map(|file| in_file(root, file, &homes)).collect();
    findings.extend(crates.iter().filter_map(|krate| roots(root, krate)).flatten());
    findings
}

fn in_file(root: &Path, file: &Path, homes: &[String]) -> Vec<Finding> {
    let whole = root.join(file);
    if whole.metadata().is_ok_and(|meta| meta.len() > TEXT_BYTES_MAX) {
        return Vec::new();
    }
    let Ok(text) = std::fs::read_to_string(whole) else { return Vec::new() };
    let name = file.display().to_string();
    let mut wrong = machine_paths(&text, homes);
    if name.ends_with(".rs") {
        wrong.extend(rust(&name, &text));
    }
    wrong.into_iter().map(|(line, what)| Finding::new(format!("{name}:{line}"), what)).collect()
}

/// A line's number and what is wrong there.
type Wrong = (usize, String);

fn rust(name: &str, text: &str) -> Vec<Wrong> {
    let mut wrong = unsafe_lines(name, text);
    let lines = text.lines().count();
    if lines > LINES_MAX {
        wrong.push((LINES_MAX, format!("{lines} lines; {LINES_MAX} is the most: look for the second room in it")));
    }
    if !text.starts_with("//!") {
        wrong.push((1, "open the file with one sentence: `//! What it is for.`".into()));
    }
    wrong
}

fn unsafe_lines(name: &str, text: &str) -> Vec<Wrong> {
    if UNSAFE_ALLOWED.iter().any(|folder| name.starts_with(folder)) {
        return Vec::new();
    }
    let what = "unsafe code belongs into crates/xdp, the kernel program's glue and crates/sandbox only";
    numbered(text).filter(|(_, line)| is_unsafe(line)).map(|(number, _)| (number, what.into())).collect()
}

/// Does code on this line say `unsafe`, or lift the lint that forbids it?
fn is_unsafe(line: &str) -> bool {
    let code = outside_quotes(line);
    let lifts = ["allow", "expect", "warn"].iter().any(|level| code.contains(&format!("{level}({}", LINT)));
    lifts || words(&code).any(|word| word == KEYWORD)
}

const KEYWORD: &str = "unsafe";
const LINT: &str = "unsafe_code";

/// The line without its comment and without what stands in double quotes.
fn outside_quotes(line: &str) -> String {
    let code = line.split("//").next().unwrap_or_default();
    code.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

/// A folder that only build machines have. Put together here so that this file does not find itself.
const BUILD_HOME: &str = concat!("/", "work/");

/// Places that exist on one machine only: this checkout, this person's cargo and rustup.
fn homes(root: &Path) -> Vec<String> {
    let tools = ["CARGO_HOME", "RUSTUP_HOME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let mut homes: Vec<_> = tools.chain([root.display().to_string()]).map(|home| format!("{home}/")).collect();
    homes.extend(std::env::var("HOME").into_iter().flat_map(|home| [".cargo", ".rustup"].map(|tool| format!("{home}/{tool}/"))));
    homes.push(BUILD_HOME.into());
    homes
}

fn machine_paths(text: &str, homes: &[String]) -> Vec<Wrong> {
    let found = |line: &str| homes.iter().find(|home| holds_path(line, home));
    let what = |home| format!("`{home}…` is a path of one machine; say it relative to the checkout");
    numbered(text).filter_map(|(number, line)| found(line).map(|home| (number, what(home)))).collect()
}

/// Is `home` in the line as the beginning of a path (not as the middle of one)?
fn holds_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}' | '*' | ':'))
    })
}

/// A decider's library must not be able to touch the world, and must say so itself.
fn roots(root: &Path, krate: &Crate) -> Option<Vec<Finding>> {
    if krate.kind().and_then(Kind::parse) != Some(Kind::Decider) {
        return None;
    }
    let lib = krate.folder().join("src/lib.rs");
    let text = std::fs::read_to_string(root.join(&lib)).unwrap_or_default();
    Some(missing_attributes(&text).into_iter().map(|what| Finding::new(lib.display().to_string(), what)).collect())
}

fn missing_attributes(text: &str) -> Vec<String> {
    let no_std = ["#![no_std]", "#![cfg_attr(not(test), no_std)]"];
    let forbid = [concat!("#![forbid(", "unsafe_code", ")]")];
    let has = |any: &[&str]| text.lines().any(|line| any.contains(&line.trim()));
    let mut missing = Vec::new();
    if !has(&no_std) {
        missing.push(format!("a decider says {}: it has no clock, socket or file", no_std[0]));
    }
    if !has(&forbid) {
        missing.push(format!("a decider says {}", forbid[0]));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_is_found_where_it_may_not_stand() {
        let bad = "//! x\nfn f() {\n    unsafe { g() }\n}\n";
        assert_eq!(unsafe_lines("crates/api/src/lib.rs", bad).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [3]);
        assert_eq!(unsafe_lines("crates/xdp/src/lib.rs", bad), []);
        assert_eq!(unsafe_lines("crates/xdp-program/kernel/src/main.rs", bad), []);
        assert_eq!(unsafe_lines("crates/xdp-program/src/lib.rs", bad).len(), 1, "the decider itself is no glue");
    }

    #[test]
    fn words_and_comments_about_unsafe_are_no_unsafe_code() {
        for fine in ["// unsafe { }", "#![forbid(unsafe_code)]", r#"let x = "unsafe";"#, "let unsafely = 1;"] {
            assert!(!is_unsafe(fine), "{fine}");
        }
        for bad in
            ["unsafe fn f() {}", "unsafe impl Send for X {}", "#[expect(unsafe_code, reason = \"x\")]", "#![allow(unsafe_code)]"]
        {
            assert!(is_unsafe(bad), "{bad}");
        }
    }

    #[test]
    fn long_files_and_files_without_a_first_sentence_are_found() {
        let long = format!("//! x\n{}", "\n".repeat(LINES_MAX));
        assert!(rust("crates/api/src/lib.rs", &long)[0].1.starts_with("601 lines"));
        assert_eq!(rust("crates/api/src/lib.rs", &"//! x\n".repeat(LINES_MAX)), []);
        assert_eq!(rust("crates/api/src/lib.rs", "fn f() {}\n")[0].0, 1);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let homes = homes(Path::new("/srv/checkout"));
        for home in [BUILD_HOME, "/srv/checkout/"] {
            let bad = format!("a\nsee {home}x\n");
            assert_eq!(machine_paths(&bad, &homes).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [2], "{home}");
        }
        for before in ["/var", "https://example.org", "..", "$HOME"] {
            assert_eq!(machine_paths(&format!("{before}{BUILD_HOME}x"), &homes), [], "{before}");
        }
    }

    #[test]
    fn a_decider_declares_what_it_cannot_do() {
        assert_eq!(missing_attributes("//! x\n#![no_std]\n#![forbid(unsafe_code)]\n"), [""; 0]);
        assert_eq!(missing_attributes("#![cfg_attr(not(test), no_std)]\n#![forbid(unsafe_code)]"), [""; 0]);
        let missing = missing_attributes("// #![no_std]\n");
        assert_eq!(missing.len(), 2, "{missing:?}");
    }
}
