//! One connection to an MQTT broker.

use super::{
    Mqtt,
    packet::{
        Body, CONNACK, CONNECT, DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Packet, Packets, SUBACK,
        SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, text, write,
    },
    topic,
};
use crate::{
    ANSWER_BYTES_MAX, Findings, Flow, Patience, Session, Step,
    text::{hex, random_bytes},
};
use alloc::{format, string::String, sync::Arc, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// Subscriptions of one connection that are remembered; more are granted, and hear of nothing.
const SUBSCRIPTIONS_MAX: usize = 16;
/// The longest filter that is remembered, in bytes.
const FILTER_BYTES_MAX: usize = 256;
/// Filters of one packet that are looked at.
const FILTERS_PER_PACKET_MAX: usize = 64;
/// The longest answer to one packet, in bytes: what was published comes back, or all that is retained.
const REPLY_BYTES_MAX: usize = 8 * 1_024;

/// mosquitto's properties of a welcome, before and behind the client's new name: 10 aliases of topics, 20 messages under way.
const WELCOME: ([u8; 3], [u8; 3]) = ([0x22, 0, 10], [0x21, 0, 20]);
/// Version 5's name for the client's new name.
const ASSIGNED: u8 = 0x12;
const PROTOCOL_ERROR: u8 = 0x82;

/// One connection to an MQTT broker.
pub struct MqttSession {
    mqtt: Arc<Mqtt>,
    seed: u64,
    packets: Packets,
    phase: Phase,
    /// Filters and the quality of service that was granted.
    subscriptions: Vec<(Vec<u8>, u8)>,
    /// How long the client may be silent, once it is in; without end if it says so itself.
    silence_ms: Option<u32>,
    /// The number of the last message sent.
    sent: u16,
    findings: Findings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    /// Who is in, with this version of the protocol.
    In(u8),
    Over,
}

/// What a client says first.
struct Hello<'a> {
    level: u8,
    /// Seconds, within which something is to come.
    keep_alive: u16,
    is_clean: bool,
    client: &'a [u8],
    will: Option<(&'a [u8], &'a [u8])>,
    username: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
}

impl MqttSession {
    pub(super) fn new(mqtt: Arc<Mqtt>, seed: u64) -> Self {
        let (packets, subscriptions, findings) = (Packets::default(), Vec::new(), Findings::default());
        Self { mqtt, seed, packets, phase: Phase::New, subscriptions, silence_ms: None, sent: 0, findings }
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if self.phase == Phase::Over {
            return Flow::Close;
        }
        // mosquitto does not wait for the rest of what is no greeting.
        if self.phase == Phase::New && self.packets.is_between() && byte != CONNECT << 4 {
            return self.broken(answer);
        }
        match self.packets.push(byte) {
            Ok(None) => Flow::Continue,
            Ok(Some(packet)) => self.packet(&packet, now, answer),
            Err(()) => self.broken(answer),
        }
    }

    fn packet(&mut self, packet: &Packet, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Phase::In(level) = self.phase else {
            return if packet.kind == CONNECT { self.connect(packet, answer) } else { self.broken(answer) };
        };
        let done = match (packet.kind, packet.flags) {
            (PUBLISH, _) => self.publish(packet, level, answer),
            (SUBSCRIBE, 2) => self.subscribe(packet, level, now, answer),
            (UNSUBSCRIBE, 2) => self.unsubscribe(packet, level, answer),
            (PUBREL, 2) => self.acknowledge(PUBCOMP, 0, packet, answer),
            (PUBREC, 0) => self.acknowledge(PUBREL, 2, packet, answer),
            (PUBACK | PUBCOMP, 0) => Some(Flow::Continue),
            (PINGREQ, 0) => {
                write(PINGRESP, 0, &[], answer);
                Some(Flow::Continue)
            }
            (DISCONNECT, 0) => Some(self.over()),
            _ => None,
        };
        done.unwrap_or_else(|| self.broken(answer))
    }

    fn over(&mut self) -> Flow {
        self.phase = Phase::Over;
        Flow::Close
    }

