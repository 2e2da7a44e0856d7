//! Every row of spec/sources/event-patterns §3, both ways, and the shapes of §1, §2 and §4.

use super::{event, pattern};

/// An alternative, values that it takes, and values that it does not.
const ALTERNATIVES: &[(&str, &[&str], &[&str])] = &[
    (
        r#""text""#,
        &[r#""text""#, r#"["a","text"]"#, r#"[["text"]]"#],
        &[
            r#""Text""#,
            r#""text ""#,
            r#""""#,
            "1",
            "null",
            "[]",
            "{}",
            r#"{"text":"text"}"#,
        ],
    ),
    (r#""300""#, &[r#""300""#], &["300", r#""300.0""#]),
    (r#""é""#, &[r#""\u00e9""#], &[r#""e\u0301""#]),
    (
        r#""10.0.0.1""#,
        &[r#""10.0.0.1""#, r#""10.0.0.01""#, r#""010.000.0.1""#],
        &[r#""10.0.0.2""#, r#""::a00:1""#, r#""10.0.0.1 ""#],
    ),
    (
        r#""2001:db8::1""#,
        &[r#""2001:0db8:0:0:0:0:0:1""#, r#""2001:DB8::1""#],
        &[r#""2001:db8::2""#, r#""2001:db8::1%eth0""#],
    ),
    (
        "300",
        &["300", "300.0", "3.0e2", "[1,300]"],
        &["301", r#""300""#, "null", "true", "[]"],
    ),
    (
        "0",
        &["0", "-0", "-0.0", "0e5"],
        &["1e-9", "false", "null", r#""""#],
    ),
    (
        "9007199254740993",
        &["9007199254740993"],
        &["9007199254740992", "9007199254740994"],
    ),
    (
        "true",
        &["true", "[false,true]"],
        &["false", r#""true""#, "1", "null"],
    ),
    ("false", &["false"], &["true", r#""false""#, "0", "null"]),
    (
        "null",
        &["null", "[1,null]"],
        &[r#""null""#, r#""""#, "0", "false", "[]", "{}"],
    ),
    (r#""""#, &[r#""""#], &["null", r#"" ""#, "[]"]),
    (
        r#"{"exactly":"10.0.0.1"}"#,
        &[r#""10.0.0.1""#],
        &[r#""10.0.0.01""#, "10"],
    ),
    (
        r#"{"prefix":"ab"}"#,
        &[r#""ab""#, r#""abc""#, r#"["x","abc"]"#],
        &[r#""xab""#, r#""Abc""#, r#""a""#, "1", "null"],
    ),
    (
        r#"{"prefix":""}"#,
        &[r#""""#, r#""x""#],
        &["1", "null", "true", "[]"],
    ),
    (
        r#"{"suffix":"yz"}"#,
        &[r#""yz""#, r#""xyz""#],
        &[r#""yzx""#, r#""xYZ""#, r#""z""#, "1"],
    ),
    (r#"{"suffix":""}"#, &[r#""""#, r#""x""#], &["1", "null"]),
    (
        r#"{"prefix":{"equals-ignore-case":"ÉA"}}"#,
        &[r#""éab""#, r#""Éa""#],
        &[r#""eab""#, r#""é""#, "1"],
    ),
    (
        r#"{"suffix":{"equals-ignore-case":".PNG"}}"#,
        &[r#""a.png""#, r#"".pNg""#],
        &[r#""a.jpg""#, r#""png""#, "1"],
    ),
    (
        r#"{"equals-ignore-case":"É1b"}"#,
        &[r#""É1b""#, r#""é1B""#],
        &[r#""e1b""#, r#""é1bx""#, r#""""#, "1"],
    ),
    (
        r#"{"equals-ignore-case":"ß"}"#,
        &[r#""ß""#],
        &[r#""SS""#, r#""ss""#],
    ),
    (r#"{"equals-ignore-case":"SS"}"#, &[r#""ss""#], &[r#""ß""#]),
    (r#"{"equals-ignore-case":"k"}"#, &[r#""K""#], &[r#""\u212a""#]),
    (r#"{"equals-ignore-case":"I"}"#, &[r#""i""#], &[r#""ı""#]),
    (r#"{"equals-ignore-case":"σ"}"#, &[r#""Σ""#], &[r#""ς""#]),
    (
        r#"{"wildcard":"a*c"}"#,
        &[r#""ac""#, r#""abc""#, r#""a/b/c""#, r#""acc""#, r#""a*c""#],
        &[r#""abcd""#, r#""xac""#, r#""AC""#, "1", "null"],
    ),
    (r#"{"wildcard":"*"}"#, &[r#""""#, r#""x""#], &["1", "null"]),
    (r#"{"wildcard":"a?c"}"#, &[r#""a?c""#], &[r#""abc""#]),
    (
        r#"{"wildcard":"a\\*\\\\"}"#,
        &[r#""a*\\""#],
        &[r#""ax\\""#, r#""a*""#],
    ),
    (r#"{"wildcard":""}"#, &[r#""""#], &[r#""x""#]),
    (
        r#"{"numeric":["=",3.018e2]}"#,
        &["301.8", "3018e-1"],
        &["301.9", r#""301.8""#, "null"],
    ),
    (
        r#"{"numeric":["<",10]}"#,
        &["9.999", "-1e300"],
        &["10", "11", r#""9""#, "null", "[]"],
    ),
    (r#"{"numeric":["<=",10]}"#, &["10", "10.0"], &["10.000001"]),
    (r#"{"numeric":[">",-5]}"#, &["-4.9", "0"], &["-5", "-6"]),
    (
        r#"{"numeric":[">=",-5]}"#,
        &["-5", "1e3", "[\"x\",7]"],
        &["-5.1", "true"],
    ),
    (
        r#"{"numeric":[">",0,"<=",5]}"#,
        &["0.1", "5"],
        &["0", "5.1", "-1"],
    ),
    (
        r#"{"numeric":[">=",0,"<",5]}"#,
        &["0", "-0", "4.9"],
        &["5", "-0.1"],
    ),
    (
        r#"{"numeric":[">",0]}"#,
        &["9007199254740992", "9007199254740994"],
        &["9007199254740993"],
    ),
    (
        r#"{"cidr":"10.0.0.7/8"}"#,
        &[r#""10.255.255.255""#, r#""10.0.0.0""#, r#""010.1.1.1""#],
        &[
            r#""11.0.0.0""#,
            r#""::a00:1""#,
            r#""10.0.0.256""#,
            r#""10.0.0""#,
            "10",
            r#""x""#,
        ],
    ),
    (
        r#"{"cidr":"2001:db8:1234:1a00::/64"}"#,
        &[r#""2001:0db8:1234:1a00:ffff::""#],
        &[r#""2001:db8:123f:1a01::""#, r#""10.0.0.1""#],
    ),
    (
        r#"{"exists":true}"#,
        &["1", "null", r#""""#, "false", "[1]", "[[null]]"],
        &["[]", "{}", r#"{"x":1}"#, r#"[{"x":1}]"#, "[[]]"],
    ),
    (
        r#"{"exists":false}"#,
        &["[]", "{}", r#"{"x":1}"#, r#"[{"x":1}]"#, "[[]]"],
        &["1", "null", r#""""#, "[1]"],
    ),
    (
        r#"{"anything-but":"x"}"#,
        &[r#""y""#, r#""X""#, "1", "null", "true", r#"["x","y"]"#],
        &[r#""x""#, r#"["x","x"]"#, "[]", "{}"],
    ),
    (
        r#"{"anything-but":0}"#,
        &["1", r#""0""#, "null", "false", "[0,1]"],
        &["0", "-0.0", "0e3", "[]"],
    ),
    (
        r#"{"anything-but":["x","y"]}"#,
        &[r#""z""#, "7", "null"],
        &[r#""x""#, r#""y""#, r#"["x","y"]"#],
    ),
    (
        r#"{"anything-but":[100,200]}"#,
        &["300", r#""100""#, "9007199254740993"],
        &["100", "2e2"],
    ),
    (
        r#"{"anything-but":{"prefix":"in"}}"#,
        &[r#""xin""#, "1", "null", "true"],
        &[r#""in""#, r#""init""#],
    ),
    (
        r#"{"anything-but":{"prefix":["in","on"]}}"#,
        &[r#""x""#],
        &[r#""in""#, r#""only""#],
    ),
    (
        r#"{"anything-but":{"suffix":[".txt",".jpg"]}}"#,
        &[r#""a.png""#, "1"],
        &[r#""a.txt""#, r#""a.jpg""#],
    ),
    (
        r#"{"anything-but":{"equals-ignore-case":["ab","cd"]}}"#,
        &[r#""a""#, "1", "null"],
        &[r#""AB""#, r#""cD""#],
    ),
    (
        r#"{"anything-but":{"wildcard":"*/init/*"}}"#,
        &[r#""init""#, "1"],
        &[r#""a/init/b""#, r#""/init/""#],
    ),
    (
        r#"{"anything-but":{"wildcard":["a*","*b"]}}"#,
        &[r#""c""#],
        &[r#""a""#, r#""xb""#],
    ),
    (
        r#""x",{"exists":false}"#,
        &[r#""x""#, "[]", "{}"],
        &[r#""y""#, "null"],
    ),
    (r#"1,"a",null"#, &["1", r#""a""#, "null"], &["2", r#""b""#]),
];

#[test]
fn every_alternative_takes_and_refuses() {
    for (alternative, takes, refuses) in ALTERNATIVES {
        let pattern = pattern(&format!(r#"{{"f":[{alternative}]}}"#));
        let rows = takes
            .iter()
            .map(|v| (v, true))
            .chain(refuses.iter().map(|v| (v, false)));
        for (value, expected) in rows {
            let event = event(&format!(r#"{{"f":{value},"other":1}}"#));
            assert_eq!(pattern.matches(&event), expected, "{alternative} {value}");
            assert_eq!(
                pattern.mismatch(&event).is_none(),
                expected,
                "{alternative} {value}"
            );
        }
        let absent = alternative.contains(r#""exists":false"#);
        for missing in ["{}", r#"{"F":"x"}"#, r#"{"g":{"f":1}}"#] {
            assert_eq!(
                pattern.matches(&event(missing)),
                absent,
                "{alternative} {missing}"
            );
        }
    }
}

/// Pattern, event, and whether they match.
const SHAPES: &[(&str, &str, bool)] = &[
    // Keys combine with AND, alternatives with OR, others are ignored.
    (r#"{"a":["x"],"b":[1,2]}"#, r#"{"a":"x","b":2,"c":0}"#, true),
    (r#"{"a":["x"],"b":[1,2]}"#, r#"{"a":"x","b":3}"#, false),
    (r#"{"a":["x"],"b":[1,2]}"#, r#"{"a":"x"}"#, false),
    (r#"{"a":{"b":["x"]}}"#, r#"{"a":"x","b":"x"}"#, false),
    (r#"{"a":["x"]}"#, r#"["x"]"#, false),
    (r#"{"a":[{"exists":false}]}"#, "[]", false),
    // The last of equal keys counts, path by path.
    (r#"{"a":["x"],"a":["y"]}"#, r#"{"a":"y"}"#, true),
    (r#"{"a":["x"],"a":["y"]}"#, r#"{"a":"x"}"#, false),
    (r#"{"a":{"b":["x"]},"a.b":["y"]}"#, r#"{"a":{"b":"y"}}"#, true),
    // Dots are steps on both sides.
    (r#"{"a.b":["x"]}"#, r#"{"a":{"b":"x"}}"#, true),
    (r#"{"a":{"b":["x"]}}"#, r#"{"a.b":"x"}"#, true),
    (r#"{"a.b":{"c":["x"]}}"#, r#"{"a":{"b.c":"x"}}"#, true),
    (r#"{"a":{"b.b":["x"]}}"#, r#"{"a":{"b":"x"}}"#, false),
    (r#"{"":["x"]}"#, r#"{"":"x"}"#, true),
    (r#"{"a":{"":["x"]}}"#, r#"{"a":{"":"x"}}"#, true),
    // A document in a string is a string.
    (r#"{"a":{"b":["x"]}}"#, r#"{"a":"{\"b\":\"x\"}"}"#, false),
    // exists:false without a parent, and with a scalar one.
    (r#"{"a":{"b":[{"exists":false}]}}"#, "{}", true),
    (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":1}"#, true),
    (
        r#"{"a":{"b":[{"exists":false}]}}"#,
        r#"{"a":{"b":{"c":1}}}"#,
        true,
    ),
    (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":{"b":null}}"#, false),
    // Conditions through one array are met in one element.
    (
        r#"{"e":{"f":["Anna"],"l":["Jones"]}}"#,
        r#"{"e":[{"f":"Anna","l":"Smith"},{"f":"Peter","l":"Jones"}]}"#,
        false,
    ),
    (
        r#"{"e":{"f":["Anna"],"l":["Jones"]}}"#,
        r#"{"e":[{"f":"Anna","l":"Smith"},{"f":"Anna","l":"Jones"}]}"#,
        true,
    ),
    (
        r#"{"e":{"f":[1],"n":{"x":[1],"y":[2]}}}"#,
        r#"{"e":[{"f":1,"n":[{"x":1},{"y":2}]},{"f":2,"n":[{"x":1,"y":2}]}]}"#,
        false,
    ),
    (
        r#"{"e":{"f":[1],"n":{"x":[1],"y":[2]}}}"#,
        r#"{"e":[{"f":2},{"f":1,"n":[{"x":1},{"x":1,"y":2}]}]}"#,
        true,
    ),
    (
        r#"{"p":{"a":[1],"b":[1]}}"#,
        r#"{"p":[[{"a":1}],[{"b":1}]]}"#,
        false,
    ),
    (
        r#"{"p":{"a":[1],"b":[1]}}"#,
        r#"{"p":[[{"a":1}],[{"b":2},{"b":1,"a":1}]]}"#,
        true,
    ),
    // Through different arrays they are independent.
    (
        r#"{"p":{"a":[1]},"q":{"a":[1]}}"#,
        r#"{"p":[{"a":1},{"a":2}],"q":[{"a":2},{"a":1}]}"#,
        true,
    ),
    (
        r#"{"e":{"p":{"a":[1]},"q":{"a":[1]}}}"#,
        r#"{"e":[{"p":[{"a":1}]},{"q":[{"a":1}]}]}"#,
        false,
    ),
    // A scalar of an array is in no element.
    (r#"{"a":[1],"a.b":[2]}"#, r#"{"a":[1,{"b":2}]}"#, true),
    // exists:false is about the elements chosen so far.
    (
        r#"{"p":{"a":[{"exists":false}]}}"#,
        r#"{"p":[{"a":1},{"b":1}]}"#,
        false,
    ),
    (
        r#"{"p":{"a":[{"exists":false}]}}"#,
        r#"{"p":[{"b":1},{"c":1}]}"#,
        true,
    ),
    (
        r#"{"p":{"a":[1],"b":[{"exists":false}]}}"#,
        r#"{"p":[{"a":1},{"b":1}]}"#,
        true,
    ),
    (
        r#"{"p":{"a":[1],"b":[{"exists":false}]}}"#,
        r#"{"p":[{"a":1,"b":1},{"c":1}]}"#,
        false,
    ),
    (
        r#"{"p":{"a":[1],"b":[{"exists":false}]}}"#,
        r#"{"p":[{"a":1,"b":1},{"a":1}]}"#,
        true,
    ),
    (
        r#"{"p":{"a":[1],"b":[{"exists":false}]},"q":{"c":[{"exists":false}]}}"#,
        r#"{"p":[{"a":1}],"q":[{"c":1}]}"#,
        false,
    ),
    // $or: over its branches, beside its siblings, at any level, several and nested.
    (
        r#"{"$or":[{"a":[1]},{"b":[2]}],"c":[3]}"#,
        r#"{"b":2,"c":3}"#,
        true,
    ),
    (
        r#"{"$or":[{"a":[1]},{"b":[2]}],"c":[3]}"#,
        r#"{"a":1,"b":2}"#,
        false,
    ),
    (r#"{"c":{"$or":[{"a":[1]},{"b":[2]}]}}"#, r#"{"c":{"a":1}}"#, true),
    (
        r#"{"c":{"$or":[{"a":[1]},{"b":[2]}]}}"#,
        r#"{"a":1,"b":2}"#,
        false,
    ),
    (
        r#"{"$or":[{"a":[1]},{"$or":[{"b":[2]},{"c":[3]}]}]}"#,
        r#"{"c":3}"#,
        true,
    ),
    (
        r#"{"$or":[{"a":[1]},{"$or":[{"b":[2]},{"c":[3]}]}]}"#,
        r#"{"c":4}"#,
        false,
    ),
    (
        r#"{"$or":[{"a":[1]},{"b":[2]}],"$or":[{"c":[3]},{"d":[4]}]}"#,
        r#"{"a":1,"d":4}"#,
        true,
    ),
    (
        r#"{"$or":[{"a":[1]},{"b":[2]}],"$or":[{"c":[3]},{"d":[4]}]}"#,
        r#"{"a":1,"b":2}"#,
        false,
    ),
    (
        r#"{"$or":[{"a":[1],"b":[2]},{"c":[{"exists":false}]}]}"#,
        r#"{"a":1,"c":1}"#,
        false,
    ),
    (
        r#"{"$or":[{"a":[1],"b":[2]},{"c":[{"exists":false}]}]}"#,
        r#"{"a":1}"#,
        true,
    ),
    // A branch replaces the condition that stands before it under the same key.
    (r#"{"a":[1],"$or":[{"a":[2]},{"b":[3]}]}"#, r#"{"a":2}"#, true),
    (
        r#"{"a":[1],"$or":[{"a":[2]},{"b":[3]}]}"#,
        r#"{"a":1,"b":3}"#,
        true,
    ),
    (r#"{"a":[1],"$or":[{"a":[2]},{"b":[3]}]}"#, r#"{"a":1}"#, false),
    // Outside of an $or, names of operators are names.
    (
        r#"{"prefix":["x"],"numeric":{"=":[1]}}"#,
        r#"{"prefix":"x","numeric":{"=":1}}"#,
        true,
    ),
    // DynamoDB: types are keys, and numbers are strings.
    (
        r#"{"eventName":["INSERT"],"dynamodb":{"NewImage":{"k":{"S":["v"]}}}}"#,
        r#"{"eventName":"INSERT","dynamodb":{"NewImage":{"k":{"S":"v"}}}}"#,
        true,
    ),
    (
        r#"{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":[">",1]}]}}}}"#,
        r#"{"dynamodb":{"NewImage":{"n":{"N":"5"}}}}"#,
        false,
    ),
    (
        r#"{"dynamodb":{"ApproximateCreationDateTime":[{"numeric":[">",1]}]}}"#,
        r#"{"dynamodb":{"ApproximateCreationDateTime":1700000000.0}}"#,
        true,
    ),
];

#[test]
fn every_shape_matches_or_not() {
    for (text, against, expected) in SHAPES {
        let (pattern, event) = (pattern(text), event(against));
        assert_eq!(pattern.matches(&event), *expected, "{text} {against}");
        assert_eq!(pattern.mismatch(&event).is_none(), *expected, "{text} {against}");
    }
}

#[test]
fn a_pattern_tells_what_it_asks_for() {
    let pattern = pattern(r#"{"body":["text"],"data":{"x":[1]},"$or":[{"n.m":[1]},{"o":[2]}]}"#);
    assert!(pattern.asks_for("body") && !pattern.asks_inside("body"));
    assert!(pattern.asks_inside("data") && !pattern.asks_for("data"));
    assert!(pattern.asks_inside("n") && pattern.asks_for("o") && !pattern.asks_for("dat"));
}
