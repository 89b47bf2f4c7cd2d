//! `honeymesh key new`: a fresh cluster key in a file of its own. Needs no daemon.

use crate::{cli::KeyNew, daemon::state_dir::create_secret, failure::Failure, output};
use honeymesh_mesh_proto::Key;
use std::io;
use zeroize::Zeroizing;

/// Writes the key; an existing file is left alone.
///
/// # Errors
/// The file exists or cannot be written.
pub fn run(args: &KeyNew) -> Result<(), Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| Failure::Refused(format!("the kernel gives no random bytes: {error}")))?;
    let mut text = Key::from_bytes(*bytes).to_text();
    text.push('\n');
    create_secret(&args.file, text.as_bytes()).map_err(|error| refused(args, &error))?;
    let file = args.file.display().to_string();
    let told = match args.json {
        true => output::json(&serde_json::json!({ "file": file }))?,
        false => format!(
            "wrote a new cluster key to {} (mode 0600); copy it to every member over a safe way",
            output::printable(&file)
        ),
    };
    Ok(output::say(&told)?)
}

pub(super) fn refused(args: &KeyNew, error: &io::Error) -> Failure {
    let file = args.file.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Refused(format!("{file} exists and is not overwritten; give another name")),
        io::ErrorKind::NotFound => Failure::Refused(format!("{file} cannot be written: its directory does not exist; make it")),
        _ => Failure::Refused(format!("{file} cannot be written: {error}; choose a place you may write to")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_new_key_is_secret_usable_and_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let args = KeyNew { file: dir.path().join("mesh.key"), json: true };
        run(&args).unwrap();
        assert_eq!(std::fs::metadata(&args.file).unwrap().mode() & 0o777, 0o600);
        let before = std::fs::read_to_string(&args.file).unwrap();
        assert!(Key::parse(&before).is_ok());
        let error = run(&args).unwrap_err();
        assert!(error.code() == 1 && error.to_string().contains("is not overwritten"), "{error}");
        assert_eq!(std::fs::read_to_string(&args.file).unwrap(), before);
    }

    #[test]
    fn two_keys_differ() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str| {
            let file = dir.path().join(name);
            run(&KeyNew { file: file.clone(), json: false }).unwrap();
            std::fs::read_to_string(file).unwrap()
        };
        assert_ne!(read("a"), read("b"));
    }
}
