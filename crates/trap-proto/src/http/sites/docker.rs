//! Docker's API without TLS: agrees to run what it is told, and runs nothing. What was to be run is taken down.

mod containers;
mod images;

use super::{
    super::{
        date::http_date,
        json::member,
        reply::Reply,
        request::{Content, Method},
    },
    Visit, quoted,
};
use crate::Findings;
use alloc::{format, string::String};
use containers::Known;
use honeymesh_types::Signs;

/// What Debian 13's engine speaks.
const API: &str = "1.45";
const API_MIN: &str = "1.24";
/// When Debian built it (docker.io 26.1.5+dfsg1-9+deb13u1).
const BUILT: &str = "2026-08-13T05:35:48.000000000+00:00";
const JSON: &str = "application/json";
/// Parts of a container's description that are kept.
const KEPT: [(&str, &str); 8] = [
    ("Image", "image"),
    ("Cmd", "command"),
    ("Entrypoint", "entrypoint"),
    ("Env", "environment"),
    ("Binds", "binds"),
    ("Mounts", "mounts"),
    ("Privileged", "privileged"),
    ("User", "user"),
];

pub(super) fn respond(visit: &Visit<'_>, findings: &mut Findings) -> Reply {
    let path = unversioned(visit.path());
    note(visit, path, findings);
    if let Some(text) = version_objection(visit.path()) {
        return Reply::new("400 Bad Request", "", format!("{{\"message\":\"{text}\"}}\n"))
            .with("Api-Version", API)
            .with("Content-Type", JSON)
            .with("Ostype", "linux")
            .with("Server", format!("Docker/{} (linux)", visit.house.banner));
    }
    let read = matches!(visit.asked.method, Method::Get | Method::Head);
    let post = visit.asked.method == Method::Post;
    match path {
        _ if visit.asked.verb == "OPTIONS" => done(visit, "200 OK"),
        "/_ping" => ping(visit),
        "/version" if read => json(visit, "200 OK", version(visit)),
        "/info" if read => json(visit, "200 OK", info(visit)),
        "/containers/json" if read => json(visit, "200 OK", containers::list(visit)),
        // Nothing has happened.
        "/events" if read => Reply { streamed: true, ..json(visit, "200 OK", String::new()) },
        "/plugins" if read => json(visit, "200 OK", "[]\n".into()),
        "/images/json" if read => json(visit, "200 OK", images::list(visit)),
        "/networks" if read => json(visit, "200 OK", networks(visit)),
        "/system/df" if read => json(visit, "200 OK", images::room(visit)),
        path if path.contains("//") => clean(path),
        "/volumes" if read => json(visit, "200 OK", "{\"Volumes\":[],\"Warnings\":null}\n".into()),
        "/containers/create" if post => created(visit),
        "/images/create" if post => pulled(visit),
        "/build" if post => {
            json(visit, "200 OK", format!("{{\"stream\":\"Successfully built {}\\n\"}}\r\n", visit.own_digits("image", 12)))
        }
        "/auth" if post => json(
            visit,
            "401 Unauthorized",
            "{\"message\":\"Get \\\"https://registry-1.docker.io/v2/\\\": unauthorized: incorrect username or password\"}\n"
                .into(),
        ),
        "/swarm" | "/nodes" | "/services" | "/tasks" | "/secrets" | "/configs" => message(
            visit,
            "503 Service Unavailable",
            "This node is not a swarm manager. Use \\\"docker swarm init\\\" or \\\"docker swarm join\\\" to connect this node to swarm and try again.",
        ),
        _ => of_one(visit, path),
    }
}

/// A path with slashes too many is found where it would be with one.
fn clean(path: &str) -> Reply {
    let mut clean = String::new();
    for char in path.chars().filter(|char| char.is_ascii_graphic()).take(200) {
        if char != '/' || !clean.ends_with('/') {
            clean.push(char);
        }
    }
    Reply::new("301 Moved Permanently", "", "").with("Location", clean)
}

