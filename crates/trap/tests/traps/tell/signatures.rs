//! What gives known honeypots away: questions that were published, and the answers that tell.

/// What an answer must be to tell.
#[derive(Clone, Copy, Debug)]
pub enum Tell {
    /// It has one of these in it.
    Has(&'static [&'static [u8]]),
    /// It has all of these in it.
    HasAll(&'static [&'static [u8]]),
    /// It has the first in it, and none of the others.
    Lacks(&'static [u8], &'static [&'static [u8]]),
    /// It begins with the first, and the octet behind that is there and another one.
    Begins(&'static [u8], u8),
    /// What is said first is answered with something that has the first in it, and so on: all of them.
    Each(&'static [&'static [u8]]),
    /// This says so.
    By(fn(&[u8]) -> bool),
}

impl Tell {
    /// `heard` has an answer for each thing that was said, the greeting with the first, and is one answer where nothing was said.
    pub fn is_told_by(self, heard: &[Vec<u8>]) -> bool {
        let answer = heard.concat();
        match self {
            Self::Has(any) => any.iter().any(|what| has(&answer, what)),
            Self::HasAll(all) => all.iter().all(|what| has(&answer, what)),
            Self::Lacks(first, others) => has(&answer, first) && !others.iter().any(|what| has(&answer, what)),
            Self::Begins(first, not) => {
                answer.strip_prefix(first).is_some_and(|rest| rest.first().is_some_and(|next| *next != not))
            }
            Self::Each(each) => each.len() == heard.len() && each.iter().zip(heard).all(|(what, answer)| has(answer, what)),
            Self::By(tells) => tells(&answer),
        }
    }
}

fn has(answer: &[u8], what: &[u8]) -> bool {
    what.is_empty() || answer.windows(what.len()).any(|window| window == what)
}

/// One way to recognise one honeypot.
pub struct Signature {
    /// Who is recognised.
    pub honeypot: &'static str,
    /// Which of our services is asked, and with which site.
    pub service: &'static str,
    pub site: Option<&'static str>,
    /// What is said, one after the other; nothing: only the greeting is read.
    pub says: &'static [&'static [u8]],
    pub tell: Tell,
    /// What the honeypot says, for the proof that it would be recognised.
    pub stand_in: &'static [u8],
    /// Who published it.
    pub source: &'static str,
    /// It takes the real server for that honeypot, too: then the trap's answer is the real one's, octet by octet.
    pub takes_the_real_one: bool,
}

const METASPLOIT: &str = "Metasploit, scanner/ssh/ssh_honeypot (formerly detect_kippo)";
const NMAP: &str = "nmap, nmap-service-probes";
const HONEYSCANNER: &str = "honeynet/honeyscanner";
const MORISHITA: &str = "Morishita et al., Detect Me If You... Oh Wait, IM 2019";
const BITTER: &str = "Vetterl and Clayton, Bitter Harvest, WOOT 2018";

pub const fn of(
    honeypot: &'static str,
    service: &'static str,
    says: &'static [&'static [u8]],
    tell: Tell,
    stand_in: &'static [u8],
    source: &'static str,
) -> Signature {
    Signature { honeypot, service, site: None, says, tell, stand_in, source, takes_the_real_one: false }
}

pub const fn on(site: &'static str, signature: Signature) -> Signature {
    Signature { site: Some(site), ..signature }
}

pub const fn too(signature: Signature) -> Signature {
    Signature { takes_the_real_one: true, ..signature }
}

