//! How the story looks on a terminal, and plain where there is none.

use anyhow::{Result, bail};
use std::{
    cell::{Cell, RefCell},
    io::{IsTerminal, Write},
    time::Duration,
};

/// How wide a line of the story is.
const WIDTH: usize = 92;

/// A row of the final table.
struct Row {
    what: String,
    values: Vec<String>,
}

/// Tells, and remembers what was measured.
pub struct Teller {
    colourful: bool,
    scene: Cell<u32>,
    rows: RefCell<Vec<Row>>,
}

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const RED: &str = "31";

impl Teller {
    pub fn new() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colourful: std::io::stdout().is_terminal() && !plain, scene: Cell::new(0), rows: RefCell::default() }
    }

    fn tone(&self, code: &str, text: &str) -> String {
        if self.colourful { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    /// One line. Nobody listening is no reason to stop: the checks go on.
    pub fn say(&self, line: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    pub fn title(&self, title: &str) {
        self.say("");
        self.say(&self.tone(BOLD, title));
        self.say(&self.tone(DIM, &"─".repeat(WIDTH)));
    }

    pub fn picture(&self) {
        self.say("  attacker 203.0.113.66                                 node1 198.18.1.10");
        self.say("           2001:db8:bad::66   ──┐            ┌──────────      2001:db8:1::10");
        self.say("                                ├── router ──┼────────── node2 198.18.2.10 …");
        self.say("  honest   198.51.100.10      ──┘            └────────── node3 198.18.3.10 …");
        self.say("           2001:db8:600d::10");
        self.say("  every node: traps on 2222 (ssh), 8080 (http), 2121 (ftp), 2525 (script); a real web service on 80");
    }

    /// The next scene begins.
    pub fn scene(&self, title: &str) {
        self.scene.set(self.scene.get() + 1);
        self.title(&format!("{}. {title}", self.scene.get()));
    }

    /// A command that is about to be run by somebody.
    pub fn command(&self, who: &str, command: &str) {
        self.say(&format!("  {} {}", self.tone(BOLD, &format!("{who:>8} $")), command));
    }

    /// What a program printed, dimmed.
    pub fn quote(&self, text: &str) {
        for line in text.lines() {
            self.say(&format!("           {}", self.tone(DIM, line)));
        }
    }

    /// Tells something that was checked, with what was measured; fails if it does not hold.
    pub fn holds(&self, what: &str, is_so: bool, measured: &str) -> Result<()> {
        let (mark, colour) = if is_so { ("✔", GREEN) } else { ("✘", RED) };
        let gap = WIDTH.saturating_sub(4 + what.chars().count() + measured.chars().count()).max(2);
        self.say(&format!("  {} {what}{}{}", self.tone(colour, mark), " ".repeat(gap), self.tone(BOLD, measured)));
        if !is_so {
            bail!("the story does not hold: {what} ({measured})");
        }
        Ok(())
    }

    /// Remembers a measured time for the table.
    pub fn note_time(&self, what: &str, time: Duration) {
        self.note(what, vec![span(time)]);
    }

    /// Remembers what was measured for the table: one value, or one for each node.
    pub fn note(&self, what: &str, values: Vec<String>) {
        self.rows.borrow_mut().push(Row { what: what.into(), values });
    }

    /// Everything that was measured.
    pub fn table(&self) {
        self.title("What was measured");
        self.say(&self.tone(DIM, &format!("  {:<48}{:>14}{:>14}{:>14}", "", "node1", "node2", "node3")));
        for Row { what, values } in self.rows.borrow().iter() {
            let cells: String = match values.as_slice() {
                [one] => format!("{one:>42}"),
                several => several.iter().map(|value| format!("{value:>14}")).collect(),
            };
            self.say(&format!("  {what:<48}{cells}"));
        }
    }
}

/// A time for people: three digits and the unit that fits.
pub fn span(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..1_000.0 => format!("{micros:.0} µs"),
        ..100_000.0 => format!("{:.1} ms", micros / 1e3),
        ..1_000_000.0 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        for (micros, text) in [(41, "41 µs"), (1_500, "1.5 ms"), (141_500, "142 ms"), (2_340_000, "2.34 s"), (0, "0 µs")] {
            assert_eq!(span(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn what_does_not_hold_ends_the_story() {
        let teller = Teller::new();
        teller.holds("water is wet", true, "yes").unwrap();
        let error = teller.holds("pigs fly", false, "0 of 3").unwrap_err().to_string();
        assert_eq!(error, "the story does not hold: pigs fly (0 of 3)");
    }
}