    /// mosquitto closes without a word, but in version 5.
    fn broken(&mut self, answer: &mut Vec<u8>) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        if self.phase == Phase::In(5) {
            write(DISCONNECT, 0, &[PROTOCOL_ERROR], answer);
        }
        self.over()
    }

    fn connect(&mut self, packet: &Packet, answer: &mut Vec<u8>) -> Flow {
        let Some(hello) = hello(&packet.body).filter(|_| packet.flags == 0) else { return self.broken(answer) };
        self.note(&hello);
        let is_new = hello.level == 5;
        if !(3..=5).contains(&hello.level) {
            write(CONNACK, 0, &[0, 1], answer);
            return self.over();
        }
        if hello.client.is_empty() && !hello.is_clean && !is_new {
            write(CONNACK, 0, &[0, 2], answer);
            return self.over();
        }
        if !self.mqtt.lets_in {
            write(CONNACK, 0, if is_new { &[0, 0x87, 0] } else { &[0, 5] }, answer);
            return self.over();
        }
        self.phase = Phase::In(hello.level);
        // Once and a half of what it promises (MQTT 3.1.1, section 3.1.2.10).
        self.silence_ms = Some(if hello.keep_alive == 0 { u32::MAX } else { 1_500 * u32::from(hello.keep_alive) });
        if is_new {
            let mut properties = WELCOME.0.to_vec();
            if hello.client.is_empty() {
                properties.push(ASSIGNED);
                text(name(self.seed).as_bytes(), &mut properties);
            }
            properties.extend_from_slice(&WELCOME.1);
            let length = u8::try_from(properties.len()).unwrap_or_default();
            write(CONNACK, 0, &[&[0, 0, length][..], &properties].concat(), answer);
        } else {
            write(CONNACK, 0, &[0, 0], answer);
        }
        Flow::Telling
    }

    fn note(&mut self, hello: &Hello<'_>) {
        self.findings.note("version", format!("{}", hello.level).as_bytes());
        self.findings.note("client", hello.client);
        if let Some((topic, message)) = hello.will {
            self.findings.note("will_topic", topic);
            self.findings.note("will_message", message);
        }
        if hello.username.is_some() || hello.password.is_some() {
            self.findings.note("username", hello.username.unwrap_or_default());
            self.findings.note("password", hello.password.unwrap_or_default());
            self.findings.signs |= Signs::CREDENTIALS;
        }
    }

    /// Nobody honest tells a stranger's broker anything.
    fn publish(&mut self, packet: &Packet, level: u8, answer: &mut Vec<u8>) -> Option<Flow> {
        let quality = packet.flags >> 1 & 3;
        let mut body = Body(&packet.body);
        let topic = body.text()?;
        let number = if quality > 0 { body.number()? } else { 0 };
        if level == 5 {
            body.properties()?;
        }
        // An empty topic stands for an alias, in version 5.
        if quality == 3 || topic.contains(&b'#') || topic.contains(&b'+') || (topic.is_empty() && level < 5) {
            return None;
        }
        self.findings.note("topic", topic);
        self.findings.note("message", body.0);
        self.findings.signs |= Signs::RULE;
        match quality {
            1 => write(PUBACK, 0, &number.to_be_bytes(), answer),
            2 => write(PUBREC, 0, &number.to_be_bytes(), answer),
            _ => {}
        }
        let granted =
            self.subscriptions.iter().filter(|(filter, _)| topic::takes(filter, topic)).map(|(_, granted)| *granted).max();
        if let (Some(granted), false, false) = (granted, packet.is_cut, topic.starts_with(b"$")) {
            self.send(topic, body.0, granted.min(quality), 0, level, answer);
        }
        Some(Flow::Telling)
    }

    fn send(&mut self, topic: &[u8], message: &[u8], quality: u8, retain: u8, level: u8, answer: &mut Vec<u8>) {
        let mut body = Vec::new();
        text(topic, &mut body);
        if quality > 0 {
            self.sent = self.sent.checked_add(1).unwrap_or(1);
            body.extend_from_slice(&self.sent.to_be_bytes());
        }
        if level == 5 {
            body.push(0);
        }
        body.extend_from_slice(message);
        write(PUBLISH, quality << 1 | retain, &body, answer);
    }

    fn subscribe(&mut self, packet: &Packet, level: u8, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut body = Body(&packet.body);
        let number = body.number()?;
        if level == 5 {
            body.properties()?;
        }
        let (mut granted, mut new) = (Vec::new(), Vec::new());
        while !body.0.is_empty() && granted.len() < FILTERS_PER_PACKET_MAX {
            let (filter, options) = (body.text()?, body.byte()?);
            if !topic::is_filter(filter) || options & 3 == 3 {
                return None;
            }
            granted.push(options & 3);
            new.push((filter, options & 3));
        }
        if new.is_empty() {
            return None;
        }
        let filters: Vec<&[u8]> = new.iter().map(|(filter, _)| *filter).collect();
        self.findings.note("topic", &filters.join(&b' '));
        self.acknowledge_each(SUBACK, number, &granted, level, answer);
        self.send_retained(&filters, level, now, answer);
        for (filter, quality) in new {
            self.subscriptions.retain(|(known, _)| known != filter);
            if self.subscriptions.len() < SUBSCRIPTIONS_MAX && filter.len() <= FILTER_BYTES_MAX {
                self.subscriptions.push((filter.to_vec(), quality));
            }
        }
        Some(Flow::Telling)
    }

    /// Each retained message once, whichever filters take it.
    fn send_retained(&mut self, filters: &[&[u8]], level: u8, now: WallTime, answer: &mut Vec<u8>) {
        let mqtt = Arc::clone(&self.mqtt);
        for (topic, message) in mqtt.retained(mqtt.persona.uptime(now)) {
            if filters.iter().any(|filter| topic::takes(filter, topic.as_bytes())) {
                self.send(topic.as_bytes(), message.as_bytes(), 0, 1, level, answer);
            }
        }
    }

    fn unsubscribe(&mut self, packet: &Packet, level: u8, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut body = Body(&packet.body);
        let number = body.number()?;
        if level == 5 {
            body.properties()?;
        }
        let mut reasons = Vec::new();
        while !body.0.is_empty() && reasons.len() < FILTERS_PER_PACKET_MAX {
            let filter = body.text()?;
            let before = self.subscriptions.len();
            self.subscriptions.retain(|(known, _)| known != filter);
            reasons.push(if self.subscriptions.len() < before { 0 } else { 0x11 });
        }
        let reasons = if level == 5 { reasons.as_slice() } else { &[] };
        self.acknowledge_each(UNSUBACK, number, reasons, level, answer);
        Some(Flow::Continue)
    }

    #[expect(clippy::unused_self, reason = "stands beside what does need it")]
    fn acknowledge_each(&self, kind: u8, number: u16, reasons: &[u8], level: u8, answer: &mut Vec<u8>) {
        let properties: &[u8] = if level == 5 { &[0] } else { &[] };
        write(kind, 0, &[&number.to_be_bytes()[..], properties, reasons].concat(), answer);
    }

    fn acknowledge(&mut self, kind: u8, flags: u8, packet: &Packet, answer: &mut Vec<u8>) -> Option<Flow> {
        let number = Body(&packet.body).number()?;
        write(kind, flags, &number.to_be_bytes(), answer);
        Some(Flow::Continue)
    }
}

