//! The commands.

use super::{
    Mongodb,
    bson::{self, Doc, Value},
    data::Data,
    scram::Scram,
};
use crate::{Findings, Flow};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::{Signs, WallTime};

/// Documents of one command that are looked at.
const DOCUMENTS_MAX: usize = 16;
/// The longest nonce that is added to a client's, in bytes.
const NONCE_BYTES: usize = 24;
/// The commit of which the usual version was built.
const GIT: &str = "b20e43625b72f4bb43cc15107f80ac966ae13b6d";

/// One command as it was sent.
pub(super) struct Command<'a> {
    pub(super) name: String,
    pub(super) database: String,
    /// The value of the first element, if it is a text: the collection.
    pub(super) collection: String,
    pub(super) body: &'a [u8],
    pub(super) documents: Vec<&'a [u8]>,
    pub(super) connection: i32,
    /// In the message of old drivers?
    pub(super) is_old: bool,
}

impl<'a> Command<'a> {
    /// Takes a command's document apart; `None` if it is none.
    pub(super) fn read(body: &'a [u8], mut documents: Vec<&'a [u8]>, connection: i32) -> Option<Self> {
        let (name, first) = bson::elements(body).next()?;
        let collection = if let Value::Text(text) = first { text } else { b"" };
        for list in ["documents", "updates", "deletes"] {
            if let Some(Value::List(list)) = bson::get(body, list) {
                documents
                    .extend(bson::elements(list).filter_map(|(_, one)| if let Value::Doc(doc) = one { Some(doc) } else { None }));
            }
        }
        documents.truncate(DOCUMENTS_MAX);
        Some(Self {
            name: crate::safe_text(name, 64),
            database: crate::safe_text(bson::text(body, "$db").unwrap_or(b"admin"), 128),
            collection: crate::safe_text(collection, 256),
            body,
            documents,
            connection,
            is_old: false,
        })
    }

    fn namespace(&self) -> String {
        format!("{}.{}", self.database, self.collection)
    }
}

/// What later versions than 5.0 go on answering in the old message, beside a driver's first word.
const STILL_OLD: [&str; 6] = ["_isSelf", "authenticate", "buildinfo", "buildInfo", "saslContinue", "saslStart"];

/// What a connection remembers.
pub(super) struct State {
    pub(super) mongodb: Mongodb,
    pub(super) nonce: [u8; NONCE_BYTES],
    pub(super) data: Option<Data>,
    pub(super) scram: Option<Scram>,
}

impl State {
    /// Answers a command with a document.
    pub(super) fn answer(&mut self, command: &Command<'_>, now: WallTime, findings: &mut Findings) -> (Doc, Flow) {
        let is_first = matches!(command.name.as_str(), "hello" | "isMaster" | "ismaster");
        if !is_first {
            findings.note("command", command.name.as_bytes());
            findings.note("database", command.database.as_bytes());
            if !command.collection.is_empty() {
                findings.note("collection", command.collection.as_bytes());
            }
        }
        if command.is_old && !is_first && !self.mongodb.is_old() && !STILL_OLD.contains(&command.name.as_str()) {
            let said = format!(
                "Unsupported OP_QUERY command: {}. The client driver may require an upgrade. For more details see \
                 https://dochub.mongodb.org/core/legacy-opcode-removal",
                command.name
            );
            return (error(352, "UnsupportedOpQueryCommand", &said), Flow::Telling);
        }
        if is_first {
            return self.hello(command, now, findings);
        }
        if let Some(answered) = self.write(command, findings) {
            return (answered, Flow::Telling);
        }
        (self.login(command, findings).or_else(|| self.read(command)).unwrap_or_else(|| self.ask(command, now)), Flow::Telling)
    }

    fn data(&mut self) -> &mut Data {
        let mongodb = &self.mongodb;
        self.data.get_or_insert_with(|| Data::new(mongodb))
    }

