//! The client's end of the control socket: HTTP/1.1 over a Unix socket, never over the network.

use crate::failure::Failure;
use honeymesh_format::ProblemJson;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Bytes, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::UnixStream;

/// How long the daemon may take to accept a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How long the daemon may take to begin its answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// The largest answer that is read into memory, in bytes; streams have no limit.
const ANSWER_BYTES_MAX: usize = 512 << 20;
/// The largest refusal that is read, in bytes; the rest is cut.
const REFUSAL_BYTES_MAX: usize = 16 << 10;

/// A daemon that may be there.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// An answer whose body has yet to come.
pub struct Answer {
    body: Incoming,
    /// The path of the next page of a long list.
    pub next: Option<String>,
}

impl Client {
    /// A client of the daemon behind `socket`. Connects only when asked something.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.into() }
    }

    /// Asks and waits for the head of the answer.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] if nobody answers, [`Failure::Refused`] in the daemon's words if it says no.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&str>) -> Result<Answer, Failure> {
        self.ask_with(method, path, body, &[]).await
    }

    /// As [`Client::ask`], with more headers.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn ask_with(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let mut sender = self.connect().await?;
        let request = request(method, path, body, headers)?;
        let response = tokio::time::timeout(ANSWER_DEADLINE, sender.send_request(request))
            .await
            .map_err(|_| self.unreachable("it accepts but does not answer; look at its log"))?
            .map_err(|error| self.unreachable(&format!("it hung up ({error}); look at its log")))?;
        judged(response).await
    }

    /// All items of a list that may come in pages.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let mut items = Vec::new();
        let mut path = Some(path.to_owned());
        while let Some(page) = path.take() {
            let mut answer = self.ask(Method::GET, &page, None).await?;
            path = answer.next.take();
            items.append(&mut understood::<Vec<T>>(&answer.bytes().await?)?);
        }
        Ok(items)
    }

    /// Asks and reads the whole answer.
    ///
    /// # Errors
    /// As [`Client::ask`], and if the answer is not what was expected (another version of the daemon).
    pub async fn read<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&str>) -> Result<T, Failure> {
        let bytes = self.ask(method, path, body).await?.bytes().await?;
        understood(&bytes)
    }

    async fn connect(&self) -> Result<http1::SendRequest<Full<Bytes>>, Failure> {
        let stream = tokio::time::timeout(CONNECT_DEADLINE, UnixStream::connect(&self.socket))
            .await
            .map_err(|_| self.unreachable("it does not accept; look at its log"))?
            .map_err(|error| self.unreachable(&mend(&error)))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(&format!("it does not speak HTTP ({error})")))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::Unreachable(format!("the daemon cannot be reached at {}: {why}", self.socket.display()))
    }
}

fn request(method: Method, path: &str, body: Option<&str>, headers: &[(&str, &str)]) -> Result<Request<Full<Bytes>>, Failure> {
    let bytes = body.map_or_else(Bytes::new, |body| Bytes::copy_from_slice(body.as_bytes()));
    let mut request =
        Request::builder().method(method).uri(path).header("host", "localhost").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(bytes)).map_err(|error| Failure::usage(format!("this cannot be asked: {error}")))
}

/// An answer's JSON.
///
/// # Errors
/// It is something else: another version of the daemon.
pub fn understood<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::Refused(format!("the daemon's answer is not understood: {error}; is it of the same version?")))
}

fn mend(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such socket; start it with `honeymesh run`, or give its socket with --socket".into(),
        io::ErrorKind::ConnectionRefused => "it has ended; start it with `honeymesh run`".into(),
        io::ErrorKind::PermissionDenied => "permission denied; run this as root or as a member of the group honeymesh".into(),
        _ => format!("{error}; is --socket right?"),
    }
}

/// An answer, or the refusal in it.
async fn judged(response: Response<Incoming>) -> Result<Answer, Failure> {
    let status = response.status();
    let next = response.headers().get("link").and_then(|link| link.to_str().ok()).and_then(next_of);
    let body = response.into_body();
    if status.is_success() {
        return Ok(Answer { body, next });
    }
    let limited = http_body_util::Limited::new(body, REFUSAL_BYTES_MAX);
    let bytes = limited.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Err(Failure::Refused(refusal(status, &bytes)))
}

/// The target of `<…>; rel="next"`.
fn next_of(link: &str) -> Option<String> {
    let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
    rest.contains("rel=\"next\"").then(|| target.to_owned())
}

/// The daemon's words, or the status if it has none.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let said = serde_json::from_slice::<ProblemJson>(body).ok().map(|problem| problem.detail);
    crate::output::printable(said.unwrap_or_else(|| format!("the daemon answered {status}")).as_str())
}

impl Answer {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The daemon hung up in the middle.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(|error| cut_short(&error))?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// The whole body.
    ///
    /// # Errors
    /// The daemon hung up in the middle, or it is larger than 512 MiB.
    pub async fn bytes(mut self) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            if all.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(Failure::Refused("the answer is too large; use --json, or ask for less".into()));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    /// Copies the body to `output` as it comes, and gives its length in bytes.
    ///
    /// # Errors
    /// The daemon hung up in the middle, or `output` refused.
    pub async fn copy(mut self, output: &mut dyn Write) -> Result<u64, Failure> {
        let mut length = 0;
        while let Some(piece) = self.piece().await? {
            output.write_all(&piece)?;
            length += piece.len() as u64;
        }
        output.flush()?;
        Ok(length)
    }
}

fn cut_short(error: &hyper::Error) -> Failure {
    Failure::Unreachable(format!("the daemon hung up in the middle of its answer: {error}; look at its log"))
}

/// `text` as it may stand in a query string.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_quoted() {
        assert_eq!(quoted("2001:db8::/64 +é"), "2001%3Adb8%3A%3A%2F64%20%2B%C3%A9");
    }

    #[test]
    fn a_refusal_is_the_daemons_words_made_printable() {
        let body = br#"{"type":"about:blank","title":"Conflict","status":409,"detail":"no\u001b[2J"}"#;
        assert_eq!(refusal(StatusCode::CONFLICT, body), "no\\x1b[2J");
        assert!(refusal(StatusCode::NOT_FOUND, b"<html>").contains("404"));
    }

    #[test]
    fn the_next_page_is_found() {
        let link = r#"</api/v1/bans?limit=2&after=192.0.2.1%2F32>; rel="next""#;
        assert_eq!(next_of(link).as_deref(), Some("/api/v1/bans?limit=2&after=192.0.2.1%2F32"));
        assert_eq!(next_of("</x>; rel=\"prev\""), None);
    }
}
