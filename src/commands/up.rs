//! `triggerfish up`: a project on the system's clock, until interrupted.
//!
//! The calling thread is the fabric's, and drives HTTP and handlers while it waits; sources have a thread each.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use crossbeam_channel::{Receiver, unbounded};
use executor::{Credentials, Functions, Reactor};
use router::arrivals::Arrivals;
use router::fabric::Turn;
use router::journal::{Entry, Recorder};
use router::name::{Seed, SourceName};
use router::router::Input;
use scenarios::assemble;
use scenarios::clock::system_now;
use scenarios::cycle::CycleWatch;
use scenarios::diagnostic::{Diagnostic, Files};
use scenarios::file::Scenario;
use scenarios::hands::{Entrance, LiveHands, Replies};
use scenarios::live::Terminal;
use scenarios::runs::{FileRecorder, is_written};
use scenarios::scratch::{self, Scratch};
use scenarios::screen::Screen;
use scenarios::stop::{self, Stop};
use scenarios::words::{self, count_of};
use scenarios::world::{Connections, LiveWorld, Plan};
use scenarios::{load, render, run};
use sources::catalog::OpenSource;
use sources::host::{Host, Parts};
use sources::source::{Bell, Emitter};

use crate::cli::Up;
use crate::front::access::{self, Hosts};
use crate::front::body::Bodies;
use crate::front::gateway::{self, Gateway};
use crate::front::iam::kept::Kept;
use crate::front::keys::{Key, Keys, Owner};
use crate::front::lambda::start;
use crate::front::lambda::world::World;
use crate::front::refusals::Refusals;
use crate::front::secret::Secret;
use crate::front::times::Times;
use crate::output::talk;
use crate::reload::Reload;

/// Observations and calls that may wait for the fabric before their senders do.
const ARRIVALS: usize = 1024;
/// Bytes of them: 64 MiB, ten of the largest calls.
const ARRIVING: usize = 64 << 20;
/// How long callers may take to read their last answer.
const FAREWELL: Duration = Duration::from_secs(1);
/// Runs of `up` whose journals are kept.
const KEEP: usize = 10;

/// Runs the command.
pub fn run(args: &Up) -> Result<u8> {
    let mut files = Files::default();
    let stop = on_interrupt()?;
    let loaded = load_project(args, &mut files).and_then(|project| start(&project, args, stop));
    match loaded {
        Ok(code) => Ok(code),
        Err(Problem::File(problems)) => Ok(complain(&files, &problems)),
        Err(Problem::Interrupted) => Ok(super::INTERRUPTED),
        Err(Problem::Other(error)) => Err(error),
    }
}

/// Prints diagnostics; the exit code says whether the file or the world is at fault.
pub fn complain(files: &Files, problems: &[Diagnostic]) -> u8 {
    let color = super::colors(std::io::stderr().is_terminal());
    for problem in problems {
        talk!("{}", render::render(files, problem, color));
    }
    let bad_file = problems.iter().any(|problem| problem.code.starts_with("E1"));
    if bad_file {
        super::USAGE
    } else {
        super::NOT_STARTED
    }
}

/// Why a project does not run.
pub enum Problem {
    /// Something in its file, or that the file names.
    File(Vec<Diagnostic>),
    /// The user wants it to end.
    Interrupted,
    /// Anything else.
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Problem::Other(error.into())
    }
}

/// Loads and checks a project file.
pub fn load_checked(path: &Path, files: &mut Files) -> Result<Scenario, Problem> {
    let project = load::load_project(path, files).map_err(Problem::File)?;
    let problems = run::check(&project);
    if problems.is_empty() {
        Ok(project)
    } else {
        Err(Problem::File(problems))
    }
}

fn load_project(args: &Up, files: &mut Files) -> Result<Option<Scenario>, Problem> {
    let default = Path::new("triggerfish.yaml");
    let path = match &args.file {
        Some(path) if path.is_dir() => path.join(default),
        Some(path) => path.clone(),
        None if default.exists() => default.to_owned(),
        None => return Ok(None),
    };
    load_checked(&path, files).map(Some)
}

