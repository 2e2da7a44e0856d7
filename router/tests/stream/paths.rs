//! Every path of the stream lane: all sequences of outcomes to a depth, on small streams, under all settings that change
//! what an outcome means; and the end of our process at every step.
//!
//! The invariants are those of [`crate::world`]; and on each path every record ends exactly once, within its attempts.

use std::time::Duration;

use crate::odometer::Odometer;
use crate::world::{Does, Ended, Given, World, given, secs, settings};
use router::stream::{Input, Settings};

/// Two keys, alone, interleaved and in two shards.
fn streams() -> Vec<Vec<Given>> {
    let other = |sequence, key| Given {
        shard: "t",
        ..given(sequence, key)
    };
    let refused = |sequence, key| Given {
        refused: true,
        ..given(sequence, key)
    };
    vec![
        vec![given(1, 0), given(2, 0), given(3, 0)],
        vec![given(1, 0), given(2, 1), given(3, 0), given(4, 1)],
        vec![given(1, 0), given(2, 1), other(1, 0), other(2, 0)],
        vec![refused(1, 0), given(2, 0), refused(3, 1), given(4, 1)],
    ]
}

/// Settings with each of these ages and sizes of batches.
fn variants(limits: &[(Option<Duration>, u32)]) -> Vec<Settings> {
    let mut all = Vec::new();
    for (bisect, reports_failures) in [(false, false), (true, false), (false, true), (true, true)] {
        for (factor, retries) in [(1, Some(0)), (1, Some(1)), (2, Some(1)), (2, None)] {
            for (max_age, batch_size) in limits.iter().copied() {
                all.push(Settings {
                    bisect,
                    reports_failures,
                    factor,
                    retries,
                    max_age,
                    batch_size,
                    ..settings()
                });
            }
        }
    }
    all
}

/// The next outcome, or the default behind the depth.
fn choose(gen_: &mut Odometer, depth: &mut usize, world: &World) -> (usize, Does) {
    if *depth == 0 {
        return (0, Does::Succeeds);
    }
    *depth -= 1;
    let index = gen_.choose(world.running.len());
    let records = world.running[index].records.len();
    let mut all = vec![Does::Succeeds, Does::Fails, Does::IsThrottled];
    if world.mapping.settings().reports_failures {
        all.push(Does::Mumbles);
        all.extend((0..records).map(Does::Names));
    }
    let does = all[gen_.choose(all.len())];
    (index, does)
}

fn check_ends(world: &mut World, settings: &Settings) {
    world.assert_over();
    let allowed = settings.retries.map_or(u32::MAX, |retries| retries + 1);
    let most = world.invoked.iter().map(|(_, attempt)| *attempt).max();
    assert!(most.unwrap_or_default() <= allowed, "{most:?} attempts");
    // Where batches stay as they are, no record fails more often than that, restarts or not.
    let is_split = settings.bisect || settings.reports_failures;
    if !is_split && world.mapping.settings().factor == settings.factor {
        let most = world.failed.values().max().copied().unwrap_or_default();
        assert!(most <= allowed, "a record failed {most} times");
    }
    for record in &world.sent {
        let context = &record["requestContext"];
        let invocations = context["approximateInvokeCount"].as_u64();
        match context["condition"].as_str() {
            Some("RetryAttemptsExhausted") => assert_eq!(invocations, Some(u64::from(allowed))),
            condition => assert_eq!(condition, Some("RecordAgeExceeded")),
        }
    }
    let told: u64 = world
        .sent
        .iter()
        .filter_map(|record| record["KinesisBatchInfo"]["batchSize"].as_u64())
        .sum();
    let given_up = world
        .ended
        .values()
        .filter(|how| matches!(how, Ended::Exhausted | Ended::Expired));
    assert_eq!(
        told,
        given_up.count() as u64,
        "every record that is given up is told of"
    );
}

#[test]
fn every_sequence_of_outcomes_ends_every_record_once_and_in_order() {
    let mut paths = 0;
    for stream in streams() {
        for settings in variants(&[(None, 4), (Some(secs(2)), 2)]) {
            let mut gen_ = Odometer::default();
            while gen_.next_run() {
                paths += 1;
                let mut world = World::new(settings.clone(), &stream);
                // The more ways an outcome has, the fewer of them one after the other.
                let lanes = settings.factor > 1 || stream.iter().any(|given| given.shard == "t");
                let mut depth = if settings.reports_failures && lanes { 2 } else { 3 };
                loop {
                    // A lane that waits may go on before another one has ended.
                    let waits = world.mapping.next_deadline().is_some();
                    let waits_first = waits && (world.running.is_empty() || depth > 0 && gen_.choose(2) == 1);
                    if waits_first {
                        world.wait();
                    } else if world.running.is_empty() {
                        break;
                    } else {
                        let (index, does) = choose(&mut gen_, &mut depth, &world);
                        world.finish(index, does);
                    }
                }
                check_ends(&mut world, &settings);
            }
        }
    }
    assert!(paths > 10_000, "{paths} paths");
}

