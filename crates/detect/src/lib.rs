//! Evidence in, verdict out: entropy, scores, grades.
//!
//! A verdict says how sure we are ([`Grade`]) and how hostile it looked (score, findings). The
//! grade decides what may be done; the score and the findings only describe. Everything here is bounded by the bytes it
//! is given and takes time linear in them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod dark;
mod entropy;
mod pattern;
mod reaction;
mod recognise;
mod scan;
mod shape;
mod slow;
mod visit;

pub use dark::{Contact, HANDSHAKE_PORTS_MAX, HANDSHAKE_SOURCES_MAX, Handshakes, judge_handshakes};
pub use entropy::{
    ENTROPY_SHORT_BYTES, ENTROPY_WINDOW_BYTES, TALLY_BYTES_MAX, Tally, entropy_millibits, entropy_short_max_millibits,
    entropy_window_max_millibits,
};
pub use pattern::Patterns;
pub use reaction::{BITS_NEEDED, PORTS_MAX, Proof, Reactions, SUSPECT_TTL, SUSPECTS_MAX, judge_reaction};
pub use recognise::{
    FACT_BYTES_MAX, LAYERS_MAX, OPENED_BASE, OPENED_FACTOR, Recogniser, Sight, TOKEN_BYTES_MAX, TOKEN_BYTES_MIN, TOKENS_MAX,
    is_named_layer, program_begins,
};
pub use scan::{ScanPolicy, Spoofable, judge_scan};
pub use slow::{
    Saw, SlowPolicy, TOUCHES_OWN_MAX, TOUCHES_PEER_MAX, TOUCHES_PEERS_MAX, TOUCHES_TOLD_MAX, Told, Touches, Witness, judge_slow,
};
pub use visit::Detector;

use alloc::{string::String, vec::Vec};
use honeymesh_types::{Grade, Reasons, Scope};

/// What a piece of evidence amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// How sure we are that the address itself did it.
    pub grade: Grade,
    /// Why it would be banned.
    pub reasons: Reasons,
    /// Which packets a ban for it may drop.
    pub scope: Scope,
    /// How hostile it looked: 0 to 100.
    pub score: u8,
    /// Shannon entropy of the bytes that were sent, in bits per byte times 1,000: 0 to 8,000.
    pub entropy_millibits: u16,
    /// What raised the score, in words, in a fixed order.
    pub findings: Vec<String>,
    /// How the score came about: points and words of each part, in the same order. Empty where the score is no sum.
    pub reckoning: Vec<String>,
    /// Could an honest client have done it by mistake?
    pub intent: Intent,
}

/// Whether there is an honest explanation. On a trap that listens by name it does not matter: nobody honest goes there. On
/// a dark port it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// It may have been a mistake: nothing was said, or nothing that only attackers say.
    Unclear,
    /// It was an attack: credentials, bait or an exploit, or known strings that weigh enough together; or a whole scan.
    Attack,
}
