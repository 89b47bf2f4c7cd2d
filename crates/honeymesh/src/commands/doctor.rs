//! `honeymesh doctor`: what works on this machine, what does not, why it matters and how to mend it.
//!
//! Facts are gathered first, judged by pure functions, and printed. Nothing on the machine is changed.

mod clock;
mod features;
mod finding;
mod interfaces;
mod kernel;
mod ports;
mod rung;
mod state;

use crate::{
    cli::Doctor,
    config::{self, CONFIG_FILE, Config, problem::Problem},
    failure::Failure,
    output::{self, Table, Tone, printable, toned},
};
use finding::{Area, Finding, State};
use honeymesh_format::{DoctorInterfaceJson, DoctorJson, FeatureJson, json_pretty};
use honeymesh_xdp::doctor::{Feature, Tried, clock_facts, interface_facts, kernel_facts, pin_facts, try_features};
use rung::Ladder;
use std::path::Path;

/// Everything that was found.
struct Report {
    findings: Vec<Finding>,
    interfaces: Vec<DoctorInterfaceJson>,
    features: Vec<FeatureJson>,
}

/// Looks at the machine and prints what was found.
///
/// # Errors
/// The named file cannot be read, or something that the daemon needs does not work.
pub fn run(args: &Doctor) -> Result<(), Failure> {
    let (config, mut findings) = configuration(args.config.as_deref())?;
    let mut report = examine(&config);
    findings.append(&mut report.findings);
    report.findings = findings;
    let failed = report.findings.iter().filter(|finding| finding.state == State::Fail).count();
    let text = match args.json {
        true => json_pretty(&report.json(failed == 0)).map_err(|error| Failure::Refused(error.to_string()))?,
        false => report.words(output::is_coloured()),
    };
    output::say(&text)?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure::Refused("1 thing does not work; its line says how to mend it".into())),
        more => Err(Failure::Refused(format!("{more} things do not work; their lines say how to mend them"))),
    }
}

/// The configuration with what is wrong in it. Without a file the defaults are examined.
fn configuration(named: Option<&Path>) -> Result<(Config, Vec<Finding>), Failure> {
    let file = named.unwrap_or(Path::new(CONFIG_FILE));
    if named.is_none() && !file.exists() {
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let what = format!("there is no {CONFIG_FILE}, so the defaults are examined");
        let finding = Finding::new(Area::Config, "file", State::Warn, what, "the daemon starts from it");
        let mend = "write the file, or name another with --config FILE";
        return Ok((config::parse("", &host).config, vec![finding.mend(mend)]));
    }
    let parsed = config::load(file).map_err(|problem| Failure::Config(vec![problem.line(file)]))?;
    let mut findings: Vec<Finding> = parsed.problems.iter().map(|problem| from_problem(problem, file)).collect();
    if findings.is_empty() {
        let what = format!("{}: nothing wrong", file.display());
        findings.push(Finding::new(Area::Config, "file", State::Ok, what, "the daemon starts from it"));
    }
    Ok((parsed.config, findings))
}

fn from_problem(problem: &Problem, file: &Path) -> Finding {
    let is_error = problem.severity == config::problem::Severity::Error;
    let (state, matters) = match is_error {
        true => (State::Fail, "the daemon does not start with it"),
        false => (State::Warn, "the daemon starts, but not as safely as it could"),
    };
    let line = problem.line(file);
    // A problem ends in its mend.
    let (what, mend) = line.rsplit_once("; ").map_or((line.as_str(), None), |(what, mend)| (what, Some(mend)));
    let finding = Finding::new(Area::Config, "file", state, what, matters);
    mend.map_or(finding.clone(), |mend| finding.mend(mend))
}

/// Looks at everything that the configuration names, and at the kernel.
fn examine(config: &Config) -> Report {
    let tried = try_features();
    let kernel = kernel_facts();
    let daemon = state::daemon(&config.control_socket());
    let ladder = Ladder::new(config.xdp.attach, &tried, kernel.version);
    let mut findings = kernel::judge(&kernel, ladder.rests_on_nftables());
    findings.extend(features::judge(&tried, kernel.version, ladder));
    findings.push(state::pins(&pin_facts(&config.xdp.pin_dir), &config.xdp.pin_dir, &daemon));
    let guarded = interfaces::guarded(config);
    let facts: Vec<_> = guarded.names.iter().map(|name| interface_facts(name)).collect();
    findings.extend(guarded.finding);
    let is_one_there = facts.iter().any(|facts| facts.exists);
    let plans: Vec<_> = facts.iter().map(|facts| interfaces::plan(facts, is_one_there, ladder)).collect();
    findings.extend(plans.iter().flat_map(|plan| plan.findings.clone()));
    findings.extend(ports::wanted(config).iter().map(|port| ports::judge(port, &ports::look(port), &daemon)));
    findings.push(state::user(config));
    findings.extend(state::judge(&state::look(config)));
    let clock = clock::ClockLook { facts: clock_facts(), now: honeymesh_xdp::now().wall, newest: clock::newest(config) };
    findings.extend(clock::judge(&clock, !config.clusters.is_empty()));
    findings.push(state::judge_daemon(&daemon));
    let interfaces = plans.into_iter().map(|plan| plan.json).collect();
    Report { findings, interfaces, features: features::table(&tried, kernel.version, ladder) }
}

