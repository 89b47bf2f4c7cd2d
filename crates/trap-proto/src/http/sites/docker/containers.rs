//! The engine's containers: two of the machine's own, which run since its last start, and those that strangers were told they made.
//!
//! Nothing is kept of the latter: their numbers tell that they were given out here.

use super::{
    super::{Visit, quoted},
    images::{self, Image},
    moment,
};
use crate::{persona::derived, text::hex};
use alloc::{format, string::String, vec::Vec};

/// Hexadecimal digits of a number that are its own; the others follow from them and from a key of the machine.
const OWN_DIGITS: usize = 6;
/// What the engine shows of a number, and at least so much is believed of one that was given out.
pub(super) const SHORT_DIGITS: usize = 12;
const DIGITS: usize = 64;
/// The longest name in an answer, in characters.
const NAME_CHARS_MAX: usize = 128;
/// Seconds from the machine's start until its containers run.
const START_SECONDS: u64 = 14;
/// When they were made: between the ages of their images and this year's spring.
const MADE_FROM: u64 = 1_768_003_200;
const MADE_WITHIN: u64 = 80 * 86_400;

/// A container of the machine's own.
pub(super) struct Container {
    name: &'static str,
    image: &'static Image,
    port: u16,
    /// Where that is reached on the machine itself, and nowhere else.
    published: Option<u16>,
    /// The last octet of its address.
    host: u8,
    /// Whose its process is, and what that calls itself.
    process: (&'static str, &'static str),
}

const CONTAINERS: [Container; 2] = [
    Container {
        name: "web",
        image: &images::NGINX,
        port: 80,
        published: Some(8080),
        host: 3,
        process: ("root", "nginx: master process nginx -g daemon off;"),
    },
    Container {
        name: "cache",
        image: &images::MEMCACHED,
        port: 11_211,
        published: None,
        host: 2,
        process: ("11211", "memcached"),
    },
];

/// What a name or a number is.
pub(super) enum Known {
    Own(&'static Container),
    /// It was given to a stranger.
    Made,
}

/// The container of this name, or of a number that begins so.
pub(super) fn find(visit: &Visit<'_>, id: &str) -> Option<Known> {
    let name = id.strip_prefix('/').unwrap_or(id);
    let mut fitting = CONTAINERS.iter().filter(|container| container.name == name || begins(&container.id(visit), id));
    match (fitting.next(), fitting.next()) {
        (Some(container), None) => Some(Known::Own(container)),
        _ => is_made(visit, "container", id).then_some(Known::Made),
    }
}

fn begins(number: &str, id: &str) -> bool {
    !id.is_empty() && number.starts_with(id)
}

/// A new number for a container or a command, which [`is_made`] knows again.
pub(super) fn make(visit: &Visit<'_>, kind: &str) -> String {
    number(visit, kind, &visit.own_digits(kind, OWN_DIGITS))
}

/// Whether this is the beginning of a number that [`make`] gave out. Whoever makes one up has a chance of one in sixteen million.
pub(super) fn is_made(visit: &Visit<'_>, kind: &str, id: &str) -> bool {
    let own = id.get(..OWN_DIGITS).filter(|_| (SHORT_DIGITS..=DIGITS).contains(&id.len()));
    own.is_some_and(|own| number(visit, kind, own).starts_with(id))
}

fn number(visit: &Visit<'_>, kind: &str, own: &str) -> String {
    let mut digits =
        String::from(own) + &hex(&derived(&visit.house.persona.key("docker numbers"), &[kind.as_bytes(), own.as_bytes()]));
    digits.truncate(DIGITS);
    digits
}

/// What the engine has against the name of a new container.
pub(super) fn objection(visit: &Visit<'_>) -> Option<(&'static str, String)> {
    let name = visit.asked.query.split('&').find_map(|pair| pair.strip_prefix("name="))?;
    let plain = name.strip_prefix('/').or_else(|| name.strip_prefix("%2F")).unwrap_or(name);
    if plain.is_empty() {
        return None;
    }
    if let Some(container) = CONTAINERS.iter().find(|container| container.name == plain) {
        let (name, id) = (container.name, container.id(visit));
        return Some((
            "409 Conflict",
            format!(
                "Conflict. The container name \\\"/{name}\\\" is already in use by container \\\"{id}\\\". You have to remove (or rename) \
                 that container to be able to reuse that name."
            ),
        ));
    }
    let sound = |(at, byte): (usize, u8)| byte.is_ascii_alphanumeric() || (at > 0 && matches!(byte, b'_' | b'.' | b'-'));
    let is_sound = plain.len() > 1 && plain.bytes().enumerate().all(sound);
    (!is_sound).then(|| {
        let name = quoted(plain, NAME_CHARS_MAX);
        ("400 Bad Request", format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"))
    })
}

/// All of them, as a list shows them.
pub(super) fn list(visit: &Visit<'_>) -> String {
    let all: Vec<String> = CONTAINERS.iter().map(|container| container.line(visit)).collect();
    format!("[{}]\n", all.join(","))
}

/// How many run.
pub(super) const fn count() -> usize {
    CONTAINERS.len()
}

/// The one that runs from an image.
pub(super) fn of_image(image: &Image) -> Option<&'static Container> {
    CONTAINERS.iter().find(|container| container.image.name == image.name)
}

/// The words of a list in JSON.
pub(super) fn texts(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(",")
}

impl Container {
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn id(&self, visit: &Visit<'_>) -> String {
        visit.digits(&format!("docker container {}", self.name), DIGITS)
    }