/// What the engine has against a version of its API.
fn version_objection(path: &str) -> Option<String> {
    let version = path.strip_prefix("/v")?.split('/').next()?;
    let mut parts = version.split('.').map(|digits| digits.parse::<u16>().ok());
    let asked = (parts.next()??, parts.next().unwrap_or(Some(0))?);
    match asked {
        (1, 24..=45) => None,
        (0, _) | (1, 0..24) => Some(format!(
            "client version {version} is too old. Minimum supported API version is {API_MIN}, please upgrade your client to a newer version"
        )),
        _ => Some(format!("client version {version} is too new. Maximum supported API version is {API}")),
    }
}

/// The path without the API's version.
fn unversioned(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/v") else { return path };
    match rest.find('/') {
        Some(slash) if slash > 0 && rest.bytes().take(slash).all(|byte| byte.is_ascii_digit() || byte == b'.') => &rest[slash..],
        _ => path,
    }
}

fn note(visit: &Visit<'_>, path: &str, findings: &mut Findings) {
    let is_order = visit.asked.method == Method::Post || visit.asked.verb == "DELETE" || visit.asked.verb == "PUT";
    if !is_order || path == "/auth" {
        return;
    }
    findings.signs |= Signs::RULE;
    if path == "/containers/create" || path.ends_with("/exec") {
        for (name, field) in KEPT {
            if let Some(value) =
                member(visit.body, name).filter(|value| !matches!(value.as_slice(), b"" | b"null" | b"[]" | b"false"))
            {
                findings.note(field, &value);
            }
        }
    }
    if path == "/images/create" {
        let named = |key: &str| visit.asked.query.split('&').find_map(|pair| pair.strip_prefix(key)).unwrap_or_default();
        findings.note("image", format!("{}:{}", named("fromImage="), named("tag=")).as_bytes());
    }
}

/// What every answer has, in Go's order.
fn headers(visit: &Visit<'_>, reply: Reply) -> Reply {
    reply
        .with("Api-Version", API)
        .with("Content-Type", JSON)
        .with("Docker-Experimental", "false")
        .with("Ostype", "linux")
        .with("Server", format!("Docker/{} (linux)", visit.house.banner))
}

fn json(visit: &Visit<'_>, status: &'static str, body: String) -> Reply {
    headers(visit, Reply::made(status, "", body))
}

fn message(visit: &Visit<'_>, status: &'static str, text: &str) -> Reply {
    json(visit, status, format!("{{\"message\":\"{text}\"}}\n"))
}

/// An order that was carried out and has nothing to say.
fn done(visit: &Visit<'_>, status: &'static str) -> Reply {
    Reply::new(status, "", "")
        .with("Api-Version", API)
        .with("Docker-Experimental", "false")
        .with("Ostype", "linux")
        .with("Server", format!("Docker/{} (linux)", visit.house.banner))
}

fn ping(visit: &Visit<'_>) -> Reply {
    const KIND: &str = "text/plain; charset=utf-8";
    // The engine itself says what it is to HEAD; otherwise Go finds it out from the body.
    let is_head = visit.asked.method == Method::Head;
    let reply = if is_head { Reply::new("200 OK", "", "") } else { Reply::new("200 OK", KIND, "OK") }
        .with("Api-Version", API)
        .with("Builder-Version", "2")
        .with("Cache-Control", "no-cache, no-store, must-revalidate");
    let reply = if is_head { reply.with("Content-Length", "0").with("Content-Type", KIND) } else { reply };
    reply
        .with("Docker-Experimental", "false")
        .with("Ostype", "linux")
        .with("Pragma", "no-cache")
        .with("Server", format!("Docker/{} (linux)", visit.house.banner))
        .with("Swarm", "inactive")
}

