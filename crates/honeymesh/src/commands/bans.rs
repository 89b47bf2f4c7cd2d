//! `honeymesh bans` and `honeymesh allow list`.

use crate::{
    cli::{Bans, Plain},
    client::{Client, quoted},
    failure::Failure,
    output::{self, Table},
};
use honeymesh_format::{AllowJson, BanJson, json_text};
use serde::Serialize;
use std::io::Write;

/// So many are asked for at once: what a page takes of the daemon's memory meanwhile is some 5 MB.
const PAGE: usize = 10_000;

/// The bans in force.
pub async fn run(args: Bans) -> Result<(), Failure> {
    let query = args.subject.map(|subject| format!("&subject={}", quoted(&subject.to_string()))).unwrap_or_default();
    let bans: Vec<BanJson> = Client::new(&args.plain.socket).list(&format!("/api/v1/bans?limit={PAGE}{query}")).await?;
    if args.plain.json {
        return array(&bans);
    }
    if bans.is_empty() {
        return Ok(output::say(if args.subject.is_some() { "no ban touches it" } else { "nobody is banned" })?);
    }
    Ok(output::say(&table(&bans).render(output::is_coloured()))?)
}

/// Everything that is never banned.
pub async fn allowed(args: Plain) -> Result<(), Failure> {
    let nets: Vec<AllowJson> = Client::new(&args.socket).list("/api/v1/allow").await?;
    if args.json {
        return array(&nets);
    }
    let mut table = Table::new(&["NET", "WHY", "SOURCE"]);
    for net in nets {
        table.row([net.net, net.why, net.source.unwrap_or_else(|| "found live".into())]);
    }
    Ok(output::say(&table.render(output::is_coloured()))?)
}

fn table(bans: &[BanJson]) -> Table {
    let mut table = Table::new(&["SUBJECT", "REASONS", "GRADE", "SCOPE", "UNTIL", "DROPS", "ENFORCED", "ORIGINS", "NOTE"]);
    for ban in bans {
        table.row([
            ban.subject.clone(),
            ban.reasons.join(","),
            ban.grade.clone(),
            ban.scope.clone(),
            ban.until.clone().unwrap_or_else(|| "forever".into()),
            ban.drops.to_string(),
            if ban.enforced { "yes" } else { "no" }.into(),
            ban.origins.join(","),
            ban.note.clone().unwrap_or_default(),
        ]);
    }
    table
}

/// A JSON array with one item a line.
pub fn array<T: Serialize>(items: &[T]) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    out.write_all(b"[")?;
    for (index, item) in items.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        let text = json_text(item).map_err(|error| Failure::Refused(error.to_string()))?;
        out.write_all(text.as_bytes())?;
    }
    out.write_all(if items.is_empty() { b"]\n" } else { b"\n]\n" })?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_for_ever_says_so() {
        let ban = BanJson {
            subject: "203.0.113.7/32".into(),
            reasons: vec!["trap".into(), "manual".into()],
            grade: "operator".into(),
            scope: "all".into(),
            origins: vec!["edge-1".into()],
            since: "2026-11-22T10:00:00Z".into(),
            until: None,
            enforced: true,
            refused: false,
            drops: 41,
            note: None,
        };
        let text = table(&[ban]).render(false);
        let row = text.lines().nth(1).unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["203.0.113.7/32", "trap,manual", "operator", "all", "forever", "41", "yes", "edge-1"]
        );
    }
}
