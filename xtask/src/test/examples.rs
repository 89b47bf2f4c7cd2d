//! Which packages have examples in their documentation: only those are given to the documentation's own tool, which compiles a
//! whole library again to find that it has none.

use super::programs::Program;
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a block of code may be called that is no Rust. Any other name, and none, is taken for an example, as rustdoc does.
const NOT_RUST: &[&str] = &["text", "toml", "json", "console", "csv", "sh"];
/// So many blanks behind the comment's sign make a line code, where it follows an empty one.
const INDENTED: &str = "     ";

/// The packages among those of `programs` whose library has something that may be an example.
///
/// # Errors
/// If a source cannot be read.
pub fn packages(programs: &[Program]) -> Result<Vec<&str>> {
    let mut found = Vec::new();
    for library in programs.iter().filter(|program| program.kind == "lib") {
        if has_any(&library.folder().join("src"))? {
            found.push(library.package.as_str());
        }
    }
    Ok(found)
}

fn has_any(folder: &Path) -> Result<bool> {
    let read = |at: &Path| format!("failed to read {}", at.display());
    for entry in fs::read_dir(folder).with_context(|| read(folder))? {
        let path: PathBuf = entry?.path();
        let has = if path.is_dir() {
            has_any(&path)?
        } else {
            path.extension().is_some_and(|kind| kind == "rs")
                && may_have_example(&fs::read_to_string(&path).with_context(|| read(&path))?)
        };
        if has {
            return Ok(true);
        }
    }
    Ok(false)
}

/// May there be an example in this source's documentation? Blocks of comment and attributes are not looked into: they count.
fn may_have_example(source: &str) -> bool {
    let (mut is_code, mut follows_nothing) = (false, true);
    for line in source.lines().map(str::trim_start) {
        if ["/**", "/*!", "#[doc = ", "#![doc = "].iter().any(|sign| line.starts_with(sign)) {
            return true;
        }
        let Some(text) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            (is_code, follows_nothing) = (false, true);
            continue;
        };
        let words = text.trim_start();
        if let Some(fence) = ["```", "~~~"].into_iter().find(|fence| words.starts_with(fence)) {
            let name = words.trim_start_matches(&fence[..1]).trim();
            if !is_code && !NOT_RUST.contains(&name) {
                return true;
            }
            is_code = !is_code;
        } else if !is_code && follows_nothing && text.starts_with(INDENTED) {
            return true;
        }
        follows_nothing = words.is_empty();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_rustdoc_would_run_is_found() {
        for source in [
            "/// Adds.\n///\n/// ```\n/// assert_eq!(add(1, 1), 2);\n/// ```\nfn add() {}",
            "//! ```rust,no_run\n//! ```",
            "    /// ~~~should_panic\n    /// ~~~",
            "/// ```text\n/// a\n/// ```\n/// ```\n/// b();\n/// ```",
            "/// So:\n///\n///     add(1, 1);",
            "/** ```\nadd(1, 1);\n``` */",
            "#![doc = include_str!(\"../README.md\")]",
        ] {
            assert!(may_have_example(source), "{source}");
        }
    }

    #[test]
    fn what_is_no_rust_is_none() {
        for source in [
            "fn add() {}",
            "//! A picture:\n//!\n//! ```text\n//!     a -> b\n//!\n//!     c\n//! ```\n//! and no more",
            "/// A list:\n/// - one, and\n///     more of it",
            "// ```\n// not documentation\n// ```",
            "/// ```toml\n/// a = 1\n/// ```",
        ] {
            assert!(!may_have_example(source), "{source}");
        }
    }
}
