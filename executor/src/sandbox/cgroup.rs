//! Control groups, version 2: exactly the processes of one environment, wherever they went.
//!
//! Owns the search for a place where groups may be made, a group's directory, and its three files: freeze, kill
//! and the list of processes. They need no controller, only a directory that we may write to: root's, or one
//! that the session's manager delegated. Deliberately absent: `memory.max` and `pids.max`; their controllers
//! cannot be turned on below a group that has processes of its own, such as the one we are started in.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::Pid;

/// The answer to [`place`].
static PLACE: OnceLock<Option<PathBuf>> = OnceLock::new();

/// The directory for the groups of this process, if there can be one. Asked once.
fn place() -> Option<&'static Path> {
    let find = || {
        find()
            .inspect_err(|why| tracing::debug!(why, "no control groups"))
            .ok()
    };
    PLACE.get_or_init(find).as_deref()
}

/// Removes the directory of this process's groups; nothing runs in them by then.
pub fn clean_up() {
    if let Some(Some(place)) = PLACE.get() {
        remove(place);
    }
}

/// Kills what is in the groups of a directory, and removes them and it, as far as they are empty.
fn remove(place: &Path) {
    for group in std::fs::read_dir(place).into_iter().flatten().flatten() {
        if group.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = std::fs::write(group.path().join("cgroup.kill"), "1");
            let _ = std::fs::remove_dir(group.path());
        }
    }
    let _ = std::fs::remove_dir(place);
}

/// The group of one environment; removed when dropped, if its processes are gone.
#[derive(Debug)]
pub struct Cgroup {
    directory: PathBuf,
    procs: File,
    freeze: File,
    kill: File,
}

impl Cgroup {
    /// An empty group, if this machine offers one.
    pub fn new() -> Option<Cgroup> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        let directory = place()?.join(name);
        let open = |file: &str| {
            OpenOptions::new()
                .read(file == "cgroup.procs")
                .write(true)
                .open(directory.join(file))
        };
        let made = std::fs::create_dir(&directory).and_then(|()| {
            Ok(Cgroup {
                procs: open("cgroup.procs")?,
                freeze: open("cgroup.freeze")?,
                kill: open("cgroup.kill")?,
                directory: directory.clone(),
            })
        });
        if made.is_err() {
            let _ = std::fs::remove_dir(&directory);
        }
        made.inspect_err(|error| tracing::warn!(%error, directory = %directory.display(), "no control group"))
            .ok()
    }

    /// What a forked child writes `0` to, to enter.
    pub fn entrance(&self) -> RawFd {
        self.procs.as_raw_fd()
    }

    /// Stops every process of the group; they do not notice.
    pub fn freeze(&self) {
        write(&self.freeze, b"1");
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        write(&self.freeze, b"0");
    }

    /// Kills every process of the group, frozen or not.
    pub fn kill(&self) {
        write(&self.kill, b"1");
    }

    /// The processes of the group.
    pub fn processes(&self) -> Vec<Pid> {
        let text = std::fs::read_to_string(self.directory.join("cgroup.procs")).unwrap_or_default();
        let pids = text.lines().filter_map(|line| line.parse().ok());
        pids.map(Pid::from_raw).collect()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir(&self.directory) {
            tracing::debug!(%error, directory = %self.directory.display(), "a control group is left");
        }
    }
}

fn write(file: &File, text: &[u8]) {
    if let Err(error) = file.write_at(text, 0) {
        tracing::warn!(%error, "failed to write to a control group");
    }
}

/// A directory below our own group, after a trial of all that is needed.
fn find() -> Result<PathBuf, String> {
    let own = own()?;
    let place = own.join(format!("triggerfish-{}", std::process::id()));
    remove_stale(&own);
    let tried = std::fs::create_dir(&place).and_then(|()| {
        // Who moves a process must be allowed to write to the group where it comes from.
        let writable = |path: PathBuf| OpenOptions::new().write(true).open(path);
        writable(own.join("cgroup.procs"))?;
        writable(place.join("cgroup.freeze"))?;
        writable(place.join("cgroup.kill"))
    });
    tried.map(|_| place.clone()).map_err(|error| {
        let _ = std::fs::remove_dir(&place);
        format!("a control group below {} is refused: {error}", own.display())
    })
}

/// The directory of the group that this process is in.
fn own() -> Result<PathBuf, String> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"));
    let mounts = read("/proc/self/mounts")?;
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let at = words.nth(1)?;
        (words.next() == Some("cgroup2")).then_some(at)
    });
    let mount = mount.ok_or("control groups of version 2 are not mounted")?;
    let groups = read("/proc/self/cgroup")?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let path = path.ok_or("this process is in no control group of version 2")?;
    Ok(Path::new(&mount.replace("\\040", " ")).join(path))
}

/// Groups of processes that were killed before they could clean up. What is in one may be frozen, and would stay so.
fn remove_stale(own: &Path) {
    for entry in std::fs::read_dir(own).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix("triggerfish-"));
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            remove(&entry.path());
        }
    }
}
