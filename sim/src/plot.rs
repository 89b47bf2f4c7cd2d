//! The plot of a scenario: how many nodes drop a banned subject after how many milliseconds, as SVG.

use crate::{
    measure::{median, quantile},
    play::Run,
};
use std::fmt::Write;

/// Size of the picture and of the frame in it, in its own units.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 736.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 380.0;
/// Points of a line.
const POINTS: u32 = 200;
/// Where the time axis begins, in milliseconds: it is logarithmic.
const MILLIS_MIN: f64 = 1.0;
/// The least that the time axis shows, in milliseconds.
const MILLIS_MAX_LEAST: f64 = 100.0;

/// Colours for a light and for a dark page.
const STYLE: &str = "\
:root { color-scheme: light dark }
svg { --paper: #ffffff; --ink: #1f2328; --grid: #d8dee4; --thin: #6e9bd1; --thick: #0b57a4 }
@media (prefers-color-scheme: dark) {
  svg { --paper: #0d1117; --ink: #e6edf3; --grid: #30363d; --thin: #4a72a8; --thick: #8cc2ff }
}
text { font: 13px system-ui, sans-serif; fill: var(--ink) }
.title { font-size: 15px; font-weight: 600 }
.paper { fill: var(--paper) }
.grid { stroke: var(--grid); stroke-width: 1 }
.seed { fill: none; stroke: var(--thin); stroke-width: 1; opacity: 0.6 }
.median { fill: none; stroke: var(--thick); stroke-width: 3 }
";

/// The plot; `None` if no ban was followed.
#[must_use]
pub fn svg(title: &str, runs: &[Run]) -> Option<String> {
    let lines: Vec<Vec<f64>> = runs.iter().filter(|run| !run.arrivals.is_empty()).map(line).collect();
    let latest = lines.iter().flatten().copied().max_by(f64::total_cmp)?;
    let most = decade_above(latest.max(MILLIS_MAX_LEAST));
    let mut svg = head(title, lines.len());
    grid(&mut svg, most);
    for line in &lines {
        draw(&mut svg, "seed", line, most);
    }
    draw(&mut svg, "median", &middle(&lines), most);
    svg.push_str("</svg>\n");
    Some(svg)
}

/// After how many milliseconds each share of all arrivals was there.
fn line(run: &Run) -> Vec<f64> {
    let at = |point| quantile(&run.arrivals, f64::from(point) / f64::from(POINTS)).unwrap_or_default();
    (0..=POINTS).map(at).collect()
}

/// The median of the lines, point by point.
fn middle(lines: &[Vec<f64>]) -> Vec<f64> {
    let at = |point: usize| median(lines.iter().filter_map(|line| line.get(point).copied()).collect()).unwrap_or_default();
    (0..=POINTS as usize).map(at).collect()
}

/// The next 1, 2 or 5 times a power of ten.
fn decade_above(millis: f64) -> f64 {
    let decade = 10_f64.powf(millis.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * decade).into_iter().find(|tick| *tick >= millis).unwrap_or(millis)
}

fn head(title: &str, seeds: usize) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let seeds = if seeds == 1 { "one seed".into() } else { format!("{seeds} seeds, one thin line each; thick: the median") };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n\
         <style>\n{STYLE}</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>\n<text x=\"{LEFT}\" y=\"42\">{seeds}</text>\n"
    )
}

fn x(millis: f64, most: f64) -> f64 {
    let share = (millis.max(MILLIS_MIN) / MILLIS_MIN).ln() / (most / MILLIS_MIN).ln();
    LEFT + share * (RIGHT - LEFT)
}

fn y(share: f64) -> f64 {
    BOTTOM - share * (BOTTOM - TOP)
}

fn grid(svg: &mut String, most: f64) {
    for percent in [0, 25, 50, 75, 100] {
        let y = y(f64::from(percent) / 100.0);
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{percent}</text>", LEFT - 8.0, y + 4.0);
    }
    for tick in ticks(most) {
        let x = x(tick, most);
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>");
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>", BOTTOM + 20.0);
    }
    let middle = (LEFT + RIGHT) / 2.0;
    let _ =
        writeln!(svg, "<text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">milliseconds since the ban</text>", BOTTOM + 44.0);
    let centre = (TOP + BOTTOM) / 2.0;
    let _ = writeln!(
        svg,
        "<text transform=\"translate(18 {centre}) rotate(-90)\" text-anchor=\"middle\">nodes that drop the subject, per cent</text>"
    );
}

/// 1, 2, 5, 10, 20, 50 ... up to `most`.
fn ticks(most: f64) -> Vec<f64> {
    let decades = (0..9).map(|power| 10_f64.powi(power));
    decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * decade)).take_while(|tick| *tick <= most).collect()
}

fn draw(svg: &mut String, class: &str, line: &[f64], most: f64) {
    let _ = write!(svg, "<polyline class=\"{class}\" points=\"");
    for (point, millis) in (0_u32..).zip(line) {
        let share = f64::from(point) / f64::from(POINTS);
        let _ = write!(svg, "{:.1},{:.1} ", x(*millis, most), y(share));
    }
    svg.push_str("\"/>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn run(arrivals: &[f64]) -> Run {
        Run {
            seed: 1,
            values: BTreeMap::new(),
            arrivals: arrivals.to_vec(),
            costs: Vec::new(),
            wrong: Vec::new(),
            events: 0,
            trace: String::new(),
        }
    }

    #[test]
    fn each_seed_has_a_line_and_all_have_a_median() {
        let svg = svg("a <b>", &[run(&[0.0, 10.0, 30.0]), run(&[0.0, 20.0, 900.0]), run(&[])]).unwrap();
        assert_eq!((svg.matches("class=\"seed\"").count(), svg.matches("class=\"median\"").count()), (2, 1));
        assert!(svg.contains(">a &lt;b></text>") && svg.contains(">milliseconds since the ban<") && svg.contains(">1000<"));
    }

    #[test]
    fn lines_stay_inside_the_frame() {
        for millis in [0.0, 1.0, 57.0, 1_000.0] {
            assert!((LEFT..=RIGHT).contains(&x(millis, 1_000.0)), "{millis}");
        }
        assert_eq!((y(0.0), y(1.0)), (BOTTOM, TOP));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(svg("x", &[run(&[])]), None);
    }
}
