//! The process behind an execution environment: its variables, its start, its end.
//!
//! Owns the environment variables of spec/lambda §4 and the way a child is spawned: own process group, one pipe
//! for stdout and stderr so that their order is kept. Deliberately absent: the simulator's own variables, nothing
//! of which reaches a handler; and what surrounds the process ([`sandbox`](crate::sandbox)).

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Display, Path, PathBuf};
use std::process::Stdio;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::Pid;
use router::name::{Name, Seed, hex};
use router::time::Timestamp;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

use crate::credentials::Credentials;
use crate::environment::Exit;
use crate::function::{FunctionSpec, Runtime};
use crate::opt::Opt;
use crate::sandbox::{OPT, Sandbox, TMP, View};

/// A running process.
#[derive(Debug)]
pub struct Process {
    /// What is waited for.
    pub child: Child,
    /// Its id.
    pub pid: Pid,
    /// Its process group; the first process of an environment leads it.
    pub group: Pid,
    /// What it writes.
    pub output: AsyncFd<File>,
}

/// What a process is in its environment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It runs the handler.
    Runtime,
    /// It runs beside it.
    Extension,
}

/// What an environment is started with.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The function.
    pub spec: &'a FunctionSpec,
    /// The environment's name.
    pub environment: &'a Name,
    /// What it is to be.
    pub role: Role,
    /// The group it joins; without one it leads a new one.
    pub group: Option<Pid>,
    /// What is started.
    pub program: &'a Path,
    /// The program of the runtime, whose directory is in everybody's PATH.
    pub interpreter: &'a Path,
    /// Its layers.
    pub opt: Option<&'a Opt>,
    /// Where our bootstraps lie.
    pub runtime_dir: &'a Path,
    /// What it runs in.
    pub sandbox: &'a Sandbox,
    /// `host:port` of its Runtime API.
    pub api: &'a str,
    /// The region it believes to run in.
    pub region: &'a str,
    /// What decides the log stream's name.
    pub seed: Seed,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub initialization: &'static str,
    /// Fabric time of the environment's first start.
    pub born: Timestamp,
    /// Fabric time for our bootstraps' log lines in virtual pace.
    pub clock: Option<Timestamp>,
    /// The gateway for SDK calls.
    pub endpoint: Option<&'a str>,
    /// What SDK calls are signed with.
    pub credentials: &'a Credentials,
}

impl<'a> Launch<'a> {
    /// Starts the process.
    pub fn spawn(&self) -> std::io::Result<Process> {
        check_format(self.program)?;
        let (reader, writer) = std::io::pipe()?;
        let reader = OwnedFd::from(reader);
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let mut command = match self.wrapper() {
            None => Command::new(self.seen(self.program)),
            Some(wrapper) => {
                // The shell says 127 for a file that is not there, as it does on AWS.
                let mut shell = Command::new("/bin/sh");
                shell
                    .args(["-c", "exec \"$0\" \"$@\""])
                    .arg(wrapper)
                    .arg(self.seen(self.program));
                shell
            }
        };
        command
            .args(self.arguments())
            .env_clear()
            .envs(self.variables())
            .current_dir(&self.spec.code)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(self.group.map_or(0, Pid::as_raw))
            .kill_on_drop(true);
        let opt = self.opt.and_then(Opt::mounted);
        self.sandbox
            .around(&mut command, &self.spec.code, self.views(), opt)?;
        let child = command.spawn()?;
        hear_of_ends_only();
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or(i32::MAX);
        #[expect(unsafe_code, reason = "tokio's way to wait for a file that is not a socket")]
        // SAFETY: the file owns its descriptor and is neither closed nor exchanged while it is registered.
        let output = unsafe { AsyncFd::register(File::from(reader)) }?;
        let pid = Pid::from_raw(id);
        Ok(Process {
            child,
            pid,
            group: self.group.unwrap_or(pid),
            output,
        })
    }

    /// Where it finds what lies at `path`.
    fn seen(&self, path: &Path) -> PathBuf {
        self.opt.map_or(path.to_owned(), |opt| opt.seen(path))
    }

