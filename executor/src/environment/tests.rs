use bytes::Bytes;

use super::ending::{Leaving, Then};
use super::*;
use crate::extension::{Events, Phase};

const BOTH: Events = Events {
    invoke: true,
    shutdown: true,
};

fn ticket(ending: Ending) -> Ticket {
    Ticket {
        id: RequestId::new("r"),
        ending,
    }
}

fn register(name: &str) -> Heard {
    Heard::Register {
        name: name.into(),
        events: BOTH,
        identifier: format!("id-{name}"),
    }
}

fn asks(name: &str) -> Heard {
    Heard::ExtensionNext {
        identifier: format!("id-{name}"),
    }
}

fn answers() -> Heard {
    Heard::Answer {
        id: "r".into(),
        answer: Answer::Response(Bytes::new()),
    }
}

/// What the actor does at once: it starts the external extensions that there are.
fn on(machine: &mut Environment, heard: Heard, external: &[&str]) -> Vec<Order> {
    let mut orders = machine.on(heard);
    if orders.contains(&Order::Launch) {
        let names = external.iter().map(|name| (*name).to_owned()).collect();
        orders.extend(machine.on(Heard::Launched(names)));
    }
    orders
}

fn alphabet() -> Vec<Heard> {
    vec![
        Heard::Dispatch(ticket(Ending::Honest)),
        Heard::Dispatch(ticket(Ending::CrashBefore)),
        Heard::Dispatch(ticket(Ending::CrashAfter)),
        Heard::Prepare,
        Heard::Next,
        Heard::NextDropped,
        Heard::Answer {
            id: "r".into(),
            answer: Answer::Response(Bytes::new()),
        },
        Heard::Answer {
            id: "x".into(),
            answer: Answer::TooLarge { limit: 1 },
        },
        Heard::InitError {
            kind: String::new(),
            body: Bytes::new(),
        },
        Heard::RuntimeEnded(Exit::Code(1)),
        Heard::Exited(Exit::Code(1)),
        register("a"),
        asks("a"),
        Heard::ExtensionError {
            identifier: "id-a".into(),
            phase: Phase::Exit,
            kind: "X".into(),
        },
        Heard::ExtensionEnded {
            seat: 0,
            exit: Exit::Code(1),
        },
        Heard::Unstartable {
            entrypoint: true,
            why: String::new(),
        },
        Heard::Rang,
        Heard::Exceeded(crate::sandbox::Excess::Memory),
        Heard::Retire,
    ]
}

/// Walks every sequence of this length and checks, at each step, that attempts end exactly once, that `Ready` is told
/// once for each dispatch and preparation, and that a provisioned environment is lost once. `owed`: whether one is due; unknown after what the pool never does.
fn walk(before: &Environment, open: i32, owed: Option<i32>, depth: u32, external: &[&str]) {
    for heard in alphabet() {
        let mut machine = before.clone();
        let arrived = i32::from(matches!(heard, Heard::Dispatch(_)));
        let orders = on(&mut machine, heard.clone(), external);
        let lost = orders.contains(&Order::Lost);
        let ends = !before.is_gone() && machine.is_gone() && heard != Heard::Retire;
        assert_eq!(
            lost,
            ends && before.is_provisioned(),
            "after {heard:?}: {machine:?}"
        );
        assert!(!(lost && machine.is_provisioned()), "it is lost once");
        let owed = match heard {
            Heard::Retire => None,
            Heard::Prepare if before.is_gone() => owed.filter(|owed| *owed == 0).map(|_| 1),
            Heard::Dispatch(_) => owed.filter(|owed| *owed == 0).map(|_| 1),
            _ => owed,
        };
        let told = orders.iter().filter(|o| **o == Order::Ready).count() as i32;
        let mut owed = owed.map(|owed| owed - told);
        assert!(
            owed.is_none_or(|owed| owed >= 0),
            "a second Ready after {heard:?}: {machine:?}"
        );
        if before.state == State::Preparing && lost {
            owed = owed.map(|_| 0);
        }
        let ended = orders
            .iter()
            .filter(|o| matches!(o, Order::Conclude(_) | Order::Deny))
            .count() as i32;
        let open = open + arrived - ended;
        assert!(
            (0..=1).contains(&open),
            "{open} open after {heard:?}: {machine:?}"
        );
        assert_eq!(open == 1, carries(&machine), "after {heard:?}: {machine:?}");
        let answers = matches!(
            heard,
            Heard::Next
                | Heard::Answer { .. }
                | Heard::InitError { .. }
                | Heard::Register { .. }
                | Heard::ExtensionNext { .. }
                | Heard::ExtensionError { .. }
        );
        let mut replies = orders.iter().filter(|o| is_reply(o)).count();
        if matches!(heard, Heard::ExtensionNext { .. }) {
            replies = replies.min(1);
        }
        if answers {
            assert_eq!(replies, 1, "one reply to {heard:?}: {orders:?}");
        }
        if depth > 1 {
            walk(&machine, open, owed, depth - 1, external);
        }
    }
}

