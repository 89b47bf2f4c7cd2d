//! `[evidence]`: the operator's own YARA rules.

use super::{
    Parsed, load,
    problem::{Place, Placed, Problem},
    reader::Section,
    secrets::read_bounded,
    sections::path,
};
use honeymesh_trap::rules::{RULE_BYTES_MAX, RULE_FILES_MAX, RuleFile, RuleProblem, check};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// How files of rules end; all others in the folder are left alone.
const ENDINGS: [&str; 2] = ["yar", "yara"];
/// The permission bit for everybody who writes.
const MODE_OTHERS_WRITE: u32 = 0o002;

/// `[evidence]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceSection {
    /// The folder of rules.
    pub rules: Option<Placed<PathBuf>>,
    /// What is in it, once it was loaded: in the order of the names.
    pub files: Vec<RuleFile>,
}

/// Reads it; the folder is looked into by [`EvidenceSection::load`].
pub(super) fn evidence(section: Section<'_, '_>) -> EvidenceSection {
    let rules = path(&section, "rules");
    section.finish();
    EvidenceSection { rules, files: Vec::new() }
}

/// Reads and checks a configuration file with the files it names, and compiles the operator's rules: for who plays, or checks.
///
/// # Errors
/// As [`load`].
pub fn load_with_rules(file: &Path) -> Result<Parsed, Problem> {
    let mut parsed = load(file)?;
    parsed.problems.extend(parsed.config.evidence.load());
    Ok(parsed)
}

impl EvidenceSection {
    /// Reads the folder and compiles what is in it, so that every mistake is known before anything starts.
    fn load(&mut self) -> Vec<Problem> {
        let Some(Placed { value: folder, place }) = self.rules.clone() else { return Vec::new() };
        let files = match files_of(&folder, place) {
            Ok(files) => files,
            Err(problem) => return vec![problem],
        };
        if files.is_empty() {
            let what = format!("[evidence] rules: no *.yar or *.yara in {}; put rules there", folder.display());
            return vec![Problem::warning(place, what)];
        }
        let open = files.iter().map(|file| folder.join(&file.name)).chain([folder.clone()]).filter(|path| is_open(path));
        let mut problems: Vec<Problem> = open.map(|path| Problem::warning(place, everybody_writes(&path))).collect();
        let (told, severity): (_, fn(Option<Place>, String) -> Problem) = match check(&files) {
            Ok(unwise) => (unwise, Problem::warning),
            Err(wrong) => (wrong, Problem::error),
        };
        problems.extend(told.into_iter().map(|told| placed(told, &folder, place, &files, severity)));
        self.files = files;
        problems
    }
}

/// A problem of rules, in its own file if it has one.
fn placed(
    RuleProblem { file, at, what }: RuleProblem,
    folder: &Path,
    place: Option<Place>,
    files: &[RuleFile],
    severity: fn(Option<Place>, String) -> Problem,
) -> Problem {
    match files.iter().find(|known| Some(&known.name) == file.as_ref()) {
        Some(known) => severity(at.map(|at| Place::of(&known.text, &(at..at))), what).in_file(folder.join(&known.name)),
        None => severity(place, format!("[evidence] rules: {what}")),
    }
}

fn files_of(folder: &Path, place: Option<Place>) -> Result<Vec<RuleFile>, Problem> {
    let wrong = |what: String| Problem::error(place, format!("[evidence] rules: {what}"));
    let unread =
        |error: std::io::Error| wrong(format!("{} cannot be read: {error}; give a folder of *.yar files", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
            paths.push(path);
        }
        if paths.len() > RULE_FILES_MAX {
            return Err(wrong(format!("more than {RULE_FILES_MAX} files; several rules may share one")));
        }
    }
    paths.sort();
    let (mut files, mut room) = (Vec::with_capacity(paths.len()), RULE_BYTES_MAX as u64);
    for path in paths {
        let bytes = read_bounded(&path, room).map_err(|error| {
            let mend = format!("all rules together have {RULE_BYTES_MAX} octets at most");
            Problem::error(None, format!("cannot be read: {error}; {mend}")).in_file(path.clone())
        })?;
        room -= bytes.len() as u64;
        files.push(RuleFile { name: name_of(&path), text: text_of(bytes, &path)? });
    }
    Ok(files)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn text_of(bytes: Vec<u8>, path: &Path) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|error| {
        let place = Place::of(&String::from_utf8_lossy(error.as_bytes()), &(error.utf8_error().valid_up_to()..0));
        Problem::error(Some(place), "is not UTF-8; save it as UTF-8, and write other octets as \\x.. or in a hex string")
            .in_file(path.to_owned())
    })
}

fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.mode() & MODE_OTHERS_WRITE != 0)
}

