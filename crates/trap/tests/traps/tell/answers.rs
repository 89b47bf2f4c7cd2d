//! What each of our services answers to the questions of `signatures.rs`, as the server does that it plays: who says nothing tells
//! nothing, and proves nothing.

use super::{
    honeydet::{LOG_IN_1, LOG_IN_2, OVERFLOW},
    nuclei::{BUILDINFO, CLIENT, CNXN, GREETING, OPEN},
    signatures::Signature,
};

/// What must be heard.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// It begins with the first, and has the others behind it, in this order.
    Says(&'static [&'static [u8]]),
    /// It is this, octet by octet.
    Is(&'static [u8]),
    /// Nothing, as from the real one; but another question is answered with something that has this in it.
    Only { asked: &'static [u8], said: &'static [u8] },
}

impl Answer {
    /// What is wrong with what was heard.
    pub fn objection(&self, heard: &[u8]) -> Option<String> {
        match self {
            Self::Only { .. } if heard.is_empty() => None,
            Self::Only { .. } => Some(format!("nothing was expected: {}", heard.escape_ascii())),
            Self::Is(whole) if heard == *whole => None,
            Self::Is(whole) => Some(format!("not {} but {}", whole.escape_ascii(), heard.escape_ascii())),
            Self::Says(parts) => {
                let mut rest = heard;
                for (number, part) in parts.iter().enumerate() {
                    let at = rest.windows(part.len().max(1)).position(|window| window == *part || part.is_empty());
                    match at {
                        Some(at) if number > 0 || at == 0 => rest = &rest[at + part.len()..],
                        _ => return Some(format!("no {} in {}", part.escape_ascii(), heard.escape_ascii())),
                    }
                }
                None
            }
        }
    }
}

/// By service and by what is said, all of it; the site goes with the path.
pub fn real(signature: &Signature) -> Answer {
    let said = signature.says.concat();
    let is_asked = |questions: &[&[u8]]| questions.concat() == said;
    let answers = ANSWERS.iter().find(|(service, question, _)| *service == signature.service && is_asked(&[question]));
    let answers = answers.map(|(.., answer)| answer).or_else(|| {
        let long = LONG_ANSWERS.iter().find(|(service, questions, _)| *service == signature.service && is_asked(questions));
        long.map(|(.., answer)| answer)
    });
    match (answers, signature.service) {
        (Some(answer), _) => *answer,
        // Only the greeting is read.
        (None, service) if signature.says.is_empty() => {
            let (_, greeting) = GREETINGS.iter().find(|(greeter, _)| *greeter == service).unwrap();
            Answer::Says(greeting)
        }
        (None, service) => panic!("no answer of {service} to {}", said.escape_ascii()),
    }
}

const SSH: &[u8] = b"SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u4\r\n";
const SMTP: &[u8] = b"220 app-21.localdomain ESMTP Postfix (Debian)\r\n";
const NO_LOGIN: &[u8] = b"530 Please login with USER and PASS.\r\n";
const FTP: &[u8] = b"220 (vsFTPd 3.0.5)\r\n";
/// An SSH server's offer, its first key exchange.
const OFFER: &[u8] = b"mlkem768x25519-sha256,";
const NGINX: &[u8] = b"Server: nginx\r\n";
const APACHE: &[u8] = b"Server: Apache/2.4.71 (Debian)\r\n";

