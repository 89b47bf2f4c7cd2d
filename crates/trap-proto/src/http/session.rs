//! One connection to the web server: requests one after the other, each of them a report.

use super::{
    House,
    body::{Body, Progress},
    credentials,
    reply::{Frame, Refusal},
    request::{self, Asked, Content, Head, Method, Version},
    sites::Visit,
    software::Software,
    xmlrpc,
};
use crate::{Findings, Flow, RECORD_HEAD_BYTES, Session, Step, text::random_bytes};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// Requests in one connection; the answer to the last one says that it is.
const REQUESTS_MAX: usize = 100;
/// Letters of PHP's session identities.
const VISITOR_CHARS: usize = 26;

/// One connection to the web server.
pub struct HttpSession {
    house: Arc<House>,
    unsecured: bool,
    seed: u64,
    phase: Phase,
    requests: usize,
    /// The last request was whole, and its answer ends the connection.
    is_done: bool,
    findings: Findings,
}

enum Phase {
    Head(Head),
    Body(Box<(Asked, Body)>),
    Over,
}

impl HttpSession {
    pub(super) fn new(house: Arc<House>, seed: u64, unsecured: bool) -> Self {
        let software = house.site.software();
        Self {
            house,
            unsecured,
            seed,
            phase: Phase::Head(Head::of(software)),
            requests: 0,
            is_done: false,
            findings: Findings::default(),
        }
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        match &mut self.phase {
            Phase::Over => Flow::Close,
            // Apache's OpenSSL takes the rest for no HTTP either: to a record it objects with `unexpected_message`, else it says nothing.
            Phase::Head(head) if self.unsecured && self.house.site.software() == Software::Apache && is_strange(&head.bytes) => {
                if let [_, 3, minor, _] = *head.bytes {
                    answer.extend_from_slice(&[0x15, 3, minor, 0, 2, 2, 10]);
                }
                self.findings.signs |= Signs::MALFORMED;
                self.note_partial();
                self.phase = Phase::Over;
                Flow::Close
            }
            Phase::Head(head) => match head.push(byte) {
                request::Step::More => Flow::Continue,
                request::Step::Complete => self.head(now, answer),
                request::Step::Refused(refusal) => self.refuse(refusal, now, answer),
            },
            Phase::Body(request) => match request.1.push(byte) {
                Progress::More => Flow::Continue,
                Progress::Complete => self.complete(false, now, answer),
                Progress::TooLarge => self.refuse(Refusal::BodyTooLarge, now, answer),
                Progress::Broken if matches!(self.house.site.software(), Software::Nginx | Software::Apache) => {
                    self.complete(true, now, answer)
                }
                Progress::Broken => self.refuse(Refusal::BadRequest, now, answer),
            },
        }
    }