/// The order that answers a call; what is handed out because an extension asked answers an older call.
fn is_reply(order: &Order) -> bool {
    use Order::{Accept, Hand, Park, Refuse, Seat, Wait, WrongId, WrongState};
    matches!(
        order,
        Hand | Park | Accept | WrongId | WrongState { .. } | Seat(_) | Wait(_) | Refuse(_)
    )
}

fn carries(machine: &Environment) -> bool {
    match &machine.state {
        State::Gone | State::Preparing | State::Idle | State::Adrift => false,
        State::Starting { .. } | State::Busy { .. } => true,
        State::Finishing { held, waiting } => held.is_some() || waiting.is_some(),
        State::Stopping { then, .. } => !matches!(then, Then::Rest | Then::Vanish),
    }
}

#[test]
fn every_path_ends_an_attempt_exactly_once() {
    for hold in [false, true] {
        walk(&Environment::new(hold), 0, Some(0), 4, &[]);
        for prefix in prefixes() {
            let mut machine = Environment::new(hold);
            for heard in prefix {
                on(&mut machine, heard, &["a", "b"]);
            }
            let open = i32::from(carries(&machine));
            let due = !matches!(machine.state, State::Gone | State::Idle);
            let owed = i32::from(due);
            let depth = if machine.is_provisioned() { 3 } else { 4 };
            walk(&machine, open, Some(owed), depth, &["a", "b"]);
        }
    }
}

/// Ways into the middle of a life with two external extensions.
fn prefixes() -> Vec<Vec<Heard>> {
    let life = [
        Heard::Dispatch(ticket(Ending::Honest)),
        register("a"),
        register("b"),
        asks("b"),
        asks("a"),
        Heard::Next,
        answers(),
        asks("b"),
        Heard::Next,
    ];
    let lives = [1, 3, 5, 6, 7, 8, 9].iter().map(|n| life[..*n].to_vec());
    let mut prepared = life[..6].to_vec();
    prepared[0] = Heard::Prepare;
    let preparations = [1, 5, 6].iter().map(|n| prepared[..*n].to_vec());
    lives.chain(preparations).collect()
}

#[test]
fn what_is_prepared_is_ready_before_there_is_an_attempt() {
    let mut machine = Environment::new(false);
    assert_eq!(
        on(&mut machine, Heard::Prepare, &[]),
        [Order::Alarm(Alarm::Init), Order::Launch, Order::Spawn]
    );
    assert_eq!(
        machine.on(Heard::Dispatch(ticket(Ending::Honest))),
        [Order::Deny],
        "nobody was told that it is ready"
    );
    let ready = [Order::Alarm(Alarm::Off), Order::Park, Order::Freeze, Order::Ready];
    assert_eq!(machine.on(Heard::Next), ready);
    let handed = machine.on(Heard::Dispatch(ticket(Ending::Honest)));
    assert_eq!(handed, [Order::Alarm(Alarm::Task), Order::Thaw, Order::Hand]);
    machine.on(Heard::Answer {
        id: "r".into(),
        answer: Answer::Response(Bytes::new()),
    });
    machine.on(Heard::Next);
    let ended = machine.on(Heard::Exited(Exit::Code(1)));
    assert_eq!(ended, [Order::Alarm(Alarm::Off), Order::Lost]);
}

