//! Orders: `ban`, `unban`, `allow add`, `allow remove`, `mode`, `key rotate`, `peers revoke`, `peers restore`.

use super::oneself;
use crate::{
    cli::{AllowNet, Ban, JoinTokenNew, KeyRotate, ModeArgs, Pardon, PeerNode, Plain, Unban},
    client::{Client, quoted},
    config::secrets,
    failure::Failure,
    output,
};
use honeymesh_format::{
    AllowOrderJson, BanOrderJson, DoneJson, JoinTokenJson, KeyRotateJson, ModeJson, RevokeJson, json_text, printable,
};
use honeymesh_types::{Mode, Subject};
use hyper::Method;
use serde::Serialize;

/// `honeymesh ban`.
pub async fn ban(args: Ban) -> Result<(), Failure> {
    oneself::spare(&Client::new(&args.plain.socket), args.subject).await?;
    let order =
        BanOrderJson { subject: args.subject.to_string(), ttl: args.ttl, note: args.note, local: args.local, force: args.force };
    order_json(&args.plain, Method::POST, "/api/v1/bans", &order).await
}

/// `honeymesh unban`.
pub async fn unban(args: Unban) -> Result<(), Failure> {
    let mut path = format!("/api/v1/bans/{}?local={}", quoted(&args.subject.to_string()), args.local);
    if let Some(wait) = args.wait {
        path.push_str(&format!("&wait={}", crate::config::values::short(wait)));
    }
    tell(&args.plain, send(&args.plain, Method::DELETE, &path, None).await?)
}

/// `honeymesh allow add`.
pub async fn allow_add(args: AllowNet) -> Result<(), Failure> {
    order_json(&args.plain, Method::POST, "/api/v1/allow", &AllowOrderJson { net: args.net.to_string() }).await
}

/// `honeymesh allow remove`.
pub async fn allow_remove(args: AllowNet) -> Result<(), Failure> {
    let path = format!("/api/v1/allow/{}", quoted(&subject(args.net)));
    tell(&args.plain, send(&args.plain, Method::DELETE, &path, None).await?)
}

fn subject(subject: Subject) -> String {
    subject.to_string()
}

/// `honeymesh peers pardon`.
pub async fn pardon(args: Pardon) -> Result<(), Failure> {
    let path = format!("/api/v1/quarantine/{}", quoted(&args.node));
    tell(&args.plain, send(&args.plain, Method::DELETE, &path, None).await?)
}

/// `honeymesh mode`.
pub async fn mode(args: ModeArgs) -> Result<(), Failure> {
    let confirm_within = args.confirm_within.map(crate::config::values::short);
    let order = ModeJson { mode: args.mode.to_string(), confirm_within, confirm: args.confirm };
    let body = json_text(&order).map_err(|error| Failure::usage(error.to_string()))?;
    let mut done = send(&args.plain, Method::PUT, "/api/v1/mode", Some(&body)).await?;
    if args.mode == Mode::Lockdown
        && let Some(warning) = oneself::stranded(&Client::new(&args.plain.socket)).await?
    {
        done.detail = format!("{}; {warning}", done.detail);
    }
    tell(&args.plain, done)
}

/// `honeymesh key rotate`. The file is read here: the daemon is somebody who may not.
pub async fn rotate(args: KeyRotate) -> Result<(), Failure> {
    let ring = secrets::read_keys(&args.new).map_err(|error| Failure::Refused(format!("the new key: {error}")))?;
    let key = ring.keys().first().map(|key| key.to_text().to_string());
    let order = KeyRotateJson { cluster: args.cluster.to_string(), file: None, key };
    order_json(&args.plain, Method::POST, "/api/v1/keys/rotate", &order).await
}

/// `honeymesh join-token new`: the token alone on standard output, so that a script can take it.
pub async fn join_token(args: JoinTokenNew) -> Result<(), Failure> {
    let ttl = Some(crate::config::values::short(args.ttl));
    let order = JoinTokenJson { cluster: args.cluster.to_string(), ttl, owner: args.owner.as_ref().map(ToString::to_string) };
    let body = json_text(&order).map_err(|error| Failure::usage(error.to_string()))?;
    let done = send(&args.plain, Method::POST, "/api/v1/join-tokens", Some(&body)).await?;
    match (&done.token, args.plain.json) {
        (Some(token), false) => {
            output::complain(&done.detail);
            Ok(output::say(token)?)
        }
        _ => tell(&args.plain, done),
    }
}

/// `honeymesh peers revoke` and `restore`.
pub async fn revoke(args: PeerNode, revoked: bool) -> Result<(), Failure> {
    order_json(&args.plain, Method::POST, "/api/v1/peers/revoke", &RevokeJson { node: args.node, revoked }).await
}

async fn order_json<T: Serialize>(plain: &Plain, method: Method, path: &str, order: &T) -> Result<(), Failure> {
    let body = json_text(order).map_err(|error| Failure::usage(error.to_string()))?;
    tell(plain, send(plain, method, path, Some(&body)).await?)
}

async fn send(plain: &Plain, method: Method, path: &str, body: Option<&str>) -> Result<DoneJson, Failure> {
    Client::new(&plain.socket).read(method, path, body).await
}

fn tell(plain: &Plain, done: DoneJson) -> Result<(), Failure> {
    let text = match plain.json {
        true => json_text(&done).map_err(|error| Failure::Refused(error.to_string()))?,
        false => words(&done),
    };
    Ok(output::say(&text)?)
}

/// What was done, and what is known of each member if that was asked for.
fn words(done: &DoneJson) -> String {
    let mut lines = vec![done.detail.clone()];
    for ban in &done.bans {
        let until = ban.until.as_deref().map_or_else(|| "for ever".into(), |until| format!("until {until}"));
        lines.push(format!("{}  {}  {}  scope {}  {until}", ban.subject, ban.reasons.join(","), ban.grade, ban.scope));
    }
    for name in done.confirmed.iter().flatten() {
        lines.push(format!("{name}: lifted"));
    }
    for name in done.unconfirmed.iter().flatten() {
        lines.push(format!("{name}: NOT CONFIRMED in time; it hears of it as soon as it can be reached"));
    }
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_each_member_is_told_plainly() {
        let done = DoneJson {
            detail: "192.0.2.1/32 is not banned any more; said to m".into(),
            confirmed: Some(vec!["edge-1".into()]),
            unconfirmed: Some(vec!["edge-2\x1b".into()]),
            ..DoneJson::default()
        };
        let words = words(&done);
        let lines: Vec<&str> = words.lines().collect();
        assert_eq!(lines[1], "edge-1: lifted");
        assert!(lines[2].starts_with("edge-2\\x1b: NOT CONFIRMED"), "{lines:?}");
    }
}
