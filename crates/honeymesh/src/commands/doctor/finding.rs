//! One line of the doctor's: what was found, why it matters, how to mend it.

use crate::output::{Tone, printable, toned};
use honeymesh_format::CheckJson;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, but somebody should look.
    Warn,
    /// The daemon would not start, or not do its job.
    Fail,
    /// Could not be looked at.
    Skip,
}

impl State {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Fail => Tone::Bad,
            Self::Warn | Self::Skip => Tone::Bold,
        }
    }
}

/// What a finding belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    Config,
    Kernel,
    Power,
    Bpf,
    Interface,
    Port,
    State,
    Clock,
    Daemon,
}

impl Area {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Kernel => "kernel",
            Self::Power => "power",
            Self::Bpf => "bpf",
            Self::Interface => "interface",
            Self::Port => "port",
            Self::State => "state",
            Self::Clock => "clock",
            Self::Daemon => "daemon",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub area: Area,
    pub name: String,
    pub state: State,
    pub detail: String,
    pub matters: String,
    pub mend: Option<String>,
}

impl Finding {
    pub fn new(area: Area, name: &str, state: State, detail: impl Into<String>, matters: &str) -> Self {
        Self { area, name: name.into(), state, detail: detail.into(), matters: matters.into(), mend: None }
    }

    pub fn mend(self, how: impl Into<String>) -> Self {
        Self { mend: Some(how.into()), ..self }
    }

    pub fn json(&self) -> CheckJson {
        CheckJson {
            area: self.area.word().into(),
            name: self.name.clone(),
            state: self.state.word().into(),
            detail: self.detail.clone(),
            matters: self.matters.clone(),
            mend: self.mend.clone(),
        }
    }

    /// One line if all is well, else up to three.
    pub fn words(&self, coloured: bool) -> String {
        let state = toned(&format!("{:<4}", self.state.word()), self.state.tone(), coloured);
        let head = format!("{state}  {:<9}  {}: {}", self.area.word(), printable(&self.name), printable(&self.detail));
        let mut lines = vec![head];
        if self.state != State::Ok {
            lines.push(format!("      {:<9}  matters: {}", "", printable(&self.matters)));
            lines.extend(self.mend.iter().map(|mend| format!("      {:<9}  mend: {}", "", printable(mend))));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_takes_one_line_and_what_is_not_says_why_and_how() {
        let finding = |state| Finding::new(Area::Clock, "time", state, "late", "certificates").mend("set it");
        assert_eq!(finding(State::Ok).words(false), "ok    clock      time: late");
        let words = finding(State::Fail).words(false);
        assert_eq!(words.lines().map(str::trim).collect::<Vec<_>>()[1..], ["matters: certificates", "mend: set it"]);
    }
}
