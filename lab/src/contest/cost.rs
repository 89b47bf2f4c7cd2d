//! What processes have spent and hold, by the kernel's books.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

/// These processes and all their children, and theirs.
fn family(roots: &[u32]) -> BTreeSet<u32> {
    let mut family: BTreeSet<u32> = roots.iter().copied().collect();
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name before may have blanks and brackets in it.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    loop {
        let before = family.len();
        let children: Vec<u32> = parents.iter().filter(|(_, parent)| family.contains(parent)).map(|(pid, _)| *pid).collect();
        family.extend(children);
        if family.len() == before {
            return family;
        }
    }
}

/// What each thread that lives has spent, to the nanosecond (`schedstat`): by its number, with its name.
pub fn threads(roots: &[u32]) -> BTreeMap<u32, (String, Duration)> {
    let threads = family(roots).into_iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten());
    let spent = threads.filter_map(|thread| {
        let thread = thread.ok()?;
        let number = thread.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanos = text.split_whitespace().next()?.parse().ok()?;
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        Some((number, (name.trim_end().to_owned(), Duration::from_nanos(nanos))))
    });
    spent.collect()
}

/// Processor time of all threads that live.
pub fn spent(roots: &[u32]) -> Duration {
    threads(roots).into_values().map(|(_, spent)| spent).sum()
}

/// What threads have spent since `before`, by their names, the most first.
pub fn shares(roots: &[u32], before: &BTreeMap<u32, (String, Duration)>) -> Vec<(String, Duration)> {
    let mut shares: BTreeMap<String, Duration> = BTreeMap::new();
    for (number, (name, spent)) in threads(roots) {
        let share = before.get(&number).map_or(spent, |(_, before)| spent.saturating_sub(*before));
        *shares.entry(name).or_default() += share;
    }
    let mut shares: Vec<_> = shares.into_iter().filter(|(_, share)| !share.is_zero()).collect();
    shares.sort_unstable_by_key(|(_, share)| std::cmp::Reverse(*share));
    shares
}

/// Octets resident: anonymous memory, and with what is backed by files or shared (a kernel table is).
pub fn resident(roots: &[u32]) -> (usize, usize) {
    let sums = family(roots).into_iter().filter_map(|pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let of = |key: &str| -> usize {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0) * 1_024
        };
        Some((of("RssAnon:"), of("VmRSS:")))
    });
    sums.fold((0, 0), |(own, all), (more_own, more)| (own + more_own, all + more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_its_child_spend_and_hold_something() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep").arg("20").spawn().unwrap();
        let family = family(&[own]);
        assert!(family.contains(&own) && family.contains(&child.id()));
        let (anonymous, all) = resident(&[own]);
        assert!(anonymous > 0 && all > anonymous);
        assert!(spent(&[own]) > Duration::ZERO);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
