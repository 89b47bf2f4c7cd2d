//! One connection, from its first byte to its last report, over a real socket.

use super::*;
use crate::{
    line::{Heard, lines},
    report::{KEPT_BYTES_MAX, KEPT_REPORTS_MAX, REPORT_WAIT, REPORT_WAIT_MS},
    wire::{Body, Evidence, PACKET_BYTES_MAX, read_body},
};
use honeymesh_trap_proto::{Patience, Pause};
use std::sync::Arc;
use tokio::{io::AsyncReadExt, net::TcpListener, task::JoinHandle};

/// Tells every byte, answers it with itself, breaks at `!` and closes at `.`, and at `,`, behind which it expects nothing. Talks without end at `?`. Answers a digit at once,
/// and with an `x` so many seconds later. Is patient with 90 seconds of silence after `~`, with any after `&`, with 40 seconds in
/// all after `^`.
#[derive(Default)]
struct Echo(Pause, Patience, bool);

impl Session for Echo {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        answer.extend_from_slice(b">");
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
        assert_ne!(bytes[0], b'!', "a fault, as the test wants it");
        if bytes[0] == b'?' {
            answer.extend_from_slice(&[b'x'; 16 * 1_024]);
            return Step { taken: 1, flow: Flow::Continue };
        }
        answer.push(bytes[0]);
        match bytes[0] {
            b'~' => self.1.silence_ms = Some(90_000),
            b'&' => self.1.silence_ms = Some(u32::MAX),
            b'^' => self.1.all_ms = Some(40_000),
            _ => {}
        }
        if bytes[0].is_ascii_digit() {
            self.0 = Pause { at: answer.len(), ms: 1_000 * u32::from(bytes[0] - b'0') };
            answer.push(b'x');
        }
        self.2 = bytes[0] == b',';
        Step { taken: 1, flow: if matches!(bytes[0], b'.' | b',') { Flow::Close } else { Flow::Telling } }
    }

    fn pause(&mut self) -> Pause {
        std::mem::take(&mut self.0)
    }

    fn patience(&self) -> Patience {
        self.1
    }

    fn end(&mut self) {}

    fn findings(&mut self) -> Findings {
        Findings::default()
    }

    fn has_heard_all(&self) -> bool {
        self.2
    }
}

struct Held {
    client: TcpStream,
    heard: Heard,
    task: JoinHandle<()>,
    dismissal: Option<oneshot::Sender<()>>,
}

/// What was told, in one packet each.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Report { payload: Vec<u8>, bytes: u64, signs: Signs },
    Over { lost: u32, fault: String },
}

impl Held {
    async fn told(&self) -> Told {
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = self.heard.next(&mut packet).await.unwrap().expect("the session is dropped");
        match Evidence::read(&packet[..length]).unwrap() {
            Evidence::Report { head, part } if head.body as usize == part.len() => {
                let Body { findings, payload, .. } = read_body(head.signs, part).unwrap();
                Told::Report { payload, bytes: head.bytes, signs: findings.signs }
            }
            Evidence::Over { lost, fault, .. } => Told::Over { lost, fault: String::from_utf8(fault.to_vec()).unwrap() },
            other => panic!("{other:?}"),
        }
    }

    async fn payload(&self) -> Vec<u8> {
        match self.told().await {
            Told::Report { payload, .. } => payload,
            over @ Told::Over { .. } => panic!("{over:?}"),
        }
    }

    async fn reports(&self) -> Vec<Told> {
        let mut reports = Vec::new();
        loop {
            match self.told().await {
                Told::Over { .. } => return reports,
                report @ Told::Report { .. } => reports.push(report),
            }
        }
    }
}

fn is_over() -> Told {
    Told::Over { lost: 0, fault: String::new() }
}

/// A session whose pipe has room for so many packets.
async fn hold(room: usize, wait: Duration, limits: Limits) -> Held {
    hold_in(room, wait, limits, false).await
}

