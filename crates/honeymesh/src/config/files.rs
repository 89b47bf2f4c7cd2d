//! A configuration file, read from the disk.

use super::{
    CONFIG_BYTES_MAX, Parsed, parse,
    problem::{Place, Problem},
    secrets::{check, host_name, read_bounded},
};
use std::path::Path;

/// Reads and checks a configuration file with the files it names; the operator's rules are neither read nor compiled.
///
/// # Errors
/// The file itself cannot be read; everything else is among [`Parsed::problems`].
pub fn load(file: &Path) -> Result<Parsed, Problem> {
    let mut parsed = read(file)?;
    parsed.problems.extend(check(&parsed.config));
    Ok(parsed)
}

/// The same without the files that it names.
///
/// # Errors
/// As [`load`].
pub fn read(file: &Path) -> Result<Parsed, Problem> {
    let text = read_bounded(file, CONFIG_BYTES_MAX)
        .map_err(|error| Problem::error(None, format!("cannot be read: {error}; give another file with --config")))?;
    let text = String::from_utf8(text).map_err(|error| {
        let place = Place::of(&String::from_utf8_lossy(error.as_bytes()), &(error.utf8_error().valid_up_to()..0));
        Problem::error(Some(place), "is not UTF-8; save the file as UTF-8")
    })?;
    Ok(parse(&text, &host_name()))
}
