//! Every path: all outcome sequences to a depth, checked against what must hold on each.
//!
//! Invariants: an event ends; it ends once; no attempt starts past the event's maximum age; at most
//! `1 + retries` executions; a late outcome changes nothing; the account never runs more than it may.

mod odometer;

use std::collections::BTreeMap;
use std::time::Duration;

use router::event::{
    AttemptId, ErrorKind, Event, Failure, FunctionError, Invocation, Lane, Observation, Outcome, Payload,
    Receipt, ReplyId, ThrottleReason,
};
use router::name::{FunctionName, Name, Seed, SinkName, SourceName};
use router::retry::RetryPolicy;
use router::router::{Action, Input, Router};
use router::settings::{Asynchronous, Destination, Function, Settings, VersionSettings};
use router::time::Timestamp;

use odometer::Odometer;

const T0: Timestamp = Timestamp::VIRTUAL_START;
const TOOK: Duration = Duration::from_millis(10);

fn event(n: u32, lane: Lane) -> Event {
    let name = format!("evt:t/{n}");
    Event {
        id: Seed(0).request_id(&name),
        name: Name::new(name),
        origin: SourceName::new("t"),
        route: None,
        subject: String::new(),
        to: FunctionName::new("f"),
        qualifier: None,
        lane,
        call: None,
        payload: Payload::from_static(b"{}"),
    }
}

fn outcome(result: Result<Payload, Failure>) -> Outcome {
    Outcome {
        result,
        duration: TOOK,
        log: Payload::new(),
    }
}

fn function_error() -> Failure {
    Failure::Function(FunctionError {
        kind: ErrorKind::Error,
        payload: Payload::from_static(b"{}"),
    })
}

fn results() -> [Result<Payload, Failure>; 4] {
    [
        Ok(Payload::from_static(b"null")),
        Err(function_error()),
        Err(Failure::Throttled(
            ThrottleReason::ConcurrentInvocationLimitExceeded,
        )),
        Err(Failure::System("no process".to_owned())),
    ]
}

fn router(retries: u32, max_age: u64, concurrency: u32, slots: Option<u32>) -> Router {
    let asynchronous = Asynchronous {
        retry: RetryPolicy {
            retries,
            max_age: Duration::from_secs(max_age),
            ..RetryPolicy::default()
        },
        on_success: Some(Destination::Sink(SinkName::new("good"))),
        on_failure: Some(Destination::Sink(SinkName::new("bad"))),
    };
    let function = Function::unversioned(VersionSettings::default(), asynchronous);
    let settings = Settings {
        functions: BTreeMap::from([(FunctionName::new("f"), function)]),
        concurrency,
        slots,
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
    };
    Router::new(settings, Seed(0))
}

