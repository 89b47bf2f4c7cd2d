//! `[traps] dark` and `except`: what ports do that nobody serves.

use super::{
    problem::Placed,
    reader::{Section, number_of, text_of},
    sections::placed_choice,
};
use std::ops::RangeInclusive;
use toml::de::DeValue;

/// The most entries of `except`.
const EXCEPT_MAX: usize = 1_024;
const PORTS: RangeInclusive<u64> = 1..=65_535;

/// What a port does that nobody serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dark {
    /// It refuses, as the machine always does.
    Refuse,
    /// It answers nothing.
    Silent,
    /// It is a trap.
    Trap,
}

/// The part of `[traps]` about ports that nobody serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DarkPorts {
    /// What they do.
    pub dark: Placed<Dark>,
    /// Which of them refuse all the same.
    pub except: Vec<Placed<RangeInclusive<u16>>>,
}

/// Reads it from `[traps]`.
pub(super) fn dark(section: &Section<'_, '_>) -> DarkPorts {
    let words = [("refuse", Dark::Refuse), ("silent", Dark::Silent), ("trap", Dark::Trap)];
    let dark = placed_choice(section, "dark", &words);
    let except = section.items("except", ports);
    if let Some(except) = except.as_ref().filter(|except| except.value.len() > EXCEPT_MAX) {
        let count = except.value.len();
        section.doc.error(except.place, format!("{}: {count} entries; write {EXCEPT_MAX} at most", section.named("except")));
    }
    DarkPorts { dark, except: except.map_or_else(Vec::new, |except| except.value) }
}

/// A port, or the first and the last of several.
fn ports(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, String> {
    let DeValue::String(text) = value else {
        let port = number_of(value, &PORTS)?;
        let port = u16::try_from(port).map_err(|error| error.to_string())?;
        return Ok(port..=port);
    };
    let wrong = || format!("`{text}` is no port and no range of ports; write for example 25 or \"6000-6063\"");
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = text_of(value)?.split_once('-').unwrap_or((text, text));
    let (first, last) = port(first).zip(port(last)).ok_or_else(wrong)?;
    if first > last { Err(wrong()) } else { Ok(first..=last) }
}
