//! The documented rules of event source mappings of streams, one by one (spec/event-source-mapping §2 to §4, §6).

use crate::world::{Does, Ended, Given, T0, World, given, secs, settings};
use router::stream::{
    Action, CALL_FAILED, Edge, Input, NO_FUNCTION, OK, OnFailure, Position, Settings, ShardId, Start, State,
    THROTTLED,
};
use serde_json::{Value, json};

fn four() -> Vec<Given> {
    (1..=4).map(|n| given(n, 0)).collect()
}

fn with(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = settings();
    change(&mut settings);
    settings
}

fn does(world: &mut World, all: &[Does]) {
    for one in all {
        if world.running.is_empty() {
            assert!(world.wait(), "nothing runs before {one:?}");
        }
        world.finish(0, *one);
    }
}

#[test]
fn the_same_batch_is_retried_and_nothing_passes_it() {
    let mut world = World::new(with(|s| s.batch_size = 2), &four());
    does(
        &mut world,
        &[Does::Fails, Does::Fails, Does::Succeeds, Does::Succeeds],
    );
    assert_eq!(world.batches(), [vec![1, 2], vec![1, 2], vec![1, 2], vec![3, 4]]);
    assert_eq!(world.waits, [secs(1), secs(2)]);
    world.assert_over();
}

#[test]
fn n_retries_are_n_plus_one_invocations_and_then_a_record() {
    let mut world = World::new(with(|s| (s.batch_size, s.retries) = (2, Some(1))), &four());
    does(&mut world, &[Does::Fails, Does::Fails, Does::Succeeds]);
    assert_eq!(world.batches(), [vec![1, 2], vec![1, 2], vec![3, 4]]);
    assert_eq!(
        world.ends(),
        [Ended::Exhausted, Ended::Exhausted, Ended::Handled, Ended::Handled]
    );
    let record = &world.sent[0];
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["KinesisBatchInfo"]["batchSize"], 2);
    let info = &record["KinesisBatchInfo"];
    assert_eq!(
        (&info["startSequenceNumber"], &info["endSequenceNumber"]),
        (&json!("1"), &json!("2"))
    );
    world.assert_over();
}

