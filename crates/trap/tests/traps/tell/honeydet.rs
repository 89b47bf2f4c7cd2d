//! What honeydet asks honeypots whose services are played here, each octet as it is published and sent: it puts an end of the line
//! behind every text. Of several steps each must be answered so. What it asks over SNMP is in `agents.rs`, and behind
//! SSH's login in `detectors.rs`.

use super::{
    nuclei::BUILDINFO,
    signatures::{Signature, Tell, of, on, too},
};

const HONEYDET: &str = "referefref/honeydet, signatures.yaml";

/// Eight letters, 29 times.
pub const OVERFLOW: &[u8] = b"overflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflow\
      overflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflowoverflow\n";

pub const LOG_IN_1: &[u8] =
    b"POST /wp-login.php HTTP/1.0\nHost: localhost\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 47\n\n\
      log=admin&pwd=password1&wp-submit=Log+In\n\n";
pub const LOG_IN_2: &[u8] =
    b"POST /wp-login.php HTTP/1.0\nHost: localhost\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 47\n\n\
      log=admin&pwd=password2&wp-submit=Log+In\n\n";
const NO_INDEX: &[u8] = b"{\"error\":{\"root_cause\":[{\"type\":\"index_not_found_exception\",\"reason\":\"no such index\",\
      \"resource.type\":\"index_or_alias\",\"resource.id\":\"test\",\"index\":\"test\"}],\"type\":\"index_not_found_exception\",\
      \"reason\":\"no such index\",\"resource.type\":\"index_or_alias\",\"resource.id\":\"test\",\"index\":\"test\"},\"status\":404}";

/// `"([A-Za-z:0-9.]+)"` and the end of a line behind it, with which that pattern is published.
fn has_a_quoted_word_at_a_lines_end(answer: &[u8]) -> bool {
    answer.split(|byte| *byte == b'\n').rev().skip(1).any(|line| {
        let Some(rest) = line.strip_suffix(b"\"") else { return false };
        let word = rest.rsplit(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.'))).next().unwrap_or_default();
        !word.is_empty() && rest[..rest.len() - word.len()].ends_with(b"\"")
    })
}

/// `220 Twisted .+ FTP Server`, in one line.
fn greets_as_twisted(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer)
        .lines()
        .any(|line| line.split_once("220 Twisted ").is_some_and(|(_, rest)| rest.find(" FTP Server").is_some_and(|at| at > 0)))
}

/// Mail, files and shells.
pub const LINES: &[Signature] = &[
    of(
        "cowrie",
        "ssh",
        &[b"SSH-1111-OpenSSH_9.0\r\n\n"],
        Tell::Has(&[b"bad version 1111"]),
        b"SSH-2.0-x\r\nbad version 1111",
        HONEYDET,
    ),
    of(
        "node-ftp-honeypot",
        "ftp",
        &[b"\n", b"\n", b"USER\n"],
        Tell::Each(&[b"Welcome to VOFTP a very open FTP Server.", b"220", b"501 Must provide username"]),
        b"220 Welcome to VOFTP a very open FTP Server.\r\n501 Must provide username\r\n",
        HONEYDET,
    ),
    of("FTPHoney", "ftp", &[b".\n"], Tell::Has(&[b"220 (vsFTPd 3.0.3)"]), b"220 (vsFTPd 3.0.3)\r\n", HONEYDET),
    of("twisted-ftp", "ftp", &[b".\n"], Tell::By(greets_as_twisted), b"220 Twisted 16.0.0 FTP Server\r\n", HONEYDET),
    of(
        "BearFTP",
        "ftp",
        &[b"\n", OVERFLOW],
        Tell::Each(&[b"220", b"Input line is too long; login aborted."]),
        b"220 x\r\nInput line is too long; login aborted.\r\n",
        HONEYDET,
    ),
    of(
        "dionaea-ftp",
        "ftp",
        &[b"USER root\r\nPASS \r\n\n"],
        Tell::Has(&[b"500 Syntax error: PASS requires an argument"]),
        b"500 Syntax error: PASS requires an argument\r\n",
        HONEYDET,
    ),
    of(
        "smtp-honey",
        "imap",
        &[b"\n", b"HELP\n"],
        Tell::Each(&[b"!ZZZ", b"334 UGFzc3dvcmQ6"]),
        b"!ZZZ 334 UGFzc3dvcmQ6\r\n",
        HONEYDET,
    ),
    of(
        "mailoney",
        "smtp",
        &[b"HELP\r\n\n"],
        Tell::Has(&[b"502 Error: cmomand"]),
        b"502 Error: cmomand not implemented\r\n",
        HONEYDET,
    ),
    of("mailoney", "smtp", &[b"\"\n"], Tell::Has(&[b"not implementedd"]), b"502 Error: command not implementedd\r\n", HONEYDET),
    of(
        "Mail-SMTP-Honeypot",
        "smtp",
        &[b"DATA\n"],
        Tell::Has(&[b"421 Service not available, closing transmission channel"]),
        b"421 Service not available, closing transmission channel\r\n",
        HONEYDET,
    ),
    of(
        "Spamhole",
        "smtp",
        &[b"starttls\n"],
        Tell::Has(&[b"502 Nope we use cleartext"]),
        b"502 Nope we use cleartext\r\n",
        HONEYDET,
    ),
    of(
        "Spamhole-C",
        "smtp",
        &[
            b"EHLO honeypot.net.au\n",
            b"NOOP\n",
            b"starttls\n",
            b"MAIL FROM:<test@honeypot.net.au>\n",
            b"RCPT TO:<test@honeypot.net.au>\n",
            b"DATA\n",
        ],
        Tell::Each(&[
            b"250",
            b"502 unimplemented (#5.5.1)",
            b"502 unimplemented (#5.5.1)",
            b"250 ok",
            b"250 ok",
            b"354 go ahead",
        ]),
        b"250 ok\r\n502 unimplemented (#5.5.1)\r\n354 go ahead\r\n",
        HONEYDET,
    ),
    of(
        "honeygrove-pop3",
        "pop3",
        &[b"USER test\r\n\n", b"PASS test\r\n\n", b"STAT\r\n\n"],
        Tell::Each(&[
            b"+OK Please enter password",
            b"-ERR POP3 Authentication unsuccessful/Bad username or password",
            b"-ERR POP3 Authentication unsuccessful/Bad username or password",
        ]),
        b"+OK Please enter password\r\n-ERR POP3 Authentication unsuccessful/Bad username or password\r\n",
        HONEYDET,
    ),
    of(
        "qeeqbox-imap",
        "imap",
        &[b"\n", b"A001 CAPABILITY\r\n\n"],
        Tell::Each(&[
            b"OK Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5.6944.0 DC9 ready",
            b"* CAPABILITY IMAP4rev1",
        ]),
        b"* OK Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5.6944.0 DC9 ready\r\n* CAPABILITY IMAP4rev1\r\n",
        HONEYDET,
    ),
];

