//! The doorbell of a watched directory.
//!
//! Owns the `notify` watcher, whose callback only notes which paths are dirty and rings. A bounded note
//! book is kept; when it or the kernel's queue overflows, one word remains: look at everything again.
//! Deliberately absent: any conclusion about what happened. Watches are never recursive, because a
//! recursive one loses files in fresh folders without saying so; whoever finds a folder calls
//! [`Watch::add`] first and lists it second.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{ErrorKind, Event, EventHandler, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::source::{Bell, SourceError};

/// Dirty paths kept before the note book is torn up in favour of a full look.
const MAX_HINTS: usize = 65_536;
/// How long a barrier waits for the watcher before it looks at everything instead.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the watcher said about one path since it was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// Written to, created, or moved in: the same bytes again would be a new put.
    pub changed: bool,
    /// Written to, created or removed: if there is a file, it was written since, whatever its times say.
    pub written: bool,
    /// A writer closed it, or it arrived by a rename: its content is complete.
    pub closed: bool,
}

impl Hint {
    /// Adds what a later hint says.
    pub fn merge(&mut self, later: Hint) {
        self.changed |= later.changed;
        self.written |= later.written;
        self.closed |= later.closed;
    }
}

/// What was noted since the last look.
#[derive(Debug, Default)]
pub struct Notes {
    /// Dirty paths.
    pub hints: BTreeMap<PathBuf, Hint>,
    /// Something was missed: everything must be looked at.
    pub rescan: bool,
}

struct Book {
    notes: Notes,
    cookie: u64,
}

struct Shared {
    book: Mutex<Book>,
    seen: Condvar,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        // The book is whole after every statement, so a panic elsewhere cannot have broken it.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches directories and hands out what was noted.
pub struct Watch {
    watcher: RecommendedWatcher,
    shared: Arc<Shared>,
    cookies: PathBuf,
    cookie: u64,
    /// Acts as if the system's limit of watches were reached.
    #[cfg(test)]
    pub full: bool,
}

impl Watch {
    /// A watcher that notes what happens below `root` and rings `bell`. `cookies` is an empty directory
    /// of its own, outside of anything watched.
    pub fn new(root: &Path, cookies: PathBuf, bell: Bell) -> Result<Self, SourceError> {
        let book = Mutex::new(Book {
            notes: Notes::default(),
            cookie: 0,
        });
        let shared = Arc::new(Shared {
            book,
            seen: Condvar::new(),
        });
        let ear = Ear {
            root: root.to_owned(),
            cookies: cookies.clone(),
            shared: Arc::clone(&shared),
            bell,
        };
        let failed = |e: &dyn std::fmt::Display, path: &Path| {
            SourceError::new(format!("failed to watch {}: {e}", path.display()))
                .help("raise fs.inotify.max_user_instances with sysctl, or watch fewer buckets")
        };
        let watcher = notify::recommended_watcher(ear).map_err(|e| failed(&e, root))?;
        std::fs::create_dir_all(&cookies).map_err(|e| failed(&e, &cookies))?;
        let cookies = std::fs::canonicalize(&cookies).map_err(|e| failed(&e, &cookies))?;
        let _ = std::fs::remove_file(cookies.join("0"));
        let mut watch = Watch {
            watcher,
            shared,
            cookies,
            cookie: 0,
            #[cfg(test)]
            full: false,
        };
        let place = watch.cookies.clone();
        if !watch.add(&place)? {
            return Err(SourceError::new(format!("{} vanished", place.display())));
        }
        Ok(watch)
    }

    /// Watches a directory; `false` if it is gone. Adding it again is right whenever it may be another
    /// directory of the same name.
    pub fn add(&mut self, directory: &Path) -> Result<bool, SourceError> {
        #[cfg(not(test))]
        let full = false;
        #[cfg(test)]
        let full = self.full;
        let watched = match full {
            true => Err(notify::Error::new(ErrorKind::MaxFilesWatch)),
            false => self.watcher.watch(directory, RecursiveMode::NonRecursive),
        };
        let Err(error) = watched else { return Ok(true) };
        match error.kind {
            ErrorKind::PathNotFound => Ok(false),
            ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                tracing::warn!(directory = %directory.display(), "directory cannot be read, so it is not watched");
                Ok(false)
            }
            ErrorKind::MaxFilesWatch => Err(SourceError::new(format!(
                "the system's limit of watches is reached at {}",
                directory.display()
            ))
            .help("raise fs.inotify.max_user_watches with sysctl, or watch a smaller tree")),
            kind => Err(SourceError::new(format!(
                "failed to watch {}: {kind:?}",
                directory.display()
            ))),
        }
    }