fn start(project: &Option<Scenario>, args: &Up, stop: Stop) -> Result<u8, Problem> {
    let empty = Scenario::empty();
    let project = project.as_ref().unwrap_or(&empty);
    let address: SocketAddr = args
        .listen
        .parse()
        .with_context(|| format!("`--listen {}` is no ADDRESS:PORT", args.listen))?;
    if !access::is_loopback(address) {
        return Err(Problem::Other(anyhow::anyhow!(
            "{address} is not a loopback address: whoever can reach the fabric runs code in it; use 127.0.0.1"
        )));
    }
    let hosts = Hosts::new(&args.host).map_err(|wrong| Problem::Other(anyhow::anyhow!(wrong)))?;
    let (secret, signed) = (Secret::fresh()?, args.require_signature.is_some());
    let (keys, credentials) = keys(args.require_signature.as_deref(), &secret)?;
    let reactor = Reactor::new()?;
    let listener = reactor.run(tokio::net::TcpListener::bind(address)).with_context(|| {
        format!("failed to listen on {address}; another triggerfish may run: choose a port with --listen 127.0.0.1:0")
    })?;
    let address = listener.local_addr()?;
    let lock = lock_state(&args.data_dir)?;
    let iam = Kept::load(&args.data_dir)?;
    let scratch = Scratch::new()?;
    let seed = fresh_seed();
    let plan = Plan {
        state: Some(&args.data_dir),
        scratch: scratch.path(),
        seed,
        slots: Some(args.slots.unwrap_or_else(default_slots)),
        endpoint: Some(format!("http://{address}")),
        credentials,
        only: None,
    };
    let mut world = LiveWorld::new(project, plan, &reactor).map_err(Problem::File)?;
    let (names, ready) = (world.functions.clone(), std::mem::take(&mut world.sources));
    let directories = assemble::directories(&ready);
    let (executable, settings) = (world.executable(), world.function_settings());
    let arrivals = Arrivals::new(ARRIVALS, ARRIVING);
    let entrance = Entrance::new(arrivals.clone(), reactor.doorbell());
    let opened = open_sources(project, ready)?;
    let reload = Reload::default();
    let control = start::plane(start::Start {
        data: &args.data_dir,
        // Nothing else keeps others from the code: what derives from the seed is in the journal.
        secret: secret.bytes("code-urls"),
        endpoint: format!("http://{address}"),
        seed,
        world: surroundings(
            project,
            &directories,
            args.allow_retired_runtimes,
            executable.clone(),
        ),
        settings,
        functions: executable.clone(),
        entrance: entrance.clone(),
        reload: reload.clone(),
    })?;
    let replies = Replies::default();
    let color = super::colors(std::io::stdout().is_terminal());
    let screen = Screen::start()?;
    let shared = Gateway {
        plane: control.plane.clone(),
        entrance: entrance.clone(),
        replies: replies.clone(),
        refusals: Refusals::new(color, screen.pen()),
        hosts,
        keys,
        signed,
        secret,
        bodies: Bodies::default(),
        times: Times::default(),
        iam,
        seed,
        calls: AtomicU64::new(0),
    };
    let server = reactor.spawn(gateway::serve(Arc::new(shared), listener, stop.clone()));
    let recorder = new_run(&args.runs)
        .and_then(|run| FileRecorder::create(&run))
        .with_context(|| format!("failed to make a run's directory in {}", args.runs.display()))?;
    let journal = recorder.directory().to_owned();
    let recorders: Vec<Box<dyn Recorder + Send>> = vec![
        Box::new(recorder),
        Box::new(Terminal::new(color, screen.pen())),
        Box::<CycleWatch>::default(),
    ];
    let mut fabric = world.fabric(Connections {
        replies,
        arrivals,
        recorders,
        stop,
    });
    fabric.note(Entry::Head {
        version: router::journal::VERSION,
        tool: concat!("triggerfish ", env!("CARGO_PKG_VERSION")).to_owned(),
        scenario: project.name.clone(),
        seed: seed.0,
        clock: "system".to_owned(),
        scheduler: "parallel".to_owned(),
        functions: names.clone(),
    });
    fabric.journal.flush();
    for note in &control.notes {
        talk!("note: {note}");
    }
    control.begin()?;
    // Last of all: what a source tells is remembered as told.
    let hosts = start_hosts(opened, seed, &entrance, &mut fabric.hands)?;
    screen.pen().write(&format!(
        "ready on http://{address} · {}, {} · Ctrl-C stops\n",
        count_of(hosts.len(), "source"),
        count_of(names.len(), "function")
    ));
    // A large tree takes a while to watch.
    let (packages, data) = (args.data_dir.join("lambda"), directories.into_values().collect());
    std::thread::spawn(move || {
        if let Err(error) = reload.start(executable, data, &packages) {
            talk!("note: code is not watched, so a change of it wants a new `up`: {error}");
        }
    });
    for shortcoming in executor::shortcomings() {
        talk!("note: {shortcoming}");
    }
    while fabric.turn(None) != Turn::Stopped {}
    talk!("stopping");
    fabric.stop();
    // Whoever waits is told that there is nothing to wait for.
    let told = reactor.run(async { tokio::time::timeout(FAREWELL, server).await });
    if told.is_err() {
        tracing::warn!("a caller does not take its answer, and is left");
    }
    let (ledger, trace) = (fabric.journal.ledger(), fabric.journal.trace());
    fabric.note(Entry::End { ledger, trace });
    fabric.flush();
    let journal_at = super::select::shown(&journal);
    fabric.into_hands().stop();
    hosts.into_iter().for_each(Host::stop);
    drop(lock);
    screen.close(format!("{} · journal {journal_at}\n", words::ledger(&ledger)));
    Ok(super::OK)
}

