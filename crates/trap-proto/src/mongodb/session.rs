//! One connection to a MongoDB trap.

use super::{
    Mongodb,
    bson::{self, Value, document},
    commands::{Command, State},
};
use crate::{
    Findings, Flow,
    exactly::{Exactly, Reader},
    packets::Packets,
    text::random_bytes,
};
use alloc::{format, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// Length with the head itself, number, the number it answers, kind.
const HEAD_BYTES: usize = 16;
/// The longest message, in bytes; who sends a longer one is left.
const MESSAGE_BYTES_MAX: usize = 64 * 1_024;
/// Sections of one message, and documents in one of them.
const SECTIONS_MAX: usize = 8;
const DOCUMENTS_MAX: usize = 16;

const REPLY: u32 = 1;
const QUERY: u32 = 2004;
const MESSAGE: u32 = 2013;
/// Flags of a message: a checksum at its end; no answer is wanted.
const CHECKSUM: u32 = 1;
const MORE_TO_COME: u32 = 2;

/// One connection to a MongoDB trap.
pub(super) struct MongodbSession {
    state: State,
    connection: i32,
    /// The head of the message that comes, once it is whole: its number and kind.
    head: Option<(u32, u32)>,
    coming: Exactly,
    sent: u32,
    findings: Findings,
}

impl MongodbSession {
    pub(super) fn new(mongodb: Mongodb, seed: u64) -> Self {
        let random: [u8; 26] = random_bytes(seed);
        let (nonce, rest) = random.split_first_chunk().unwrap_or((&[0; 24], &[0; 2]));
        Self {
            state: State { mongodb, nonce: *nonce, data: None, scram: None },
            connection: 100 + i32::from(u16::from_le_bytes([rest[0], rest[1]])),
            head: None,
            coming: Exactly::new(HEAD_BYTES),
            sent: 0,
            findings: Findings::default(),
        }
    }

    fn take_head(&mut self, head: &[u8]) -> Flow {
        let number = |at: usize| head.get(at..).and_then(|rest| rest.first_chunk()).map(|four| u32::from_le_bytes(*four));
        let (Some(length), Some(request), Some(kind)) = (number(0), number(4), number(12)) else { return self.broken() };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !matches!(kind, QUERY | MESSAGE) || length <= HEAD_BYTES {
            return self.broken();
        }
        if length > MESSAGE_BYTES_MAX {
            self.findings.note("message_bytes", format!("{length}").as_bytes());
            return Flow::Close;
        }
        self.head = Some((request, kind));
        self.coming.want(length - HEAD_BYTES);
        Flow::Continue
    }

    /// `OP_QUERY`, with which drivers begin, and old ones go on; `None` if it is broken.
    fn query(&mut self, body: &[u8], number: u32, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(body);
        reader.bytes(4)?;
        let namespace = reader.text()?;
        reader.bytes(8)?;
        let mut query = document(&mut reader)?;
        if let Some((b"$query" | b"query", Value::Doc(inner))) = bson::elements(query).next() {
            query = inner;
        }
        let mut command = Command::read(query, Vec::new(), self.connection)?;
        command.is_old = true;
        let database = namespace.split(|byte| *byte == b'.').next().unwrap_or_default();
        command.database = crate::safe_text(database, 128);
        let (reply, flow) = self.state.answer(&command, now, &mut self.findings);
        let reply = [&8_u32.to_le_bytes()[..], &[0; 12], &1_u32.to_le_bytes(), &reply.done()].concat();
        self.send(number, REPLY, &reply, answer);
        Some(flow)
    }

    /// `OP_MSG`; `None` if it is broken.
    fn message(&mut self, body: &[u8], number: u32, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(body);
        let flags = u32::from_le_bytes(*reader.bytes(4)?.first_chunk()?);
        if flags & CHECKSUM != 0 {
            reader.0 = reader.0.get(..reader.0.len().checked_sub(4)?)?;
        }
        let (mut command, mut documents) = (None, Vec::new());
        for _ in 0..SECTIONS_MAX {
            match reader.byte() {
                None => break,
                Some(0) => command = Some(document(&mut reader)?),
                Some(1) => {
                    let bytes = usize::try_from(u32::from_le_bytes(*reader.0.first_chunk()?)).ok()?;
                    let mut section = Reader(reader.bytes(bytes)?.get(4..)?);
                    section.text()?;
                    while documents.len() < DOCUMENTS_MAX && !section.0.is_empty() {
                        documents.push(document(&mut section)?);
                    }
                }
                Some(_) => return None,
            }
        }
        let command = Command::read(command?, documents, self.connection)?;
        let (reply, flow) = self.state.answer(&command, now, &mut self.findings);
        if flags & MORE_TO_COME == 0 {
            self.send(number, MESSAGE, &[&[0; 5][..], &reply.done()].concat(), answer);
        }
        Some(flow)
    }

    fn send(&mut self, to: u32, kind: u32, body: &[u8], answer: &mut Vec<u8>) {
        self.sent = self.sent.wrapping_add(1);
        let length = u32::try_from(HEAD_BYTES + body.len()).unwrap_or_default();
        for number in [length, self.sent, to, kind] {
            answer.extend_from_slice(&number.to_le_bytes());
        }
        answer.extend_from_slice(body);
    }

    fn broken(&mut self) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        Flow::Close
    }
}

