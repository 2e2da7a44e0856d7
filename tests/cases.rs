//! Case folders: a scenario or project, and what the binary says of it.
//!
//! Each folder of `tests/cases/` holds `case.yaml` (run by `triggerfish test case.yaml`, twice: one seed, one trace) and `expected`: the exit
//! code in its first line, then the output with times blanked. `UPDATE=1 cargo test --test cases` rewrites them.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn every_case_says_what_it_said() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut folders: Vec<_> = std::fs::read_dir(&root)
        .expect("tests/cases")
        .flatten()
        .map(|e| e.path())
        .collect();
    folders.sort();
    assert!(folders.len() > 10, "{} cases", folders.len());
    // What it shows is refused by some machines, such as most containers; the binary says so too.
    let shortcomings = executor::shortcomings();
    if !shortcomings.is_empty() {
        eprintln!(
            "left out: tests/cases/environments, because {}",
            shortcomings.join("; ")
        );
        folders.retain(|folder| !folder.ends_with("environments"));
    }
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = play(folder);
            wrong.lock().expect("no case panics").extend(found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let wrong = wrong.into_inner().expect("no case panics");
    assert!(
        wrong.is_empty(),
        "UPDATE=1 rewrites them, if these are right:\n{}",
        wrong.join("\n\n")
    );
}

/// Runs a case; what it said, if that is not what was expected.
fn play(folder: &Path) -> Option<String> {
    let runs = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
        .args(["test", "case.yaml", "--times", "2", "--runs"])
        .arg(runs.path())
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs");
    let runs = runs.path().display().to_string();
    let text = String::from_utf8_lossy(&output.stdout).replace(&runs, "RUNS");
    let text = text.replace(&folder.display().to_string(), "HERE");
    let got = format!(
        "exit {}\n{}",
        output.status.code().unwrap_or(-1),
        blank_times(&text)
    );
    let expected = folder.join("expected");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expected, &got).expect("written");
        return None;
    }
    let same = std::fs::read_to_string(&expected).is_ok_and(|text| text == got);
    (!same).then(|| format!("{}:\n{got}", folder.display()))
}

/// Real times, hashes and the machine's paths differ from run to run.
fn blank_times(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let words = line.split(' ').collect::<Vec<_>>();
        let mut out: Vec<String> = Vec::new();
        for (i, word) in words.iter().enumerate() {
            let next = words.get(i + 1).copied().unwrap_or_default();
            let number = !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == '.');
            let hash = i > 0 && words[i - 1] == "trace";
            if number && (next == "ms" || next == "s" || next == "s)") {
                while out.last().is_some_and(String::is_empty) {
                    out.pop();
                }
                out.push("N".to_owned());
            } else if hash {
                out.push("TRACE".to_owned());
            } else {
                out.push((*word).to_owned());
            }
        }
        lines.push(
            out.join(" ")
                .replace("(boot N s) · ", "")
                .replace(" (boot N s)", ""),
        );
    }
    lines.join("\n") + "\n"
}
