//! Honeytokens: secrets that open nothing, and whose use anywhere in a cluster is hostile.
//!
//! Every member of a cluster derives the same ones from the cluster's key, so that each recognises what another has shown, and
//! nothing is exchanged. The process that plays the traps is told the tokens, and no key.

use crate::config::Config;
use honeymesh_mesh_proto::{Key, KeyRing};
use honeymesh_trap_proto::Lure;
use std::net::Ipv4Addr;

/// What the key is asked for: one version, one set.
const PURPOSE: &[u8] = b"honeytokens v1";
/// Characters of passwords: none that a page, a shell or a person could take for another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyzACEFHKLMN";
/// Who one would expect to have access everywhere.
const USERS: [&str; 8] = ["backup", "deploy", "ansible", "monitor", "svc-sql", "jenkins", "replica", "sync"];

/// What the traps are to look for, and what to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Honeytokens {
    /// Everything whose use is hostile.
    pub tokens: Vec<String>,
    /// What is shown.
    pub lure: Option<Lure>,
}

/// Those of the configuration, and those of each key of each cluster; the first cluster's key in use is shown.
///
/// Rings are read at the start: while a key is being changed both sets count, and a set is forgotten at the next start after its
/// key was retired.
#[must_use]
pub fn of<'a>(config: &Config, rings: impl Iterator<Item = &'a KeyRing>) -> Honeytokens {
    let mut tokens: Vec<String> = config.honeytokens.tokens().collect();
    if !config.honeytokens.derive {
        return Honeytokens { tokens, lure: None };
    }
    let lures: Vec<Lure> = rings.flat_map(KeyRing::keys).map(derived).collect();
    tokens.extend(lures.iter().flat_map(Lure::tokens));
    let lure = lures.into_iter().next().filter(|_| config.honeytokens.show);
    Honeytokens { tokens, lure }
}

/// The set of one key. Each part that is looked for has 40 bits and more of its own: nobody says it by chance.
fn derived(key: &Key) -> Lure {
    let seed = key.derive(PURPOSE);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let word = |bytes: &[u8]| bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect::<String>();
    Lure {
        user: format!("{}-{}", USERS[usize::from(seed[0] % 8)], hex(&seed[1..6])),
        password: word(&seed[6..18]),
        path: format!("/backup-{}/db.sql.gz", hex(&seed[18..23])),
        key: format!("key-{}", hex(&seed[23..29])),
        host: Ipv4Addr::new(10, seed[29], seed[30], seed[31].clamp(2, 250)).to_string(),
        style: seed[0] >> 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn of_keys(text: &str, keys: &[u8]) -> Honeytokens {
        let rings: Vec<KeyRing> = keys.iter().map(|byte| KeyRing::new(Key::from_bytes([*byte; 32]))).collect();
        of(&parse(text, "host-1").config, rings.iter())
    }

    #[test]
    fn two_members_of_a_cluster_derive_the_same_and_an_outsider_others() {
        let (one, other, outsider) = (of_keys("", &[1]), of_keys("", &[1]), of_keys("", &[2]));
        assert_eq!(one, other);
        assert_eq!(one.tokens.len(), 4);
        assert!(one.tokens.iter().all(|token| token.len() >= 12 && !outsider.tokens.contains(token)), "{:?}", one.tokens);
    }

    #[test]
    fn the_derivation_is_this_one() {
        let lure = of_keys("", &[1]).lure.unwrap();
        let expected = Lure {
            user: "monitor-08afbaacb6".into(),
            password: "adLMkqsmpmeb".into(),
            path: "/backup-a5fd474580/db.sql.gz".into(),
            key: "key-8e7518a117f8".into(),
            host: "10.95.219.40".into(),
            style: 20,
        };
        assert_eq!(lure, expected, "a node with another derivation would not recognise what this one shows");
    }

    #[test]
    fn what_the_configuration_says_is_looked_for_too_and_nothing_is_derived_or_shown_against_its_word() {
        let text = "[honeytokens]\ncredentials = [\"svc:Tr0ub4dor&3x\"]\nurls = [\"/old/db.zip\"]\nnames = [\"files-b07\"]\nshow = false\n";
        let tokens = of_keys(text, &[1, 2]);
        assert_eq!(tokens.tokens[..3], ["Tr0ub4dor&3x", "/old/db.zip", "files-b07"]);
        assert_eq!((tokens.tokens.len(), tokens.lure), (11, None));
        let none = of_keys("[honeytokens]\nderive = false\n", &[1]);
        assert_eq!(none, Honeytokens::default());
    }
}
