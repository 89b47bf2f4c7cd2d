//! What a remote desktop's client says of itself and of its user.

use crate::{
    Findings,
    ber::{tagged, value},
    exactly::Reader,
    wide::narrow,
};
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::Signs;

/// Virtual channels of one client (MS-RDPBCGR, 2.2.1.3.4).
pub(super) const CHANNELS_MAX: usize = 31;
/// Blocks of settings that are looked at.
const BLOCKS_MAX: usize = 16;
/// The longest text that is taken down, in bytes of UTF-16.
const TEXT_BYTES_MAX: usize = 1_024;
/// In front of a client's blocks: the key of its conference.
const KEY: &[u8] = b"Duca";

/// The wishes in a connection request: what protocols it can.
pub(super) const PROTOCOLS: [(u32, &str); 4] = [(1, "ssl"), (2, "hybrid"), (4, "rdstls"), (8, "hybrid_ex")];

/// Takes down what a connection request says; the protocols that it asks for, if it does.
pub(super) fn request(parameters: &[u8], findings: &mut Findings) -> Option<u32> {
    let (text, rest) = match memchr::memmem::find(parameters, b"\r\n") {
        Some(end) => (&parameters[..end], &parameters[end + 2..]),
        None => (&[][..], parameters),
    };
    if let Some(user) = text.strip_prefix(b"Cookie: mstshash=") {
        findings.note("cookie", user);
    } else if !text.is_empty() {
        findings.note("routing_token", text);
    }
    let [1, _, 8, 0, wishes @ ..] = rest else { return None };
    let wishes = u32::from_le_bytes(*wishes.first_chunk()?);
    let names: Vec<&str> = PROTOCOLS.iter().filter(|(bit, _)| wishes & bit != 0).map(|(_, name)| *name).collect();
    findings.note("protocols", if wishes == 0 { "rdp".into() } else { names.join(" ") }.as_bytes());
    Some(wishes)
}

/// Takes down a client's settings, and counts its channels; `None` if they are broken.
pub(super) fn settings(connect_initial: &[u8], findings: &mut Findings) -> Option<usize> {
    let mut outer = Reader(connect_initial.strip_prefix(&[0x7f])?);
    let mut parts = Reader(tagged(&mut outer, 0x65)?);
    let mut user_data = None;
    while user_data.is_none() {
        // Selectors are octet strings, too, but shorter than any settings.
        user_data = Some(value(&mut parts)?).filter(|(tag, content)| *tag == 4 && content.len() > 8).map(|(_, content)| content);
    }
    let user_data = user_data?;
    let at = memchr::memmem::find(user_data, KEY)? + KEY.len();
    let mut blocks = Reader(user_data.get(at..)?);
    packed_length(&mut blocks)?;
    let mut channels = 0;
    for _ in 0..BLOCKS_MAX {
        let Some(head) = blocks.bytes(4) else { break };
        let bytes = usize::from(u16::from_le_bytes([head[2], head[3]])).checked_sub(4)?;
        let block = blocks.bytes(bytes)?;
        match [head[0], head[1]] {
            [1, 0xc0] => core(block, findings)?,
            [3, 0xc0] => channels = networks(block, findings)?,
            _ => {}
        }
    }
    Some(channels)
}

fn core(block: &[u8], findings: &mut Findings) -> Option<()> {
    let number = |at: usize| Some(u32::from_le_bytes(*block.get(at..)?.first_chunk()?));
    let (layout, build) = (number(12)?, number(16)?);
    let (width, height) = (number(4)? & 0xffff, number(4)? >> 16);
    findings.note("client_name", &until_nul(block.get(20..52)?));
    findings.note("client_build", format!("{build}").as_bytes());
    findings.note("keyboard", format!("{layout:#010x}").as_bytes());
    findings.note("desktop", format!("{width}x{height}").as_bytes());
    Some(())
}

fn networks(block: &[u8], findings: &mut Findings) -> Option<usize> {
    let count = usize::try_from(u32::from_le_bytes(*block.first_chunk()?)).ok().filter(|count| *count <= CHANNELS_MAX)?;
    let mut names = Vec::new();
    for channel in block.get(4..4 + count * 12)?.chunks_exact(12) {
        names.push(channel[..8].split(|byte| *byte == 0).next().unwrap_or_default());
    }
    findings.note("channels", &names.join(&b' '));
    Some(count)
}

/// A length in one octet, or in two.
pub(super) fn packed_length(reader: &mut Reader<'_>) -> Option<usize> {
    match reader.byte()? {
        short @ 0..=0x7f => Some(usize::from(short)),
        high => Some(usize::from(high & 0x7f) << 8 | usize::from(reader.byte()?)),
    }
}

