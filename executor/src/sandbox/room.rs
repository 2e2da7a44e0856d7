//! The room of an execution environment: a mount namespace with a `/tmp` of its own (spec/lambda §3.3).
//!
//! ```text
//!   first process: unshare ─► tmpfs of `ephemeral_storage` over /tmp ─► what must stay visible is bound back
//!   parent:        keeps the namespace open
//!   later ones:    enter it, and find /tmp as it was left
//! ```
//!
//! Owns the system calls between fork and exec, and the probe whether this machine allows them: as root, or
//! with user namespaces open to everybody. Deliberately absent: what stands in for it where it is refused (a
//! `TMPDIR`, watched), and any other namespace: a handler sees the machine's files, processes and network.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use nix::unistd::Pid;

use super::sys::{
    call, enter_again, forked, go_to, make, make_read_only, mount, move_mount, open_tree, set_namespace,
    unshare, write_once,
};

/// The directory that AWS gives each environment for itself.
pub const TMP: &str = "/tmp";

/// Where layers are found on AWS.
pub const OPT: &str = "/opt";

/// How many entries of the machine's `/tmp` are bound, where code lies in `/tmp` itself.
const MOST_ENTRIES: usize = 1000;

/// Why there are no private rooms on this machine, if there are none. Asked once.
pub fn refusal() -> Option<&'static str> {
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    REFUSAL.get_or_init(|| probe().err()).as_deref()
}

/// Why nothing can be put over `/opt` on this machine, if it cannot.
pub fn opt_refusal() -> Option<&'static str> {
    match refusal() {
        None if !Path::new(OPT).is_dir() => Some("this machine has no directory /opt"),
        refused => refused,
    }
}

/// A namespace kept open between processes of one environment.
#[derive(Debug)]
pub struct Room {
    mounts: File,
    user: Option<File>,
}

impl Room {
    /// The room that a process has entered; `None` if it is gone already.
    pub fn of(pid: Pid) -> Option<Room> {
        let open = |kind: &str| File::open(format!("/proc/{pid}/ns/{kind}"));
        Some(Room {
            mounts: open("mnt").ok()?,
            user: if is_root() { None } else { Some(open("user").ok()?) },
        })
    }
}

/// What a handler finds of the machine although it lies in `/tmp`, or finds otherwise than it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it may be changed.
    pub writable: bool,
}

/// The way into a room, prepared before the fork: nothing is allocated between fork and exec.
#[derive(Debug)]
pub enum Door {
    /// Into one that exists.
    Into {
        mounts: RawFd,
        user: Option<RawFd>,
        directory: CString,
    },
    /// Into one to be made.
    New(Box<Blueprint>),
}

/// What a new room is made of.
#[derive(Debug)]
pub struct Blueprint {
    options: CString,
    binds: Vec<Bind>,
    /// What is put over `/opt`, read-only.
    opt: Option<CString>,
    identity: Option<Identity>,
    directory: CString,
}

/// A part of the machine that is put into the room.
#[derive(Debug)]
struct Bind {
    path: CString,
    is_directory: bool,
    writable: bool,
    /// What must be made in the new `/tmp` before it, outermost first.
    parents: Vec<CString>,
    /// While the room is made.
    tree: RawFd,
}

/// Files of `/proc` that say who one is in a user namespace, with what is written to each.
type Identity = [(CString, Vec<u8>); 3];

impl Door {
    /// Into `room`, to `directory`.
    pub fn into(room: &Room, directory: &Path) -> std::io::Result<Door> {
        Ok(Door::Into {
            mounts: room.mounts.as_raw_fd(),
            user: room.user.as_ref().map(AsRawFd::as_raw_fd),
            directory: c_path(directory)?,
        })
    }

    /// Into a new room whose `/tmp` holds `megabytes`, to `directory`. Of the machine's `/tmp` only `views` are seen, and
    /// `opt` as `/opt`.
    pub fn new(
        megabytes: u32,
        directory: &Path,
        views: Vec<View>,
        opt: Option<&Path>,
    ) -> std::io::Result<Door> {
        let options = format!("size={megabytes}m,mode=1777");
        Ok(Door::New(Box::new(Blueprint {
            options: CString::new(options)?,
            binds: arranged(views)
                .into_iter()
                .map(bind)
                .collect::<std::io::Result<_>>()?,
            opt: opt.map(c_path).transpose()?,
            identity: identity()?,
            directory: c_path(directory)?,
        })))
    }

    /// Steps through; in the forked child only.
    pub fn enter(&mut self) -> std::io::Result<()> {
        match self {
            Door::Into {
                mounts,
                user,
                directory,
            } => {
                if let Some(user) = *user {
                    call(set_namespace(user, libc::CLONE_NEWUSER))?;
                }
                call(set_namespace(*mounts, libc::CLONE_NEWNS))?;
                go_to(directory)
            }
            Door::New(blueprint) => blueprint.build(),
        }
    }
}

impl Blueprint {
    fn build(&mut self) -> std::io::Result<()> {
        let flags = libc::CLONE_NEWNS | self.identity.as_ref().map_or(0, |_| libc::CLONE_NEWUSER);
        call(unshare(flags))?;
        for (file, text) in self.identity.iter().flatten() {
            write_once(file, text)?;
        }
        mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)?;
        if let Some(opt) = &self.opt {
            // It may lie in the machine's `/tmp`.
            let tree = open_tree(opt)?;
            let _ = make_read_only(tree);
            move_mount(tree, c"/opt")?;
        }
        for bind in &mut self.binds {
            bind.tree = open_tree(&bind.path)?;
            if !bind.writable {
                // A kernel before 5.12 leaves it writable.
                let _ = make_read_only(bind.tree);
            }
        }
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        mount(
            Some(c"tmpfs"),
            c"/tmp",
            Some(c"tmpfs"),
            flags,
            Some(&self.options),
        )?;
        for bind in &self.binds {
            for parent in &bind.parents {
                make(parent, true)?;
            }
            if !bind.parents.is_empty() {
                make(&bind.path, bind.is_directory)?;
            }
            move_mount(bind.tree, &bind.path)?;
        }
        go_to(&self.directory)
    }
}

