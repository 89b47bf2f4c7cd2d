//! What was seen: judged, told, and brought to the ledger's door.

use super::{Node, change::By};
use crate::{Output, gate::Topic};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_detect::{Intent, Verdict, judge_reaction, judge_scan};
use honeymesh_ledger::{Claim, Entered, Reach};
use honeymesh_types::{Event, EventId, EventKind, Fate, Grade, Knock, KnockKind, Marks, Mode, Signs, Subject, Visit};

impl Node {
    pub(super) fn knock(&mut self, knock: Knock) {
        match &knock.kind {
            KnockKind::Probe => self.probe(&knock),
            KnockKind::Scan { ports, silenced } => self.scan(&knock, ports, *silenced),
            KnockKind::Suspect { fate } => self.suspect(&knock, *fate),
        }
    }

    fn probe(&mut self, knock: &Knock) {
        self.counters.probes += 1;
        if self.gate_passes(Topic::Knock, knock.source) {
            let event = self.knock_event(EventKind::Knock, knock);
            self.out.tell(event);
        }
    }

    fn scan(&mut self, knock: &Knock, ports: &[u16], silenced: bool) {
        self.counters.scans += 1;
        let subject = self.subject_of(knock.source);
        let verdict = judge_scan(ports, self.scan);
        let mut event = self.knock_event(EventKind::Scan, knock);
        event.fields.insert("ports".into(), list(ports));
        self.bring(subject, &verdict, event, Some(Topic::Scan), silenced);
    }

    /// Weighs the reaction of a source that the kernel has silenced; once it is proved, that is a scan that nobody forged.
    fn suspect(&mut self, knock: &Knock, fate: Fate) {
        self.counters.suspects += 1;
        let subject = self.subject_of(knock.source);
        let Some(proof) = self.reactions.weigh(subject, knock.port, fate, self.now.mono) else { return };
        self.counters.scans += 1;
        let verdict = judge_reaction(proof);
        let mut event = self.knock_event(EventKind::Scan, knock);
        event.fields.insert("bits".into(), proof.bits.to_string());
        self.bring(subject, &verdict, event, None, false);
    }

    pub(super) fn visit(&mut self, visit: Visit) {
        self.counters.visits += 1;
        let subject = self.subject_of(visit.source.ip());
        let verdict = self.detector.judge_visit(&visit);
        if visit.signs.contains(Signs::DARK) && verdict.intent == Intent::Unclear {
            return self.contact(visit, &verdict);
        }
        let mut event = self.event_at(EventKind::Visit, visit.at.wall);
        describe_visit(visit, &mut event);
        // Evidence that cannot be forged is always told; what can be must not wash it out of the store.
        let topic = (verdict.grade == Grade::Spoofable).then_some(Topic::Datagram);
        self.bring(subject, &verdict, event, topic, false);
    }

    /// Brings a verdict to the door and tells of it, unless `topic` was told too often, before it carries out what the door
    /// said. `silenced`: the kernel has done something about the subject already.
    pub(super) fn bring(&mut self, subject: Subject, verdict: &Verdict, event: Event, topic: Option<Topic>, silenced: bool) {
        self.bring_noted(subject, verdict, event, topic, silenced, None);
    }

    /// The same, with words that go with the ban wherever it goes.
    pub(super) fn bring_noted(
        &mut self,
        subject: Subject,
        verdict: &Verdict,
        event: Event,
        topic: Option<Topic>,
        silenced: bool,
        note: Option<String>,
    ) {
        let mut event = event;
        describe_verdict(verdict, &mut event);
        let entered = self.accuse(subject, verdict, event.id, note);
        if let Err(why) = &entered {
            event.fields.insert("refused".into(), why.clone());
        }
        let is_told = topic.zip(event.source).is_none_or(|(topic, source)| self.gate_passes(topic, source));
        if is_told {
            self.out.tell(event);
        }
        self.settle(entered, subject, silenced);
    }

