//! What the start needs for admission: the authority's secret, and the certificate that `honeymesh join` has left.

use crate::{
    config::{Cluster, Config, secrets},
    daemon::state_dir::{StateDir, unhex},
};
use honeymesh_mesh_proto::Admission;
use honeymesh_node::{PeerReport, Standing};
use honeymesh_types::{ClusterName, Now};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// The largest certificate file that is read, in bytes.
const CERTIFICATE_BYTES_MAX: u64 = 4_096;
/// A certificate that ends within this time deserves a warning: renewal has failed for long.
const WARN_BEFORE: Duration = Duration::from_secs(14 * 86_400);

/// Where this node's certificate for a cluster is, as `honeymesh join` leaves it.
#[must_use]
pub fn certificate_file(state_dir: &Path, cluster: &ClusterName) -> PathBuf {
    state_dir.join(format!("{cluster}.certificate"))
}

/// What the mesh of a cluster is told.
///
/// # Errors
/// In words with the mend: a file cannot be read or holds something else.
pub fn of(config: &Config, cluster: &Cluster, state: &StateDir) -> Result<Admission, String> {
    let secret = cluster.authority_file.as_ref().map(|file| read_authority(&file.value)).transpose()?;
    let file = certificate_file(&config.node.state_dir, &cluster.name.value);
    let read = || match secrets::read_bounded(&file, CERTIFICATE_BYTES_MAX) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    };
    let text = state.as_owner(read).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let raw = |text: Vec<u8>| std::str::from_utf8(&text).ok().and_then(|text| unhex(text.trim()));
    let certificate = text
        .map(|text| raw(text).ok_or_else(|| format!("{} holds no certificate; remove it and join again", file.display())))
        .transpose()?;
    Ok(Admission {
        authority: cluster.authority.as_ref().map(|key| key.value),
        secret,
        certificate,
        owner: cluster.owner.clone(),
    })
}

/// The secret of an authority.
///
/// # Errors
/// In words, without the secret: it cannot be read, others can read it, or it holds something else.
pub fn read_authority(path: &Path) -> Result<Zeroizing<[u8; 32]>, String> {
    let text = secrets::read_secret(path)?;
    let malformed = || format!("{} is not 64 hexadecimal digits; make one with `honeymesh authority new FILE`", path.display());
    let bytes = Zeroizing::new(unhex(text.trim()).ok_or_else(malformed)?);
    let secret: [u8; 32] = bytes.as_slice().try_into().map_err(|_| malformed())?;
    Ok(secret.into())
}

/// What an operator should know about how this node and others stand with their authorities.
pub fn warnings(reports: &[PeerReport], now: Now) -> Vec<String> {
    reports.iter().filter(|report| report.authority.is_some()).flat_map(|report| of_cluster(report, now)).collect()
}

fn of_cluster(report: &PeerReport, now: Now) -> Vec<String> {
    let cluster = &report.cluster;
    let mend = "join again with a token (`honeymesh join-token new` where the authority's secret is)";
    let own = match report.own.standing {
        Standing::Open | Standing::Certified => None,
        Standing::Uncertified => {
            Some(format!("this node has no certificate in cluster {cluster}, so nobody there listens to it; {mend}"))
        }
        Standing::Expired => {
            Some(format!("this node's certificate in cluster {cluster} is over, so nobody there listens to it; {mend}"))
        }
        Standing::Revoked => Some(format!(
            "this node is REVOKED in cluster {cluster}: look at it closely before `honeymesh peers restore` elsewhere"
        )),
    };
    let is_soon = |one: &&honeymesh_node::Admitted| {
        one.standing == Standing::Certified && one.until.is_some_and(|until| until < now.wall.plus(WARN_BEFORE))
    };
    let soon = report.admissions.iter().filter(is_soon).map(|one| {
        let name = one.name.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("the certificate of {name} in cluster {cluster} ends within 14 days and is not renewed: no member that holds the authority's secret has been reachable")
    });
    own.into_iter().chain(soon).collect()
}
