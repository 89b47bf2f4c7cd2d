//! Hashicorp's memberlist, from Debian's packages: built and run by this benchmark, the same story told to it.

use crate::{Figures, Plan};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

const SOURCE: &str = include_str!("memberlist.go");
/// Where Debian keeps the sources of Go libraries.
const GOPATH: &str = "/usr/share/gocode";
const PACKAGES: &str = "apt-get install golang-go golang-github-hashicorp-memberlist-dev";

/// Its figures, or why there are none.
pub fn measure(plan: &Plan) -> Result<Figures, String> {
    if !PathBuf::from(GOPATH).join("src/github.com/hashicorp/memberlist").is_dir() {
        return Err(format!("it is not installed: {PACKAGES}"));
    }
    let dir = std::env::temp_dir().join(format!("honeymesh-memberlist-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let figures = build_and_run(plan, &dir);
    // What is left of it is in the directory for temporary files.
    let _ = fs::remove_dir_all(&dir);
    figures
}

fn build_and_run(plan: &Plan, dir: &std::path::Path) -> Result<Figures, String> {
    fs::write(dir.join("main.go"), SOURCE).map_err(|error| error.to_string())?;
    let mut build = Command::new("go");
    build.current_dir(dir).args(["build", "-o", "contender", "main.go"]);
    build.env("GO111MODULE", "off").env("GOPATH", GOPATH).env("GOFLAGS", "").env("GOCACHE", dir.join("cache"));
    run(&mut build)?;
    let numbers = [plan.nodes, plan.bans, plan.nodes_burst, plan.burst].map(|n| n.to_string());
    let mut contender = Command::new(dir.join("contender"));
    contender.args(numbers).arg(plan.idle.as_secs().to_string()).arg(plan.patience.as_secs().min(180).to_string());
    let output = run(&mut contender)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let known = |name: &str| crate::ROWS.iter().map(|(row, _)| *row).find(|row| *row == name);
    Ok(text
        .lines()
        .filter_map(|line| line.rsplit_once(": "))
        .filter_map(|(name, value)| Some((known(name)?, value.parse().ok()?)))
        .collect())
}

fn run(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}; {PACKAGES}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let last: Vec<&str> = text.lines().rev().take(5).collect();
    Err(format!("{name} failed: {}", last.join(" / ")))
}