    fn hello(&mut self, command: &Command<'_>, now: WallTime, findings: &mut Findings) -> (Doc, Flow) {
        if let Some(Value::Doc(client)) = bson::get(command.body, "client") {
            findings.note("client", &bson::shown(client));
        }
        let primary = if command.name == "hello" { "isWritablePrimary" } else { "ismaster" };
        let mut answer = Doc::new()
            .flag("helloOk", true)
            .flag(primary, true)
            .int("maxBsonObjectSize", 16 * 1_024 * 1_024)
            .int("maxMessageSizeBytes", 48_000_000)
            .int("maxWriteBatchSize", 100_000)
            .date("localTime", now.0 / 1_000)
            .int("logicalSessionTimeoutMinutes", 30)
            .int("connectionId", command.connection)
            .int("minWireVersion", 0)
            .int("maxWireVersion", self.mongodb.wire_version())
            .flag("readOnly", false);
        if let Some(user) = bson::text(command.body, "saslSupportedMechs") {
            findings.note("username", user.splitn(2, |byte| *byte == b'.').nth(1).unwrap_or(user));
            answer = answer.texts("saslSupportedMechs", &["SCRAM-SHA-1", "SCRAM-SHA-256"]);
        }
        if let Some(Value::Doc(start)) = bson::get(command.body, "speculativeAuthenticate")
            && let Some(payload) = self.begin(start, findings)
        {
            answer = answer.doc("speculativeAuthenticate", conversation(&payload, false));
        }
        (answer.double("ok", 1.0), if findings.is_empty() { Flow::Continue } else { Flow::Telling })
    }

    /// Begins a login; our part of it.
    fn begin(&mut self, body: &[u8], findings: &mut Findings) -> Option<String> {
        let Some(Value::Bytes(first)) = bson::get(body, "payload") else { return None };
        let mechanism = bson::text(body, "mechanism")?;
        let (scram, answer) = Scram::begin(mechanism, first, &self.nonce, &self.mongodb, findings)?;
        self.scram = Some(scram);
        Some(answer)
    }

    fn login(&mut self, command: &Command<'_>, findings: &mut Findings) -> Option<Doc> {
        let failed = || error(18, "AuthenticationFailed", "Authentication failed.");
        match command.name.as_str() {
            "saslStart" => {
                let mechanism = bson::text(command.body, "mechanism").unwrap_or_default();
                if let Some(payload) = self.begin(command.body, findings) {
                    return Some(conversation(&payload, false).double("ok", 1.0));
                }
                findings.note("mechanism", mechanism);
                findings.signs |= Signs::CREDENTIALS;
                if mechanism == b"PLAIN"
                    && let Some(Value::Bytes(payload)) = bson::get(command.body, "payload")
                {
                    let mut parts = payload.splitn(3, |byte| *byte == 0).skip(1);
                    findings.note("username", parts.next().unwrap_or_default());
                    findings.note("password", parts.next().unwrap_or_default());
                }
                let mechanism = crate::safe_text(mechanism, 64);
                let said = format!("Received authentication for mechanism {mechanism} which is not enabled");
                Some(error(334, "MechanismUnavailable", &said))
            }
            "saslContinue" => {
                match (self.scram.take(), bson::get(command.body, "payload")) {
                    (Some(scram), Some(Value::Bytes(last))) => scram.end(last, findings),
                    _ => return Some(error(17, "ProtocolError", "No SASL session state found")),
                }
                Some(failed())
            }
            "authenticate" => {
                findings.note("username", bson::text(command.body, "user").unwrap_or_default());
                findings.signs |= Signs::CREDENTIALS;
                Some(failed())
            }
            _ => None,
        }
    }