/// Reads a CONNECT; `None` if it is none.
fn hello(body: &[u8]) -> Option<Hello<'_>> {
    let mut body = Body(body);
    let protocol = body.text()?;
    let (level, flags, keep_alive) = (body.byte()?, body.byte()?, body.number()?);
    // A bridge says so in the level's highest bit.
    let level = level & 0x7f;
    if !matches!((protocol, level), (b"MQTT", 4..) | (b"MQIsdp", 3)) || flags & 1 != 0 {
        return None;
    }
    if level == 5 {
        body.properties()?;
    }
    let client = body.text()?;
    let will = if flags & 4 == 0 {
        None
    } else {
        if level == 5 {
            body.properties()?;
        }
        Some((body.text()?, body.text()?))
    };
    let username = if flags & 0x80 == 0 { None } else { Some(body.text()?) };
    let password = if flags & 0x40 == 0 { None } else { Some(body.text()?) };
    Some(Hello { level, keep_alive, is_clean: flags & 2 != 0, client, will, username, password })
}

/// What mosquitto calls a client that has no name.
fn name(seed: u64) -> String {
    let digits = hex(&random_bytes::<16>(seed)).to_ascii_uppercase();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    format!("auto-{}", parts.join("-"))
}

impl Session for MqttSession {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - REPLY_BYTES_MAX;
        Step::by_byte_until_full(bytes, answer, full, |byte, answer| self.byte(byte, now, answer))
    }

    fn patience(&self) -> Patience {
        Patience { silence_ms: self.silence_ms, all_ms: None }
    }

    fn end(&mut self) {
        if let (Some(packet), false) = (self.packets.finish(), self.phase == Phase::Over) {
            let _ = self.packet(&packet, WallTime::default(), &mut Vec::new());
        }
        self.phase = Phase::Over;
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}
