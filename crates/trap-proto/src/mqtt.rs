//! An MQTT broker that lets everybody in (or nobody) and passes on nothing: mosquitto, in versions 3.1, 3.1.1 and 5.
//!
//! Who subscribes hears of `$SYS` and of a few things that such a broker retains, and of what it publishes itself on the same
//! connection. (MQTT 3.1.1 and 5.0, OASIS; what is said besides follows mosquitto 2.0.21 as Debian 13 ships it.)

mod packet;
mod session;
mod system;
mod topic;

pub use session::MqttSession;

use crate::{BannerError, Persona, service::checked_banner};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

/// Debian 13's mosquitto.
const VERSION: &str = "2.0.21";

/// An MQTT broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mqtt {
    version: String,
    lets_in: bool,
    persona: Persona,
}

/// A message that a broker retains: its topic and what it says.
pub(crate) type Retained = (String, String);

impl Mqtt {
    /// Debian 13's mosquitto on this machine, without passwords.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        Self { version: VERSION.to_string(), lets_in: true, persona: persona.clone() }
    }

    /// With an operator's version, such as `2.0.22`.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn with_version(self, version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)?, ..self })
    }

    /// The same, but it lets everybody in, or nobody.
    #[must_use]
    pub fn letting_in(self, lets_in: bool) -> Self {
        Self { lets_in, ..self }
    }

    /// A new connection; `seed` makes the name of a client that gives itself none.
    #[must_use]
    pub fn session(&self, seed: u64) -> MqttSession {
        MqttSession::new(Arc::new(self.clone()), seed)
    }

    /// What it retains, after so many seconds.
    fn retained(&self, uptime_seconds: u64) -> Vec<Retained> {
        let traffic = self.persona.number("mqtt");
        let mut retained = system::topics(&self.version, traffic, uptime_seconds);
        retained.push(("homeassistant/status".to_string(), "online".to_string()));
        retained.push(("zigbee2mqtt/bridge/state".to_string(), "{\"state\":\"online\"}".to_string()));
        retained
    }
}

#[cfg(test)]
mod tests;