#[test]
fn a_crash_at_any_step_loses_nothing_and_repeats_nothing_that_was_done() {
    for stream in streams() {
        for settings in variants(&[(None, 4)]) {
            let mut gen_ = Odometer::default();
            while gen_.next_run() {
                let mut world = World::new(settings.clone(), &stream);
                let mut depth = 2;
                let mut crashed = false;
                loop {
                    if !crashed && depth > 0 && gen_.choose(2) == 1 {
                        crashed = true;
                        let checkpoint = world.checkpoint.clone();
                        let factor = [settings.factor, 3 - settings.factor][gen_.choose(2)];
                        let settings = Settings {
                            factor,
                            ..settings.clone()
                        };
                        world.restart(settings, checkpoint);
                    } else if !world.running.is_empty() {
                        let (index, does) = choose(&mut gen_, &mut depth, &world);
                        world.finish(index, does);
                    } else if !world.wait() {
                        break;
                    }
                }
                check_ends(&mut world, &settings);
            }
        }
    }
}

#[test]
fn a_crash_before_the_last_checkpoint_was_kept_loses_nothing() {
    for stream in streams() {
        for settings in variants(&[(None, 4)]) {
            let mut gen_ = Odometer::default();
            while gen_.next_run() {
                let mut world = World::new(settings.clone(), &stream);
                let mut depth = 2;
                let mut crashed = false;
                loop {
                    let kept = (world.checkpoint.clone(), world.ended.clone());
                    if !world.running.is_empty() {
                        let (index, does) = choose(&mut gen_, &mut depth, &world);
                        world.finish(index, does);
                    } else if !world.wait() {
                        break;
                    }
                    if !crashed && depth > 0 && gen_.choose(2) == 1 {
                        crashed = true;
                        let done = |record: &&(String, u64)| !kept.1.contains_key(*record);
                        world.forgotten = world.ended.keys().filter(done).cloned().collect();
                        world.restart(settings.clone(), kept.0);
                    }
                }
                world.assert_over();
                world
                    .forgotten
                    .retain(|record| world.ended.get(record) != Some(&Ended::Filtered));
                assert!(
                    world.forgotten.is_empty(),
                    "{:?} were done only before the crash",
                    world.forgotten
                );
            }
        }
    }
}

#[test]
fn whenever_answers_come_lanes_that_stand_and_lanes_that_read_on_lose_nothing() {
    let keys = [0, 0, 0, 1, 0, 1, 1, 0];
    let stream: Vec<Given> = keys.iter().zip(1..).map(|(key, n)| given(n, *key)).collect();
    for page in [1, 2, 8] {
        let settings = Settings {
            factor: 2,
            batch_size: 1,
            ..settings()
        };
        let mut gen_ = Odometer::default();
        while gen_.next_run() {
            let mut world = World::bare(settings.clone(), &stream[..4]);
            (world.page, world.defers) = (page, true);
            world.open("s", &[]);
            let mut depth = 7;
            for step in 0.. {
                if step == 3 {
                    stream[4..].iter().for_each(|given| world.put(given.clone()));
                }
                if step == 5 {
                    let factor = 1;
                    world.give(Input::Configured(Box::new(Settings {
                        factor,
                        ..settings.clone()
                    })));
                }
                let running = world.running.len();
                let options = running + world.pending.len();
                if options == 0 && !world.wait() {
                    break;
                }
                if options == 0 {
                    continue;
                }
                let choice = match depth {
                    0 => 0,
                    _ => gen_.choose(options),
                };
                depth = if depth > 0 { depth - 1 } else { 0 };
                match choice.checked_sub(running) {
                    None => world.finish(choice, Does::Succeeds),
                    Some(request) => world.answer(request),
                }
                assert!(
                    world.pending.len() < 3,
                    "one request at a time, and one that is void"
                );
                assert!(step < 1000, "it does not come to an end");
            }
            world.assert_over();
        }
    }
}