fn version(visit: &Visit<'_>) -> String {
    let (version, kernel) = (&visit.house.banner, visit.house.persona.kernel(visit.frame.now).release);
    format!(
        "{{\"Platform\":{{\"Name\":\"\"}},\"Components\":[{{\"Name\":\"Engine\",\"Version\":\"{version}\",\"Details\":{{\"ApiVersion\":\"{API}\",\"Arch\":\"amd64\",\"BuildTime\":\"{BUILT}\",\
         \"Experimental\":\"false\",\"GitCommit\":\"411e817\",\"GoVersion\":\"go1.24.4\",\"KernelVersion\":\"{kernel}\",\"MinAPIVersion\":\"{API_MIN}\",\"Os\":\"linux\"}}}},\
         {{\"Name\":\"containerd\",\"Version\":\"1.7.24~ds1\",\"Details\":{{\"GitCommit\":\"1.7.24~ds1-6+deb13u1\"}}}},{{\"Name\":\"runc\",\"Version\":\"1.1.15+ds1\",\"Details\":{{\"GitCommit\":\"1.1.15+ds1-2+deb13u1\"}}}},\
         {{\"Name\":\"docker-init\",\"Version\":\"0.19.0\",\"Details\":{{\"GitCommit\":\"\"}}}}],\"Version\":\"{version}\",\"ApiVersion\":\"{API}\",\"MinAPIVersion\":\"{API_MIN}\",\"GitCommit\":\"411e817\",\"GoVersion\":\"go1.24.4\",\
         \"Os\":\"linux\",\"Arch\":\"amd64\",\"KernelVersion\":\"{kernel}\",\"BuildTime\":\"{BUILT}\"}}\n"
    )
}

fn info(visit: &Visit<'_>) -> String {
    let persona = &visit.house.persona;
    let machine = persona.machine();
    format!(
        "{{\"ID\":\"{id}\",\"Containers\":{containers},\"ContainersRunning\":{containers},\"ContainersPaused\":0,\"ContainersStopped\":0,\"Images\":{images},\"Driver\":\"overlay2\",\
         \"DriverStatus\":[[\"Backing Filesystem\",\"extfs\"],[\"Supports d_type\",\"true\"],[\"Using metacopy\",\"false\"],[\"Native Overlay Diff\",\"true\"],[\"userxattr\",\"false\"]],\
         \"Plugins\":{{\"Volume\":[\"local\"],\"Network\":[\"bridge\",\"host\",\"ipvlan\",\"macvlan\",\"null\",\"overlay\"],\"Authorization\":null,\"Log\":[\"awslogs\",\"fluentd\",\"gcplogs\",\"gelf\",\"journald\",\"json-file\",\"local\",\"splunk\",\"syslog\"]}},\
         \"MemoryLimit\":true,\"SwapLimit\":true,\"CpuCfsPeriod\":true,\"CpuCfsQuota\":true,\"CPUShares\":true,\"CPUSet\":true,\"PidsLimit\":true,\"IPv4Forwarding\":true,\"BridgeNfIptables\":true,\"BridgeNfIp6tables\":true,\
         \"Debug\":false,\"NFd\":22,\"OomKillDisable\":false,\"NGoroutines\":36,\"LoggingDriver\":\"json-file\",\"CgroupDriver\":\"systemd\",\"CgroupVersion\":\"2\",\"NEventsListener\":0,\
         \"KernelVersion\":\"{kernel}\",\"OperatingSystem\":\"Debian GNU/Linux 13 (trixie)\",\"OSVersion\":\"13\",\"OSType\":\"linux\",\"Architecture\":\"x86_64\",\"IndexServerAddress\":\"https://index.docker.io/v1/\",\
         \"RegistryConfig\":{{\"AllowNondistributableArtifactsCIDRs\":null,\"AllowNondistributableArtifactsHostnames\":null,\"InsecureRegistryCIDRs\":[\"127.0.0.0/8\"],\"IndexConfigs\":{{\"docker.io\":{{\"Name\":\"docker.io\",\"Mirrors\":[],\"Secure\":true,\"Official\":true}}}},\"Mirrors\":null}},\
         \"NCPU\":{cores},\"MemTotal\":{memory},\"GenericResources\":null,\"DockerRootDir\":\"/var/lib/docker\",\"HttpProxy\":\"\",\"HttpsProxy\":\"\",\"NoProxy\":\"\",\"Name\":\"{host}\",\"Labels\":[],\"ExperimentalBuild\":false,\"ServerVersion\":\"{version}\",\
         \"Runtimes\":{{\"io.containerd.runc.v2\":{{\"path\":\"runc\"}},\"runc\":{{\"path\":\"runc\"}}}},\"DefaultRuntime\":\"runc\",\"Swarm\":{{\"NodeID\":\"\",\"NodeAddr\":\"\",\"LocalNodeState\":\"inactive\",\"ControlAvailable\":false,\"Error\":\"\",\"RemoteManagers\":null}},\
         \"LiveRestoreEnabled\":false,\"Isolation\":\"\",\"InitBinary\":\"docker-init\",\"SecurityOptions\":[\"name=apparmor\",\"name=seccomp,profile=builtin\",\"name=cgroupns\"],\
         \"Warnings\":[\"[DEPRECATION NOTICE]: API is accessible on http://0.0.0.0:2375 without encryption.\\n         Access to the remote API is equivalent to root access on the host. Refer\\n         to the 'Docker daemon attack surface' section in the documentation for\\n         more information: https://docs.docker.com/go/attack-surface/\"]}}\n",
        containers = containers::count(),
        images = images::IMAGES.len(),
        id = super::uuid(&visit.digits("docker id", 32)),
        kernel = persona.kernel(visit.frame.now).release,
        cores = machine.cores,
        memory = machine.memory_bytes(),
        host = persona.host(),
        version = visit.house.banner,
    )
}

