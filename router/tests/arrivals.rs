//! The queue before the fabric: its bounds, and its end.

use router::arrivals::{Arrivals, Refused};
use router::event::{Event, Lane};
use router::name::{FunctionName, Name, Seed, SourceName};
use router::router::Input;

fn input(name: &str, bytes: usize) -> Input {
    Input::Invoked(Event {
        id: Seed(0).request_id(name),
        name: Name::new(name.to_owned()),
        origin: SourceName::new("t"),
        route: None,
        subject: String::new(),
        to: FunctionName::new("f"),
        qualifier: None,
        lane: Lane::Queue,
        call: None,
        payload: vec![b'1'; bytes].into(),
    })
}

fn name(input: Option<Input>) -> Option<String> {
    match input? {
        Input::Invoked(event) => Some(event.name.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[test]
fn there_is_room_for_so_many_and_for_so_many_bytes() {
    let arrivals = Arrivals::new(2, 100);
    assert!(arrivals.try_send(input("evt:1", 40)).is_ok());
    assert!(matches!(
        arrivals.try_send(input("evt:2", 61)),
        Err(Refused::Full(_))
    ));
    assert!(arrivals.try_send(input("evt:3", 60)).is_ok());
    assert!(matches!(
        arrivals.try_send(input("evt:4", 0)),
        Err(Refused::Full(_))
    ));
    assert_eq!(name(arrivals.take()).as_deref(), Some("evt:1"));
    assert!(arrivals.try_send(input("evt:5", 40)).is_ok());
    assert_eq!(name(arrivals.take()).as_deref(), Some("evt:3"));
    assert_eq!(name(arrivals.take()).as_deref(), Some("evt:5"));
    assert!(
        arrivals.try_send(input("evt:6", 1000)).is_ok(),
        "alone it gets in"
    );
}

#[test]
fn what_was_let_in_stays_when_it_closes_and_nothing_more_gets_in() {
    let arrivals = Arrivals::new(1, 100);
    assert!(arrivals.send(input("evt:1", 1)).is_ok());
    arrivals.close();
    assert!(matches!(
        arrivals.try_send(input("evt:2", 1)),
        Err(Refused::Closed)
    ));
    assert!(matches!(arrivals.send(input("evt:3", 1)), Err(Refused::Closed)));
    assert_eq!(name(arrivals.take()).as_deref(), Some("evt:1"));
    assert_eq!(name(arrivals.take()), None);
}

/// One waiting sender is let in by room, and one is refused by the end; neither stays.
#[test]
fn whoever_waits_is_let_in_or_refused() {
    let arrivals = Arrivals::new(1, 100);
    assert!(arrivals.send(input("evt:1", 1)).is_ok());
    std::thread::scope(|scope| {
        let first = scope.spawn(|| arrivals.send(input("evt:2", 1)).is_ok());
        assert_eq!(name(arrivals.take()).as_deref(), Some("evt:1"));
        assert_eq!(first.join().ok(), Some(true));
        let second = scope.spawn(|| arrivals.send(input("evt:3", 1)).is_ok());
        arrivals.close();
        assert_eq!(second.join().ok(), Some(false));
    });
    assert_eq!(name(arrivals.take()).as_deref(), Some("evt:2"));
}