/// What lies around the fabric, as far as the API's functions meet it.
fn surroundings(
    project: &Scenario,
    directories: &BTreeMap<String, PathBuf>,
    retired: bool,
    functions: Functions,
) -> World {
    let bucket = |(name, directory): (&String, &PathBuf)| {
        let bucket = project.sources.get(name)?.config.get("bucket")?.as_str()?;
        Some((bucket.to_owned(), directory.clone()))
    };
    World {
        sinks: project
            .sinks
            .values()
            .map(|sink| sink.name.value.clone())
            .collect(),
        buckets: directories.iter().filter_map(bucket).collect(),
        retired,
        functions,
    }
}

/// The keys that are known, and the one of handlers. Where signatures are required, theirs has a secret of this run.
fn keys(file: Option<&Path>, secret: &Secret) -> Result<(Keys, Credentials)> {
    let (mut keys, handlers) = match file {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            let text = read.with_context(|| {
                format!(
                    "failed to read the keys of --require-signature, {}",
                    file.display()
                )
            })?;
            warn_of_readers(file)?;
            let keys = Keys::parse(&text, file).map_err(|wrong| anyhow::anyhow!(wrong))?;
            (keys, Credentials::with_secret(secret.key("handlers")))
        }
        None => (Keys::default(), Credentials::default()),
    };
    let key = Key {
        secret: handlers.secret.clone(),
        token: Some(handlers.token.clone()),
        owner: Owner::Handler,
    };
    keys.accept(&handlers.id, key);
    Ok((keys, handlers))
}

/// Secrets that others may read are none.
fn warn_of_readers(file: &Path) -> Result<()> {
    let mode = std::fs::metadata(file)?.permissions().mode();
    if mode & 0o077 != 0 {
        talk!(
            "warning: {} can be read by others (mode {:o}): chmod 600 it",
            file.display(),
            mode & 0o777
        );
    }
    Ok(())
}

