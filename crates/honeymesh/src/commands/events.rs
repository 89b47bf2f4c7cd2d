//! `honeymesh events`: what was seen, and with `--follow` what is being seen.

use crate::{
    cli::Events,
    client::{Client, quoted},
    commands::why::event_line,
    failure::Failure,
    output::{self, printable},
    when,
};
use honeymesh_format::{EventJson, json_text, time_micros};
use honeymesh_types::{EventId, WallTime};
use hyper::Method;

/// Events that are shown when nobody says how many.
const SHOWN: u32 = 100;
/// The same before following.
const SHOWN_BEFORE: u32 = 10;
/// Events in one page of the API.
const PAGE: u32 = 1_000;
/// The longest line of the live stream, in bytes; a longer one ends the stream.
const LINE_BYTES_MAX: usize = 4 << 20;

/// Prints events, the oldest first.
pub async fn run(args: Events) -> Result<(), Failure> {
    let client = Client::new(&args.plain.socket);
    let past = past(&client, &args).await?;
    for event in &past {
        show(event, args.plain.json)?;
    }
    if args.follow {
        return follow(&client, &args, past.last().map_or_else(|| floor(&args), |event| Some(event.id.clone()))).await;
    }
    if past.is_empty() && !args.plain.json {
        output::say("nothing was seen")?;
    }
    Ok(())
}

/// The newest events up to the limit, or all since a time, the oldest first.
async fn past(client: &Client, args: &Events) -> Result<Vec<EventJson>, Failure> {
    let limit = args.limit.or_else(|| args.since.is_none().then_some(if args.follow { SHOWN_BEFORE } else { SHOWN }));
    let conditions = conditions(args);
    let since = args.since.map(|since| format!("&since={}", quoted(&time_micros(since.at(when::now()))))).unwrap_or_default();
    let mut events = Vec::new();
    let mut path = Some(format!("/api/v1/events?limit={}{since}{conditions}", limit.unwrap_or(PAGE).min(PAGE)));
    let wanted = limit.map_or(usize::MAX, |limit| limit as usize);
    while let Some(page) = path.take().filter(|_| events.len() < wanted) {
        let mut answer = client.ask(Method::GET, &page, None).await?;
        path = answer.next.take();
        let page: Vec<EventJson> = crate::client::understood(&answer.bytes().await?)?;
        events.extend(page);
    }
    events.truncate(wanted);
    events.reverse();
    Ok(events)
}

/// What to follow from when the past had nothing to show: all that it would have shown, so that an event between the two
/// questions is not missed. `None` when nothing of the past is wanted.
fn floor(args: &Events) -> Option<String> {
    if args.limit == Some(0) {
        return None;
    }
    let since = args.since.map_or(WallTime(0), |since| since.at(when::now()));
    Some(EventId::new(since, 0).to_string())
}

fn conditions(args: &Events) -> String {
    let subject = args.subject.map(|subject| format!("&subject={}", quoted(&subject.to_string())));
    let kind = args.kind.map(|kind| format!("&kind={kind}"));
    subject.into_iter().chain(kind).collect()
}

/// Prints events as they happen, from the one behind `last` on, until the daemon or the reader goes away.
async fn follow(client: &Client, args: &Events, last: Option<String>) -> Result<(), Failure> {
    let conditions = conditions(args);
    let path = format!("/api/v1/events/stream?{}", conditions.trim_start_matches('&'));
    let headers: Vec<(&str, &str)> = last.as_deref().map(|last| ("last-event-id", last)).into_iter().collect();
    let mut answer = client.ask_with(Method::GET, &path, None, &headers).await?;
    let mut lines = Lines::default();
    let mut kind = String::new();
    while let Some(piece) = answer.piece().await? {
        for line in lines.take(&piece)? {
            match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
                Some(("event", value)) => value.clone_into(&mut kind),
                Some(("data", value)) if kind == "lag" => {
                    output::complain(&format!("honeymesh: some events were missed: {}", printable(value)));
                }
                Some(("data", value)) => show(&crate::client::understood::<EventJson>(value.as_bytes())?, args.plain.json)?,
                None if line.is_empty() => kind.clear(),
                _ => {}
            }
        }
    }
    Err(Failure::Unreachable("the daemon has ended; start it again".into()))
}

fn show(event: &EventJson, json: bool) -> Result<(), Failure> {
    let line = match json {
        true => json_text(event).map_err(|error| Failure::Refused(error.to_string()))?,
        false => printable(&event_line(event)),
    };
    Ok(output::say(&line)?)
}

/// Cuts a stream into lines.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that `piece` completes.
    fn take(&mut self, piece: &[u8]) -> Result<Vec<String>, Failure> {
        self.rest.extend_from_slice(piece);
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            lines.push(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
        }
        match self.rest.len() {
            length if length > LINE_BYTES_MAX => {
                Err(Failure::Refused("the daemon sent a line without an end; is it of the same version?".into()))
            }
            _ => Ok(lines),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_into_lines_wherever_its_pieces_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"da").unwrap(), [""; 0]);
        assert_eq!(lines.take(b"ta: 1\r\n\nid").unwrap(), ["data: 1", ""]);
        assert_eq!(lines.take(b": 2\n").unwrap(), ["id: 2"]);
        assert!(lines.take(&vec![b'x'; LINE_BYTES_MAX + 1]).is_err());
    }
}