    fn started(&self, visit: &Visit<'_>) -> u64 {
        visit.house.persona.booted(visit.frame.now).0 / 1_000_000 + START_SECONDS - u64::from(self.host)
    }

    fn made(&self, visit: &Visit<'_>) -> u64 {
        MADE_FROM + visit.house.persona.number("docker made") % MADE_WITHIN - 300 * u64::from(self.host)
    }

    fn nanos(&self, visit: &Visit<'_>, of: &str) -> u64 {
        visit.house.persona.number(&format!("docker {of} {}", self.name)) % 1_000_000_000
    }

    fn network(&self, visit: &Visit<'_>) -> String {
        format!(
            "\"bridge\":{{\"IPAMConfig\":null,\"Links\":null,\"Aliases\":null,\"MacAddress\":\"02:42:ac:11:00:{host:02x}\",\"NetworkID\":\"{network}\",\"EndpointID\":\"{endpoint}\",\
             \"Gateway\":\"172.17.0.1\",\"IPAddress\":\"172.17.0.{host}\",\"IPPrefixLen\":16,\"IPv6Gateway\":\"\",\"GlobalIPv6Address\":\"\",\"GlobalIPv6PrefixLen\":0,\"DriverOpts\":null,\"DNSNames\":null}}",
            host = self.host,
            network = visit.digits("bridge", DIGITS),
            endpoint = visit.digits(&format!("docker endpoint {}", self.name), DIGITS),
        )
    }

    fn line(&self, visit: &Visit<'_>) -> String {
        let port = self.published.map_or_else(
            || format!("{{\"PrivatePort\":{},\"Type\":\"tcp\"}}", self.port),
            |own| format!("{{\"IP\":\"127.0.0.1\",\"PrivatePort\":{},\"PublicPort\":{own},\"Type\":\"tcp\"}}", self.port),
        );
        format!(
            "{{\"Id\":\"{id}\",\"Names\":[\"/{name}\"],\"Image\":\"{image}\",\"ImageID\":\"sha256:{image_id}\",\"Command\":\"{command}\",\"Created\":{made},\"Ports\":[{port}],\"Labels\":{{}},\
             \"State\":\"running\",\"Status\":\"Up {up}\",\"HostConfig\":{{\"NetworkMode\":\"default\"}},\"NetworkSettings\":{{\"Networks\":{{{network}}}}},\"Mounts\":[]}}",
            id = self.id(visit),
            name = self.name,
            image = self.image.name,
            image_id = self.image.id(visit),
            command = self.shown_command(),
            made = self.made(visit),
            up = ago((visit.frame.now.0 / 1_000_000).saturating_sub(self.started(visit))),
            network = self.network(visit),
        )
    }

    /// As the list shows it: words with spaces between quotation marks.
    fn shown_command(&self) -> String {
        self.image.command.iter().fold(String::from(self.image.entrypoint), |shown, word| {
            if word.contains(' ') { shown + " '" + word + "'" } else { shown + " " + word }
        })
    }

