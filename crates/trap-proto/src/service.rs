//! The services a trap can play, made from an operator's words.

use crate::{
    Adb, Any, Babble, DefinitionError, Dns, Ftp, Http, Imap, Lure, Memcached, Modbus, Mqtt, Mysql, Ntp, Persona, Pop3,
    Postgresql, Redis, RsaHostKey, Script, ScriptDefinition, Session, Sip, Site, Smtp, Snmp, Ssdp, Ssh, SshCurves, Telnet, Tftp,
    TlsManner, Vnc,
    datagram::Closed,
    ntlm::Placed,
    tls::{DOVECOT_ALERT, Mute, Secured},
};
use alloc::{
    boxed::Box,
    string::{String, ToString},
    sync::Arc,
};
use honeymesh_types::Transport;

/// The longest banner an operator may configure for `ssh`, `http` and `ftp`, in bytes.
pub const BANNER_BYTES_MAX: usize = 200;

/// One `[[trap]]` as an operator writes it, without its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Definition {
    /// One of [`Service::NAMES`].
    pub service: String,
    /// What the service calls itself: for `ssh` the whole identification line without its end
    /// (`SSH-2.0-OpenSSH_10.0p2 …`), for `http` see [`Site::banner`], for `ftp` the text after
    /// `220 ` (`(vsFTPd 3.0.5)`), for `script` everything that is sent first, as it is. `None`: the usual one.
    pub banner: Option<String>,
    /// Only for `telnet`, `ssh` and `ftp`: which try is let in, 1 to [`TRIES_MAX`](crate::TRIES_MAX),
    /// [`SSH_TRIES_MAX`](crate::SSH_TRIES_MAX) or [`FTP_TRIES_MAX`](crate::FTP_TRIES_MAX); 0: none is, and with `ftp` the nameless are not
    /// either. `None`: the usual one, with `ssh` none, with `ftp` the nameless alone. For `mqtt` and `adb`: 1:
    /// everybody is let in; 0: nobody is.
    pub let_in: Option<u8>,
    /// `udp`, `tcp` or `both`, for a service that has both ([`Service::transports`]). `None`: the usual.
    pub transport: Option<String>,
    /// Only for `http` and `https`: one of [`Site::NAMES`]. `None`: `login`.
    pub site: Option<String>,
    /// Answers drip slowly, and an SSH server's greeting never comes. Only for a service that is spoken over TCP: of one with both transports,
    /// datagrams are answered as always.
    pub tarpit: bool,
    /// Only for `script`: the rest.
    pub script: ScriptDefinition,
}

/// What a trap plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// An SSH server.
    Ssh(Ssh),
    /// A web server with a login page.
    Http(Http),
    /// The same behind TLS.
    Https(Http),
    /// Elasticsearch without a password.
    Elasticsearch(Http),
    /// Docker's API without TLS.
    Docker(Http),
    /// The API of Kubernetes, behind TLS.
    Kubernetes(Http),
    /// An FTP server that takes what the nameless bring.
    Ftp(Ftp),
    /// A telnet login as devices have it.
    Telnet(Telnet),
    /// A mail server that takes every letter and passes none on.
    Smtp(Smtp),
    /// The same behind TLS.
    Smtps(Smtp),
    /// A POP3 server that refuses every login.
    Pop3(Pop3),
    /// The same behind TLS.
    Pop3s(Pop3),
    /// An IMAP server that refuses every login.
    Imap(Imap),
    /// The same behind TLS.
    Imaps(Imap),
    /// A Redis server without a password.
    Redis(Redis),
    /// A memcached that anybody may use.
    Memcached(Memcached),
    /// A MySQL server that refuses every login.
    Mysql(Mysql),
    /// A PostgreSQL server that refuses every login.
    Postgresql(Postgresql),
    /// An MQTT broker that passes nothing on.
    Mqtt(Mqtt),
    /// A controller that speaks Modbus/TCP.
    Modbus(Modbus),
    /// A television box with an open debugging port.
    Adb(Adb),
    /// A VNC server that refuses every password.
    Vnc(Vnc),
    /// A name server that refuses recursion.
    Dns(Dns),
    /// A time server.
    Ntp(Ntp),
    /// An SNMP agent with communities that everybody tries.
    Snmp(Snmp),
    /// A TFTP server without a file, which takes what is brought.
    Tftp(Tftp),
    /// A telephone exchange that lets nobody in.
    Sip(Sip),
    /// A device that can be found by UPnP.
    Ssdp(Ssdp),
    /// An SQL Server that refuses every login.
    Mssql(crate::Mssql),
    /// A file server that lets nobody in.
    Smb(crate::Smb),
    /// A remote desktop that lets nobody in.
    Rdp(crate::Rdp),
    /// A directory that nobody may log in to.
    Ldap(crate::Ldap),
    /// A MongoDB that asks nobody for a password.
    Mongodb(crate::Mongodb),
    /// Anything else, by the operator's own rules.
    Script(Script),
    /// Whatever the stranger speaks.
    Any(Any),
}

