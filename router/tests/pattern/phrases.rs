//! What `mismatch` says.

use super::{event, pattern};

/// Pattern, event, phrase.
const PHRASES: &[(&str, &str, &str)] = &[
    (
        r#"{"eventName":["INSERT"]}"#,
        r#"{"eventName":"MODIFY"}"#,
        "eventName is MODIFY, not INSERT",
    ),
    (r#"{"a":["x","y"]}"#, "{}", "a is absent, not x or y"),
    (
        r#"{"a":[1,2,3,4,5]}"#,
        r#"{"a":["7",null,true,1.5,""]}"#,
        "a is \"7\", null, true and 2 more, not 1, 2, 3 or 2 more",
    ),
    (
        r#"{"a":["a b",""]}"#,
        r#"{"a":"null"}"#,
        "a is \"null\", not \"a b\" or \"\"",
    ),
    (
        r#"{"d":{"k":["v"]}}"#,
        r#"{"d":{"k":{"S":"v"}}}"#,
        "d.k is an object, not v",
    ),
    (
        r#"{"d":[{"exists":true}]}"#,
        r#"{"d":[]}"#,
        "d is an empty array, not present",
    ),
    (
        r#"{"e":[{"exists":false}]}"#,
        r#"{"e":"boom"}"#,
        "e is boom, not absent",
    ),
    (
        r#"{"n":[{"numeric":[">",0,"<=",5.0]}]}"#,
        r#"{"n":7}"#,
        "n is 7, not a number > 0 and <= 5.0",
    ),
    (
        r#"{"n":[{"numeric":["=",1e1]}]}"#,
        r#"{"n":7}"#,
        "n is 7, not the number 1e1",
    ),
    (
        r#"{"a":[{"prefix":"x"},{"suffix":".y"}]}"#,
        r#"{"a":"z"}"#,
        "a is z, not a text starting with x or a text ending in .y",
    ),
    (
        r#"{"a":[{"wildcard":"*/x/*"}]}"#,
        r#"{"a":"z"}"#,
        "a is z, not a text like */x/*",
    ),
    (
        r#"{"a":[{"equals-ignore-case":"x"}]}"#,
        r#"{"a":"z"}"#,
        "a is z, not x in any case",
    ),
    (
        r#"{"a":[{"cidr":"10.0.0.0/8"}]}"#,
        r#"{"a":"z"}"#,
        "a is z, not an address in 10.0.0.0/8",
    ),
    (
        r#"{"a":[{"anything-but":["x","y"]}]}"#,
        r#"{"a":"x"}"#,
        "a is x, not anything but x or y",
    ),
    (
        r#"{"a":[{"anything-but":{"prefix":"x"}}]}"#,
        r#"{"a":"x"}"#,
        "a is x, not anything but a text starting with x",
    ),
    (r#"{"a":[1],"b":[2]}"#, r#"{"a":1,"b":3}"#, "b is 3, not 2"),
    (
        r#"{"e":{"f":["Anna"],"l":["Jones"]}}"#,
        r#"{"e":[{"f":"Anna","l":"Smith"},{"f":"Peter","l":"Jones"}]}"#,
        "e.l is not Jones in the array element that meets the conditions before it",
    ),
    (
        r#"{"$or":[{"a":[1]},{"b":[2],"a":[2]}]}"#,
        r#"{"a":2,"b":3}"#,
        "b is 3, not 2 (the closest of 2 alternatives)",
    ),
    (
        r#"{"p":{"a":[1],"b":[{"exists":false}]},"q":[2]}"#,
        r#"{"p":[{"a":1},{"b":1}],"q":3}"#,
        "q is 3, not 2",
    ),
    (
        r#"{"p":{"a":[1],"b":[{"exists":false}]}}"#,
        r#"{"p":[{"a":1,"b":2},{"c":1}]}"#,
        "p.b is 2, not absent",
    ),
    (r#"{"a":[1]}"#, "[]", "the event is not a JSON object"),
];

#[test]
fn phrases_name_what_is_and_what_was_wanted() {
    for (text, against, phrase) in PHRASES {
        let said = pattern(text).mismatch(&event(against));
        assert_eq!(said.as_deref(), Some(*phrase), "{text} {against}");
    }
}

#[test]
fn long_texts_are_cut() {
    let against = event(&format!(r#"{{"a":"{}"}}"#, "é".repeat(5_000)));
    let said = pattern(r#"{"a":["x"]}"#).mismatch(&against).unwrap_or_default();
    assert_eq!(said, format!("a is {}…, not x", "é".repeat(60)));
}