#[test]
fn what_cannot_be_prepared_is_lost_and_not_tried_again() {
    let breaks = [
        Heard::InitError {
            kind: String::new(),
            body: Bytes::new(),
        },
        Heard::Rang,
        Heard::Exited(Exit::Code(1)),
        Heard::Exceeded(crate::sandbox::Excess::Memory),
        Heard::Unstartable {
            entrypoint: true,
            why: String::new(),
        },
    ];
    for heard in breaks {
        let mut machine = Environment::new(false);
        on(&mut machine, Heard::Prepare, &[]);
        let mut orders = machine.on(heard.clone());
        if machine.is_stopping() {
            orders.extend(machine.on(Heard::Exited(KILLED)));
        }
        assert_eq!(orders.last(), Some(&Order::Lost), "after {heard:?}");
        assert!(
            machine.is_gone() && !orders.contains(&Order::Ready),
            "after {heard:?}"
        );
    }
}

#[test]
fn every_state_reaches_gone_when_retired_and_reaped() {
    let mut starts = vec![vec![]];
    starts.extend(prefixes());
    for start in starts {
        for first in alphabet() {
            for second in alphabet() {
                for external in [&[][..], &["a", "b"]] {
                    let mut machine = Environment::new(true);
                    for heard in start.iter().cloned().chain([first.clone(), second.clone()]) {
                        on(&mut machine, heard, external);
                    }
                    machine.on(Heard::Retire);
                    machine.on(Heard::Exited(KILLED));
                    assert!(machine.is_gone(), "{machine:?}");
                }
            }
        }
    }
}

/// However far it came, ringing alarms end an environment: no process needs to do anything.
#[test]
fn whoever_is_told_to_end_is_killed_at_last() {
    let mut starts = vec![vec![]];
    starts.extend(prefixes());
    for start in starts {
        for first in alphabet() {
            let mut machine = Environment::new(false);
            for heard in start.iter().cloned().chain([first]) {
                on(&mut machine, heard, &["a", "b"]);
            }
            let mut orders = machine.on(Heard::Retire);
            for _ in 0..4 {
                let heard = match orders.contains(&Order::KillRuntime) {
                    true => Heard::RuntimeEnded(KILLED),
                    false => Heard::Rang,
                };
                orders = machine.on(heard);
            }
            let over = matches!(
                machine.state,
                State::Gone
                    | State::Stopping {
                        leaving: Leaving::Killed,
                        ..
                    }
            );
            assert!(over, "{machine:?}");
        }
    }
}

#[test]
fn a_failed_first_start_happens_once_more_as_part_of_the_invocation() {
    let mut machine = Environment::new(false);
    on(&mut machine, Heard::Dispatch(ticket(Ending::Honest)), &[]);
    let again = on(&mut machine, Heard::Exited(Exit::Code(1)), &[]);
    assert_eq!(again, [Order::Alarm(Alarm::Task), Order::Launch, Order::Spawn]);
    let end = machine.on(Heard::Exited(Exit::Code(1)));
    assert!(end.contains(&Order::Conclude(Conclusion::Exited(Exit::Code(1)))));
}

#[test]
fn a_second_answer_is_refused_by_state_and_a_foreign_one_by_id() {
    let mut machine = Environment::new(false);
    on(&mut machine, Heard::Dispatch(ticket(Ending::Honest)), &[]);
    machine.on(Heard::Next);
    let answer = Answer::Response(Bytes::new());
    machine.on(Heard::Answer {
        id: "r".into(),
        answer: answer.clone(),
    });
    let twice = machine.on(Heard::Answer {
        id: "r".into(),
        answer: answer.clone(),
    });
    assert_eq!(
        twice,
        [Order::WrongState {
            from: "RuntimeResponseSentState",
            to: "InvocationResponse"
        }]
    );
    assert_eq!(
        machine.on(Heard::Answer {
            id: "old".into(),
            answer
        }),
        [Order::WrongId]
    );
}

