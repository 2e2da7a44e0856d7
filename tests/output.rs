//! Standard output that is full or closed: an error or silence, never a panic.

#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

fn said(args: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(stdout)
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text)
}

#[test]
fn a_full_disk_is_an_error() {
    for args in [
        &["schema"][..],
        &["event"],
        &["test", "tests/cases/tabs/case.yaml"],
    ] {
        let full = OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        let (code, text) = said(args, full.into());
        assert_eq!(code, Some(2), "{args:?}: {text}");
        assert!(
            text.contains("failed to write the output: No space left"),
            "{text}"
        );
        assert!(!text.contains("panicked"), "{text}");
    }
}

#[test]
fn a_reader_that_went_away_is_none() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let (code, text) = said(&["schema"], writer.into());
    assert_eq!((code, text.as_str()), (Some(0), ""));
}
