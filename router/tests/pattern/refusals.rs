//! Every refusal of spec/sources/event-patterns §1, §3, §4 and §5, with its reason and its place.

use router::pattern::{Limits, Pattern};

/// A field's alternatives, the reason, and what the column points at.
const ALTERNATIVES: &[(&str, &str, &str)] = &[
    ("", "Empty arrays are not allowed", "[]"),
    (
        "[1]",
        "Match value must be String, number, true, false, or null",
        "[1]",
    ),
    ("{}", "Empty objects are not allowed", "{}"),
    (r#"{"like":"x"}"#, "Unrecognized match type like", r#""like"#),
    (r#"{"EXISTS":true}"#, "Unrecognized match type EXISTS", r#""EXI"#),
    (
        r#"{"prefix":"x","suffix":"y"}"#,
        "Only one key allowed in match expression",
        r#""suf"#,
    ),
    (
        r#"{"exists":true,"x":1}"#,
        "Only one key allowed in match expression",
        r#""x"#,
    ),
    (r#"{"exactly":1}"#, "exact match pattern must be a string", "1}"),
    (r#"{"prefix":1}"#, "prefix match pattern must be a string", "1}"),
    (
        r#"{"prefix":["x"]}"#,
        "prefix match pattern must be a string",
        r#"["x"#,
    ),
    (
        r#"{"suffix":null}"#,
        "suffix match pattern must be a string",
        "null",
    ),
    (r#"{"cidr":1}"#, "prefix match pattern must be a string", "1}"),
    (
        r#"{"equals-ignore-case":["x"]}"#,
        "equals-ignore-case match pattern must be a string",
        r#"["x"#,
    ),
    (
        r#"{"prefix":{"equals-ignore-case":1}}"#,
        "equals-ignore-case match pattern must be a string",
        "1}",
    ),
    (
        r#"{"prefix":{"wildcard":"x"}}"#,
        "Unsupported prefix pattern: wildcard",
        r#""wild"#,
    ),
    (
        r#"{"suffix":{"prefix":"x"}}"#,
        "Unsupported suffix pattern: prefix",
        r#""pre"#,
    ),
    (r#"{"suffix":{}}"#, "Empty objects are not allowed", "{}"),
    (
        r#"{"wildcard":1}"#,
        "wildcard match pattern must be a string",
        "1}",
    ),
    (
        r#"{"wildcard":"ab**"}"#,
        "Consecutive wildcard characters at pos 3",
        r#""ab*"#,
    ),
    (
        r#"{"wildcard":"a\\b"}"#,
        "Invalid escape character at pos 2",
        r#""a\\"#,
    ),
    (
        r#"{"wildcard":"*:*:*:*:*:event-bus/*"}"#,
        "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences \
         after a wildcard character",
        "[{",
    ),
    (
        r#"{"anything-but":{"wildcard":["*aaaaaaaaaaaa"]}}"#,
        "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences \
         after a wildcard character",
        "[{",
    ),
    (
        r#"{"exists":"true"}"#,
        "exists match pattern must be either true or false.",
        r#""true"#,
    ),
    (
        r#"{"anything-but":null}"#,
        "Value of anything-but must be an array or single string/number value.",
        "null",
    ),
    (
        r#"{"anything-but":true}"#,
        "Value of anything-but must be an array or single string/number value.",
        "true",
    ),
    (
        r#"{"anything-but":{"prefix":{"equals-ignore-case":"x"}}}"#,
        "Value of anything-but must be an array or single string/number value.",
        r#"{"equ"#,
    ),
    (
        r#"{"anything-but":["x",null]}"#,
        "Inside anything but list, start|null|boolean is not supported.",
        "null",
    ),
    (
        r#"{"anything-but":["x",1]}"#,
        "Inside anything but list, either all values are number or string, mixed type is not supported",
        r#"["x"#,
    ),
    (
        r#"{"anything-but":[]}"#,
        "Inside anything but list, either all values are number or string, mixed type is not supported",
        "[]",
    ),
    (
        r#"{"anything-but":{"equals-ignore-case":["x",1]}}"#,
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
        "1]",
    ),
    (
        r#"{"anything-but":{"equals-ignore-case":1}}"#,
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
        "1}",
    ),
    (
        r#"{"anything-but":{"prefix":1}}"#,
        "prefix/suffix match pattern must be a string",
        "1}",
    ),
    (
        r#"{"anything-but":{"suffix":["x",1]}}"#,
        "prefix/suffix match pattern must be a string",
        "1]",
    ),
    (
        r#"{"anything-but":{"prefix":""}}"#,
        "Null prefix/suffix not allowed",
        r#"""}"#,
    ),
    (
        r#"{"anything-but":{"suffix":["x",""]}}"#,
        "Null prefix/suffix not allowed",
        r#"""]"#,
    ),
    (
        r#"{"anything-but":{"wildcard":1}}"#,
        "wildcard match pattern must be a string",
        "1}",
    ),
    (
        r#"{"anything-but":{"exists":true}}"#,
        "Unsupported anything-but pattern: exists",
        r#""exi"#,
    ),
    (r#"{"anything-but":1e400}"#, "Cannot compare number : 1e400", "1e"),
    (
        r#"{"anything-but":[1,9007199254740993]}"#,
        "Cannot compare number : 9007199254740993",
        "900",
    ),
    (
        r#"{"cidr":"10.0.0.0"}"#,
        "Malformed CIDR, one '/' required",
        r#""10"#,
    ),
    (
        r#"{"cidr":"10.0.0.0/8/8"}"#,
        "Malformed CIDR, one '/' required",
        r#""10"#,
    ),
    (
        r#"{"cidr":"10.0.0.0/x"}"#,
        "Malformed CIDR, mask bits must be an integer",
        r#""10"#,
    ),
    (
        r#"{"cidr":"10.0.0.0/-1"}"#,
        "Malformed CIDR, mask bits must not be negative",
        r#""10"#,
    ),
    (
        r#"{"cidr":"10.0.0.0/32"}"#,
        "IPv4 mask bits must be < 32",
        r#""10"#,
    ),
    (
        r#"{"cidr":"2001:db8::/128"}"#,
        "IPv6 mask bits must be < 128",
        r#""2001"#,
    ),
    (
        r#"{"cidr":"xx.11.xx/8"}"#,
        "Nonstandard IP address: xx.11.xx",
        r#""xx"#,
    ),
    (r#"{"numeric":5}"#, "Value of numeric must be an array.", "5}"),
    (r#"{"numeric":[]}"#, "Invalid member in numeric match: ]", "[]"),
    (r#"{"numeric":[5]}"#, "Invalid member in numeric match: 5", "5]"),
    (
        r#"{"numeric":["!=",5]}"#,
        "Unrecognized numeric range operator: !=",
        r#""!="#,
    ),
    (r#"{"numeric":["="]}"#, "Value of equals must be numeric", r#""="#),
    (
        r#"{"numeric":["=","5"]}"#,
        "Value of equals must be numeric",
        r#""5"#,
    ),
    (r#"{"numeric":["<","5"]}"#, "Value of < must be numeric", r#""5"#),
    (
        r#"{"numeric":[">=",null]}"#,
        "Value of >= must be numeric",
        "null",
    ),
    (
        r#"{"numeric":[">",0,"<"]}"#,
        "Value of < must be numeric",
        r#""<"#,
    ),
    (
        r#"{"numeric":[">",0,"<=","5"]}"#,
        "Value of <= must be numeric",
        r#""5"#,
    ),
    (
        r#"{"numeric":["<",5,">",0]}"#,
        "Too many elements in numeric expression",
        r#"">"#,
    ),
    (
        r#"{"numeric":["=",5,"<",9]}"#,
        "Too many elements in numeric expression",
        r#""<"#,
    ),
    (
        r#"{"numeric":[">",0,"<",5,6]}"#,
        "Too many elements in numeric expression",
        "6]",
    ),
    (
        r#"{"numeric":[">",0,">",5]}"#,
        "Bad numeric range operator: >",
        r#"">",5"#,
    ),
    (r#"{"numeric":[">",0,5]}"#, "Bad value in numeric range: 5", "5]"),
    (
        r#"{"numeric":[">",5,"<",0]}"#,
        "Bottom must be less than top",
        r#""<"#,
    ),
    (
        r#"{"numeric":[">=",5,"<=",5]}"#,
        "Bottom must be less than top",
        r#""<="#,
    ),
    (
        r#"{"numeric":["<",1e400]}"#,
        "Cannot compare number : 1e400",
        "1e",
    ),
];

#[test]
fn every_alternative_is_refused_with_its_reason_at_its_place() {
    for (alternatives, reason, place) in ALTERNATIVES {
        refused(&format!(r#"{{"f":[{alternatives}]}}"#), reason, place);
    }
}

/// A pattern, the reason, and what the column points at.
const PATTERNS: &[(&str, &str, &str)] = &[
    (r#"{"a":"x"}"#, "\"a\" must be an object or an array", r#""x"#),
    (
        r#"{"a":{"b":null}}"#,
        "\"b\" must be an object or an array",
        "null",
    ),
    ("{}", "Empty objects are not allowed", "{}"),
    (r#"{"a":{"b":{}}}"#, "Empty objects are not allowed", "{}"),
    (r#"[{"a":["x"]}]"#, "Filter is not an object", "[{"),
    (r#" "a""#, "Filter is not an object", "\"a"),
    (
        "this is no JSON",
        "Unrecognized token 'this': was expecting (JSON String, Number, Array, Object or token 'null', \
         'true' or 'false')",
        "this",
    ),
    (
        "{'a':1}",
        "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
        "'a",
    ),
    (
        r#"{"$or":{"a":[1]}}"#,
        "It must be an Array followed with $or.",
        r#"{"a"#,
    ),
    (
        r#"{"$or":[{"a":[1]}]}"#,
        "There must have at least 2 Objects in $or relationship.",
        r#"[{"a"#,
    ),
    (
        r#"{"$or":[]}"#,
        "There must have at least 2 Objects in $or relationship.",
        "[]",
    ),
    (
        r#"{"$or":[{"a":[1]},2]}"#,
        "Only JSON object is allowed in array of $or relationship.",
        "2]}",
    ),
    (r#"{"$or":[{"a":[1]},{}]}"#, "Empty objects are not allowed", "{}"),
    (
        r#"{"$or":[{"a":[1]},{"b":{"prefix":["x"]}}]}"#,
        "prefix is Ruler reserved fieldName which cannot be used inside $or.",
        r#""prefix"#,
    ),
];

#[test]
fn every_pattern_is_refused_with_its_reason_at_its_place() {
    for (text, reason, place) in PATTERNS {
        refused(text, reason, place);
    }
    for word in [
        "=",
        ">=",
        "exactly",
        "cidr",
        "regex",
        "in-date-range",
        "ip-address-not-in-range",
    ] {
        let text = format!(r#"{{"$or":[{{"a":[1]}},{{"{word}":[1]}}]}}"#);
        let reason = format!("{word} is Ruler reserved fieldName which cannot be used inside $or.");
        refused(&text, &reason, &format!("\"{word}\""));
    }
}

fn refused(text: &str, reason: &str, place: &str) {
    let Err(error) = Pattern::parse(text) else {
        panic!("{text} was taken");
    };
    assert_eq!(error.reason(), reason, "{text}");
    let column = text.find(place).map(|at| text[..at].chars().count() + 1);
    assert_eq!((error.line(), Some(error.column())), (1, column), "{text}");
}

#[test]
fn places_are_lines_and_columns() {
    let error = Pattern::parse("{\n  \"é\": [\"x\"],\n  \"b\": 7\n}").err();
    let place = error.as_ref().map(|error| (error.line(), error.column()));
    assert_eq!(place, Some((3, 8)));
    assert_eq!(
        error.map(|error| error.to_string()).as_deref(),
        Some("\"b\" must be an object or an array at line 3, column 8")
    );
}

#[test]
fn sizes_have_limits() {
    let reason = |limits, text: &str| {
        let error = Pattern::parse_within(limits, text).err();
        error.map(|error| error.reason().to_owned()).unwrap_or_default()
    };
    let limits = Limits::default();
    let long = |characters: usize| format!(r#"{{"f":["{}"]}}"#, "é".repeat(characters - 10));
    assert_eq!(reason(limits, &long(4_096)), "");
    assert_eq!(
        reason(limits, &long(4_097)),
        "Pattern is longer than 4096 characters"
    );
    let more = Limits {
        characters: 5_000,
        ..limits
    };
    assert_eq!(reason(more, &long(4_097)), "");

    let ors = |count: usize| {
        let ors = vec![r#""$or":[{"a":[1]},{"b":[1]}]"#; count];
        format!("{{{}}}", ors.join(","))
    };
    assert_eq!(reason(limits, &ors(9)), "", "512 combinations");
    assert_eq!(
        reason(limits, &ors(10)),
        "Rule is too complex - its $ors make more than 1000 combinations"
    );

    let deep = |levels: usize| r#"{"a":"#.repeat(levels) + "[1]" + &"}".repeat(levels);
    assert_eq!(reason(limits, &deep(126)), "");
    assert_eq!(
        reason(limits, &deep(127)),
        "Pattern is nested deeper than 128 levels"
    );
    assert!(reason(more, &"[".repeat(5_000)).starts_with("Pattern is nested"));
    let huge = Limits {
        characters: usize::MAX,
        ..limits
    };
    assert!(reason(huge, &r#"{"a":"#.repeat(1_000_000)).starts_with("Pattern is nested"));
}

#[test]
fn a_product_of_many_ors_is_refused_before_it_is_made() {
    let nested = (0..60).fold(r#"{"a":[1]}"#.to_owned(), |inner, _| {
        format!(r#"{{"$or":[{inner},{{"b":[1]}}]}}"#)
    });
    assert!(Pattern::parse(&nested).is_ok(), "61 combinations");
    let many = vec![r#""$or":[{"a":[1]},{"b":[1]},{"c":[1]},{"d":[1]}]"#; 60].join(",");
    assert!(Pattern::parse(&format!("{{{many}}}")).is_err());
}
