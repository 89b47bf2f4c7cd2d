//! The real `nft`, for tests alone, and tables of ours that it may change.

use super::{Room, backend::nft};
use honeymesh_xdp::Nft;
use std::process::Command;

/// Runs the real tool: what it shows, or what it says against it.
pub fn tool(words: &str) -> Result<String, String> {
    let output = Command::new("nft").args(words.split(' ')).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Tables of ours that nobody owns, as kernels before 6.9 have them: everybody may change them.
pub fn unowned(room: &Room, interfaces: &[&str]) -> Nft {
    ["netdev", "inet"].into_iter().for_each(add_ours);
    nft(&room.options(interfaces)).unwrap()
}

/// An empty table of ours that nobody owns.
pub fn add_ours(family: &str) {
    let what = if family == "netdev" { "bans" } else { "dark ports" };
    let words = ["add", "table", family, "honeymesh", &format!("{{ comment \"honeymesh {what}, version 1\"; }}")];
    assert!(Command::new("nft").args(words).status().unwrap().success());
}
