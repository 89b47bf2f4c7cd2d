//! `honeymesh peers`: the mesh as this node sees it.

use crate::{
    cli::Plain,
    client::Client,
    commands::bans::array,
    failure::Failure,
    output::{self, Table},
};
use honeymesh_format::{PeerJson, printable};

/// The members of every cluster.
pub async fn run(args: Plain) -> Result<(), Failure> {
    let peers: Vec<PeerJson> = Client::new(&args.socket).list("/api/v1/peers").await?;
    if args.json {
        return array(&peers);
    }
    if peers.is_empty() {
        return Ok(output::say("no other member is known; is [[cluster]] join right, and does every member have the same key?")?);
    }
    let liars: Vec<String> = peers.iter().filter_map(liar_line).collect();
    let mut table = Table::new(&[
        "CLUSTER",
        "NAME",
        "ID",
        "ADDRESS",
        "STATE",
        "TRUST",
        "ADMISSION",
        "OWNER",
        "RECEIVED",
        "SENT",
        "RECORDS",
        "LAST HEARD",
        "REFUSED",
    ]);
    for peer in peers {
        let refused: Vec<String> = peer.refused.iter().map(|(why, count)| format!("{why}={count}")).collect();
        table.row([
            peer.cluster,
            peer.name.unwrap_or_else(|| "?".into()),
            peer.id.chars().take(8).collect(),
            peer.address,
            if peer.quarantine.is_some() { "QUARANTINED".into() } else { peer.state },
            peer.trust,
            admission(peer.admission, peer.revoked, peer.certificate),
            peer.owner.unwrap_or_else(|| "-".into()),
            peer.received.to_string(),
            peer.sent.to_string(),
            peer.records.to_string(),
            peer.last_heard.unwrap_or_else(|| "never".into()),
            refused.join(" "),
        ]);
    }
    let mut text = table.render(output::is_coloured());
    liars.iter().for_each(|line| text.push_str(&format!("\n{}", printable(line))));
    Ok(output::say(&text)?)
}

/// Why somebody is believed no more, and how anybody can check that.
fn liar_line(peer: &PeerJson) -> Option<String> {
    let liar = peer.quarantine.as_ref()?;
    let name = peer.name.as_deref().unwrap_or("?");
    Some(format!(
        "{name} is believed no more since {}: it signed a word against the canary {} at {}; proof: honeymesh peers verify {}",
        liar.since, liar.subject, liar.said_at, liar.record_base64
    ))
}

/// How a member stands, in a few words.
fn admission(standing: String, revoked: bool, certificate: Option<String>) -> String {
    match (revoked, certificate) {
        (true, _) if standing == "revoked" => standing,
        (true, _) => "revoked here".into(),
        (false, Some(until)) => format!("{standing} until {}", until.get(..10).unwrap_or(&until)),
        (false, None) => standing,
    }
}
