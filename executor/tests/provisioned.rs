//! Provisioned environments with real processes: ready before anybody calls, used first, replaced when they die.

mod harness;

use std::time::{Duration, Instant};

use executor::{FunctionSpec, Pace, Provisioned};
use harness::{Made, STARTING, World};
use router::name::{FunctionName, FunctionVersion, Version};

const THIRD: Version = Version::Published(3);

fn third() -> FunctionVersion {
    FunctionVersion {
        function: FunctionName::new("f"),
        version: THIRD,
    }
}

/// A world in which version 3 is this code.
fn world(code: &str, timeout: Duration) -> World {
    let world = Made {
        pace: Pace::Live,
        handler: code,
        ..Made::default()
    }
    .start();
    let spec = FunctionSpec {
        version: THIRD,
        timeout,
        ..world.spec.clone()
    };
    world.executor.functions().define(spec).expect("defined");
    world
}

fn until(world: &mut World, what: impl Fn(Provisioned) -> bool) -> Provisioned {
    let began = Instant::now();
    loop {
        let now = world.executor.functions().provisioned(&third());
        if what(now) {
            return now;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{now:?} for ever: {:?}",
            world.lines
        );
        world.reactor.wait(Some(Duration::from_millis(20)));
        assert!(world.hear().is_none(), "nobody called");
    }
}

fn last_environment(world: &World) -> String {
    world
        .environments
        .last()
        .cloned()
        .flatten()
        .map(|name| name.to_string())
        .unwrap_or_default()
}

const CODE: &str = "
import os
note('loaded')
print('loading')
def handler(event, context):
    if event == 'die':
        os._exit(1)
    return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']
";

#[test]
fn they_are_ready_before_anybody_calls_and_replaced_when_they_die() {
    let mut world = world(CODE, Duration::from_secs(60));
    world.executor.functions().provision(&third(), 2);
    let ready = until(&mut world, |now| now.available == 2);
    assert_eq!((ready.requested, ready.failed), (2, false));
    assert_eq!(world.seen().matches("loaded").count(), 2);
    world.expect_line("loading");
    let answer = world.call_as(THIRD, Some("3"), "0");
    assert_eq!(answer, "\"provisioned-concurrency\"");
    assert_eq!(last_environment(&world), "env:f:3/2");
    let answer = world.call_as(THIRD, Some("3"), "\"die\"");
    assert!(answer.contains("Runtime.ExitError"), "{answer}");
    until(&mut world, |now| now.available < 2);
    until(&mut world, |now| now.available == 2);
    assert_eq!(world.seen().matches("loaded").count(), 3, "one took its place");
    world.executor.functions().provision(&third(), 0);
    assert_eq!(
        world.executor.functions().provisioned(&third()),
        Provisioned::default()
    );
    assert!(world.hear().is_none(), "nobody called");
    assert_eq!(world.call_as(THIRD, Some("3"), "0"), "\"on-demand\"");
    assert_eq!(last_environment(&world), "env:f:3/4");
    world.end();
}

#[test]
fn an_init_that_fails_is_told_and_not_tried_again_until_it_is_asked_for() {
    let mut world = world("raise ValueError('not today')", Duration::from_secs(60));
    world.executor.functions().provision(&third(), 1);
    let failed = until(&mut world, |now| now.failed);
    assert_eq!((failed.requested, failed.available), (1, 0));
    world.expect_line("not today");
    let spec = FunctionSpec {
        version: THIRD,
        ..world.spec.clone()
    };
    let client = std::fs::read_to_string(spec.code.join("app.py")).expect("read");
    let (client, _) = client.split_once("raise ValueError").expect("the code");
    std::fs::write(spec.code.join("app.py"), format!("{client}{CODE}")).expect("written");
    world.executor.functions().provision(&third(), 1);
    until(&mut world, |now| now.available == 1 && !now.failed);
    // Defined anew, it is made ready anew.
    world.executor.functions().define(spec).expect("defined");
    until(&mut world, |now| now.available == 0);
    until(&mut world, |now| now.available == 1);
    assert_eq!(world.call_as(THIRD, None, "0"), "\"provisioned-concurrency\"");
    assert_eq!(last_environment(&world), "env:f:3/3");
    world.end();
}

#[test]
fn an_init_without_end_is_given_up() {
    let code = "import time\ntime.sleep(600)\n";
    let mut world = Made {
        handler: code,
        init: Duration::from_millis(100),
        ..Made::default()
    }
    .start();
    let spec = FunctionSpec {
        version: THIRD,
        timeout: Duration::from_millis(300),
        ..world.spec.clone()
    };
    world.executor.functions().define(spec).expect("defined");
    world.executor.functions().provision(&third(), 1);
    until(&mut world, |now| now.failed);
    world.expect_line("INIT_REPORT Init Duration: 300.00 ms\tPhase: init\tStatus: timeout");
    world.end();
}

#[test]
fn few_are_made_ready_at_the_same_time() {
    let code = "note('begins')\nimport time\ntime.sleep(0.3)\nnote('loaded')\ndef handler(event, context):\n    return 1\n";
    let mut world = world(code, Duration::from_secs(60));
    world.executor.functions().provision(&third(), 7);
    until(&mut world, |now| now.available == 7);
    let (mut running, mut most) = (0_usize, 0);
    for line in world.seen().lines() {
        match line {
            "begins" => running += 1,
            "loaded" => running -= 1,
            other => panic!("{other}"),
        }
        most = most.max(running);
    }
    assert!((1..=STARTING).contains(&most), "{most} at the same time");
    world.end();
}

#[test]
fn what_breaks_again_at_once_is_replaced_after_a_pause() {
    let mut world = world(CODE, Duration::from_secs(60));
    world.executor.functions().provision(&third(), 1);
    for number in 1..=2 {
        until(&mut world, |now| now.available == 1);
        world.call_as(THIRD, Some("3"), "\"die\"");
        assert_eq!(last_environment(&world), format!("env:f:3/{number}"));
    }
    // It was heard of with the answer, or is soon.
    until(&mut world, |now| now.available == 0);
    let pause = world.executor.next_deadline().expect("it waits");
    world.executor.handle_timeout(pause);
    until(&mut world, |now| now.available == 1);
    world.end();
}
