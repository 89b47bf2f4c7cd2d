//! Very many orders to a daemon, and what it and its processes take.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
};

/// Orders bans over one connection to the control socket, as scripts do that bring a list: one after the other, each answered.
pub fn order(socket: &Path, subjects: impl Iterator<Item = String>, ttl: &str) {
    let mut stream = BufReader::new(UnixStream::connect(socket).unwrap());
    for subject in subjects {
        let body = format!("{{\"subject\":\"{subject}\",\"ttl\":\"{ttl}\"}}");
        let head = "POST /api/v1/bans HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        write!(stream.get_mut(), "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let (mut length, mut first) = (0, String::new());
        stream.read_line(&mut first).unwrap();
        assert!(first.contains(" 200 ") || first.contains(" 201 "), "{subject}: {first}");
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = told.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        stream.read_exact(&mut vec![0; length]).unwrap();
    }
}

/// A process and all that it has started, and these have.
pub fn family(first: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let all: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = vec![first];
    let mut index = 0;
    while let Some(one) = family.get(index).copied() {
        family.extend(all.iter().filter(|(_, parent)| *parent == one).map(|(pid, _)| *pid));
        index += 1;
    }
    family
}