const GREETINGS: &[(&str, &[&[u8]])] = &[
    ("ssh", &[SSH]),
    ("smtp", &[SMTP]),
    ("ftp", &[FTP]),
    ("imap", &[b"* OK [CAPABILITY IMAP4rev1 ", b" Dovecot ready.\r\n"]),
    ("mysql", &[b"h\0\0\0\x0a11.8.9-MariaDB-0+deb13u1 from Debian\0", b"\0mysql_native_password\0"]),
    ("telnet", &[b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03gateway login: "]),
];

const PAGE: Answer = Answer::Says(&[b"HTTP/1.1 200 OK\r\n", NGINX, b"Set-Cookie: PHPSESSID=", b"<form"]);
const NO_PAGE: Answer = Answer::Says(&[b"HTTP/1.1 404 Not Found\r\n", NGINX, b"<center><h1>404 Not Found</h1></center>"]);
const NO_REQUEST: Answer = Answer::Says(&[b"HTTP/1.1 400 Bad Request\r\n", NGINX]);
const NO_FILE: Answer = Answer::Says(&[b"HTTP/1.1 404 Not Found\r\n", APACHE, b"<title>404 Not Found</title>"]);

const PRELOGIN: Answer = Answer::Only {
    asked: b"\x12\x01\0\x2f\0\0\x01\0\0\0\x1a\0\x06\x01\0\x20\0\x01\x02\0\x21\0\x01\x03\0\x22\0\x04\x04\0\x26\0\x01\xff\
                     \x11\0\0\0\0\0\x02\0\0\0\0\0\0",
    said: b"\x04\x01\0",
};

const ANSWERS: &[(&str, &[u8], Answer)] = &[
    ("ssh", b"SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u4\r\n\n\n\n\n\n\n\n\n", Answer::Says(&[SSH, OFFER])),
    ("ssh", b"SSH-1337-OpenSSH_9.0\r\n", Answer::Says(&[SSH, b"Invalid SSH identification string.\r\n"])),
    ("ssh", b"SSH-1111-OpenSSH_9.0\r\n", Answer::Says(&[SSH, b"Invalid SSH identification string.\r\n"])),
    ("ssh", b"\n\n\n", Answer::Says(&[SSH, b"Invalid SSH identification string.\r\n"])),
    ("ssh", b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff", Answer::Says(&[SSH, OFFER])),
    ("smtp", b"HELP\r\n", Answer::Says(&[SMTP, b"214 2.0.0 Commands: AUTH BDAT "])),
    ("smtp", b"\"\r\n", Answer::Says(&[SMTP, b"221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"])),
    ("smtp", b"DATA\r\n", Answer::Says(&[SMTP, b"503 5.5.1 Error: need RCPT command\r\n"])),
    ("smtp", b"starttls\r\n", Answer::Says(&[SMTP, b"220 2.0.0 Ready to start TLS\r\n"])),
    ("smtp", b"EHLO a.example\r\nNOOP\r\n", Answer::Says(&[SMTP, b"250-app-21.localdomain\r\n", b"250 2.0.0 Ok\r\n"])),
    (
        "pop3",
        b"USER test\r\nPASS test\r\nSTAT\r\n",
        Answer::Says(&[b"+OK Dovecot ready.\r\n", b"+OK\r\n", b"-ERR [AUTH] Authentication failed.\r\n", b"-ERR Unknown command.\r\n"]),
    ),
    ("ftp", b"USER root\r\nPASS \r\n", Answer::Says(&[FTP, b"331 Please specify the password.\r\n", b"530 Login incorrect.\r\n"])),
    ("ftp", b".\r\n", Answer::Says(&[FTP, b"530 Please login with USER and PASS.\r\n"])),
    ("ftp", b"USER\r\n", Answer::Says(&[FTP, b"331 Please specify the password.\r\n"])),
    ("ftp", &LONG, Answer::Says(&[FTP, b"500 Input line too long.\r\n"])),
    ("http", b"AAAA / HTTP/1.1\r\nHost: a\r\n\r\n", Answer::Says(&[b"HTTP/1.1 405 Not Allowed\r\n", NGINX])),
    ("http", b"GET / HTTP/1337\r\nHost: a\r\n\r\n", Answer::Says(&[b"HTTP/1.1 505 HTTP Version Not Supported\r\n", NGINX])),
    ("http", b"GET / HTTP/1.0\r\n\r\n", PAGE),
    ("http", b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n", PAGE),
    ("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", PAGE),
    ("http", b"GET /invalid.htm HTTP/1.0\r\n\r\n", NO_PAGE),
    ("http", b"GET /login.php HTTP/1.0\r\n\r\n", PAGE),
    ("http", b"GET /+CSCOE+/logon.html?fcadbadd=1 HTTP/1.1\r\nHost: a\r\n\r\n", NO_PAGE),
    ("http", b"GET /owa/auth/logon.aspx HTTP/1.0\r\n\r\n", NO_PAGE),
    ("http", b"GET /beekeeper.jpg HTTP/1.0\r\n\r\n", NO_PAGE),
    ("http", b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", NO_PAGE),
    ("http", b"GET /wp-content/plugins/any-plugin/recent-backups HTTP/1.0\r\n\r\n", NO_FILE),
    ("http", b"GET /wp-content/themes/any-theme/timthumbzz.php HTTP/1.0\r\n\r\n", NO_FILE),
    (
        "http",
        b"GET /?author=1 HTTP/1.0\r\n\r\n",
        Answer::Says(&[b"HTTP/1.0 301 Moved Permanently\r\n", APACHE, b"X-Redirect-By: WordPress\r\nLocation: "]),
    ),
    (
        "elasticsearch",
        b"GET /_cluster/settings HTTP/1.1\r\nHost: a\r\n\r\n",
        Answer::Says(&[
            b"HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\n",
            b"\r\ncontent-length: 32\r\n\r\n{\"persistent\":{},\"transient\":{}}",
        ]),
    ),
    (
        "elasticsearch",
        b"GET /_nodes HTTP/1.1\r\nHost: a\r\n\r\n",
        Answer::Says(&[b"HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\n", b"{\"_nodes\":{\"total\":1,", b"\"version\":\"8.19.8\""]),
    ),
    ("redis", b"QUIT\r\n", Answer::Says(&[b"+OK\r\n"])),
    ("redis", b"[[,[[\r\n", Answer::Says(&[b"-ERR unknown command '[[,[[', with args beginning with: \r\n"])),
    ("redis", b"DBSIZE\r\n", Answer::Says(&[b":0\r\n"])),
    ("memcached", b"stats\r\n", Answer::Says(&[b"STAT pid ", b"STAT version 1.6.38\r\n", b"END\r\n"])),
    // Its options lie beyond its end: SQL Server hangs up. With such as are right it goes on.
    (
        "mssql",
        b"\x12\x01\0\x14\0\0\0\0\0\0\x06\x01\0\0\0\0\0\0\0\0",
        PRELOGIN,
    ),
    (
        "smb",
        b"\0\0\0\x45\xffSMBr\0\0\0\0\x08\x01\xc8\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\0\xff\xff\0\0\0\x22\0\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0",
        Answer::Says(&[b"\0\0\0\xca\xfeSMB@\0"]),
    ),
    ("mqtt", b"\x10\x10\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\x14\0\0", Answer::Says(&[b"\x20\x35\0\0\x32", b"auto-"])),
    (
        "adb",
        b"CNXN\x01\0\0\x01\0\0\x10\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0",
        Answer::Says(&[b"CNXN", b"device::ro.product.name=p201;ro.product.model=MXQ Pro 4K;"]),
    ),
    ("modbus", b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01", Answer::Says(&[b"\0\x01\0\0\0\x05\x01\x03\x02"])),
    ("modbus", b"\0\x01\0\0\0\x05\x01\x2b\x0e\x01\0", Answer::Says(&[b"\0\x01\0\0\0\x31\x01\x2b\x0e\x01\x81\0\0\x03", b"Schneider Electric"])),
    // S7's first message has another protocol's number where Modbus has its own, which a controller does not answer.
    (
        "modbus",
        b"\x03\0\0\x16\x11\xe0\0\0\0\x04\0\xc1\x02\x01\0\xc2\x02\x01\x02\xc0\x01\x0a",
        Answer::Only { asked: b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01", said: b"\0\x01\0\0\0\x05\x01\x03\x02" },
    ),
    ("telnet", b"\r\n", Answer::Says(&[b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03gateway login: ", b"\r\ngateway login: "])),
    ("ssh", b"SSH-1111-OpenSSH_9.0\r\n\n", Answer::Says(&[SSH, b"Invalid SSH identification string.\r\n"])),
    ("ftp", b"\n\nUSER\n", Answer::Says(&[FTP, b"331 Please specify the password.\r\n"])),
    ("ftp", b".\n", Answer::Says(&[FTP, NO_LOGIN])),
    ("ftp", b"USER root\r\nPASS \r\n\n", Answer::Says(&[FTP, b"331 Please specify the password.\r\n", b"530 Login incorrect.\r\n"])),
    ("imap", b"\nHELP\n", Answer::Says(&[b"* OK [CAPABILITY IMAP4rev1 ", b" Dovecot ready.\r\n", b"BAD Error in IMAP command"])),
    (
        "imap",
        b"\nA001 CAPABILITY\r\n\n",
        Answer::Says(&[b"* OK [CAPABILITY IMAP4rev1 ", b" Dovecot ready.\r\n", b"* CAPABILITY IMAP4rev1 ", b"\r\nA001 OK "]),
    ),
    // Two lines at once, before it was greeted.
    ("smtp", b"HELP\r\n\n", Answer::Says(&[SMTP, b"554 5.5.0 Error: SMTP protocol synchronization\r\n"])),
    ("smtp", b"\"\n", Answer::Says(&[SMTP, b"221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"])),
    ("smtp", b"DATA\n", Answer::Says(&[SMTP, b"503 5.5.1 Error: need RCPT command\r\n"])),
    ("smtp", b"starttls\n", Answer::Says(&[SMTP, b"220 2.0.0 Ready to start TLS\r\n"])),
    (
        "smtp",
        b"EHLO honeypot.net.au\nNOOP\nstarttls\nMAIL FROM:<test@honeypot.net.au>\nRCPT TO:<test@honeypot.net.au>\nDATA\n",
        Answer::Says(&[SMTP, b"250-app-21.localdomain\r\n", b"250 2.0.0 Ok\r\n", b"220 2.0.0 Ready to start TLS\r\n"]),
    ),
    (
        "pop3",
        b"USER test\r\n\nPASS test\r\n\nSTAT\r\n\n",
        Answer::Says(&[b"+OK Dovecot ready.\r\n", b"+OK\r\n", b"-ERR [AUTH] Authentication failed.\r\n", b"-ERR Unknown command.\r\n"]),
    ),
    ("redis", b"[[,[[\n", Answer::Is(b"-ERR unknown command '[[,[[', with args beginning with: \r\n")),
    ("redis", b"DBSIZE\n", Answer::Is(b":0\r\n")),
    ("redis", b"QUIT", Answer::Only { asked: b"QUIT\r\n", said: b"+OK\r\n" }),
    ("mongodb", BUILDINFO, Answer::Says(&[b"", b"\x02version\0\x07\0\0\08.0.17\0", b"\x01ok\0\0\0\0\0\0\0\xf0?\0"])),
    (
        "memcached",
        b"stats\r\n\nset test 0 0 5\r\nhello\r\n\nget test\r\n\n",
        Answer::Says(&[b"STAT pid ", b"STAT version 1.6.38\r\n", b"END\r\nERROR\r\n", b"STORED\r\nERROR\r\n", b"VALUE test 0 5\r\nhello\r\nEND\r\nERROR\r\n"]),
    ),
    // No packet is shorter than its head: SQL Server hangs up.
    ("mssql", b"\x12\x01\0\0\0\0\0\0\0\x15\0\x06\x01\0\x10\x01\0", PRELOGIN),
    ("mysql", GREETING, Answer::Says(&[b"h\0\0\0\x0a11.8.9-MariaDB-0+deb13u1 from Debian\0", b"\0mysql_native_password\0"])),
    (
        "modbus",
        b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01\0\x02\0\0\0\x06\x01\x01\0\0\0\x01",
        Answer::Says(&[b"\0\x01\0\0\0\x05\x01\x03\x02", b"\0\x02\0\0\0\x04\x01\x01\x01"]),
    ),
    ("http", b"GET /beekeeper.jpg HTTP/1.0\nHost: localhost\n\n\n", NO_PAGE),
    ("http", b"/+CSCOE+/logon.html?fcadbadd=1\n", NO_REQUEST),
    ("http", b"/ HTTP/1337\nHost: nuggets\n", NO_REQUEST),
    ("http", b"GET /invalid.htm HTTP/1.0\nHost: localhost\n\n\n", NO_PAGE),
    ("http", b"\n", Answer::Only { asked: b"GET / HTTP/1.0\r\n\r\n", said: b"HTTP/1.1 200 OK\r\n" }),
    ("http", b"GET /owa/auth/logon.aspx HTTP/1.0\n\n\n", NO_PAGE),
    ("http", b"GET /login.php HTTP/1.0\n\n\n", PAGE),
    ("http", b"GET / HTTP/1.0\n\n\n", PAGE),
    (
        "elasticsearch",
        b"GET /api/search HTTP/1.0\n\n\n",
        Answer::Says(&[b"HTTP/1.", b" 400 Bad Request\r\n", b"no handler found for uri [/api/search] and method [GET]"]),
    ),
    (
        "elasticsearch",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n\nGET /_nodes HTTP/1.1\r\nHost: localhost\r\n\r\n\n",
        Answer::Says(&[
            b"HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\n",
            b"\"tagline\" : \"You Know, for Search\"",
            b"HTTP/1.1 200 OK\r\n",
            b"{\"_nodes\":{\"total\":1,",
        ]),
    ),
    ("telnet", b"\r\n\r\n", Answer::Says(&[b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03gateway login: ", b"\r\ngateway login: "])),
];

/// The same where what is said is longer.
const LONG_ANSWERS: &[(&str, &[&[u8]], Answer)] = &[
    ("ftp", &[b"\n", OVERFLOW], Answer::Says(&[FTP, NO_LOGIN])),
    ("adb", &[CNXN, CLIENT], Answer::Says(&[b"CNXN", b"device::ro.product.name=p201;ro.product.model=MXQ Pro 4K;"])),
    (
        "adb",
        &[CNXN, CLIENT, OPEN, b"shell:pwd\0"],
        Answer::Says(&[
            b"CNXN",
            b"device::ro.product.name=p201;ro.product.model=MXQ Pro 4K;",
            b"OKAY",
            b"k\0\0\0",
            b"WRTE",
            b"/\r\n",
        ]),
    ),
    (
        "http",
        &[
            b"GET /wp-content/plugins/any-plugin/recent-backups HTTP/1.0\nHost: localhost\n\n\n",
            b"GET /wp-content/themes/any-theme/timthumbzz.php HTTP/1.0\nHost: localhost\n\n\n",
            LOG_IN_1,
            LOG_IN_2,
            b"GET /?author=1 HTTP/1.0\nHost: localhost\n\n\n",
        ],
        Answer::Says(&[b"HTTP/1.1 400 Bad Request\r\n", APACHE]),
    ),
];

/// A line that is longer than any.
const LONG: [u8; 5_002] = {
    let mut line = [b'o'; 5_002];
    line[5_000] = b'\r';
    line[5_001] = b'\n';
    line
};
