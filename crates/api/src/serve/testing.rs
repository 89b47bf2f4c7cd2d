//! A conversation with either door, without sockets and clocks: for whoever says what no client would.

use super::connection::Speech;
use crate::{
    Refusal, RefusalKind, Request, Stats, Token,
    attempts::Attempts,
    desk,
    router::{App, router},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::watch,
    time::timeout,
};

/// Who speaks.
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
/// Octets that are under way at once.
const LINE_BYTES: usize = 64 * 1_024;
/// How long a conversation lasts: whoever listens to the live stream would never end.
const CONVERSATION_MAX: Duration = Duration::from_millis(100);

/// Through which door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The one for everybody, which wants [`TOKEN`].
    Https,
    /// The operator's.
    Control,
}

/// What the first door wants to see.
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Says all of it, and hears the answers. Whatever reaches the brain is shown to `asked` and refused. `None`: [`TOKEN`] is none.
pub async fn say(door: Door, said: &[u8], mut asked: impl FnMut(&Request)) -> Option<Vec<u8>> {
    let (desk, mut inbox) = desk(64);
    let stats = Arc::new(Stats::default());
    let app = match door {
        Door::Https => App::https(desk, stats, Token::from_text(TOKEN)?, Attempts::default(), Arc::default()),
        Door::Control => App::control(desk, stats),
    };
    let (mut ours, theirs) = duplex(LINE_BYTES);
    let (_stop, stopped) = watch::channel(false);
    let mut answers = Vec::new();
    let talking = async {
        let _unless_it_hung_up = ours.write_all(said).await;
        let _unless_it_hung_up = ours.shutdown().await;
        let _unless_it_hung_up = ours.read_to_end(&mut answers).await;
    };
    let serving = Speech::new(router(app)).over(theirs, SOURCE, stopped);
    let answering = async {
        while let Some(question) = inbox.recv().await {
            let (request, reply) = question.split();
            asked(&request);
            reply.answer(Err(Refusal::new(RefusalKind::NotFound, "nothing is here")));
        }
    };
    let _unless_it_listens_on = timeout(CONVERSATION_MAX, async {
        tokio::join!(talking, serving, answering);
    })
    .await;
    Some(answers)
}