/// A source that is open, and does nothing yet.
struct Opened {
    name: SourceName,
    source: Box<dyn OpenSource>,
    rung: Receiver<()>,
}

fn open_sources(
    project: &Scenario,
    ready: BTreeMap<SourceName, assemble::Ready>,
) -> Result<Vec<Opened>, Problem> {
    let open = |(name, ready): (SourceName, assemble::Ready)| {
        let (bell, rung) = Bell::new();
        let source = (ready.open)(bell)
            .map_err(|error| Problem::File(vec![assemble::open_error(project, &name, &error)]))?;
        Ok(Opened { name, source, rung })
    };
    ready.into_iter().map(open).collect()
}

fn start_hosts(
    opened: Vec<Opened>,
    seed: Seed,
    entrance: &Entrance,
    hands: &mut LiveHands,
) -> std::io::Result<Vec<Host>> {
    let mut hosts = Vec::new();
    for Opened { name, source, rung } in opened {
        let (over, settled) = unbounded();
        hands.tell(name.clone(), Box::new(move |receipts| drop(over.send(receipts))));
        let entrance = entrance.clone();
        let failed_name = name.clone();
        hosts.push(Host::start(
            name.as_str(),
            Parts {
                source,
                emitter: Emitter::new(name.clone(), seed, words::LIVE),
                rung,
                settled,
                now: system_now,
                deliver: Box::new(move |seen| entrance.send(Input::Observed(seen))),
                failed: Box::new(
                    move |error| tracing::error!(source = %failed_name, %error, "a source failed"),
                ),
            },
        )?);
    }
    Ok(hosts)
}

/// Takes the data directory for this run: two that share it would each forget what the other remembers. The system
/// gives it back when the process ends, however it ends.
fn lock_state(state: &Path) -> Result<File> {
    let failed = || format!("failed to use the data directory {}", state.display());
    std::fs::create_dir_all(state).with_context(failed)?;
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(state.join("lock"))
        .with_context(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another triggerfish runs with the data directory {}: end it, or choose another with --data-dir",
            state.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(failed),
    }
}

/// Handlers at the same time: enough to keep the cores busy, few enough to keep the machine usable.
fn default_slots() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores.saturating_mul(4)).unwrap_or(u32::MAX).max(8)
}

/// Live ids must differ from run to run; the time tells runs apart.
pub fn fresh_seed() -> Seed {
    Seed(system_now().as_nanos() ^ u64::from(std::process::id()).rotate_left(32))
}

/// A fresh directory for this run's journal; older ones beyond [`KEEP`] are removed, unless a run writes them still.
fn new_run(runs: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(runs)?;
    let mut old: Vec<_> = std::fs::read_dir(runs)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .and_then(|n| n.to_str())
                .is_some_and(|n| n.starts_with("up-"))
        })
        .collect();
    old.sort();
    for path in old.iter().rev().skip(KEEP - 1).filter(|path| !is_written(path)) {
        let _ = std::fs::remove_dir_all(path);
    }
    let name = format!("up-{}", system_now().iso_millis().replace([':', '.'], "-"));
    // Another may start in the same millisecond.
    let mut path = runs.join(&name);
    let mut number = 1;
    while let Err(error) = std::fs::create_dir(&path) {
        if error.kind() != ErrorKind::AlreadyExists {
            return Err(error);
        }
        number += 1;
        path = runs.join(format!("{name}-{number}"));
    }
    Ok(path)
}

/// Hears the user's interrupt. The second time ends the process at once.
pub fn on_interrupt() -> Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let (stopper, stop) = stop::stop();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Heard from here on, not from when the thread gets to run.
    let (mut int, mut term) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
                stopper.ask();
                tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
                crate::leftovers::kill();
                scratch::remove_all();
                std::process::exit(i32::from(super::INTERRUPTED));
            });
        })?;
    Ok(stop)
}
