//! What gives known honeypots away: questions that were published, and the answers that tell.

/// What an answer must be to tell.
#[derive(Clone, Copy, Debug)]
pub enum Tell {
    /// It has one of these in it.
    Has(&'static [&'static [u8]]),
    /// It has all of these in it.
    HasAll(&'static [&'static [u8]]),
}

impl Tell {
    pub fn is_told_by(self, answer: &[u8]) -> bool {
        let has = |what: &[u8]| answer.windows(what.len()).any(|window| window == what);
        match self {
            Self::Has(any) => any.iter().any(|what| has(what)),
            Self::HasAll(all) => all.iter().all(|what| has(what)),
        }
    }
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
}

const METASPLOIT: &str = "Metasploit, scanner/ssh/ssh_honeypot (formerly detect_kippo)";
const NUCLEI: &str = "projectdiscovery/nuclei-templates, network/honeypot and http/honeypot";
const HONEYDET: &str = "referefref/honeydet";
const HONEYSCANNER: &str = "honeynet/honeyscanner";
const MORISHITA: &str = "Morishita et al., Detect Me If You... Oh Wait, IM 2019";
const BITTER: &str = "Vetterl and Clayton, Bitter Harvest, WOOT 2018";

const fn of(
    honeypot: &'static str,
    service: &'static str,
    says: &'static [&'static [u8]],
    tell: Tell,
    stand_in: &'static [u8],
    source: &'static str,
) -> Signature {
    Signature { honeypot, service, site: None, says, tell, stand_in, source }
}

