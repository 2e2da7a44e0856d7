//! How long matching takes. Prints; run with `--ignored --nocapture`, and `--release` for figures.

use std::fmt::Write as _;
use std::time::Instant;

use super::{event, pattern};

#[test]
#[ignore = "prints figures, asserts nothing"]
fn figures() {
    let record = r#"{"eventID":"1","eventName":"MODIFY","awsRegion":"eu-west-1","dynamodb":{"Keys":{"id":
        {"S":"1"}},"NewImage":{"id":{"S":"1"},"state":{"S":"open"},"total":{"N":"7"}},"SizeBytes":59}}"#;
    let filter = r#"{"eventName":["INSERT","MODIFY"],"dynamodb":{"NewImage":{"state":{"S":["open"]}}}}"#;
    measure("a stream's record", filter, record);
    let wildcard = format!(r#"{{"k":"{}"}}"#, "a".repeat(100_000));
    measure(
        "a wildcard, 100,000 characters",
        r#"{"k":[{"wildcard":"*aa*ab"}]}"#,
        &wildcard,
    );
    for elements in [1_000, 10_000, 100_000] {
        let mut list = String::new();
        for n in 0..elements {
            let _never_fails = write!(list, r#"{{"a":1,"b":{{"c":[{{"d":{n}}}]}},"e":2}},"#);
        }
        let list = format!(r#"{{"r":[{{"l":[{}]}}]}}"#, list.trim_end_matches(','));
        let last = elements - 1;
        let filter = format!(
            r#"{{"r":{{"l":{{"a":[1],"b":{{"c":{{"d":[{last}]}}}},"e":[2],"f":[{{"exists":false}}]}}}}}}"#
        );
        measure(&format!("an array of {elements}"), &filter, &list);
    }
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn measure(what: &str, filter: &str, against: &str) {
    let (pattern, event) = (pattern(filter), event(against));
    assert!(pattern.matches(&event) || what.contains("wildcard"));
    let start = Instant::now();
    let rounds = if against.len() > 1_000 { 5 } else { 10_000 };
    for _ in 0..rounds {
        std::hint::black_box(pattern.matches(std::hint::black_box(&event)));
    }
    println!("{what}: {:?}", start.elapsed() / rounds);
}
