//! What is, shown: HTTPS API, dashboard, live stream, metrics.
//!
//! One router, two doors. The HTTPS door speaks TLS 1.3 with one cipher and wants a bearer token; the control socket
//! is a Unix socket for the command line, guarded by its mode and owner. Behind both, every question goes to the
//! [`Desk`]: this crate holds no policy and no state but counters, and who was there last ([`Presence`]).
#![forbid(unsafe_code)]

mod attempts;
mod control;
mod desk;
mod export;
mod presence;
mod request;
mod router;
mod secret;
mod serve;
mod source;
mod stats;
mod tls;
mod token;

pub use control::{ControlError, ControlSocket, LOCK_SUFFIX};
pub use desk::{Desk, LIVE_EVENTS_MAX, LiveEvent, Question, Reply, desk};
pub use export::ExportSink;
pub use presence::Presence;
pub use request::{
    BANS_PAGE_MAX, BanOrder, BansQuery, EVENTS_PAGE_MAX, NewKey, Page, Refusal, RefusalKind, Request, Response, UnbanOrder,
    WAIT_MAX,
};
pub use secret::Secret;
#[cfg(feature = "testing")]
pub use serve::testing;
pub use serve::{Api, Limits};
pub use stats::Stats;
pub use tls::{Tls, TlsError};
pub use token::{Token, TokenError};
