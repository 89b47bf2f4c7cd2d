//! Which test programs there are: what `cargo test --no-run` says of those it has built.

use crate::machine;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Whose integration tests each have the whole machine's lab to themselves, one after another.
const LAB: &str = "honeymesh-lab";

/// The programs that run for ten seconds or more beside others, the longest first: what is begun last should be short.
/// The end of `cargo xtask test` says how long they are today.
const LONGEST: &[(&str, &str)] = &[
    ("honeymesh-xdp", "backends"),
    ("honeymesh-sim", "acceptance"),
    ("honeymesh-trap", "traps"),
    ("honeymesh", "resident"),
    ("honeymesh", "many_bans"),
    ("honeymesh-fuzz", "linear"),
    ("honeymesh", "crowd"),
    ("honeymesh-xdp", "ladder"),
    ("honeymesh", "lockout"),
    ("honeymesh-xdp", "table"),
    ("honeymesh-xdp", "nft_table"),
    ("honeymesh", "daemon"),
    ("honeymesh-sim", "scenarios"),
    ("honeymesh", "sinks"),
    ("honeymesh", "never_off"),
    ("honeymesh", "sabotage"),
    ("honeymesh-xdp", "nft"),
    ("honeymesh-xdp", "keeper"),
    ("honeymesh-xdp", "nft_oracle"),
    ("honeymesh-xdp", "live"),
    ("honeymesh-xdp", "kernel"),
];

/// One program with tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its package.
    pub package: String,
    /// The name of its target in it.
    pub target: String,
    /// What kind of target that is: `lib`, `bin`, `test` or `bench`.
    pub kind: String,
    executable: PathBuf,
    folder: PathBuf,
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        manifest_path: PathBuf,
        package_id: String,
        target: Target,
        profile: Profile,
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Program {
    /// All that `messages` tell of, lines of `--message-format json`, in the order in which they should begin.
    ///
    /// # Errors
    /// If a line is not what cargo used to say.
    pub fn all(messages: &str) -> Result<Vec<Self>> {
        let mut programs = Vec::new();
        for line in messages.lines().filter(|line| line.starts_with('{')) {
            let message = serde_json::from_str(line).with_context(|| format!("cargo's words are not understood: {line}"))?;
            programs.extend(Self::of(message));
        }
        programs.sort_by_key(Self::rank);
        Ok(programs)
    }

    fn of(message: Message) -> Option<Self> {
        let Message::CompilerArtifact { manifest_path, package_id, target, profile, executable } = message else { return None };
        let executable = executable.filter(|_| profile.test)?;
        let folder = manifest_path.parent()?.to_path_buf();
        let package = name_of(&package_id, &folder);
        Some(Self { package, kind: target.kind.into_iter().next()?, target: target.name, executable, folder })
    }

    /// Those that may run for long stand before the others.
    fn rank(&self) -> usize {
        let is_it =
            |(package, target): &(&str, &str)| self.is_integration() && *package == self.package && *target == self.target;
        LONGEST.iter().position(is_it).unwrap_or(LONGEST.len())
    }

    fn is_integration(&self) -> bool {
        matches!(self.kind.as_str(), "test" | "bench")
    }

    /// Has it namespaces, links and programs to itself, as long as it runs?
    pub fn is_lab(&self) -> bool {
        self.package == LAB && self.is_integration()
    }

    /// Where its package stands.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What one types to run only this.
    pub fn again(&self) -> String {
        let what = match self.kind.as_str() {
            "lib" => "--lib".to_owned(),
            kind => format!("--{kind} {}", self.target),
        };
        format!("cargo test -p {} {what}", self.package)
    }

    /// The program as cargo runs it: in its package's folder.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }
}

/// `path+file:///somewhere/name#0.1.0` or `path+file:///somewhere/folder#name@0.1.0`.
fn name_of(package_id: &str, folder: &Path) -> String {
    let named = package_id.rsplit_once('#').and_then(|(_, rest)| rest.split_once('@'));
    named.map_or_else(|| folder.file_name().unwrap_or_default().to_string_lossy().into_owned(), |(name, _)| name.to_owned())
}

/// Builds every program with tests, and says which.
///
/// # Errors
/// If the build fails.
pub fn build() -> Result<Vec<Program>> {
    let mut cargo = machine::cargo();
    cargo.args(["test", "--locked", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"]);
    let programs = Program::all(&machine::read(&mut cargo)?)?;
    anyhow::ensure!(!programs.is_empty(), "cargo has built no test program: its words are not what they used to be");
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(package: &str, kind: &str, target: &str, is_test: bool) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///x/{package}#honeymesh-{package}@0.1.0","manifest_path":"/x/{package}/Cargo.toml","target":{{"kind":["{kind}"],"name":"{target}"}},"profile":{{"test":{is_test}}},"executable":"/t/{target}","fresh":true}}"#
        )
    }

    #[test]
    fn programs_with_tests_are_found_and_the_longest_stand_first() {
        let lines = [
            r#"{"reason":"build-script-executed","package_id":"x"}"#.to_owned(),
            artifact("lab", "test", "dark", true),
            artifact("lab", "bin", "honeymesh-lab", false),
            artifact("sim", "test", "acceptance", true),
            artifact("trap", "lib", "honeymesh_trap", true),
            artifact("trap", "test", "traps", true),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let programs = Program::all(&lines.join("\n")).unwrap();
        let names: Vec<_> = programs.iter().map(|program| (program.package.as_str(), program.target.as_str())).collect();
        let expected = [
            ("honeymesh-sim", "acceptance"),
            ("honeymesh-trap", "traps"),
            ("honeymesh-lab", "dark"),
            ("honeymesh-trap", "honeymesh_trap"),
        ];
        assert_eq!(names, expected);
        assert_eq!(programs.iter().map(Program::is_lab).collect::<Vec<_>>(), [false, false, true, false]);
        assert_eq!(programs[2].again(), "cargo test -p honeymesh-lab --test dark");
        assert_eq!(programs[3].again(), "cargo test -p honeymesh-trap --lib");
        assert!(Program::all("{\"reason\":7}").is_err());
    }

    #[test]
    fn a_package_is_named_by_its_id_or_by_its_folder() {
        assert_eq!(name_of("path+file:///x/crates/trap#honeymesh-trap@0.1.0", Path::new("/x/crates/trap")), "honeymesh-trap");
        assert_eq!(name_of("path+file:///x/xtask#0.1.0", Path::new("/x/xtask")), "xtask");
    }

    #[test]
    fn each_of_the_longest_is_still_there() {
        for (package, target) in LONGEST {
            let folder = match package.strip_prefix("honeymesh-") {
                Some(folder @ ("sim" | "fuzz")) => folder.to_owned(),
                Some(crate_name) => format!("crates/{crate_name}"),
                None => "crates/honeymesh".to_owned(),
            };
            let kinds = ["tests", "benches"].map(|kind| machine::root().join(&folder).join(kind));
            let is_there =
                kinds.iter().any(|at| at.join(format!("{target}.rs")).exists() || at.join(target).join("main.rs").exists());
            assert!(is_there, "{package} {target}");
        }
    }
}
