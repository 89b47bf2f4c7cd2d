//! `honeymesh export`: events as a file, whole or not at all.

use crate::{
    cli::Export,
    client::{Answer, Client, quoted},
    failure::Failure,
    output, when,
};
use honeymesh_format::{printable, time_micros};
use hyper::Method;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Copies the daemon's export to the standard output or a file.
pub async fn run(args: Export) -> Result<(), Failure> {
    let answer = Client::new(&args.plain.socket).ask(Method::GET, &path(&args), None).await?;
    let Some(file) = &args.output else {
        answer.copy(&mut BufWriter::new(io::stdout().lock())).await?;
        return Ok(());
    };
    let length = to_file(answer, file).await?;
    let shown = file.display().to_string();
    let told = match args.plain.json {
        true => output::json(&serde_json::json!({ "file": shown, "format": args.format.as_str(), "bytes": length }))?,
        false => format!("wrote {length} bytes to {}", printable(&shown)),
    };
    Ok(output::say(&told)?)
}

fn path(args: &Export) -> String {
    let now = when::now();
    let time = |key: &str, at: Option<when::When>| {
        at.map(|at| format!("&{key}={}", quoted(&time_micros(at.at(now))))).unwrap_or_default()
    };
    let subject = args.subject.map(|subject| format!("&subject={}", quoted(&subject.to_string()))).unwrap_or_default();
    let (since, until) = (time("since", args.since), time("until", args.until));
    format!("/api/v1/export?format={}{since}{until}{subject}", args.format.as_str())
}

/// A name beside the file that becomes it when everything is written: what is cut short is never taken for whole.
async fn to_file(answer: Answer, file: &Path) -> Result<u64, Failure> {
    let part = part_of(file);
    let cannot = |error: io::Error| Failure::Refused(format!("{} cannot be written: {error}", file.display()));
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(cannot)?;
    let written = copied(answer, opened).await;
    match written.and_then(|length| std::fs::rename(&part, file).map_err(cannot).map(|()| length)) {
        Ok(length) => Ok(length),
        Err(failure) => {
            let _ = std::fs::remove_file(&part);
            Err(failure)
        }
    }
}

async fn copied(answer: Answer, file: File) -> Result<u64, Failure> {
    let mut writer = BufWriter::new(file);
    let length = answer.copy(&mut writer).await?;
    let file = writer.into_inner().map_err(|error| Failure::from(error.into_error()))?;
    file.sync_all()?;
    Ok(length)
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
