//! What nuclei-templates asks honeypots whose services are played here, each octet as it is published there.

use super::signatures::{Signature, Tell, of};

const NUCLEI: &str = "projectdiscovery/nuclei-templates, network/honeypot and http/honeypot";

/// A debugger's first message, and what it says of itself there.
pub const CNXN: &[u8] = b"CNXN\x01\0\0\x01\0\0\x10\0\xea\0\0\0\x44\x5b\0\0\xbc\xb1\xa7\xb1";
pub const CLIENT: &[u8] = b"host::features=shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir,apex,abb,fixed_push_symlink_timestamp,abb_exec,\
      remount_shell,track_app,sendrecv_v2,sendrecv_v2_brotli,sendrecv_v2_lz4,sendrecv_v2_zstd,sendrecv_v2_dry_run_send,openscreen_mdns";
/// What a database greets with, said to one.
pub const GREETING: &[u8] = b"\x4a\0\0\0\x0a5.1.29\0\x0b\0\0\0\x21\x3e\x34\x1bQ?43`\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// A debugger opens a channel.
pub const OPEN: &[u8] = b"OPENk\0\0\0\0\0\0\0\x0a\0\0\0\x9d\x03\0\0\xb0\xaf\xba\xb1";
/// A database's old question for what it is.
pub const BUILDINFO: &[u8] =
    b"\x3b\0\0\0\x3c\x30\0\0\xff\xff\xff\xff\xd4\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff\x14\0\0\0\x10buildinfo\0\x01\0\0\0\0";

pub const PUBLISHED: &[Signature] = &[
    of(
        "ADBHoney",
        "adb",
        &[CNXN, CLIENT],
        Tell::Has(&[b"device::http://ro.product.name =starltexx;ro.product.model=SM-G960F"]),
        b"CNXNdevice::http://ro.product.name =starltexx;ro.product.model=SM-G960F;ro.product.device=starlte;",
        NUCLEI,
    ),
    of(
        "ADBHoney",
        "adb",
        &[CNXN, CLIENT, OPEN, b"shell:pwd\0"],
        Tell::Has(&[b"WRTE\x02\0\0\0k\0\0\0\0\0\0\0\0\0\0\0\xa8\xad\xab\xba"]),
        b"OKAYWRTE\x02\0\0\0k\0\0\0\0\0\0\0\0\0\0\0\xa8\xad\xab\xba",
        NUCLEI,
    ),
    of(
        "Conpot",
        "modbus",
        &[b"\x03\0\0\x16\x11\xe0\0\0\0\x04\0\xc1\x02\x01\0\xc2\x02\x01\x02\xc0\x01\x0a"],
        Tell::Has(&[b"\x03\0\0\x13\x0e\xd0\0\0\0\0\0\xc1\x02\0\0\xc2\x02\0\0"]),
        b"\x03\0\0\x13\x0e\xd0\0\0\0\0\0\xc1\x02\0\0\xc2\x02\0\0",
        NUCLEI,
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
        "Dionaea",
        "ftp",
        &[b"USER root\r\n", b"PASS \r\n"],
        Tell::Has(&[b"500 Syntax error: PASS requires an argument"]),
        b"500 Syntax error: PASS requires an argument\r\n",
        NUCLEI,
    ),
    // Whatever has no version in it.
    of(
        "Dionaea",
        "mongodb",
        &[BUILDINFO],
        Tell::Lacks(b"", &[b"version"]),
        b"\x3e\0\0\0\x01\0\0\0\x3c\x30\0\0\x01\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x1a\0\0\0\x01ok\0\0\0\0\0\0\0\xf0?\0",
        NUCLEI,
    ),
    of("Dionaea", "mqtt", &[b"\x10\x10\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\x14\0\0"], Tell::Has(&[b"\x20\x02\0\0"]), b"\x20\x02\0\0", NUCLEI),
    of(
        "Dionaea",
        "mysql",
        &[GREETING],
        Tell::HasAll(&[b"5.7.16", b"aaaaaaaa"]),
        b"\x4a\0\0\0\x0a5.7.16\0\x01\0\0\0aaaaaaaa\0",
        NUCLEI,
    ),
    of(
        "Dionaea",
        "smb",
        &[b"\0\0\0\x45\xffSMBr\0\0\0\0\x08\x01\xc8\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\0\xff\xff\0\0\0\x22\0\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0"],
        Tell::Has(&[b"\x65\x38\x54\x7e\x6c\x42"]),
        b"\x65\x38\x54\x7e\x6c\x42",
        NUCLEI,
    ),
    of(
        "Mailoney",
        "smtp",
        &[b"HELP\r\n"],
        Tell::Has(&[b"502 Error: command \"HELP\" not implemented"]),
        b"502 Error: command \"HELP\" not implemented\r\n",
        NUCLEI,
    ),
    // Without an end of the line, for which Redis waits.
    of(
        "Redis honeypot",
        "redis",
        &[b"QUIT"],
        Tell::Has(&[b"-ERR unknown command `QUIT`, with args beginning with:"]),
        b"-ERR unknown command `QUIT`, with args beginning with:\r\n",
        NUCLEI,
    ),
    of(
        "Cisco ASA honeypot",
        "http",
        &[b"GET /+CSCOE+/logon.html?fcadbadd=1 HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::HasAll(&[b" 200 ", b"<input style=\"font-weight: bold; cursor: pointer;\" type=\"submit\" name=\"Login\" value=\"Logon\" />"]),
        b"HTTP/1.1 200 OK\r\n\r\n<input style=\"font-weight: bold; cursor: pointer;\" type=\"submit\" name=\"Login\" value=\"Logon\" />",
        NUCLEI,
    ),
    // And less than 2,000 octets of a page, which all of these are.
    of(
        "Citrix honeypot",
        "http",
        &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::Lacks(b"<title>Citrix Login</title>", &[b"In order to use our services, you must agree to Citrix's Terms of Service."]),
        b"HTTP/1.1 200 OK\r\n\r\n<title>Citrix Login</title>",
        NUCLEI,
    ),
    of(
        "Dionaea",
        "http",
        &[b"AAAA / HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::HasAll(&[b" 501 ", b"nginx", b"<?xml version=\"1.0\" encoding=\"ascii\"?>"]),
        b"HTTP/1.0 501 Not Implemented\r\nServer: nginx\r\n\r\n<?xml version=\"1.0\" encoding=\"ascii\"?>",
        NUCLEI,
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
        "Snare",
        "http",
        &[b"GET / HTTP/1337\r\nHost: a\r\n\r\n"],
        Tell::HasAll(&[b"Python/3.10 aiohttp/3.8.3", b"Bad status line 'Expected dot'"]),
        b"HTTP/1.0 400 Bad Request\r\nServer: Python/3.10 aiohttp/3.8.3\r\n\r\nBad status line 'Expected dot'",
        NUCLEI,
    ),
    of(
        "T-Pot",
        "http",
        &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
        Tell::HasAll(&[b" 200 ", b"<title>T-Pot</title>", b"T-Pot @ Github", b"T-Pot ReadMe"]),
        b"HTTP/1.1 200 OK\r\n\r\n<title>T-Pot</title>T-Pot @ Github, T-Pot ReadMe",
        NUCLEI,
    ),
];
