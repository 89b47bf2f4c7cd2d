//! A start in two steps: first tables and program, then, when the tables hold what they should, the interfaces.

use crate::{
    Auditor, Dark, Error, Knocks, OnExit, Options, Replaced, Spoofable, attach,
    auditor::Twins,
    dark,
    link::Link,
    load::{self, Loaded, Undo},
    network,
    pins::Pins,
    steering::{self, Steering},
    steps::{self, Steps},
    system::{self, Interface},
    tables::{self, AllowWatch, Tables},
    ticks::Ticks,
};
use aya::Ebpf;
use honeymesh_xdp_abi::{Gates, SPOOFABLE_ALL, SPOOFABLE_DARK, SPOOFABLE_OFF, ScanSettings, Settings, VERSION};
use std::{os::fd::AsFd, sync::Arc, time::Duration};

/// What the first step makes.
pub(crate) struct Parts {
    pub(crate) object: Ebpf,
    pub(crate) tables: Tables,
    pub(crate) settings: Settings,
    pub(crate) auditor: Auditor,
    pub(crate) allow_watch: Arc<AllowWatch>,
    pub(crate) pending: Pending,
}

/// What the second step needs. Dropped without it, everything is as before.
#[derive(Debug)]
pub(crate) struct Pending {
    options: Options,
    interfaces: Vec<Interface>,
    // Goes before the pins: a directory must be empty to go.
    undo: Undo,
    pins: Option<Pins>,
}

/// What the second step makes.
pub(crate) struct Attached {
    pub(crate) steps: Steps,
    pub(crate) links: Vec<Link>,
    pub(crate) steering: Steering,
    pub(crate) pins: Option<Pins>,
    /// Another version's that has given way.
    pub(crate) replaced: Option<Replaced>,
}

/// Everything that [`crate::Kernel::prepare`] does. Each step undoes itself if a later one fails.
pub(crate) fn prepare(options: &Options) -> Result<(Parts, Knocks), Error> {
    options.check()?;
    system::check_kernel()?;
    let interfaces = system::interfaces(&options.interfaces)?;
    let pins = match options.exit {
        OnExit::Hold => Some(Pins::open(&options.pin_dir)?),
        OnExit::Release => Pins::existing(&options.pin_dir)?,
    };
    let ticks = Ticks::calibrate()?;
    let mut loaded = load::load(options, pins.as_ref(), &ticks)?;
    let twins = Twins::of(&loaded.object)?;
    let (mut tables, ring) = tables::open(&mut loaded.object, loaded.headers, options, ticks)?;
    move_in(&loaded, &mut tables)?;
    tables.set_except(&dark::except_words(&options.except))?;
    let settings = settings(options, &loaded, &mut tables)?;
    let allow_watch = Arc::<AllowWatch>::default();
    let auditor = Auditor::open(twins, &tables, ticks, Arc::clone(&allow_watch))?;
    let Loaded { object, undo, .. } = loaded;
    let pending = Pending { options: options.clone(), interfaces, pins, undo };
    Ok((Parts { object, tables, settings, auditor, allow_watch, pending }, Knocks::new(ring)))
}

impl Pending {
    /// Puts the programs on the interfaces. What was made is undone if that fails.
    pub(crate) fn attach(self, object: &mut Ebpf) -> Result<Attached, Error> {
        let Self { options, interfaces, pins, undo } = self;
        let steps = steps::place(object)?;
        let mut steering = steering::attach_all(object, &interfaces, &options, pins.as_ref())?;
        let program = load::program(object)?;
        let program = program.fd().map_err(|error| Error::Refused(error.to_string()))?;
        let links = attach::attach_all(program.as_fd(), &interfaces, &options, pins.as_ref())?;
        undo.keep();
        steering.keep()?;
        let other = pins.as_ref().and_then(Pins::other_version);
        let replaced = other.map(|version| Replaced { what: "XDP programs and tables", version, own: VERSION });
        replaced.iter().for_each(|replaced| tracing::info!("{replaced}"));
        Ok(Attached { steps, links, steering, pins: tidy(options.exit, pins)?, replaced })
    }

    /// Whose pins they would be.
    pub(crate) fn into_pins(self) -> Option<Pins> {
        self.pins
    }
}

/// Removes pins that nobody needs any more: of other versions, or all of them if none are to stay.
fn tidy(exit: OnExit, pins: Option<Pins>) -> Result<Option<Pins>, Error> {
    match (exit, pins) {
        (OnExit::Release, Some(pins)) => pins.remove().map(|()| None),
        (_, pins) => {
            pins.iter().for_each(Pins::remove_other_versions);
            Ok(pins)
        }
    }
}

/// Copies what tables of another size held into their successors, before the program is replaced: no ban has a gap.
fn move_in(loaded: &Loaded, tables: &mut Tables) -> Result<(), Error> {
    for predecessor in loaded.predecessors.iter().filter(|predecessor| predecessor.is_alike) {
        let left = tables.copy_from(predecessor)?;
        if left > 0 {
            tracing::warn!(table = predecessor.name, left, "entries do not fit into the smaller table");
        }
    }
    Ok(())
}

/// Settles the settings: those of the options, and the gates that fit what the tables hold.
fn settings(options: &Options, loaded: &Loaded, tables: &mut Tables) -> Result<Settings, Error> {
    let adopted = if loaded.is_adopted { Some(tables.settings()?) } else { None };
    let enforcing = adopted.is_none_or(|adopted| adopted.gates.has(Gates::ENFORCING));
    // A lockdown has no gap: it holds on until somebody who knows the mode says otherwise, or until its own end.
    let lockdown = adopted.filter(|adopted| adopted.gates.has(Gates::LOCKDOWN));
    let all = options.scan.spoofable == Spoofable::All;
    let gates = Gates::default()
        .with(Gates::ENFORCING, enforcing)
        .with(Gates::LOCAL, tables.has_local()?)
        .with(Gates::PLACED_ALL, all)
        .with(Gates::UDP, options.scan.udp)
        .with(Gates::ORACLE, options.scan.oracle)
        .with(Gates::LOCKDOWN, lockdown.is_some())
        .with(Gates::TRAPS, options.dark == Dark::Trap)
        .with(Gates::SILENT, options.dark == Dark::Silent)
        .with(Gates::FORWARDS, network::forwards())
        .with(Gates::COOKIES, options.flood.is_on());
    let secret = match adopted {
        Some(adopted) => adopted.secret,
        None => [random()?, random()?],
    };
    let settings = Settings {
        version: VERSION,
        gates: tables.counts().gates(gates),
        scan: scan_settings(options),
        lockdown_until_ns: lockdown.map_or(0, |adopted| adopted.lockdown_until_ns),
        ephemeral: network::ephemeral_ports(),
        secret,
        cookies: options.flood.settings(),
    };
    tables.set_settings(settings)?;
    Ok(settings)
}

fn random() -> Result<u64, Error> {
    getrandom::u64().map_err(|error| Error::Refused(format!("the kernel gives no random bytes: {error}")))
}

fn scan_settings(options: &Options) -> ScanSettings {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    ScanSettings {
        ports: options.scan.ports.into(),
        spoofable: match options.scan.spoofable {
            Spoofable::Dark => SPOOFABLE_DARK,
            Spoofable::All => SPOOFABLE_ALL,
            Spoofable::Off => SPOOFABLE_OFF,
        },
        window_ns: nanos(options.scan.window),
        ttl_ns: nanos(options.scan.ttl),
        bucket_mask: u64::from(options.scan.buckets()) - 1,
    }
}