#[derive(Default)]
struct Seen {
    running: Vec<(Timestamp, Invocation)>,
    starts: Vec<Timestamp>,
    ended: u32,
    executions: u32,
    done: Vec<(String, &'static str, u32)>,
    records: Vec<String>,
    replies: u32,
    ignored: u32,
    settled: Vec<Receipt>,
}

impl Seen {
    fn drain(&mut self, now: Timestamp, router: &mut Router) {
        while let Some(action) = router.poll_action() {
            match action {
                Action::Invoke(invocation) => {
                    self.starts.push(now);
                    self.running.push((now, invocation));
                }
                Action::Ended { outcome, .. } => {
                    self.ended += 1;
                    self.executions += u32::from(matches!(outcome.result, Ok(_) | Err(Failure::Function(_))));
                }
                Action::Done {
                    event,
                    how,
                    executions,
                    ..
                } => self.done.push((event.to_string(), how, executions)),
                Action::Send { sink, .. } => self.records.push(sink.to_string()),
                Action::Reply { .. } => self.replies += 1,
                Action::Ignored(_) => self.ignored += 1,
                Action::Settle { receipt, .. } => self.settled.push(receipt),
                Action::Seen(_) | Action::Accepted(_) | Action::Wait { .. } | Action::Configured { .. } => {}
            }
        }
    }
}

#[test]
fn every_sequence_of_outcomes_ends_once_and_in_time() {
    let mut paths = 0;
    for (retries, max_age) in [(2, 21_600), (2, 90), (1, 60), (0, 60)] {
        let mut gen_ = Odometer::default();
        while gen_.next_run() {
            paths += 1;
            let mut router = router(retries, max_age, 1000, None);
            let mut seen = Seen::default();
            let mut now = T0;
            router.handle(now, Input::Invoked(event(1, Lane::Queue)));
            seen.drain(now, &mut router);
            let mut depth = 0;
            while seen.done.is_empty() {
                if let Some((started, invocation)) = seen.running.pop() {
                    now = started + TOOK;
                    let results = results();
                    let choice = if depth < 6 { gen_.choose(results.len()) } else { 1 };
                    depth += 1;
                    let input = |attempt| Input::Finished {
                        attempt,
                        outcome: outcome(results[choice].clone()),
                        ran: None,
                    };
                    router.handle(now, input(invocation.attempt));
                    seen.drain(now, &mut router);
                    let before = (seen.done.len(), seen.records.len(), router.next_deadline());
                    router.handle(now, input(invocation.attempt));
                    seen.drain(now, &mut router);
                    let after = (seen.done.len(), seen.records.len(), router.next_deadline());
                    assert_eq!(before, after, "an answer that comes twice changes nothing");
                } else {
                    now = router
                        .next_deadline()
                        .expect("an event that neither runs nor waits is lost");
                    router.handle_timeout(now);
                    seen.drain(now, &mut router);
                }
            }
            assert_eq!(seen.done.len(), 1, "ends once");
            assert_eq!(
                (router.open(), router.next_deadline()),
                (0, None),
                "nothing is left"
            );
            assert!(seen.executions <= 1 + retries, "{} executions", seen.executions);
            assert_eq!(
                seen.done[0].2, seen.executions,
                "the record counts executions only"
            );
            assert_eq!(
                seen.records,
                [if seen.done[0].1 == "success" {
                    "good"
                } else {
                    "bad"
                }]
            );
            let oldest = seen
                .starts
                .iter()
                .map(|at| at.since(T0))
                .max()
                .unwrap_or_default();
            assert!(
                oldest <= Duration::from_secs(max_age),
                "an attempt started {oldest:?} after the event"
            );
            assert_eq!(
                u32::try_from(seen.starts.len()).ok(),
                Some(seen.ended),
                "each start ends once"
            );
            assert_eq!(seen.ignored, seen.ended, "each second answer was ignored");
        }
    }
    assert!(paths > 1000, "{paths} paths");
}

#[test]
fn callers_are_told_once_whatever_happens_and_nobody_retries() {
    for result in results() {
        let mut router = router(2, 21_600, 1000, None);
        let mut seen = Seen::default();
        router.handle(T0, Input::Invoked(event(1, Lane::Reply(ReplyId(7)))));
        seen.drain(T0, &mut router);
        let attempt = AttemptId {
            delivery: 0,
            number: 1,
        };
        router.handle(
            T0,
            Input::Finished {
                attempt,
                outcome: outcome(result),
                ran: None,
            },
        );
        seen.drain(T0, &mut router);
        assert_eq!((seen.replies, seen.done.len(), router.open()), (1, 1, 0));
        assert!(seen.records.is_empty(), "a synchronous call has no destinations");
    }
}

#[test]
fn every_interleaving_of_three_events_keeps_within_the_limit() {
    for (concurrency, slots) in [(1, None), (2, None), (1000, Some(1)), (1000, Some(2))] {
        let limit = slots.unwrap_or(concurrency) as usize;
        let mut gen_ = Odometer::default();
        let mut paths = 0;
        while gen_.next_run() {
            paths += 1;
            let mut router = router(1, 21_600, concurrency, slots);
            let mut seen = Seen::default();
            let mut now = T0;
            for n in 1..=3 {
                router.handle(now, Input::Invoked(event(n, Lane::Queue)));
                seen.drain(now, &mut router);
            }
            let mut depth = 0;
            while seen.done.len() < 3 {
                assert!(
                    seen.running.len() <= limit,
                    "{} run, limit {limit}",
                    seen.running.len()
                );
                if seen.running.is_empty() {
                    now = router.next_deadline().expect("nothing runs and nothing waits");
                    router.handle_timeout(now);
                } else {
                    let which = if depth < 4 {
                        gen_.choose(seen.running.len())
                    } else {
                        0
                    };
                    let result = if depth < 4 { gen_.choose(2) } else { 0 };
                    depth += 1;
                    let (_, invocation) = seen.running.remove(which);
                    now = now + TOOK;
                    let input = Input::Finished {
                        attempt: invocation.attempt,
                        outcome: outcome(results()[result].clone()),
                        ran: None,
                    };
                    router.handle(now, input);
                }
                seen.drain(now, &mut router);
            }
            let mut names: Vec<_> = seen.done.iter().map(|(name, ..)| name.clone()).collect();
            names.sort();
            assert_eq!(names, ["evt:t/1", "evt:t/2", "evt:t/3"], "each ends once");
            assert_eq!(router.open(), 0);
        }
        assert!(paths > 10, "{paths} paths");
    }
}

#[test]
fn reserved_concurrency_zero_gives_up_at_once_or_throttles_the_caller() {
    let mut settings = router(2, 21_600, 1000, None).settings().clone();
    settings.functions.values_mut().for_each(|f| f.reserved = Some(0));
    let mut router = Router::new(settings, Seed(0));
    let mut seen = Seen::default();
    router.handle(T0, Input::Invoked(event(1, Lane::Queue)));
    router.handle(T0, Input::Invoked(event(2, Lane::Reply(ReplyId(1)))));
    seen.drain(T0, &mut router);
    assert!(seen.starts.is_empty());
    let how: Vec<_> = seen
        .done
        .iter()
        .map(|(_, how, executions)| (*how, *executions))
        .collect();
    assert_eq!(how, [("ZeroReservedConcurrency", 0), ("failed", 0)]);
    assert_eq!(
        (seen.records.as_slice(), seen.replies),
        (["bad".to_owned()].as_slice(), 1)
    );
}

#[test]
fn stopping_settles_whatever_is_open() {
    let mut router = router(2, 21_600, 1000, None);
    let mut seen = Seen::default();
    router.handle(T0, Input::Invoked(event(1, Lane::Queue)));
    router.handle(T0, Input::Stop);
    seen.drain(T0, &mut router);
    assert_eq!(seen.done, [("evt:t/1".to_owned(), "stopped", 0)]);
    assert_eq!(router.open(), 0);
}

#[test]
fn a_caller_does_not_wait_behind_queued_events() {
    let mut router = router(2, 21_600, 1000, Some(1));
    let mut seen = Seen::default();
    for n in 1..=3 {
        router.handle(T0, Input::Invoked(event(n, Lane::Queue)));
    }
    router.handle(T0, Input::Invoked(event(4, Lane::Reply(ReplyId(1)))));
    seen.drain(T0, &mut router);
    let (_, first) = seen.running.remove(0);
    let input = Input::Finished {
        attempt: first.attempt,
        outcome: outcome(Ok(Payload::new())),
        ran: None,
    };
    router.handle(T0, input);
    seen.drain(T0, &mut router);
    assert_eq!(seen.running[0].1.event.name.as_str(), "evt:t/4");
}

#[test]
fn destinations_that_lead_in_a_circle_end() {
    let mut settings = router(2, 21_600, 1000, None).settings().clone();
    let circle = |to: &str| Function {
        reserved: Some(0),
        ..Function::unversioned(
            VersionSettings::default(),
            Asynchronous {
                on_failure: Some(Destination::function(FunctionName::new(to))),
                ..Asynchronous::default()
            },
        )
    };
    settings.functions = [
        (FunctionName::new("f"), circle("g")),
        (FunctionName::new("g"), circle("f")),
    ]
    .into();
    let mut router = Router::new(settings, Seed(0));
    let mut seen = Seen::default();
    router.handle(T0, Input::Invoked(event(1, Lane::Queue)));
    seen.drain(T0, &mut router);
    assert_eq!(
        (seen.done.len(), router.open()),
        (17, 0),
        "the event and sixteen records"
    );
}

fn observed(receipt: u64, events: &[u32]) -> Input {
    Input::Observed(Observation {
        source: SourceName::new("t"),
        receipt: Receipt(receipt),
        kind: String::new(),
        subject: String::new(),
        events: events.iter().map(|n| event(*n, Lane::Queue)).collect(),
        refused: Vec::new(),
    })
}

fn answer(seen: &mut Seen, router: &mut Router, result: Result<Payload, Failure>) {
    let (started, invocation) = seen.running.remove(0);
    let input = Input::Finished {
        attempt: invocation.attempt,
        outcome: outcome(result),
        ran: None,
    };
    router.handle(started + TOOK, input);
    seen.drain(started + TOOK, router);
}

#[test]
fn an_observation_is_over_when_the_last_of_its_events_has_ended() {
    let mut router = router(1, 21_600, 1000, None);
    let mut seen = Seen::default();
    router.handle(T0, observed(7, &[]));
    seen.drain(T0, &mut router);
    assert_eq!(seen.settled, [Receipt(7)], "nobody takes it");
    router.handle(T0, observed(8, &[1, 2]));
    router.handle(T0, observed(9, &[3]));
    seen.drain(T0, &mut router);
    answer(&mut seen, &mut router, Ok(Payload::new()));
    answer(&mut seen, &mut router, Err(function_error()));
    answer(&mut seen, &mut router, Ok(Payload::new()));
    assert_eq!(seen.settled, [Receipt(7), Receipt(9)], "one waits for its retry");
    let now = router.next_deadline().expect("a retry");
    router.handle_timeout(now);
    seen.drain(now, &mut router);
    answer(&mut seen, &mut router, Err(function_error()));
    assert_eq!(seen.settled, [Receipt(7), Receipt(9), Receipt(8)]);
}

#[test]
fn an_observation_is_not_over_before_what_its_destination_made_of_it() {
    let mut settings = router(0, 21_600, 1000, None).settings().clone();
    let next = Asynchronous {
        on_success: Some(Destination::function(FunctionName::new("g"))),
        ..Asynchronous::default()
    };
    let next = Function::unversioned(VersionSettings::default(), next);
    settings.functions = [
        (FunctionName::new("f"), next),
        (FunctionName::new("g"), Function::default()),
    ]
    .into();
    let mut router = Router::new(settings, Seed(0));
    let mut seen = Seen::default();
    router.handle(T0, observed(1, &[1]));
    seen.drain(T0, &mut router);
    answer(&mut seen, &mut router, Ok(Payload::new()));
    assert!(seen.settled.is_empty(), "the second function runs");
    answer(&mut seen, &mut router, Ok(Payload::new()));
    assert_eq!(seen.settled, [Receipt(1)]);
}

#[test]
fn what_is_let_in_while_closing_is_accepted_and_starts_nothing_and_is_not_over() {
    let mut router = router(2, 21_600, 1000, None);
    let mut seen = Seen::default();
    router.handle(T0, Input::Invoked(event(1, Lane::Queue)));
    router.handle(T0, Input::Close);
    router.handle(T0, observed(1, &[2]));
    router.handle(T0, Input::Invoked(event(3, Lane::Reply(ReplyId(1)))));
    seen.drain(T0, &mut router);
    assert_eq!((seen.starts.len(), router.open()), (1, 3));
    answer(&mut seen, &mut router, Ok(Payload::new()));
    router.handle(T0, Input::Stop);
    seen.drain(T0, &mut router);
    let how: Vec<_> = seen.done.iter().map(|(_, how, _)| *how).collect();
    assert_eq!(how, ["success", "stopped", "stopped"]);
    assert_eq!((seen.replies, seen.settled.len(), router.open()), (1, 0, 0));
}

#[test]
fn bytes_are_held_from_the_arrival_to_the_end() {
    let mut router = router(1, 21_600, 1000, None);
    let mut seen = Seen::default();
    router.handle(T0, Input::Invoked(event(1, Lane::Queue)));
    seen.drain(T0, &mut router);
    assert_eq!(router.held(), 2);
    answer(&mut seen, &mut router, Err(function_error()));
    assert_eq!(router.held(), 4, "its last error is kept for the record");
    let now = router.next_deadline().expect("a retry");
    router.handle_timeout(now);
    seen.drain(now, &mut router);
    answer(&mut seen, &mut router, Ok(Payload::from_static(b"null")));
    assert_eq!(router.held(), 0);
}
