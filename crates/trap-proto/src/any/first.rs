//! What the first bytes of a stranger are the beginning of.

mod line;

/// A protocol that is known by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Ssh,
    Tls,
    Rdp,
    Redis,
    Memcached,
    Telnet,
    Smtp,
    Mysql,
    Postgresql,
    Mssql,
    Smb,
    Ldap,
    Mongodb,
    Mqtt,
    Modbus,
    Adb,
    Sip,
    Rtsp,
}

impl Protocol {
    /// The word in a report.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::Tls => "tls",
            Self::Rdp => "rdp",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Telnet => "telnet",
            Self::Smtp => "smtp",
            Self::Mysql => "mysql",
            Self::Postgresql => "postgresql",
            Self::Mssql => "mssql",
            Self::Smb => "smb",
            Self::Ldap => "ldap",
            Self::Mongodb => "mongodb",
            Self::Mqtt => "mqtt",
            Self::Modbus => "modbus",
            Self::Adb => "adb",
            Self::Sip => "sip",
            Self::Rtsp => "rtsp",
        }
    }
}

/// The beginnings. None is the beginning of another, so the order does not matter.
const BEGINNINGS: &[(&[u8], Protocol)] = &[
    (b"GET ", Protocol::Http),
    (b"POST ", Protocol::Http),
    (b"HEAD ", Protocol::Http),
    (b"PUT ", Protocol::Http),
    (b"DELETE ", Protocol::Http),
    (b"CONNECT ", Protocol::Http),
    (b"TRACE ", Protocol::Http),
    (b"PATCH ", Protocol::Http),
    (b"PROPFIND ", Protocol::Http),
    (b"PRI * HTTP/2.0", Protocol::Http),
    (b"SSH-", Protocol::Ssh),
    // A handshake record (RFC 8446, section 5.1), in all versions that were ever written there.
    (b"\x16\x03\x00", Protocol::Tls),
    (b"\x16\x03\x01", Protocol::Tls),
    (b"\x16\x03\x02", Protocol::Tls),
    (b"\x16\x03\x03", Protocol::Tls),
    // TPKT version 3 (RFC 1006), as the remote desktop begins.
    (b"\x03\x00", Protocol::Rdp),
    // PostgreSQL's wish for TLS or GSSAPI, with which most clients begin.
    (b"\0\0\0\x08\x04\xd2\x16\x2f", Protocol::Postgresql),
    (b"\0\0\0\x08\x04\xd2\x16\x30", Protocol::Postgresql),
    // A telnet client's WILL, WON'T, DO or DON'T (RFC 854).
    (b"\xff\xfb", Protocol::Telnet),
    (b"\xff\xfc", Protocol::Telnet),
    (b"\xff\xfd", Protocol::Telnet),
    (b"\xff\xfe", Protocol::Telnet),
    // A mail client that does not wait for its server.
    (b"EHLO ", Protocol::Smtp),
    (b"ehlo ", Protocol::Smtp),
    (b"EHLO\r\n", Protocol::Smtp),
    (b"HELO ", Protocol::Smtp),
    (b"helo ", Protocol::Smtp),
    (b"MAIL FROM:", Protocol::Smtp),
    (b"stats\r\n", Protocol::Memcached),
    (b"stats ", Protocol::Memcached),
    (b"version\r\n", Protocol::Memcached),
    // The two commands of Redis that are sent without an array.
    (b"PING\r\n", Protocol::Redis),
    (b"INFO\r\n", Protocol::Redis),
    (b"ping\r\n", Protocol::Redis),
    (b"info\r\n", Protocol::Redis),
    // The debugging bridge's first word.
    (b"CNXN", Protocol::Adb),
    // What telephones and cameras are asked, but for `OPTIONS`, which is HTTP's, too.
    (b"INVITE sip", Protocol::Sip),
    (b"INVITE tel:", Protocol::Sip),
    (b"REGISTER sip", Protocol::Sip),
    (b"SUBSCRIBE sip", Protocol::Sip),
    (b"NOTIFY sip", Protocol::Sip),
    (b"MESSAGE sip", Protocol::Sip),
    (b"BYE sip", Protocol::Sip),
    (b"CANCEL sip", Protocol::Sip),
    (b"DESCRIBE rtsp", Protocol::Rtsp),
    (b"SETUP rtsp", Protocol::Rtsp),
    (b"ANNOUNCE rtsp", Protocol::Rtsp),
];

/// The lowest and the highest that a byte may be.
type Range = (u8, u8);
const ANY: Range = (0, 255);
const ZERO: Range = (0, 0);
const DIGIT: Range = (b'0', b'9');
const FIRST_DIGIT: Range = (b'1', b'9');

/// What stands for itself.
const fn one(byte: u8) -> Range {
    (byte, byte)
}

