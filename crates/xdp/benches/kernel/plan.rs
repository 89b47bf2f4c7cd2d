//! How much is measured.

/// The sizes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Some seconds: only whether everything does what it should.
    Smoke,
    /// A minute.
    Quick,
    /// A few minutes: only what packets on the wire cost, without a million bans.
    Wire,
    /// Some seconds: only a hot drop on the wire, round after round.
    Hot,
    /// Some seconds: only the program, without a wire.
    Program,
    /// Some seconds: only what the daemon's side of the table costs.
    Table,
    /// Some seconds: only how a hot lookup grows with the table.
    Lookup,
    /// Everything.
    Full,
}

impl Scale {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Quick => "quick",
            Self::Wire => "wire",
            Self::Hot => "hot",
            Self::Program => "program",
            Self::Table => "table",
            Self::Lookup => "lookup",
            Self::Full => "full",
        }
    }
}

/// Sizes and repetitions.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub scale: Scale,
    /// Rounds in which contenders take turns.
    pub rounds: usize,
    /// Frames of one measurement on the wire.
    pub frames: u32,
    /// Bans in the tables, smallest first.
    pub sizes4: &'static [u32],
    pub sizes6: &'static [u32],
    /// Bans beside the banned prefixes.
    pub size_nets: u32,
    /// Banned prefixes.
    pub nets: u32,
    /// Bans in the tables of the decision.
    pub size_decision: u32,
    pub trials: u32,
    /// The same for contenders whose decision is a new process.
    pub trials_slow: u32,
    /// Entries of the table that is filled to the last.
    pub size_kept: u32,
    /// Forged SYNs sent at it.
    pub forged: u32,
    /// Sizes of the lookups without a wire.
    pub sizes_lookup: &'static [u32],
    /// Room for so many bans, where the daemon's side is measured.
    pub sizes_own_side: &'static [u32],
    /// Runs of one program without a wire.
    pub repeat: u32,
}

const FULL: Plan = Plan {
    scale: Scale::Full,
    rounds: 7,
    frames: 120_000,
    sizes4: &[1_000, 100_000, 1_000_000],
    sizes6: &[100_000, 1_000_000],
    size_nets: 100_000,
    nets: 1_000,
    size_decision: 100_000,
    trials: 31,
    trials_slow: 11,
    size_kept: 1_000_000,
    forged: 4_000_000,
    sizes_lookup: &[1_000, 100_000, 1_000_000, 10_000_000],
    sizes_own_side: &[100_000, 1_000_000, 10_000_000],
    repeat: 100_000,
};

const QUICK: Plan = Plan {
    scale: Scale::Quick,
    rounds: 5,
    frames: 60_000,
    sizes4: &[1_000, 100_000],
    sizes6: &[100_000],
    size_kept: 100_000,
    forged: 500_000,
    trials: 15,
    trials_slow: 5,
    sizes_lookup: &[1_000, 100_000],
    sizes_own_side: &[100_000],
    repeat: 20_000,
    ..FULL
};

const WIRE: Plan = Plan { scale: Scale::Wire, sizes4: &[1_000, 100_000], sizes6: &[100_000], ..FULL };

const HOT: Plan = Plan { scale: Scale::Hot, sizes4: &[100_000], sizes6: &[], nets: 0, rounds: 31, frames: 60_000, ..FULL };

const PROGRAM: Plan = Plan { scale: Scale::Program, rounds: 41, ..FULL };

const TABLE: Plan = Plan { scale: Scale::Table, ..FULL };

const LOOKUP: Plan = Plan { scale: Scale::Lookup, ..FULL };

const SMOKE: Plan = Plan {
    scale: Scale::Smoke,
    rounds: 1,
    frames: 2_000,
    sizes4: &[100],
    sizes6: &[100],
    size_nets: 100,
    nets: 10,
    size_decision: 1_000,
    trials: 1,
    trials_slow: 1,
    size_kept: 1_000,
    forged: 2_000,
    sizes_lookup: &[1_000],
    sizes_own_side: &[20_000],
    repeat: 100,
};

impl Plan {
    /// Says how far it is; a smoke test is silent.
    pub fn say(&self, what: &str) {
        if self.scale != Scale::Smoke {
            println!("{what}");
        }
    }

    /// What the arguments ask for. `cargo bench` says `--bench`; without it `cargo test` has started us, and may have
    /// named other tests than this one.
    pub fn from_args(args: impl Iterator<Item = String>) -> Option<Self> {
        let args: Vec<String> = args.collect();
        let has = |wanted: &str| args.iter().any(|arg| arg == wanted);
        if has("--bench") {
            let named = [
                ("--quick", QUICK),
                ("--wire", WIRE),
                ("--hot", HOT),
                ("--program", PROGRAM),
                ("--table", TABLE),
                ("--lookup", LOOKUP),
            ];
            return Some(named.into_iter().find(|(name, _)| has(name)).map_or(FULL, |(_, plan)| plan));
        }
        let named: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
        let is_meant = named.is_empty() || named.iter().any(|name| "kernel_benchmark_smoke".contains(name.as_str()));
        (is_meant && !has("--list")).then_some(SMOKE)
    }
}
