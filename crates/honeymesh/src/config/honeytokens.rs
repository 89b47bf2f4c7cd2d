//! `[honeytokens]`: secrets that open nothing, whose use is hostile.

use super::{problem::Placed, reader::Section};
use honeymesh_detect::{TOKEN_BYTES_MAX, TOKEN_BYTES_MIN};

/// The most entries of one list.
const ENTRIES_MAX: usize = 256;

/// `[honeytokens]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoneytokensSection {
    /// The passwords of credentials that are no one's.
    passwords: Vec<Placed<String>>,
    /// Addresses of pages that are linked nowhere.
    urls: Vec<Placed<String>>,
    /// Names of users, machines, keys, files that are nobody's.
    names: Vec<Placed<String>>,
    /// Whether each cluster's key makes more of them.
    pub derive: bool,
    /// Whether the traps let thieves find those.
    pub show: bool,
}

impl HoneytokensSection {
    /// What is to be looked for.
    pub fn tokens(&self) -> impl Iterator<Item = String> {
        self.passwords.iter().chain(&self.urls).chain(&self.names).map(|token| token.value.clone())
    }
}

/// Reads it.
pub(super) fn honeytokens(section: Section<'_, '_>) -> HoneytokensSection {
    let tokens = HoneytokensSection {
        passwords: list(&section, "credentials", password),
        urls: list(&section, "urls", url),
        names: list(&section, "names", token),
        derive: section.switch_or("derive", true),
        show: section.switch_or("show", true),
    };
    section.finish();
    tokens
}

fn list(section: &Section<'_, '_>, key: &'static str, parse: fn(&str) -> Result<String, String>) -> Vec<Placed<String>> {
    let Some(list) = section.list(key, parse) else { return Vec::new() };
    if list.value.len() > ENTRIES_MAX {
        let count = list.value.len();
        section.doc.error(list.place, format!("{}: {count} entries; write {ENTRIES_MAX} at most", section.named(key)));
    }
    list.value
}

/// Of a credential the password gives the thief away: a name may be anybody's.
fn password(text: &str) -> Result<String, String> {
    let (_, password) = text.split_once(':').ok_or_else(|| "is no credential; write user:password".to_owned())?;
    token(password)
}

fn url(text: &str) -> Result<String, String> {
    if text.starts_with('/') { token(text) } else { Err(format!("`{text}` is no path; write it from / on")) }
}

/// A short one would be met by chance. What was written is not repeated: it is a secret.
fn token(text: &str) -> Result<String, String> {
    match text.len() {
        0..TOKEN_BYTES_MIN => Err(format!("is too short and would be met by chance; write {TOKEN_BYTES_MIN} characters or more")),
        TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(text.into()),
        TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX => Err("may only have printable ASCII characters without spaces".into()),
        length => Err(format!("has {length} characters; write {TOKEN_BYTES_MAX} at most")),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    #[test]
    fn wrong_ones_are_named_with_their_place_and_never_repeated() {
        let cases = [
            ("credentials = [\"rootpassword\"]", "is no credential; write user:password"),
            ("credentials = [\"root:toor\"]", "is too short and would be met by chance; write 8 characters or more"),
            ("urls = [\"backup.zip\"]", "`backup.zip` is no path; write it from / on"),
            ("names = [\"two words\"]", "may only have printable ASCII characters without spaces"),
        ];
        for (line, expected) in cases {
            let parsed = parse(&format!("[honeytokens]\n{line}\n"), "h");
            let told: Vec<_> =
                parsed.problems.iter().filter(|problem| problem.place.is_some()).map(|problem| &problem.what).collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].ends_with(expected) && !parsed.is_usable(), "{told:?}");
        }
    }
}
