//! A television box whose debugging port is open to everybody, as thousands are: Android 5.1 on Amlogic's S905.
//!
//! Who connects is root and gets a shell that runs nothing, may push files that are taken down and thrown away, and install what is
//! never run: the way that ADB.Miner and its like spread. Or it asks for a key first, and nobody at the screen says yes. (Android's
//! `protocol.txt` and `SYNC.TXT`; before Android 7 a shell's output came through a terminal, and packets had at most 4 KiB.)

mod message;
mod session;
mod shell;
mod sync;

pub use session::AdbSession;

use crate::{BannerError, Persona, service::checked_banner, text::hex};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

/// What the box is called: product, model, device.
const NAMES: [&str; 3] = ["p201", "MXQ Pro 4K", "p201"];

/// A television box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adb {
    product: String,
    model: String,
    device: String,
    serial: String,
    lets_in: bool,
}

impl Adb {
    /// A box with a serial number of its own.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        let [product, model, device] = NAMES.map(ToString::to_string);
        let serial = hex(&persona.key("adb")[..8]);
        Self { product, model, device, serial, lets_in: true }
    }

    /// With an operator's `product; model; device`; a part that is left out stays.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn named(mut self, names: &str) -> Result<Self, BannerError> {
        let names = checked_banner(names)?;
        let parts = names.splitn(3, ';').map(str::trim);
        for (place, part) in [&mut self.product, &mut self.model, &mut self.device].into_iter().zip(parts) {
            if !part.is_empty() {
                *place = part.to_string();
            }
        }
        Ok(self)
    }

    /// The same, but it lets everybody in, or waits for somebody to press a button.
    #[must_use]
    pub fn letting_in(self, lets_in: bool) -> Self {
        Self { lets_in, ..self }
    }

    /// A new connection; `seed` makes what a key has to sign.
    #[must_use]
    pub fn session(&self, seed: u64) -> AdbSession {
        AdbSession::new(Arc::new(self.clone()), seed)
    }

    /// What it says of itself.
    fn properties(&self) -> Vec<(&'static str, &str)> {
        Vec::from([
            ("ro.build.version.release", "5.1.1"),
            ("ro.build.version.sdk", "22"),
            ("ro.hardware", "amlogic"),
            ("ro.product.board", &self.product),
            ("ro.product.brand", "Amlogic"),
            ("ro.product.cpu.abi", "armeabi-v7a"),
            ("ro.product.device", &self.device),
            ("ro.product.manufacturer", "Amlogic"),
            ("ro.product.model", &self.model),
            ("ro.product.name", &self.product),
            ("ro.serialno", &self.serial),
            ("service.adb.root", "1"),
            ("service.adb.tcp.port", "5555"),
        ])
    }
}

#[cfg(test)]
mod tests;
