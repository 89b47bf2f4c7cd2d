//! Who knows whom, against the table of the house.

use super::{
    Finding,
    house::{BODIES, HOUSE, Kind, Room},
    metadata::Crate,
};

/// Every arrow that is not allowed, every room that is not in the table, every name that does not fit its folder.
pub fn check(crates: &[Crate]) -> Vec<Finding> {
    let mut findings: Vec<_> = crates.iter().flat_map(one).collect();
    findings.extend(HOUSE.iter().filter_map(|room| gone(room, crates)));
    findings
}

fn gone(room: &Room, crates: &[Crate]) -> Option<Finding> {
    let there = crates.iter().any(|krate| krate.name == room.package);
    (!there).then(|| Finding::new("xtask/src/tidy/house.rs", format!("{} is in the table but not in the house", room.package)))
}

fn one(krate: &Crate) -> Vec<Finding> {
    let place = krate.manifest_path.display().to_string();
    let mut findings = Vec::new();
    let mut say = |what: String| findings.push(Finding::new(&place, what));
    if let Some(what) = misnamed(krate) {
        say(what);
    }
    match Kind::parse(krate.kind().unwrap_or_default()) {
        None => say("declare [package.metadata.honeymesh] kind: ground, decider, carrier, roof or beside".into()),
        Some(kind) => arrows(krate, kind).into_iter().for_each(&mut say),
    }
    findings
}

fn misnamed(krate: &Crate) -> Option<String> {
    let folder = krate.folder().file_name()?.to_string_lossy().into_owned();
    let last = krate.name.strip_prefix("honeymesh-").unwrap_or(&krate.name);
    (folder != last).then(|| format!("the folder `{folder}` and the package `{}` must share their last part", krate.name))
}

fn arrows(krate: &Crate, kind: Kind) -> Vec<String> {
    let mut wrong = Vec::new();
    let room = HOUSE.iter().find(|room| room.package == krate.name);
    match room {
        None if kind != Kind::Beside => wrong.push("is not in the table of xtask/src/tidy/house.rs; add it on purpose".into()),
        Some(room) if room.kind != kind => wrong.push(format!("declares {kind:?}, the table says {:?}", room.kind)),
        _ => {}
    }
    wrong.extend(krate.knows().filter_map(|known| arrow(krate, kind, room, known)));
    wrong
}

fn arrow(krate: &Crate, kind: Kind, room: Option<&Room>, known: &str) -> Option<String> {
    let thinks = matches!(kind, Kind::Ground | Kind::Decider) && krate.name != "honeymesh-format";
    if thinks && BODIES.contains(&known) {
        return Some(format!("thinks, so it may not know {known}; take what it gives as a parameter"));
    }
    if kind == Kind::Beside {
        return None;
    }
    if !known.starts_with("honeymesh") {
        return None;
    }
    let in_house = HOUSE.iter().any(|other| other.package == known);
    let allowed = in_house && (kind == Kind::Roof || room.is_some_and(|room| room.may_know.contains(&known)));
    (!allowed).then(|| format!("may not know {known}; see the table in xtask/src/tidy/house.rs"))
}

#[cfg(test)]
mod tests {
    use super::super::metadata::tests::krate;
    use super::*;

    fn wrongs(name: &str, kind: &str, deps: &[&str]) -> Vec<String> {
        one(&krate(name, kind, deps)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn allowed_arrows_are_silent() {
        for (name, kind, deps) in [
            ("honeymesh-types", "ground", &["ipnet"][..]),
            ("honeymesh-node", "decider", &["honeymesh-ledger", "honeymesh-types", "rand_chacha"]),
            ("honeymesh-store", "carrier", &["honeymesh-format", "rusqlite"]),
            ("honeymesh", "roof", &["honeymesh-node", "honeymesh-xdp", "tokio"]),
            ("honeymesh-format", "ground", &["honeymesh-types", "jiff"]),
        ] {
            assert_eq!(wrongs(name, kind, deps), [""; 0], "{name}");
        }
    }

    #[test]
    fn forbidden_arrows_are_named() {
        for (name, kind, dep) in [
            ("honeymesh-types", "ground", "honeymesh-xdp-abi"),
            ("honeymesh-detect", "decider", "honeymesh-ledger"),
            ("honeymesh-ledger", "decider", "honeymesh-format"),
            ("honeymesh-xdp", "carrier", "honeymesh-ledger"),
            ("honeymesh-mesh", "carrier", "honeymesh-mesh-proto"),
            ("honeymesh-trap", "carrier", "honeymesh"),
            ("honeymesh", "roof", "honeymesh-lab"),
        ] {
            let wrongs = wrongs(name, kind, &[dep]);
            assert_eq!(wrongs.len(), 1, "{name} -> {dep}: {wrongs:?}");
            assert!(wrongs[0].starts_with(&format!("may not know {dep};")), "{wrongs:?}");
        }
    }

    #[test]
    fn a_decider_may_not_know_a_body() {
        let wrongs = wrongs("honeymesh-ledger", "decider", &["tokio"]);
        assert!(wrongs[0].starts_with("thinks, so it may not know tokio"), "{wrongs:?}");
    }

    #[test]
    fn a_kind_must_be_declared_known_and_the_tables() {
        assert!(wrongs("honeymesh-ledger", "", &[])[0].starts_with("declare "));
        assert!(wrongs("honeymesh-ledger", "thinker", &[])[0].starts_with("declare "));
        assert_eq!(wrongs("honeymesh-ledger", "carrier", &[]), ["declares Carrier, the table says Decider"]);
        assert!(wrongs("honeymesh-attic", "carrier", &[])[0].contains("not in the table"));
        assert_eq!(wrongs("honeymesh-attic", "beside", &["honeymesh-node", "tokio"]), [""; 0]);
    }

    #[test]
    fn folder_and_package_share_their_last_part() {
        let mut moved = krate("honeymesh-ledger", "decider", &[]);
        moved.manifest_path = "crates/book/Cargo.toml".into();
        assert!(one(&moved)[0].what.starts_with("the folder `book`"));
    }

    #[test]
    fn a_room_that_is_gone_is_named() {
        let findings = check(&[krate("honeymesh-types", "ground", &[])]);
        assert!(findings.iter().any(|finding| finding.what.starts_with("honeymesh-ledger is in the table")));
    }
}
