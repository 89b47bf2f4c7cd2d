//! The rooms of the house and who may know whom: the one place where an arrow is allowed.

/// What a crate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words and shapes that everybody shares.
    Ground,
    /// Thinks: no clock, socket, file, thread or random source.
    Decider,
    /// Moves: knows one outside thing and holds no policy.
    Carrier,
    /// The daemon: knows everybody.
    Roof,
    /// Beside the house: simulator, lab, chores. Knows whom it likes, is known by nobody in the house.
    Beside,
}

impl Kind {
    /// From `[package.metadata.honeymesh] kind`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "ground" => Some(Self::Ground),
            "decider" => Some(Self::Decider),
            "carrier" => Some(Self::Carrier),
            "roof" => Some(Self::Roof),
            "beside" => Some(Self::Beside),
            _ => None,
        }
    }
}

/// One room: a crate, its kind, and the crates it may know besides those that its kind allows.
pub struct Room {
    /// The package's name.
    pub package: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The packages of the house that it may depend on. Empty for the roof and beside: they may know all.
    pub may_know: &'static [&'static str],
}

const fn room(package: &'static str, kind: Kind, may_know: &'static [&'static str]) -> Room {
    Room { package, kind, may_know }
}

const TYPES: &str = "honeymesh-types";
const FORMAT: &str = "honeymesh-format";
const XDP_ABI: &str = "honeymesh-xdp-abi";

/// Every room of the house.
pub const HOUSE: &[Room] = &[
    room(TYPES, Kind::Ground, &[]),
    room(XDP_ABI, Kind::Ground, &[]),
    room(FORMAT, Kind::Ground, &[TYPES]),
    room("honeymesh-xdp-program", Kind::Decider, &[XDP_ABI]),
    room("honeymesh-detect", Kind::Decider, &[TYPES]),
    room("honeymesh-ledger", Kind::Decider, &[TYPES]),
    room("honeymesh-mesh-proto", Kind::Decider, &[TYPES]),
    room("honeymesh-trap-proto", Kind::Decider, &[TYPES]),
    room("honeymesh-node", Kind::Decider, &["honeymesh-detect", "honeymesh-ledger", "honeymesh-mesh-proto", TYPES]),
    room("honeymesh-xdp", Kind::Carrier, &[TYPES, XDP_ABI]),
    room("honeymesh-mesh", Kind::Carrier, &[TYPES]),
    room("honeymesh-trap", Kind::Carrier, &["honeymesh-detect", "honeymesh-trap-proto", TYPES]),
    room("honeymesh-store", Kind::Carrier, &[TYPES, FORMAT]),
    room("honeymesh-api", Kind::Carrier, &[TYPES, FORMAT]),
    room("honeymesh-sandbox", Kind::Carrier, &[]),
    room("honeymesh", Kind::Roof, &[]),
];

/// Crates from elsewhere that give a clock, a socket, a file, a thread or chance: no decider may know them.
pub const BODIES: &[&str] = &[
    "aya",
    "axum",
    "chrono",
    "getrandom",
    "hyper",
    "jiff",
    "libc",
    "mio",
    "nix",
    "rand",
    "rusqlite",
    "rustix",
    "rustls",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "tracing",
];

/// Folders in which unsafe code may stand: the kernel's doors, and what gives power away.
pub const UNSAFE_ALLOWED: &[&str] = &["crates/xdp/", "crates/xdp-program/kernel/", "crates/sandbox/"];
