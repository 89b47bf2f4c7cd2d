//! What an operator should know about dark ports on this machine.

use crate::config::{Config, Dark};
use std::fs;

/// Ports that a machine passes on to others have no socket of its own, so they count as dark.
const FORWARDING: [&str; 2] = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"];

/// A warning, if this machine forwards packets while its dark ports do not simply refuse.
#[must_use]
pub fn warning(config: &Config) -> Option<String> {
    let word = match config.dark.dark.value {
        Dark::Refuse => return None,
        Dark::Silent => "silent",
        Dark::Trap => "trap",
    };
    let forwards = FORWARDING.iter().any(|file| fs::read_to_string(file).is_ok_and(|text| text.trim() != "0"));
    forwards.then(|| {
        format!(
            "[traps] dark: `{word}` on a machine that forwards packets: a port that it passes on to a container or another \
             host by address translation alone has no socket here and would be cut off; name such ports in [traps] except"
        )
    })
}
