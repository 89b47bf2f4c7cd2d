//! Orders: what changes something.

use super::{
    App, Door, Source,
    body::{self, json},
    mismatch,
    params::{self, Pairs},
    problem::Problem,
};
use crate::{BanOrder, NewKey, Request, Response, Secret, UnbanOrder, WAIT_MAX};
use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response as HttpResponse,
};
use honeymesh_format::{
    AllowOrderJson, BanOrderJson, JoinTokenJson, KeyRotateJson, ModeJson, RevokeJson, Ttl, duration_text, parse_duration,
};
use honeymesh_types::{Mode, Subject};
use std::{path::PathBuf, time::Duration};

/// The longest note, in bytes.
const NOTE_BYTES_MAX: usize = 200;

/// What protects somebody only as long as he is there.
const WHILE_THERE: &str = "operator";

/// For how long a join token is good unless the operator says.
const TOKEN_TTL: Duration = Duration::from_secs(3_600);
/// The longest it may be good.
const TOKEN_TTL_MAX: Duration = Duration::from_secs(7 * 86_400);

type Answer = Result<HttpResponse, Problem>;

pub(super) async fn ban(State(app): State<App>, Extension(source): Extension<Source>, body: Body) -> Answer {
    let order: BanOrderJson = body::read(body).await?;
    if order.note.as_ref().is_some_and(|note| note.len() > NOTE_BYTES_MAX) {
        return Err(Problem::bad(format!("`note` is longer than {NOTE_BYTES_MAX} bytes; shorten it")));
    }
    let ttl = order.ttl.as_deref().map_or(Ok(Ttl::Configured), |text| params::value("ttl", text))?;
    let subject = params::value("subject", &order.subject)?;
    spare(&app, source, subject).await?;
    done(&app, Request::Ban(BanOrder { subject, ttl, note: order.note, local: order.local, force: order.force })).await
}

/// Refuses a ban that would hit whoever orders it over HTTPS, now or once he has said nothing for a while: unless something protects him
/// that lasts longer than his visit. (Who sits at the control socket is looked after by the command line, which knows its session.)
async fn spare(app: &App, Source(source): Source, subject: Subject) -> Result<(), Problem> {
    if matches!(*app.door, Door::Control) || source.is_loopback() || !subject.contains(source) {
        return Ok(());
    }
    let Response::Why(why) = app.ask(Request::Why(source)).await? else { return Err(mismatch()) };
    if why.protected.iter().any(|protected| protected.why != WHILE_THERE) {
        return Ok(());
    }
    let detail = format!(
        "you are connected from {source}, which {subject} would ban; allow {source} first (`POST /api/v1/allow`, or `honeymesh allow add \
         {source}` on the node), then it keeps passing"
    );
    Err(Problem::new(StatusCode::CONFLICT, detail))
}

pub(super) async fn unban(State(app): State<App>, Path(subject): Path<String>, Query(pairs): Query<Pairs>) -> Answer {
    lift(&app, &subject, &pairs).await
}

/// The same with a slash that was not percent-encoded.
pub(super) async fn unban_prefix(
    State(app): State<App>,
    Path((address, prefix_len)): Path<(String, String)>,
    Query(pairs): Query<Pairs>,
) -> Answer {
    lift(&app, &format!("{address}/{prefix_len}"), &pairs).await
}

async fn lift(app: &App, subject: &str, pairs: &Pairs) -> Answer {
    let mut order = UnbanOrder { subject: params::value("subject", subject)?, local: false, wait: None };
    params::each(pairs, "local wait", |key, text| {
        match key {
            "local" => order.local = params::flag(key, text)?,
            "wait" => order.wait = Some(parse_duration(text).map_err(Problem::bad)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if order.wait.is_some_and(|wait| wait > WAIT_MAX) {
        return Err(Problem::bad(format!("`wait` is longer than {}; ask again later instead", duration_text(WAIT_MAX))));
    }
    done(app, Request::Unban(order)).await
}

pub(super) async fn allow(State(app): State<App>, body: Body) -> Answer {
    let order: AllowOrderJson = body::read(body).await?;
    let net: Subject = params::value("net", &order.net)?;
    done(&app, Request::AllowAdd(net.net())).await
}

pub(super) async fn disallow(State(app): State<App>, Path(net): Path<String>) -> Answer {
    let net: Subject = params::value("net", &net)?;
    done(&app, Request::AllowRemove(net.net())).await
}

/// The same with a slash that was not percent-encoded.
pub(super) async fn disallow_prefix(State(app): State<App>, Path((address, prefix_len)): Path<(String, String)>) -> Answer {
    let net: Subject = params::value("net", &format!("{address}/{prefix_len}"))?;
    done(&app, Request::AllowRemove(net.net())).await
}

pub(super) async fn pardon(State(app): State<App>, Path(node): Path<String>) -> Answer {
    done(&app, Request::Pardon(node)).await
}

pub(super) async fn mode(State(app): State<App>, body: Body) -> Answer {
    let order: ModeJson = body::read(body).await?;
    let mode: Mode = params::value("mode", &order.mode)?;
    let within = order.confirm_within.as_deref().map(parse_duration).transpose();
    let within = within.map_err(|error| Problem::bad(format!("`confirm_within`: {error}")))?;
    let request = match (mode, within, order.confirm) {
        (Mode::Lockdown, within, false) => Request::LockDown { within },
        (Mode::Lockdown, None, true) => Request::ConfirmLockdown,
        (Mode::Observe | Mode::Enforce, None, false) => Request::SetMode(mode),
        _ => return Err(Problem::bad("`confirm_within` and `confirm` go with mode `lockdown`, one of them at a time")),
    };
    done(&app, request).await
}

pub(super) async fn rotate(State(app): State<App>, body: Body) -> Answer {
    app.control_only()?;
    let order: KeyRotateJson = body::read(body).await?;
    let new = match (order.file, order.key) {
        (Some(file), None) => NewKey::File(PathBuf::from(file)),
        (None, Some(key)) => NewKey::Text(Secret::new(key)),
        _ => return Err(Problem::bad("give exactly one of `file` and `key`")),
    };
    done(&app, Request::KeyRotate { cluster: params::value("cluster", &order.cluster)?, new }).await
}

pub(super) async fn join_token(State(app): State<App>, body: Body) -> Answer {
    app.control_only()?;
    let order: JoinTokenJson = body::read(body).await?;
    let ttl = order.ttl.as_deref().map_or(Ok(TOKEN_TTL), parse_duration);
    let ttl = ttl.map_err(|error| Problem::bad(format!("`ttl`: {error}")))?;
    if ttl.is_zero() || ttl > TOKEN_TTL_MAX {
        return Err(Problem::bad("`ttl` must be from 1s to 7d; give another"));
    }
    let owner = order.owner.as_deref().map(|owner| params::value("owner", owner)).transpose()?;
    done(&app, Request::JoinToken { cluster: params::value("cluster", &order.cluster)?, ttl, owner }).await
}

pub(super) async fn revoke(State(app): State<App>, body: Body) -> Answer {
    app.control_only()?;
    let order: RevokeJson = body::read(body).await?;
    done(&app, Request::Revoke { who: order.node, revoked: order.revoked }).await
}

async fn done(app: &App, request: Request) -> Answer {
    match app.ask(request).await? {
        Response::Done(done) => Ok(json(&done)),
        _ => Err(mismatch()),
    }
}
