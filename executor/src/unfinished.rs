//! What was still running when an environment came to rest: work that leaked past the response.
//!
//! On AWS it freezes there, goes on with some later event or never, and is the usual reason for "my upload is
//! incomplete". Two look for it: our bootstraps know their threads and timers and say so with their `next`, and
//! processes are counted here, when nobody waits. What was there before the first event does not count, such as the
//! `curl` that polls for a shell. Owns the words. Deliberately absent: stopping any of it.

use std::path::Path;

use hyper::HeaderMap;
use router::name::Name;

use crate::site::Figures;

/// The header of our bootstraps: `2 threads`, `1 timer, 1 connection`.
const HEADER: &str = "triggerfish-unfinished";
/// The figure of an attempt.
const FIGURE: &str = "unfinished";
/// Longer texts are not ours.
const LONGEST: usize = 200;
/// More processes are not looked for.
const MOST: usize = 1000;

/// What the runtime says still runs.
pub fn told(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(HEADER)?.to_str().ok()?.trim();
    (!text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}

/// What is known of one environment's leftovers.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// How many processes there were before the first event; unknown until then.
    before: Option<usize>,
    /// What the runtime said last.
    told: Option<String>,
    /// The attempt whose processes are to be counted.
    attempt: Option<Name>,
}

impl Unfinished {
    /// The runtime asks for an event.
    pub fn asked(&mut self, told: Option<String>, pid: i32) {
        if self.before.is_none() {
            self.before = Some(processes_below(pid));
        }
        self.told = told;
    }

    /// An event is handed out: what was left goes on with it.
    pub fn forget(&mut self) {
        (self.told, self.attempt) = (None, None);
    }

    /// What the runtime said, for the attempt that has ended; its processes are counted later.
    pub fn take_told(&mut self, attempt: &Name) -> Figures {
        self.attempt = Some(attempt.clone());
        figure(self.told.take().into_iter().collect())
    }

    /// What the count of processes adds, where [`take_told`](Self::take_told) was asked since the last event.
    pub fn take_processes(&mut self, pid: i32) -> Option<(Name, Figures)> {
        let attempt = self.attempt.take()?;
        let figures = figure(self.processes(pid).into_iter().collect());
        (!figures.is_empty()).then_some((attempt, figures))
    }

    /// All at once, where nobody waits.
    pub fn take_all(&mut self, pid: i32) -> Figures {
        figure(self.told.take().into_iter().chain(self.processes(pid)).collect())
    }

    fn processes(&self, pid: i32) -> Option<String> {
        match processes_below(pid).saturating_sub(self.before?) {
            0 => None,
            1 => Some("1 process".to_owned()),
            n => Some(format!("{n} processes")),
        }
    }
}

fn figure(parts: Vec<String>) -> Figures {
    let verb = match parts.as_slice() {
        [] => return Figures::new(),
        [one] if one.starts_with("1 ") && !one.contains(',') => "was",
        _ => "were",
    };
    let text = format!("{} {verb} still running", parts.join(", "));
    Figures::from([(FIGURE.to_owned(), text)])
}

/// How many processes descend from one, without those that have ended; none where there is no `/proc`.
fn processes_below(pid: i32) -> usize {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(pid) = found.get(at).filter(|_| at < MOST) {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = list.split_whitespace().filter_map(|pid| pid.parse().ok());
            found.extend(children.filter(|pid| !has_ended(*pid)));
        }
        at += 1;
    }
    found.len() - 1
}

/// Whether a process is a zombie, or gone.
fn has_ended(pid: i32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    // The name is in parentheses and may hold any letter; the state follows it.
    stat.map_or(true, |stat| {
        stat.rsplit_once(") ")
            .is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    fn text(parts: &[&str]) -> Option<String> {
        let figures = figure(parts.iter().map(|part| (*part).to_owned()).collect());
        figures.get(FIGURE).cloned()
    }

    #[test]
    fn it_reads_as_a_sentence() {
        assert_eq!(text(&[]), None);
        assert_eq!(text(&["1 thread"]).unwrap(), "1 thread was still running");
        assert_eq!(text(&["3 threads"]).unwrap(), "3 threads were still running");
        let both = text(&["1 timer", "1 process"]).unwrap();
        assert_eq!(both, "1 timer, 1 process were still running");
    }

    #[test]
    fn a_foreign_header_is_left_out() {
        let mut headers = HeaderMap::new();
        assert_eq!(told(&headers), None);
        headers.insert(HEADER, " 1 timer ".parse().unwrap());
        assert_eq!(told(&headers).unwrap(), "1 timer");
        headers.insert(HEADER, "x".repeat(300).parse().unwrap());
        assert_eq!(told(&headers), None);
    }

    #[test]
    fn children_are_counted_and_what_was_there_before_is_not() {
        let own = i32::try_from(std::process::id()).unwrap();
        let mut shell = std::process::Command::new("sh");
        let mut shell = shell
            .args(["-c", "sleep 600 & echo; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = i32::try_from(shell.id()).unwrap();
        std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        assert_eq!(processes_below(pid), 1);
        assert!(processes_below(own) >= 2);
        let mut unfinished = Unfinished::default();
        unfinished.asked(None, i32::MAX);
        assert_eq!(
            unfinished.take_all(pid).get(FIGURE).unwrap(),
            "1 process was still running"
        );
        unfinished.before = Some(1);
        assert_eq!(unfinished.take_all(pid), Figures::new());
        for child in std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
            .unwrap()
            .split_whitespace()
        {
            std::process::Command::new("kill").arg(child).status().unwrap();
        }
        shell.wait().unwrap();
    }
}
