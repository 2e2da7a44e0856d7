//! `triggerfish invoke`: one synchronous call of a project's function, on the system's clock.

use std::io::Read;

use anyhow::{Context, Result, bail};
use crossbeam_channel::bounded;
use executor::{Credentials, Reactor};
use router::arrivals::Arrivals;
use router::event::{CallDetails, Failure, Lane, Outcome};
use router::fabric::Turn;
use router::name::FunctionName;
use router::router::Input;
use scenarios::api;
use scenarios::diagnostic::Files;
use scenarios::file::Scenario;
use scenarios::hands::Replies;
use scenarios::scratch::Scratch;
use scenarios::world::{Connections, LiveWorld, Plan};

use super::up::{Problem, complain, fresh_seed, load_checked, on_interrupt};
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
    let function = find(&project, args)?;
    let seed = fresh_seed();
    let scratch = Scratch::new()?;
    let reactor = Reactor::new()?;
    let plan = Plan {
        state: None,
        scratch: scratch.path(),
        seed,
        slots: None,
        endpoint: None,
        credentials: Credentials::default(),
        only: Some(&function),
    };
    let world = LiveWorld::new(&project, plan, &reactor).map_err(Problem::File)?;
    let replies = Replies::default();
    let (tell, told) = bounded(1);
    let lane = Lane::Reply(replies.open(move |answered| drop(tell.send(answered.outcome))));
    let mut fabric = world.fabric(Connections {
        replies,
        arrivals: Arrivals::none(),
        recorders: Vec::new(),
        stop: on_interrupt()?,
    });
    let details = CallDetails {
        log_tail: args.log,
        ..CallDetails::default()
    };
    let event = api::event(
        seed,
        "evt:invoke/1",
        &function,
        None,
        lane,
        details,
        payload.into(),
    );
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

/// A function of the project file; any other is told by what there is instead.
fn find(project: &Scenario, args: &Invoke) -> Result<FunctionName> {
    let name = &args.function;
    if let Some(function) = project.functions.get(name) {
        return Ok(function.name.value.clone());
    }
    let names = || project.functions.keys().map(String::as_str);
    let near = match scenarios::decode::nearest(name, names()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    };
    let there = match project.functions.is_empty() {
        true => "it has none".to_owned(),
        false => format!("it has `{}`", names().collect::<Vec<_>>().join("`, `")),
    };
    bail!(
        "there is no function `{name}` in {file}{near}\n{there}; a function that was made by the API is called on the port, while \
         `triggerfish up` runs: `aws lambda invoke --endpoint-url http://127.0.0.1:4566 --function-name {name} out.json`",
        file = args.project.display()
    )
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
        Err(Failure::Missing(arn)) => anyhow::bail!("Function not found: {arn}"),
    };
    say!("{body}");
    Ok(code)
}
