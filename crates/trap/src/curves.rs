//! Curve25519 for SSH, worked out by the TLS library, which has it written out for each processor.

use aws_lc_rs::{
    agreement::{PrivateKey, UnparsedPublicKey, X25519, agree},
    signature::Ed25519KeyPair,
};
use honeymesh_trap_proto::{SshCurves, SshSigner};
use std::sync::Arc;

/// The library.
pub(crate) fn library() -> Arc<dyn SshCurves> {
    Arc::new(Library)
}

struct Library;

impl SshCurves for Library {
    fn x25519(&self, ours: &[u8; 32], theirs: &[u8; 32]) -> Option<([u8; 32], [u8; 32])> {
        let ours = PrivateKey::from_private_key(&X25519, ours).ok()?;
        let public = ours.compute_public_key().ok()?.as_ref().try_into().ok()?;
        // It refuses the secret that is all zeros by itself (RFC 7748, section 6.1).
        let theirs = UnparsedPublicKey::new(&X25519, theirs);
        let secret = agree(&ours, theirs, (), |secret| <[u8; 32]>::try_from(secret).map_err(drop)).ok()?;
        Some((public, secret))
    }

    fn ed25519(&self, seed: &[u8; 32]) -> Option<Arc<dyn SshSigner>> {
        Some(Arc::new(Key(Ed25519KeyPair::from_seed_unchecked(seed).ok()?)))
    }
}

/// A key that signs.
struct Key(Ed25519KeyPair);

impl SshSigner for Key {
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.0.try_sign(message).ok()?.as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_trap_proto::{
        Flow, Persona, Session, Ssh,
        ssh_testing::{Meeting, Wants},
    };
    use honeymesh_types::WallTime;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        let bytes: Vec<u8> = (0..N).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    /// RFC 7748, section 6.1.
    #[test]
    fn a_secret_is_agreed_upon_as_the_standard_shows_and_none_that_everybody_knows() {
        let ours = bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let public = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let theirs = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let secret = bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(library().x25519(&ours, &theirs), Some((public, secret)));
        let one = std::array::from_fn(|place| u8::from(place == 0));
        for low_order in [[0; 32], one] {
            assert_eq!(library().x25519(&ours, &low_order), None);
        }
    }

    /// RFC 8032, section 7.1, test 1.
    #[test]
    fn a_signature_is_the_one_that_the_standard_shows() {
        let seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        assert_eq!(library().ed25519(&seed).unwrap().sign(b""), Some(bytes(signature)));
    }

    fn answers(ssh: &Ssh, seed: u64) -> Vec<u8> {
        let (mut session, mut answer) = (ssh.session(seed), Vec::new());
        let _ = session.open(&mut answer);
        let (_, said) = Meeting::begin(Wants { ext_info: true, ..Wants::least() });
        let mut rest = said.as_slice();
        while !rest.is_empty() {
            let step = session.receive(rest, WallTime(1), &mut answer);
            assert_eq!(step.flow, Flow::Continue);
            rest = &rest[step.taken..];
        }
        answer
    }

    #[test]
    fn a_stranger_cannot_tell_who_works_it_out() {
        let own = Ssh::of(&Persona::of([7; 32]));
        let left = own.clone().leaving_curves_to(&library());
        for seed in 0..20 {
            let answer = answers(&own, seed);
            assert!(answer.len() > 1_000, "{} octets", answer.len());
            assert_eq!(answers(&left, seed), answer);
        }
    }
}
