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

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use nix::unistd::Pid;

use super::sys::{
    call, enter_again, forked, go_to, make, mount, move_mount, open_tree, set_namespace, unshare, write_once,
};

/// The directory that AWS gives each environment for itself.
pub const TMP: &str = "/tmp";

/// How many entries of the machine's `/tmp` are bound, where code lies in `/tmp` itself.
const MOST_ENTRIES: usize = 1000;

/// Why there are no private rooms on this machine, if there are none. Asked once.
pub fn refusal() -> Option<&'static str> {
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    REFUSAL.get_or_init(|| probe().err()).as_deref()
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
    /// What stays visible of the machine's `/tmp`, and whether it is a directory.
    keep: Vec<(CString, bool)>,
    trees: Vec<RawFd>,
    identity: Option<Identity>,
    directory: CString,
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

    /// Into a new room whose `/tmp` holds `megabytes`, to `directory`. Of the machine's `/tmp`, the parts with
    /// one of the `visible` paths in them can be seen.
    pub fn new(megabytes: u32, directory: &Path, visible: &[&Path]) -> std::io::Result<Door> {
        let keep = kept(visible);
        let keep: Vec<(CString, bool)> = keep
            .iter()
            .map(|path| Ok((c_path(path)?, path.is_dir())))
            .collect::<std::io::Result<_>>()?;
        let options = format!("size={megabytes}m,mode=1777");
        Ok(Door::New(Box::new(Blueprint {
            options: CString::new(options)?,
            trees: vec![-1; keep.len()],
            keep,
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
        for ((path, _), tree) in self.keep.iter().zip(&mut self.trees) {
            *tree = open_tree(path)?;
        }
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        mount(
            Some(c"tmpfs"),
            c"/tmp",
            Some(c"tmpfs"),
            flags,
            Some(&self.options),
        )?;
        for ((path, directory), tree) in self.keep.iter().zip(&self.trees) {
            make(path, *directory)?;
            move_mount(*tree, path)?;
        }
        go_to(&self.directory)
    }
}

/// The entries of `/tmp` that hold the paths, as given and as they really are; all there are, for `/tmp` itself.
fn kept(visible: &[&Path]) -> BTreeSet<PathBuf> {
    let real = visible.iter().filter_map(|path| path.canonicalize().ok());
    let given = visible.iter().map(|path| path.to_path_buf());
    let mut entries = BTreeSet::new();
    for path in given.chain(real) {
        let Ok(inside) = path.strip_prefix(TMP) else {
            continue;
        };
        match inside.components().next() {
            Some(Component::Normal(name)) => drop(entries.insert(Path::new(TMP).join(name))),
            Some(_) => {}
            None => {
                let all = std::fs::read_dir(TMP).into_iter().flatten().flatten();
                entries.extend(all.map(|entry| entry.path()).take(MOST_ENTRIES));
            }
        }
    }
    entries.retain(|path| path.exists());
    entries
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
    std::fs::create_dir(&entry).map_err(|error| format!("{}: {error}", entry.display()))?;
    let door = Door::new(1, &entry, &[&entry]);
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

    #[test]
    fn whole_entries_of_tmp_stay_visible_and_nothing_else() {
        let here = tempfile::tempdir_in("/tmp").expect("a directory");
        let deep = here.path().join("a/b");
        std::fs::create_dir_all(&deep).expect("made");
        let entry = PathBuf::from(here.path());
        assert_eq!(kept(&[&deep, Path::new("/usr/bin/env")]), BTreeSet::from([entry]));
        assert!(kept(&[Path::new("/tmp/../etc"), Path::new("tmp/x")]).is_empty());
        assert!(
            kept(&[Path::new("/tmp")]).contains(here.path()),
            "code in /tmp itself sees all of it"
        );
        assert!(kept(&[Path::new("/tmp/there-is-no-such-entry/x")]).is_empty());
    }
}
