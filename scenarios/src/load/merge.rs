//! The scenario over its project: maps by key, and the scenario wins.

use crate::node::{Located, Node, Value};

/// Sections whose entries are merged: name by name, key by key, and one map more (`environment`).
const SECTIONS: &[&str] = &[
    "functions",
    "sources",
    "sinks",
    "vars",
    "fixtures",
    "limits",
    "clock",
];

/// Lays `scenario` over `project`.
pub fn over(project: Node, scenario: Node) -> Node {
    let span = scenario.span;
    let (Value::Map(mut merged), Value::Map(entries)) = (project.value, scenario.value) else {
        return Node {
            span,
            value: Value::Map(Vec::new()),
        };
    };
    for (key, value) in entries {
        let under = merged.iter_mut().find(|(k, _)| k.value == key.value);
        match under {
            Some((_, under)) if key.value == "routes" => *under = routes(under.clone(), value),
            Some((_, under)) if SECTIONS.contains(&key.value.as_str()) => {
                let below = std::mem::replace(
                    under,
                    Node {
                        span,
                        value: Value::Null,
                    },
                );
                *under = maps(below, value, 3, &key.value);
            }
            Some(entry) => *entry = (key, value),
            None => merged.push((key, value)),
        }
    }
    // The scenario's own keys first: an error without a better place shows its first line.
    merged.sort_by_key(|(key, _)| key.span);
    Node {
        span,
        value: Value::Map(merged),
    }
}

fn maps(below: Node, above: Node, depth: usize, section: &str) -> Node {
    let (Value::Map(mut entries), Value::Map(_)) = (below.value, &above.value) else {
        return above;
    };
    if depth == 0 || other_kind(&entries, &above) {
        return above;
    }
    let span = above.span;
    let Value::Map(upper) = above.value else {
        return Node {
            span,
            value: Value::Map(entries),
        };
    };
    if section == "functions" && depth == 2 {
        // A function runs a runtime or a command: saying one takes the other back.
        for (said, taken) in [("command", "runtime"), ("runtime", "command")] {
            if upper.iter().any(|(key, _)| key.value == said) {
                entries.retain(|(key, _)| key.value != taken);
            }
        }
    }
    for (key, value) in upper {
        match entries.iter_mut().find(|(k, _)| k.value == key.value) {
            Some(entry) => {
                let below = std::mem::replace(
                    &mut entry.1,
                    Node {
                        span,
                        value: Value::Null,
                    },
                );
                *entry = (key, maps(below, value, depth - 1, section));
            }
            None => entries.push((key, value)),
        }
    }
    Node {
        span,
        value: Value::Map(entries),
    }
}

/// A source of another kind replaces the one below.
fn other_kind(below: &[(Located<String>, Node)], above: &Node) -> bool {
    let under = below
        .iter()
        .find(|(key, _)| key.value == "kind")
        .and_then(|(_, kind)| kind.as_str());
    matches!((under, above.get("kind").and_then(Node::as_str)), (Some(a), Some(b)) if a != b)
}

/// A route with the same ends replaces all of the project's with these ends; others are added.
fn routes(below: Node, above: Node) -> Node {
    let (Value::List(mut routes), Value::List(_)) = (below.value, &above.value) else {
        return above;
    };
    let span = above.span;
    let Value::List(upper) = above.value else {
        return Node {
            span,
            value: Value::List(routes),
        };
    };
    let ends = |route: &Node| {
        let end = |key| route.get(key).and_then(Node::as_str).map(str::to_owned);
        (end("from"), end("to"))
    };
    routes.retain(|route| !upper.iter().any(|over| ends(over) == ends(route)));
    routes.extend(upper);
    Node {
        span,
        value: Value::List(routes),
    }
}
