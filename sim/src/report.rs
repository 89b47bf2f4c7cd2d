//! What came of a scenario with many seeds, as a person reads it.

use crate::{
    measure::{Measure, median},
    plan::Plan,
    play::Run,
};
use std::fmt::{self, Write};

/// All runs of a scenario.
#[derive(Clone, Debug)]
pub struct Report<'p> {
    /// The scenario.
    pub plan: &'p Plan,
    /// One run a seed, in the order of the seeds.
    pub runs: Vec<Run>,
    /// What stands behind the seed in the command that replays a run.
    pub flags: String,
}

impl Report<'_> {
    /// The runs in which something was wrong.
    pub fn failed(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| !run.wrong.is_empty())
    }

    /// What one measure came to in each run that has it.
    fn values(&self, measure: Measure) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.values.get(&measure).copied()).collect()
    }

    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.plan.options;
        let ms = |time: std::time::Duration| time.as_millis();
        writeln!(f, "{}: {}", self.plan.name, self.plan.about)?;
        writeln!(
            f,
            "{} nodes, {} seeds, {} to {} ms a hop, {} % lost, {} % doubled",
            options.nodes,
            self.runs.len(),
            ms(options.latency.0),
            ms(options.latency.1),
            options.loss_per_mille / 10,
            options.double_per_mille / 10,
        )
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<17} {:>10} {:>10}   holds", "measure", "median", "worst")?;
        for measure in Measure::ALL {
            let values = self.values(*measure);
            let worst = values.iter().copied().max_by(f64::total_cmp);
            let (Some(median), Some(worst)) = (median(values), worst) else { continue };
            let holds = self.holds(*measure, worst);
            writeln!(f, "{measure:<17} {:>10} {:>10}   {holds}", measure.show(median), measure.show(worst))?;
        }
        Ok(())
    }

    /// Whether a measure is within its bound and reaches its goal.
    fn holds(&self, measure: Measure, worst: f64) -> String {
        let find = |list: &[(Measure, f64)]| list.iter().find(|(wanted, _)| *wanted == measure).map(|(_, most)| *most);
        let mut text = String::new();
        if let Some(most) = find(&self.plan.expect) {
            let word = if worst <= most { "yes" } else { "NO" };
            let _ = write!(text, "{word}, at most {}", measure.show(most));
        }
        if let Some(goal) = find(&self.plan.goal) {
            let word = if worst <= goal { "reached" } else { "missed" };
            let comma = if text.is_empty() { "" } else { "; " };
            let _ = write!(text, "{comma}goal {} {word}", measure.show(goal));
        }
        if text.is_empty() { "-".into() } else { text }
    }

    /// What each kind of taken-over member cost the node that it cost most, over all seeds.
    fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.runs.first().filter(|run| !run.costs.is_empty()) else { return Ok(()) };
        let heads = ["accepted", "records", "verified", "bad", "refused", "events"];
        writeln!(f, "\n{:<10} {}", "misdeed", heads.map(|head| format!("{head:>9}")).concat())?;
        for (number, cost) in first.costs.iter().enumerate() {
            let all = || self.runs.iter().filter_map(|run| run.costs.get(number));
            let most = |count: fn(&crate::play::Cost) -> u64| all().map(count).max().unwrap_or(0);
            let counts = [
                most(|cost| cost.accepted),
                most(|cost| cost.records),
                most(|cost| cost.signatures),
                most(|cost| cost.bad_signatures),
                most(|cost| cost.refused),
                most(|cost| cost.events),
            ];
            writeln!(f, "{:<10} {}", cost.misdeed.as_str(), counts.map(|count| format!("{count:>9}")).concat())?;
        }
        Ok(())
    }

    fn failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in self.failed() {
            writeln!(
                f,
                "\nseed {} FAILED; replay: cargo xtask sim {} --seeds {}{}",
                run.seed, self.plan.name, run.seed, self.flags
            )?;
            run.wrong.iter().try_for_each(|wrong| writeln!(f, "  {wrong}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.table(f)?;
        self.costs(f)?;
        self.failures(f)?;
        let wrong = self.failed().count();
        let verdicts = if wrong == 0 { "every node drops what the model says" } else { "not all is as it should be" };
        writeln!(f, "\n{} of {} seeds hold: {verdicts}", self.runs.len() - wrong, self.runs.len())
    }
}