    fn head(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Phase::Head(head) = &self.phase else { return Flow::Close };
        let software = self.house.site.software();
        let (asked, body) = match request::read(&head.bytes, software, &mut self.findings) {
            Ok(read) => read,
            Err(refusal) => return self.refuse(refusal, now, answer),
        };
        if self.unsecured {
            let everything = software == Software::Nginx && asked.path == "*";
            let refusal = if everything { Refusal::BadRequest } else { Refusal::Unsecured };
            self.note_partial();
            self.phase = Phase::Over;
            let mut frame = frame(&self.house, 0, now);
            if software == Software::Nginx {
                // Apache has not read so far.
                (frame.method, frame.version) = (asked.method, asked.version);
            }
            software.refuse(refusal, &frame, answer);
            return Flow::Close;
        }
        if let Some(reply) = software.objection(&asked, &Frame { host: &asked.host, ..frame(&self.house, 0, now) }) {
            self.findings.signs |= Signs::MALFORMED;
            self.phase = Phase::Over;
            // Apache does not say that it ends with that.
            let keep_alive = reply.status.starts_with("417");
            software.write(&reply, &Frame { method: asked.method, keep_alive, ..frame(&self.house, 0, now) }, answer);
            return Flow::Close;
        }
        let complete = body.is_complete();
        if asked.expects_continue && !complete && asked.version == Version::Http11 {
            answer.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.phase = Phase::Body(Box::new((asked, body)));
        if complete { self.complete(false, now, answer) } else { Flow::Continue }
    }

    /// Answers a request; one whose body is broken only where the page is looked for before its body is read.
    fn complete(&mut self, is_broken: bool, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.note_body();
        let Phase::Body(request) = core::mem::replace(&mut self.phase, Phase::Over) else { return Flow::Close };
        let (asked, body) = *request;
        self.requests += 1;
        let closes = asked.method == Method::Trace && self.house.site.software() != Software::Apache;
        let closes = closes || (is_broken && self.house.site.software() == Software::Nginx);
        let keep_alive = asked.keep_alive && !closes && self.requests < REQUESTS_MAX;
        let (house, left) = (Arc::clone(&self.house), REQUESTS_MAX - self.requests.min(REQUESTS_MAX));
        let software = house.site.software();
        let frame = Frame {
            method: asked.method,
            version: asked.version,
            keep_alive,
            keep_alive_said: asked.keep_alive_said,
            is_endless: asked.is_said_twice,
            host: &asked.host,
            ..frame(&house, left, now)
        };
        let visit = Visit { house: &house, asked: &asked, body: &body.kept, frame: &frame, visitor: &visitor(self.seed) };
        let mut reply = house.site.respond(&visit, &mut self.findings);
        if is_broken {
            self.findings.signs |= Signs::MALFORMED;
            if !reply.status.starts_with("404") {
                reply = software.refusal(Refusal::BadRequest, &frame);
            }
        }
        reply.remark(&house.remark);
        let reply = software.part(reply, &asked, &frame);
        software.write(&reply, &frame, answer);
        let is_over = is_broken || reply.status.starts_with("101") || reply.headers.contains(&("Connection", "close".into()));
        if !keep_alive || is_over {
            // Who was told that protocols are switched speaks on.
            self.is_done = !is_broken && !reply.status.starts_with("101");
            return Flow::Close;
        }
        self.phase = Phase::Head(Head::of(software));
        Flow::Telling
    }

    fn refuse(&mut self, refusal: Refusal, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.note_partial();
        let is_late = self.unsecured && self.house.site.software() == Software::Apache;
        let refusal = if is_late { Refusal::Unsecured } else { refusal };
        if !matches!(refusal, Refusal::BodyTooLarge | Refusal::Unsecured) {
            self.findings.signs |= Signs::MALFORMED;
        }
        self.phase = Phase::Over;
        self.house.site.software().refuse(refusal, &frame(&self.house, 0, now), answer);
        Flow::Close
    }

    /// Notes what was read of a request that will not become whole.
    fn note_partial(&mut self) {
        match &self.phase {
            Phase::Head(head) if !head.bytes.is_empty() => self.findings.note_first("request", head.request_line()),
            _ => self.note_body(),
        }
    }

    fn note_body(&mut self) {
        let Phase::Body(request) = &self.phase else { return };
        let (asked, body) = &**request;
        if body.kept.is_empty() {
            return;
        }
        self.findings.note("body", &body.kept);
        let found = match asked.content {
            Content::Form if body.kept.starts_with(b"<") => xmlrpc::call(&body.kept).map(|call| call.credentials),
            Content::Form => Some(credentials::form(&body.kept)),
            Content::Json => Some(credentials::json(&body.kept)),
            Content::Xml => xmlrpc::call(&body.kept).map(|call| call.credentials),
            Content::Other => None,
        };
        if let Some(found) = found {
            request::note_credentials(&found, &mut self.findings);
        }
    }
}

/// What the application calls this stranger.
fn visitor(seed: u64) -> String {
    let letter = |byte: u8| char::from(b"0123456789abcdefghijklmnopqrstuv"[usize::from(byte % 32)]);
    random_bytes::<VISITOR_CHARS>(seed).into_iter().map(letter).collect()
}

/// Where a record's head would be: whether OpenSSL takes it for something else than HTTP.
fn is_strange(head: &[u8]) -> bool {
    head.len() == RECORD_HEAD_BYTES - 1 && ![&b"GET "[..], b"POST", b"HEAD", b"PUT ", b"OPTI"].contains(&head)
}

/// Of the last answer, before the request is known.
fn frame(house: &House, requests_left: usize, now: WallTime) -> Frame<'_> {
    Frame {
        banner: &house.banner,
        now,
        method: Method::Get,
        version: Version::Http11,
        keep_alive: false,
        keep_alive_said: false,
        is_endless: false,
        requests_left,
        host: "",
        own_name: house.persona.host(),
        own_domain: house.persona.domain(),
        secure: house.secure,
    }
}

