//! `honeymesh authority new`: a fresh authority for a cluster. Needs no daemon.

use super::key_new::refused;
use crate::{
    cli::KeyNew,
    daemon::state_dir::{create_secret, hex},
    failure::Failure,
    output,
};
use zeroize::Zeroizing;

/// Writes the secret and prints the public half; an existing file is left alone.
///
/// # Errors
/// The file exists or cannot be written.
pub fn run(args: &KeyNew) -> Result<(), Failure> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).map_err(|error| Failure::Refused(format!("the kernel gives no random bytes: {error}")))?;
    let public = honeymesh_mesh_proto::public_key(&secret);
    let text = Zeroizing::new(hex(&*secret) + "\n");
    create_secret(&args.file, text.as_bytes()).map_err(|error| refused(args, &error))?;
    let file = args.file.display().to_string();
    let told = match args.json {
        true => output::json(&serde_json::json!({ "file": file, "authority": public.to_string() }))?,
        false => format!(
            "wrote the secret of a new authority to {} (mode 0600); keep it only where nodes are let in from, as authority_file\nauthority = \"{public}\"  # in [[cluster]] on every member",
            output::printable(&file)
        ),
    };
    Ok(output::say(&told)?)
}