/// SSH: Kippo and Cowrie, which are Twisted underneath.
pub const SSH: &[Signature] = &[
    of(
        "Kippo",
        "ssh",
        &[b"SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u4\r\n\n\n\n\n\n\n\n\n"],
        Tell::Has(&[b"Protocol mismatch.\n", b"bad packet length"]),
        b"SSH-2.0-OpenSSH_5.1p1 Debian-5\r\nProtocol mismatch.\n",
        METASPLOIT,
    ),
    of(
        "Twisted",
        "ssh",
        &[b"\n\n\n"],
        Tell::Has(&[b"bad version", b"Protocol mismatch"]),
        b"SSH-2.0-x\r\nbad version \n",
        BITTER,
    ),
    of(
        "Twisted",
        "ssh",
        &[b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff"],
        Tell::Has(&[b"bad packet length", b"Packet corrupt"]),
        b"SSH-2.0-x\r\nbad packet length 4294967295",
        BITTER,
    ),
    of("Kippo", "ssh", &[], Tell::Has(&[b"SSH-2.0-OpenSSH_5.1p1 Debian-5"]), b"SSH-2.0-OpenSSH_5.1p1 Debian-5\r\n", MORISHITA),
    of(
        "Cowrie",
        "ssh",
        &[],
        Tell::Has(&[b"OpenSSH_6.0p1 Debian-4+deb7u2", b"OpenSSH_9.2p1 Debian-2+deb12u3", b"OpenSSH_7.2p2 Ubuntu-4ubuntu2.8"]),
        b"SSH-2.0-OpenSSH_6.0p1 Debian-4+deb7u2\r\n",
        HONEYSCANNER,
    ),
    of(
        "libraries",
        "ssh",
        &[],
        Tell::Has(&[b"Twisted", b"libssh", b"paramiko", b"russh", b"SSH-2.0-Go", b"AsyncSSH"]),
        b"SSH-2.0-Go\r\n",
        BITTER,
    ),
];

/// Mail.
pub const MAIL: &[Signature] = &[of(
    "Amun, Nepenthes",
    "smtp",
    &[],
    Tell::Has(&[b"SMTP Service ready", b"220 nepenthes"]),
    b"220 mail SMTP Service ready\r\n",
    MORISHITA,
)];

/// FTP.
pub const FTP: &[Signature] = &[
    of(
        "Dionaea",
        "ftp",
        &[],
        Tell::Has(&[b"220 Welcome to the ftp service", b"DiskStation FTP server ready"]),
        b"220 DiskStation FTP server ready.\r\n",
        MORISHITA,
    ),
    of(
        "Nepenthes",
        "ftp",
        &[],
        Tell::Has(&[b"---freeFTPd 1.0---warFTPd 1.65---"]),
        b"220 ---freeFTPd 1.0---warFTPd 1.65---\r\n",
        MORISHITA,
    ),
    of("Amun", "ftp", &[], Tell::Has(&[b"220 Welcome to my FTP Server"]), b"220 Welcome to my FTP Server\r\n", MORISHITA),
];

/// Web servers and what is spoken like them.
pub const WEB: &[Signature] = &[
    of(
        "Glastopf",
        "http",
        &[b"GET / HTTP/1.0\r\n\r\n"],
        Tell::Has(&[b"id=\"comment\" rows=\"4\" columns=\"300\"", b"BaseHTTP", b"gevent"]),
        b"<textarea name=\"comment\" id=\"comment\" rows=\"4\" columns=\"300\">",
        MORISHITA,
    ),
    of(
        "Conpot",
        "http",
        &[b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::Has(&[b"Siemens, SIMATIC"]),
        b"<TITLE>Overview - Siemens, SIMATIC S7-200</TITLE>",
        HONEYSCANNER,
    ),
    of(
        "servers in scripts",
        "http",
        &[b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::Has(&[b"Werkzeug", b"TwistedWeb", b"BaseHTTP", b"Python/", b"aiohttp", b"hyper"]),
        b"Server: TwistedWeb/9.0.0\r\n",
        BITTER,
    ),
];

/// Stores and databases.
pub const STORES: &[Signature] = &[];

/// Files, messages and things.
pub const THINGS: &[Signature] = &[
    of(
        "Conpot",
        "modbus",
        &[b"\0\x01\0\0\0\x05\x01\x2b\x0e\x01\0"],
        Tell::HasAll(&[b"Siemens", b"SIMATIC"]),
        b"Siemens\x01\x07SIMATIC\x02\x06S7-200",
        MORISHITA,
    ),
    // `^\xff\xfd\x1f(?!\xff)`, asked with nothing and with what else nmap asks a login.
    of("Cowrie", "telnet", &[], Tell::Begins(b"\xff\xfd\x1f", 0xff), b"\xff\xfd\x1flogin: ", NMAP),
    of("Cowrie", "telnet", &[b"\r\n\r\n"], Tell::Begins(b"\xff\xfd\x1f", 0xff), b"\xff\xfd\x1flogin: ", NMAP),
    of("Cowrie", "telnet", &[b"\r\n"], Tell::Has(&[b"Cowrie", b"svr04"]), b"svr04 login: ", HONEYSCANNER),
];