impl Session for HttpSession {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        Step::by_byte(bytes, |byte| self.byte(byte, now, answer))
    }

    fn end(&mut self) {
        self.note_partial();
        self.phase = Phase::Over;
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }

    fn has_heard_all(&self) -> bool {
        self.is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Http,
        drive::{self, Heard, said},
    };
    use alloc::{format, vec};
    use proptest::prelude::*;

    fn session() -> HttpSession {
        Http::default().session(7)
    }

    fn ask(bytes: &[u8]) -> Heard {
        drive::whole(&mut session(), bytes)
    }

    fn status_of(bytes: &[u8]) -> String {
        said(&ask(bytes).answer).lines().next().unwrap_or_default().into()
    }

    /// Captured from a real nginx 1.26.3 with this date.
    #[test]
    fn a_missing_page_is_missing_as_with_nginx() {
        let expected = "HTTP/1.1 404 Not Found\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\n\
            Content-Type: text/html\r\nContent-Length: 146\r\nConnection: keep-alive\r\n\r\n<html>\r\n\
            <head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n\
            <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
        assert_eq!(said(&ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").answer), expected);
    }

    /// Each request was sent to a real nginx 1.26.3, which gave the same status, length and connection header.
    #[test]
    fn requests_are_refused_as_nginx_refuses_them() {
        let long = "a".repeat(9_000);
        let table = [
            ("HEAD /x HTTP/1.0\r\n\r\n".into(), "404 Not Found", 146, "close"),
            ("GET / HTTP/1.1\r\n\r\n".into(), "400 Bad Request", 150, "close"),
            ("PUT / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "405 Not Allowed", 150, "keep-alive"),
            ("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "405 Not Allowed", 150, "keep-alive"),
            ("CONNECT x:1 HTTP/1.1\r\nHost: a\r\n\r\n".into(), "400 Bad Request", 150, "close"),
            ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "405 Not Allowed", 150, "close"),
            ("\x16\x03\x01".into(), "400 Bad Request", 150, "close"),
            ("get".into(), "400 Bad Request", 150, "close"),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".into(), "505 HTTP Version Not Supported", 180, "close"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), "400 Bad Request", 150, "close"),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n".into(), "400 Bad Request", 150, "close"),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
                "400 Bad Request",
                150,
                "close",
            ),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: foo\r\n\r\n".into(), "501 Not Implemented", 158, "close"),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n".into(),
                "413 Request Entity Too Large",
                176,
                "close",
            ),
            (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), "414 Request-URI Too Large", 170, "close"),
            (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), "400 Bad Request", 226, "close"),
            ("GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n".into(), "400 Bad Request", 150, "close"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into(), "400 Bad Request", 150, "close"),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n".into(), "400 Bad Request", 150, "close"),
            ("GET x HTTP/1.1\r\nHost: a\r\n\r\n".into(), "400 Bad Request", 150, "close"),
            ("GET http://foo/x HTTP/1.1\r\nHost: a\r\n\r\n".into(), "404 Not Found", 146, "keep-alive"),
            ("GET /private/ HTTP/1.1\r\nHost: a\r\n\r\n".into(), "401 Unauthorized", 172, "keep-alive"),
            ("GET  /x  HTTP/1.1\r\nHost: a\r\n\r\n".into(), "404 Not Found", 146, "keep-alive"),
        ];
        for (request, status, length, connection) in table {
            let answer = said(&ask(request.as_bytes()).answer);
            let shown: String = request.chars().take(60).collect();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{shown:?}: {answer}");
            assert!(
                answer.contains(&format!("\r\nContent-Length: {length}\r\nConnection: {connection}\r\n")),
                "{shown:?}: {answer}"
            );
        }
    }

    #[test]
    fn the_login_page_is_served_in_every_version() {
        let table = [
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice(), "HTTP/1.1 200 OK", true),
            (b"GET /admin?x=y HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", true),
            (b"GET / HTTP/1.1\nHost: a\n\n", "HTTP/1.1 200 OK", true),
            (b"GET /\r\n", "<!DOCTYPE html>", true),
            (b"HEAD /login.php HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK", false),
        ];
        for (request, first, page) in table {
            let answer = said(&ask(request).answer);
            assert_eq!(answer.lines().next(), Some(first));
            assert_eq!(answer.contains("<form method=\"post\""), page, "{answer}");
            assert!(!answer.contains("{error}") && !answer.contains("Invalid user"));
        }
    }

    #[test]
    fn a_request_is_told_with_its_headers() {
        let heard = ask(b"GET /shell?cmd=id HTTP/1.1\r\nHost: victim\r\nuser-agent: Mozi\x09lla\r\nCookie: a=b\r\n\r\n");
        let fields = &heard.findings.fields;
        assert_eq!((heard.flow, heard.reports.len()), (Flow::Telling, 1));
        assert_eq!(
            (fields["method"].as_str(), fields["path"].as_str(), fields["version"].as_str()),
            ("GET", "/shell?cmd=id", "1.1")
        );
        assert_eq!(
            (fields["host"].as_str(), fields["user_agent"].as_str(), fields["cookie"].as_str()),
            ("victim", "Mozi\\u{9}lla", "a=b")
        );
        assert!(heard.findings.signs.is_empty());
    }

    #[test]
    fn basic_credentials_and_forms_are_hostile() {
        let basic = ask(b"GET /manager/html HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YWRtaW46c2VjcmV0\r\n\r\n");
        assert!(said(&basic.answer).starts_with("HTTP/1.1 401 Unauthorized"));
        let form = ask(b"POST /login.php HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 30\r\n\r\nusername=admin&password=secret");
        assert!(said(&form.answer).contains("Invalid user name or password."));
        let chunked = ask(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nuser=admi\r\n9\r\nn&pwd=sec\r\n3\r\nret\r\n0\r\n\r\n");
        for heard in [basic, form, chunked] {
            assert_eq!((heard.flow, heard.reports.len()), (Flow::Telling, 1));
            assert_eq!(heard.findings.signs, Signs::CREDENTIALS);
            assert_eq!(
                (heard.findings.fields["username"].as_str(), heard.findings.fields["password"].as_str()),
                ("admin", "secret")
            );
        }
    }

    #[test]
    fn a_body_of_another_kind_is_kept_but_is_no_form() {
        let heard = ask(b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\npass=x");
        assert_eq!((heard.findings.fields["body"].as_str(), heard.findings.signs), ("pass=x", Signs::empty()));
    }

    #[test]
    fn pipelined_requests_are_a_report_and_an_answer_each() {
        let heard = ask(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxyGET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /d");
        let paths: Vec<_> = heard.reports.iter().map(|(found, _)| found.fields["path"].as_str()).collect();
        assert_eq!((paths.as_slice(), heard.flow), (["/a", "/b", "/c"].as_slice(), Flow::Close));
        assert_eq!(heard.reports[1].1, b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy");
        assert_eq!(said(&heard.answer).matches("HTTP/1.1 404").count(), 3);
    }

    #[test]
    fn a_whole_last_request_is_all_that_is_heard() {
        let ends = |bytes: &[u8]| {
            let mut session = session();
            let heard = drive::whole(&mut session, bytes);
            (heard.flow, session.has_heard_all())
        };
        let closing = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nxy";
        assert_eq!(ends(closing), (Flow::Close, true));
        assert_eq!(ends(b"GET / HTTP/1.0\r\n\r\n"), (Flow::Close, true));
        assert_eq!(ends(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (Flow::Telling, false));
        // The rest of the body, or of what is no request, is still on its way.
        assert_eq!(ends(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"), (Flow::Close, false));
        assert_eq!(ends(b"G\0T / HTTP/1.1\r\n"), (Flow::Close, false));
    }

    #[test]
    fn a_connection_has_a_last_request() {
        let heard = ask(&b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n".repeat(REQUESTS_MAX + 5));
        let answer = said(&heard.answer);
        assert_eq!((heard.reports.len(), heard.flow), (REQUESTS_MAX, Flow::Close));
        assert_eq!(answer.matches("Connection: close").count(), 1);
    }

    #[test]
    fn leave_to_send_a_body_is_given_once() {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(said(&ask(head).answer), "HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(said(&ask(&[head.as_slice(), b"ab"].concat()).answer).matches("HTTP/1.1 100").count(), 1);
    }

    #[test]
    fn what_was_not_finished_is_told_at_the_end() {
        let head = ask(b"GET /half HTTP/1.1\r\nHost: a");
        assert_eq!(head.findings.fields["request"], "GET /half HTTP/1.1");
        let body = ask(b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nuser=root&pass=x");
        assert_eq!((body.findings.fields["password"].as_str(), body.findings.signs), ("x", Signs::CREDENTIALS));
    }

    #[test]
    fn another_protocol_is_malformed_and_recorded() {
        let heard = ask(b"\x16\x03\x01\x02\x00");
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED));
        assert_eq!(heard.findings.fields["request"], "\\u{16}");
        assert_eq!(status_of(b"SSH-2.0-Go\r\n"), "HTTP/1.1 400 Bad Request");
    }

    fn talk() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b"GET / HTTP/1.1\r\n".to_vec()),
            Just(b"POST /login HTTP/1.0\r\n".to_vec()),
            Just(b"Host: a\r\n".to_vec()),
            Just(b"Content-Length: 7\r\n".to_vec()),
            Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
            Just(b"Authorization: Basic YTpi\r\n".to_vec()),
            Just(b"Expect: 100-continue\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"3\r\nabc\r\n".to_vec()),
            Just(b"0\r\n\r\n".to_vec()),
            Just(vec![b'x'; 5_000]),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        proptest::collection::vec(word, 0..30).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), talk()], cuts in drive::cuts()) {
            drive::law(session, &bytes, &cuts)?;
        }
    }
}
