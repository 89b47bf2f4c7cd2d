//! `honeymesh why`: the whole chain behind a ban, or why there is none.

use crate::{
    cli::Why,
    client::{Client, quoted},
    failure::Failure,
    output::{self, printable},
};
use honeymesh_format::{ClaimJson, CorroborationJson, EventJson, GroupJson, RecordJson, WhyBanJson, WhyJson, json_pretty, pair};
use hyper::Method;

/// How many events are shown.
const EVENTS_SHOWN: usize = 10;

/// The chain behind one address.
pub async fn run(args: Why) -> Result<(), Failure> {
    let path = format!("/api/v1/why/{}", quoted(&args.addr.to_canonical().to_string()));
    let why: WhyJson = Client::new(&args.plain.socket).read(Method::GET, &path, None).await?;
    let text = match args.plain.json {
        true => json_pretty(&why).map_err(|error| Failure::Refused(error.to_string()))?,
        false => words(&why),
    };
    Ok(output::say(&text)?)
}

fn words(why: &WhyJson) -> String {
    let mut lines = vec![format!("{}: {}", why.address, why.verdict)];
    why.bans.iter().for_each(|ban| lines.extend(ban_lines(ban)));
    lines.extend(why.protected.iter().map(|net| format!("protected: {} ({})", net.net, net.why)));
    lines.extend(why.records.iter().map(|record| format!("record: {}", record_line(record))));
    lines.extend(why.past.iter().map(|past| format!("ended: {} at {}: {}", past.subject, past.at, past.how)));
    if !why.events.is_empty() {
        lines.push(format!("seen, newest first{}:", if why.events.len() > EVENTS_SHOWN { " (more with --json)" } else { "" }));
        lines.extend(why.events.iter().take(EVENTS_SHOWN).map(|event| format!("  {}", event_line(event))));
    }
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

fn ban_lines(why: &WhyBanJson) -> Vec<String> {
    let ban = &why.ban;
    let until = ban.until.as_deref().unwrap_or("for ever");
    let enforced = match (ban.enforced, ban.refused) {
        (true, _) => "enforced",
        (false, true) => "NOT enforced: the kernel has refused it",
        (false, false) => "NOT enforced",
    };
    let mut lines = vec![format!(
        "ban of {}: {} ({}), scope {}, since {}, until {until}, {enforced}, {} packets dropped here",
        ban.subject,
        ban.reasons.join(","),
        ban.grade,
        ban.scope,
        ban.since,
        ban.drops
    )];
    lines.extend(why.group.as_ref().map(|group| {
        let GroupJson { prefix, drops } = group;
        format!("  enforced by the entry of {prefix}, which dropped {drops} packets of all who are banned in it")
    }));
    lines.extend(why.corroboration.as_ref().map(|waits| {
        let CorroborationJson { owners, needed, waits_until } = waits;
        format!("  corroborated by {owners} of {needed} owners, waits until {waits_until}")
    }));
    lines.extend(ban.note.as_ref().map(|note| format!("  note: {note}")));
    lines.extend(why.claims.iter().map(|claim| format!("  claim: {}", claim_line(claim))));
    lines.extend(why.records.iter().map(|record| format!("  record: {}", record_line(record))));
    lines
}

fn claim_line(claim: &ClaimJson) -> String {
    let from = match (&claim.cluster, &claim.origin_id) {
        (Some(cluster), Some(id)) => format!("{} ({}) by cluster {cluster}, trust {}", claim.origin, short(id), claim.trust),
        _ => format!("{} (this node)", claim.origin),
    };
    let until = claim.until.as_deref().unwrap_or("for ever");
    let mut line = format!(
        "{from}: {} ({}), score {}, since {}, until {until}",
        claim.reasons.join(","),
        claim.grade,
        claim.score,
        claim.since
    );
    if let Some(evidence) = &claim.evidence {
        line.push_str(&format!(", evidence {evidence}"));
    }
    if !claim.counts {
        line.push_str(", does not count (not trusted to enforce)");
    }
    line
}

fn record_line(record: &RecordJson) -> String {
    format!(
        "{} of {} by {} ({}) in cluster {} at {}, until {}, signature {}… verified",
        record.said,
        record.subject,
        record.origin,
        short(&record.origin_id),
        record.cluster,
        record.at,
        record.until,
        short(&record.signature)
    )
}

fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

/// One event as a person reads it.
pub fn event_line(event: &EventJson) -> String {
    let mut words = vec![event.at.clone(), event.kind.clone()];
    words.extend(event.source.clone().or_else(|| event.subject.clone()));
    words.extend(event.reasons.first().map(|_| event.reasons.join(",")));
    words.extend(event.trap.as_ref().map(|trap| pair("trap", trap)));
    words.extend(event.port.map(|port| format!("port={port}")));
    words.extend(event.grade.as_ref().map(|grade| format!("grade={grade}")));
    words.extend(event.score.map(|score| format!("score={score}")));
    words.extend(event.bytes.map(|bytes| format!("bytes={bytes}")));
    words.extend(event.entropy.map(|entropy| format!("entropy={entropy:.2}")));
    words.extend(event.until.as_ref().map(|until| format!("until={}", until.as_deref().unwrap_or("forever"))));
    words.extend(event.fields.iter().map(|(name, value)| pair(name, value)));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_told_line_by_line_without_a_strangers_control_characters() {
        let mut why = WhyJson { address: "203.0.113.7".into(), verdict: "banned".into(), ..WhyJson::default() };
        why.events.push(EventJson {
            kind: "visit".into(),
            fields: [("username".into(), "a\nb\x1b[1m".into())].into(),
            ..EventJson::default()
        });
        let text = words(&why);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("username=a\\nb\\x1b[1m"), "{text}");
    }
}