/// Stores and things.
pub const STORES: &[Signature] = &[
    // As it is published, it takes Redis itself for a honeypot: what it looks for is the beginning of what Redis says.
    too(of(
        "opencanary-redis",
        "redis",
        &[b"[[,[[\n"],
        Tell::Has(&[b"-ERR unknown command '[[,[['"]),
        b"-ERR unknown command '[[,[['\r\n",
        HONEYDET,
    )),
    of(
        "redis-honeypot (beehive redis)",
        "redis",
        &[b"DBSIZE\n"],
        Tell::Has(&[b"-ERR unknown command ''"]),
        b"-ERR unknown command ''\r\n",
        HONEYDET,
    ),
    of(
        "dionaea-mongodb",
        "mongodb",
        &[BUILDINFO],
        Tell::By(has_a_quoted_word_at_a_lines_end),
        b"{\"version\": \"2.4.9\"\n}",
        HONEYDET,
    ),
    of(
        "qeeqbox-memcache",
        "memcached",
        &[b"stats\r\n\n", b"set test 0 0 5\r\nhello\r\n\n", b"get test\r\n\n"],
        Tell::Each(&[b"version 1.5.6", b"STORED", b"VALUE test 0 "]),
        b"STAT version 1.5.6\r\nSTORED\r\nVALUE test 0 5\r\n5\r\nEND\r\n",
        HONEYDET,
    ),
    of(
        "qeeqbox-mssql",
        "mssql",
        &[b"\x12\x01\0\0\0\0\0\0\0\x15\0\x06\x01\0", b"\x10\x01\0"],
        Tell::Each(&[
            b"\x04\x01\0\x25\0\0\x01\0\0\0\x15\0\x06\x01\0\x1b\0\x01\x02\0\x1c\0\x01\x03\0\x1d\0\0\xff\x11\0\0\0",
            b"Login Failed",
        ]),
        b"\x04\x01\0\x25\0\0\x01\0\0\0\x15\0\x06\x01\0\x1b\0\x01\x02\0\x1c\0\x01\x03\0\x1d\0\0\xff\x11\0\0\0Login Failed",
        HONEYDET,
    ),
    of(
        "honeygrove-modbus",
        "modbus",
        &[b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01", b"\0\x02\0\0\0\x06\x01\x01\0\0\0\x01"],
        Tell::Each(&[b"\0\x01\0\0\0\x05\x01\x03\x02\0\x11", b"\0\x02\0\0\0\x05\x01\x01\x02\0\x01"]),
        b"\0\x01\0\0\0\x05\x01\x03\x02\0\x11\0\x02\0\0\0\x05\x01\x01\x02\0\x01",
        HONEYDET,
    ),
];

/// The web.
pub const WEB: &[Signature] = &[
    of(
        "express-honeypot",
        "http",
        &[b"GET /beekeeper.jpg HTTP/1.0\nHost: localhost\n\n\n"],
        Tell::Has(&[b"Canon PowerShot A710"]),
        b"Canon PowerShot A710",
        HONEYDET,
    ),
    of(
        "cisco-asa",
        "http",
        &[b"/+CSCOE+/logon.html?fcadbadd=1\n"],
        Tell::Has(&[b"font-weight: bold; cursor: pointer;"]),
        b"font-weight: bold; cursor: pointer;",
        HONEYDET,
    ),
    of("snare", "http", &[b"/ HTTP/1337\nHost: nuggets\n"], Tell::Has(&[b"Bad status line"]), b"Bad status line 'Expected dot'", HONEYDET),
    of(
        "AMTHoneypot",
        "http",
        &[b"GET /invalid.htm HTTP/1.0\nHost: localhost\n\n\n"],
        Tell::Has(&[b"Content-Length: 767"]),
        b"HTTP/1.1 404 x\r\nContent-Length: 767\r\n",
        HONEYDET,
    ),
    of(
        "oh-my-honeypot",
        "http",
        &[b"GET /invalid.htm HTTP/1.0\nHost: localhost\n\n\n"],
        Tell::Has(&[b"PHP/4.1.0"]),
        b"X-Powered-By: PHP/4.1.0\r\n",
        HONEYDET,
    ),
    of(
        "Confluence Generic",
        "http",
        &[b"\n"],
        Tell::Has(&[b"JSESSIONID=145DF9C4CDE560B2699212"]),
        b"Set-Cookie: JSESSIONID=145DF9C4CDE560B2699212",
        HONEYDET,
    ),
    of("ElasticpotPY", "elasticsearch", &[b"GET /api/search HTTP/1.0\n\n\n"], Tell::Has(&[NO_INDEX]), NO_INDEX, HONEYDET),
    of(
        "OWA-Honeypot",
        "http",
        &[b"GET /owa/auth/logon.aspx HTTP/1.0\n\n\n"],
        Tell::Has(&[b"https://webmail.vfmc.vic.gov.au/owa/"]),
        b"https://webmail.vfmc.vic.gov.au/owa/",
        HONEYDET,
    ),
    of(
        "phpMyAdmin_honeypot",
        "http",
        &[b"GET /login.php HTTP/1.0\n\n\n"],
        Tell::Has(&[b"name=\"subject\" value=\"phpmyadmin login attempt on\"", b"error -- permission denied : 0x42-0839475"]),
        b"name=\"subject\" value=\"phpmyadmin login attempt on\"",
        HONEYDET,
    ),
    of(
        "conpot-siemens-simatic-S7-200",
        "http",
        &[b"GET / HTTP/1.0\n\n\n"],
        Tell::Has(&[b"Overview - Siemens, SIMATIC, S7-200"]),
        b"<TITLE>Overview - Siemens, SIMATIC, S7-200</TITLE>",
        HONEYDET,
    ),
    of(
        "Glastopf",
        "http",
        &[b"GET / HTTP/1.0\n\n\n"],
        Tell::Has(&[b"<textarea name=\"comment\" id=\"comment\" rows=\"4\" columns=\"300\"></textarea>"]),
        b"<textarea name=\"comment\" id=\"comment\" rows=\"4\" columns=\"300\"></textarea>",
        HONEYDET,
    ),
    of(
        "qeeqbox-elastic",
        "elasticsearch",
        &[b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n\n", b"GET /_nodes HTTP/1.1\r\nHost: localhost\r\n\r\n\n"],
        Tell::Each(&[b"045dffec8b60", b"R&DBackup"]),
        b"{\"name\":\"045dffec8b60\",\"R&DBackup\"}",
        HONEYDET,
    ),
    // All on one connection, which a real one closes behind the first answer.
    on(
        "wordpress",
        of(
            "wordpot",
            "http",
            &[
                b"GET /wp-content/plugins/any-plugin/recent-backups HTTP/1.0\nHost: localhost\n\n\n",
                b"GET /wp-content/themes/any-theme/timthumbzz.php HTTP/1.0\nHost: localhost\n\n\n",
                LOG_IN_1,
                LOG_IN_2,
                b"GET /?author=1 HTTP/1.0\nHost: localhost\n\n\n",
            ],
            Tell::Each(&[
                b"root:x:0:0:root:/root:/bin/bash",
                b"no image specified",
                b"<div id=\"login_error\">",
                b"<div id=\"login_error\">",
                b"class=\"page-title author\">Author Archives:",
            ]),
            b"root:x:0:0:root:/root:/bin/bash no image specified <div id=\"login_error\"> class=\"page-title author\">Author Archives:",
            HONEYDET,
        ),
    ),
];
