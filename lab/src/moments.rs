//! When something happened, by the nodes' own events. All nodes of a lab share one clock.

use crate::{Event, Node, wait_until};
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::time::Duration;

/// How long a node may take to show something in its events.
const EVENT_TIME_MAX: Duration = Duration::from_secs(10);

/// When a trap of `node` first reported a visit after `began`.
///
/// # Errors
/// If it does not within ten seconds.
pub(crate) fn first_visit(node: &Node<'_>, began: Timestamp) -> Result<Timestamp> {
    wait_until(&format!("{} tells of the visit", node.config.name()), EVENT_TIME_MAX, || {
        Ok(node.events("visit")?.into_iter().map(|event| event.at).find(|at| *at >= began))
    })
}

/// How long after `visit` the kernel of `node` had the full ban of `subject`. Exact on the node whose trap it was; elsewhere
/// the time until the record was handled plus the time from its arrival to the entry, which is a little too much.
///
/// # Errors
/// If the node does not tell of it within ten seconds.
pub(crate) fn entered(node: &Node<'_>, subject: &str, visit: Timestamp) -> Result<Duration> {
    let full =
        |event: &Event| event.at >= visit && event.subject.as_deref() == Some(subject) && event.scope.as_deref() == Some("all");
    let ban = wait_until(&format!("{} tells of the ban", node.config.name()), EVENT_TIME_MAX, || {
        Ok(node.events("ban")?.into_iter().find(full))
    })?;
    let latency = ban.number("latency_us").map(Duration::from_micros);
    let latency = latency.context("the ban event does not say how long the kernel entry took")?;
    let is_own = !ban.fields.contains_key("cluster");
    let on_the_way = Duration::try_from(ban.at.duration_since(visit)).context("a ban before its visit")?;
    Ok(if is_own { latency } else { on_the_way + latency })
}