/// Why a definition is no service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// No service has this name.
    #[error("`{0}` is no service; there are {names}", names = names())]
    Unknown(String),
    /// Rules, frames or states were given to a service that has none.
    #[error("service `{0}` takes no rules; use service = \"script\" for a trap of your own")]
    NotScripted(String),
    /// A service that knows no login was told whom to let in.
    #[error("service `{0}` lets nobody in; leave `let_in` out")]
    LetsNobodyIn(String),
    /// A try that never comes.
    #[error("let_in: `{0}` is no try; write 1 to {1}, or 0 to let nobody in")]
    LetIn(u8, u8),
    /// Something else than a web server was told what to serve.
    #[error("service `{0}` serves no sites; leave `site` out, or use service = \"http\" or \"https\"")]
    NoSites(String),
    /// No site has this name.
    #[error("site: `{0}` is none; there are {sites}", sites = crate::Site::NAMES.join(", "))]
    UnknownSite(String),
    /// Neither yes nor no.
    #[error("let_in: `{0}` is neither; write 1 to let everybody in, or 0 to let nobody in")]
    LetInOrNot(u8),
    /// A banner was given to a service that does not speak first.
    #[error("service `{0}` lets the stranger speak first; leave the banner out")]
    Unspoken(String),
    /// A banner was given to a service whose protocol has no place for one.
    #[error("service `{0}` does not say what it is before a login; leave the banner out")]
    Nameless(String),
    /// A transport that this service has not.
    #[error("service `{0}` is spoken over {1} only; leave `transport` out, or write \"{1}\"")]
    OneTransport(String, &'static str),
    /// No transport.
    #[error("transport: `{0}` is not one of udp|tcp|both")]
    Transport(String),
    /// A service without connections was told to be slow.
    #[error("tarpit: service `{0}` is spoken over udp only, where no answer can drip; leave `tarpit` out")]
    NothingDrips(String),
    /// The banner cannot be sent.
    #[error("banner: {0}")]
    Banner(#[from] BannerError),
    /// The script is wrong.
    #[error(transparent)]
    Script(#[from] DefinitionError),
}

/// Why a text is no banner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BannerError {
    /// Nothing to send.
    #[error("it is empty; leave it out for the usual one")]
    Empty,
    /// Longer than [`BANNER_BYTES_MAX`].
    #[error("it is {0} bytes long; {BANNER_BYTES_MAX} are allowed")]
    Long(usize),
    /// Something that cannot stand in one line of this protocol.
    #[error("it has a character that cannot be sent: only printable ASCII in one line is allowed")]
    Characters,
    /// An SSH identification must say version 2.
    #[error("an SSH identification begins with `SSH-2.0-` and the software's name")]
    NotSsh,
    /// An SQL Server's version has three numbers.
    #[error("a version is numbers with points between them, such as 16.0.4225")]
    NotVersion,
}

/// The services whose protocols have no place for a banner.
const NAMELESS: &[&str] = &["postgresql", "vnc", "rdp", "ldap", "ntp", "snmp", "tftp"];
/// The services that may let somebody in.
const LETTING_IN: &[&str] = &["telnet", "ssh", "ftp", "mqtt", "adb"];

impl Service {
    /// The names of all services.
    pub const NAMES: &'static [&'static str] = &[
        "ssh",
        "http",
        "https",
        "ftp",
        "telnet",
        "smtp",
        "smtps",
        "pop3",
        "pop3s",
        "imap",
        "imaps",
        "redis",
        "memcached",
        "mysql",
        "postgresql",
        "vnc",
        "dns",
        "ntp",
        "snmp",
        "tftp",
        "sip",
        "ssdp",
        "elasticsearch",
        "docker",
        "kubernetes",
        "mssql",
        "smb",
        "rdp",
        "ldap",
        "mongodb",
        "mqtt",
        "modbus",
        "adb",
        "script",
        "any",
    ];

    /// The one door: an operator's definition as a service of the machine that `persona` is.
    ///
    /// # Errors
    /// Says what is wrong, for a rule with its number (from 1); nothing is changed.
    pub fn define(definition: &Definition, persona: &Persona) -> Result<Self, ServiceError> {
        let service = Self::plain(definition, persona)?.over(definition)?;
        if definition.tarpit && !service.transports().contains(&Transport::Tcp) {
            return Err(ServiceError::NothingDrips(definition.service.clone()));
        }
        Ok(service)
    }

    /// The same over the transports that the operator wants.
    fn over(self, definition: &Definition) -> Result<Self, ServiceError> {
        let Some(word) = definition.transport.as_deref() else { return Ok(self) };
        let wanted: &'static [Transport] = match word {
            "udp" => &[Transport::Udp],
            "tcp" => &[Transport::Tcp],
            "both" => &[Transport::Udp, Transport::Tcp],
            _ => return Err(ServiceError::Transport(word.to_string())),
        };
        match self {
            Self::Dns(dns) => Ok(Self::Dns(dns.over(wanted))),
            Self::Sip(sip) => Ok(Self::Sip(sip.over(wanted))),
            Self::Memcached(memcached) => Ok(Self::Memcached(memcached.over(wanted))),
            service if service.transports() == wanted => Ok(service),
            service => {
                let only = service.transports().first().map_or("", |transport| transport.as_str());
                Err(ServiceError::OneTransport(definition.service.clone(), only))
            }
        }
    }

    /// The service over its usual transports.
    fn plain(definition: &Definition, persona: &Persona) -> Result<Self, ServiceError> {
        let banner = definition.banner.as_deref();
        match definition.service.as_str() {
            "script" if definition.let_in.is_none() && definition.site.is_none() => {
                Ok(Self::Script(Script::new(banner, &definition.script)?))
            }
            name if !Self::NAMES.contains(&name) => Err(ServiceError::Unknown(name.to_string())),
            name if name != "script" && definition.script != ScriptDefinition::default() => {
                Err(ServiceError::NotScripted(name.to_string()))
            }
            name if definition.site.is_some() && !matches!(name, "http" | "https") => {
                Err(ServiceError::NoSites(name.to_string()))
            }
            name if definition.let_in.is_some() && !LETTING_IN.contains(&name) => {
                Err(ServiceError::LetsNobodyIn(name.to_string()))
            }
            "any" if banner.is_some() => Err(ServiceError::Unspoken("any".to_string())),
            name if banner.is_some() && NAMELESS.contains(&name) => Err(ServiceError::Nameless(name.to_string())),
            "mqtt" | "adb" if definition.let_in.is_some_and(|let_in| let_in > 1) => {
                Err(ServiceError::LetInOrNot(definition.let_in.unwrap_or_default()))
            }
            "mqtt" | "modbus" | "adb" => Self::thing(definition, persona),
            "postgresql" => Ok(Self::Postgresql(Postgresql)),
            "vnc" => Ok(Self::Vnc(Vnc)),
            name @ ("dns" | "ntp" | "snmp" | "tftp" | "sip" | "ssdp") => Self::datagrams(name, banner, persona),
            "mysql" => Ok(Self::Mysql(banner.map_or_else(|| Ok(Mysql::default()), Mysql::new)?.of(persona))),
            name @ ("mssql" | "smb" | "rdp" | "ldap" | "mongodb") => Self::wire(name, banner, persona),
            "any" => Ok(Self::Any(Any::like(&[], persona))),
            "http" => Ok(Self::Http(web(definition, site(definition)?, persona)?)),
            "https" => Ok(Self::Https(web(definition, site(definition)?, persona)?.secured())),
            "elasticsearch" => Ok(Self::Elasticsearch(web(definition, Site::Elasticsearch, persona)?)),
            "docker" => Ok(Self::Docker(web(definition, Site::Docker, persona)?)),
            "kubernetes" => Ok(Self::Kubernetes(web(definition, Site::Kubernetes, persona)?.secured())),
            "ssh" => Self::ssh(definition, persona),
            "telnet" => {
                let telnet = saying(Telnet::of(persona), banner, Telnet::named)?;
                Ok(Self::Telnet(match definition.let_in {
                    None => telnet,
                    Some(wrong) if wrong > crate::TRIES_MAX => return Err(ServiceError::LetIn(wrong, crate::TRIES_MAX)),
                    Some(let_in) => telnet.letting_in(let_in),
                }))
            }
            "smtp" => Ok(Self::Smtp(saying(Smtp::of(persona), banner, Smtp::saying)?)),
            "pop3" => Ok(Self::Pop3(saying(Pop3::default(), banner, Pop3::saying)?)),
            "imap" => Ok(Self::Imap(saying(Imap::default(), banner, Imap::saying)?)),
            "smtps" => Ok(Self::Smtps(saying(Smtp::of(persona), banner, Smtp::saying)?)),
            "pop3s" => Ok(Self::Pop3s(saying(Pop3::default(), banner, Pop3::saying)?)),
            "imaps" => Ok(Self::Imaps(saying(Imap::default(), banner, Imap::saying)?)),
            "redis" => Ok(Self::Redis(saying(Redis::of(persona), banner, Redis::saying)?)),
            "memcached" => Ok(Self::Memcached(saying(Memcached::of(persona), banner, Memcached::saying)?)),
            _ => Self::ftp(definition, persona),
        }
    }

    fn ftp(definition: &Definition, persona: &Persona) -> Result<Self, ServiceError> {
        let ftp = saying(Ftp::of(persona), definition.banner.as_deref(), Ftp::saying)?;
        match definition.let_in {
            None => Ok(Self::Ftp(ftp)),
            Some(wrong) if wrong > crate::FTP_TRIES_MAX => Err(ServiceError::LetIn(wrong, crate::FTP_TRIES_MAX)),
            Some(let_in) => Ok(Self::Ftp(ftp.letting_in(let_in))),
        }
    }

    /// The services that are spoken to in datagrams.
    fn datagrams(name: &str, banner: Option<&str>, persona: &Persona) -> Result<Self, ServiceError> {
        Ok(match name {
            "dns" => Self::Dns(
                banner.map_or_else(|| Ok(Dns::default()), Dns::new)?.on_host(persona.host()).keeping(persona.key("dns")),
            ),
            "ntp" => Self::Ntp(Ntp::of(persona)),
            "snmp" => Self::Snmp(Snmp),
            "tftp" => Self::Tftp(Tftp),
            "sip" => Self::Sip(banner.map_or_else(|| Ok(Sip::default()), Sip::new)?.keeping(persona.key("sip"))),
            _ => Self::Ssdp(banner.map_or_else(|| Ok(Ssdp::default()), Ssdp::new)?.of(persona)),
        })
    }

    /// The things of a house and a factory.
    fn thing(definition: &Definition, persona: &Persona) -> Result<Self, ServiceError> {
        let (banner, lets_in) = (definition.banner.as_deref(), definition.let_in != Some(0));
        Ok(match definition.service.as_str() {
            "mqtt" => Self::Mqtt(saying(Mqtt::of(persona).letting_in(lets_in), banner, Mqtt::with_version)?),
            "modbus" => Self::Modbus(saying(Modbus::of(persona), banner, Modbus::identified)?),
            _ => Self::Adb(saying(Adb::of(persona).letting_in(lets_in), banner, Adb::named)?),
        })
    }

    /// The services whose protocols are made of packets, each on the machine that `persona` is.
    fn wire(name: &str, banner: Option<&str>, persona: &Persona) -> Result<Self, ServiceError> {
        let (host, domain) = (persona.host(), persona.domain());
        Ok(match name {
            "mssql" => Self::Mssql(banner.map_or_else(|| Ok(crate::Mssql::default()), crate::Mssql::new)?.on(host, domain)),
            "smb" => Self::Smb(banner.map_or_else(|| Ok(crate::Smb::default()), crate::Smb::new)?.on(host, domain)),
            "ldap" => Self::Ldap(crate::Ldap::of(persona)),
            "mongodb" => Self::Mongodb(crate::Mongodb::new(banner, persona)?),
            _ => Self::Rdp(crate::Rdp::default().on(host, domain)),
        })
    }

    fn ssh(definition: &Definition, persona: &Persona) -> Result<Self, ServiceError> {
        let banner = definition.banner.as_deref();
        let ssh = banner.map_or_else(|| Ok(Ssh::of(persona)), |line| Ssh::new(line, persona))?;
        match definition.let_in.unwrap_or(0) {
            wrong if wrong > crate::SSH_TRIES_MAX => Err(ServiceError::LetIn(wrong, crate::SSH_TRIES_MAX)),
            let_in => Ok(Self::Ssh(ssh.letting_in(let_in))),
        }
    }

    /// The same, and where thieves look it lets them find this. Services that have no place for it stay as they are.
    #[must_use]
    pub fn showing(self, lure: &Lure) -> Self {
        match self {
            Self::Http(http) => Self::Http(http.showing(lure)),
            Self::Https(http) => Self::Https(http.showing(lure)),
            Self::Telnet(telnet) => Self::Telnet(telnet.showing(lure)),
            Self::Redis(redis) => Self::Redis(redis.showing(lure)),
            Self::Any(any) => Self::Any(any.showing(lure)),
            other => other,
        }
    }

    /// The same with this RSA host key, where SSH is spoken.
    #[must_use]
    pub fn proving(self, rsa: &RsaHostKey) -> Self {
        match self {
            Self::Ssh(ssh) => Self::Ssh(ssh.proving(rsa)),
            Self::Any(any) => Self::Any(any.proving(rsa)),
            other => other,
        }
    }

    /// The same with Curve25519 worked out by this library, where SSH is spoken.
    #[must_use]
    pub fn leaving_curves_to(self, library: &Arc<dyn SshCurves>) -> Self {
        match self {
            Self::Ssh(ssh) => Self::Ssh(ssh.leaving_curves_to(library)),
            Self::Any(any) => Self::Any(any.leaving_curves_to(library)),
            other => other,
        }
    }

    /// The first of `traps` with this name, or the usual service of this name, if there is one.
    pub(crate) fn like(name: &str, traps: &[&Self], persona: &Persona) -> Option<Self> {
        let own = traps.iter().find(|trap| trap.name() == name).map(|trap| (*trap).clone());
        let behind_tls = || match traps.iter().find(|trap| Some(trap.name()) == name.strip_suffix('s')) {
            Some(Self::Http(http)) => Some(Self::Https(http.clone().secured())),
            Some(Self::Smtp(smtp)) => Some(Self::Smtps(smtp.clone())),
            Some(Self::Pop3(pop3)) => Some(Self::Pop3s(pop3.clone())),
            Some(Self::Imap(imap)) => Some(Self::Imaps(imap.clone())),
            _ => None,
        };
        own.or_else(behind_tls)
            .or_else(|| Self::define(&Definition { service: name.to_string(), ..Definition::default() }, persona).ok())
    }

    /// A new connection. `seed` makes what has to differ between sessions (cookies, nonces); it must not be
    /// guessable from outside.
    #[must_use]
    pub fn session(&self, seed: u64) -> Box<dyn Session> {
        match self {
            Self::Elasticsearch(http) | Self::Docker(http) => Box::new(http.session(seed)),
            Self::Https(http) | Self::Kubernetes(http) => {
                let http = http.clone();
                Box::new(Secured::new(
                    TlsManner::Web,
                    Box::new(move |secured| Box::new(if secured { http.session(seed) } else { http.unsecured(seed) })),
                ))
            }
            Self::Smtps(smtp) => {
                let smtp = smtp.clone();
                mail(TlsManner::Usual, &[], move || Box::new(smtp.secured(seed)))
            }
            Self::Pop3s(pop3) => {
                let pop3 = pop3.clone();
                mail(TlsManner::Pop3, &DOVECOT_ALERT, move || Box::new(pop3.secured(seed)))
            }
            Self::Imaps(imap) => {
                let imap = imap.clone();
                mail(TlsManner::Imap, &DOVECOT_ALERT, move || Box::new(imap.secured(seed)))
            }
            Self::Ssh(ssh) => Box::new(ssh.session(seed)),
            Self::Http(http) => Box::new(http.session(seed)),
            Self::Ftp(ftp) => Box::new(ftp.session(seed)),
            Self::Telnet(telnet) => Box::new(telnet.session()),
            Self::Smtp(smtp) => Box::new(smtp.session(seed)),
            Self::Pop3(pop3) => Box::new(pop3.session(seed)),
            Self::Imap(imap) => Box::new(imap.session(seed)),
            Self::Redis(redis) => Box::new(redis.session(seed)),
            Self::Memcached(memcached) => Box::new(memcached.session()),
            Self::Mysql(mysql) => Box::new(mysql.session(seed)),
            Self::Postgresql(postgresql) => Box::new(postgresql.session()),
            Self::Vnc(vnc) => Box::new(vnc.session(seed)),
            Self::Sip(sip) => Box::new(sip.session(seed)),
            Self::Dns(dns) => Box::new(dns.session()),
            // Nobody can connect to these.
            Self::Ntp(_) | Self::Snmp(_) | Self::Tftp(_) | Self::Ssdp(_) => Box::new(Closed),
            Self::Mssql(mssql) => Box::new(mssql.session(seed)),
            Self::Smb(smb) => Box::new(smb.session(seed)),
            Self::Rdp(rdp) => Box::new(rdp.session(seed)),
            Self::Ldap(ldap) => Box::new(ldap.session(seed)),
            Self::Mongodb(mongodb) => Box::new(mongodb.session(seed)),
            Self::Mqtt(mqtt) => Box::new(mqtt.session(seed)),
            Self::Modbus(modbus) => Box::new(modbus.session()),
            Self::Adb(adb) => Box::new(adb.session(seed)),
            Self::Script(script) => Box::new(script.session(seed)),
            Self::Any(any) => Box::new(any.session(seed)),
        }
    }

    /// A new connection inside TLS that was there before the service was known: it offers and takes no other.
    #[must_use]
    pub fn secured(&self, seed: u64) -> Box<dyn Session> {
        match self {
            Self::Smtp(smtp) => Box::new(smtp.secured(seed)),
            Self::Mysql(mysql) => Box::new(mysql.secured(seed)),
            Self::Postgresql(postgresql) => Box::new(postgresql.secured()),
            Self::Mssql(mssql) => Box::new(mssql.secured(seed)),
            Self::Rdp(rdp) => Box::new(rdp.secured(seed)),
            other => other.session(seed),
        }
    }

    /// What it says without end in a tarpit instead of a greeting, if its protocol has room for that.
    #[must_use]
    pub fn babble(&self, seed: u64) -> Option<Babble> {
        matches!(self, Self::Ssh(_)).then(|| Babble::new(seed))
    }

    /// Do its sessions want ports of their own ([`Errand::Listen`](crate::Errand))?
    #[must_use]
    pub const fn opens_ports(&self) -> bool {
        matches!(self, Self::Ftp(ftp) if ftp.opens_ports())
    }

    /// Over which transports it is spoken to: it listens on each of them.
    #[must_use]
    pub const fn transports(&self) -> &'static [Transport] {
        match self {
            Self::Ntp(_) | Self::Snmp(_) | Self::Tftp(_) | Self::Ssdp(_) => &[Transport::Udp],
            Self::Dns(dns) => dns.transports(),
            Self::Sip(sip) => sip.transports(),
            Self::Memcached(memcached) => memcached.transports(),
            _ => &[Transport::Tcp],
        }
    }

    /// Its name, one of [`Service::NAMES`].
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ssh(_) => "ssh",
            Self::Http(_) => "http",
            Self::Https(_) => "https",
            Self::Elasticsearch(_) => "elasticsearch",
            Self::Docker(_) => "docker",
            Self::Kubernetes(_) => "kubernetes",
            Self::Ftp(_) => "ftp",
            Self::Telnet(_) => "telnet",
            Self::Smtp(_) => "smtp",
            Self::Smtps(_) => "smtps",
            Self::Pop3(_) => "pop3",
            Self::Pop3s(_) => "pop3s",
            Self::Imaps(_) => "imaps",
            Self::Imap(_) => "imap",
            Self::Redis(_) => "redis",
            Self::Memcached(_) => "memcached",
            Self::Mysql(_) => "mysql",
            Self::Postgresql(_) => "postgresql",
            Self::Vnc(_) => "vnc",
            Self::Dns(_) => "dns",
            Self::Ntp(_) => "ntp",
            Self::Snmp(_) => "snmp",
            Self::Tftp(_) => "tftp",
            Self::Sip(_) => "sip",
            Self::Ssdp(_) => "ssdp",
            Self::Mssql(_) => "mssql",
            Self::Smb(_) => "smb",
            Self::Rdp(_) => "rdp",
            Self::Ldap(_) => "ldap",
            Self::Mongodb(_) => "mongodb",
            Self::Mqtt(_) => "mqtt",
            Self::Modbus(_) => "modbus",
            Self::Adb(_) => "adb",
            Self::Script(_) => "script",
            Self::Any(_) => "any",
        }
    }
}

