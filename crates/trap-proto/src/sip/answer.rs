//! What the exchange answers, as Asterisk's PJSIP orders it: with everything, or with less where that would be too long.

use super::{
    Sip,
    message::{Request, parameter},
};
use crate::{datagram::NONCE_BYTES, persona::derived, text::hex};
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::WallTime;

const METHODS: &str =
    "OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, INFO, MESSAGE, REFER";
const SUPPORTED: &str = "100rel, timer, replaces, norefersub";
const TYPES: &str = "application/xpidf+xml, application/cpim-pidf+xml, application/simple-message-summary, \
                     application/pidf+xml, application/dialog-info+xml, application/sdp, message/sipfrag;version=2.0";

/// One answer.
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// Where a nonce is to be written.
    pub(super) nonce_at: Option<usize>,
}

/// How much room an answer takes besides what it is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    /// As the exchange likes it.
    Full,
    /// Without its name.
    Bare,
    /// With names of one letter, a short tag and no length, all of which the protocol allows in a datagram.
    Tight,
}

/// Says what it can do.
pub(super) fn capabilities(sip: &Sip, request: &Request<'_>) -> Vec<Answer> {
    let allow = format!("Allow: {METHODS}\r\n");
    let supported = format!("Supported: {SUPPORTED}\r\n");
    let all = format!("Accept: {TYPES}\r\n{allow}{supported}Accept-Encoding: identity\r\nAccept-Language: en\r\n");
    let choices = [all, format!("{allow}{supported}"), supported, String::new()];
    let full = choices.iter().map(|more| answer("200 OK", more, Size::Full, sip, request));
    full.chain([Size::Bare, Size::Tight].map(|size| answer("200 OK", "", size, sip, request))).collect()
}

/// Says no more than a status.
pub(super) fn plain(status: &str, sip: &Sip, request: &Request<'_>) -> Vec<Answer> {
    [Size::Full, Size::Bare, Size::Tight].map(|size| answer(status, "", size, sip, request)).into()
}

/// Asks who it is. The nonce is the time and what is written in its place; all of it comes back. What stands beside it (`opaque`)
/// PJSIP draws anew for each challenge.
pub(super) fn challenge(sip: &Sip, request: &Request<'_>, now: WallTime, count: u64) -> Vec<Answer> {
    const HOLE: &str = "00000000000000000000000000000000";
    const { assert!(HOLE.len() == NONCE_BYTES) };
    let short = format!("WWW-Authenticate: Digest realm=\"{}\",nonce=\"", sip.realm);
    let dated = format!("{short}{}/", now.0 / 1_000_000);
    let [call, via] = ["call-id", "via"].map(|name| request.header(name).unwrap_or_default());
    let drawn = derived(&sip.secret, &[b"opaque", &now.0.to_le_bytes(), &count.to_le_bytes(), call, b"\n", via]);
    let opaque = hex(&drawn[..8]);
    let full = format!("\",opaque=\"{opaque}\",algorithm=MD5,qop=\"auth\"\r\n");
    let choices = [
        (Size::Full, &dated, full.as_str()),
        (Size::Bare, &dated, &full),
        (Size::Bare, &dated, "\",algorithm=MD5\r\n"),
        (Size::Tight, &short, "\"\r\n"),
    ];
    let with_hole = |(size, before, behind): (Size, &String, &str)| {
        let head = head("401 Unauthorized", size, sip, request);
        let nonce_at = Some(head.len() + before.len());
        Answer { bytes: finished(head, &[before.as_str(), HOLE, behind].concat(), size, sip), nonce_at }
    };
    choices.map(with_hole).into()
}

fn answer(status: &str, more: &str, size: Size, sip: &Sip, request: &Request<'_>) -> Answer {
    Answer { bytes: finished(head(status, size, sip, request), more, size, sip), nonce_at: None }
}

/// What every answer repeats. A tag is the branch, as in PJSIP's answers that keep no state.
fn head(status: &str, size: Size, sip: &Sip, request: &Request<'_>) -> Vec<u8> {
    let mut head = format!("SIP/2.0 {status}\r\n").into_bytes();
    let [via, call, from, to] = if size == Size::Tight { ["v", "i", "f", "t"] } else { ["Via", "Call-ID", "From", "To"] };
    let mut line = |name: &str, value: &[u8]| head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    request.all("via").for_each(|value| line(via, value));
    line(call, request.header("call-id").unwrap_or_default());
    line(from, request.header("from").unwrap_or_default());
    let called = request.header("to").unwrap_or_default();
    let branch = request.header("via").and_then(|via| parameter(via, "branch")).unwrap_or_default();
    let short = hex(&derived(&sip.secret, &[b"tag", branch])[..4]);
    let tag = if size == Size::Tight { short.as_bytes() } else { branch };
    let is_tagged = parameter(called, "tag").is_some();
    line(to, &if is_tagged { called.to_vec() } else { [called, b";tag=", tag].concat() });
    line("CSeq", request.header("cseq").unwrap_or_default());
    head
}

fn finished(mut head: Vec<u8>, more: &str, size: Size, sip: &Sip) -> Vec<u8> {
    head.extend_from_slice(more.as_bytes());
    if size == Size::Full {
        head.extend_from_slice(format!("Server: {}\r\n", sip.server).as_bytes());
    }
    head.extend_from_slice(if size == Size::Tight { b"\r\n" } else { b"Content-Length:  0\r\n\r\n" });
    head
}
