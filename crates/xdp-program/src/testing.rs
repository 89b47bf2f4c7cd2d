//! Crafted packets, the table of expected verdicts, and a kernel made of plain maps: for tests on the host and, with the
//! same table, in the real kernel.

mod connections;
mod cookies;
mod host;
mod mutate;
mod packet;
mod setup;
mod table;
mod truncation;

pub use connections::{Connection, Stage};
pub use cookies::{Buffer, FIN_ACK, Greeting, HostCookies, handshake_frames, has_right_checksums, syn_with, with_numbers};
pub use host::{Doorstep, EPHEMERAL, HostBans, HostBucket, HostHits, HostKernel, HostWay, NoLine, Slice, Told};
pub use mutate::Mutator;
pub use packet::{ACK, FIN, Fragment, Layer4, PSH, Packet, RST, SYN, URG};
pub use table::{
    BUCKETS, End, HERE4, HERE6, Offer, SERVED, Script, Setting, Step, Tell, hushed, hushed_setting, offers, offers_setting,
    scripts,
};