    /// Takes what was noted.
    pub fn take(&self) -> Notes {
        std::mem::take(&mut self.shared.book().notes)
    }

    /// Returns when everything that happened before this call has been noted.
    ///
    /// A cookie file is renamed in a directory that the same watcher watches. The kernel queues events in
    /// the order in which they happened, so once the cookie is seen, everything earlier was.
    pub fn sync(&mut self) {
        let before = self.cookies.join(self.cookie.to_string());
        self.cookie += 1;
        let cookie = self.cookie;
        let after = self.cookies.join(cookie.to_string());
        let thrown = std::fs::rename(before, &after).or_else(|_| std::fs::write(&after, ""));
        let mut book = self.shared.book();
        if thrown.is_err() {
            book.notes.rescan = true;
            return;
        }
        let waiting = |book: &mut Book| book.cookie < cookie && !book.notes.rescan;
        let waited = self.shared.seen.wait_timeout_while(book, PATIENCE, waiting);
        let (mut book, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            tracing::warn!("the watcher is behind by seconds; looking at the whole bucket instead");
            book.notes.rescan = true;
        }
    }

    /// Does what an overflow of the kernel's queue does.
    #[cfg(test)]
    pub fn overflow(&self, bell: Bell) {
        let ear = Ear {
            root: PathBuf::new(),
            cookies: PathBuf::new(),
            shared: Arc::clone(&self.shared),
            bell,
        };
        ear.note(Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan));
    }
}

/// The watcher's callback. It must only note: a slow callback makes the kernel's queue overflow.
struct Ear {
    root: PathBuf,
    cookies: PathBuf,
    shared: Arc<Shared>,
    bell: Bell,
}

impl EventHandler for Ear {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        match event {
            Ok(event) => self.note(event),
            Err(error) => {
                tracing::warn!(%error, "the watcher reports an error; looking at the whole bucket");
                self.note(Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan));
            }
        }
    }
}

impl Ear {
    fn note(&self, event: Event) {
        let mut book = self.shared.book();
        if event.need_rescan() {
            if !book.notes.rescan {
                tracing::info!("the kernel's queue overflowed; looking at the whole bucket");
            }
            book.notes.rescan = true;
            book.notes.hints.clear();
            self.shared.seen.notify_all();
        } else if let Some((mut path, hint)) = hint(event) {
            if path.parent() == Some(&self.cookies) {
                let number = path.file_name().and_then(|n| n.to_str()?.parse().ok());
                book.cookie = book.cookie.max(number.unwrap_or(0));
                self.shared.seen.notify_all();
                return;
            }
            // The parent is watched only to see the root come and go, or go with the parent.
            if self.root.starts_with(&path) {
                path.clone_from(&self.root);
            }
            if book.notes.rescan || !path.starts_with(&self.root) {
                return;
            }
            if book.notes.hints.len() >= MAX_HINTS {
                book.notes.hints.clear();
                book.notes.rescan = true;
                self.shared.seen.notify_all();
            } else {
                book.notes.hints.entry(path).or_default().merge(hint);
            }
        } else {
            return;
        }
        drop(book);
        self.bell.ring();
    }
}

/// The path that an event makes dirty, and how; `None` for what changes nothing.
fn hint(mut event: Event) -> Option<(PathBuf, Hint)> {
    let mut hint = Hint::default();
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => hint.closed = true,
        EventKind::Access(_) => return None,
        EventKind::Create(CreateKind::Folder) => {}
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_)) => {
            hint.changed = true;
            hint.written = true;
        }
        EventKind::Remove(_) => hint.written = true,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
            hint.changed = true;
            hint.closed = true;
        }
        // Follows From and To, and says nothing new.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return None,
        _ => {}
    }
    event.paths.pop().map(|path| (path, hint))
}
