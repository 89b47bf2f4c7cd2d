//! A client's hello (RFC 8446, section 4.1.2), read as far as it tells who it is.

use super::ja4;
use crate::{Findings, exactly::Reader};
use alloc::vec::Vec;

/// Names of protocols that are noted.
const ALPN_NOTED_MAX: usize = 8;

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
/// `TLS_FALLBACK_SCSV`.
const FALLBACK: u16 = 0x5600;

/// A client's hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The version in the message itself, which newer clients leave at TLS 1.2.
    pub(super) version: u16,
    pub(super) ciphers: Vec<u16>,
    /// In their order.
    pub(super) extensions: Vec<u16>,
    pub(super) versions: Vec<u16>,
    pub(super) signatures: Vec<u16>,
    pub(super) groups: Vec<u16>,
    pub(super) point_formats: Vec<u8>,
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) server_name: Option<Vec<u8>>,
}

impl Hello {
    /// Reads the message behind its head. What an extension has inside may be broken: then only its number counts.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let mut reader = Reader(message);
        let mut hello = Self { version: number(&mut reader)?, ..Self::default() };
        reader.bytes(32)?;
        let session = reader.byte()?;
        reader.bytes(session.into())?;
        hello.ciphers = numbers(counted(&mut reader)?);
        let compressions = reader.byte()?;
        reader.bytes(compressions.into())?;
        if reader.0.is_empty() {
            return Some(hello);
        }
        let mut extensions = Reader(counted(&mut reader)?);
        while !extensions.0.is_empty() {
            let kind = number(&mut extensions)?;
            let content = counted(&mut extensions)?;
            hello.extensions.push(kind);
            hello.extension(kind, content);
        }
        Some(hello)
    }

    fn extension(&mut self, kind: u16, content: &[u8]) {
        let mut reader = Reader(content);
        match kind {
            SERVER_NAME => self.server_name = server_name(reader),
            SUPPORTED_GROUPS => self.groups = counted(&mut reader).map(numbers).unwrap_or_default(),
            SIGNATURE_ALGORITHMS => self.signatures = counted(&mut reader).map(numbers).unwrap_or_default(),
            POINT_FORMATS => self.point_formats = short(&mut reader).unwrap_or_default().to_vec(),
            SUPPORTED_VERSIONS => self.versions = short(&mut reader).map(numbers).unwrap_or_default(),
            ALPN => {
                let mut names = Reader(counted(&mut reader).unwrap_or_default());
                self.alpn = core::iter::from_fn(|| short(&mut names).map(<[u8]>::to_vec)).collect();
            }
            _ => {}
        }
    }

    /// Its JA4 fingerprint, as FoxIO defines it for TLS over TCP.
    #[must_use]
    pub fn ja4(&self) -> alloc::string::String {
        ja4::ja4(self)
    }

    /// The newest version that it offers, as TLS numbers them.
    #[must_use]
    pub fn newest(&self) -> u16 {
        ja4::newest(self)
    }

    /// It says that a newer one was tried first, and failed (RFC 7507).
    #[must_use]
    pub fn fell_back(&self) -> bool {
        self.ciphers.contains(&FALLBACK)
    }

    /// Its JA3 fingerprint: the MD5 digest that older lists know it by.
    #[must_use]
    pub fn ja3(&self) -> alloc::string::String {
        ja4::ja3(self)
    }

    /// Notes its fingerprints, the name it asks for, and the protocols it offers.
    pub fn note(&self, findings: &mut Findings) {
        findings.note("ja4", self.ja4().as_bytes());
        findings.note("ja3", self.ja3().as_bytes());
        if let Some(name) = &self.server_name {
            findings.note("sni", name);
        }
        if !self.alpn.is_empty() {
            let names: Vec<&[u8]> = self.alpn.iter().take(ALPN_NOTED_MAX).map(Vec::as_slice).collect();
            findings.note("alpn", &names.join(&b','));
        }
    }
}

/// The first name in a list of names (RFC 6066, section 3); `Some` and empty if the list is broken.
fn server_name(mut reader: Reader<'_>) -> Option<Vec<u8>> {
    let name = counted(&mut reader).and_then(|list| {
        let mut list = Reader(list);
        list.byte()?;
        counted(&mut list)
    });
    Some(name.unwrap_or_default().to_vec())
}

fn number(reader: &mut Reader<'_>) -> Option<u16> {
    reader.bytes(2)?.try_into().ok().map(u16::from_be_bytes)
}

/// Bytes behind their number in two bytes.
fn counted<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = number(reader)?;
    reader.bytes(length.into())
}

/// Bytes behind their number in one byte.
fn short<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.byte()?;
    reader.bytes(length.into())
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}
