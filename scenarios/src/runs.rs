//! Journals on disk: `.triggerfish/runs/<id>/journal.jsonl`.
//!
//! Owns writing and reading of the files. Lines go to the file when the fabric rests, or earlier where they are many: a
//! crash loses what came since, and may tear the last line. Nothing is synced, so a machine that goes down may lose more.
//! Where a disk is full, the journal ends and that is logged; the run itself goes on. Deliberately absent: what the lines
//! mean.

use std::fs::{File, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use router::journal::{Line, Recorder};
use router::name::Seed;

use crate::decode::nearest;

/// The name of the journal in a run's directory.
pub const JOURNAL: &str = "journal.jsonl";

/// Writes lines to a file, flushed whenever the fabric rests.
pub struct FileRecorder {
    file: Option<BufWriter<File>>,
    path: PathBuf,
}

impl FileRecorder {
    /// Makes the run's directory and an empty journal in it. While another run writes the journal there, its directory is
    /// left to it, and this one's ends in `-2`, or the next number that is free.
    ///
    /// # Errors
    /// The directory or the file cannot be made.
    pub fn create(run: &Path) -> std::io::Result<Self> {
        let mut directory = run.to_owned();
        let mut number = 1;
        loop {
            std::fs::create_dir_all(&directory)?;
            let path = directory.join(JOURNAL);
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            // Where locks do not exist, the run goes on without.
            if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                file.set_len(0)?;
                return Ok(FileRecorder {
                    file: Some(BufWriter::new(file)),
                    path,
                });
            }
            number += 1;
            let mut name = run.as_os_str().to_owned();
            name.push(format!("-{number}"));
            directory = PathBuf::from(name);
        }
    }

    /// Where the journal is.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
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

/// Reads a run's directory, or a journal file. A torn last line is left out, even if it ends inside a character.
///
/// # Errors
/// The file is missing, or a line before the last is no entry.
pub fn read(path: &Path) -> Result<Vec<Line>, ReadError> {
    let file = if path.is_dir() {
        path.join(JOURNAL)
    } else {
        path.to_owned()
    };
    let bytes = std::fs::read(&file).map_err(|e| ReadError::Io(file.clone(), e))?;
    let mut lines = Vec::new();
    let written = bytes.split(|byte| *byte == b'\n').enumerate();
    let mut written = written
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .peekable();
    while let Some((i, line)) = written.next() {
        match serde_json::from_slice::<Line>(line) {
            Ok(line) => lines.push(line),
            Err(_) if written.peek().is_none() => break,
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

/// Longer names of directories are cut, and told apart by a hash.
const LONGEST_NAME: usize = 200;
/// Runs that are listed where several are meant.
const LISTED: usize = 8;

/// What the run of a file is called: its path with `+` for `/`, and `%XX` for what is neither letter nor digit nor one of
/// `-_.`; no two paths share a name.
pub fn directory_name(path: &str) -> String {
    let mut name = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' => name.push('+'),
            b'-' | b'_' | b'.' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let hash = Seed(0).request_id(path);
    format!("{}~{hash}", &name[name.len() - LONGEST_NAME..])
}

/// Why no run was found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing is called so.
    #[error("there is no run `{name}`, neither here nor below {}{}", root.display(), did_you_mean(near.as_deref()))]
    None {
        /// What was asked for.
        name: String,
        /// Where runs are.
        root: PathBuf,
        /// The nearest name.
        near: Option<String>,
    },
    /// More than one is.
    #[error("{count} runs have `{name}` in their names; say which:\n  {}{}", listed.join("\n  "), more(*count, listed.len()))]
    Several {
        /// What was asked for.
        name: String,
        /// How many there are.
        count: usize,
        /// The last of them by name.
        listed: Vec<String>,
    },
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default()
}

fn more(count: usize, listed: usize) -> String {
    match count - listed {
        0 => String::new(),
        more => format!("\n  and {more} older ones"),
    }
}

/// Whether a directory is called as [`FileRecorder::create`] calls those of runs at the same time as `first`.
fn is_run_of(run: &str, first: &str) -> bool {
    let scenario = first.ends_with(".yaml") || first.ends_with(".yml");
    let number = run.strip_prefix(first).map(|rest| rest.strip_prefix('-'));
    run == first || scenario && matches!(number, Some(Some(number)) if number.parse::<u32>().is_ok())
}

/// The directory or journal of a run: by its path, by the scenario's file, or by a part of its name below `root`. Of runs of
/// one scenario that were at the same time, the one that wrote last.
///
/// # Errors
/// There is none, or more than one.
pub fn find(root: &Path, name: &str) -> Result<PathBuf, FindError> {
    let direct = PathBuf::from(name);
    let scenario = direct
        .extension()
        .is_some_and(|end| end == "yaml" || end == "yml");
    if (direct.is_file() && !scenario) || direct.join(JOURNAL).exists() {
        return Ok(direct);
    }
    let whole = [root.join(name), root.join(directory_name(name))];
    if let Some(found) = whole.into_iter().find(|path| path.join(JOURNAL).exists()) {
        return Ok(found);
    }
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut all: Vec<String> = entries
        .filter(|entry| entry.path().join(JOURNAL).exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    all.sort();
    let found: Vec<&String> = all.iter().filter(|run| run.contains(name)).collect();
    match *found {
        [only] => Ok(root.join(only)),
        [first, ..] if found.iter().all(|run| is_run_of(run, first)) => {
            let written = |run: &&&String| {
                let journal = std::fs::metadata(root.join(run).join(JOURNAL));
                journal.and_then(|journal| journal.modified()).ok()
            };
            let last = found.iter().max_by_key(written).unwrap_or(&first);
            Ok(root.join(last))
        }
        [] => Err(FindError::None {
            name: name.to_owned(),
            root: root.to_owned(),
            near: nearest(name, all.iter().map(String::as_str)).map(str::to_owned),
        }),
        _ => Err(FindError::Several {
            name: name.to_owned(),
            count: found.len(),
            listed: found
                .iter()
                .rev()
                .take(LISTED)
                .rev()
                .map(|run| (*run).clone())
                .collect(),
        }),
    }
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
    fn a_directory_that_a_run_still_writes_is_left_to_it() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("a.yaml");
        let mut first = FileRecorder::create(&run).unwrap();
        assert_eq!(first.directory(), run);
        let line = Line {
            n: 0,
            t: Timestamp::VIRTUAL_START,
            entry: Entry::Unknown,
        };
        first.record(&line, b"of the first");
        first.flush();
        let second = FileRecorder::create(&run).unwrap();
        assert_eq!(second.directory(), root.path().join("a.yaml-2"));
        let third = FileRecorder::create(&run).unwrap();
        assert_eq!(third.directory(), root.path().join("a.yaml-3"));
        let text = |run: &Path| std::fs::read_to_string(run.join(JOURNAL)).unwrap();
        assert_eq!(text(&run), "of the first\n");
        drop((first, second));
        let again = FileRecorder::create(&run).unwrap();
        assert_eq!(again.directory(), run);
        assert_eq!(text(&run), "", "a new journal begins empty");
        let found = |name: &str| find(root.path(), name).map_err(|error| error.to_string());
        assert_eq!(found("a.yaml"), Ok(run.clone()), "a whole name");
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
        let journal = File::options()
            .write(true)
            .open(root.path().join("a.yaml-2").join(JOURNAL));
        journal.unwrap().set_modified(later).unwrap();
        assert_eq!(
            found("a.y"),
            Ok(root.path().join("a.yaml-2")),
            "the last of one scenario's runs"
        );
        drop(FileRecorder::create(&root.path().join("ba.yaml")).unwrap());
        assert!(found("a.y").is_err(), "two scenarios");
    }

    #[test]
    fn a_journal_torn_inside_a_character_is_read_up_to_there() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(JOURNAL);
        let whole = r#"{"n":0,"t":0,"k":"log","name":"inv:f/x#1","line":"é"}"#;
        let torn = &whole.as_bytes()[..=whole.find('é').unwrap()];
        assert!(std::str::from_utf8(torn).is_err());
        std::fs::write(&path, [whole.as_bytes(), b"\r\n", torn].concat()).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1);
        std::fs::write(&path, [torn, b"\n", whole.as_bytes()].concat()).unwrap();
        assert!(
            read(&path)
                .unwrap_err()
                .to_string()
                .contains(":1: not a journal line")
        );
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

    #[test]
    fn no_two_files_share_a_directory() {
        let long = |end: &str| format!("{}/{end}", "x/".repeat(300));
        let names = [
            "a/b.yaml",
            "a_b.yaml",
            "a+b.yaml",
            "a%2Bb.yaml",
            "../a/b.yaml",
            "é.yaml",
            " .yaml",
        ];
        let mut names: Vec<String> = names.map(str::to_owned).to_vec();
        names.extend([long("a.yaml"), long("b.yaml"), format!("y{}", long("a.yaml"))]);
        let encoded: std::collections::BTreeSet<String> =
            names.iter().map(|name| directory_name(name)).collect();
        assert_eq!(encoded.len(), names.len(), "{encoded:?}");
        assert!(encoded.iter().all(|name| name.len() < 255 && !name.contains('/')));
        assert_eq!(directory_name("a/b.yaml"), "a+b.yaml");
    }

    #[test]
    fn a_run_is_found_by_a_part_of_its_name_that_no_other_has() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for run in ["a+retry.yaml", "b+retry.yaml", "put.yaml"] {
            drop(FileRecorder::create(&root.join(run)).unwrap());
        }
        std::fs::create_dir(root.join("put-empty")).unwrap();
        let found = |name: &str| find(root, name).map_err(|error| error.to_string());
        assert_eq!(found("put"), Ok(root.join("put.yaml")));
        assert_eq!(found("a/retry.yaml"), Ok(root.join("a+retry.yaml")));
        let several = found("retry").unwrap_err();
        assert!(
            several.contains("2 runs") && several.contains("a+retry.yaml\n  b+retry.yaml"),
            "{several}"
        );
        let none = found("pit.yaml").unwrap_err();
        assert!(none.contains("did you mean `put.yaml`?"), "{none}");
    }
}
