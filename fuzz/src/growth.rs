//! Inputs that grow, to see that what they cost grows with them and no faster: a stranger must not be able to buy much work with
//! few bytes. `tests/linear.rs` counts the instructions.

mod datagrams;

use crate::{
    memory,
    talk::{NOW, errands, trap},
};
use datagrams::{DATAGRAMS, Made};
use honeymesh_detect::{Recogniser, Tally};
use honeymesh_trap_proto::{
    ANSWER_BYTES_MAX, DATAGRAM_BYTES_MAX, Datagram, Flow, Service, Session, overhear,
    ssh_testing::{Client, Wants, usual},
};
use std::{collections::BTreeMap, sync::LazyLock};

/// An input of any length.
pub struct Case {
    /// What it is.
    pub name: String,
    kind: Kind,
    /// What stands before what grows.
    head: &'static [u8],
    /// What is repeated.
    unit: &'static [u8],
}

enum Kind {
    /// A session of this service, byte by byte, or in one piece.
    Talk { service: &'static str, is_drip: bool },
    /// The shell behind SSH's login: lines to `sh`, so many bytes in a message.
    Inside { message: usize },
    /// The SFTP server there.
    Files { message: usize },
    /// One datagram to this service.
    Datagram { service: &'static str, made: Made },
    /// The recognisers.
    Look,
}

/// Lengths at which an input is compared with itself, in bytes: each twice the one before.
pub type Lengths = [usize; 3];
/// Those of streams.
const STREAM_BYTES: Lengths = [2_048, 4_096, 8_192];
/// Those of datagrams: no more of one is looked at.
const ONE_DATAGRAM_BYTES: Lengths = [1_024, 2_048, DATAGRAM_BYTES_MAX];

/// What comes at once where it is weighed, in bytes: as much as a carrier reads.
const PIECE_BYTES: usize = 4_096;

/// What is kept of one session as it comes, in bytes, and so the most that recognisers see at once.
const KEPT_BYTES: usize = 64 * 1_024;

/// Repeated to every service, byte by byte: no line's end, only lines' ends, short lines, zeros, ones.
const ANY: [&[u8]; 5] = [b"A", b"\n", b"a b\r\n", b"\0", b"\xff"];

/// Beginnings that reach what holds bytes, and what is repeated there.
const DEEPER: &[(&str, &[u8], &[u8])] = &[
    ("http", b"GET /", b"%41"),
    ("http", b"GET / HTTP/1.1\r\nA: ", b"b"),
    ("http", b"GET / HTTP/1.1\r\n", b"A: b\r\n"),
    ("http", b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", b"a=b&"),
    ("http", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    ("http", b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("elasticsearch", b"POST /_search HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", b"{\"a\":["),
    ("telnet", b"root\r\n", b"\xff\xfb\x01"),
    ("telnet", b"", b"root\r\nroot\r\n"),
    ("ftp", b"USER a\r\nPASS b\r\n", b"NOOP\r\n"),
    ("ftp", NAMELESS, b"PWD\r\nNOOP\r\n"),
    ("ftp", NAMELESS, b"EPSV\r\nSTOU x\r\n"),
    ("ftp", NAMELESS, b"MKD a\r\nCWD a\r\n"),
    ("ftp", NAMELESS, b"MKD a\r\nRNFR a\r\nRNTO b\r\nRMD b\r\n"),
    ("ftp", MANY_FOLDERS, b"EPSV\r\nLIST -a *x*\r\n"),
    ("smtp", b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", b"line\r\n"),
    ("smtp", b"EHLO a\r\nMAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n"),
    ("imap", b"a LOGIN {100000}\r\n", b"x"),
    ("pop3", b"", b"CAPA\r\n"),
    ("redis", b"*1000000\r\n", b"$1\r\na\r\n"),
    ("redis", b"", b"SET a b\r\n"),
    ("redis", HEAVY_NAMES, b"d,"),
    ("redis", LARGE_LIST, b"LRANGE l 0 -1\r\n"),
    ("redis", LARGE_LIST, b"LREM l 0 x\r\n"),
    ("redis", LARGE_LIST, b"LINSERT l AFTER x y\r\n"),
    ("redis", LARGE_LIST, b"SORT l ALPHA STORE m\r\n"),
    ("redis", LARGE_LIST, b"LPUSH l a\r\nLPOS l b\r\nLTRIM l 0 480\r\n"),
    ("redis", LARGE_LIST, b"MEMORY USAGE l SAMPLES 0\r\n"),
    ("redis", NUMBERS, b"MEMORY USAGE s SAMPLES 0\r\n"),
    ("redis", b"", b"ZINCRBY z 1 a\r\nZRANGE z 0 -1\r\n"),
    ("redis", b"SADD s a b c d e f g h i j k l m n\r\n", b"SRANDMEMBER s -99\r\n"),
    ("redis", b"MSET aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1\r\n", b"KEYS *a*a*a*b\r\n"),
    ("redis", b"SUBSCRIBE b\r\n", b"SUBSCRIBE a a\r\n"),
    ("redis", b"", b"ACL SETUSER a on >a +get +config|get ~a (+@read)\r\n"),
    ("redis", b"ACL SETUSER a on >a ~* +@all -@write -config\r\nAUTH a a\r\n", b"GET a\r\n"),
    ("redis", b"", b"MULTI\r\nCLIENT INFO\r\nEXEC\r\n"),
    ("redis", b"", b"EVAL return( 0\r\n"),
    (
        "redis",
        b"MULTI\r\n",
        b"DEL a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a\r\n",
    ),
    ("redis", LARGE_LIST, LONG_PATTERN),
    ("memcached", b"set a 0 0 1000000\r\n", b"x"),
    ("memcached", b"", b"get a b c\r\n"),
    ("sip", b"OPTIONS sip:a SIP/2.0\r\n", b"Via: a\r\n"),
    ("mqtt", b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04test", b"\xc0\0"),
    ("ldap", b"", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"),
    ("smb", b"\0\0\x10\0\xffSMB", b"\x72"),
    ("mongodb", b"", b"\x10\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0"),
    ("ssh", b"SSH-2.0-x\r\n\0\0\x7f\xfc\x04\x14", b"a,"),
    ("any", b"\x16\x03\x01", b"a"),
    ("modbus", b"", b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01"),
    ("mysql", b"\xff\x3f\0\x01\0\x82\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0root\0", b"\x01a\x01b"),
    ("mysql", b"", b"\x01\0\0\x01\x0e"),
    ("mysql", MYSQL_TLS, b"\x01\0\0\x02\x0e"),
    ("postgresql", b"\0\0\x23\0\0\x03\0\0user\0root\0", b"a\0b\0"),
    ("postgresql", b"", b"\0\0\0\x08\x04\xd2\x16\x30"),
    ("postgresql", POSTGRESQL_USER, b"p\0\0\0\x09toor\0"),
    ("postgresql", POSTGRESQL_USER, b"Q\0\0\0\x0dSELECT 1\0"),
    ("mssql", MSSQL_PRELOGIN, b"\x10\0\0\x09\0\0\0\0a"),
    ("mssql", MSSQL_PRELOGIN, b"\x01\x01\0\x0c\0\0\0\0a\0b\0"),
    ("mssql", b"\x12\x01\x0f\xff\0\0\0\0", b"\0\0\x15\0\x06"),
    ("rdp", b"\x03\0\x7f\xff\x7a\xe0\0\0\0\0\0Cookie: mstshash=", b"a"),
    ("rdp", RDP_REQUEST, b"\x03\0\0\x08\x02\xf0\x80\x28"),
    ("rdp", RDP_REQUEST, b"\x03\0\0\x0c\x02\xf0\x80\x38\0\x01\x03\xeb"),
    ("rdp", b"\x03\0\0\x0b\x06\xe0\0\0\0\0\0\x03\0\x7f\xff\x02\xf0\x80\x7f\x65\x82\x7f\xf0", b"\x04\x01\x01"),
    ("rdp", b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x02\0\0\0", b"\x30\x05\xa0\x03\x02\x01\x06"),
    ("vnc", b"RFB 003.008\n\x02", b"abcdefghijklmnop"),
    ("vnc", b"RFB 003.008\n", b"\x01"),
    ("adb", ADB_HOST, b"OPEN\x01\0\0\0\0\0\0\0\x09\0\0\0\x2d\x03\0\0\xb0\xaf\xba\xb1shell:id\0"),
    ("adb", ADB_HOST, b"OKAY\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\xb0\xb4\xbe\xa6"),
    ("adb", ADB_SHELL, b"WRTE\x01\0\0\0\x01\0\0\0\x03\0\0\0\xd7\0\0\0\xa8\xad\xab\xbaid\n"),
    ("docker", b"POST /containers/create HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", b"{\"Cmd\":["),
    ("docker", b"", b"GET /containers/json HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("docker", b"", b"POST /containers/create HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n{\"Image\":\"a\"}"),
    ("kubernetes", b"\x16", b"GET /api/v1/pods HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\n\r\n"),
    (
        "kubernetes",
        b"\x16POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
        b"{\"spec\":[",
    ),
];

/// Somebody who asks MySQL for TLS; what follows is inside.
const MYSQL_TLS: &[u8] = b"\x20\0\0\x01\x05\xae\0\0\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// Who he is, to PostgreSQL: the next is a password.
const POSTGRESQL_USER: &[u8] = b"\0\0\0\x13\0\x03\0\0user\0root\0\0";
/// What comes before a login at an SQL Server.
const MSSQL_PRELOGIN: &[u8] = b"\x12\x01\0\x0f\0\0\0\0\x01\0\x06\0\x01\xff\x02";
/// A desktop is asked for, and its settings told.
const RDP_REQUEST: &[u8] = b"\x03\0\0\x0b\x06\xe0\0\0\0\0\0";
/// A debugger that was let in.
const ADB_HOST: &[u8] = b"CNXN\0\0\0\x01\0\x10\0\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0";
/// The same in a shell.
const ADB_SHELL: &[u8] = b"CNXN\0\0\0\x01\0\x10\0\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0\
    OPEN\x01\0\0\0\0\0\0\0\x07\0\0\0\x5c\x02\0\0\xb0\xaf\xba\xb1shell:\0";

/// Somebody who may write files.
const NAMELESS: &[u8] = b"USER ftp\r\nPASS a\r\nCWD incoming\r\n";

/// The same with some folders.
const MANY_FOLDERS: &[u8] = b"USER ftp\r\nPASS a\r\nCWD incoming\r\nMKD a\r\nMKD b\r\nMKD c\r\nMKD d\r\nMKD e\r\nMKD f\r\nMKD g\r\nMKD h\r\n\
    MKD i\r\nMKD j\r\nMKD k\r\nMKD l\r\nMKD m\r\nMKD n\r\nMKD o\r\nMKD p\r\nMKD q\r\nMKD r\r\nMKD s\r\nMKD t\r\nMKD u\r\nMKD v\r\nMKD w\r\n";

/// A list with 481 elements.
const LARGE_LIST: &[u8] =
    b"RPUSH l a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a \
    a\r\n";

/// It is looked for once for each element.
const LONG_PATTERN: &[u8] =
    b"SORT l ALPHA BY xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx*\r\n";

/// A set of 481 numbers.
const NUMBERS: &[u8] =
    b"SADD s 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 \
    41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 \
    81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 \
    116 117 118 119 120 121 122 123 124 125 126 127 128 129 130 131 132 133 134 135 136 137 138 139 140 141 142 143 144 145 \
    146 147 148 149 150 151 152 153 154 155 156 157 158 159 160 161 162 163 164 165 166 167 168 169 170 171 172 173 174 175 \
    176 177 178 179 180 181 182 183 184 185 186 187 188 189 190 191 192 193 194 195 196 197 198 199 200 201 202 203 204 205 \
    206 207 208 209 210 211 212 213 214 215 216 217 218 219 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 \
    236 237 238 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 259 260 261 262 263 264 265 \
    266 267 268 269 270 271 272 273 274 275 276 277 278 279 280 281 282 283 284 285 286 287 288 289 290 291 292 293 294 295 \
    296 297 298 299 300 301 302 303 304 305 306 307 308 309 310 311 312 313 314 315 316 317 318 319 320 321 322 323 324 325 \
    326 327 328 329 330 331 332 333 334 335 336 337 338 339 340 341 342 343 344 345 346 347 348 349 350 351 352 353 354 355 \
    356 357 358 359 360 361 362 363 364 365 366 367 368 369 370 371 372 373 374 375 376 377 378 379 380 381 382 383 384 385 \
    386 387 388 389 390 391 392 393 394 395 396 397 398 399 400 401 402 403 404 405 406 407 408 409 410 411 412 413 414 415 \
    416 417 418 419 420 421 422 423 424 425 426 427 428 429 430 431 432 433 434 435 436 437 438 439 440 441 442 443 444 445 \
    446 447 448 449 450 451 452 453 454 455 456 457 458 459 460 461 462 463 464 465 466 467 468 469 470 471 472 473 474 475 \
    476 477 478 479 480\r\n";

/// A script in which a name of one byte stands for 8 KiB; it goes on, and is loaded once 1,500 bytes of it are there.
const HEAVY_NAMES: &[u8] =
    b"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$1500\r\nlocal a='0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef' \
    local b=a..a..a..a local c=b..b..b..b local d=c..c..c..c..c..c..c..c return {";

/// What a shell is told again and again: what costs much and prints nothing, what nests, what goes round.
const TYPED: [&[u8]; 12] = [
    b"ls -la / / / / / / / / / / / / / / / / / / / / / / / / / / / / / / / 2>/dev/null|x 2>/dev/null;",
    b"ps aux|x 2>/dev/null;\n",
    b"cat /proc/cpuinfo /etc/passwd|grep -c a;\n",
    b"echo $(echo $(echo $(ls -la /)));\n",
    b"while true; do for i in 1 2 3 4 5 6 7 8 9; do cat /etc/passwd | sort; done; done\n",
    b"'\n",
    b"echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|grep -E '((a*)*|(a|aa)*)*c'\n",
    b"cat /etc/passwd|sed -E 's/(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)=/\\9\\8\\7\\6\\5\\4\\3\\2\\1/'\n",
    b"echo|grep -E '((a{1,255}){1,255}){1,255}'\n",
    b"cat /etc/passwd|grep -E '[acegikmoqsuwy]{0,20}.{0,255}x='\n",
    b"yes a|head -99|tr -d '\\n'|awk '/a?a?a?a?a?a?a?a?a?a?a?a?aaaaaaaaaaaab/||$1~/.*.*.*x/'\n",
    b"x=$(cat /etc/passwd);case $x in *a*a*a*a*[[:digit:]]*b*b*b*b*\\=) ;; esac;[[ $x == *[a-z]*[a-z]*[a-z]*= ]];y=${x%*:*:*:*:*=}\n",
];

/// What an SFTP server is told once, and what again and again.
const FILED: [(&[u8], &[u8]); 9] = [
    (b"\0\0\0\x05\x01\0\0\0\x03", b"\0\0\0\x14\x11\0\0\0\x07\0\0\0\x0b/etc/passwd"),
    (b"\0\0\0\x05\x01\0\0\0\x03", b"\0\0\0\x18\x10\0\0\0\x07\0\0\0\x0f/./././././././"),
    (
        b"\0\0\0\x05\x01\0\0\0\x03",
        b"\0\0\0\x0d\x0b\0\0\0\x07\0\0\0\x04/etc\0\0\0\x0d\x0c\0\0\0\x07\0\0\0\x04\0\0\0\0\0\0\0\x0d\x04\0\0\0\x07\0\0\0\x04\0\0\0\0",
    ),
    (
        b"\0\0\0\x05\x01\0\0\0\x03",
        b"\0\0\0\x17\x03\0\0\0\x07\0\0\0\x06/tmp/a\0\0\0\x1a\0\0\0\0\
          \0\0\0\x1a\x06\0\0\0\x07\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01x\0\0\0\x0d\x04\0\0\0\x07\0\0\0\x04\0\0\0\0",
    ),
    (
        b"\0\0\0\x05\x01\0\0\0\x03",
        b"\0\0\0\x1e\x03\0\0\0\x07\0\0\0\x0d/proc/cpuinfo\0\0\0\x01\0\0\0\0\
          \0\0\0\x19\x05\0\0\0\x07\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0\x0d\x04\0\0\0\x07\0\0\0\x04\0\0\0\0",
    ),
    (
        b"\0\0\0\x05\x01\0\0\0\x03\0\0\0\x1a\x03\0\0\0\x07\0\0\0\x09/bin/bash\0\0\0\x01\0\0\0\0",
        b"\0\0\0\x19\x05\0\0\0\x07\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\0",
    ),
    (b"\0\0\0\x05\x01\0\0\0\x03", b"\0\0\0\x14\x03\0\0\0\x07\0\0\0\x03/tm\0\0\0\x01\0\0\0\0"),
    (b"\0\0\0\x05\x01\0\0\0\x03\0\x03\xff\xff\x11", b"A"),
    (
        b"\0\0\0\x05\x01\0\0\0\x03\0\0\0\x17\x03\0\0\0\x07\0\0\0\x06/tmp/a\0\0\0\x1a\0\0\0\0\
          \0\x03\xff\xff\x06\0\0\0\x07\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\xff\x00",
        b"A",
    ),
];

/// What the recognisers open or look for.
const LOOKED: [&[u8]; 18] = [
    b"A",
    b"QUFB",
    b"%25",
    b"%u0041",
    b"\\x41",
    b"&lt;",
    b"4141",
    b"a\0",
    b"'",
    b"a'",
    b"/*",
    b"/**/",
    b"${",
    b"${jndi:",
    b"http://a",
    b"wget http://a ",
    b"\x90",
    b"../",
];

static RECOGNISER: LazyLock<Recogniser> = LazyLock::new(|| Recogniser::new(&["bait-Pa55w0rd-x1".to_owned()]));

/// What is told to an SFTP server, as inputs of its target: a wide window, one cut or none.
pub(crate) fn filed() -> Vec<Vec<u8>> {
    let told = FILED.iter().map(|(head, unit)| [&[20, 0][..], head, &unit.repeat(3)].concat());
    let all: Vec<u8> = FILED[..7].iter().flat_map(|(head, unit)| [*head, *unit].concat()).collect();
    told.chain([[&[20, 1, 7][..], &all].concat(), [&[6, 0][..], &all].concat()]).collect()
}

/// All of them.
#[must_use]
pub fn cases() -> Vec<Case> {
    let silent = |name: &&&str| !["script", "ntp", "snmp", "tftp", "ssdp"].contains(name);
    let talk = |service, head, unit, is_drip| {
        let how = if is_drip { "byte by byte" } else { "in one piece" };
        let name = format!("{service}: {:?} and {:?} again and again, {how}", show(head), show(unit));
        Case { name, kind: Kind::Talk { service, is_drip }, head, unit }
    };
    let services = Service::NAMES.iter().filter(silent);
    let mut cases: Vec<Case> = services.flat_map(|name| ANY.map(|unit| talk(name, &b""[..], unit, true))).collect();
    cases.extend(DEEPER.iter().flat_map(|(name, head, unit)| [true, false].map(|is_drip| talk(name, head, unit, is_drip))));
    cases.extend(TYPED.iter().flat_map(|unit| {
        // What a message may cost does not depend on its length, so the lengths that are compared are whole messages.
        [64, 2_048].map(|message| Case {
            name: format!("ssh's shell: {:?} again and again, {message} bytes in a message", show(unit)),
            kind: Kind::Inside { message },
            head: b"",
            unit,
        })
    }));
    cases.extend(FILED.iter().flat_map(|(head, unit)| {
        [64, 2_048].map(|message| Case {
            name: format!("sftp: {:?} and {:?} again and again, {message} bytes in a message", show(head), show(unit)),
            kind: Kind::Files { message },
            head,
            unit,
        })
    }));
    cases.extend(DATAGRAMS.map(|(service, what, made)| Case {
        name: format!("{service}: one datagram, {what}"),
        kind: Kind::Datagram { service, made },
        head: b"",
        unit: b"",
    }));
    cases.extend(LOOKED.map(|unit| Case { name: format!("recognisers: {:?}", show(unit)), kind: Kind::Look, head: b"", unit }));
    cases
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

impl Case {
    /// The input with so many bytes.
    #[must_use]
    pub fn input(&self, length: usize) -> Vec<u8> {
        if let Kind::Datagram { made, .. } = self.kind {
            return made(length);
        }
        self.head.iter().chain(self.unit.iter().cycle()).take(length).copied().collect()
    }

    /// What is started behind the login.
    const fn starts(&self) -> &'static [u8] {
        match self.kind {
            Kind::Files { .. } => b"\x62\0\0\0\0\0\0\0\x09subsystem\x01\0\0\0\x04sftp",
            _ => b"\x62\0\0\0\0\0\0\0\x04exec\x01\0\0\0\x02sh",
        }
    }

    /// How long it is where it is compared with itself.
    #[must_use]
    pub const fn lengths(&self) -> Lengths {
        match self.kind {
            Kind::Datagram { .. } => ONE_DATAGRAM_BYTES,
            _ => STREAM_BYTES,
        }
    }

    /// What is needed besides, made before anything is counted.
    pub fn prepare(&self) {
        self.take(if let Kind::Datagram { .. } = self.kind { b"x" } else { self.head });
    }

    /// Takes an input.
    pub fn take(&self, input: &[u8]) {
        match self.kind {
            Kind::Talk { service, is_drip } => talk(trap(service, 0).session(7), input, is_drip),
            Kind::Inside { message } | Kind::Files { message } => {
                let (mut session, packets) = inside(input, message, self.starts());
                packets.iter().for_each(|packet| tell(&mut *session, packet));
                session.end();
                drop(session.findings());
            }
            Kind::Datagram { service, .. } => {
                drop(trap(service, 0).datagram(&Datagram { bytes: input, now: NOW, ..Datagram::default() }));
            }
            Kind::Look => drop(RECOGNISER.look(input, &BTreeMap::new(), &Tally::default())),
        }
    }
}

/// What a session takes of memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// The most that it holds between two pieces.
    pub held: usize,
    /// The most that it has while it takes one, its answer included.
    pub peak: usize,
}

impl Case {
    /// The memory of a session that is told so many bytes, or of the recognisers while they look at as many of them as are kept
    /// of a session.
    #[must_use]
    pub fn memory(&self, length: usize) -> Memory {
        let service = match self.kind {
            Kind::Talk { service, .. } => service,
            Kind::Inside { message } | Kind::Files { message } => {
                self.prepare();
                let before = memory::held();
                let (mut session, packets) = inside(&self.input(length), message, self.starts());
                // What is still to be told to it is not what it holds.
                let told: usize = packets.iter().map(|packet| packet.capacity() + size_of::<Vec<u8>>()).sum();
                return weighed(&mut *session, Flow::Continue, before + told, packets.iter().map(Vec::as_slice));
            }
            Kind::Datagram { .. } => return self.taken_at_once(length.min(DATAGRAM_BYTES_MAX)),
            Kind::Look => return self.taken_at_once(length.min(KEPT_BYTES)),
        };
        self.prepare();
        memory_of(service, &self.input(length))
    }
}

/// The memory of a session of this service that is told these bytes.
#[must_use]
pub fn memory_of(service: &'static str, input: &[u8]) -> Memory {
    let mut answer = Vec::with_capacity(2 * ANSWER_BYTES_MAX);
    let before = memory::held();
    let mut session = trap(service, 0).session(7);
    let flow = session.open(&mut answer);
    weighed(&mut *session, flow, before, input.chunks(PIECE_BYTES))
}

fn weighed<'a>(session: &mut dyn Session, mut flow: Flow, before: usize, pieces: impl Iterator<Item = &'a [u8]>) -> Memory {
    let mut answer = Vec::with_capacity(2 * ANSWER_BYTES_MAX);
    // The room for answers is not the session's.
    let before = before + answer.capacity();
    let mut most = Memory::default();
    for piece in pieces {
        memory::forget_peak();
        let mut rest = piece;
        while !rest.is_empty() && flow != Flow::Close {
            answer.clear();
            let step = session.receive(rest, NOW, &mut answer);
            (rest, flow) = (&rest[step.taken..], step.flow);
            drop(session.said());
            if flow == Flow::Errand {
                answer.clear();
                flow = errands(session, &mut answer);
            }
            if flow != Flow::Continue {
                drop(session.findings());
            }
            while session.resume(NOW, &mut answer).is_some() {
                drop(session.said());
                answer.clear();
            }
            // What follows is what was inside.
            if flow == Flow::StartTls {
                flow = session.open(&mut answer);
            }
        }
        answer.clear();
        most.held = most.held.max(memory::held().saturating_sub(before));
        most.peak = most.peak.max(memory::peak().saturating_sub(before));
    }
    most
}

impl Case {
    fn taken_at_once(&self, length: usize) -> Memory {
        self.prepare();
        let input = self.input(length);
        let before = memory::held();
        memory::forget_peak();
        self.take(&input);
        Memory { held: memory::held().saturating_sub(before), peak: memory::peak().saturating_sub(before) }
    }
}

/// A session of somebody who is in, and what he says to what he starts there, as packets.
fn inside(input: &[u8], message: usize, starts: &[u8]) -> (Box<dyn Session>, Vec<Vec<u8>>) {
    let mut session = trap("ssh", 1).session(7);
    let client = Client::meet(&mut *session, Wants::least(), NOW);
    let mut client = client.unwrap_or_else(|| panic!("the exchange of keys failed"));
    let [service, password, channel, ..] = usual();
    for payload in [&service, &password, &channel, &starts.to_vec()] {
        let packet = client.packet(payload);
        tell(&mut *session, &packet);
    }
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes();
    let messages = input.chunks(message).map(|piece| [&[0x5e, 0, 0, 0, 0][..], &length(piece), piece].concat());
    let packets = messages.map(|payload| client.packet(&payload)).collect();
    (session, packets)
}

fn tell(session: &mut dyn Session, packet: &[u8]) {
    let (mut answer, mut rest) = (Vec::with_capacity(2 * ANSWER_BYTES_MAX), packet);
    while !rest.is_empty() {
        answer.clear();
        let step = session.receive(rest, NOW, &mut answer);
        rest = if step.flow == Flow::Close { &[] } else { &rest[step.taken..] };
        drop(session.said());
        if step.flow != Flow::Continue {
            drop(session.findings());
        }
        while session.resume(NOW, &mut answer).is_some() {
            drop(session.said());
            drop(session.findings());
            answer.clear();
        }
    }
}

fn talk(mut session: Box<dyn Session>, input: &[u8], is_drip: bool) {
    let mut answer = Vec::with_capacity(2 * ANSWER_BYTES_MAX);
    let mut flow = session.open(&mut answer);
    if let Some(first) = input.first() {
        session = overhear(session, *first);
    }
    for piece in input.chunks(if is_drip { 1 } else { input.len().max(1) }) {
        let mut rest = piece;
        while !rest.is_empty() && flow != Flow::Close {
            answer.clear();
            let step = session.receive(rest, NOW, &mut answer);
            (rest, flow) = (&rest[step.taken..], step.flow);
            drop(session.said());
            if flow == Flow::Errand {
                answer.clear();
                flow = errands(&mut *session, &mut answer);
            }
            if flow != Flow::Continue {
                drop(session.findings());
            }
            while session.resume(NOW, &mut answer).is_some() {}
            if flow == Flow::StartTls {
                flow = session.open(&mut answer);
            }
        }
    }
    session.end();
    drop(session.findings());
}