const fn on(site: &'static str, signature: Signature) -> Signature {
    Signature { site: Some(site), ..signature }
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
        "Cowrie",
        "ssh",
        &[b"SSH-1337-OpenSSH_9.0\r\n"],
        Tell::Has(&[b"Protocol major versions differ.", b"bad version 1337"]),
        b"SSH-2.0-OpenSSH_6.0p1\r\nbad version 1337",
        NUCLEI,
    ),
    of(
        "Cowrie",
        "ssh",
        &[b"SSH-1111-OpenSSH_9.0\r\n"],
        Tell::Has(&[b"bad version 1111"]),
        b"SSH-2.0-x\r\nbad version 1111",
        HONEYDET,
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
pub const MAIL: &[Signature] = &[
    of(
        "Mailoney",
        "smtp",
        &[b"HELP\r\n"],
        Tell::Has(&[b"502 Error: command \"HELP\" not implemented", b"502 Error: cmomand"]),
        b"502 Error: command \"HELP\" not implemented\r\n",
        NUCLEI,
    ),
    of("Mailoney", "smtp", &[b"\"\r\n"], Tell::Has(&[b"not implementedd"]), b"502 Error: command not implementedd\r\n", HONEYDET),
    of(
        "Mail::SMTP::Honeypot",
        "smtp",
        &[b"DATA\r\n"],
        Tell::Has(&[b"421 Service not available"]),
        b"421 Service not available, closing transmission channel\r\n",
        HONEYDET,
    ),
    of(
        "Spamhole",
        "smtp",
        &[b"starttls\r\n"],
        Tell::Has(&[b"502 Nope", b"502 unimplemented (#5.5.1)"]),
        b"502 Nope we use cleartext\r\n",
        HONEYDET,
    ),
    of(
        "Spamhole",
        "smtp",
        &[b"EHLO a.example\r\n", b"NOOP\r\n"],
        Tell::Has(&[b"502 unimplemented"]),
        b"502 unimplemented (#5.5.1)\r\n",
        HONEYDET,
    ),
    of("smtp-honey", "smtp", &[b"HELP\r\n"], Tell::Has(&[b"334 UGFzc3dvcmQ6", b"!ZZZ"]), b"334 UGFzc3dvcmQ6\r\n", HONEYDET),
    of(
        "Honeygrove",
        "pop3",
        &[b"USER test\r\n", b"PASS test\r\n", b"STAT\r\n"],
        Tell::Has(&[b"+OK Please enter password", b"-ERR POP3 Authentication unsuccessful"]),
        b"+OK Please enter password\r\n",
        HONEYDET,
    ),
    of(
        "qeeqbox honeypots",
        "imap",
        &[],
        Tell::Has(&[b"Microsoft Exchange Server 2003"]),
        b"* OK Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5.6944.0 DC9 ready\r\n",
        HONEYDET,
    ),
    of(
        "Amun, Nepenthes",
        "smtp",
        &[],
        Tell::Has(&[b"SMTP Service ready", b"220 nepenthes"]),
        b"220 mail SMTP Service ready\r\n",
        MORISHITA,
    ),
];

/// FTP.
pub const FTP: &[Signature] = &[
    of(
        "Dionaea",
        "ftp",
        &[b"USER root\r\n", b"PASS \r\n"],
        Tell::Has(&[b"500 Syntax error: PASS requires an argument", b"DiskStation"]),
        b"500 Syntax error: PASS requires an argument\r\n",
        NUCLEI,
    ),
    of(
        "Dionaea",
        "ftp",
        &[],
        Tell::Has(&[b"220 Welcome to the ftp service", b"DiskStation FTP server ready"]),
        b"220 DiskStation FTP server ready.\r\n",
        MORISHITA,
    ),
    of(
        "FTPHoney, Twisted",
        "ftp",
        &[b".\r\n"],
        Tell::Has(&[b"220 (vsFTPd 3.0.3)", b"Twisted"]),
        b"220 Twisted 16.0.0 FTP Server\r\n",
        HONEYDET,
    ),
    of(
        "BearFTP",
        "ftp",
        &[&[b'o'; 5_000], b"\r\n"],
        Tell::Has(&[b"Input line is too long; login aborted."]),
        b"Input line is too long; login aborted.\r\n",
        HONEYDET,
    ),
    of(
        "node-ftp-honeypot",
        "ftp",
        &[b"USER\r\n"],
        Tell::Has(&[b"501 Must provide username", b"VOFTP"]),
        b"501 Must provide username\r\n",
        HONEYDET,
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
        "Dionaea",
        "http",
        &[b"AAAA / HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::Has(&[b"<?xml version=\"1.0\" encoding=\"ascii\"?>", b" 501 "]),
        b"HTTP/1.0 501 Not Implemented\r\n\r\n<?xml version=\"1.0\" encoding=\"ascii\"?>",
        NUCLEI,
    ),
    of(
        "Snare",
        "http",
        &[b"GET / HTTP/1337\r\nHost: a\r\n\r\n"],
        Tell::Has(&[b"Bad status line", b"aiohttp"]),
        b"HTTP/1.0 400 Bad Request\r\n\r\nBad status line 'Expected dot'",
        NUCLEI,
    ),
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
    of("T-Pot", "http", &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], Tell::Has(&[b"T-Pot"]), b"<title>T-Pot</title>", NUCLEI),
    of(
        "AMTHoneypot",
        "http",
        &[b"GET /invalid.htm HTTP/1.0\r\n\r\n"],
        Tell::Has(&[b"Content-Length: 767", b"PHP/4.1.0"]),
        b"HTTP/1.1 404 x\r\nContent-Length: 767\r\n",
        HONEYDET,
    ),
    of(
        "phpMyAdmin honeypot",
        "http",
        &[b"GET /login.php HTTP/1.0\r\n\r\n"],
        Tell::Has(&[b"phpmyadmin login attempt on", b"0x42-0839475"]),
        b"value=\"phpmyadmin login attempt on\"",
        HONEYDET,
    ),
    of(
        "Cisco ASA honeypot",
        "http",
        &[b"GET /+CSCOE+/logon.html?fcadbadd=1 HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::Has(&[b"font-weight: bold; cursor: pointer;", b"CSCOE"]),
        b"font-weight: bold; cursor: pointer;",
        NUCLEI,
    ),
    of(
        "OWA honeypot",
        "http",
        &[b"GET /owa/auth/logon.aspx HTTP/1.0\r\n\r\n"],
        Tell::Has(&[b"vfmc.vic.gov.au"]),
        b"https://webmail.vfmc.vic.gov.au/owa/",
        HONEYDET,
    ),
    of(
        "Confluence honeypots",
        "http",
        &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::Has(&[b"JSESSIONID=145DF9C4CDE560B2699212"]),
        b"Set-Cookie: JSESSIONID=145DF9C4CDE560B2699212",
        HONEYDET,
    ),
    of(
        "Express honeypot",
        "http",
        &[b"GET /beekeeper.jpg HTTP/1.0\r\n\r\n"],
        Tell::Has(&[b"Canon PowerShot A710"]),
        b"Canon PowerShot A710",
        HONEYDET,
    ),
    of(
        "servers in scripts",
        "http",
        &[b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::Has(&[b"Werkzeug", b"TwistedWeb", b"BaseHTTP", b"Python/", b"aiohttp", b"hyper"]),
        b"Server: TwistedWeb/9.0.0\r\n",
        BITTER,
    ),
    on(
        "wordpress",
        of(
            "Wordpot",
            "http",
            &[b"GET /wp-content/plugins/any-plugin/recent-backups HTTP/1.0\r\n\r\n"],
            Tell::Has(&[b"root:x:0:0"]),
            b"root:x:0:0:root:/root:/bin/bash",
            HONEYDET,
        ),
    ),
    on(
        "wordpress",
        of(
            "Wordpot",
            "http",
            &[b"GET /wp-content/themes/any-theme/timthumbzz.php HTTP/1.0\r\n\r\n"],
            Tell::Has(&[b"no image specified"]),
            b"no image specified",
            HONEYDET,
        ),
    ),
    on(
        "wordpress",
        of(
            "Wordpot",
            "http",
            &[b"GET /?author=1 HTTP/1.0\r\n\r\n"],
            Tell::Has(&[b"class=\"page-title author\">Author Archives:"]),
            b"<h1 class=\"page-title author\">Author Archives:",
            HONEYDET,
        ),
    ),
    of(
        "ElasticPot",
        "elasticsearch",
        &[b"GET /_cluster/settings HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::Has(&[b"index_not_found_exception"]),
        b"{\"error\":{\"root_cause\":[{\"type\":\"index_not_found_exception\"",
        NUCLEI,
    ),
    of(
        "qeeqbox honeypots",
        "elasticsearch",
        &[b"GET /_nodes HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::Has(&[b"045dffec8b60", b"R&DBackup"]),
        b"{\"name\":\"045dffec8b60\"}",
        HONEYDET,
    ),
];

/// Stores and databases.
pub const STORES: &[Signature] = &[
    of(
        "Redis honeypot",
        "redis",
        &[b"QUIT\r\n"],
        Tell::Has(&[b"-ERR unknown command `QUIT`"]),
        b"-ERR unknown command `QUIT`, with args beginning with:\r\n",
        NUCLEI,
    ),
    of(
        "OpenCanary",
        "redis",
        &[b"[[,[[\r\n"],
        Tell::Has(&[b"-ERR unknown command '[[,[['\r\n"]),
        b"-ERR unknown command '[[,[['\r\n",
        HONEYDET,
    ),
    of("Beehive", "redis", &[b"DBSIZE\r\n"], Tell::Has(&[b"-ERR unknown command"]), b"-ERR unknown command ''\r\n", HONEYDET),
    of(
        "Dionaea",
        "mysql",
        &[],
        Tell::Has(&[b"5.7.16", b"5.0.54", b"aaaaaaaa"]),
        b"\x4a\0\0\0\x0a5.7.16\0\x01\0\0\0aaaaaaaa\0",
        NUCLEI,
    ),
    of("qeeqbox honeypots", "memcached", &[b"stats\r\n"], Tell::Has(&[b"version 1.5.6"]), b"STAT version 1.5.6\r\n", HONEYDET),
    of(
        "qeeqbox honeypots",
        "mssql",
        &[b"\x12\x01\0\x14\0\0\0\0\0\0\x06\x01\0\0\0\0\0\0\0\0"],
        Tell::Has(&[b"Login Failed", b"\x04\x01\x00\x25\x00\x00\x01\x00\x00\x00\x15\x00\x06\x01\x00\x1b"]),
        b"Login Failed",
        HONEYDET,
    ),
];

/// Files, messages and things.
pub const THINGS: &[Signature] = &[
    of("Dionaea", "smb", &[b"\0\0\0\x45\xffSMBr\0\0\0\0\x08\x01\xc8\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\0\xff\xff\0\0\0\x22\0\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0"], Tell::Has(&[b"\x65\x38\x54\x7e\x6c\x42"]), b"\x65\x38\x54\x7e\x6c\x42", NUCLEI),
    of("Dionaea", "mqtt", &[b"\x10\x10\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\x14\0\0"], Tell::Has(&[b"\x20\x02\0\0"]), b"\x20\x02\0\0", NUCLEI),
    of("ADBHoney", "adb", &[b"CNXN\x01\0\0\x01\0\0\x10\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0"], Tell::Has(&[b"ro.product.name =starltexx", b"SM-G960F"]), b"device::http://ro.product.name =starltexx;ro.product.model=SM-G960F;", NUCLEI),
    of("Honeygrove", "modbus", &[b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01"], Tell::Has(&[b"\0\x01\0\0\0\x05\x01\x03\x02\0\x11"]), b"\0\x01\0\0\0\x05\x01\x03\x02\0\x11", HONEYDET),
    of("Conpot", "modbus", &[b"\0\x01\0\0\0\x05\x01\x2b\x0e\x01\0"], Tell::HasAll(&[b"Siemens", b"SIMATIC"]), b"Siemens\x01\x07SIMATIC\x02\x06S7-200", MORISHITA),
    of("Conpot", "modbus", &[b"\x03\0\0\x16\x11\xe0\0\0\0\x04\0\xc1\x02\x01\0\xc2\x02\x01\x02\xc0\x01\x0a"], Tell::Has(&[b"\x03\0\0\x13\x0e\xd0"]), b"\x03\0\0\x13\x0e\xd0\0\0\0\0\0\xc1\x02\0\0\xc2\x02\0\0", NUCLEI),
    of("Cowrie", "telnet", &[b"\r\n"], Tell::Has(&[b"\xff\xfd\x1fHoneypot", b"Cowrie", b"svr04"]), b"svr04 login: ", "nmap, nmap-service-probes"),
];