/// Did trying this feature succeed?
fn works(tried: &[(Feature, Tried)], wanted: Feature) -> Option<bool> {
    match &tried.iter().find(|(feature, _)| *feature == wanted)?.1 {
        Tried::Works => Some(true),
        Tried::Denied => None,
        Tried::Fails(_) => Some(false),
    }
}

impl Report {
    fn json(&self, ok: bool) -> DoctorJson {
        let checks = self.findings.iter().map(Finding::json).collect();
        DoctorJson { ok, checks, interfaces: self.interfaces.clone(), features: self.features.clone() }
    }

    fn words(&self, coloured: bool) -> String {
        let mut lines: Vec<String> = self.findings.iter().map(|finding| finding.words(coloured)).collect();
        let mut interfaces = Table::new(&["INTERFACE", "DRIVER", "MODE", "PROGRAM", "WHY"]);
        for interface in &self.interfaces {
            let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
            let (driver, program) = (or_none(&interface.driver), or_none(&interface.program));
            interfaces.row([interface.name.clone(), driver, interface.mode.clone(), program, interface.why.clone()]);
        }
        let mut features = Table::new(&["FEATURE", "LINUX", "HERE", "NEEDED", "BRINGS"]);
        for feature in &self.features {
            let needed = if feature.needed { "yes" } else { "no" };
            let here = match feature.state.as_str() {
                "ok" => "yes",
                "skip" => "?",
                _ => "NO",
            };
            let (name, since) = (feature.name.clone(), feature.kernel_min.clone());
            features.row([name, since, here.into(), needed.into(), feature.brings.clone()]);
        }
        lines.extend([String::new(), interfaces.render(coloured), String::new(), features.render(coloured)]);
        lines.extend([String::new(), self.summary(coloured)]);
        lines.join("\n")
    }

    fn summary(&self, coloured: bool) -> String {
        let count = |state| self.findings.iter().filter(|finding| finding.state == state).count();
        let (failed, skipped) = (count(State::Fail), count(State::Skip));
        let tone = if failed == 0 { Tone::Good } else { Tone::Bad };
        let verdict = if failed == 0 { "what is needed works" } else { "not all that is needed works" };
        let skipped = match skipped {
            0 => String::new(),
            _ => format!("; {skipped} could not be looked at: run it as root to see more"),
        };
        let counts = format!("{} ok, {} warnings, {failed} failed", count(State::Ok), count(State::Warn));
        format!("{}: {counts}{skipped}", toned(&printable(verdict), tone, coloured))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(states: &[State]) -> Report {
        let finding = |state: &State| Finding::new(Area::Kernel, "release", *state, "x\u{1b}[2J", "y");
        Report { findings: states.iter().map(finding).collect(), interfaces: Vec::new(), features: Vec::new() }
    }

    #[test]
    fn the_summary_says_what_was_not_seen() {
        let words = report(&[State::Ok, State::Skip]).words(false);
        assert!(
            words.ends_with(
                "what is needed works: 1 ok, 0 warnings, 0 failed; 1 could not be looked at: run it as root to see more"
            )
        );
        assert!(report(&[State::Fail, State::Warn]).summary(false).starts_with("not all that is needed works: 0 ok, 1 warnings"));
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert!(!report(&[State::Ok, State::Fail]).words(false).contains('\u{1b}'));
    }

    #[test]
    fn a_problem_of_the_configuration_keeps_its_place_and_its_mend() {
        let problem = config::parse("[scan]\nports = 0", "host").problems.remove(0);
        let finding = from_problem(&problem, Path::new("h"));
        assert_eq!((finding.state, finding.detail.as_str()), (State::Fail, "h:2:9: [scan] ports: 0 is out of range"));
        assert_eq!(finding.mend.as_deref(), Some("write a whole number from 1 to 16"));
    }

    #[test]
    fn a_file_that_was_named_and_is_not_there_is_bad_usage() {
        assert_eq!(configuration(Some(Path::new("/nonexistent/h.toml"))).unwrap_err().code(), 2);
    }
}
