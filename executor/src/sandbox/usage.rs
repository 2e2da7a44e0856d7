//! What the processes of an environment use: memory and their number, read from `/proc`.
//!
//! Owns the reading. Memory is the resident size, as far as it is not shared: one process counts whole, several
//! count the pages they share once (`Pss`), which takes longer to ask, so only when the plain sum is too much.
//! Deliberately absent: when to look, and what is too much ([`limits`](super::limits)).

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use nix::unistd::Pid;

/// How many files [`tree`] looks at.
const MOST_FILES: usize = 20_000;

/// A look at all processes of an environment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Resident memory in bytes.
    pub memory: u64,
    /// How many processes there are.
    pub processes: usize,
}

/// The sum over `processes`; shared pages count once if the sum is above `enough`.
pub fn of(processes: &[Pid], enough: u64) -> Usage {
    let memory = processes.iter().filter_map(|pid| resident(*pid)).sum();
    let mut usage = Usage {
        memory,
        processes: processes.len(),
    };
    if processes.len() > 1 && memory > enough {
        usage.memory = processes.iter().filter_map(|pid| proportional(*pid)).sum();
    }
    usage
}

/// The processes of a group, found among all of the machine.
pub fn members(group: Pid) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pids = pids.map(Pid::from_raw);
    pids.filter(|pid| nix::unistd::getpgid(Some(*pid)) == Ok(group))
        .collect()
}

/// The bytes that the files below a directory take; of a very large tree only the first files, because others wait.
pub fn tree(directory: &Path) -> u64 {
    let (mut bytes, mut seen) = (0, 0);
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MOST_FILES {
                return bytes;
            }
            match entry.metadata() {
                Ok(about) if about.is_dir() => directories.push(entry.path()),
                Ok(about) => bytes += about.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    bytes
}

fn resident(pid: Pid) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page())
}

fn proportional(pid: Pid) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    kibibytes(&text, "Pss:").map(|kib| kib * 1024)
}

fn page() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    size.ok()
        .flatten()
        .and_then(|n| u64::try_from(n).ok())
        .unwrap_or(4096)
}

/// Reads the highest resident memory of one process, in one system call a time.
#[derive(Debug)]
pub struct PeakMeter(Option<File>);

impl PeakMeter {
    /// A meter for a process that runs; where there is no `/proc` it reads nothing.
    pub fn new(pid: Pid) -> Self {
        PeakMeter(File::open(format!("/proc/{pid}/status")).ok())
    }

    /// `VmHWM` in bytes.
    pub fn peak(&self) -> Option<u64> {
        let mut buffer = [0; 4096];
        let n = self.0.as_ref()?.read_at(&mut buffer, 0).ok()?;
        let status = std::str::from_utf8(&buffer[..n]).ok()?;
        kibibytes(status, "VmHWM:").map(|kib| kib * 1024)
    }
}

fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_is_one() {
        let me = Pid::this();
        let usage = of(&[me], 0);
        assert!(usage.memory > 100_000, "{usage:?}");
        assert_eq!(usage.processes, 1);
        let twice = of(&[me, me], u64::MAX).memory;
        assert!(twice > usage.memory);
        assert!(of(&[me, me], 0).memory <= twice, "shared pages count once");
        assert!(
            PeakMeter::new(me)
                .peak()
                .is_some_and(|peak| peak >= usage.memory / 2)
        );
        assert!(members(nix::unistd::getpgrp()).contains(&me));
    }
}
