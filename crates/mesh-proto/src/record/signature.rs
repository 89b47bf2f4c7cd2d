//! Signatures of records: one by one, and many at once for a fraction of the price.
//!
//! Both ask the same question of a signature (Ed25519 with the cofactor, as in ZIP 215, and stricter: no key and no
//! commitment of small order, every number in its one canonical form), so that no record passes in a batch on one node and
//! fails alone on another: nodes must agree on what is in the set. The usual question without the cofactor cannot be
//! asked of a batch: who adds a point of small order to a commitment passes it with a chance of one in two.

use super::{RecordError, Signed, wire};
use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    vec::Vec,
};
use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::ED25519_BASEPOINT_POINT,
    edwards::CompressedEdwardsY,
    traits::{IsIdentity, VartimeMultiscalarMul},
};
use ed25519_dalek::SIGNATURE_LENGTH;
use honeymesh_types::NodeId;
use sha2::{Digest, Sha512};

/// A signature taken apart: `commitment + challenge * key = response * base`, if it is good.
struct Parts {
    commitment: EdwardsPoint,
    challenge: Scalar,
    response: Scalar,
}

/// Did the origin itself sign these bytes? Expensive (about 0.1 ms), so it comes last.
pub(crate) fn verify(raw: &[u8], origin: NodeId) -> Result<(), RecordError> {
    let key = point(&origin.0).ok_or(RecordError::Signature)?;
    let parts = parts(raw, origin)?;
    let found = EdwardsPoint::vartime_double_scalar_mul_basepoint(&parts.challenge, &-key, &parts.response);
    let is_good = (found - parts.commitment).mul_by_cofactor().is_identity();
    if is_good { Ok(()) } else { Err(RecordError::Signature) }
}

/// Did the origins themselves sign all of these? About a tenth of the price of asking one by one, if they are many and their
/// origins few. `secret` must be what no sender can foresee.
pub(crate) fn all_good(records: &[&Signed], secret: [u8; 32]) -> bool {
    sum(records, secret).is_some_and(|sum| sum.mul_by_cofactor().is_identity())
}

/// A random combination of what must be nothing for each.
fn sum(records: &[&Signed], secret: [u8; 32]) -> Option<EdwardsPoint> {
    // The factors depend on everything that is checked: nobody can choose a signature that fits its factor.
    let mut factors = blake3::Hasher::new_keyed(&secret);
    for signed in records {
        factors.update(&signed.id().0);
    }
    let mut factors = factors.finalize_xof();
    let mut keys: BTreeMap<NodeId, (EdwardsPoint, Scalar)> = BTreeMap::new();
    let (mut scalars, mut points) = (Vec::with_capacity(records.len() + 8), Vec::with_capacity(records.len() + 8));
    let mut base = Scalar::ZERO;
    for signed in records {
        let origin = signed.record.origin;
        let parts = parts(&signed.raw, origin).ok()?;
        let mut factor = [0; 16];
        factors.fill(&mut factor);
        let factor = Scalar::from(u128::from_le_bytes(factor));
        let (_, scalar) = match keys.entry(origin) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert((point(&origin.0)?, Scalar::ZERO)),
        };
        *scalar += factor * parts.challenge;
        base -= factor * parts.response;
        scalars.push(factor);
        points.push(parts.commitment);
    }
    for (point, scalar) in keys.into_values().chain([(ED25519_BASEPOINT_POINT, base)]) {
        scalars.push(scalar);
        points.push(point);
    }
    Some(EdwardsPoint::vartime_multiscalar_mul(scalars, points))
}

fn parts(raw: &[u8], origin: NodeId) -> Result<Parts, RecordError> {
    let (unsigned, signature) = raw.split_last_chunk::<SIGNATURE_LENGTH>().ok_or(RecordError::Malformed)?;
    let (commitment, response) = signature.split_at(SIGNATURE_LENGTH / 2);
    let (commitment, response) = commitment.first_chunk().zip(response.first_chunk()).ok_or(RecordError::Malformed)?;
    let hash = Sha512::new().chain_update(commitment).chain_update(origin.0).chain_update(wire::DOMAIN).chain_update(unsigned);
    Ok(Parts {
        commitment: point(commitment).ok_or(RecordError::Signature)?,
        challenge: Scalar::from_bytes_mod_order_wide(&hash.finalize().into()),
        response: Option::from(Scalar::from_canonical_bytes(*response)).ok_or(RecordError::Signature)?,
    })
}

/// The point that is written so, unless it is written otherwise than it should be or of small order.
fn point(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    let [first, middle @ .., last] = bytes;
    let is_beyond = *first >= 0xed && middle.iter().all(|byte| *byte == 0xff) && last & 0x7f == 0x7f;
    let point = CompressedEdwardsY(*bytes).decompress().filter(|_| !is_beyond)?;
    (!point.is_small_order()).then_some(point)
}

#[cfg(test)]
mod tests;
