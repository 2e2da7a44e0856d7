//! `triggerfish invoke`: one synchronous call of a project's function, on the system's clock.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use crossbeam_channel::{bounded, unbounded};
use executor::{Executor, Options as ExecutorOptions, Pace, Reactor};
use router::arrivals::Arrivals;
use router::event::{CallDetails, Event, Failure, Lane, Outcome};
use router::fabric::{Fabric, Inbox, Turn};
use router::journal::Journal;
use router::name::{Name, SourceName};
use router::router::{Input, Router};
use scenarios::assemble::{self, Places};
use scenarios::clock::SystemClock;
use scenarios::diagnostic::Files;
use scenarios::hands::{LiveHands, Replies};
use scenarios::scratch::Scratch;
use scenarios::vars::Builtin;

use super::up::{Problem, complain, find_function, fresh_seed, load_checked, on_interrupt};
use crate::cli::Invoke;
use crate::output::{self, say};

/// Runs the command.
pub fn run(args: &Invoke) -> Result<u8> {
    let mut files = Files::default();
    match call(args, &mut files) {
        Ok(outcome) => print(args, &outcome),
        Err(Problem::File(problems)) => Ok(complain(&files, &problems)),
        Err(Problem::Interrupted) => Ok(super::INTERRUPTED),
        Err(Problem::Other(error)) => Err(error),
    }
}

fn call(args: &Invoke, files: &mut Files) -> Result<Outcome, Problem> {
    let payload = payload(&args.payload)?;
    let project = load_checked(&args.project, files)?;
    let function = find_function(&project, &args.function)?;
    let seed = fresh_seed();
    let scratch = Scratch::new()?;
    let places = Places {
        fresh: None,
        state: None,
        scratch: scratch.path(),
        seed,
    };
    let sources = assemble::sources(&project, &places).map_err(Problem::File)?;
    let lookup = |builtin: &Builtin| match builtin {
        Builtin::SourceDirectory(name) => sources
            .values()
            .find(|s| s.name.as_str() == name)?
            .directory
            .as_deref()
            .map(shown),
        _ => None,
    };
    let mut specs = assemble::functions(&project, &lookup).map_err(Problem::File)?;
    specs.retain(|spec| spec.name == function);
    let (send, news) = unbounded();
    let options = ExecutorOptions::new(Pace::Live, scratch.path().join("environments"), seed);
    let reactor = Reactor::new()?;
    let executor = Executor::start(specs, options, send, &reactor)
        .map_err(|error| Problem::File(vec![assemble::start_error(&project, &error)]))?;
    let settings = assemble::settings(&project, None).map_err(Problem::File)?;
    let replies = Replies::default();
    let (tell, told) = bounded(1);
    let lane = Lane::Reply(replies.open(move |outcome| drop(tell.send(outcome))));
    let arrivals = Arrivals::none();
    let inbox = Inbox { arrivals, news };
    let hands = LiveHands::new(executor, replies);
    let mut fabric = Fabric::new(
        SystemClock::new(reactor, on_interrupt()?),
        Router::new(settings, seed),
        hands,
        Journal::new(Vec::new()),
        inbox,
    );
    let event = Event {
        name: Name::new("evt:invoke/1"),
        id: seed.request_id("evt:invoke/1"),
        origin: SourceName::new("invoke"),
        route: None,
        subject: function.to_string(),
        to: function,
        lane,
        call: Some(Box::new(CallDetails {
            log_tail: args.log,
            ..CallDetails::default()
        })),
        payload: payload.into(),
    };
    let now = fabric.now();
    fabric.take(now, Input::Invoked(event));
    let outcome = loop {
        if let Ok(outcome) = told.try_recv() {
            break outcome;
        }
        if fabric.turn(None) == Turn::Stopped {
            fabric.into_hands().stop();
            return Err(Problem::Interrupted);
        }
    };
    fabric.into_hands().stop();
    Ok(outcome)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn payload(text: &str) -> Result<String> {
    let text = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("failed to read {path}"))?,
        None if text == "-" => {
            let mut all = String::new();
            std::io::stdin()
                .read_to_string(&mut all)
                .context("failed to read standard input")?;
            all
        }
        None => text.to_owned(),
    };
    serde_json::from_str::<serde::de::IgnoredAny>(&text).context("the payload is not JSON")?;
    Ok(text)
}

fn print(args: &Invoke, outcome: &Outcome) -> Result<u8> {
    if args.log {
        output::aside(format_args!("{}", String::from_utf8_lossy(&outcome.log)));
    }
    let (body, code) = match &outcome.result {
        Ok(body) => (String::from_utf8_lossy(body).into_owned(), super::OK),
        Err(Failure::Function(error)) => (
            String::from_utf8_lossy(&error.payload).into_owned(),
            super::FAILED,
        ),
        Err(Failure::Throttled(reason)) => anyhow::bail!("Rate Exceeded. ({reason:?})"),
        Err(Failure::System(what)) => anyhow::bail!("{what}"),
    };
    say!("{body}");
    Ok(code)
}
