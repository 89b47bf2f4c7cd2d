//! iroh-gossip, in a crate of its own beside the workspace: built by the set-up, run by this benchmark, the same story told to it.

use crate::{
    Figures, Plan,
    contender::{figures, run},
};
use std::{path::Path, process::Command};

/// The crate, from this one.
const CRATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/iroh-gossip");

/// Its figures, or why there are none.
pub fn measure(plan: &Plan) -> Result<Figures, String> {
    let program = Path::new(CRATE).join("target/release/iroh-gossip-contender");
    if !program.is_file() {
        return Err("it is not installed: cargo xtask setup --for bench-mesh".into());
    }
    // It may be older than its source; what it is made of is there since the set-up.
    let mut build = Command::new("cargo");
    build.current_dir(CRATE).args(["build", "--release", "--locked", "--offline", "--quiet"]).env_remove("CARGO_TARGET_DIR");
    run(&mut build)?;
    figures(&program, plan)
}
