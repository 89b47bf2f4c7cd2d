//! Every input that is kept: what a target reaches, and what once broke something.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail where it stands")]

use honeymesh_fuzz::{INPUT_BYTES_MAX, all};
use std::{fs, io::ErrorKind, path::PathBuf};

/// Inputs of one target.
const FILES_MAX: usize = 200;
/// All corpora together, in bytes.
const BYTES_MAX: u64 = 2 << 20;

fn files(folder: &str, target: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        entries => entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display())),
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// One test and not one for each target: what is allocated is counted, and nothing else may run meanwhile.
#[test]
fn every_input_that_is_kept_passes() {
    let mut bytes = 0;
    for target in all() {
        let corpus = files("corpus", target.name);
        assert!(!corpus.is_empty(), "{}: no corpus; `cargo xtask fuzz {}` begins one", target.name, target.name);
        assert!(corpus.len() <= FILES_MAX, "{}: {} inputs; `cargo xtask fuzz --merge` keeps the best", target.name, corpus.len());
        for file in corpus.into_iter().chain(files("regressions", target.name)) {
            let data = fs::read(&file).unwrap();
            bytes += data.len() as u64;
            assert!(data.len() <= INPUT_BYTES_MAX, "{} is too long", file.display());
            println!("{}", file.display());
            target.run(&data);
        }
    }
    assert!(bytes <= BYTES_MAX, "all corpora have {bytes} bytes; {BYTES_MAX} are allowed");
}

#[test]
fn every_folder_is_a_target() {
    for kind in ["corpus", "regressions"] {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(kind);
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(honeymesh_fuzz::named(&name).is_some(), "{kind}/{name} is no target's");
        }
    }
}

#[test]
fn every_service_is_a_target() {
    for service in honeymesh_trap_proto::Service::NAMES {
        // Nobody can connect to these: `datagrams` has them.
        let is_for_datagrams = ["ntp", "snmp", "tftp", "ssdp"].contains(service);
        assert!(is_for_datagrams || honeymesh_fuzz::named(service).is_some(), "{service}");
    }
}