    /// What changes or destroys: hostile, and done as far as this connection sees.
    fn write(&mut self, command: &Command<'_>, findings: &mut Findings) -> Option<Doc> {
        let (database, name) = (command.database.as_str(), command.collection.as_str());
        let count = i32::try_from(command.documents.len()).unwrap_or(0);
        let answer = match command.name.as_str() {
            "insert" => {
                self.data().insert(database, name, &command.documents);
                Doc::new().int("n", count)
            }
            "create" => {
                self.data().insert(database, name, &[]);
                Doc::new()
            }
            "update" => Doc::new().int("n", 0).int("nModified", 0),
            "delete" => {
                let gone = self.data().empty(database, name);
                Doc::new().int("n", i32::try_from(gone).unwrap_or(0))
            }
            "drop" if self.data().drop(database, Some(name)) => Doc::new().int("nIndexesWas", 1).text("ns", &command.namespace()),
            "drop" => Doc::new(),
            "dropDatabase" if self.data().drop(database, None) => Doc::new().text("dropped", database),
            "dropDatabase" => Doc::new(),
            "createUser" | "updateUser" | "dropUser" | "grantRolesToUser" | "renameCollection" | "shutdown" | "eval"
            | "$eval" => {
                findings.signs |= Signs::RULE;
                findings.note("documents", &bson::shown(command.body));
                return Some(error(
                    13,
                    "Unauthorized",
                    &format!("not authorized on {database} to execute command {}", command.name),
                ));
            }
            _ => return None,
        };
        findings.signs |= Signs::RULE;
        let shown: Vec<Vec<u8>> = command.documents.iter().map(|document| bson::shown(document)).collect();
        if !shown.is_empty() {
            findings.note("documents", &shown.join(&b", "[..]));
        }
        Some(answer.double("ok", 1.0))
    }

    /// What looks at what is stored.
    fn read(&mut self, command: &Command<'_>) -> Option<Doc> {
        let (database, name) = (command.database.as_str(), command.collection.as_str());
        let namespace = command.namespace();
        let answer = match command.name.as_str() {
            "listDatabases" => {
                let names: Vec<String> = self.data().databases().into_iter().map(ToString::to_string).collect();
                let total = 40_960 + 8_192 * names.len() as u64;
                let one = |name: &String| {
                    let size = if name == "config" { 12_288 } else { 40_960 };
                    Doc::new().text("name", name).long("sizeOnDisk", size).flag("empty", false).done()
                };
                let list: Vec<Vec<u8>> = names.iter().map(one).collect();
                Doc::new().list("databases", &list).long("totalSize", total).long("totalSizeMb", 0)
            }
            "listCollections" => {
                let key = Doc::new().doc("key", Doc::new().int("_id", 1)).text("name", "_id_").int("v", 2);
                let one = |name: &str| {
                    let info = Doc::new().flag("readOnly", false);
                    let head = Doc::new().text("name", name).text("type", "collection").doc("options", Doc::new());
                    head.doc("info", info).doc("idIndex", key.clone()).done()
                };
                let list: Vec<Vec<u8>> = self.data().collections(database).into_iter().map(one).collect();
                cursor(&list, &format!("{database}.$cmd.listCollections"))
            }
            "listIndexes" => {
                let key = Doc::new().int("v", 2).doc("key", Doc::new().int("_id", 1)).text("name", "_id_").done();
                cursor(&[key], &namespace)
            }
            "aggregate" if is_counting(command.body) => {
                let count = self.data().documents(database, name).len();
                let one = Doc::new().int("_id", 1).int("n", i32::try_from(count).unwrap_or(0)).done();
                cursor(if count == 0 { &[] } else { core::slice::from_ref(&one) }, &namespace)
            }
            "find" | "aggregate" => cursor(self.data().documents(database, name), &namespace),
            "count" => {
                let count = self.data().documents(database, name).len();
                Doc::new().int("n", i32::try_from(count).unwrap_or(0))
            }
            "distinct" => Doc::new().list("values", &[]),
            "getMore" => Doc::new().doc("cursor", Doc::new().list("nextBatch", &[]).long("id", 0).text("ns", &namespace)),
            _ => return None,
        };
        Some(answer.double("ok", 1.0))
    }