/// Beginnings with bytes that may differ: the sessions of PostgreSQL's protocol 3, and a MySQL client that logs in before it was
/// greeted (packet 1, shorter than 64 KiB, with a character set and nothing in what is reserved).
/// Then the pre-login of SQL Server in one packet, SMB 1 and 2 with their length in front, LDAP's bind and search with lengths of
/// one octet and of four, and MongoDB's two messages.
const SHAPES: &[(&[Range], Protocol)] = &[
    (&[(0x12, 0x12), (1, 1), ANY, ANY, ZERO, ZERO], Protocol::Mssql),
    (&[ZERO, ZERO, ANY, ANY, (0xfe, 0xff), (b'S', b'S'), (b'M', b'M'), (b'B', b'B')], Protocol::Smb),
    (&[(0x30, 0x30), (0, 0x7f), (2, 2), (1, 1), ANY, (0x60, 0x60)], Protocol::Ldap),
    (&[(0x30, 0x30), (0, 0x7f), (2, 2), (1, 1), ANY, (0x63, 0x63)], Protocol::Ldap),
    (&[(0x30, 0x30), (0x84, 0x84), ZERO, ZERO, ANY, ANY, (2, 2), (1, 1), ANY, (0x60, 0x60)], Protocol::Ldap),
    (&[(0x30, 0x30), (0x84, 0x84), ZERO, ZERO, ANY, ANY, (2, 2), (1, 1), ANY, (0x63, 0x63)], Protocol::Ldap),
    (&[ANY, ANY, ZERO, ZERO, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, (0xd4, 0xd4), (7, 7), ZERO, ZERO], Protocol::Mongodb),
    (&[ANY, ANY, ZERO, ZERO, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, (0xdd, 0xdd), (7, 7), ZERO, ZERO], Protocol::Mongodb),
    // memcached's binary protocol, with lengths that can be; what a MongoDB client says may look the same up to its last word.
    (&[one(0x80), (0, 0x24), ANY, ANY, (0, 20), ZERO, ZERO, ZERO, ZERO, ANY, ANY, ANY, ANY, ANY, ANY, ANY], Protocol::Memcached),
    (&[ZERO, ZERO, ANY, ANY, ZERO, (3, 3), ZERO, ZERO], Protocol::Postgresql),
    (&[ANY, ANY, ZERO, (1, 1), ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, (1, 255), ZERO], Protocol::Mysql),
    // MQTT's CONNECT, of a length with one byte or two, in versions 3.1.1 and 5, and 3.1.
    (&[one(0x10), (0, 127), ZERO, one(4), one(b'M'), one(b'Q'), one(b'T'), one(b'T')], Protocol::Mqtt),
    (&[one(0x10), (128, 255), (1, 127), ZERO, one(4), one(b'M'), one(b'Q'), one(b'T'), one(b'T')], Protocol::Mqtt),
    (&[one(0x10), (0, 127), ZERO, one(6), one(b'M'), one(b'Q'), one(b'I'), one(b's')], Protocol::Mqtt),
    (&[one(0x10), (128, 255), (1, 127), ZERO, one(6), one(b'M'), one(b'Q'), one(b'I'), one(b's')], Protocol::Mqtt),
    // Arrays of the Redis protocol, of up to seven digits as Redis takes them.
    (&[one(b'*'), FIRST_DIGIT, one(b'\r'), one(b'\n'), one(b'$')], Protocol::Redis),
    (&[one(b'*'), FIRST_DIGIT, DIGIT, one(b'\r'), one(b'\n'), one(b'$')], Protocol::Redis),
    (&[one(b'*'), FIRST_DIGIT, DIGIT, DIGIT, one(b'\r'), one(b'\n'), one(b'$')], Protocol::Redis),
    (&[one(b'*'), FIRST_DIGIT, DIGIT, DIGIT, DIGIT, one(b'\r'), one(b'\n'), one(b'$')], Protocol::Redis),
    (&[one(b'*'), FIRST_DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, one(b'\r'), one(b'\n'), one(b'$')], Protocol::Redis),
    (&[one(b'*'), FIRST_DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, one(b'\r'), one(b'\n'), one(b'$')], Protocol::Redis),
    (&[one(b'*'), FIRST_DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, one(b'\r'), one(b'\n'), one(b'$')], Protocol::Redis),
    // Modbus: a transaction, protocol 0, a length of at least a unit and a function, and a function that is none of the exceptions.
    (&[ANY, ANY, ZERO, ZERO, ZERO, (2, 254), ANY, (1, 127)], Protocol::Modbus),
];

/// The longest beginning, in bytes; who said more than that is known or is not, but for [`line::guess`].
const FIRST_BYTES_MAX: usize = 16;

/// What is known after some first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// More bytes may tell.
    Open,
    /// This it is.
    Known(Protocol),
    /// Nothing that is known.
    Unknown,
}