/// The views in the order in which they are put up: outer ones first, each once, and those that change nothing left
/// out. One of `/tmp` itself stands for all that is in it.
fn arranged(views: Vec<View>) -> Vec<View> {
    let mut all: BTreeMap<PathBuf, bool> = BTreeMap::new();
    for View { path, writable } in views {
        let Some(path) = straight(path).filter(|path| path.is_absolute() && path.exists()) else {
            continue;
        };
        if path != Path::new(TMP) {
            *all.entry(path).or_default() |= writable;
            continue;
        }
        // A variable that says `/tmp` means the handler's own.
        if writable {
            continue;
        }
        let entries = std::fs::read_dir(TMP).into_iter().flatten().flatten();
        for entry in entries.take(MOST_ENTRIES) {
            *all.entry(entry.path()).or_default() |= writable;
        }
    }
    let mut arranged: Vec<View> = Vec::new();
    for (path, writable) in all {
        let outer = arranged.iter().rev().find(|outer| path.starts_with(&outer.path));
        let shown = outer.map_or(!path.starts_with(TMP), |_| true);
        let as_is = outer.is_none_or(|outer| outer.writable);
        if !shown || as_is != writable {
            arranged.push(View { path, writable });
        }
    }
    arranged
}

/// A path without `..`: what a name says counts, unless it goes back.
pub fn straight(path: PathBuf) -> Option<PathBuf> {
    match path.components().any(|part| part == Component::ParentDir) {
        true => path.canonicalize().ok(),
        false => Some(path),
    }
}

fn bind(view: View) -> std::io::Result<Bind> {
    let new = view.path.starts_with(TMP);
    let parents = view
        .path
        .ancestors()
        .skip(1)
        .filter(|parent| new && parent.starts_with(TMP));
    let mut parents: Vec<CString> = parents.map(c_path).collect::<std::io::Result<_>>()?;
    parents.reverse();
    Ok(Bind {
        is_directory: view.path.is_dir(),
        path: c_path(&view.path)?,
        writable: view.writable,
        parents,
        tree: -1,
    })
}

/// In a user namespace the user stays who it is.
fn identity() -> std::io::Result<Option<Identity>> {
    if is_root() {
        return Ok(None);
    }
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let file = |name: &str, text: String| {
        CString::new(format!("/proc/self/{name}")).map(|path| (path, text.into_bytes()))
    };
    Ok(Some([
        file("setgroups", "deny".to_owned())?,
        file("uid_map", format!("{user} {user} 1"))?,
        file("gid_map", format!("{group} {group} 1"))?,
    ]))
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn c_path(path: &Path) -> std::io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Makes a room in a process that ends at once, with all that a handler's takes: something that stays visible, and
/// the way back in.
fn probe() -> Result<(), String> {
    let entry = Path::new(TMP).join(format!("triggerfish-probe-{}", std::process::id()));
    // One that was left by a process with our number serves as well.
    std::fs::create_dir_all(&entry).map_err(|error| format!("{}: {error}", entry.display()))?;
    let view = View {
        path: entry.clone(),
        writable: false,
    };
    let door = Door::new(1, &entry, vec![view], None);
    let status = door.and_then(|mut door| {
        forked(|| match door.enter().and_then(|()| enter_again()) {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or(255),
        })
    });
    let _ = std::fs::remove_dir(&entry);
    match status {
        Ok(0) => Ok(()),
        Ok(code) => Err(format!(
            "a mount namespace is refused: {}",
            std::io::Error::from_raw_os_error(code)
        )),
        Err(error) => Err(format!("a mount namespace could not be tried: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(path: impl Into<PathBuf>, writable: bool) -> View {
        View {
            path: path.into(),
            writable,
        }
    }

    #[test]
    fn views_are_exact_and_outer_ones_come_first() {
        let here = tempfile::tempdir_in(TMP).expect("a directory");
        let (code, bucket) = (here.path().join("code"), here.path().join("code/uploads"));
        std::fs::create_dir_all(&bucket).expect("made");
        let wanted = [view(&code, false), view(&bucket, true)];
        assert_eq!(arranged(vec![view(&bucket, true), view(&code, false)]), wanted);
        assert_eq!(
            arranged(vec![view(code.join("lib"), true)]),
            [],
            "what is not there"
        );
        assert_eq!(
            arranged(vec![view(here.path(), true), view(&bucket, true)]),
            [view(here.path(), true)],
            "inside of what is shown alike"
        );
    }

    #[test]
    fn outside_of_tmp_only_what_is_to_be_read_only_needs_a_view() {
        assert_eq!(
            arranged(vec![view("/usr/bin", true), view("/usr/lib", false)]),
            [view("/usr/lib", false)]
        );
        assert_eq!(arranged(vec![view("usr/lib", false)]), [], "no place of its own");
        assert_eq!(
            arranged(vec![view("/var/../usr/lib", false)]),
            [view("/usr/lib", false)]
        );
    }

    #[test]
    fn code_in_tmp_itself_is_seen_with_all_that_is_there() {
        let here = tempfile::tempdir_in(TMP).expect("a directory");
        let all = arranged(vec![view(TMP, false)]);
        assert!(all.contains(&view(here.path(), false)), "{all:?}");
        assert!(!all.contains(&view(TMP, false)));
        assert_eq!(arranged(vec![view(TMP, true)]), [], "a variable may name /tmp");
    }
}
