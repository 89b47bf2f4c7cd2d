//! Hashicorp's memberlist, from Debian's packages: built and run by this benchmark, the same story told to it.

use crate::{
    Figures, Plan,
    contender::{figures, run},
};
use std::{fs, path::PathBuf, process::Command};

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
    run(&mut build).map_err(|why| format!("{why}; {PACKAGES}"))?;
    figures(&dir.join("contender"), plan)
}