#[test]
fn virtual_pace_tells_the_end_only_with_the_following_next() {
    let mut machine = Environment::new(true);
    on(&mut machine, Heard::Dispatch(ticket(Ending::Honest)), &[]);
    machine.on(Heard::Next);
    let answer = Answer::Response(Bytes::new());
    assert_eq!(
        machine.on(Heard::Answer {
            id: "r".into(),
            answer: answer.clone()
        }),
        [Order::Accept]
    );
    let orders = machine.on(Heard::Next);
    assert!(orders.contains(&Order::Conclude(Conclusion::Answered(answer))));
    assert_eq!(orders.last(), Some(&Order::Ready));
}

/// An environment with one external extension that has asked for its first event, as has the runtime.
fn busy(hold: bool) -> Environment {
    let mut machine = Environment::new(hold);
    let first = on(&mut machine, Heard::Dispatch(ticket(Ending::Honest)), &["a"]);
    assert_eq!(
        first,
        [Order::Alarm(Alarm::Init), Order::Launch],
        "no runtime yet"
    );
    assert_eq!(machine.on(register("a")), [Order::Seat(0), Order::Spawn]);
    assert_eq!(
        machine.on(Heard::Next),
        [Order::Park],
        "the extension is waited for"
    );
    assert_eq!(
        machine.on(asks("a")),
        [
            Order::Wait(0),
            Order::Alarm(Alarm::Task),
            Order::Thaw,
            Order::Hand,
            Order::Invoke(vec![0])
        ]
    );
    machine
}

#[test]
fn an_extension_holds_the_freeze_and_in_virtual_pace_the_end() {
    let mut live = busy(false);
    let done = Order::Conclude(Conclusion::Answered(Answer::Response(Bytes::new())));
    assert_eq!(live.on(answers()), [Order::Accept, done.clone()]);
    assert_eq!(live.on(Heard::Next), [Order::Park]);
    let orders = live.on(asks("a"));
    assert!(orders.contains(&Order::Freeze) && orders.contains(&Order::Ready));

    let mut held = busy(true);
    assert_eq!(held.on(answers()), [Order::Accept]);
    assert_eq!(held.on(asks("a")), [Order::Wait(0)]);
    assert!(held.on(Heard::Next).contains(&done));
}

#[test]
fn a_crash_of_an_extension_ends_the_attempt_and_the_runtime() {
    let mut machine = busy(false);
    let ended = Heard::ExtensionEnded {
        seat: 0,
        exit: Exit::Code(3),
    };
    assert_eq!(machine.on(ended), [Order::Alarm(Alarm::Off), Order::Kill]);
    let kind = "Extension.Crash";
    let why = "exit status 3".to_owned();
    let orders = machine.on(Heard::Exited(KILLED));
    assert!(orders.contains(&Order::Conclude(Conclusion::Extension { kind, why })));
}

#[test]
fn the_end_is_told_to_the_runtime_and_then_to_external_extensions() {
    let mut machine = busy(false);
    machine.on(answers());
    machine.on(asks("a"));
    machine.on(Heard::Next);
    let share = std::time::Duration::from_millis(300);
    assert_eq!(
        machine.on(Heard::Retire),
        [Order::Alarm(Alarm::Farewell(share)), Order::Terminate]
    );
    assert_eq!(machine.on(Heard::Rang), [Order::KillRuntime]);
    let budget = std::time::Duration::from_millis(2000);
    assert_eq!(
        machine.on(Heard::RuntimeEnded(KILLED)),
        [
            Order::Alarm(Alarm::Farewell(budget)),
            Order::Shutdown(vec![0], Reason::Spindown)
        ]
    );
    assert_eq!(machine.on(Heard::Rang), [Order::Alarm(Alarm::Off), Order::Kill]);
}

#[test]
fn a_runtime_that_ends_fails_the_attempt_when_its_extensions_have_ended_too() {
    let mut machine = busy(false);
    let orders = machine.on(Heard::RuntimeEnded(Exit::Code(1)));
    assert!(orders.contains(&Order::Shutdown(vec![0], Reason::Failure)));
    let orders = machine.on(Heard::Exited(KILLED));
    assert!(orders.contains(&Order::Conclude(Conclusion::Exited(Exit::Code(1)))));
}
