//! The corpus: every value that a stranger may choose, from `crates/format/tests/hostile`.

use std::{fs, path::Path};

/// One value.
#[derive(Debug)]
pub struct Value {
    /// What it is after.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Where the values are.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../format/tests/hostile");

/// All of them, by name.
pub fn load() -> Vec<Value> {
    let files = fs::read_dir(Path::new(FOLDER)).unwrap().map(|file| file.unwrap().path());
    let is_value = |file: &std::path::PathBuf| file.extension().is_none() && file.file_name().unwrap() != ".gitattributes";
    let value = |file: std::path::PathBuf| Value {
        name: file.file_name().unwrap().to_str().unwrap().to_owned(),
        bytes: fs::read(&file).unwrap(),
    };
    let mut values: Vec<Value> = files.filter(is_value).map(value).collect();
    values.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(values.len() > 100, "the corpus is there");
    values
}