#[test]
fn throttles_do_not_count_and_are_retried_until_the_records_are_too_old() {
    let settings = with(|s| (s.retries, s.max_age) = (Some(0), Some(secs(60))));
    let mut world = World::new(settings, &four());
    while world.ended.is_empty() {
        does(&mut world, &[Does::IsThrottled]);
        world.running.is_empty().then(|| world.wait());
    }
    assert_eq!(world.ends(), [Ended::Expired; 4]);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.sent[0]["requestContext"]["condition"], "RecordAgeExceeded");
    assert_eq!(world.sent[0]["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!(world.sent[0].get("responseContext"), None);
    assert_eq!(world.results, [THROTTLED]);
    world.assert_over();
}

#[test]
fn only_the_head_of_a_batch_expires_and_the_rest_is_processed() {
    let mut stream = four();
    stream[2].at = 5;
    stream[3].at = 5;
    let mut world = World::bare(with(|s| s.max_age = Some(secs(60))), &stream);
    world.now = T0 + secs(61);
    world.open("s", &[]);
    world.succeed();
    assert_eq!(world.batches(), [[3, 4]]);
    assert_eq!(world.sent[0]["KinesisBatchInfo"]["batchSize"], 2);
    let mut exact = World::bare(with(|s| s.max_age = Some(secs(60))), &four());
    exact.now = T0 + secs(60);
    exact.open("s", &[]);
    assert_eq!(exact.batches(), [[1, 2, 3, 4]], "exactly the age is allowed");
}

#[test]
fn a_batch_expires_between_its_retries() {
    let mut stream = four();
    stream[0].at = 0;
    stream[1..].iter_mut().for_each(|given| given.at = 50);
    let mut world = World::bare(with(|s| s.max_age = Some(secs(60))), &stream);
    world.now = T0 + secs(60);
    world.open("s", &[]);
    does(&mut world, &[Does::Fails, Does::Succeeds]);
    assert_eq!(world.batches(), [vec![1, 2, 3, 4], vec![2, 3, 4]]);
    assert_eq!(world.sent[0]["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(world.invoked[1].1, 2, "it is still the batch that failed once");
    world.assert_over();
}

#[test]
fn bisect_halves_in_order_and_costs_no_retry() {
    let mut world = World::new(with(|s| (s.bisect, s.retries) = (true, Some(1))), &four());
    // The scenario of design/scenarios: the second of four is poison, six invocations.
    does(
        &mut world,
        &[
            Does::Fails,
            Does::Fails,
            Does::Succeeds,
            Does::Fails,
            Does::Fails,
            Does::Succeeds,
        ],
    );
    let batches = [
        vec![1, 2, 3, 4],
        vec![1, 2],
        vec![1],
        vec![2],
        vec![2],
        vec![3, 4],
    ];
    assert_eq!(world.batches(), batches);
    assert_eq!(
        world.ends(),
        [Ended::Handled, Ended::Exhausted, Ended::Handled, Ended::Handled]
    );
    assert_eq!(world.sent[0]["KinesisBatchInfo"]["batchSize"], 1);
    assert_eq!(world.sent[0]["requestContext"]["approximateInvokeCount"], 2);
}

#[test]
fn a_partial_response_is_a_checkpoint_at_the_lowest_record() {
    let settings = with(|s| (s.reports_failures, s.retries) = (true, Some(3)));
    let mut world = World::new(settings, &four());
    does(
        &mut world,
        &[Does::Names(3), Does::Names(0), Does::Names(0), Does::Names(0)],
    );
    assert_eq!(world.batches(), [vec![1, 2, 3, 4], vec![4], vec![4], vec![4]]);
    // Three retries of the final record: its approximateInvokeCount is 4 and its batchSize 1.
    assert_eq!(world.sent[0]["requestContext"]["approximateInvokeCount"], 4);
    assert_eq!(world.sent[0]["KinesisBatchInfo"]["batchSize"], 1);
    assert_eq!(world.sent[0]["responseContext"]["functionError"], Value::Null);
    world.assert_over();
}

#[test]
fn with_bisect_a_batch_is_split_at_the_lowest_record() {
    let settings = with(|s| (s.reports_failures, s.bisect, s.retries) = (true, true, Some(0)));
    let mut world = World::new(settings, &four());
    does(
        &mut world,
        &[Does::Names(1), Does::Names(0), Does::Mumbles, Does::Succeeds],
    );
    assert_eq!(
        world.batches(),
        [vec![1, 2, 3, 4], vec![2, 3, 4], vec![2], vec![3, 4]]
    );
    assert_eq!(world.ends()[1], Ended::Exhausted);
    assert!(world.waits.is_empty(), "nothing was retried");
    world.assert_over();
}

#[test]
fn without_the_response_type_the_response_is_ignored() {
    let mut world = World::new(settings(), &four());
    does(&mut world, &[Does::Names(1)]);
    assert_eq!(world.ends(), [Ended::Handled; 4]);
}

#[test]
fn a_malformed_response_fails_the_whole_batch() {
    let settings = with(|s| (s.reports_failures, s.retries) = (true, Some(0)));
    let mut world = World::new(settings, &four());
    does(&mut world, &[Does::Mumbles]);
    assert_eq!(world.ends(), [Ended::Exhausted; 4]);
    assert_eq!(world.sent[0]["responseContext"]["functionError"], Value::Null);
}

#[test]
fn a_batch_is_gathered_for_its_window_or_until_it_is_full() {
    let mut world = World::new(with(|s| s.window = secs(5)), &four()[..1]);
    assert!(world.running.is_empty());
    world.now = T0 + secs(2);
    world.put(given(2, 0));
    assert_eq!(
        world.mapping.next_deadline(),
        Some(T0 + secs(5)),
        "from the first record"
    );
    assert!(world.wait());
    assert_eq!(world.batches(), [[1, 2]]);
    (3..=6).for_each(|n| world.put(given(n, 0)));
    world.finish(0, Does::Succeeds);
    assert_eq!(world.batches(), [vec![1, 2], vec![3, 4, 5, 6]], "it is full");
}

#[test]
fn a_lane_that_blocks_stops_no_other_and_holds_its_share_only() {
    let stream: Vec<Given> = (1..=400).map(|n| given(n, n % 2)).collect();
    let mut world = World::new(with(|s| (s.factor, s.batch_size) = (2, 10)), &stream);
    let mut most = 0;
    while let Some(index) = world.running.iter().position(|running| running.invoke.lane == 1) {
        world.finish(index, Does::Succeeds);
        most = most.max(world.mapping.held());
    }
    assert_eq!(world.ended.len(), 200, "every odd record");
    assert!(most < 40 * 20, "{most} bytes are held");
    assert!(world.most <= 30, "{} records were asked for", world.most);
    world.succeed();
    world.assert_over();
}

#[test]
fn a_function_that_is_down_costs_no_memory() {
    let stream: Vec<Given> = (1..=500).map(|n| given(n, 0)).collect();
    let mut world = World::new(with(|s| s.batch_size = 10), &stream);
    for _ in 0..20 {
        does(&mut world, &[Does::Fails]);
        world.give(Input::Rung {
            shard: ShardId::new("s"),
        });
    }
    assert!(world.mapping.held() < 20 * 20);
    assert_eq!(world.waits.last(), Some(&secs(60)));
    world.succeed();
    world.assert_over();
    assert!(
        world.batches().iter().all(|batch| batch.len() == 10),
        "a backlog makes full batches"
    );
}

#[test]
fn records_that_no_filter_takes_are_skipped_and_passed_by_the_checkpoint() {
    let mut stream = four();
    stream
        .iter_mut()
        .for_each(|given| given.refused = given.sequence != 3);
    let mut world = World::new(settings(), &stream);
    world.succeed();
    assert_eq!(world.batches(), [[3]]);
    assert_eq!(world.sent.len(), 0);
    let done = &world.checkpoint.shards[&ShardId::new("s")].done;
    assert_eq!(done, &[Edge::through(4.into())]);
}

#[test]
fn latest_begins_behind_what_is_there_and_stays_there() {
    let mut world = World::new(with(|s| s.start = Start::Latest), &four());
    world.put(given(5, 0));
    world.succeed();
    assert_eq!(world.batches(), [[5]]);
    let mut empty = World::bare(with(|s| s.start = Start::Latest), &[]);
    empty.open("s", &[]);
    let checkpoint = empty.checkpoint.clone();
    empty.stream = four();
    empty.restart(empty.mapping.settings().clone(), checkpoint);
    assert_eq!(empty.batches(), [[1, 2, 3, 4]], "written while we were down");
}

#[test]
fn a_start_at_a_time_is_asked_for() {
    let at = T0 + secs(3);
    let mut stream = four();
    stream[3].at = 3;
    let mut world = World::new(with(|s| s.start = Start::At(at)), &stream);
    assert_eq!(world.asked[0].1, Position::Start(Start::At(at)));
    world.succeed();
    assert_eq!(world.batches(), [[4]]);
}

#[test]
fn children_are_read_when_their_parents_are_done() {
    let child = Given {
        shard: "child",
        ..given(1, 0)
    };
    let mut stream = four();
    stream.push(child);
    let mut world = World::bare(with(|s| s.start = Start::Latest), &stream);
    world.closed.insert("s");
    world.stream.truncate(0);
    world.open("s", &[]);
    world.stream = stream;
    world.closed.clear();
    world.give(Input::Rung {
        shard: ShardId::new("s"),
    });
    world.open("child", &["s"]);
    does(&mut world, &[Does::Fails]);
    assert!(world.asked.iter().all(|(shard, _)| shard == "s"));
    world.closed.insert("s");
    world.give(Input::Rung {
        shard: ShardId::new("s"),
    });
    world.succeed();
    assert_eq!(world.batches().last(), Some(&vec![1]));
    let start = world.asked.iter().find(|(shard, _)| shard == "child");
    assert_eq!(
        start.map(|(_, from)| from.clone()),
        Some(Position::Start(Start::TrimHorizon))
    );
}

#[test]
fn what_leaves_the_stream_is_given_up() {
    let mut world = World::new(settings(), &four());
    does(&mut world, &[Does::Fails]);
    world.give(Input::Trimmed {
        shard: ShardId::new("s"),
        before: 3.into(),
    });
    world.succeed();
    assert_eq!(world.batches(), [vec![1, 2, 3, 4], vec![3, 4]]);
    assert_eq!(
        world.ends(),
        [Ended::Expired, Ended::Expired, Ended::Handled, Ended::Handled]
    );
    assert_eq!(world.sent[0]["requestContext"]["condition"], "RecordAgeExceeded");
}

#[test]
fn disabled_it_ends_what_runs_and_goes_on_where_it_was() {
    let mut world = World::new(with(|s| s.batch_size = 2), &four());
    assert_eq!(world.settled, [(State::Enabled, None)]);
    world.give(Input::Enabled(false));
    assert_eq!(world.settled.len(), 1, "a batch runs");
    world.finish(0, Does::Succeeds);
    assert_eq!(world.settled.last(), Some(&(State::Disabled, None)));
    assert_eq!((world.mapping.held(), world.mapping.next_deadline()), (0, None));
    world.put(given(5, 0));
    assert_eq!(world.batches().len(), 1, "nothing starts");
    world.give(Input::Enabled(true));
    world.succeed();
    assert_eq!(world.batches(), [vec![1, 2], vec![3, 4], vec![5]]);
    world.assert_over();
}

#[test]
fn disabling_and_enabling_does_not_give_a_batch_new_retries() {
    let mut world = World::new(with(|s| s.retries = Some(1)), &four());
    does(&mut world, &[Does::Fails]);
    world.give(Input::Enabled(false));
    world.give(Input::Enabled(true));
    does(&mut world, &[Does::Fails]);
    assert_eq!(world.ends(), [Ended::Exhausted; 4]);
}

#[test]
fn a_restart_does_not_give_a_batch_new_retries() {
    let settings = with(|s| (s.retries, s.bisect) = (Some(2), true));
    let mut world = World::new(settings.clone(), &four());
    does(&mut world, &[Does::Fails, Does::Fails, Does::Fails, Does::Fails]);
    let checkpoint = world.checkpoint.clone();
    world.restart(settings, checkpoint);
    assert_eq!(world.invoked.last(), Some(&(vec![1], 3)));
    does(&mut world, &[Does::Fails, Does::Succeeds, Does::Succeeds]);
    assert_eq!(world.batches()[5..], [vec![2], vec![3, 4]], "halves stay halves");
    assert_eq!(world.sent[0]["requestContext"]["approximateInvokeCount"], 3);
    world.assert_over();
}

#[test]
fn a_change_of_the_factor_waits_for_what_runs_and_keeps_order_and_retries() {
    let stream: Vec<Given> = (1..=6).map(|n| given(n, n % 2)).collect();
    let mut world = World::new(with(|s| (s.factor, s.batch_size) = (2, 1)), &stream);
    let even = world.running.iter().position(|running| running.invoke.lane == 0);
    world.finish(even.unwrap_or_default(), Does::Fails);
    let changed = with(|s| (s.factor, s.batch_size) = (1, 1));
    world.give(Input::Configured(Box::new(changed)));
    assert_eq!(world.settled.len(), 1, "the other lane runs");
    assert_eq!(world.mapping.next_deadline(), None);
    world.finish(0, Does::Succeeds);
    assert_eq!(world.settled.len(), 2);
    world.succeed();
    assert_eq!(world.batches()[2..], [[2], [3], [4], [5], [6]]);
    assert_eq!(world.invoked[2].1, 2, "its second attempt");
    world.assert_over();
}

#[test]
fn deleted_it_ends_what_runs_and_is_gone() {
    let mut world = World::new(settings(), &four());
    world.give(Input::Deleted);
    world.finish(0, Does::Fails);
    assert_eq!(world.settled.last(), Some(&(State::Gone, None)));
    world.give(Input::Enabled(true));
    assert_eq!((world.invoked.len(), world.mapping.next_deadline()), (1, None));
}

#[test]
fn without_its_function_it_disables_itself_and_loses_nothing() {
    let mut world = World::new(settings(), &four());
    world.finish(0, Does::IsMissing);
    assert_eq!(world.settled.last(), Some(&(State::Disabled, Some(NO_FUNCTION))));
    world.give(Input::Enabled(true));
    world.succeed();
    assert_eq!(world.invoked.last(), Some(&(vec![1, 2, 3, 4], 1)));
}

#[test]
fn the_last_result_follows_the_batches() {
    let mut world = World::new(with(|s| s.batch_size = 1), &four());
    let all = [
        Does::Succeeds,
        Does::Succeeds,
        Does::Fails,
        Does::IsThrottled,
        Does::Succeeds,
    ];
    does(&mut world, &all);
    assert_eq!(world.results, [OK, CALL_FAILED, THROTTLED, OK]);
    assert_eq!(world.mapping.last_result(), OK);
}

#[test]
fn closing_starts_nothing_and_keeps_what_is_done() {
    let mut world = World::new(with(|s| s.batch_size = 2), &four());
    world.give(Input::Close);
    world.finish(0, Does::Succeeds);
    assert_eq!((world.running.len(), world.mapping.next_deadline()), (0, None));
    let checkpoint = world.checkpoint.clone();
    world.restart(world.mapping.settings().clone(), checkpoint);
    world.succeed();
    assert_eq!(world.batches(), [[1, 2], [3, 4]]);
}

#[test]
fn every_invocation_has_a_request_of_its_own() {
    let mut world = World::new(with(|s| s.bisect = true), &four());
    let mut requests = std::collections::BTreeSet::new();
    for n in 0..8 {
        if world.running.is_empty() {
            world.wait();
        }
        let invoke = &world.running[0].invoke;
        assert!(requests.insert(invoke.request.clone()), "{}", invoke.name);
        world.finish(
            0,
            if n % 3 == 1 {
                Does::IsThrottled
            } else {
                Does::Fails
            },
        );
    }
}

#[test]
fn a_destination_may_get_the_whole_event() {
    let settings = with(|s| {
        s.retries = Some(0);
        s.on_failure = s.on_failure.take().map(|on_failure| OnFailure {
            whole_event: true,
            ..on_failure
        });
    });
    let mut world = World::new(settings, &four()[..1]);
    does(&mut world, &[Does::Fails]);
    assert_eq!(world.sent[0]["payload"], json!({"Records": [{"s": "s", "q": 1}]}));
}

#[test]
fn a_tumbling_window_carries_its_state_to_its_end() {
    let mut stream = four();
    stream[2].at = 60;
    stream[3].at = 61;
    let mut world = World::new(with(|s| s.tumbling = Some(secs(60))), &stream);
    world.finish(0, Does::Says(r#"{"state":{"n":2}}"#));
    world.finish(0, Does::Succeeds);
    world.finish(0, Does::Says(r#"{"state":{"n":9}}"#));
    assert!(world.running.is_empty(), "its time is not over");
    world.succeed();
    let short = |event: &Value| {
        let records = event["Records"].as_array().map_or(0, Vec::len);
        (
            records,
            event["state"].clone(),
            event["isFinalInvokeForWindow"] == true,
        )
    };
    let events: Vec<_> = world.events.iter().map(short).collect();
    let expected = [
        (2, json!({}), false),
        (0, json!({"n": 2}), true),
        (2, json!({}), false),
        (0, json!({"n": 9}), true),
    ];
    assert_eq!(events, expected);
    assert_eq!(world.events[3]["window"]["start"], "2026-01-01T00:01:00Z");
    assert!(world.now >= T0 + secs(120));
    world.assert_over();
}

#[test]
fn a_response_without_a_state_is_a_failed_invocation() {
    let settings = with(|s| (s.tumbling, s.retries) = (Some(secs(60)), Some(0)));
    let mut world = World::new(settings, &four());
    world.finish(0, Does::Succeeds);
    assert_eq!(world.ends(), [Ended::Exhausted; 4]);
    world.succeed();
    assert_eq!(world.invoked.len(), 1, "a window with nothing in it has no end");
}

#[test]
fn a_state_that_is_too_large_ends_the_window_early_and_the_same_goes_on() {
    let mut world = World::new(
        with(|s| (s.tumbling, s.batch_size) = (Some(secs(60)), 2)),
        &four(),
    );
    let large: &'static str =
        Box::leak(format!(r#"{{"state":"{}"}}"#, "x".repeat(1024 * 1024)).into_boxed_str());
    world.finish(0, Does::Says(large));
    assert_eq!(world.events[1]["isWindowTerminatedEarly"], true);
    assert_eq!(world.events[1]["isFinalInvokeForWindow"], true);
    world.finish(0, Does::Succeeds);
    assert_eq!(world.events[2]["window"], world.events[0]["window"]);
    assert_eq!(world.events[2]["state"], json!({}));
}

#[test]
fn the_end_of_a_window_is_tried_until_it_succeeds() {
    let mut world = World::new(
        with(|s| (s.tumbling, s.retries) = (Some(secs(60)), Some(0))),
        &four(),
    );
    world.finish(0, Does::Says(r#"{"state":1}"#));
    assert!(world.wait());
    world.put(Given {
        at: 70,
        ..given(5, 0)
    });
    does(&mut world, &[Does::Fails, Does::IsThrottled, Does::Succeeds]);
    assert_eq!(
        world.batches(),
        [vec![1, 2, 3, 4], vec![], vec![], vec![], vec![5]]
    );
    assert_eq!(world.waits, [secs(1), secs(2)]);
}

#[test]
fn a_window_survives_a_restart() {
    let settings = with(|s| s.tumbling = Some(secs(60)));
    let mut world = World::new(settings.clone(), &four());
    world.finish(0, Does::Says(r#"{"state":{"n":4}}"#));
    let checkpoint = world.checkpoint.clone();
    let other = Settings {
        factor: 3,
        ..settings
    };
    world.restart(other, checkpoint);
    let last = world.events.last().cloned().unwrap_or_default();
    assert_eq!(
        last["state"],
        json!({"n": 4}),
        "other lanes end the windows of the old ones"
    );
    world.succeed();
    world.assert_over();
}

#[test]
fn actions_are_told_in_the_order_of_the_decisions() {
    let mut world = World::new(with(|s| (s.batch_size, s.retries) = (2, Some(0))), &four());
    let running = world.running.remove(0);
    let failed = Input::Finished {
        batch: running.invoke.batch,
        outcome: router::event::Outcome::failed(router::event::Failure::Function(
            router::event::FunctionError {
                kind: router::event::ErrorKind::Error,
                payload: router::event::Payload::from_static(b"{}"),
            },
        )),
        version: None,
    };
    world.mapping.handle(world.now, failed);
    let words: Vec<&str> = std::iter::from_fn(|| world.mapping.poll_action())
        .map(|action| match action {
            Action::Dropped { .. } => "dropped",
            Action::Send { .. } => "send",
            Action::Checkpoint { .. } => "checkpoint",
            Action::Invoke(_) => "invoke",
            Action::Result(_) => "result",
            _ => "other",
        })
        .collect();
    assert_eq!(words, ["result", "dropped", "send", "checkpoint", "invoke"]);
}
