//! A programmable controller that speaks Modbus/TCP: Schneider's Modicon M340.
//!
//! Anybody may read and write, as everywhere in this protocol; what is written is hostile, and is read back on the same connection
//! only. (Modbus Application Protocol V1.1b3; Modbus Messaging on TCP/IP V1.0b.)

mod registers;
mod session;

use crate::{BannerError, Persona, Session, packets::ByPacket, service::checked_banner};
use alloc::{
    string::{String, ToString},
    sync::Arc,
};

const VENDOR: &str = "Schneider Electric";
const PRODUCT: &str = "BMX P34 2020";
const REVISION: &str = "v3.60";

/// A programmable controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modbus {
    vendor: String,
    product: String,
    revision: String,
    /// What its registers hold, for as long as the node lives.
    process: u64,
}

impl Modbus {
    /// A Modicon M340 that controls what this machine's owner has.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        let [vendor, product, revision] = [VENDOR, PRODUCT, REVISION].map(ToString::to_string);
        Self { vendor, product, revision, process: persona.number("modbus") }
    }

    /// With an operator's `vendor; product; revision`; a part that is left out stays.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn identified(mut self, identity: &str) -> Result<Self, BannerError> {
        let identity = checked_banner(identity)?;
        let parts = identity.splitn(3, ';').map(str::trim);
        for (place, part) in [&mut self.vendor, &mut self.product, &mut self.revision].into_iter().zip(parts) {
            if !part.is_empty() {
                *place = part.to_string();
            }
        }
        Ok(self)
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self) -> impl Session + use<> {
        ByPacket::new(session::ModbusSession::new(Arc::new(self.clone())))
    }
}
