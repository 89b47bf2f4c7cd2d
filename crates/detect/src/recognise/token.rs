//! Honeytokens: strings that nobody knows who has not stolen them.

use aho_corasick::AhoCorasick;
use alloc::{string::String, vec::Vec};

/// How many are looked for.
pub const TOKENS_MAX: usize = 1_024;
/// A shorter one would be met by chance.
pub const TOKEN_BYTES_MIN: usize = 8;
/// A longer one is refused.
pub const TOKEN_BYTES_MAX: usize = 200;

/// All of them as one automaton. Letters match in their case only.
pub(super) struct Tokens(Option<(AhoCorasick, Vec<String>)>);

impl Tokens {
    pub(super) fn new(tokens: &[String]) -> Self {
        let is_one = |token: &&String| (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len());
        let tokens: Vec<String> = tokens.iter().filter(is_one).take(TOKENS_MAX).cloned().collect();
        let automaton = if tokens.is_empty() { None } else { AhoCorasick::new(&tokens).ok() };
        Self(automaton.map(|automaton| (automaton, tokens)))
    }

    pub(super) fn find(&self, bytes: &[u8]) -> Option<&[u8]> {
        let (automaton, tokens) = self.0.as_ref()?;
        let hit = automaton.find(bytes)?;
        tokens.get(hit.pattern().as_usize()).map(String::as_bytes)
    }
}
