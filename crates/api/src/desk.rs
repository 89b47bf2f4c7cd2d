//! The desk between the doors and the brain: questions go in through a bounded channel, answers come back, and
//! whatever happens is told to everybody who listens.

use crate::{Refusal, Request, Response};
use honeymesh_format::{EventJson, json_text};
use honeymesh_types::Event;
use std::{sync::Arc, time::Duration};
use tokio::sync::{broadcast, mpsc, oneshot};

/// Live events that a slow listener may be behind; a slower one is told how many it missed.
pub const LIVE_EVENTS_MAX: usize = 1_024;
/// How long the brain may take to answer, on top of the time a request itself asks to wait.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// A question and the way back. Dropping it unanswered tells the asker that the daemon is stopping.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    pub request: Request,
    reply: oneshot::Sender<Result<Response, Refusal>>,
}

impl Question {
    /// The question and the sender of its answer.
    #[must_use]
    pub fn split(self) -> (Request, Reply) {
        (self.request, Reply(self.reply))
    }
}

/// The way back to whoever asked.
#[derive(Debug)]
pub struct Reply(oneshot::Sender<Result<Response, Refusal>>);

impl Reply {
    /// Answers. Never blocks; an asker that went away is nobody's problem.
    pub fn answer(self, answer: Result<Response, Refusal>) {
        let _ = self.0.send(answer);
    }
}

/// An event on its way to listeners.
#[derive(Debug)]
pub struct LiveEvent {
    /// The event.
    pub event: Event,
    /// The same as [`EventJson`], written once for all listeners.
    pub json: String,
}

/// The askers' side of the desk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    questions: mpsc::Sender<Question>,
    live: broadcast::Sender<Arc<LiveEvent>>,
}

/// A desk that holds at most `capacity` (at least one) unanswered questions, and the brain's end of it.
#[must_use]
pub fn desk(capacity: usize) -> (Desk, mpsc::Receiver<Question>) {
    let (questions, inbox) = mpsc::channel(capacity.max(1));
    let (live, _) = broadcast::channel(LIVE_EVENTS_MAX);
    (Desk { questions, live }, inbox)
}

impl Desk {
    /// Asks and waits for the answer, at most 30 seconds longer than the request itself asks to wait.
    ///
    /// # Errors
    /// The brain's own refusal; or it is busy (nothing was asked), stopping, or too slow (the order may still be
    /// carried out).
    pub async fn ask(&self, request: Request) -> Result<Response, Refusal> {
        let deadline = ANSWER_DEADLINE + request.patience();
        let (reply, answer) = oneshot::channel();
        self.questions.try_send(Question { request, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::busy("too many requests wait for the daemon; try again in a moment"),
            mpsc::error::TrySendError::Closed(_) => Refusal::stopping(),
        })?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Refusal::stopping()),
            Err(_) => {
                Err(Refusal::busy("the daemon did not answer in time; look at its log, then at the state before trying again"))
            }
        }
    }

    /// Tells an event to all listeners. Never blocks; without listeners it costs nothing.
    pub fn tell(&self, event: &Event) {
        if self.live.receiver_count() == 0 {
            return;
        }
        match json_text(&EventJson::from(event)) {
            Ok(json) => drop(self.live.send(Arc::new(LiveEvent { event: event.clone(), json }))),
            Err(error) => tracing::error!(%error, "an event cannot be written as JSON"),
        }
    }

    /// Everything told from now on.
    #[must_use]
    pub fn live(&self) -> broadcast::Receiver<Arc<LiveEvent>> {
        self.live.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RefusalKind;
    use honeymesh_format::DoneJson;
    use honeymesh_types::{EventId, EventKind, WallTime};

    #[tokio::test]
    async fn a_question_is_answered() {
        let (desk, mut inbox) = desk(1);
        let brain = tokio::spawn(async move {
            let (request, reply) = inbox.recv().await.unwrap().split();
            assert!(matches!(request, Request::Status));
            reply.answer(Ok(Response::Done(DoneJson::default())));
        });
        assert!(matches!(desk.ask(Request::Status).await, Ok(Response::Done(_))));
        brain.await.unwrap();
    }

    #[tokio::test]
    async fn a_full_desk_refuses_at_once_and_a_deserted_one_too() {
        let (desk, inbox) = desk(1);
        let waiting = tokio::spawn({
            let desk = desk.clone();
            async move { desk.ask(Request::Status).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(desk.ask(Request::Status).await.unwrap_err().kind, RefusalKind::Busy);
        drop(inbox);
        assert_eq!(waiting.await.unwrap().unwrap_err().kind, RefusalKind::Stopping);
        assert_eq!(desk.ask(Request::Status).await.unwrap_err().kind, RefusalKind::Stopping);
    }

    #[tokio::test]
    async fn listeners_hear_what_is_told_while_they_listen() {
        let (desk, _inbox) = desk(1);
        let event = |id| Event::new(EventId(id), WallTime(0), "n".parse().unwrap(), EventKind::Audit);
        desk.tell(&event(1));
        let mut live = desk.live();
        desk.tell(&event(2));
        let heard = live.recv().await.unwrap();
        assert_eq!(heard.event.id, EventId(2));
        assert!(heard.json.contains(r#""kind":"audit""#) && live.try_recv().is_err());
    }
}
