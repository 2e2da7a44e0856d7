//! Functions that are changed, deleted and made anew while their events are open.
//!
//! Invariants, on every interleaving of starts, ends and changes to a depth: nothing starts beyond the limits that hold
//! at that moment; every event ends once, also one whose function is gone; nothing is left when all has ended.

mod odometer;

use std::collections::BTreeMap;
use std::time::Duration;

use router::event::{ErrorKind, Event, Failure, FunctionError, Invocation, Lane, Outcome, Payload, ReplyId};
use router::name::{FunctionName, Name, Seed, SinkName, SourceName, Version};
use router::router::{Action, Input, Router};
use router::settings::{Alias, Asynchronous, Destination, Function, Settings, VersionSettings};
use router::time::Timestamp;

use odometer::Odometer;

const T0: Timestamp = Timestamp::VIRTUAL_START;
const ONE: Version = Version::Published(1);

fn name() -> FunctionName {
    FunctionName::new("f")
}

fn event(n: u32, qualifier: Option<&str>, lane: Lane) -> Event {
    let name = format!("evt:t/{n}");
    Event {
        id: Seed(0).request_id(&name),
        name: Name::new(name),
        origin: SourceName::new("t"),
        route: None,
        subject: String::new(),
        to: FunctionName::new("f"),
        qualifier: qualifier.map(Into::into),
        lane,
        call: None,
        payload: Payload::from_static(b"{}"),
    }
}

/// Version 1 with so many provisioned environments.
fn function(reserved: Option<u32>, provisioned: u32) -> Function {
    let one = VersionSettings {
        provisioned,
        dead_letter: None,
    };
    Function {
        reserved,
        versions: [(Version::Latest, VersionSettings::default()), (ONE, one)].into(),
        ..Function::default()
    }
}

fn router(function: Function, concurrency: u32) -> Router {
    let settings = Settings {
        functions: BTreeMap::from([(name(), function)]),
        concurrency,
        slots: None,
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
    };
    Router::new(settings, Seed(0))
}

fn configured(settings: Option<Function>) -> Input {
    Input::Configured {
        function: name(),
        settings: settings.map(Box::new),
        what: "changed".to_owned(),
    }
}

fn error() -> Failure {
    Failure::Function(FunctionError {
        kind: ErrorKind::Error,
        payload: Payload::from_static(b"{}"),
    })
}

fn finished(invocation: &Invocation, result: Result<Payload, Failure>) -> Input {
    Input::Finished {
        attempt: invocation.attempt,
        outcome: Outcome {
            result,
            duration: Duration::from_millis(10),
            log: Payload::new(),
        },
        ran: None,
    }
}

fn ok() -> Result<Payload, Failure> {
    Ok(Payload::from_static(b"null"))
}

#[derive(Default)]
struct Seen {
    running: Vec<Invocation>,
    done: Vec<(String, &'static str, String)>,
    replies: Vec<(Outcome, Option<Version>)>,
    records: Vec<serde_json::Value>,
    changes: u32,
}

impl Seen {
    fn drain(&mut self, router: &mut Router) {
        while let Some(action) = router.poll_action() {
            match action {
                Action::Invoke(invocation) => self.running.push(invocation),
                Action::Done { event, how, to, .. } => self.done.push((event.to_string(), how, to)),
                Action::Reply { outcome, version, .. } => self.replies.push((outcome, version)),
                Action::Send { record, .. } => {
                    self.records
                        .push(serde_json::from_slice(&record).expect("a document"));
                }
                Action::Configured { .. } => self.changes += 1,
                _ => {}
            }
        }
    }

    fn take(&mut self, router: &mut Router, now: Timestamp, input: Input) {
        router.handle(now, input);
        self.drain(router);
    }

