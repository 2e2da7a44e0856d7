//! Journals on disk: `.triggerfish/runs/<id>/journal.jsonl`.
//!
//! Owns writing and reading of the files. A crash loses at most the last line; a full disk is remembered and
//! told at the end, the run itself goes on. Deliberately absent: what the lines mean.

use std::fs::{File, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use router::journal::{Line, Recorder};

/// The name of the journal in a run's directory.
pub const JOURNAL: &str = "journal.jsonl";

/// Writes lines to a file, flushed whenever the fabric rests.
pub struct FileRecorder {
    file: Option<BufWriter<File>>,
    path: PathBuf,
}

impl FileRecorder {
    /// Makes the run's directory and an empty journal in it.
    ///
    /// # Errors
    /// The directory or the file cannot be made.
    pub fn create(run: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(run)?;
        let path = run.join(JOURNAL);
        let file = File::create(&path)?;
        // Only a mark for [`is_written`]; where locks do not exist, the run goes on without.
        let _ = file.try_lock();
        Ok(FileRecorder {
            file: Some(BufWriter::new(file)),
            path,
        })
    }
}

/// Whether a run that still goes on writes the journal in this directory.
pub fn is_written(run: &Path) -> bool {
    File::open(run.join(JOURNAL)).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

impl Recorder for FileRecorder {
    fn record(&mut self, _line: &Line, json: &[u8]) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(json).and_then(|()| file.write_all(b"\n")) {
            self.give_up(&error);
        }
    }

    fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.flush() {
            self.give_up(&error);
        }
    }
}

impl FileRecorder {
    fn give_up(&mut self, error: &std::io::Error) {
        tracing::error!(journal = %self.path.display(), %error, "the journal is no longer written");
        // Dropping the writer would try to flush again, and fail again.
        if let Some(file) = self.file.take() {
            let _ = file.into_parts();
        }
    }
}

/// Keeps lines in memory.
pub struct MemoryRecorder(Arc<Mutex<Vec<Line>>>);

impl MemoryRecorder {
    /// A recorder that appends to `lines`.
    pub fn new(lines: Arc<Mutex<Vec<Line>>>) -> Self {
        MemoryRecorder(lines)
    }
}

impl Recorder for MemoryRecorder {
    fn record(&mut self, line: &Line, _json: &[u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line.clone());
    }
}

/// Why a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No file, or no right to read it.
    #[error("failed to read {0}: {1}")]
    Io(PathBuf, std::io::Error),
    /// A line that is no entry.
    #[error("{0}:{1}: not a journal line: {2}")]
    Line(PathBuf, usize, serde_json::Error),
    /// A journal of a newer tool.
    #[error("{0} has journal version {1}; this triggerfish reads up to {version}", version = router::journal::VERSION)]
    Version(PathBuf, u64),
}

/// Reads a run's directory, or a journal file. A torn last line is left out.
///
/// # Errors
/// The file is missing, or a line before the last is no entry.
pub fn read(path: &Path) -> Result<Vec<Line>, ReadError> {
    let file = if path.is_dir() {
        path.join(JOURNAL)
    } else {
        path.to_owned()
    };
    let text = std::fs::read_to_string(&file).map_err(|e| ReadError::Io(file.clone(), e))?;
    let mut lines = Vec::new();
    let count = text.lines().count();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_str::<Line>(line) {
            Ok(line) => lines.push(line),
            Err(_) if i + 1 == count => break,
            Err(error) => return Err(ReadError::Line(file, i + 1, error)),
        }
        if i == 0
            && let Some(router::journal::Entry::Head { version, .. }) = lines.first().map(|l| &l.entry)
            && *version > router::journal::VERSION
        {
            return Err(ReadError::Version(file, u64::from(*version)));
        }
    }
    Ok(lines)
}

/// The directory of a run, by its path or by a part of its name below `.triggerfish/runs`; of several the last.
pub fn find(root: &Path, name: &str) -> Option<PathBuf> {
    let direct = PathBuf::from(name);
    if direct.exists() {
        return Some(direct);
    }
    let below = root.join(name);
    if below.join(JOURNAL).exists() {
        return Some(below);
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(root)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .and_then(|n| n.to_str())
                .is_some_and(|n| n.contains(name))
        })
        .collect();
    found.sort();
    found.pop()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use router::journal::{Entry, Journal};
    use router::time::Timestamp;

    use super::*;

    #[test]
    fn a_journal_is_written_until_its_recorder_is_gone() {
        let root = tempfile::tempdir().unwrap();
        assert!(!is_written(root.path()), "there is none");
        let recorder = FileRecorder::create(root.path()).unwrap();
        assert!(is_written(root.path()));
        drop(recorder);
        assert!(!is_written(root.path()));
    }

    #[test]
    fn what_is_written_is_read_again_and_a_torn_end_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(vec![Box::new(FileRecorder::create(root.path()).unwrap())]);
        for n in 0..3 {
            let from = Timestamp::from_millis(n);
            journal.write(
                Timestamp::VIRTUAL_START,
                Entry::Clock {
                    from,
                    why: "test".to_owned(),
                },
            );
        }
        drop(journal);
        let lines = read(root.path()).unwrap();
        assert_eq!(lines.len(), 3);
        let path = root.path().join(JOURNAL);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.truncate(text.len() - 5);
        text.push('\n');
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read(&path).unwrap(), lines[..2]);
        std::fs::write(&path, format!("nonsense\n{text}")).unwrap();
        assert!(
            read(&path)
                .unwrap_err()
                .to_string()
                .contains(":1: not a journal line")
        );
        std::fs::write(&path, r#"{"n":0,"t":0,"k":"future","x":1}"#).unwrap();
        assert_eq!(
            read(&path).unwrap()[0].entry,
            Entry::Unknown,
            "newer kinds are kept"
        );
    }
}