fn everybody_writes(path: &Path) -> String {
    format!("[evidence] rules: everybody on this machine can write {0}; run chmod o-w {0}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const GOOD: &str = "rule a { strings: $a = \"abc\" condition: $a }\n";

    /// What is told of a folder with these files, with the folder's own path left out; and what was loaded.
    fn told(files: &[(&str, &[u8])], mode: u32) -> (Vec<String>, Parsed) {
        let house = tempfile::tempdir().unwrap();
        let (config, folder) = (house.path().join("h.toml"), house.path().join("rules"));
        fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write(&config, format!("[evidence]\nrules = \"{}\"\n", folder.display())).unwrap();
        let parsed = load_with_rules(&config).unwrap();
        let here = format!("{}/", house.path().display());
        let lines = parsed.problems.iter().map(|problem| problem.line(&config).replace(&here, ""));
        (lines.filter(|line| !line.contains("no [[trap]]")).collect(), parsed)
    }

    #[test]
    fn a_folder_of_rules_is_loaded_in_the_order_of_names_and_nothing_else_in_it() {
        let (lines, parsed) = told(
            &[("b.yara", GOOD.as_bytes()), ("a.yar", GOOD.as_bytes()), ("README", b"not a rule"), ("c.yar.off", b"nor this")],
            0o644,
        );
        assert_eq!(lines, [""; 0]);
        let names: Vec<_> = parsed.config.evidence.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!((names, parsed.config.evidence.files[0].text.as_str()), (vec!["a.yar", "b.yara"], GOOD));
        assert!(parsed.is_usable());
    }

    #[test]
    fn mistakes_are_told_with_their_file_line_and_column_and_keep_the_daemon_from_starting() {
        let (lines, parsed) = told(
            &[
                ("a.yar", b"import \"math\"\nimport \"pe\"\n"),
                ("b.yar", "// ä\nrule b { condition: /* ü */ $x }".as_bytes()),
                ("c.yar", b"include \"/etc/shadow\""),
            ],
            0o644,
        );
        let mend = "they could name any file: put the rules into the folder, where every *.yar and *.yara is read";
        let expected = [
            "rules/a.yar:2:1: unknown import pe; modules here are math, string, time; leave out what needs another".to_owned(),
            "rules/b.yar:2:29: unknown variable $x; mend the rule here".to_owned(),
            format!("rules/c.yar:1:1: includes are not allowed; {mend}"),
        ];
        assert_eq!(lines, expected);
        assert!(!parsed.is_usable());
        let (lines, parsed) = told(&[("a.yar", b"rule a { condition: \"\xff\" }")], 0o644);
        assert!(lines[0].starts_with("rules/a.yar:1:22: is not UTF-8; save it as UTF-8") && !parsed.is_usable(), "{lines:?}");
    }

    #[test]
    fn who_neither_plays_nor_checks_does_not_read_rules() {
        let house = tempfile::tempdir().unwrap();
        let config = house.path().join("h.toml");
        fs::write(house.path().join("a.yar"), "rule a { condition: $x }").unwrap();
        fs::write(&config, format!("[evidence]\nrules = \"{}\"\n", house.path().display())).unwrap();
        assert!(!load_with_rules(&config).unwrap().is_usable());
        let parsed = load(&config).unwrap();
        assert!(parsed.is_usable() && parsed.config.evidence.files.is_empty(), "{:?}", parsed.problems);
    }

    #[test]
    fn what_is_unwise_is_a_warning() {
        let (lines, parsed) = told(&[], 0o644);
        assert_eq!(lines, ["h.toml:2:9: warning: [evidence] rules: no *.yar or *.yara in rules; put rules there"]);
        assert!(parsed.is_usable());
        let (lines, parsed) = told(&[("a.yar", GOOD.as_bytes())], 0o646);
        let warning = "[evidence] rules: everybody on this machine can write rules/a.yar; run chmod o-w rules/a.yar";
        assert_eq!(lines, [format!("h.toml:2:9: warning: {warning}")]);
        assert!(parsed.is_usable() && parsed.config.evidence.files.len() == 1);
        let (lines, _) = told(&[("a.yar", b"rule a { strings: $a = /[a-z]+/ condition: $a }")], 0o644);
        assert!(lines[0].starts_with("rules/a.yar:1:19: warning: rule a: $a has no two fixed octets in a row"), "{lines:?}");
    }

    #[test]
    fn bounds_and_folders_that_are_none_are_errors() {
        let long = vec![b' '; RULE_BYTES_MAX];
        let (lines, parsed) = told(&[("a.yar", &long), ("b.yar", b"  ")], 0o644);
        let expected = "rules/b.yar: cannot be read: it is larger than 0 bytes; all rules together have 4194304 octets at most";
        assert_eq!((lines, parsed.is_usable()), (vec![expected.to_owned()], false));
        let mut nowhere =
            EvidenceSection { rules: Some(Placed::default_of("/nonexistent/rules".into())), ..EvidenceSection::default() };
        let problems = nowhere.load();
        assert!(
            problems[0].what.starts_with("[evidence] rules: /nonexistent/rules cannot be read: No such file"),
            "{problems:?}"
        );
        assert!(problems[0].what.ends_with("; give a folder of *.yar files"));
    }
}
