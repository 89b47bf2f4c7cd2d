//! Whoever gives an order over ssh must not lock himself out with it.
//!
//! The daemon protects every session that the system has recorded. A session without a terminal is often not recorded, but
//! sshd tells it where it comes from (`SSH_CONNECTION`), so the client itself looks.

use crate::{
    client::{Client, quoted},
    failure::Failure,
};
use honeymesh_format::WhyJson;
use honeymesh_types::Subject;
use hyper::Method;
use std::net::IpAddr;

/// Refuses a ban that would hit the address this command is given from, unless the daemon protects that anyway.
///
/// # Errors
/// [`Failure::Refused`] says so; or the daemon cannot be asked.
pub async fn spare(client: &Client, subject: Subject) -> Result<(), Failure> {
    let Some(addr) = own_address().filter(|addr| subject.contains(*addr)) else { return Ok(()) };
    if is_protected(client, addr).await? {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "you are connected from {addr}, which {subject} would ban; `honeymesh allow add {addr}` first, then it keeps passing"
    )))
}

/// A warning for a lockdown that is ordered from an address which it will not let in again.
///
/// # Errors
/// The daemon cannot be asked.
pub async fn stranded(client: &Client) -> Result<Option<String>, Failure> {
    let Some(addr) = own_address() else { return Ok(None) };
    let warning = "is not on the never-ban set: this session goes on, but a new one will not get in";
    let is_safe = is_protected(client, addr).await?;
    Ok((!is_safe).then(|| format!("WARNING: your address {addr} {warning}; `honeymesh allow add {addr}` before you confirm")))
}

async fn is_protected(client: &Client, addr: IpAddr) -> Result<bool, Failure> {
    let why: WhyJson = client.read(Method::GET, &format!("/api/v1/why/{}", quoted(&addr.to_string())), None).await?;
    Ok(!why.protected.is_empty())
}

/// Where sshd says that this session comes from.
fn own_address() -> Option<IpAddr> {
    address(&std::env::var("SSH_CONNECTION").ok()?)
}

/// The first word: client's address, client's port, server's address, server's port. A zone is left out.
fn address(connection: &str) -> Option<IpAddr> {
    let client = connection.split_whitespace().next()?;
    let addr: IpAddr = client.split('%').next()?.parse().ok()?;
    Some(addr.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_the_first_word_of_what_sshd_says() {
        let table = [
            ("198.51.100.9 51514 192.0.2.1 22", Some("198.51.100.9")),
            ("::ffff:198.51.100.9 51514 ::ffff:192.0.2.1 22", Some("198.51.100.9")),
            ("fe80::1%eth0 51514 fe80::2%eth0 22", Some("fe80::1")),
            ("UNKNOWN 65535 UNKNOWN 65535", None),
            ("", None),
        ];
        for (text, addr) in table {
            assert_eq!(address(text), addr.map(|addr| addr.parse().unwrap()), "{text}");
        }
    }
}