    /// What stands for `/opt` in its variables.
    fn opt_place(&self) -> Display<'a> {
        self.opt.map_or(Path::new(OPT), Opt::place).display()
    }

    /// What the process finds: its code and our part of it cannot be changed (spec/lambda §3.3); what its variables
    /// name can, also where it lies in `/tmp` or within the code. Programs are seen with all that lies about them,
    /// because they load it.
    fn views(&self) -> Vec<View> {
        let words = match &self.spec.runtime {
            Runtime::Command(words) => words.as_slice(),
            _ => &[],
        };
        let programs = words
            .iter()
            .flat_map(|word| paths(word))
            .chain([self.seen(self.interpreter)]);
        let programs = programs.filter_map(|program| {
            let inside = program.strip_prefix(TMP).ok()?;
            Some(Path::new(TMP).join(inside.components().next()?))
        });
        let layers = self
            .opt
            .filter(|opt| opt.mounted().is_none())
            .map(|opt| opt.place().to_owned());
        let fixed = programs
            .chain([self.spec.code.clone(), self.runtime_dir.to_owned()])
            .chain(layers);
        let fixed = fixed.map(|path| (path, false));
        let named = self.spec.environment.values().flat_map(|value| paths(value));
        let all = named.map(|path| (path, true)).chain(fixed);
        all.map(|(path, writable)| View { path, writable }).collect()
    }

    /// `AWS_LAMBDA_EXEC_WRAPPER`: started instead of a managed runtime, with the runtime's command line as arguments
    /// (spec/lambda §4). `/var/task` is the code.
    fn wrapper(&self) -> Option<PathBuf> {
        let managed = matches!(self.spec.runtime, Runtime::Python(_) | Runtime::Node(_));
        let wrapper = self.spec.environment.get("AWS_LAMBDA_EXEC_WRAPPER")?;
        if !managed || self.role != Role::Runtime || wrapper.is_empty() {
            return None;
        }
        let path = match wrapper.strip_prefix("/var/task/") {
            Some(inside) => self.spec.code.join(inside),
            None => PathBuf::from(wrapper),
        };
        Some(self.seen(&path).to_owned())
    }

    fn arguments(&self) -> Vec<String> {
        if self.role == Role::Extension {
            return Vec::new();
        }
        let bootstrap = match &self.spec.runtime {
            Runtime::Command(words) => return words.iter().skip(1).cloned().collect(),
            Runtime::Provided(_) => return Vec::new(),
            Runtime::Python(_) => PYTHON_BOOTSTRAP.0,
            Runtime::Node(_) => NODE_BOOTSTRAP.0,
        };
        let file = self.runtime_dir.join(bootstrap).display().to_string();
        let mut arguments = vec![file, self.spec.handler.clone()];
        arguments.extend(self.clock.map(|now| now.as_millis().to_string()));
        if let (Runtime::Python(_), Some(opt)) = (&self.spec.runtime, self.opt) {
            arguments.push(format!("opt={}", opt.place().display()));
        }
        arguments
    }

    /// The variables of spec/lambda §4, weakest first: presets, the customer's, ours.
    fn variables(&self) -> BTreeMap<String, String> {
        let code = self.spec.code.display().to_string();
        let mut all = self.presets(&code);
        all.extend(self.spec.environment.clone());
        let date = self.born.iso_millis();
        let stream = hex(&self.seed.bytes(self.environment.as_str())[..16]);
        let reserved = [
            ("_HANDLER", self.spec.handler.clone()),
            ("AWS_REGION", self.region.to_owned()),
            ("AWS_DEFAULT_REGION", self.region.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.spec.name.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", self.spec.version.to_string()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.spec.memory.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", self.initialization.to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", self.spec.log_group()),
            (
                "AWS_LAMBDA_LOG_STREAM_NAME",
                format!(
                    "{}/[{}]{stream}",
                    date.get(..10).unwrap_or_default().replace('-', "/"),
                    self.spec.version
                ),
            ),
            ("AWS_ACCESS_KEY_ID", self.credentials.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.credentials.secret.clone()),
            ("AWS_SESSION_TOKEN", self.credentials.token.clone()),
            ("AWS_LAMBDA_RUNTIME_API", self.api.to_owned()),
            ("LAMBDA_TASK_ROOT", code),
            ("LAMBDA_RUNTIME_DIR", self.runtime_dir.display().to_string()),
        ];
        let reserved = reserved.into_iter().chain(self.spec.logging.variables());
        all.extend(reserved.map(|(key, value)| (key.to_owned(), value)));
        if let Runtime::Python(id) | Runtime::Node(id) = &self.spec.runtime {
            all.insert("AWS_EXECUTION_ENV".to_owned(), format!("AWS_Lambda_{id}"));
        }
        if self.role == Role::Extension {
            all.retain(|key, _| self.is_for_extensions(key));
        }
        all
    }

    /// Nothing of the runtime's own reaches an extension (spec/runtime-api §10).
    fn is_for_extensions(&self, key: &str) -> bool {
        let runtimes = [
            "AWS_EXECUTION_ENV",
            "AWS_XRAY_CONTEXT_MISSING",
            "LAMBDA_TASK_ROOT",
            "LAMBDA_RUNTIME_DIR",
        ];
        let bootstraps = key == "PYTHONPATH" && !self.spec.environment.contains_key(key);
        !(key.starts_with('_') || key.starts_with("AWS_LAMBDA_LOG_") || runtimes.contains(&key) || bootstraps)
    }

    /// What the customer may override.
    fn presets(&self, code: &str) -> BTreeMap<String, String> {
        let interpreter = self.seen(self.interpreter);
        let programs = interpreter.parent().unwrap_or(Path::new("/usr/bin")).display();
        let opt = self.opt_place();
        let tmp = self.sandbox.tmp().display().to_string();
        let mut presets = vec![
            (
                "PATH",
                format!("{programs}:/usr/local/bin:/usr/bin:/bin:{opt}/bin"),
            ),
            ("LD_LIBRARY_PATH", format!("{code}:{code}/lib:{opt}/lib")),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
            ("TMPDIR", tmp.clone()),
            ("TMP", tmp),
            ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
            ("AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000".to_owned()),
            ("_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1".to_owned()),
            ("_AWS_XRAY_DAEMON_PORT", "2000".to_owned()),
        ];
        if let Some(endpoint) = self.endpoint {
            presets.push(("AWS_ENDPOINT_URL", endpoint.to_owned()));
        }
        match &self.spec.runtime {
            Runtime::Python(_) => {
                presets.push(("LC_CTYPE", "C.UTF-8".to_owned()));
                presets.push(("PYTHONPATH", self.runtime_dir.display().to_string()));
                presets.push(("PYTHONDONTWRITEBYTECODE", "1".to_owned()));
            }
            Runtime::Node(id) => {
                let major = id.trim_start_matches("nodejs").trim_end_matches(".x");
                let modules =
                    format!("{opt}/nodejs/node{major}/node_modules:{opt}/nodejs/node_modules:{code}");
                presets.push(("NODE_PATH", modules));
            }
            Runtime::Command(_) => {
                presets.push(("PYTHONDONTWRITEBYTECODE", "1".to_owned()));
            }
            Runtime::Provided(_) => {}
        }
        presets
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

/// File name and text of the Python bootstrap.
const PYTHON_BOOTSTRAP: (&str, &str) = ("triggerfish_bootstrap.py", include_str!("../bootstrap/python.py"));
/// File name and text of the Node bootstrap.
const NODE_BOOTSTRAP: (&str, &str) = ("triggerfish_bootstrap.cjs", include_str!("../bootstrap/node.cjs"));

/// The absolute paths in a text such as `/a:/b` or `--file=/c`.
fn paths(text: &str) -> impl Iterator<Item = PathBuf> {
    let parts = text.split([':', '=', ',']);
    parts.filter(|part| part.starts_with('/')).map(PathBuf::from)
}

/// Writes our bootstraps into `directory`, which exists then.
pub fn write_bootstraps(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for (name, text) in [PYTHON_BOOTSTRAP, NODE_BOOTSTRAP] {
        std::fs::write(directory.join(name), text)?;
    }
    Ok(())
}

/// Asks the kernel to tell us of children's ends only: each freeze and thaw would wake every waiting thread.
/// To be called after tokio has installed its handler, which the first spawn does.
#[expect(
    unsafe_code,
    reason = "tokio's handler is kept and one flag added to it, which only sigaction can do"
)]
pub fn hear_of_ends_only() {
    // SAFETY: the zeroed action is filled in by the first call before it is used by the second; both get
    // valid pointers or null, and the handler that is set is the one that was there.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action) == 0
            && action.sa_flags & libc::SA_NOCLDSTOP == 0
        {
            action.sa_flags |= libc::SA_NOCLDSTOP;
            libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut());
        }
    }
}

/// How a process ended, in our words.
pub fn exit_of(status: std::process::ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Signal(9),
    }
}

/// The C library would hand a file that is no program to a shell; AWS does not.
fn check_format(program: &Path) -> std::io::Result<()> {
    let mut start = [0; 4];
    // A program that may be run need not be readable.
    let Ok(n) = File::open(program).and_then(|file| file.read_at(&mut start, 0)) else {
        return Ok(());
    };
    match &start[..n] {
        [0x7f, b'E', b'L', b'F'] | [b'#', b'!', ..] => Ok(()),
        _ if cfg!(target_os = "linux") => Err(std::io::Error::from_raw_os_error(libc::ENOEXEC)),
        _ => Ok(()),
    }
}
