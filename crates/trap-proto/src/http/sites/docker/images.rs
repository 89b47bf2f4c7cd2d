//! The images that the engine has.

use super::{
    super::{Visit, quoted},
    containers, moment,
};
use alloc::{format, string::String, vec::Vec};

/// An image of the machine's own. None declares a volume: the engine has none.
pub(super) struct Image {
    pub(super) name: &'static str,
    /// Seconds since 1970, and bytes.
    created: u64,
    bytes: u64,
    /// What it starts, with what, and as whom.
    pub(super) entrypoint: &'static str,
    pub(super) command: &'static [&'static str],
    pub(super) environment: &'static [&'static str],
    pub(super) user: &'static str,
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) const NGINX: Image = Image {
    name: "nginx:1.29",
    created: 1_760_544_512,
    bytes: 152_331_104,
    entrypoint: "/docker-entrypoint.sh",
    command: &["nginx", "-g", "daemon off;"],
    environment: &[PATH, "NGINX_VERSION=1.29.2"],
    user: "",
};

pub(super) const MEMCACHED: Image = Image {
    name: "memcached:1.6",
    created: 1_759_190_224,
    bytes: 84_917_340,
    entrypoint: "docker-entrypoint.sh",
    command: &["memcached"],
    environment: &[PATH, "MEMCACHED_VERSION=1.6.39"],
    user: "memcache",
};

const ALPINE: Image = Image {
    name: "alpine:3.22",
    created: 1_752_618_003,
    bytes: 8_311_280,
    entrypoint: "",
    command: &["/bin/sh"],
    environment: &[PATH],
    user: "",
};

pub(super) const IMAGES: [Image; 3] = [NGINX, MEMCACHED, ALPINE];

impl Image {
    pub(super) fn id(&self, visit: &Visit<'_>) -> String {
        visit.digits(self.name, 64)
    }

    fn line(&self, visit: &Visit<'_>, containers: i32) -> String {
        format!(
            "{{\"Containers\":{containers},\"Created\":{},\"Id\":\"sha256:{}\",\"Labels\":null,\"ParentId\":\"\",\"RepoDigests\":[],\"RepoTags\":[\"{}\"],\"SharedSize\":{},\"Size\":{}}}",
            self.created,
            self.id(visit),
            self.name,
            containers.min(0),
            self.bytes,
        )
    }

    /// Everything about it.
    pub(super) fn inspected(&self, visit: &Visit<'_>) -> String {
        let layer = visit.digits(&format!("docker layer of {}", self.name), 64);
        format!(
            "{{\"Id\":\"sha256:{id}\",\"RepoTags\":[\"{name}\"],\"RepoDigests\":[],\"Parent\":\"\",\"Comment\":\"buildkit.dockerfile.v0\",\"Created\":\"{created}\",\"DockerVersion\":\"\",\"Author\":\"\",\
             \"Config\":{{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"{user}\",\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false,\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\
             \"Env\":[{environment}],\"Cmd\":[{command}],\"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"/\",\"Entrypoint\":{entrypoint},\"OnBuild\":null,\"Labels\":null}},\
             \"Architecture\":\"amd64\",\"Os\":\"linux\",\"Size\":{bytes},\"GraphDriver\":{{\"Data\":{{\"MergedDir\":\"/var/lib/docker/overlay2/{layer}/merged\",\"UpperDir\":\"/var/lib/docker/overlay2/{layer}/diff\",\
             \"WorkDir\":\"/var/lib/docker/overlay2/{layer}/work\"}},\"Name\":\"overlay2\"}},\"RootFS\":{{\"Type\":\"layers\",\"Layers\":[\"sha256:{layer}\"]}},\"Metadata\":{{\"LastTagTime\":\"0001-01-01T00:00:00Z\"}}}}\n",
            id = self.id(visit),
            name = self.name,
            created = moment(self.created, 0),
            bytes = self.bytes,
            user = self.user,
            environment = containers::texts(self.environment),
            command = containers::texts(self.command),
            entrypoint = if self.entrypoint.is_empty() { String::from("null") } else { format!("[\"{}\"]", self.entrypoint) },
        )
    }
}

/// The image of this name, or of a number that begins so.
pub(super) fn find(visit: &Visit<'_>, name: &str) -> Option<&'static Image> {
    let plain = name.trim_start_matches("docker.io/").trim_start_matches("library/");
    let digits = name.strip_prefix("sha256:").unwrap_or(name);
    let is_number = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    IMAGES.iter().find(|image| image.name == plain || (is_number && image.id(visit).starts_with(digits)))
}

/// A name as the engine repeats it, which has always a tag.
pub(super) fn tagged(name: &str) -> String {
    let name = quoted(name, 200);
    let is_tagged = name.rsplit('/').next().is_some_and(|last| last.contains(':')) || name.contains('@');
    if is_tagged { name } else { name + ":latest" }
}

/// All of them, as a list shows them.
pub(super) fn list(visit: &Visit<'_>) -> String {
    let all: Vec<String> = IMAGES.iter().map(|image| image.line(visit, -1)).collect();
    format!("[{}]\n", all.join(","))
}

/// What takes how much room.
pub(super) fn room(visit: &Visit<'_>) -> String {
    let used = |image: &Image| i32::from(containers::of_image(image).is_some());
    let all: Vec<String> = IMAGES.iter().map(|image| image.line(visit, used(image))).collect();
    let containers = containers::list(visit);
    format!(
        "{{\"LayersSize\":{},\"Images\":[{}],\"Containers\":{},\"Volumes\":[],\"BuildCache\":[]}}\n",
        IMAGES.iter().map(|image| image.bytes).sum::<u64>(),
        all.join(","),
        containers.trim_ascii_end()
    )
}

/// What stands in the way of removing it, or what was removed.
pub(super) fn removed(image: &Image, visit: &Visit<'_>) -> (&'static str, String) {
    let short = |id: String| String::from(id.get(..containers::SHORT_DIGITS).unwrap_or_default());
    match containers::of_image(image) {
        Some(container) => (
            "409 Conflict",
            format!(
                "{{\"message\":\"conflict: unable to remove repository reference \\\"{}\\\" (must force) - container {} is using its referenced image {}\"}}\n",
                image.name,
                short(container.id(visit)),
                short(image.id(visit))
            ),
        ),
        None => ("200 OK", format!("[{{\"Untagged\":\"{}\"}},{{\"Deleted\":\"sha256:{}\"}}]\n", image.name, image.id(visit))),
    }
}
