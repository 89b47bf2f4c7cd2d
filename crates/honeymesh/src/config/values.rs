//! Values as people write them: durations, sizes, prefixes, addresses. Pure, and every refusal says how to mend it.

use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

/// The units of a duration with their milliseconds, from the longest; weeks are read but never printed.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// `90s`, `5m`, `24h`, `7d`, also `250ms` and `2w`: a whole number and a unit.
///
/// # Errors
/// The text is something else, or longer than ten years.
pub fn duration(text: &str) -> Result<Duration, String> {
    honeymesh_format::parse_duration(text).map_err(|error| error.to_string())
}

/// A duration as [`duration`] reads it: the largest unit that needs no fraction.
#[must_use]
pub fn short(duration: Duration) -> String {
    let total_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let unit = UNITS.into_iter().find(|(_, unit_ms)| total_ms >= *unit_ms && total_ms.is_multiple_of(*unit_ms));
    unit.map_or_else(|| "0s".into(), |(unit, unit_ms)| format!("{}{unit}", total_ms / unit_ms))
}

/// `64KiB`, `16MiB`, `1GiB`, or a plain number of bytes (`4096B` or `4096`).
///
/// # Errors
/// The text is something else, or more than a 64-bit number of bytes.
pub fn size(text: &str) -> Result<u64, String> {
    const SIZES: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let wrong = || format!("`{text}` is no size; write a whole number and a unit, such as 4096B, 64KiB or 16MiB");
    let (digits, unit) = SIZES.into_iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, bytes))).unwrap_or((text, 1));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

/// An address or a prefix without host bits, as `allow` wants it: mapped IPv4 becomes IPv4.
///
/// # Errors
/// The text is neither, or bits are set behind the prefix length.
pub fn net(text: &str) -> Result<IpNet, String> {
    honeymesh_types::Subject::from_str(text).map(|subject| subject.net()).map_err(|error| error.to_string())
}

/// An address with a port to listen on: `0.0.0.0:2222`, `[::]:2222`.
///
/// # Errors
/// The text is something else (host names are not resolved), or the port is 0.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    let addr = socket(text)?;
    if addr.port() == 0 {
        return Err(format!("`{text}` has port 0; write the port that peers and clients shall use"));
    }
    Ok(addr)
}

/// The address of somebody else: like [`listen`], and not `0.0.0.0` or `[::]`.
///
/// # Errors
/// As [`listen`], and for the unspecified address.
pub fn remote(text: &str) -> Result<SocketAddr, String> {
    let addr = listen(text)?;
    if addr.ip().is_unspecified() {
        return Err(format!("`{text}` is no address of a machine; write the address that peers can reach"));
    }
    Ok(addr)
}

/// An address without a port.
///
/// # Errors
/// The text is something else.
pub fn addr(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no IP address; write for example 203.0.113.7 or 2001:db8::7"))
}

fn socket(text: &str) -> Result<SocketAddr, String> {
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return Ok(addr);
    }
    let mend = match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => format!("the port is missing; write for example {v4}:7946"),
        Ok(IpAddr::V6(v6)) => format!("the port is missing; write for example [{v6}]:7946"),
        Err(_) if text.rsplit_once(':').is_some_and(|(host, _)| host.contains(':') && !host.starts_with('[')) => {
            "write an IPv6 address in brackets, such as [2001:db8::1]:7946".into()
        }
        Err(_) => "write IP:PORT, such as 0.0.0.0:2222 or [::]:2222 (host names are not resolved)".into(),
    };
    Err(format!("`{text}` is no address with a port; {mend}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_printed_in_the_largest_unit_that_fits() {
        let table = [("90s", "90s"), ("24h", "1d"), ("7d", "7d"), ("2w", "14d"), ("0s", "0s"), ("250ms", "250ms")];
        for (text, printed) in table {
            assert_eq!(short(duration(text).unwrap()), printed);
        }
        assert!(duration("5").unwrap_err().contains("such as 90s"));
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!((size("64KiB"), size("1MiB"), size("12B"), size("12")), (Ok(65_536), Ok(1 << 20), Ok(12), Ok(12)));
        for bad in ["", "KiB", "1KB", "1.5MiB", "-1", "1 KiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_name_what_is_missing() {
        assert_eq!(listen("[::]:2222").unwrap().port(), 2222);
        let table = [
            ("192.0.2.1", "the port is missing; write for example 192.0.2.1:7946"),
            ("2001:db8::1", "the port is missing; write for example [2001:db8::1]:7946"),
            ("2001:db8::x:7946", "in brackets"),
            ("edge-2:7946", "host names are not resolved"),
            ("0.0.0.0:0", "port 0"),
            ("0.0.0.0:70000", "IP:PORT"),
        ];
        for (text, part) in table {
            let error = listen(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(remote("0.0.0.0:7946").unwrap_err().contains("no address of a machine"));
        assert!(remote("192.0.2.1:7946").is_ok() && addr("x").is_err() && addr("::1").is_ok());
    }

    #[test]
    fn prefixes_with_host_bits_are_named_with_the_mend() {
        assert_eq!(net("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert!(net("10.0.0.1/8").unwrap_err().contains("write 10.0.0.0/8"));
    }

    proptest! {
        #[test]
        fn a_printed_duration_is_read_back(ms in 0u64..315_360_000_000) {
            let duration_in = Duration::from_millis(ms);
            prop_assert_eq!(duration(&short(duration_in)), Ok(duration_in));
        }

        #[test]
        fn no_text_makes_a_value_parser_panic(text in "\\PC{0,24}") {
            let _ = (duration(&text), size(&text), net(&text), listen(&text), remote(&text), addr(&text));
        }
    }
}
