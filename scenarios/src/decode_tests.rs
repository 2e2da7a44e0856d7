#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer {
    name: Located<String>,
    list: Vec<Located<u32>>,
    maybe: Option<Located<bool>>,
    map: BTreeMap<String, Located<Inner>>,
    keyed: BTreeMap<Key2, Node>,
    pick: Pick,
    raw: Node,
}

type Key2 = String;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    memory: Option<u16>,
    handler: Located<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Pick {
    Plain,
    New(Located<String>),
    Struct { a: Located<u8> },
}

const TEXT: &str = "\
name: é
list: [1, 22]
maybe: true
map: { x: { handler: h } }
keyed: { k: 1 }
pick: { new: v }
raw: { a: [b, {c: 1}] }
";

fn part(span: Span) -> &'static str {
    &TEXT[span.start as usize..span.end as usize]
}

#[test]
fn places_survive_in_every_position() {
    let outer: Outer = decode(&crate::yaml::parse(0, TEXT).unwrap()).unwrap();
    assert_eq!(part(outer.name.span), "é");
    assert_eq!(part(outer.list[1].span), "22");
    assert_eq!(part(outer.maybe.unwrap().span), "true");
    assert_eq!(part(outer.map["x"].span), "{ handler: h }");
    assert_eq!(part(outer.map["x"].value.handler.span), "h");
    assert_eq!(outer.map["x"].value.memory, None);
    assert_eq!(part(outer.keyed["k"].span), "1");
    let Pick::New(new) = outer.pick else { panic!() };
    assert_eq!(part(new.span), "v");
    let Some(Node {
        value: Value::List(items),
        ..
    }) = outer.raw.get("a")
    else {
        panic!()
    };
    assert_eq!(part(items[1].span), "{c: 1}");
    let Value::Map(entries) = &items[1].value else {
        panic!()
    };
    assert_eq!(part(entries[0].0.span), "c");
}

#[test]
fn a_node_is_itself() {
    let node = crate::yaml::parse(0, TEXT).unwrap();
    assert_eq!(decode::<Node>(&node).unwrap(), node);
    let json: Node = serde_json::from_str(r#"{"a": [1, -2, 1.5, null, "x", true]}"#).unwrap();
    assert_eq!(json.to_json().to_string(), r#"{"a":[1,-2,1.5,null,"x",true]}"#);
}

fn fails<T: DeserializeOwned + fmt::Debug>(text: &str) -> (String, String, String) {
    let d = decode::<T>(&crate::yaml::parse(0, text).unwrap()).unwrap_err();
    let span = d.at.unwrap().0;
    (
        d.what,
        text[span.start as usize..span.end as usize].to_owned(),
        d.help.unwrap_or_default(),
    )
}

#[test]
fn errors_stand_at_the_key_or_value_at_fault() {
    let (what, place, help) = fails::<Inner>("handlr: x");
    assert_eq!((&*what, &*place), ("unknown key `handlr`", "handlr"));
    assert_eq!(
        help,
        "did you mean `handler`? the keys here are `handler`, `memory`"
    );
    let (what, place, _) = fails::<BTreeMap<String, Inner>>("a: { memory: 1 }");
    assert_eq!(
        (&*what, &*place),
        ("the key `handler` is missing", "{ memory: 1 }")
    );
    let (what, place, help) = fails::<Inner>("handler: 5");
    assert_eq!((&*what, &*place), ("expected a string, found the number 5", "5"));
    assert_eq!(help, "put it in quotes to make it a string");
    let (what, place, _) = fails::<Vec<Inner>>("- handler: [x]");
    assert_eq!((&*what, &*place), ("expected a string, found a list", "[x]"));
    let (what, place, _) = fails::<Inner>("{ handler: x, memory: 70000 }");
    assert_eq!(
        (&*what, &*place),
        (
            "expected a whole number from 0 up, found the number 70000",
            "70000"
        )
    );
    let (what, place, help) = fails::<Vec<Pick>>("[plan]");
    assert_eq!(
        (&*what, &*place),
        ("`plan` is not one of the values here", "plan")
    );
    assert!(help.starts_with("did you mean `plain`?"), "{help}");
    let (what, place, _) = fails::<Vec<Pick>>("[{ struct: { a: x } }]");
    assert_eq!(
        (&*what, &*place),
        ("expected a whole number from 0 up, found the string `x`", "x")
    );
    let (what, place, _) = fails::<Vec<Pick>>("[new]");
    assert_eq!(
        (&*what, &*place),
        ("this word needs a value: write it as `word: value`", "new")
    );
    let (what, _, _) = fails::<Inner>("[1]");
    assert_eq!(what, "expected a map, found a list");
    let (what, _, help) = fails::<Vec<String>>("{ $contains: x }");
    assert_eq!(what, "expected a list, found a map");
    assert!(help.starts_with("write it as a list"), "{help}");
}

#[test]
fn nearest_finds_what_was_meant_and_nothing_else() {
    let known = ["handler", "runtime", "code", "to"];
    assert_eq!(nearest("hanlder", known), Some("handler"));
    assert_eq!(nearest("Runtime", known), Some("runtime"));
    assert_eq!(nearest("codes", known), Some("code"));
    assert_eq!(nearest("memory", known), None);
    assert_eq!(nearest("x", known), None);
    assert_eq!(nearest("", known), None);
}