impl Packets for MongodbSession {
    /// The longest answer to one, in bytes: all that a connection can have stored.
    const REPLY_BYTES_MAX: usize = 16 * 1_024;

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Some(said) = self.coming.push(byte) else { return Flow::Continue };
        match self.head.take() {
            None => self.take_head(&said),
            Some((number, kind)) => {
                self.coming.want(HEAD_BYTES);
                let flow = match kind {
                    QUERY => self.query(&said, number, now, answer),
                    _ => self.message(&said, number, now, answer),
                };
                flow.unwrap_or_else(|| self.broken())
            }
        }
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Persona, Session,
        drive::{self, Heard, said},
        mongodb::bson::Doc,
    };
    use proptest::prelude::*;

    fn mongodb(version: Option<&str>) -> Mongodb {
        Mongodb::new(version, &Persona::of([7; 32])).unwrap()
    }

    fn session() -> impl Session {
        mongodb(None).session(7)
    }

    fn framed(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEAD_BYTES + body.len()).unwrap();
        [&length.to_le_bytes()[..], &[5, 0, 0, 0, 0, 0, 0, 0], &kind.to_le_bytes(), body].concat()
    }

    fn message(document: Doc) -> Vec<u8> {
        framed(MESSAGE, &[&[0; 5][..], &document.done()].concat())
    }

    fn query(document: Doc) -> Vec<u8> {
        framed(QUERY, &[&[0; 4][..], b"admin.$cmd\0", &[0; 4], &[0xff; 4], &document.done()].concat())
    }

    fn command(name: &str, database: &str) -> Doc {
        Doc::new().int(name, 1).text("$db", database)
    }

    fn talk(parts: &[Vec<u8>]) -> Heard {
        drive::whole(&mut session(), &parts.concat())
    }

    fn hello() -> Vec<u8> {
        let client = Doc::new().doc("driver", Doc::new().text("name", "PyMongo").text("version", "4.10"));
        query(Doc::new().int("ismaster", 1).flag("helloOk", true).doc("client", client))
    }

    #[test]
    fn a_driver_is_greeted_and_taken_down() {
        let heard = talk(&[hello()]);
        assert_eq!(&heard.answer[8..16], [5, 0, 0, 0, 1, 0, 0, 0]);
        assert!(said(&heard.answer).contains("maxWireVersion") && heard.flow == Flow::Telling);
        assert_eq!(heard.findings.fields["client"], "{driver: {name: \"PyMongo\", version: \"4.10\"}}");
        let build = talk(&[message(command("buildInfo", "admin"))]);
        assert!(said(&build.answer).contains("8.0.17"));
        assert!(said(&talk(&[message(command("nonsense", "admin"))]).answer).contains("no such command: 'nonsense'"));
    }

    #[test]
    fn old_messages_are_answered_as_the_version_does() {
        let status = query(Doc::new().double("serverStatus", 1.0));
        assert!(said(&talk(core::slice::from_ref(&status)).answer).contains("Unsupported OP_QUERY command: serverStatus."));
        let old = drive::whole(&mut mongodb(Some("4.4.29")).session(7), &status);
        assert!(said(&old.answer).contains("4.4.29"));
        assert!(Mongodb::new(Some("eight"), &Persona::of([7; 32])).is_err());
    }

    #[test]
    fn a_ransom_is_taken_down_and_goes_nowhere() {
        let database = {
            let mut state = MongodbSession::new(mongodb(None), 7).state;
            let listed = state.answer(
                &Command::read(&command("listDatabases", "admin").done(), Vec::new(), 1).unwrap(),
                drive::NOW,
                &mut Findings::default(),
            );
            let answer = listed.0.done();
            let Some(Value::List(list)) = bson::get(&answer, "databases") else { panic!("no list") };
            let names: Vec<Vec<u8>> = bson::elements(list)
                .filter_map(|(_, one)| if let Value::Doc(one) = one { bson::text(one, "name").map(<[u8]>::to_vec) } else { None })
                .collect();
            let own = names.into_iter().find(|name| !matches!(name.as_slice(), b"admin" | b"config" | b"local"));
            said(&own.unwrap())
        };
        let find = message(Doc::new().text("find", "users").text("$db", &database));
        let before = talk(core::slice::from_ref(&find));
        assert!(said(&before.answer).contains("m.weber") && before.findings.signs.is_empty());
        let note = Doc::new().text("content", "All your data is backed up. Pay 0.01 BTC").done();
        let insert = Doc::new().text("insert", "README").list("documents", &[note]).text("$db", "READ_ME");
        let gone = [message(command("dropDatabase", &database)), message(insert)];
        let heard = talk(&[gone.concat(), message(Doc::new().text("find", "README").text("$db", "READ_ME")), find]);
        assert_eq!(heard.findings.signs, Signs::RULE);
        assert!(heard.findings.fields["documents"].contains("Pay 0.01 BTC"));
        assert!(said(&heard.answer).contains("Pay 0.01 BTC") && !said(&heard.answer).contains("m.weber"));
        let sections = [&[0; 5][..], &Doc::new().text("insert", "a").text("$db", "b").done(), &[1]].concat();
        let one = Doc::new().text("c", "d").done();
        let kind_1 = [&u32::try_from(14 + one.len()).unwrap().to_le_bytes()[..], b"documents\0", &one].concat();
        let inserted = talk(&[framed(MESSAGE, &[sections, kind_1].concat())]);
        assert_eq!(inserted.findings.fields["documents"], "{c: \"d\"}");
        assert!(talk(&[hello()]).findings.signs.is_empty());
    }

    #[test]
    fn a_login_goes_as_far_as_its_proof() {
        let start =
            |payload: &[u8]| Doc::new().int("saslStart", 1).text("mechanism", "SCRAM-SHA-256").bytes("payload", 0, payload);
        let next = Doc::new().int("saslContinue", 1).int("conversationId", 1).bytes("payload", 0, b"c=biws,r=abcX,p=cHJvb2Y=");
        let heard = talk(&[message(start(b"n,,n=ad=2Cmin,r=abc").text("$db", "admin")), message(next.text("$db", "admin"))]);
        let fields = &heard.findings.fields;
        assert_eq!((fields["username"].as_str(), fields["proof"].as_str()), ("ad,min", "cHJvb2Y="));
        assert!(
            fields["auth_message"].starts_with("n=ad=2Cmin,r=abc,r=abc") && fields["auth_message"].ends_with(",c=biws,r=abcX")
        );
        assert!(said(&heard.answer).contains("Authentication failed.") && heard.findings.signs == Signs::CREDENTIALS);
        let early = query(Doc::new().int("ismaster", 1).doc("speculativeAuthenticate", start(b"n,,n=root,r=xyz")));
        assert_eq!(talk(&[early]).findings.fields["username"], "root");
        let plain = Doc::new().int("saslStart", 1).text("mechanism", "PLAIN").bytes("payload", 0, b"\0root\0hunter2");
        assert_eq!(talk(&[message(plain)]).findings.fields["password"], "hunter2");
    }

    #[test]
    fn what_is_no_client_is_left_before_its_message_is_held() {
        for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], &framed(2012, &[0; 9]), &framed(MESSAGE, &[0; 5]), &framed(MESSAGE, b"")] {
            let heard = talk(&[bytes.to_vec()]);
            assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED), "{bytes:?}");
        }
        let long = talk(&[[&[0, 0, 0, 1][..], &[0; 8], &MESSAGE.to_le_bytes()].concat()]);
        assert_eq!((long.flow, long.findings.fields["message_bytes"].as_str()), (Flow::Close, "16777216"));
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(hello()),
            Just(message(command("listDatabases", "admin"))),
            Just(message(Doc::new().text("find", "a").text("$db", "b"))),
            Just(message(Doc::new().text("insert", "a").list("documents", &[Doc::new().text("c", &"x".repeat(900)).done()]))),
            Just(message(command("dropDatabase", "b"))),
            proptest::collection::vec(any::<u8>(), 1..60).prop_map(|body| framed(MESSAGE, &[&[0; 5][..], &body].concat())),
            proptest::collection::vec(any::<u8>(), 1..60).prop_map(|body| framed(QUERY, &body)),
        ];
        proptest::collection::vec(word, 0..16).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(session, &bytes, &cuts)?;
        }
    }
}
