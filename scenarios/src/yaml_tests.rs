#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use serde_json::json;

fn ok(text: &str) -> Node {
    parse(0, text).unwrap_or_else(|d| panic!("{text:?}: {d:?}"))
}

fn err(text: &str) -> Diagnostic {
    parse(0, text).unwrap_err()
}

/// The texts of all values and keys by their spans.
fn slices<'a>(node: &Node, text: &'a str, out: &mut Vec<&'a str>) {
    out.push(&text[node.span.start as usize..node.span.end as usize]);
    match &node.value {
        Value::List(items) => items.iter().for_each(|n| slices(n, text, out)),
        Value::Map(entries) => {
            for (k, v) in entries {
                out.push(&text[k.span.start as usize..k.span.end as usize]);
                slices(v, text, out);
            }
        }
        _ => {}
    }
}

#[test]
fn scalars_follow_the_core_schema() {
    let text = "[yes, no, on, true, False, ~, null, 1, -2, +3, 0o17, 0xff, 1.5, .5, 1e3, 1_000, .info, '1', 2026-01-01, 08, +0s, 3m]";
    let expected = json!([
        "yes",
        "no",
        "on",
        true,
        false,
        null,
        null,
        1,
        -2,
        3,
        15,
        255,
        1.5,
        0.5,
        1000.0,
        "1_000",
        ".info",
        "1",
        "2026-01-01",
        8,
        "+0s",
        "3m"
    ]);
    assert_eq!(ok(text).to_json(), expected);
    for text in [".nan", ".NaN", ".inf", "-.INF", "+.Inf"] {
        assert!(
            err(&format!("a: {text}")).what.contains("JSON has no number"),
            "{text}"
        );
    }
    assert_eq!(
        err("a: 123456789012345678901234567890").help.unwrap(),
        "put it in quotes if it is a text, such as an id"
    );
}

#[test]
fn spans_are_bytes_even_after_other_letters() {
    let text = "\u{feff}é: [ü, \"ß\"] # ö\nö:\n  - ä: 'x'  # c\n  - {q: 1 }\r\nz: y\n";
    let mut found = Vec::new();
    slices(&ok(text), text, &mut found);
    let tail = "ö:\n  - ä: 'x'  # c\n  - {q: 1 }\r\nz: y";
    assert_eq!(found[0], &text[3..text.len() - 1]);
    assert!(found[0].ends_with(tail));
    assert_eq!(
        &found[1..],
        [
            "é",
            "[ü, \"ß\"]",
            "ü",
            "\"ß\"",
            "ö",
            "- ä: 'x'  # c\n  - {q: 1 }",
            "ä: 'x'",
            "ä",
            "'x'",
            "{q: 1 }",
            "q",
            "1",
            "z",
            "y"
        ]
    );
}

#[test]
fn empty_documents_are_empty_maps() {
    for text in ["", "\n", "# nothing\n", "---\n"] {
        assert_eq!(ok(text).value, Value::Map(vec![]), "{text:?}");
    }
}

#[test]
fn a_repeated_key_shows_both_places() {
    let d = err("a: 1\nb: 2\na: 3\n");
    assert_eq!(d.what, "the key `a` is there twice");
    assert_eq!(
        d.at.unwrap().0,
        Span {
            file: 0,
            start: 10,
            end: 11
        }
    );
    assert_eq!(
        d.also[0].0,
        Span {
            file: 0,
            start: 0,
            end: 1
        }
    );
}

#[test]
fn aliases_unfold_within_a_budget() {
    assert_eq!(
        ok("a: &x [1, 2]\nb: *x\n").to_json(),
        json!({"a": [1, 2], "b": [1, 2]})
    );
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    assert!(err(&bomb).what.contains("too much"));
    assert!(err("a: &x [*x]").what.contains("own anchor"));
    assert!(err("a: *x").what.contains("no anchor"));
}

#[test]
fn what_is_refused_says_why() {
    for (text, what, place) in [
        ("a: !!str 1", "YAML tags such as `!!str`", 9),
        ("a: !x 1", "YAML tags such as `!x`", 6),
        ("a: 1\n---\nb: 2", "one YAML document", 5),
        ("<<: {}", "merge keys", 0),
        ("? [x]\n: 1", "cannot be a key", 2),
        ("a:\n\tb: 1\n", "tabs cannot indent YAML", 3),
        ("a:\n  b: 1\n\tc: 2\n", "tabs cannot indent YAML", 10),
        ("a: b: c", "a `key: value` cannot start here", 4),
        ("a: \"x", "a quoted text does not end", 3),
        ("a: @x", "unexpected character", 3),
        ("a: [1, 2", "flow sequence", 8),
        ("- a\nb: 1", "block collection", 4),
    ] {
        let d = err(text);
        assert!(d.what.contains(what), "{text:?}: {}", d.what);
        assert!(d.help.is_some(), "{text:?}");
        assert_eq!(d.at.unwrap().0.start, place, "{text:?}");
    }
    assert!(err(&"[".repeat(65)).what.contains("deeper than 64"));
    assert!(parse(0, &format!("{}{}", "[".repeat(64), "]".repeat(64))).is_ok());
    assert!(err(&"x".repeat(MAX_BYTES + 1)).what.contains("bytes"));
}

#[test]
fn no_input_makes_it_panic() {
    let pieces = [
        "a",
        "é",
        "\u{feff}",
        ": ",
        ":",
        "\n",
        "\r\n",
        "\r",
        "  ",
        "\t",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"",
        "'",
        "|",
        ">",
        "&x ",
        "*x",
        "!t ",
        "!!",
        "%",
        "@",
        "#",
        "? ",
        "---\n",
        "...\n",
        "\\",
        "1",
        "~",
        "<<",
        "\0",
        "😀",
        "\u{85}",
        "\u{2028}",
        "%YAML 1.2\n",
        "|2-\n",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    for _ in 0..30_000 {
        let text: String = (0..next() % 24).map(|_| pieces[next() % pieces.len()]).collect();
        match parse(0, &text) {
            Ok(node) => slices(&node, &text, &mut Vec::new()),
            Err(d) => {
                let span = d.at.unwrap().0;
                assert!(
                    text.get(span.start as usize..span.end as usize).is_some(),
                    "{text:?}"
                );
            }
        }
    }
}