    /// Brings a verdict to the door. The error says in words why it did not come in.
    fn accuse(
        &mut self,
        subject: Subject,
        verdict: &Verdict,
        evidence: EventId,
        note: Option<String>,
    ) -> Result<Entered, String> {
        let forgeable = verdict.grade == Grade::Spoofable;
        let scope = if forgeable { self.scan.spoofable.scope() } else { Some(verdict.scope) };
        let Some(scope) = scope else { return Err("forgeable evidence earns nothing here ([scan] spoofable = \"off\")".into()) };
        let now = self.now.wall;
        let until = self.ledger.policy().ttl.of(verdict.reasons, verdict.grade).map(|ttl| now.plus(ttl));
        let claim = Claim {
            scope,
            score: verdict.score,
            evidence: Some(evidence),
            note,
            reach: if forgeable { Reach::Here } else { Reach::Mesh },
            ..Claim::local(subject, self.name.as_str(), verdict.reasons, verdict.grade, now, until)
        };
        match self.ledger.enter(claim, now) {
            Entered::Refused(refusal) => Err(refusal.to_string()),
            entered => Ok(entered),
        }
    }

    /// Carries out what the door said. What the kernel silenced by itself is confirmed or taken back.
    fn settle(&mut self, entered: Result<Entered, String>, subject: Subject, silenced: bool) {
        let told_kernel = match entered {
            Ok(Entered::Changed { change, displaced }) => {
                displaced.iter().for_each(|gone| self.apply(gone, &By::Itself));
                self.apply(&change, &By::Itself);
                self.spread(subject);
                change.enforce != change.enforce_before && self.ledger.group_of(&subject).is_none()
            }
            Ok(Entered::Unchanged | Entered::Refused(_)) | Err(_) => false,
        };
        if silenced && !told_kernel {
            let intent = self.ledger.enforcement(&subject);
            self.out.push(intent.map_or(Output::Release(subject), Output::Enforce));
        }
    }

    fn knock_event(&mut self, kind: EventKind, knock: &Knock) -> Event {
        let mut event = self.event_at(kind, knock.at.wall);
        event.source = Some(knock.source);
        event.source_port = Some(knock.source_port);
        event.port = Some(knock.port);
        event.transport = Some(knock.transport);
        event.grade = Some(Grade::Spoofable);
        event.fields.insert("dest".into(), knock.dest.to_string());
        event
    }

    /// Whether verdicts are carried out.
    pub(super) fn is_enforcing(&self) -> bool {
        self.ledger.mode() != Mode::Observe
    }
}

pub(super) fn describe_verdict(verdict: &Verdict, event: &mut Event) {
    event.grade = Some(verdict.grade);
    event.score = Some(verdict.score);
    if !verdict.findings.is_empty() {
        event.fields.insert("findings".into(), verdict.findings.join("; "));
    }
    let reckoning = if verdict.reckoning.is_empty() {
        verdict.findings.iter().map(|words| format!("{} {words}", verdict.score)).collect()
    } else {
        verdict.reckoning.clone()
    };
    if !reckoning.is_empty() {
        event.fields.insert("score_reasons".into(), reckoning.join("; "));
    }
    if event.kind == EventKind::Visit {
        event.entropy_millibits = Some(verdict.entropy_millibits);
    }
}

/// Ports as an event's field lists them.
pub(super) fn list(ports: &[u16]) -> String {
    let words: Vec<String> = ports.iter().map(u16::to_string).collect();
    words.join(",")
}

/// What the trap learned comes first, so that what this node adds wins over a field of the same name.
pub(super) fn describe_visit(visit: Visit, event: &mut Event) {
    event.source = Some(visit.source.ip());
    event.source_port = Some(visit.source.port());
    event.trap = Some(visit.trap);
    event.port = Some(visit.local.port());
    event.transport = Some(visit.transport);
    event.bytes = Some(visit.bytes);
    event.payload = visit.payload;
    event.fields = visit.fields;
    event.fields.insert("service".into(), visit.service);
    event.fields.insert("session".into(), visit.session.0.to_string());
    if let Some(Marks { entropy, .. }) = visit.marks {
        let told = [
            ("entropy_window", Some(entropy.window)),
            ("entropy_short", Some(entropy.short)),
            ("entropy_sent", entropy.sent),
            ("entropy_sent_window", entropy.sent_window),
        ];
        for (name, millibits) in told {
            event.fields.extend(millibits.map(|millibits| (name.into(), bits(millibits))));
        }
    }
}

/// Thousandths of a bit as bits, as `entropy` is told.
fn bits(millibits: u16) -> String {
    format!("{}.{:03}", millibits / 1_000, millibits % 1_000)
}
