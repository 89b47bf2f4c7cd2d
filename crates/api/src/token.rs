//! The bearer token: read or made once, compared in constant time.

use crate::Secret;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 512;
/// Shorter tokens can be guessed; a warning says so.
const TOKEN_BYTES_STRONG: usize = 20;
/// Random bytes in a token that is made here.
const TOKEN_RANDOM_BYTES: usize = 32;

/// What the HTTPS door compares bearer tokens with. Only the token's hash is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

/// Why there is no token. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file holds no token.
    #[error("{} holds no token: one line of 1 to 512 visible ASCII characters is needed; delete it to have one made", .0.display())]
    Content(PathBuf),
    /// The system said no.
    #[error("the API token {} cannot be {done}: {source}; check its directory and owner, or set [api] token_file", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        done: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Token {
    /// Reads the token file, or makes one with 256 random bits, mode 0600, if there is none. The second value says
    /// whether it was made. A token that is short, or that everybody can read, is warned about.
    ///
    /// # Errors
    /// The file cannot be read or made, or holds no token.
    pub fn load_or_create(path: &Path) -> Result<(Self, bool), TokenError> {
        match Self::load(path) {
            Err(TokenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok((Self::create(path)?, true)),
            loaded => Ok((loaded?, false)),
        }
    }

    /// A token from its text; `None` unless it is 1 to 512 visible ASCII characters.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let fits = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(Sha256::digest(text).into()))
    }

    /// Is this the token? Takes the same time whatever differs.
    #[must_use]
    pub fn is(&self, presented: &[u8]) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        self.0.ct_eq(&presented).into()
    }

    fn load(path: &Path) -> Result<Self, TokenError> {
        let io = |source| TokenError::Io { path: path.into(), done: "read", source };
        let file = fs::File::open(path).map_err(io)?;
        let open_to_all = file.metadata().map_err(io)?.mode() & 0o004 != 0;
        let mut bytes = Zeroizing::new(Vec::with_capacity(TOKEN_BYTES_MAX + 2));
        file.take(TOKEN_BYTES_MAX as u64 + 2).read_to_end(&mut bytes).map_err(io)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| TokenError::Content(path.into()))?.trim();
        let token = Self::from_text(text).ok_or_else(|| TokenError::Content(path.into()))?;
        warn(path, text, open_to_all);
        Ok(token)
    }

    fn create(path: &Path) -> Result<Self, TokenError> {
        let io = |source| TokenError::Io { path: path.into(), done: "made", source };
        let text = random_text().map_err(io)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        file.write_all(format!("{}\n", text.reveal()).as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        Self::from_text(text.reveal()).ok_or_else(|| TokenError::Content(path.into()))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

fn warn(path: &Path, text: &str, open_to_all: bool) {
    if text.len() < TOKEN_BYTES_STRONG {
        tracing::warn!(file = %path.display(), "the API token is short enough to be guessed; use 20 random characters or more");
    }
    if open_to_all {
        tracing::warn!(file = %path.display(), "the API token can be read by every user of this machine; chmod it to 0640 or 0600");
    }
}

/// 256 random bits as hexadecimal digits behind a prefix that secret scanners can find.
fn random_text() -> io::Result<Secret> {
    let mut random = Zeroizing::new([0; TOKEN_RANDOM_BYTES]);
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut *random)
        .map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(Secret::new(random.iter().fold("hm_".into(), |text, byte| format!("{text}{byte:02x}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_missing_token_is_made_once_and_kept_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.token");
        let (made, fresh) = Token::load_or_create(&path).unwrap();
        assert!(fresh);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.len(), 3 + 64 + 1);
        assert!(made.is(text.trim().as_bytes()) && !made.is(text.as_bytes()));
        let (loaded, fresh) = Token::load_or_create(&path).unwrap();
        assert!(!fresh && loaded.is(text.trim().as_bytes()));
        assert!(!format!("{made:?}").contains(&text[3..9]));
    }

    #[test]
    fn a_file_without_a_token_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        for bad in ["", " \n", "two words", "a\nb", "tok\u{e9}n", &"x".repeat(513)] {
            fs::write(&path, bad).unwrap();
            let error = Token::load_or_create(&path).unwrap_err().to_string();
            assert!(error.contains("holds no token"), "{bad:?}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), bad);
        }
    }

    #[test]
    fn a_token_that_cannot_be_made_names_the_file_and_the_mend() {
        let error = Token::load_or_create(Path::new("/nonexistent/api.token")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/api.token") && error.contains("[api] token_file"), "{error}");
    }

    #[test]
    fn only_the_very_token_fits() {
        let token = Token::from_text("hm_secret").unwrap();
        assert!(token.is(b"hm_secret"));
        for wrong in ["", "hm_secre", "hm_secret ", "HM_SECRET", "hm_secret\0"] {
            assert!(!token.is(wrong.as_bytes()), "{wrong:?}");
        }
        let _ = fs::Permissions::from_mode(0o600);
    }
}
