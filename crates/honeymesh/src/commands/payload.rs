//! `honeymesh payload`: what a stranger sent, so that neither terminal nor reader is harmed by it.

use crate::{
    cli::Payload,
    client::{Client, quoted},
    failure::Failure,
    output::{self, printable},
};
use honeymesh_format::{PayloadJson, base64_bytes, hash_text, json_pretty, parse_hash, payload_hash};
use hyper::Method;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Bytes in a line of the dump.
const LINE_BYTES: usize = 16;
/// Bytes that the dump shows; all of them are in `--json` and `--output`.
const SHOWN_BYTES_MAX: usize = 4_096;

/// Shows it, or writes it to a file.
pub async fn run(args: Payload) -> Result<(), Failure> {
    let hash = parse_hash(&args.hash)
        .ok_or_else(|| Failure::usage("HASH: write the 64 hexadecimal digits of a SHA-256, as `honeymesh events` shows them"))?;
    let path = format!("/api/v1/payloads/{}", quoted(&hash_text(hash)));
    let payload: PayloadJson = Client::new(&args.plain.socket).read(Method::GET, &path, None).await?;
    let bytes = base64_bytes(&payload.payload_base64).filter(|bytes| payload_hash(bytes) == Some(hash));
    let bytes = bytes.ok_or_else(|| Failure::Refused("the daemon sent other bytes than were asked for".into()))?;
    let text = match (&args.output, args.plain.json) {
        (Some(file), is_json) => {
            write(file, &bytes).map_err(|error| Failure::Refused(format!("{} cannot be written: {error}", file.display())))?;
            let shown = file.display().to_string();
            match is_json {
                true => output::json(&serde_json::json!({ "file": shown, "bytes": bytes.len() }))?,
                false => format!("wrote {} bytes to {} (mode 0600); do not run them", bytes.len(), printable(&shown)),
            }
        }
        (None, true) => json_pretty(&payload).map_err(|error| Failure::Refused(error.to_string()))?,
        (None, false) => words(&payload, &bytes),
    };
    Ok(output::say(&text)?)
}

/// A file that is there already stays as it is.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    opened.write_all(bytes)?;
    opened.sync_all()
}

fn words(payload: &PayloadJson, bytes: &[u8]) -> String {
    let PayloadJson { sha256, size, first_seen, last_seen, count, .. } = payload;
    let head = format!("{sha256}: {size} bytes, in {count} events, first seen {first_seen}, last {last_seen}");
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    let lines = shown.chunks(LINE_BYTES).enumerate().map(|(index, line)| dump_line(index * LINE_BYTES, line));
    let rest = (shown.len() < bytes.len()).then(|| format!("… {} more; --output FILE writes all", bytes.len() - shown.len()));
    std::iter::once(printable(&head)).chain(lines).chain(rest).collect::<Vec<_>>().join("\n")
}

/// As `hexdump -C` shows it.
fn dump_line(place: usize, line: &[u8]) -> String {
    let hex: String = line.iter().map(|byte| format!("{byte:02x} ")).collect();
    let text: String = line.iter().map(|byte| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' }).collect();
    format!("{place:08x}  {hex:<48} |{text}|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_shows_every_byte_and_nothing_that_a_terminal_obeys() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = words(&PayloadJson { sha256: "a\u{1b}[2J".into(), ..PayloadJson::default() }, &bytes);
        assert!(text.lines().count() == 17 && text.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{text}");
        assert!(text.contains("00000040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  |@ABCDEFGHIJKLMNO|"), "{text}");
        let long = words(&PayloadJson::default(), &[b'x'; 5_000]);
        assert!(long.ends_with("… 904 more; --output FILE writes all"), "{long}");
    }

    #[test]
    fn a_file_is_private_and_never_overwritten() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sample");
        write(&file, b"\x7fELF").unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert!(write(&file, b"other").is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"\x7fELF");
    }
}
