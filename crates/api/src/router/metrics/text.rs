//! The text format of Prometheus, version 0.0.4.

use honeymesh_format::printable_lines;
use std::fmt::{Display, Write as _};

/// Names and values of labels.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// Families of metrics, written one after the other.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a family that only grows; its name must end with `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "counter")
    }

    /// Begins a family that goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "gauge")
    }

    /// Begins a family of buckets.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "histogram")
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn family(&mut self, name: &'static str, help: &str, kind: &str) -> Family<'_> {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.0, "# HELP honeymesh_{name} {help}\n# TYPE honeymesh_{name} {kind}");
        Family { text: self, name }
    }
}

/// A family under way.
pub(super) struct Family<'a> {
    text: &'a mut Text,
    name: &'static str,
}

impl Family<'_> {
    /// One sample.
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) -> &mut Self {
        self.suffixed("", labels, value)
    }

    /// One sample of a histogram's part: `_bucket`, `_sum` or `_count`.
    pub(super) fn suffixed(&mut self, suffix: &str, labels: Labels<'_>, value: impl Display) -> &mut Self {
        let out = &mut self.text.0;
        let _ = write!(out, "honeymesh_{}{suffix}", self.name);
        for (index, (name, label)) in labels.iter().enumerate() {
            let _ = write!(out, "{}{name}=\"{}\"", if index == 0 { '{' } else { ',' }, escaped(label));
        }
        let _ = writeln!(out, "{} {value}", if labels.is_empty() { "" } else { "}" });
        self
    }
}

/// As Prometheus reads it back; what it has no escape for is written out, as everywhere.
fn escaped(label: &str) -> String {
    printable_lines(label).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let mut text = Text::default();
        text.counter("events_total", "Events by kind").sample(&[("kind", "ban"), ("trap", "a\"\\\nb")], 3).sample(&[], 1.5);
        let golden = "# HELP honeymesh_events_total Events by kind\n# TYPE honeymesh_events_total counter\n\
                      honeymesh_events_total{kind=\"ban\",trap=\"a\\\"\\\\\\nb\"} 3\nhoneymesh_events_total 1.5\n";
        assert_eq!(text.into_string(), golden);
    }
}