/// The same in a tarpit, or not.
async fn hold_in(room: usize, wait: Duration, limits: Limits, is_slow: bool) -> Held {
    let drip = is_slow.then(|| Box::new(Drip::new(None)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let (daemon, rooms) = lines().unwrap();
    let (admissions, evidence) = rooms.into_descriptors();
    rustix::pipe::fcntl_setpipe_size(&evidence, room * PACKET_BYTES_MAX).unwrap();
    let (_inward, heard) = daemon.listen().unwrap();
    let (_, pipe) = crate::RoomLine::of(admissions, evidence).listen().unwrap();
    let (dismissal, dismissed) = oneshot::channel();
    let teller = Teller::of_session(1, Arc::new(pipe), u32::try_from(wait.as_millis()).unwrap());
    let common = Arc::new(Common { limits, recogniser: Eyes::new(&[], None), tls: None, switchboard: Arc::default() });
    let conversation = Conversation::new(stream, Box::<Echo>::default(), drip, &common, teller, dismissed);
    Held { client, heard, task: tokio::spawn(conversation.hold()), dismissal: Some(dismissal) }
}

async fn read(client: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    client.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn a_session_that_waits_is_small() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (daemon, rooms) = lines().unwrap();
    let _inward = daemon.listen().unwrap();
    let (_, pipe) = rooms.listen().unwrap();
    let teller = Teller::of_session(1, Arc::new(pipe), REPORT_WAIT_MS);
    let (_dismissal, dismissed) = oneshot::channel();
    let common =
        Arc::new(Common { limits: Limits::default(), recogniser: Eyes::new(&[], None), tls: None, switchboard: Arc::default() });
    let conversation = Conversation::new(client, Box::<Echo>::default(), None, &common, teller, dismissed);
    let held = size_of_val(&*conversation);
    let task = size_of_val(&conversation.hold());
    assert!(held <= 232 && task <= 216, "{held} octets, and {task} for what waits");
}

#[tokio::test]
async fn a_report_leaves_before_its_answer() {
    let mut held = hold(1, Duration::from_secs(3_600), Limits::default()).await;
    assert_eq!(read(&mut held.client, 1).await, b">");
    held.client.write_all(b"ab").await.unwrap();
    assert_eq!(read(&mut held.client, 1).await, b"a", "its report has found room");
    let unanswered = timeout(Duration::from_millis(50), held.client.read_u8()).await;
    assert!(unanswered.is_err(), "no answer to `b` while its report waits");
    assert_eq!(held.payload().await, b"a");
    assert_eq!(held.payload().await, b"b");
    assert_eq!(read(&mut held.client, 1).await, b"b");
}

#[tokio::test(start_paused = true)]
async fn a_report_leaves_before_the_wait_and_the_answer_after_it() {
    let begun = Instant::now();
    let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
    held.client.write_all(b"3a").await.unwrap();
    assert_eq!((held.payload().await, begun.elapsed().as_millis()), (b"3".to_vec(), 0), "told at once");
    assert_eq!((read(&mut held.client, 2).await, begun.elapsed().as_millis()), (b">3".to_vec(), 0), "what is said at once");
    assert_eq!((read(&mut held.client, 1).await, begun.elapsed().as_secs()), (b"x".to_vec(), 3));
    assert_eq!(held.payload().await, b"a", "what came meanwhile is heard behind it");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_its_session() {
    let limits = Limits { session_deadline: Duration::from_secs(5), ..Limits::default() };
    let begun = Instant::now();
    let mut held = hold(8, REPORT_WAIT, limits).await;
    held.client.write_all(b"9").await.unwrap();
    let mut answer = Vec::new();
    held.client.read_to_end(&mut answer).await.unwrap();
    assert_eq!((answer.as_slice(), begun.elapsed().as_secs()), (b">9".as_slice(), 5), "no later than its deadline");

    let begun = Instant::now();
    let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
    held.client.write_all(b"9").await.unwrap();
    assert_eq!(held.payload().await, b"9");
    held.dismissal.take().unwrap().send(()).unwrap();
    let mut answer = Vec::new();
    held.client.read_to_end(&mut answer).await.unwrap();
    assert_eq!((answer.as_slice(), begun.elapsed().as_secs()), (b">9".as_slice(), 0), "and at once when it is banned");

    let begun = Instant::now();
    let mut held = hold(8, REPORT_WAIT, Limits { delay_percent: 10, ..Limits::default() }).await;
    held.client.write_all(b"9").await.unwrap();
    assert_eq!((read(&mut held.client, 3).await, begun.elapsed().as_millis()), (b">9x".to_vec(), 900));
}

/// Whoever waits is a timer, not a thread.
#[tokio::test(start_paused = true)]
async fn many_wait_at_once_on_one_thread() {
    let begun = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..200 {
        let mut held = hold(1, Duration::from_millis(1), Limits::default()).await;
        held.client.write_all(b"9").await.unwrap();
        waiting.push(held);
    }
    for held in &mut waiting {
        assert_eq!(read(&mut held.client, 3).await, b">9x");
    }
    assert_eq!(begun.elapsed().as_secs(), 9, "all at the same time");
}

#[tokio::test]
async fn a_report_that_finds_no_room_is_kept_and_told_in_its_turn() {
    let mut held = hold(1, Duration::from_millis(20), Limits::default()).await;
    held.client.write_all(b"abc.").await.unwrap();
    assert_eq!(read(&mut held.client, 5).await, b">abc.", "it goes on all the same");
    for said in [b"a", b"b", b"c", b"."] {
        assert_eq!(held.payload().await, said, "with the next, or at the end");
        if said == b"a" {
            drop(held.client.shutdown().await);
        }
    }
    assert_eq!(held.told().await, is_over());
}

#[tokio::test]
async fn no_more_reports_are_kept_than_a_session_may_and_the_others_are_counted() {
    let mut held = hold(1, Duration::from_millis(1), Limits::default()).await;
    let said: Vec<u8> = (b'a'..=b'z').collect();
    held.client.write_all(&said).await.unwrap();
    assert_eq!(read(&mut held.client, 27).await[1..], said);
    drop(held.client.shutdown().await);
    let told = 1 + usize::from(KEPT_REPORTS_MAX);
    for letter in &said[..told] {
        assert_eq!(held.payload().await, [*letter]);
    }
    assert_eq!(held.told().await, Told::Over { lost: u32::try_from(said.len() - told).unwrap(), fault: String::new() });
}

#[tokio::test]
async fn what_all_sessions_keep_is_bounded_and_room_that_is_left_is_given_back() {
    let (_daemon, rooms) = lines().unwrap();
    let (_, pipe) = rooms.listen().unwrap();
    let pipe = Arc::new(pipe);
    // The pipe is full before anything is told.
    while timeout(Duration::from_millis(20), pipe.write(std::iter::once(vec![0; PACKET_BYTES_MAX]))).await.is_ok() {}
    let long = KEPT_BYTES_MAX / 3;
    let mut tellers: Vec<Teller> = (0..4).map(|session| Teller::of_session(session, Arc::clone(&pipe), 1)).collect();
    for teller in &mut tellers {
        let mut transcript = Transcript::default();
        transcript.take(&vec![b'x'; long - 100], usize::MAX);
        teller.tell(transcript, &Findings::default(), None).await;
    }
    let held = pipe.shelf().load(std::sync::atomic::Ordering::Relaxed);
    assert!((3 * (long - 100)..=KEPT_BYTES_MAX).contains(&held), "three of four are kept: {held}");
    drop(tellers);
    assert_eq!(pipe.shelf().load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_session_that_breaks_is_reported_and_costs_only_itself() {
    let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
    held.client.write_all(b"a!xyz").await.unwrap();
    assert_eq!(held.payload().await, b"a");
    assert_eq!(held.told().await, Told::Report { payload: b"!xyz".to_vec(), bytes: 4, signs: Signs::MALFORMED });
    assert_eq!(read(&mut held.client, 2).await, b">a");
    assert_eq!(held.client.read(&mut [0; 8]).await.unwrap(), 0, "and closed");
    drop(held.client.shutdown().await);
    assert_eq!(held.told().await, Told::Over { lost: 0, fault: "at a place that nobody noted".into() });
    held.task.await.unwrap();
}

#[tokio::test]
async fn the_last_answer_arrives_although_more_was_sent() {
    for last in [".", ","] {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(&[last.as_bytes(), &[b'x'; 10_000]].concat()).await.unwrap();
        let mut answer = Vec::new();
        held.client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [">", last].concat().as_bytes());
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = held.heard.next(&mut packet).await.unwrap().unwrap();
        let Some(Evidence::Report { head, .. }) = Evidence::read(&packet[..length]) else { panic!("no report") };
        assert!(head.bytes > 1_000, "what was read and not heard any more is evidence, too: {}", head.bytes);
    }
}

#[tokio::test]
async fn who_has_said_all_is_not_waited_for() {
    for (last, is_waited_for) in [(".", true), (",", false)] {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(last.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        held.client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [">", last].concat().as_bytes());
        // One thread: whoever sees the end of the stream runs after whoever ended it has found something to wait for, or is done.
        assert_eq!(held.task.is_finished(), !is_waited_for, "after {last:?}, with the other end open");
    }
}

#[tokio::test]
async fn the_capture_is_bounded_over_all_reports_of_a_session() {
    let mut held = hold(64, REPORT_WAIT, Limits { capture_bytes_max: 3, ..Limits::default() }).await;
    held.client.write_all(b"abcde").await.unwrap();
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(held.told().await);
    }
    let report = |payload: &[u8], signs| Told::Report { payload: payload.to_vec(), bytes: 1, signs };
    assert_eq!(told[2], report(b"c", Signs::empty()));
    assert_eq!(told[3..], [report(b"", Signs::TRUNCATED), report(b"", Signs::TRUNCATED)]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stranger_is_told_long_before_its_deadline() {
    let begun = Instant::now();
    let held = hold(8, REPORT_WAIT, Limits::default()).await;
    let nothing = |signs| Told::Report { payload: Vec::new(), bytes: 0, signs };
    assert_eq!((held.told().await, begun.elapsed().as_secs()), (nothing(Signs::empty()), 2));
    assert_eq!((held.told().await, begun.elapsed().as_secs()), (nothing(Signs::SILENT), 30));
    held.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_protocol_may_have_a_patience_of_its_own_within_the_sessions_deadline() {
    for (said, seconds) in [(&b"~"[..], 90), (b"&", 300), (b"~^", 40)] {
        let begun = Instant::now();
        let mut held = hold(64, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        held.client.read_to_end(&mut answer).await.unwrap();
        assert_eq!((answer.len(), begun.elapsed().as_secs()), (1 + said.len(), seconds), "{said:?}");
        held.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_session_has_a_last_report() {
    let mut held = hold(256, Duration::from_secs(60), Limits::default()).await;
    held.client.write_all(&[b'x'; REPORTS_MAX + 50]).await.unwrap();
    let reports = held.reports().await;
    assert_eq!(reports.len(), REPORTS_MAX + 1);
}

#[tokio::test]
async fn an_open_session_is_told_when_the_traps_close() {
    let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
    assert_eq!(read(&mut held.client, 1).await, b">");
    held.dismissal = None;
    assert_eq!(held.told().await, Told::Report { payload: Vec::new(), bytes: 0, signs: Signs::empty() });
    assert_eq!(held.told().await, is_over());
    held.task.await.unwrap();
}

#[tokio::test]
async fn a_dismissed_stranger_is_told_and_left_after_its_answer() {
    let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
    held.client.write_all(b"a").await.unwrap();
    assert_eq!(held.payload().await, b"a");
    held.dismissal.take().unwrap().send(()).unwrap();
    let mut answer = Vec::new();
    held.client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b">a", "what was under way is finished, and nothing more is heard");
    assert_eq!(held.told().await, is_over(), "all was told before");
    held.task.await.unwrap();
}

#[tokio::test]
async fn a_stranger_that_takes_no_answer_is_left() {
    let limits = Limits { write_deadline: Duration::from_millis(50), ..Limits::default() };
    let mut held = hold(256, REPORT_WAIT, limits).await;
    // Nothing is read, so the answers fill both socket buffers.
    let flood = async { while held.client.write_all(&[b'?'; 1_024]).await.is_ok() {} };
    tokio::select! {
        ended = &mut held.task => ended.unwrap(),
        () = flood => held.task.await.unwrap(),
    }
    let mut packet = [0; PACKET_BYTES_MAX];
    let length = held.heard.next(&mut packet).await.unwrap().unwrap();
    let Some(Evidence::Report { head, .. }) = Evidence::read(&packet[..length]) else { panic!("no report") };
    assert!(head.bytes > 0 && head.bytes < SESSION_BYTES_MAX, "ended by its deadline, not by the {} bytes it took", head.bytes);
}

#[tokio::test]
async fn a_dismissed_stranger_that_takes_no_answer_is_left_at_once() {
    let limits = Limits { write_deadline: Duration::from_secs(250), ..Limits::default() };
    let mut held = hold(256, REPORT_WAIT, limits).await;
    // Nothing is read, so the answers fill both socket buffers, and what is written then, too.
    while timeout(Duration::from_millis(500), held.client.write_all(&[b'?'; 1_024])).await.is_ok() {}
    held.dismissal.take().unwrap().send(()).unwrap();
    timeout(Duration::from_secs(60), held.task).await.expect("its place is another's").unwrap();
}

#[tokio::test(start_paused = true)]
async fn in_a_tarpit_reports_leave_at_once_and_answers_drip() {
    let begun = Instant::now();
    let mut held = hold_in(8, REPORT_WAIT, Limits::default(), true).await;
    held.client.write_all(b"ab").await.unwrap();
    assert_eq!((held.payload().await, held.payload().await), (b"a".to_vec(), b"b".to_vec()));
    assert_eq!(begun.elapsed().as_millis(), 0);
    for (byte, seconds) in [(b">", 3), (b"a", 6), (b"b", 9)] {
        assert_eq!((read(&mut held.client, 1).await.as_slice(), begun.elapsed().as_secs()), (&byte[..], seconds));
    }
    held.client.write_all(b"c.d").await.unwrap();
    // What was read behind the end is evidence.
    assert_eq!((held.payload().await, held.payload().await, begun.elapsed().as_secs()), (b"c".to_vec(), b".d".to_vec(), 9));
    assert_eq!((read(&mut held.client, 2).await, begun.elapsed().as_secs()), (b"c.".to_vec(), 15), "the last word is said, too");
    assert_eq!(held.client.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tarpit_lets_go_at_the_sessions_end_and_who_is_silent_there_before() {
    let limits = Limits { session_deadline: Duration::from_secs(61), ..Limits::default() };
    let begun = Instant::now();
    let mut held = hold_in(64, REPORT_WAIT, limits, true).await;
    held.client.write_all(&[b'?'; 10]).await.unwrap();
    let mut answer = Vec::new();
    held.client.read_to_end(&mut answer).await.unwrap();
    assert_eq!((answer.len(), begun.elapsed().as_secs()), (20, 61), "one byte every three seconds, and then no more");
    held.task.await.unwrap();

    let begun = Instant::now();
    let held = hold_in(8, REPORT_WAIT, Limits::default(), true).await;
    let nothing = |signs| Told::Report { payload: Vec::new(), bytes: 0, signs };
    assert_eq!((held.told().await, begun.elapsed().as_secs()), (nothing(Signs::empty()), 2), "told in time");
    assert_eq!((held.told().await, begun.elapsed().as_secs()), (nothing(Signs::SILENT), 30));
    held.task.await.unwrap();
}
