//! What is said to the doors of the API.

use crate::Input;
use honeymesh_api::{
    Request,
    testing::{Door, TOKEN, say},
};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: Option<Runtime> = Builder::new_current_thread().enable_all().build().ok();
}

/// `door | what is said`.
pub(super) fn talk(data: &[u8]) {
    let mut input = Input::new(data);
    let door = if input.byte() & 1 == 0 { Door::Control } else { Door::Https };
    let said = input.rest();
    let has_token = said.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
    let asked = |request: &Request| {
        assert!(door == Door::Control || has_token, "asked without a token: {request:?}");
        let is_the_operators = matches!(request, Request::KeyRotate { .. } | Request::JoinToken { .. } | Request::Revoke { .. });
        assert!(door == Door::Control || !is_the_operators, "only the operator may do this: {request:?}");
        bounded(request);
    };
    RUNTIME.with(|runtime| {
        let Some(runtime) = runtime else { return };
        let answers = runtime.block_on(say(door, said, asked));
        let answers = answers.unwrap_or_else(|| panic!("no token"));
        assert!(!answers.contains(&0x1b), "an answer that a terminal obeys: {}", String::from_utf8_lossy(&answers));
    });
}

fn bounded(request: &Request) {
    match request {
        Request::Bans(query) => assert!((1..=honeymesh_api::BANS_PAGE_MAX).contains(&query.limit)),
        Request::Events(query) => {
            assert!(query.limit.is_some_and(|limit| (1..=honeymesh_api::EVENTS_PAGE_MAX).contains(&limit)));
        }
        Request::Unban(order) => assert!(order.wait.is_none_or(|wait| wait <= honeymesh_api::WAIT_MAX)),
        Request::Ban(order) => assert!(order.note.as_ref().is_none_or(|note| note.len() <= 200), "{order:?}"),
        _ => {}
    }
    assert!(request.patience() <= honeymesh_api::WAIT_MAX);
}