    fn finish(&mut self, router: &mut Router, result: Result<Payload, Failure>) {
        let invocation = self.running.remove(0);
        self.take(router, T0, finished(&invocation, result));
    }
}

/// The limits as the documents say them, counted anew from what runs: those of one life of the function.
///
/// The last of them is the one that starts.
fn is_within(settings: &Function, running: &[(u32, Version)], life: u32, account: u32) -> bool {
    let of = |version: Version| running.iter().filter(|one| **one == (life, version)).count();
    let (ones, others) = (of(ONE), of(Version::Latest));
    let units = settings.versions[&ONE].provisioned as usize;
    let spilled = ones.saturating_sub(units) + others;
    let on_provisioned = running.last() == Some(&(life, ONE)) && ones <= units;
    if running.len() > account as usize {
        return false;
    }
    match settings.reserved {
        Some(reserve) => {
            let reserve = reserve as usize;
            ones + others <= reserve && (on_provisioned || spilled <= reserve.saturating_sub(units))
        }
        None => {
            let old = running.iter().filter(|(of, _)| *of != life).count();
            on_provisioned || spilled + old <= (account as usize).saturating_sub(units)
        }
    }
}

#[test]
fn every_interleaving_of_starts_ends_and_changes_keeps_the_limits() {
    const ACCOUNT: u32 = 3;
    let all = [
        function(Some(2), 1),
        function(Some(1), 0),
        function(None, 1),
        function(None, 0),
    ];
    let mut odometer = Odometer::default();
    let mut paths = 0;
    while odometer.next_run() {
        paths += 1;
        let mut router = router(all[0].clone(), ACCOUNT);
        let mut seen = Seen::default();
        let (mut settings, mut life) = (Some(all[0].clone()), 0);
        let mut lives: Vec<(Invocation, u32)> = Vec::new();
        let mut accepted = 0;
        for depth in 0..5 {
            // Before the first event there is nothing to end, and a change is another beginning.
            let started = match odometer.choose(if depth == 0 { 2 } else { 4 }) {
                0 => {
                    accepted += 1;
                    Input::Invoked(event(accepted, None, Lane::Queue))
                }
                1 => {
                    accepted += 1;
                    Input::Invoked(event(accepted, Some("1"), Lane::Reply(ReplyId(accepted.into()))))
                }
                2 if !lives.is_empty() => {
                    let (invocation, _) = lives.remove(0);
                    finished(
                        &invocation,
                        if odometer.choose(2) == 0 {
                            ok()
                        } else {
                            Err(error())
                        },
                    )
                }
                2 => continue,
                _ => {
                    let choice = odometer.choose(all.len() + 1);
                    let new = all.get(choice).cloned();
                    life += u32::from(settings.is_none() && new.is_some());
                    settings.clone_from(&new);
                    configured(new)
                }
            };
            seen.take(&mut router, T0, started);
            for invocation in seen.running.drain(..) {
                lives.push((invocation, life));
                let running: Vec<_> = lives.iter().map(|(i, life)| (*life, i.version)).collect();
                let now = settings
                    .as_ref()
                    .expect("nothing starts of a function that is gone");
                // Others of an earlier limit may still run; what starts must fit beside them.
                assert!(is_within(now, &running, life, ACCOUNT), "{running:?} of {now:?}");
            }
        }
        // Whatever comes, all of it ends.
        let mut now = T0;
        while router.open() > 0 {
            if let Some((invocation, _)) = lives.pop() {
                seen.take(&mut router, now, finished(&invocation, ok()));
            } else {
                now = router
                    .next_deadline()
                    .expect("what neither runs nor waits is lost");
                router.handle_timeout(now);
                seen.drain(&mut router);
            }
            lives.extend(seen.running.drain(..).map(|invocation| (invocation, life)));
        }
        let mut names: Vec<_> = seen.done.iter().map(|(name, ..)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(
            (names.len(), seen.done.len()),
            (accepted as usize, accepted as usize),
            "each ends once"
        );
        assert_eq!(
            (router.held(), router.next_deadline()),
            (0, None),
            "nothing is left"
        );
        // All places were given back: the limit is there again.
        seen.take(&mut router, now, configured(Some(function(Some(2), 0))));
        for n in 0..3 {
            seen.take(
                &mut router,
                now,
                Input::Invoked(event(100 + n, None, Lane::Queue)),
            );
        }
        assert_eq!(seen.running.len(), 2, "a place was lost or made");
    }
    assert!(paths > 3000, "{paths} paths");
}

#[test]
fn deletion_ends_what_waits_and_lets_finish_what_runs() {
    let mut router = router(function(Some(2), 0), 1000);
    let mut seen = Seen::default();
    seen.take(&mut router, T0, Input::Invoked(event(1, None, Lane::Queue)));
    seen.finish(&mut router, Err(error()));
    seen.take(&mut router, T0, Input::Invoked(event(2, None, Lane::Queue)));
    seen.take(
        &mut router,
        T0,
        Input::Invoked(event(3, None, Lane::Reply(ReplyId(3)))),
    );
    seen.take(&mut router, T0, configured(None));
    assert_eq!(
        seen.done,
        [("evt:t/1".to_owned(), "deleted", "nowhere".to_owned())]
    );
    assert_eq!(router.next_deadline(), None, "nobody waits for a retry");
    seen.take(&mut router, T0, configured(Some(function(Some(2), 0))));
    seen.finish(&mut router, Err(error()));
    seen.finish(&mut router, ok());
    let how: Vec<_> = seen.done.iter().map(|(_, how, to)| (*how, to.as_str())).collect();
    assert_eq!(
        how,
        [
            ("deleted", "nowhere"),
            ("deleted", "nowhere"),
            ("success", "caller")
        ]
    );
    assert!(
        seen.replies[0].0.result.is_ok(),
        "the caller has what it waited for"
    );
    assert_eq!((router.open(), seen.changes), (0, 2));
}

#[test]
fn a_caller_of_what_is_not_there_is_told_its_arn() {
    let mut router = router(function(None, 0), 1000);
    let mut seen = Seen::default();
    seen.take(
        &mut router,
        T0,
        Input::Invoked(event(1, Some("9"), Lane::Reply(ReplyId(1)))),
    );
    seen.take(&mut router, T0, Input::Invoked(event(2, Some("9"), Lane::Queue)));
    let (outcome, version) = &seen.replies[0];
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:f:9";
    assert_eq!(outcome.result, Err(Failure::Missing(arn.to_owned())));
    assert_eq!((*version, seen.running.len(), router.open()), (None, 0, 0));
    assert_eq!(seen.done[1].1, "failed");
}

#[test]
fn an_alias_that_goes_ends_its_events_at_their_next_attempt() {
    let mut with_alias = function(None, 0);
    let alias = Alias {
        version: ONE,
        also: None,
        provisioned: 0,
    };
    with_alias.aliases = [("prod".into(), alias)].into();
    let mut router = router(with_alias, 1000);
    let mut seen = Seen::default();
    seen.take(
        &mut router,
        T0,
        Input::Invoked(event(1, Some("prod"), Lane::Queue)),
    );
    assert_eq!(seen.running[0].version, ONE);
    seen.finish(&mut router, Err(error()));
    seen.take(&mut router, T0, configured(Some(function(None, 0))));
    assert!(seen.done.is_empty());
    let now = router.next_deadline().expect("a retry");
    router.handle_timeout(now);
    seen.drain(&mut router);
    assert_eq!(seen.done[0].1, "deleted");
}

#[test]
fn what_waits_is_retried_with_the_settings_of_then() {
    let mut router = router(function(None, 0), 1000);
    let mut seen = Seen::default();
    seen.take(&mut router, T0, Input::Invoked(event(1, None, Lane::Queue)));
    seen.finish(&mut router, Err(error()));
    let asynchronous = Asynchronous {
        on_failure: Some(Destination::Sink(SinkName::new("bad"))),
        ..Asynchronous::default()
    };
    let mut hopeless = function(Some(0), 0);
    hopeless.asynchronous = [("$LATEST".into(), asynchronous)].into();
    seen.take(&mut router, T0, configured(Some(hopeless)));
    let now = router.next_deadline().expect("a retry");
    router.handle_timeout(now);
    seen.drain(&mut router);
    assert_eq!(
        seen.done,
        [("evt:t/1".to_owned(), "ZeroReservedConcurrency", "bad".to_owned())]
    );
    assert_eq!(seen.records[0]["requestContext"]["approximateInvokeCount"], 1);
}

#[test]
fn a_record_goes_by_the_qualifier_and_tells_the_version() {
    let mut with_alias = function(None, 0);
    let alias = Alias {
        version: ONE,
        also: Some((Version::Published(2), 1.0)),
        provisioned: 0,
    };
    with_alias
        .versions
        .insert(Version::Published(2), VersionSettings::default());
    with_alias.aliases = [("prod".into(), alias)].into();
    let asynchronous = Asynchronous {
        on_success: Some(Destination::Sink(SinkName::new("good"))),
        ..Asynchronous::default()
    };
    with_alias.asynchronous = [("prod".into(), asynchronous)].into();
    let mut router = router(with_alias, 1000);
    let mut seen = Seen::default();
    for (n, qualifier) in [(1, Some("prod")), (2, Some("2")), (3, None)] {
        seen.take(&mut router, T0, Input::Invoked(event(n, qualifier, Lane::Queue)));
        seen.finish(&mut router, ok());
    }
    assert_eq!(seen.records.len(), 1, "only who asked for prod has a destination");
    assert_eq!(
        seen.records[0]["requestContext"]["functionArn"],
        "arn:aws:lambda:us-east-1:123456789012:function:f:prod"
    );
    assert_eq!(seen.records[0]["responseContext"]["executedVersion"], "2");
    seen.take(
        &mut router,
        T0,
        Input::Invoked(event(4, Some("prod"), Lane::Reply(ReplyId(4)))),
    );
    seen.finish(&mut router, ok());
    assert_eq!(seen.replies[0].1, Some(Version::Published(2)));
}
