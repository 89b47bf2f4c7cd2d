//! What was recognised in a stranger's bytes, there where they are parsed: bounded facts, and no judgement.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

/// The longest words of one mark, in bytes; longer ones are cut.
pub const MARK_BYTES_MAX: usize = 120;

/// The most rules of the operator's that are told of one report; those beyond it are cut, which the field `rules` says by ending in `+`.
pub const RULE_MARKS_MAX: usize = 16;
/// The longest words of one of them, in bytes; longer ones are cut.
pub const RULE_MARK_BYTES_MAX: usize = 200;
/// The most that one of them can add to the score.
pub const RULE_POINTS_MAX: u8 = 100;

/// What bytes are a sign of. Ordered as findings are listed: the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Shape {
    /// A look-up that makes a logger load code.
    Jndi,
    /// A shell that calls home.
    ReverseShell,
    /// A program is fetched from elsewhere.
    Download,
    /// What was fetched is fed to a shell.
    ShellPipe,
    /// Something encoded is decoded and run.
    DecodePipe,
    /// Shell characters where a value belongs.
    ShellInjection,
    /// An executable file.
    Executable,
    /// A row of no-operations, as in front of shellcode.
    NopSled,
    /// Code that a template or include would run.
    CodeInjection,
    /// A serialized object that runs code when it is read.
    Deserialization,
    /// A script that takes commands by web request.
    Webshell,
    /// SQL where a value belongs.
    SqlInjection,
    /// A store or server is told to write or run files.
    ServiceAbuse,
    /// A way out of the served directory.
    Traversal,
    /// A file that holds secrets.
    SecretFile,
    /// A foothold is prepared.
    Foothold,
    /// A script file is sent.
    Script,
    /// An archive is sent.
    Archive,
    /// A path that only vulnerable products have.
    ProductProbe,
    /// A scanner or an attack tool names itself.
    Tool,
}

impl Shape {
    /// Every shape; its place here is its number on the wire between the processes.
    pub const ALL: [Self; 20] = [
        Self::Jndi,
        Self::ReverseShell,
        Self::Download,
        Self::ShellPipe,
        Self::DecodePipe,
        Self::ShellInjection,
        Self::Executable,
        Self::NopSled,
        Self::CodeInjection,
        Self::Deserialization,
        Self::Webshell,
        Self::SqlInjection,
        Self::ServiceAbuse,
        Self::Traversal,
        Self::SecretFile,
        Self::Foothold,
        Self::Script,
        Self::Archive,
        Self::ProductProbe,
        Self::Tool,
    ];
}

/// Shannon's entropies of one report, in bits per byte times 1,000: 0 to 8,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entropies {
    /// Of everything that was captured.
    pub whole: u16,
    /// The highest of any 256 consecutive bytes; of the whole if there are no more.
    pub window: u16,
    /// The highest of any 64 consecutive bytes; of the whole if there are no more.
    pub short: u16,
    /// Of what the trap answered meanwhile; `None` if it said nothing.
    pub sent: Option<u16>,
    /// The highest of any 256 consecutive bytes among the first 1,024 of those; of all if there are no more than 256. `None` if it said
    /// nothing.
    pub sent_window: Option<u16>,
}

/// What the process that parses strangers' bytes recognised in one report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Each shape that was found, with the words that showed it: printable ASCII, [`MARK_BYTES_MAX`] at most, perhaps none.
    pub shapes: BTreeMap<Shape, String>,
    /// Rules of the operator's that matched, in the order in which they did: [`RULE_MARKS_MAX`] at most.
    pub rules: Vec<RuleMark>,
    /// How disordered the bytes were.
    pub entropy: Entropies,
}

/// A rule of the operator's that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMark {
    /// Its name, its file, and what it says of itself: printable ASCII, [`RULE_MARK_BYTES_MAX`] at most.
    pub words: String,
    /// What it adds to the score: [`RULE_POINTS_MAX`] at most.
    pub points: u8,
    /// Whether its author calls what it names an attack, whoever sends it.
    pub is_hostile: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shapes_number_is_its_place() {
        for (place, shape) in Shape::ALL.into_iter().enumerate() {
            assert_eq!(shape as usize, place);
        }
    }
}