/// The three that every engine makes.
fn networks(visit: &Visit<'_>) -> String {
    let booted = visit.house.persona.booted(visit.frame.now).0 / 1_000_000;
    let one = |name: &str, driver: &str, config: &str, options: &str| {
        format!(
            "{{\"Name\":\"{name}\",\"Id\":\"{}\",\"Created\":\"{}\",\"Scope\":\"local\",\"Driver\":\"{driver}\",\"EnableIPv6\":false,\"IPAM\":{{\"Driver\":\"default\",\"Options\":null,\"Config\":{config}}},\
             \"Internal\":false,\"Attachable\":false,\"Ingress\":false,\"ConfigFrom\":{{\"Network\":\"\"}},\"ConfigOnly\":false,\"Containers\":{{}},\"Options\":{{{options}}},\"Labels\":{{}}}}",
            visit.digits(name, 64),
            moment(booted + 9, visit.house.persona.number(name) % 1_000_000_000),
        )
    };
    let bridge = "\"com.docker.network.bridge.default_bridge\":\"true\",\"com.docker.network.bridge.enable_icc\":\"true\",\"com.docker.network.bridge.enable_ip_masquerade\":\"true\",\
        \"com.docker.network.bridge.host_binding_ipv4\":\"0.0.0.0\",\"com.docker.network.bridge.name\":\"docker0\",\"com.docker.network.driver.mtu\":\"1500\"";
    format!(
        "[{},{},{}]\n",
        one("bridge", "bridge", "[{\"Subnet\":\"172.17.0.0/16\",\"Gateway\":\"172.17.0.1\"}]", bridge),
        one("host", "host", "null", ""),
        one("none", "null", "null", "")
    )
}

/// Seconds since 1970 and nanoseconds, as Go writes them.
fn moment(seconds: u64, nanos: u64) -> String {
    let date = http_date(honeymesh_types::WallTime(seconds * 1_000_000));
    let mut words = date.split(' ').skip(1);
    let mut word = || words.next().unwrap_or_default();
    let (day, month, year, time) = (word(), word(), word(), word());
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| *name == month).unwrap_or(0) + 1;
    format!("{year}-{month:02}-{day}T{time}.{nanos:09}Z")
}

fn created(visit: &Visit<'_>) -> Reply {
    if let Some(text) = objection(visit) {
        return message(visit, "400 Bad Request", text);
    }
    if let Some((status, text)) = containers::objection(visit) {
        return message(visit, status, &text);
    }
    json(visit, "201 Created", format!("{{\"Id\":\"{}\",\"Warnings\":[]}}\n", containers::make(visit, "container")))
}

