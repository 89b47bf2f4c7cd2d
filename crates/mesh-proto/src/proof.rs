//! A record as a proof that anybody can check: who said what, with nothing but the bytes.

use crate::{Record, RecordError, record::wire};

/// Reads a record and verifies that its origin signed exactly these bytes. Whether it is over, or of which cluster, is not asked: a proof
/// does not age.
///
/// # Errors
/// [`RecordError::Malformed`] or [`RecordError::Signature`].
pub fn verify_record(raw: &[u8]) -> Result<Record, RecordError> {
    let (record, _) = wire::read(raw)?;
    wire::verify(raw, record.origin)?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hlc, Said, Signed, Statement, cluster::ClusterTag};
    use ed25519_dalek::SigningKey;
    use honeymesh_types::NodeId;

    fn signed() -> Signed {
        let key = SigningKey::from_bytes(&[7; 32]);
        let statement = Statement { subject: "203.0.113.7".parse().unwrap(), said: Said::Unban };
        let record = wire::compose(statement, NodeId(key.verifying_key().to_bytes()), "liar".parse().unwrap(), Hlc(1 << 40));
        wire::sign(record, ClusterTag::of(&"c".parse().unwrap()), &key).unwrap()
    }

    #[test]
    fn a_proof_holds_and_a_changed_one_does_not() {
        let signed = signed();
        assert_eq!(verify_record(&signed.raw).unwrap(), *signed.record);
        for place in 0..signed.raw.len() {
            let mut raw = signed.raw.to_vec();
            raw[place] ^= 1;
            assert!(verify_record(&raw).is_err(), "byte {place}");
        }
        assert_eq!(verify_record(b""), Err(RecordError::Malformed));
    }
}
