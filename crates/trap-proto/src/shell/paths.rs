//! What a word means as a path.

use alloc::{format, string::String, string::ToString, vec::Vec};

/// The longest path that is followed, in bytes; a longer one is nowhere.
pub(in crate::shell) const PATH_BYTES_MAX: usize = 256;

/// The absolute path that `word` means in the folder `at`, for whom `home` is at home; `None` if it is no text, or too long.
pub(super) fn resolved(word: &[u8], at: &str, home: &str) -> Option<String> {
    let word = core::str::from_utf8(word).ok()?;
    let whole = match word.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        _ if word.starts_with('/') => word.to_string(),
        _ => format!("{at}/{word}"),
    };
    if whole.len() > PATH_BYTES_MAX {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// The folder of an absolute path, and the name in it.
pub(super) fn split(path: &str) -> (&str, &str) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    (if folder.is_empty() { "/" } else { folder }, name)
}

/// Whether a path is this folder's, or of something in it.
pub(super) fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_paths_from_where_one_is() {
        let of = |word: &str| resolved(word.as_bytes(), "/var/run", "/root").unwrap();
        assert_eq!(
            (of("a"), of("~/b/../c"), of("/../..//etc/."), of("..")),
            ("/var/run/a".into(), "/root/c".into(), "/etc".into(), "/var".into())
        );
        assert_eq!((resolved("a/".repeat(200).as_bytes(), "/", "/"), resolved(b"\xff", "/", "/")), (None, None));
        assert!(is_within("/root", "/root") && is_within("/root/a", "/root") && !is_within("/rootkit", "/root"));
        assert_eq!((split("/a"), split("/a/b"), split("/")), (("/", "a"), ("/a", "b"), ("/", "")));
    }
}