/// What the engine has against a container's description.
fn objection(visit: &Visit<'_>) -> Option<&'static str> {
    let body = visit.body.trim_ascii();
    objection_to_body(visit).or_else(|| match body {
        _ if body[1..body.len() - 1].trim_ascii().is_empty() => Some("config cannot be empty in order to create a container"),
        _ if member(body, "Image").is_none_or(|image| image.is_empty()) => Some("no command specified"),
        _ => None,
    })
}

/// What it has against the form of a description.
fn objection_to_body(visit: &Visit<'_>) -> Option<&'static str> {
    let body = visit.body.trim_ascii();
    if visit.asked.content == Content::Other && !body.is_empty() {
        return Some("unsupported Content-Type header (text/plain): must be 'application/json'");
    }
    match body {
        [] => Some("invalid JSON: got EOF while reading request body"),
        [b'{', .., b'}'] => None,
        [b'{', ..] => Some("invalid JSON: unexpected EOF"),
        _ => Some("invalid JSON: invalid character looking for beginning of value"),
    }
}

/// Says what it says while it fetches an image.
fn pulled(visit: &Visit<'_>) -> Reply {
    let named = |key: &str| visit.asked.query.split('&').find_map(|pair| pair.strip_prefix(key)).unwrap_or_default();
    let image = quoted(&named("fromImage=").replace("%2F", "/").replace("%3A", ":"), 200);
    let tag = if named("tag=").is_empty() { String::from("latest") } else { quoted(named("tag="), 100) };
    let layer = visit.own_digits("layer", 12);
    json(
        visit,
        "200 OK",
        format!(
            "{{\"status\":\"Pulling from {image}\",\"id\":\"{tag}\"}}\r\n{{\"status\":\"Pulling fs layer\",\"progressDetail\":{{}},\"id\":\"{layer}\"}}\r\n{{\"status\":\"Download complete\",\"progressDetail\":{{}},\"id\":\"{layer}\"}}\r\n\
             {{\"status\":\"Pull complete\",\"progressDetail\":{{}},\"id\":\"{layer}\"}}\r\n{{\"status\":\"Digest: sha256:{}\"}}\r\n{{\"status\":\"Status: Downloaded newer image for {image}:{tag}\"}}\r\n",
            visit.own_digits("digest", 64)
        ),
    )
}

/// What is asked of one container, image or command.
fn of_one(visit: &Visit<'_>, path: &str) -> Reply {
    let (kind, rest) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    match kind {
        "images" => of_image(visit, rest),
        "networks" | "volumes" if is_other(visit, rest) => {
            let (shown, is_network) = (quoted(rest, 128), kind == "networks");
            let text = if is_network { format!("network {shown} not found") } else { format!("get {shown}: no such volume") };
            message(visit, "404 Not Found", &text)
        }
        "containers" | "exec" if !rest.starts_with('/') && !rest.is_empty() => {
            let (id, verb) = rest.split_once('/').unwrap_or((rest, ""));
            if kind == "exec" { of_command(visit, id, verb) } else { of_container(visit, id, verb) }
        }
        _ => no_page(),
    }
}

/// Whether a network or a volume is asked for that is not there.
fn is_other(visit: &Visit<'_>, name: &str) -> bool {
    visit.asked.verb == "GET" && !name.contains('/') && !matches!(name, "" | "bridge" | "host" | "none")
}

/// Nobody's words: without what the engine says of itself.
fn no_page() -> Reply {
    Reply::new("404 Not Found", "", "{\"message\":\"page not found\"}\n").with("Content-Type", JSON)
}

fn of_container(visit: &Visit<'_>, id: &str, verb: &str) -> Reply {
    let asked = visit.asked.verb.as_str();
    if !VERBS.iter().any(|(method, verbs)| *method == asked && verbs.contains(&verb)) {
        return no_page();
    }
    let objection = match (asked, verb) {
        ("GET", "logs") if !is_streamed(visit) => Some("Bad parameters: you must choose at least one stream"),
        ("POST", "exec") => exec_objection(visit),
        _ => None,
    };
    if let Some(text) = objection {
        return message(visit, "400 Bad Request", text);
    }
    let shown = quoted(id, 128);
    let Some(known) = containers::find(visit, id) else {
        let before = if (asked, verb) == ("POST", "kill") { format!("cannot kill container: {shown}: ") } else { String::new() };
        return message(visit, "404 Not Found", &format!("{before}No such container: {shown}"));
    };
    match (asked, verb, &known) {
        ("GET", "json", Known::Own(container)) => json(visit, "200 OK", container.inspected(visit)),
        ("GET", "top", Known::Own(container)) => json(visit, "200 OK", container.processes(visit)),
        ("GET", "changes", Known::Own(_)) => json(visit, "200 OK", "null\n".into()),
        // It runs already.
        ("POST", "start", Known::Own(_)) => done(visit, "304 Not Modified"),
        ("DELETE", "", Known::Own(container)) if !containers::is_forced(visit) => message(
            visit,
            "409 Conflict",
            &format!(
                "cannot remove container \\\"/{}\\\": container is running: stop the container before removing or force remove",
                container.name()
            ),
        ),
        ("POST", "exec", _) => json(visit, "201 Created", format!("{{\"Id\":\"{}\"}}\n", containers::make(visit, "exec"))),
        ("POST", "start" | "stop" | "kill" | "restart" | "pause" | "unpause" | "rename", _) | ("DELETE", "", _) => {
            done(visit, "204 No Content")
        }
        ("POST", "resize", _) | ("PUT", "archive", _) => done(visit, "200 OK"),
        ("POST", "wait", _) => json(visit, "200 OK", "{\"StatusCode\":0}\n".into()),
        ("POST", "attach", _) => upgraded(visit),
        ("GET", "logs", _) => json(visit, "200 OK", String::new()),
        // What a stranger made has ended by now, and was removed.
        ("GET" | "HEAD", _, Known::Made) => message(visit, "404 Not Found", &format!("No such container: {shown}")),
        _ => no_page(),
    }
}

/// What can be asked of a container, each in its way.
const VERBS: [(&str, &[&str]); 5] = [
    ("GET", &["json", "top", "logs", "changes", "stats", "export", "archive", "attach/ws"]),
    ("HEAD", &["archive"]),
    ("POST", &["start", "stop", "kill", "restart", "pause", "unpause", "rename", "resize", "wait", "attach", "exec", "update"]),
    ("PUT", &["archive"]),
    ("DELETE", &[""]),
];

/// Whether one of the two streams is wanted.
fn is_streamed(visit: &Visit<'_>) -> bool {
    let is_true = |value: &str| !matches!(value, "" | "0" | "no" | "false" | "none");
    let pairs = visit.asked.query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().any(|(name, value)| matches!(name, "stdout" | "stderr") && is_true(value))
}

/// What the engine has against a command.
fn exec_objection(visit: &Visit<'_>) -> Option<&'static str> {
    let has_command = member(visit.body, "Cmd").is_some_and(|command| !matches!(command.as_slice(), b"[]" | b"null"));
    let of_body = if visit.body.trim_ascii().is_empty() { None } else { objection_to_body(visit) };
    of_body.or((!has_command).then_some("No exec command specified"))
}

fn of_command(visit: &Visit<'_>, id: &str, verb: &str) -> Reply {
    let shown = quoted(id, 128);
    if !containers::is_made(visit, "exec", id) {
        return message(visit, "404 Not Found", &format!("No such exec instance: {shown}"));
    }
    match (visit.asked.verb.as_str(), verb) {
        ("POST", "start") => upgraded(visit),
        ("POST", "resize") => done(visit, "200 OK"),
        ("GET", "json") => json(visit, "200 OK", format!("{{\"ID\":\"{shown}\",\"Running\":false,\"ExitCode\":0}}\n")),
        _ => no_page(),
    }
}

fn of_image(visit: &Visit<'_>, rest: &str) -> Reply {
    let asked = visit.asked.verb.as_str();
    let name = match asked {
        "DELETE" => rest,
        _ => rest.rsplit_once('/').map_or("", |(name, _)| name),
    };
    if name.is_empty() || !matches!((asked, rest.rsplit('/').next()), ("GET" | "HEAD", Some("json" | "history")) | ("DELETE", _))
    {
        return no_page();
    }
    match (asked, images::find(visit, name)) {
        (_, None) => message(visit, "404 Not Found", &format!("No such image: {}", images::tagged(name))),
        ("DELETE", Some(image)) => {
            let (status, text) = images::removed(image, visit);
            json(visit, status, text)
        }
        (_, Some(image)) => json(visit, "200 OK", image.inspected(visit)),
    }
}

/// From now on it would be the container's words; it has none, and the connection ends.
fn upgraded(visit: &Visit<'_>) -> Reply {
    if visit.asked.version != super::super::request::Version::Http11 {
        return json(visit, "200 OK", String::new());
    }
    Reply::new("101 UPGRADED", "", "")
        .with("Content-Type", "application/vnd.docker.raw-stream")
        .with("Connection", "Upgrade")
        .with("Upgrade", "tcp")
}
