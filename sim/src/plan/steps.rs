//! The timeline: steps as a file writes them, each made into the acts that it stands for.

use super::{Act, Deed, STORY_MAX, Whom, Window, reader::Section};
use crate::{Memory, Misdeed, Rotation};
use honeymesh_node::Lifetime;
use std::time::Duration;

/// What `do` may say.
const DEEDS: [&str; 11] = ["ban", "unban", "split", "heal", "kill", "restart", "loss", "rotate", "rogue", "touch", "meter"];
/// The most subjects of one step.
const COUNT_MAX: u64 = 100_000;
/// The highest number of a stranger.
const STRANGERS_MAX: u64 = 9_999;
/// The most times that a step is repeated.
const REPEAT_MAX: u64 = 100_000;
/// How long a step of a change of keys may take to reach everybody before the next one.
const ROTATION_STEP: Duration = Duration::from_secs(2);

/// All acts of the timeline, in the order of their times; what happens together stays in the order of the file.
pub(super) fn read(root: &Section<'_, '_>, nodes: usize, end: Duration) -> Vec<Act> {
    let mut rogues = 0;
    let mut acts: Vec<Act> = root.sections("step").iter().flat_map(|step| acts(step, nodes, end, &mut rogues)).collect();
    acts.sort_by_key(|act| act.at);
    acts
}

fn acts(step: &Section<'_, '_>, nodes: usize, end: Duration, rogues: &mut usize) -> Vec<Act> {
    let at = step.duration("at");
    if at.is_none() && !step.has("at") {
        step.wrong("`at` is missing; say when the step happens, such as at = \"5s\"");
    }
    let at = at.unwrap_or_default();
    let which = step.choice("do", &DEEDS);
    if which.is_none() && !step.has("do") {
        step.wrong(&format!("`do` is missing; write one of {}", DEEDS.join(", ")));
    }
    let repeat = step.number("repeat", 1, REPEAT_MAX).unwrap_or(1);
    let every = step.duration("every");
    if repeat > 1 && every.is_none() {
        step.wrong("`repeat` needs `every`; say how far apart, such as every = \"1s\"");
    }
    let deeds = which.map(|which| deeds(step, DEEDS[which], nodes, rogues)).unwrap_or_default();
    step.finish();
    let times = (0..repeat).map(|turn| at + every.unwrap_or_default() * u32::try_from(turn).unwrap_or(u32::MAX));
    let acts: Vec<Act> =
        times.flat_map(|at| deeds.iter().map(move |(later, deed)| Act { at: at + *later, deed: *deed })).collect();
    if let Some(late) = acts.iter().map(|act| act.at).find(|at| *at > end || *at > STORY_MAX) {
        step.wrong(&format!(
            "something happens at {late:?}, after the story; write a later `end` (it is {end:?}, 7d is the most)"
        ));
    }
    acts
}

/// What a step stands for, each with how much later.
fn deeds(step: &Section<'_, '_>, word: &str, nodes: usize, rogues: &mut usize) -> Vec<(Duration, Deed)> {
    let at_once = |deed| vec![(Duration::ZERO, deed)];
    match word {
        "ban" => at_once(ban(step, nodes)),
        "unban" => at_once(Deed::Unban { node: node(step, nodes), count: count(step) }),
        "split" => split(step, nodes),
        "heal" => at_once(Deed::Heal),
        "kill" => at_once(kill(step, nodes)),
        "restart" => at_once(Deed::Restart),
        "loss" => at_once(Deed::Loss { per_mille: step.per_mille("percent").unwrap_or(0) }),
        "rotate" => [Rotation::Add, Rotation::Use, Rotation::Retire]
            .into_iter()
            .zip(0..)
            .map(|(rotation, turn)| (ROTATION_STEP * turn, Deed::Rotate(rotation)))
            .collect(),
        "rogue" => at_once(rogue(step, rogues)),
        "touch" => at_once(touch(step, nodes)),
        _ => {
            let window = if step.choice("window", &["idle", "bans"]) == Some(1) { Window::Bans } else { Window::Idle };
            at_once(Deed::Meter { window, lasts: step.duration("for").unwrap_or(Duration::from_secs(10)) })
        }
    }
}

fn node(step: &Section<'_, '_>, nodes: usize) -> Option<usize> {
    step.number("node", 0, nodes.saturating_sub(1) as u64).and_then(|node| usize::try_from(node).ok())
}

fn count(step: &Section<'_, '_>) -> u32 {
    step.number("count", 1, COUNT_MAX).and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
}

fn ban(step: &Section<'_, '_>, nodes: usize) -> Deed {
    let lifetime = step.parsed("lifetime", |text| match text {
        "default" => Ok(Lifetime::Default),
        "forever" => Ok(Lifetime::Forever),
        other => honeymesh_format::parse_duration(other)
            .map(Lifetime::For)
            .map_err(|error| format!("{error}; or write \"default\" or \"forever\"")),
    });
    Deed::Ban { node: node(step, nodes), count: count(step), lifetime: lifetime.unwrap_or_default(), again: step.switch("again") }
}

fn split(step: &Section<'_, '_>, nodes: usize) -> Vec<(Duration, Deed)> {
    let groups = step.number("groups", 2, nodes as u64).and_then(|groups| usize::try_from(groups).ok()).unwrap_or(2);
    let heal = step.duration("for").map(|lasts| (lasts, Deed::Heal));
    [(Duration::ZERO, Deed::Split { groups })].into_iter().chain(heal).collect()
}

fn kill(step: &Section<'_, '_>, nodes: usize) -> Deed {
    let (node, share) = (node(step, nodes), step.per_mille("share"));
    if node.is_some() == share.is_some() {
        step.wrong("say whom to kill; write either node = N or share = PER CENT");
    }
    let whom = node.map_or(Whom::PerMille(share.unwrap_or(0)), Whom::Node);
    let memory = if step.choice("memory", &["kept", "lost"]) == Some(1) { Memory::Lost } else { Memory::Kept };
    Deed::Kill { whom, memory, back: step.duration("for") }
}

fn touch(step: &Section<'_, '_>, nodes: usize) -> Deed {
    let stranger = step.number("stranger", 0, STRANGERS_MAX).and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    Deed::Touch { node: node(step, nodes), stranger, forged: step.switch("forged") }
}

fn rogue(step: &Section<'_, '_>, rogues: &mut usize) -> Deed {
    let kinds = Misdeed::ALL.map(Misdeed::as_str);
    let kind = step.choice("kind", &kinds);
    if kind.is_none() && !step.has("kind") {
        step.wrong(&format!("`kind` is missing; write one of {}", kinds.join(", ")));
    }
    let number = *rogues;
    *rogues += 1;
    let lasts = step.duration("for").unwrap_or(Duration::from_secs(1));
    Deed::Rogue { number, misdeed: Misdeed::ALL[kind.unwrap_or(0)], lasts }
}