    /// Everything about it.
    pub(super) fn inspected(&self, visit: &Visit<'_>) -> String {
        let (id, image_id) = (self.id(visit), self.image.id(visit));
        let folder = format!("/var/lib/docker/containers/{id}");
        let bindings = self.published.map_or_else(String::new, |port| {
            format!("\"{}/tcp\":[{{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"{port}\"}}]", self.port)
        });
        let ports = if bindings.is_empty() { format!("\"{}/tcp\":null", self.port) } else { bindings.clone() };
        let layer = visit.digits(&format!("docker layer {}", self.name), DIGITS);
        format!(
            "{{\"Id\":\"{id}\",\"Created\":\"{made}\",\"Path\":\"{entrypoint}\",\"Args\":[{arguments}],\"State\":{{\"Status\":\"running\",\"Running\":true,\"Paused\":false,\"Restarting\":false,\
             \"OOMKilled\":false,\"Dead\":false,\"Pid\":{pid},\"ExitCode\":0,\"Error\":\"\",\"StartedAt\":\"{started}\",\"FinishedAt\":\"{finished}\"}},\"Image\":\"sha256:{image_id}\",\
             \"ResolvConfPath\":\"{folder}/resolv.conf\",\"HostnamePath\":\"{folder}/hostname\",\"HostsPath\":\"{folder}/hosts\",\"LogPath\":\"{folder}/{id}-json.log\",\"Name\":\"/{name}\",\
             \"RestartCount\":0,\"Driver\":\"overlay2\",\"Platform\":\"linux\",\"MountLabel\":\"\",\"ProcessLabel\":\"\",\"AppArmorProfile\":\"docker-default\",\"ExecIDs\":null,{host_config},\
             \"GraphDriver\":{{\"Data\":{{\"LowerDir\":\"/var/lib/docker/overlay2/{layer}-init/diff\",\"MergedDir\":\"/var/lib/docker/overlay2/{layer}/merged\",\"UpperDir\":\"/var/lib/docker/overlay2/{layer}/diff\",\
             \"WorkDir\":\"/var/lib/docker/overlay2/{layer}/work\"}},\"Name\":\"overlay2\"}},\"Mounts\":[],\"Config\":{{\"Hostname\":\"{short}\",\"Domainname\":\"\",\"User\":\"{user}\",\"AttachStdin\":false,\"AttachStdout\":false,\
             \"AttachStderr\":false,\"ExposedPorts\":{{\"{port}/tcp\":{{}}}},\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":[{environment}],\"Cmd\":[{arguments}],\"Image\":\"{image}\",\
             \"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":[\"{entrypoint}\"],\"OnBuild\":null,\"Labels\":{{}}}},\"NetworkSettings\":{{\"Bridge\":\"\",\"SandboxID\":\"{sandbox}\",\
             \"SandboxKey\":\"/var/run/docker/netns/{sandbox_short}\",\"Ports\":{{{ports}}},\"HairpinMode\":false,\"LinkLocalIPv6Address\":\"\",\"LinkLocalIPv6PrefixLen\":0,\"SecondaryIPAddresses\":null,\
             \"SecondaryIPv6Addresses\":null,\"EndpointID\":\"{endpoint}\",\"Gateway\":\"172.17.0.1\",\"GlobalIPv6Address\":\"\",\"GlobalIPv6PrefixLen\":0,\"IPAddress\":\"172.17.0.{host}\",\"IPPrefixLen\":16,\
             \"IPv6Gateway\":\"\",\"MacAddress\":\"02:42:ac:11:00:{host:02x}\",\"Networks\":{{{network}}}}}}}\n",
            made = moment(self.made(visit), self.nanos(visit, "made")),
            entrypoint = self.image.entrypoint,
            arguments = texts(self.image.command),
            pid = self.pid(visit),
            started = moment(self.started(visit), self.nanos(visit, "started")),
            finished = moment(self.started(visit) - 41, self.nanos(visit, "finished")),
            name = self.name,
            host_config = host_config(&bindings),
            short = id.get(..SHORT_DIGITS).unwrap_or_default(),
            user = self.image.user,
            port = self.port,
            environment = texts(self.image.environment),
            image = self.image.name,
            sandbox = visit.digits(&format!("docker sandbox {}", self.name), DIGITS),
            sandbox_short = visit.digits(&format!("docker sandbox {}", self.name), SHORT_DIGITS),
            endpoint = visit.digits(&format!("docker endpoint {}", self.name), DIGITS),
            host = self.host,
            network = self.network(visit),
        )
    }

    fn pid(&self, visit: &Visit<'_>) -> u64 {
        900 + visit.house.persona.number("docker pid") % 400 + 71 * u64::from(self.host)
    }

    /// Its processes.
    pub(super) fn processes(&self, visit: &Visit<'_>) -> String {
        let (user, title) = self.process;
        let started = moment(self.started(visit), 0);
        format!(
            "{{\"Processes\":[[\"{user}\",\"{pid}\",\"{parent}\",\"0\",\"{day}\",\"?\",\"00:00:03\",\"{title}\"]],\"Titles\":[\"UID\",\"PID\",\"PPID\",\"C\",\"STIME\",\"TTY\",\"TIME\",\"CMD\"]}}\n",
            pid = self.pid(visit),
            parent = self.pid(visit) - 22,
            day = day(&started),
        )
    }
}

/// As `ps` shows a day of this year: `Nov02`.
fn day(moment: &str) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = moment.get(5..7).and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(1);
    let name = months.get(month.wrapping_sub(1)).copied().unwrap_or("Jan");
    format!("{name}{}", moment.get(8..10).unwrap_or("01"))
}

/// How a machine's own container may use it: nothing special.
fn host_config(bindings: &str) -> String {
    format!(
        "\"HostConfig\":{{\"Binds\":null,\"ContainerIDFile\":\"\",\"LogConfig\":{{\"Type\":\"json-file\",\"Config\":{{}}}},\"NetworkMode\":\"default\",\"PortBindings\":{{{bindings}}},\
         \"RestartPolicy\":{{\"Name\":\"always\",\"MaximumRetryCount\":0}},\"AutoRemove\":false,\"VolumeDriver\":\"\",\"VolumesFrom\":null,\"ConsoleSize\":[0,0],\"CapAdd\":null,\"CapDrop\":null,\"CgroupnsMode\":\"private\",\
         \"Dns\":[],\"DnsOptions\":[],\"DnsSearch\":[],\"ExtraHosts\":null,\"GroupAdd\":null,\"IpcMode\":\"private\",\"Cgroup\":\"\",\"Links\":null,\"OomScoreAdj\":0,\"PidMode\":\"\",\"Privileged\":false,\
         \"PublishAllPorts\":false,\"ReadonlyRootfs\":false,\"SecurityOpt\":null,\"UTSMode\":\"\",\"UsernsMode\":\"\",\"ShmSize\":67108864,\"Runtime\":\"runc\",\"Isolation\":\"\",\"CpuShares\":0,\"Memory\":0,\"NanoCpus\":0,\
         \"CgroupParent\":\"\",\"BlkioWeight\":0,\"BlkioWeightDevice\":[],\"BlkioDeviceReadBps\":[],\"BlkioDeviceWriteBps\":[],\"BlkioDeviceReadIOps\":[],\"BlkioDeviceWriteIOps\":[],\"CpuPeriod\":0,\"CpuQuota\":0,\
         \"CpuRealtimePeriod\":0,\"CpuRealtimeRuntime\":0,\"CpusetCpus\":\"\",\"CpusetMems\":\"\",\"Devices\":[],\"DeviceCgroupRules\":null,\"DeviceRequests\":null,\"MemoryReservation\":0,\"MemorySwap\":0,\
         \"MemorySwappiness\":null,\"OomKillDisable\":null,\"PidsLimit\":null,\"Ulimits\":[],\"CpuCount\":0,\"CpuPercent\":0,\"IOMaximumIOps\":0,\"IOMaximumBandwidth\":0,\
         \"MaskedPaths\":[\"/proc/asound\",\"/proc/acpi\",\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\",\"/proc/scsi\",\"/sys/firmware\",\"/sys/devices/virtual/powercap\"],\
         \"ReadonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]}}"
    )
}

/// How long something lasts, in the engine's words.
fn ago(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds + 1_800) / 3_600);
    let days = hours / 24;
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".into(),
        (1, ..) => "1 second".into(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".into(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (.., 0 | 1) => "About an hour".into(),
        (.., 2..48) => format!("{hours} hours"),
        (.., 48..336) => format!("{days} days"),
        (.., 336..1_440) => format!("{} weeks", days / 7),
        _ => format!("{} months", days / 30),
    }
}

/// Whether it is to be removed even while it runs.
pub(super) fn is_forced(visit: &Visit<'_>) -> bool {
    visit.asked.query.split('&').any(|pair| matches!(pair, "force=1" | "force=true" | "force=True"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_something_lasts_is_said_as_the_engine_says_it() {
        let table = [
            (0, "Less than a second"),
            (59, "59 seconds"),
            (61, "About a minute"),
            (3_599, "59 minutes"),
            (3_600, "About an hour"),
            (7_000, "2 hours"),
            (47 * 3_600, "47 hours"),
            (13 * 86_400, "13 days"),
            (14 * 86_400, "2 weeks"),
            (61 * 86_400, "2 months"),
        ];
        for (seconds, words) in table {
            assert_eq!(ago(seconds), words, "{seconds}");
        }
    }
}
