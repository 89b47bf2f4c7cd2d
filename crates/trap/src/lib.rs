//! Strangers to trap protocols: listeners, sessions, deadlines and limits; what was said goes out as [`Visit`]s.
//!
//! Two processes do it. The daemon binds ([`bind()`]), lets strangers in and knows who they are ([`Bound::keep`]). The process
//! that plays ([`Room`]) gets their connections, parses what they say, answers, and tells what it heard; it can do nothing
//! else. They are joined by two one-way [`lines()`].
//!
//! Whoever connects is reported: when enough was said, when it goes, or after two seconds with what there is; also if the
//! process that plays dies of what it was sent. A report leaves *before* the answer that follows it, so that a ban is as early
//! as it can be.
//!
//! [`Visit`]: honeymesh_types::Visit

mod beside;
mod bind;
mod broken;
mod curves;
mod door;
mod host_key;
mod identity;
mod limits;
mod line;
mod memory;
mod neighbours;
mod options;
mod post;
mod report;
mod room;
pub mod rules;
mod session;
mod setting;
mod status;
mod tls;
mod wire;

pub use bind::{Bound, DARK, Error, bind};
pub use broken::note_faults;
#[cfg(feature = "testing")]
pub use door::testing;
pub use door::{CLOSING_MAX, Household, News, UNPLAYED_MAX};
pub use host_key::SshIdentity;
pub use identity::{IdentityError, TlsIdentity};
pub use limits::{Dismisser, PORT_CONNECTIONS_MAX};
pub use line::{Line, RoomLine, lines};
pub use memory::{MEMORY_BESIDES, SESSION_HELD_BYTES_MAX, SESSION_PEAK_BYTES_MAX, SESSION_TLS_BYTES_MAX, address_space_max};
pub use options::{LEAVING_MAX, Limits, Options, TrapOptions};
pub use room::{Ready, Room};
pub use setting::Setting;
pub use status::{HouseStatus, StatusReader, TrapStatus};