fn site(definition: &Definition) -> Result<Site, ServiceError> {
    let Some(name) = definition.site.as_deref() else { return Ok(Site::Login) };
    Site::named(name).ok_or_else(|| ServiceError::UnknownSite(name.to_string()))
}

fn web(definition: &Definition, site: Site, persona: &Persona) -> Result<Http, ServiceError> {
    Ok(saying(Http::of(site, persona), definition.banner.as_deref(), Http::called)?)
}

/// A mail server that speaks TLS from the first byte on, and to everybody else its last words.
fn mail(manner: TlsManner, last_words: &'static [u8], make: impl Fn() -> Box<dyn Session> + Send + 'static) -> Box<dyn Session> {
    let session = move |is_tls| if is_tls { make() } else { Box::new(Mute::saying(last_words)) };
    Box::new(Secured::new(manner, Box::new(session)))
}

/// The service, with an operator's banner if there is one.
fn saying<T>(service: T, banner: Option<&str>, saying: fn(T, &str) -> Result<T, BannerError>) -> Result<T, BannerError> {
    match banner {
        Some(banner) => saying(service, banner),
        None => Ok(service),
    }
}

/// All names in one sentence.
fn names() -> String {
    let (last, others) = (Service::NAMES[Service::NAMES.len() - 1], &Service::NAMES[..Service::NAMES.len() - 1]);
    others.join(", ") + " and " + last
}

/// A banner that can stand in one line: printable ASCII, not empty, bounded.
pub(crate) fn checked_banner(text: &str) -> Result<String, BannerError> {
    match text {
        "" => Err(BannerError::Empty),
        text if text.len() > BANNER_BYTES_MAX => Err(BannerError::Long(text.len())),
        text if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => Err(BannerError::Characters),
        text => Ok(text.to_string()),
    }
}

#[cfg(test)]
mod tests;