/// What `bytes` are the beginning of.
pub(super) fn guess(bytes: &[u8]) -> Guess {
    let mut guess = line::guess(bytes);
    if bytes.len() > FIRST_BYTES_MAX || matches!(guess, Guess::Known(_)) {
        return guess;
    }
    for (beginning, protocol) in BEGINNINGS.iter().copied() {
        if bytes.starts_with(beginning) {
            return Guess::Known(protocol);
        }
        if beginning.starts_with(bytes) {
            guess = Guess::Open;
        }
    }
    for (shape, protocol) in SHAPES.iter().copied() {
        let fits = bytes.iter().zip(shape).all(|(byte, (low, high))| (low..=high).contains(&byte));
        if fits && bytes.len() >= shape.len() {
            return Guess::Known(protocol);
        }
        if fits {
            guess = Guess::Open;
        }
    }
    guess
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_bytes_and_not_before() {
        let table: &[(&[u8], Guess)] = &[
            (b"", Guess::Open),
            (b"P", Guess::Open),
            (b"PO", Guess::Open),
            (b"POST", Guess::Open),
            (b"POST ", Guess::Known(Protocol::Http)),
            (b"POSTER", Guess::Unknown),
            (b"SSH-2.0-Go", Guess::Known(Protocol::Ssh)),
            (b"\x16\x03\x01\x02", Guess::Known(Protocol::Tls)),
            (b"\x16\x03\x09", Guess::Unknown),
            (b"\x03\x00\x00\x13", Guess::Known(Protocol::Rdp)),
            (b"*1\r\n$4\r\nPING", Guess::Known(Protocol::Redis)),
            (b"get / HTTP/1.0", Guess::Open),
            (b"get / HTTP/1.0\r\n", Guess::Known(Protocol::Http)),
            (b"*9\r\n$4\r\nMSET", Guess::Known(Protocol::Redis)),
            (b"*1024\r\n$", Guess::Known(Protocol::Redis)),
            (b"*1048576\r\n$", Guess::Known(Protocol::Redis)),
            (b"*10485760", Guess::Unknown),
            (b"OPTIONS ", Guess::Open),
            (b"INVITE sip", Guess::Known(Protocol::Sip)),
            (b"REGISTER sip", Guess::Known(Protocol::Sip)),
            (b"REGISTER /", Guess::Unknown),
            (b"DESCRIBE rtsp", Guess::Known(Protocol::Rtsp)),
            (b"\0\0\0\x29\0\x03\0\0", Guess::Known(Protocol::Postgresql)),
            (b"\0\0\0\x08\x04\xd2\x16\x2f", Guess::Known(Protocol::Postgresql)),
            (b"\x54\0\0\x01\x05\xa6\x0f\0\0\0\0\x01\x21\0", Guess::Known(Protocol::Mysql)),
            (b"\0\x1e\0\x01\x01\0\0\x01\0\0\0\0\0\0", Guess::Unknown),
            (b"\xff\xfd", Guess::Known(Protocol::Telnet)),
            (b"\x12\x01\0\x34\0\0\0", Guess::Known(Protocol::Mssql)),
            (b"\0\0\0\xa4\xffSMBr", Guess::Known(Protocol::Smb)),
            (b"\0\0\0\xa4\xfeSMB\x40", Guess::Known(Protocol::Smb)),
            (b"\x30\x0c\x02\x01\x01\x60\x07", Guess::Known(Protocol::Ldap)),
            (b"\x30\x84\0\0\0\x2d\x02\x01\x07\x63", Guess::Known(Protocol::Ldap)),
            (b"\x41\0\0\0\x3a\x30\0\0\xff\xff\xff\xff\xd4\x07\0\0", Guess::Known(Protocol::Mongodb)),
            (b"\x80\x0b\0\0\0\0\0\0\0\0\0\0\0\0\0", Guess::Open),
            (b"\x80\x0b\0\0\0\0\0\0\0\0\0\0\0\0\0\0", Guess::Known(Protocol::Memcached)),
            (b"\x80\x01\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0", Guess::Known(Protocol::Mongodb)),
            (b"0123", Guess::Unknown),
            (b"\x10\x1b\0\x04MQTT\x04", Guess::Known(Protocol::Mqtt)),
            (b"\x10\x9b\x01\0\x06MQIsdp", Guess::Known(Protocol::Mqtt)),
            (b"\0\0\0\0\0\x02\x01\x11", Guess::Known(Protocol::Modbus)),
            (b"\x12\x34\0\0\0\x06\xff", Guess::Open),
            (b"\0\0\0\0\0\x03\0\0", Guess::Known(Protocol::Postgresql)),
            (b"CNXN\0\0", Guess::Known(Protocol::Adb)),
        ];
        for (bytes, expected) in table {
            assert_eq!(guess(bytes), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn no_beginning_is_longer_than_the_limit_or_hides_another() {
        let shapes = SHAPES.iter().map(|(shape, _)| shape.len());
        let longest = BEGINNINGS.iter().map(|(beginning, _)| beginning.len()).chain(shapes).max();
        assert_eq!(longest, Some(FIRST_BYTES_MAX));
        for (index, (one, _)) in BEGINNINGS.iter().enumerate() {
            assert!(BEGINNINGS.iter().skip(index + 1).all(|(other, _)| !one.starts_with(other) && !other.starts_with(one)));
        }
    }
}
