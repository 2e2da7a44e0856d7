//! What each step does to the world, and what its caller is told.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use router::event::{CallDetails, Lane, Outcome, Payload};
use router::fabric::Turn;
use router::journal::Entry;
use router::name::{FunctionName, FunctionVersion, Name, SourceName};
use router::time::Timestamp;

use super::Run;
use super::stage::{Halt, Stage};
use crate::api::error::ApiError;
use crate::api::{self, Call, InvocationType};
use crate::assemble;
use crate::diagnostic::Diagnostic;
use crate::expect::Reply;
use crate::file::step::{Invoke, InvokeType, LogType, Step, Verb};
use crate::vars::fill_node;

impl Stage<'_> {
    pub(super) fn step(&mut self, step: &Step, suffix: &str, run: &mut Run) -> Result<(), Halt> {
        let reply = self.act(step, suffix, run)?;
        match (&step.verb, reply) {
            (Verb::Invoke(_), Some(waiting)) => self.until_reply(step, waiting, run),
            _ => {
                self.quiesce(self.fabric.now())?;
                self.judge_step(step, None, run);
                Ok(())
            }
        }
    }

    fn judge_step(&mut self, step: &Step, reply: Option<&Reply>, run: &mut Run) {
        let Some(expect) = self.expectations.steps.get(&step.id) else {
            return;
        };
        self.fabric.journal.flush();
        let found = self.judge(expect, reply);
        run.failed.extend(found);
    }

    /// Does what a step says, without waiting for what follows. A call that waits gives its reply's number.
    fn act(&mut self, step: &Step, suffix: &str, run: &mut Run) -> Result<Option<Waiting>, Halt> {
        let id = format!("{}{suffix}", step.id);
        let now = self.fabric.now();
        self.fabric.note(Entry::Step {
            name: Name::new(format!("step:{id}")),
            what: describe(step),
        });
        match &step.verb {
            Verb::Put(objects) => {
                for (path, content) in objects {
                    let body = content
                        .bytes()
                        .map_err(|e| broken(step, format!("failed to read the content: {e}")))?;
                    let key = path.value.key.clone();
                    self.touch(
                        step,
                        &id,
                        &path.value.source,
                        Touch::Put {
                            key,
                            body: body.into(),
                        },
                    )?;
                }
            }
            Verb::Delete(objects) => {
                for path in objects {
                    let key = path.value.key.clone();
                    self.touch(step, &id, &path.value.source, Touch::Delete { key })?;
                }
            }
            Verb::Invoke(invoke) => return Ok(Some(self.invoke(invoke, &id, now))),
            Verb::Advance(by) => self.advance(now + *by)?,
            Verb::Settle => self.settle()?,
            Verb::Parallel(steps) => {
                let mut waiting = Vec::new();
                for child in steps {
                    let reply = self.act(child, suffix, run)?;
                    waiting.push((child, reply));
                }
                for (child, reply) in waiting {
                    match reply {
                        Some(reply) => self.until_reply(child, reply, run)?,
                        None => {
                            self.quiesce(self.fabric.now())?;
                            self.judge_step(child, None, run);
                        }
                    }
                }
            }
            Verb::Repeat { times, steps } => {
                for round in 1..=*times {
                    for child in steps {
                        self.step(child, &format!("{suffix}.{round}"), run)?;
                    }
                }
            }
            Verb::Restart { function } => {
                let name = FunctionName::new(function.value.as_str());
                let latest = FunctionVersion::latest(name);
                self.fabric.hands.executor().reset(&latest);
            }
        }
        Ok(None)
    }

    fn touch(&mut self, step: &Step, id: &str, source: &str, what: Touch) -> Result<(), Halt> {
        let now = self.fabric.now();
        let name = SourceName::new(source);
        let watched = self
            .fabric
            .hands
            .source(&name)
            .ok_or_else(|| broken(step, format!("no source {source}")))?;
        watched.emitter.continue_from(id);
        let done = watched
            .source
            .stimulate(what.stimulus(), now, &mut watched.emitter);
        let seen = watched.emitter.take();
        done.map_err(|error| broken(step, error.to_string()))?;
        for observation in seen {
            self.fabric.hands.arrive(now, observation);
        }
        Ok(())
    }

    /// Calls a function as a client would: what the API refuses is its answer, and nothing runs.
    fn invoke(&mut self, invoke: &Invoke, id: &str, now: Timestamp) -> Waiting {
        self.call(invoke, id, now)
            .unwrap_or_else(|refused| Waiting::Answered(refusal(refused)))
    }

    fn call(&mut self, invoke: &Invoke, id: &str, now: Timestamp) -> Result<Waiting, ApiError> {
        let json = |node: &crate::node::Node| {
            let lookup = assemble::builtins(&self.directories, now);
            serde_json::to_vec(&fill_node(node, &lookup)).unwrap_or_default()
        };
        let function = FunctionName::new(invoke.function.value.as_str());
        let body = invoke.payload.as_ref().map(json).unwrap_or_default();
        let context = invoke.client_context.as_ref().map(json);
        let client_context = context
            .map(|bytes| api::client_context(&STANDARD.encode(bytes)))
            .transpose()?;
        let kind = match invoke.kind {
            InvokeType::Sync => InvocationType::RequestResponse,
            InvokeType::Event => InvocationType::Event,
            InvokeType::DryRun => InvocationType::DryRun,
        };
        let call = Call {
            kind,
            function: &function,
            qualifier: None,
            body: &body.into(),
        };
        let functions = &self.fabric.settings().functions;
        let payload = api::check(call, |function| functions.contains_key(function))?;
        let taken = Reply {
            status: kind.status(),
            ..Reply::default()
        };
        let tail = invoke.log == Some(LogType::Tail) && kind == InvocationType::RequestResponse;
        let (lane, waiting) = match kind {
            InvocationType::DryRun => return Ok(Waiting::Answered(taken)),
            InvocationType::Event => (Lane::Queue, Waiting::Answered(taken)),
            InvocationType::RequestResponse => {
                let reply = self.fabric.hands.open_reply();
                (Lane::Reply(reply), Waiting::For(reply, tail))
            }
        };
        let details = CallDetails {
            client_context,
            log_tail: tail,
            ..CallDetails::default()
        };
        let name = format!("evt:{id}/1");
        let event = api::event(self.seed, &name, &function, None, lane, details, payload);
        self.fabric.hands.call(now, event);
        Ok(waiting)
    }

    fn until_reply(&mut self, step: &Step, waiting: Waiting, run: &mut Run) -> Result<(), Halt> {
        let reply = match waiting {
            Waiting::Answered(reply) => {
                self.quiesce(self.fabric.now())?;
                reply
            }
            Waiting::For(id, tail) => loop {
                if let Some(answered) = self.fabric.hands.take_reply(id) {
                    break reply_of(answered.outcome, tail);
                }
                let next = self
                    .fabric
                    .next_deadline()
                    .unwrap_or(self.fabric.now())
                    .max(self.fabric.now());
                if self.turn(next)? == Turn::Quiet(None) {
                    return Err(broken(step, "the call was never answered".to_owned()));
                }
            },
        };
        self.quiesce(self.fabric.now())?;
        self.judge_step(step, Some(&reply), run);
        Ok(())
    }
}

