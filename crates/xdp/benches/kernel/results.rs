//! Tables of figures, and how they are written.

use crate::{goals::Goal, plan::Plan};
use std::fmt::Write as _;

/// One table: contenders down, cases across.
pub struct Section {
    pub title: String,
    pub unit: &'static str,
    pub cases: Vec<String>,
    pub lines: Vec<Line>,
}

/// What one contender came to.
pub struct Line {
    pub name: String,
    pub cells: Vec<Cell>,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    /// Does not apply, or was not measured.
    #[default]
    Empty,
    Figure(f64),
}

/// Everything that came out.
pub struct Results {
    pub scale: &'static str,
    pub machine: Vec<(&'static str, String)>,
    pub sections: Vec<Section>,
    pub goals: Vec<Goal>,
    /// Contenders that could not be set up, and why.
    pub absent: Vec<String>,
    /// A contender dropped what it should pass, or the other way round.
    pub faults: Vec<String>,
}

impl Section {
    pub fn new(title: impl Into<String>, unit: &'static str) -> Self {
        Self { title: title.into(), unit, cases: Vec::new(), lines: Vec::new() }
    }

    /// Enters a figure; a new contender or case makes a new line or column.
    pub fn enter(&mut self, name: &str, case: &str, figure: f64) {
        let column = place(&mut self.cases, |known| known == case, || case.into());
        let line = place(&mut self.lines, |line| line.name == name, || Line { name: name.into(), cells: Vec::new() });
        let cells = &mut self.lines[line].cells;
        cells.resize(cells.len().max(column + 1), Cell::Empty);
        cells[column] = Cell::Figure(figure);
    }

    pub fn figure(&self, name: &str, case: &str) -> Option<f64> {
        let column = self.cases.iter().position(|known| known == case)?;
        match self.lines.iter().find(|line| line.name == name)?.cells.get(column)? {
            Cell::Figure(figure) => Some(*figure),
            Cell::Empty => None,
        }
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let head = [&[format!("{}, {}", self.title, self.unit)], &self.cases[..]].concat();
        let row = |line: &Line| {
            let cells = (0..self.cases.len()).map(|column| line.cells.get(column).map_or_else(String::new, Cell::text));
            std::iter::once(line.name.clone()).chain(cells).collect()
        };
        std::iter::once(head).chain(self.lines.iter().map(row)).collect()
    }
}

/// Where it is in the list, at its end if it was not there.
fn place<T>(list: &mut Vec<T>, is_it: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> usize {
    list.iter().position(is_it).unwrap_or_else(|| {
        list.push(make());
        list.len() - 1
    })
}

impl Cell {
    pub fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Figure(value) => number(*value),
        }
    }
}

/// Three digits that count.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

impl Results {
    pub fn new(plan: &Plan) -> Self {
        let (sections, goals, absent, faults) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { scale: plan.scale.name(), machine: crate::files::machine(), sections, goals, absent, faults }
    }

    pub fn figure(&self, title: &str, name: &str, case: &str) -> Option<f64> {
        self.sections.iter().find(|section| section.title == title)?.figure(name, case)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            writeln!(text, "\n{}", aligned(&section.rows())).unwrap();
        }
        for absent in &self.absent {
            writeln!(text, "not measured: {absent}").unwrap();
        }
        let goals: Vec<_> = self.goals.iter().map(Goal::row).collect();
        write!(text, "\n{}", aligned(&goals)).unwrap();
        text
    }

    /// For the documentation.
    pub fn markdown(&self) -> String {
        let machine: Vec<_> = self.machine.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let mut text = format!("Run: {}; {}.\n\n| goal | measured | |\n|---|---:|---|\n", self.scale, machine.join("; "));
        for goal in &self.goals {
            writeln!(text, "| {} |", goal.row().join(" | ")).unwrap();
        }
        for section in &self.sections {
            let mut rows = section.rows().into_iter().map(|row| format!("| {} |\n", row.join(" | ")));
            text.push('\n');
            text.push_str(&rows.next().unwrap_or_default());
            writeln!(text, "|---|{}", "---:|".repeat(section.cases.len())).unwrap();
            text.extend(rows);
        }
        if !self.absent.is_empty() {
            writeln!(text, "\nNot measured: {}.", self.absent.join("; ")).unwrap();
        }
        text
    }
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cell = |(column, (cell, width)): (usize, (&String, &usize))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("  {cell:>width$}"),
        };
        cells.map(cell).collect::<String>().trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
