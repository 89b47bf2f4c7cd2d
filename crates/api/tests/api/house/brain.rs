//! A brain of straw: it has a list of bans, a list of events, and remembers what it was ordered.

use honeymesh_api::{BansQuery, Page, Question, Refusal, RefusalKind, Reply, Request, Response};
use honeymesh_format::{
    AllowJson, BanJson, BansJson, ClusterJson, CountersJson, DoneJson, EventJson, EventQuery, Export, InterfaceJson, Order,
    PayloadJson, PeerJson, StatusJson, StoreJson, TrapJson, Ttl, WhyJson, base64_text, hash_text, payload_hash,
};
use honeymesh_types::{Ban, Event, EventId, EventKind, Grade, Reasons, Scope, Transport, WallTime};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc;

#[derive(Default)]
pub(crate) struct Brain {
    pub(crate) bans: Mutex<Vec<Ban>>,
    pub(crate) events: Mutex<Vec<Event>>,
    /// Every request but the reads of the dashboard, as text.
    pub(crate) orders: Mutex<Vec<String>>,
}

pub(crate) fn now() -> WallTime {
    WallTime::default().plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

/// A visit to a trap by 203.0.113.`number`.
pub(crate) fn visit(number: u8) -> Event {
    let at = now();
    let mut event = Event::new(EventId::new(at, u128::from(number) << 70), at, "edge-1".parse().unwrap(), EventKind::Visit);
    event.source = Some([203, 0, 113, number].into());
    event.source_port = Some(51_514);
    event.trap = Some("ssh".into());
    event.port = Some(22);
    event.transport = Some(Transport::Tcp);
    event.grade = Some(Grade::Hostile);
    event.bytes = Some(48);
    event.entropy_millibits = Some(4_310);
    event.score = Some(92);
    event.payload = b"SSH-2.0-Go\r\n".to_vec();
    event.fields = BTreeMap::from([("username".into(), "root".into()), ("password".into(), "123456".into())]);
    event
}

impl Brain {
    pub(crate) fn ban(&self, subject: &str, reasons: Reasons, grade: Grade) {
        let until = Some(now().plus(Duration::from_secs(86_000)));
        let ban = Ban {
            subject: subject.parse().unwrap(),
            reasons,
            grade,
            scope: if grade == Grade::Spoofable { Scope::Dark } else { Scope::All },
            origins: vec!["edge-1".into()],
            since: now().minus(Duration::from_secs(400)),
            until,
            enforced: true,
            note: None,
        };
        self.bans.lock().unwrap().push(ban);
    }

    pub(crate) fn ordered(&self) -> Vec<String> {
        std::mem::take(&mut self.orders.lock().unwrap())
    }

    pub(crate) async fn answer(self: Arc<Self>, mut questions: mpsc::Receiver<Question>) {
        while let Some(question) = questions.recv().await {
            let (request, reply) = question.split();
            self.handle(request, reply);
        }
    }

    fn handle(&self, request: Request, reply: Reply) {
        if !matches!(request, Request::Status | Request::Peers | Request::Bans(_) | Request::Events(_)) {
            self.orders.lock().unwrap().push(format!("{request:?}"));
        }
        match request {
            Request::Export { format, query, mut sink } => {
                let events: Vec<Event> = self.select(query);
                reply.answer(Ok(Response::Exporting));
                std::thread::spawn(move || {
                    let mut export = Export::begin(format, &mut sink).unwrap();
                    for event in &events {
                        export.write(event).unwrap();
                    }
                    export.finish().unwrap();
                    // A limit of 13 stands for a store that fails in the middle.
                    if query.limit != Some(13) {
                        sink.finish().unwrap();
                    }
                });
            }
            other => reply.answer(self.think(other)),
        }
    }

    fn think(&self, request: Request) -> Result<Response, Refusal> {
        Ok(match request {
            Request::Status => Response::Status(Box::new(self.status())),
            Request::Bans(query) => Response::Bans(self.list(query)),
            Request::Events(query) => {
                let limit = usize::try_from(query.limit.unwrap()).unwrap();
                let found = self.select(query);
                let next = (found.len() > limit).then(|| found[limit - 1].id.to_string());
                Response::Events(Page { items: found.iter().take(limit).map(EventJson::from).collect(), next })
            }
            Request::Payload(hash) if hash == payload_hash(b"hello").unwrap() => Response::Payload(Box::new(PayloadJson {
                sha256: hash_text(hash),
                size: 5,
                count: 2,
                payload_base64: base64_text(b"hello"),
                ..PayloadJson::default()
            })),
            Request::Payload(_) => return Err(Refusal::new(RefusalKind::NotFound, "no payload with this SHA-256 is kept here")),
            Request::Why(address) => Response::Why(Box::new(WhyJson { address: address.to_string(), ..WhyJson::default() })),
            Request::AllowList => Response::Allow(vec![AllowJson {
                net: "10.0.0.0/8".into(),
                why: "allowlist".into(),
                source: Some("config".into()),
            }]),
            Request::Peers => Response::Peers(vec![peer("edge-2", "alive", 41), peer("edge-3", "suspect", 7)]),
            Request::Ban(order) if order.subject.contains([10, 0, 0, 1].into()) => {
                return Err(Refusal::new(RefusalKind::Conflict, "10.0.0.1/32 is never banned: 10.0.0.0/8 is on the allowlist"));
            }
            Request::Ban(order) => {
                self.ban(&order.subject.to_string(), Reasons::MANUAL, Grade::Operator);
                if let Some(ban) = self.bans.lock().unwrap().last_mut() {
                    ban.note = order.note;
                    ban.until = if order.ttl == Ttl::Forever { None } else { ban.until };
                }
                done(format!("{} is banned; said to primary_mesh", order.subject))
            }
            Request::Unban(order) => {
                let mut bans = self.bans.lock().unwrap();
                let before = bans.len();
                bans.retain(|ban| ban.subject != order.subject);
                if bans.len() == before {
                    return Err(Refusal::new(RefusalKind::NotFound, format!("{} is not banned here", order.subject)));
                }
                done(format!("{} is not banned any more; said to primary_mesh", order.subject))
            }
            _ => done("done".into()),
        })
    }

    fn list(&self, query: BansQuery) -> Page<BanJson> {
        let mut bans = self.bans.lock().unwrap().clone();
        bans.sort_by_key(|ban| ban.subject);
        let wanted = |ban: &&Ban| {
            query.subject.is_none_or(|subject| subject.overlaps(&ban.subject.net()))
                && query.after.is_none_or(|after| ban.subject > after)
        };
        let found: Vec<&Ban> = bans.iter().filter(wanted).collect();
        let next = (found.len() > query.limit).then(|| found[query.limit - 1].subject.to_string());
        Page { items: found.into_iter().take(query.limit).map(|ban| BanJson::new(ban, 41)).collect(), next }
    }

    fn select(&self, query: EventQuery) -> Vec<Event> {
        let mut events: Vec<Event> = self.events.lock().unwrap().iter().filter(|event| query.matches(event)).cloned().collect();
        if query.order == Order::Newest {
            events.reverse();
        }
        match query.after.and_then(|after| events.iter().position(|event| event.id == after)) {
            Some(place) => events.split_off(place + 1),
            None => events,
        }
    }

    fn status(&self) -> StatusJson {
        let bans = self.bans.lock().unwrap();
        let mut by_reason = BTreeMap::new();
        for word in bans.iter().flat_map(|ban| ban.reasons.words()) {
            *by_reason.entry(word.to_owned()).or_default() += 1;
        }
        let mut status = StatusJson {
            version: "0.1.0".into(),
            node: "edge-1".into(),
            mode: "enforce".into(),
            ready: true,
            uptime_seconds: 183_900,
            interfaces: vec![InterfaceJson {
                name: "eth0".into(),
                index: 2,
                xdp_mode: "native".into(),
                attached: true,
                state: "attached".into(),
                ..InterfaceJson::default()
            }],
            bans: BansJson {
                total: bans.len() as u64,
                enforced: bans.len() as u64,
                capacity: 1_000_000,
                by_reason,
                ..BansJson::default()
            },
            kernel: CountersJson {
                packets: 1_234_567,
                passed: 1_200_000,
                dropped: 34_567,
                dropped_v4: 34_000,
                dropped_dark: 567,
                knocks: 912,
                scans: 14,
                more: BTreeMap::from([("not_ip".into(), 3)]),
                ..CountersJson::default()
            },
            traps: vec![trap("ssh", "0.0.0.0:2222", 2, 318), trap("http", "0.0.0.0:8080", 0, 1_204)],
            clusters: vec![ClusterJson {
                name: "primary_mesh".into(),
                trust: "enforce".into(),
                members_alive: 2,
                refused: BTreeMap::from([("key".into(), 5)]),
                ..ClusterJson::default()
            }],
            store: StoreJson { events: 5_021, file_bytes: 1 << 20, ..StoreJson::default() },
            ..StatusJson::default()
        };
        self.events.lock().unwrap().iter().for_each(|event| status.counts.note(event));
        status.counts.detect_to_ban.note(Duration::from_micros(40));
        status
    }
}

fn done(detail: String) -> Response {
    Response::Done(DoneJson { detail, changed: true, ..DoneJson::default() })
}

fn trap(name: &str, listen: &str, active: u64, sessions: u64) -> TrapJson {
    TrapJson { name: name.into(), service: name.into(), listen: vec![listen.into()], active, sessions, ..TrapJson::default() }
}

fn peer(name: &str, state: &str, records: u64) -> PeerJson {
    PeerJson {
        cluster: "primary_mesh".into(),
        name: Some(name.into()),
        id: format!("{:064x}", records * 0x1234_5678_9abc),
        address: "192.0.2.10:7946".into(),
        state: state.into(),
        trust: "enforce".into(),
        records,
        ..PeerJson::default()
    }
}