/// What a call waits for.
enum Waiting {
    Answered(Reply),
    For(router::event::ReplyId, bool),
}

enum Touch {
    Put { key: String, body: Payload },
    Delete { key: String },
}

impl Touch {
    fn stimulus(self) -> Box<dyn std::any::Any> {
        use sources::s3::Stimulus;
        Box::new(match self {
            Touch::Put { key, body } => Stimulus::Put { key, body },
            Touch::Delete { key } => Stimulus::Delete { key },
        })
    }
}

fn broken(step: &Step, what: String) -> Halt {
    Halt::Broken(Diagnostic::new("E303", what).at(step.span, "in this step"))
}

fn describe(step: &Step) -> String {
    let paths = |objects: Vec<String>| objects.join(", ");
    match &step.verb {
        Verb::Put(o) => format!(
            "put {}",
            paths(
                o.iter()
                    .map(|(p, _)| format!("{}/{}", p.value.source, p.value.key))
                    .collect()
            )
        ),
        Verb::Delete(o) => format!(
            "delete {}",
            paths(
                o.iter()
                    .map(|p| format!("{}/{}", p.value.source, p.value.key))
                    .collect()
            )
        ),
        Verb::Invoke(invoke) => format!("invoke {}", invoke.function.value),
        Verb::Advance(by) => format!("advance {by:?}"),
        Verb::Settle => "settle".to_owned(),
        Verb::Parallel(steps) => format!("parallel, {} steps", steps.len()),
        Verb::Repeat { times, .. } => format!("repeat {times} times"),
        Verb::Restart { function } => format!("restart {}", function.value),
    }
}

fn reply_of(outcome: Outcome, tail: bool) -> Reply {
    match api::answer(outcome) {
        Ok(answer) => Reply {
            status: InvocationType::RequestResponse.status(),
            payload: answer.payload.to_vec(),
            error: answer.function_error.map(str::to_owned),
            log_tail: tail.then(|| String::from_utf8_lossy(&answer.log).into_owned()),
        },
        Err(refused) => refusal(refused),
    }
}

fn refusal(error: ApiError) -> Reply {
    Reply {
        status: error.status,
        payload: error.body.into_bytes(),
        error: Some(error.code.to_owned()),
        log_tail: None,
    }
}