    /// What asks for the server itself.
    fn ask(&self, command: &Command<'_>, now: WallTime) -> Doc {
        let answer = match command.name.as_str() {
            "ping" | "endSessions" | "killCursors" | "logout" | "refreshSessions" | "startSession" | "abortTransaction" => {
                Doc::new()
            }
            "buildInfo" | "buildinfo" => self.build(),
            "serverStatus" => self.status(now),
            "hostInfo" => {
                let machine = self.mongodb.persona.machine();
                let system = Doc::new()
                    .date("currentTime", now.0 / 1_000)
                    .text("hostname", self.mongodb.persona.host())
                    .int("cpuAddrSize", 64)
                    .long("memSizeMB", u64::from(machine.memory_mib()))
                    .int("numCores", i32::from(machine.cores))
                    .text("cpuArch", "x86_64");
                let os = Doc::new().text("type", "Linux").text("name", "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"");
                Doc::new()
                    .doc("system", system)
                    .doc("os", os.text("version", &format!("Kernel {}", self.mongodb.persona.kernel(now).release)))
            }
            "connectionStatus" => {
                let none = Doc::new().list("authenticatedUsers", &[]).list("authenticatedUserRoles", &[]);
                Doc::new().doc("authInfo", none)
            }
            "getCmdLineOpts" => {
                let net = Doc::new().text("bindIp", "0.0.0.0").int("port", 27_017);
                let parsed = Doc::new().text("config", "/etc/mongod.conf").doc("net", net);
                Doc::new().texts("argv", &["/usr/bin/mongod", "--config", "/etc/mongod.conf"]).doc("parsed", parsed)
            }
            "getLog" => Doc::new().int("totalLinesWritten", 0).list("log", &[]),
            "getParameter" => Doc::new(),
            "dbStats" | "dbstats" => Doc::new().text("db", &command.database).int("collections", 2).int("objects", 3),
            "replSetGetStatus" => return error(76, "NoReplicationEnabled", "not running with --replSet"),
            name => return error(59, "CommandNotFound", &format!("no such command: '{name}'")),
        };
        answer.double("ok", 1.0)
    }

    fn build(&self) -> Doc {
        let [major, minor, patch] = self.mongodb.version;
        // Of other versions it is not known here, but theirs have one, too.
        let made_up = || crate::text::hex(&self.mongodb.persona.key("mongodb commit")[..20]);
        let commit = if self.mongodb.version == super::VERSION { GIT.to_string() } else { made_up() };
        Doc::new()
            .text("version", &self.mongodb.version())
            .text("gitVersion", &commit)
            .texts("modules", &[])
            .text("allocator", if major >= 8 { "tcmalloc-google" } else { "tcmalloc" })
            .text("javascriptEngine", "mozjs")
            .text("sysInfo", "deprecated")
            .ints("versionArray", &[major, minor, patch, 0])
            .int("bits", 64)
            .flag("debug", false)
            .int("maxBsonObjectSize", 16 * 1_024 * 1_024)
            .texts("storageEngines", &["devnull", "wiredTiger"])
    }

    fn status(&self, now: WallTime) -> Doc {
        let persona = &self.mongodb.persona;
        // Started some seconds after the machine.
        let uptime = persona.uptime(now).saturating_sub(9);
        let connections = Doc::new().int("current", 3).int("available", 51_197).int("totalCreated", 40).int("active", 1);
        Doc::new()
            .text("host", persona.host())
            .text("version", &self.mongodb.version())
            .text("process", "mongod")
            .long("pid", persona.era().pid("mongod", now).into())
            .long("uptime", uptime)
            .long("uptimeMillis", uptime * 1_000)
            .date("localTime", now.0 / 1_000)
            .doc("connections", connections)
            .doc("storageEngine", Doc::new().text("name", "wiredTiger").flag("persistent", true))
    }
}

/// Does an aggregation end in a count? Drivers count documents so.
fn is_counting(body: &[u8]) -> bool {
    let Some(Value::List(stages)) = bson::get(body, "pipeline") else { return false };
    bson::elements(stages).any(|(_, stage)| matches!(stage, Value::Doc(stage) if matches!(bson::get(stage, "$group"), Some(Value::Doc(group)) if bson::get(group, "n").is_some())))
}

fn cursor(documents: &[Vec<u8>], namespace: &str) -> Doc {
    Doc::new().doc("cursor", Doc::new().list("firstBatch", documents).long("id", 0).text("ns", namespace))
}

fn conversation(payload: &str, is_done: bool) -> Doc {
    Doc::new().int("conversationId", 1).flag("done", is_done).bytes("payload", 0, payload.as_bytes())
}

fn error(code: i32, name: &str, said: &str) -> Doc {
    Doc::new().double("ok", 0.0).text("errmsg", said).int("code", code).text("codeName", name)
}