/// Takes down who the user is; `None` if the packet is broken.
pub(super) fn info(packet: &[u8], findings: &mut Findings) -> Option<()> {
    let mut reader = Reader(packet);
    reader.bytes(4)?;
    let is_wide = u32::from_le_bytes(*reader.bytes(4)?.first_chunk()?) & 0x10 != 0;
    let mut lengths = [0; 5];
    for length in &mut lengths {
        *length = usize::from(u16::from_le_bytes(*reader.bytes(2)?.first_chunk()?));
    }
    let names = ["domain", "username", "password", "shell", "working_folder"];
    for (name, length) in names.into_iter().zip(lengths) {
        let text = reader.bytes(length)?;
        reader.bytes(if is_wide { 2 } else { 1 })?;
        let text = &text[..length.min(TEXT_BYTES_MAX)];
        let text = if is_wide { narrow(text) } else { text.to_vec() };
        if !text.is_empty() || name == "username" || name == "password" {
            findings.note(name, &text);
        }
    }
    findings.signs |= Signs::CREDENTIALS;
    let _ = extended(&mut reader, findings);
    Some(())
}

/// Where the client is, as it sees itself; older ones do not say.
fn extended(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<()> {
    reader.bytes(2)?;
    for name in ["client_address", "client_folder"] {
        let bytes = usize::from(u16::from_le_bytes(*reader.bytes(2)?.first_chunk()?));
        let text = until_nul(reader.bytes(bytes).map(|text| &text[..bytes.min(TEXT_BYTES_MAX)])?);
        if !text.is_empty() {
            findings.note(name, &text);
        }
    }
    Some(())
}

fn until_nul(wide: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(narrow(wide)).unwrap_or_default();
    text.split('\0').next().unwrap_or_default().as_bytes().to_vec()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        ber::{ber, sequence},
        wide::wide,
    };
    use alloc::vec;

    /// A client's settings with this many channels.
    pub(in super::super) fn connect_initial(name: &str, channels: u8) -> Vec<u8> {
        let mut name = wide(name);
        name.resize(32, 0);
        let core =
            [&[1, 0xc0, 56, 0, 4, 0, 8, 0, 0, 5, 0, 3, 1, 0xca, 3, 0xaa, 7, 4, 0, 0, 0x65, 0x4a, 0, 0][..], &name].concat();
        let list: Vec<u8> = (0..channels).flat_map(|_| *b"cliprdr\0\0\0\xa0\xc0").collect();
        let net = [&[3, 0xc0, 8 + channels * 12, 0, channels, 0, 0, 0], &list[..]].concat();
        let blocks = [core, net].concat();
        let length = u16::try_from(blocks.len()).unwrap() | 0x8000;
        let data = [&b"\0\x05\0\x14\x7c\0\x01\x81\x2a\0\x08\0\x10\0\x01\xc0\0Duca"[..], &length.to_be_bytes(), &blocks].concat();
        let parameters = ber(0x30, &[2, 1, 34]);
        let parts =
            vec![ber(4, &[1]), ber(4, &[1]), ber(1, &[255]), parameters.clone(), parameters.clone(), parameters, ber(4, &data)];
        [vec![0x7f], sequence(0x65, &parts)].concat()
    }

    /// An info packet of this user.
    pub(in super::super) fn info_packet(user: &str, password: &str) -> Vec<u8> {
        let texts = ["CORP", user, password, "", ""].map(wide);
        let lengths: Vec<u8> = texts.iter().flat_map(|text| u16::try_from(text.len()).unwrap().to_le_bytes()).collect();
        let texts: Vec<u8> = texts.iter().flat_map(|text| [&text[..], &[0, 0]].concat()).collect();
        let place = [&[2, 0, 14, 0][..], &wide("10.0.0.9"), &[0, 0]].concat();
        [&[0; 4][..], &[0x10, 0, 0, 0], &lengths, &texts, &[&place[..2], &[18, 0], &place[4..]].concat(), &[2, 0, 0, 0]].concat()
    }

    #[test]
    fn a_request_has_a_name_and_wishes() {
        let mut findings = Findings::default();
        assert_eq!(request(b"Cookie: mstshash=admin\r\n\x01\0\x08\0\x0b\0\0\0", &mut findings), Some(11));
        assert_eq!(["cookie", "protocols"].map(|name| findings.fields[name].as_str()), ["admin", "ssl hybrid hybrid_ex"]);
        assert_eq!((request(b"", &mut findings), request(b"\x01\0\x08\0\0", &mut findings)), (None, None));
    }

    #[test]
    fn settings_and_info_are_read() {
        let mut findings = Findings::default();
        assert_eq!(settings(&connect_initial("KALI", 2), &mut findings), Some(2));
        let told = ["client_name", "client_build", "keyboard", "desktop", "channels"].map(|name| findings.fields[name].as_str());
        assert_eq!(told, ["KALI", "19045", "0x00000407", "1280x768", "cliprdr cliprdr"]);
        info(&info_packet("admin", "hunter2"), &mut findings).unwrap();
        let told = ["domain", "username", "password", "client_address"].map(|name| findings.fields[name].as_str());
        assert_eq!(told, ["CORP", "admin", "hunter2", "10.0.0.9"]);
        for bytes in 0..60 {
            assert_eq!(settings(&connect_initial("KALI", 2)[..bytes], &mut Findings::default()), None);
        }
    }
}
