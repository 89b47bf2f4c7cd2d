//! What requests and answers of both protocols have in common.

use crate::{Findings, Flow, exactly::Reader};
use alloc::vec::Vec;

/// Answers' codes (MS-ERREF).
pub(super) mod status {
    pub(in super::super) const SUCCESS: u32 = 0;
    pub(in super::super) const NOT_IMPLEMENTED: u32 = 0xc000_0002;
    pub(in super::super) const INVALID_HANDLE: u32 = 0xc000_0008;
    pub(in super::super) const INVALID_PARAMETER: u32 = 0xc000_000d;
    pub(in super::super) const INVALID_DEVICE_REQUEST: u32 = 0xc000_0010;
    pub(in super::super) const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;
    pub(in super::super) const ACCESS_DENIED: u32 = 0xc000_0022;
    pub(in super::super) const LOGON_FAILURE: u32 = 0xc000_006d;
    pub(in super::super) const NOT_SUPPORTED: u32 = 0xc000_00bb;
    pub(in super::super) const BAD_NETWORK_NAME: u32 = 0xc000_00cc;
    pub(in super::super) const FILE_CLOSED: u32 = 0xc000_0128;
    pub(in super::super) const USER_SESSION_DELETED: u32 = 0xc000_0203;
    pub(in super::super) const NOT_FOUND: u32 = 0xc000_0225;
    pub(in super::super) const BAD_UID: u32 = 0x005b_0002;
}

/// The longest name of a share or file that is taken down, in bytes as sent.
pub(super) const NAME_BYTES_MAX: usize = 1_024;

/// Who the stranger is so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Has not begun to log in.
    Stranger,
    /// Was challenged.
    Challenged,
    /// Logged in as nobody.
    Nobody,
}

/// What came of a token.
pub(super) struct Judged {
    pub(super) status: u32,
    pub(super) token: Vec<u8>,
    pub(super) flow: Flow,
}

/// A number of two octets, the low one first.
pub(super) fn short(reader: &mut Reader<'_>) -> Option<u16> {
    Some(u16::from_le_bytes(*reader.bytes(2)?.first_chunk()?))
}

/// A length of what is made here: never more than a few hundred bytes.
pub(super) fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes()
}

/// Takes down the last part of `\\host\share`, and says whether that is `IPC$`.
pub(super) fn note_share(path: &[u8], findings: &mut Findings) -> bool {
    findings.note("share", path);
    let name = path.rsplit(|byte| *byte == b'\\').next().unwrap_or_default();
    name.eq_ignore_ascii_case(b"IPC$")
}

/// Appends one message with its length in front.
pub(super) fn send(message: &[u8], answer: &mut Vec<u8>) {
    let bytes = u32::try_from(message.len()).unwrap_or_default();
    answer.extend_from_slice(&bytes.to_be_bytes());
    answer.extend_from_slice(message);
}
