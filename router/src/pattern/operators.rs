//! Reads one alternative of a field: a plain value or an object with an operator.
//!
//! Reasons are those of spec/sources/event-patterns §3 and §5. A mistake in an operator's value is told
//! before a second key beside it, as AWS does.

use super::address::Network;
use super::condition::{Condition, Form};
use super::error::Refusal;
use super::json::{Key, Node, Value};
use super::number::{self, Bound, Range};
use super::text::Wildcard;

const ONE_KEY: &str = "Only one key allowed in match expression";
const MIXED: &str =
    "Inside anything but list, either all values are number or string, mixed type is not supported";

/// Reads an element of a field's array.
pub(super) fn condition(node: Node) -> Result<Condition, Refusal> {
    let at = node.at;
    match node.value {
        Value::Text(text) => Ok(Condition::plain(text)),
        Value::Number(text) => Ok(Condition::number(text)),
        Value::Bool(value) => Ok(Condition::Bool(value)),
        Value::Null => Ok(Condition::Null),
        Value::Object(members) => {
            let (key, value, second) = only_member(at, members)?;
            let condition = expression(key, value)?;
            refuse_second(second)?;
            Ok(condition)
        }
        Value::Array(_) => Err(Refusal::new(
            at,
            "Match value must be String, number, true, false, or null",
        )),
    }
}

/// The first member, and where a second one starts.
fn only_member(at: usize, members: Vec<(Key, Node)>) -> Result<(Key, Node, Option<usize>), Refusal> {
    let mut members = members.into_iter();
    let Some((key, value)) = members.next() else {
        return Err(Refusal::new(at, "Empty objects are not allowed"));
    };
    Ok((key, value, members.next().map(|(key, _)| key.at)))
}

fn refuse_second(second: Option<usize>) -> Result<(), Refusal> {
    second.map_or(Ok(()), |at| Err(Refusal::new(at, ONE_KEY)))
}

fn expression(key: Key, node: Node) -> Result<Condition, Refusal> {
    match key.text.as_str() {
        "exactly" => text_of(node, "exact match pattern must be a string").map(Condition::Text),
        "prefix" => affix(node, "prefix", Form::Prefix, Form::PrefixIgnoringCase),
        "suffix" => affix(node, "suffix", Form::Suffix, Form::SuffixIgnoringCase),
        "equals-ignore-case" => {
            let text = text_of(node, "equals-ignore-case match pattern must be a string")?;
            Ok(Condition::Form(Form::IgnoringCase(text)))
        }
        "wildcard" => wildcard(node).map(Condition::Form),
        "numeric" => numeric(node).map(Condition::Numeric),
        "cidr" => {
            let at = node.at;
            let text = text_of(node, "prefix match pattern must be a string")?;
            let network = Network::parse(&text).map_err(|reason| Refusal::new(at, reason))?;
            Ok(Condition::Cidr(text, network))
        }
        "exists" => match node.value {
            Value::Bool(true) => Ok(Condition::Present),
            Value::Bool(false) => Ok(Condition::Absent),
            _ => Err(Refusal::new(
                node.at,
                "exists match pattern must be either true or false.",
            )),
        },
        "anything-but" => anything_but(node),
        other => Err(Refusal::new(key.at, format!("Unrecognized match type {other}"))),
    }
}

fn text_of(node: Node, reason: &str) -> Result<String, Refusal> {
    match node.value {
        Value::Text(text) => Ok(text),
        _ => Err(Refusal::new(node.at, reason)),
    }
}

fn wildcard(node: Node) -> Result<Form, Refusal> {
    let at = node.at;
    let text = text_of(node, "wildcard match pattern must be a string")?;
    let wildcard = Wildcard::parse(&text).map_err(|reason| Refusal::new(at, reason))?;
    Ok(Form::Wildcard(wildcard))
}

fn affix(
    node: Node,
    name: &str,
    plain: fn(String) -> Form,
    ignoring_case: fn(String) -> Form,
) -> Result<Condition, Refusal> {
    let at = node.at;
    let Value::Object(members) = node.value else {
        let text = text_of(node, &format!("{name} match pattern must be a string"))?;
        return Ok(Condition::Form(plain(text)));
    };
    let (key, value, second) = only_member(at, members)?;
    if key.text != "equals-ignore-case" {
        return Err(Refusal::new(
            key.at,
            format!("Unsupported {name} pattern: {}", key.text),
        ));
    }
    let text = text_of(value, "equals-ignore-case match pattern must be a string")?;
    refuse_second(second)?;
    Ok(Condition::Form(ignoring_case(text)))
}

fn anything_but(node: Node) -> Result<Condition, Refusal> {
    let at = node.at;
    match node.value {
        Value::Text(text) => Ok(Condition::ButTexts(vec![text])),
        Value::Number(text) => Ok(Condition::ButNumbers(vec![comparable(at, text)?])),
        Value::Array(list) => but_list(at, list),
        Value::Object(members) => {
            let (key, value, second) = only_member(at, members)?;
            let forms = but_forms(&key, value)?;
            refuse_second(second)?;
            Ok(Condition::ButForms(forms))
        }
        Value::Bool(_) | Value::Null => Err(no_value(at)),
    }
}

fn no_value(at: usize) -> Refusal {
    Refusal::new(
        at,
        "Value of anything-but must be an array or single string/number value.",
    )
}

fn but_list(at: usize, list: Vec<Node>) -> Result<Condition, Refusal> {
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for node in list {
        match node.value {
            Value::Text(text) => texts.push(text),
            Value::Number(text) => numbers.push(comparable(node.at, text)?),
            _ => {
                return Err(Refusal::new(
                    node.at,
                    "Inside anything but list, start|null|boolean is not supported.",
                ));
            }
        }
    }
    match (texts.is_empty(), numbers.is_empty()) {
        (false, true) => Ok(Condition::ButTexts(texts)),
        (true, false) => Ok(Condition::ButNumbers(numbers)),
        _ => Err(Refusal::new(at, MIXED)),
    }
}

fn but_forms(key: &Key, node: Node) -> Result<Vec<Form>, Refusal> {
    let read = match key.text.as_str() {
        "prefix" => |node| but_affix(node).map(Form::Prefix),
        "suffix" => |node| but_affix(node).map(Form::Suffix),
        "equals-ignore-case" => |node| {
            let reason =
                "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.";
            text_of(node, reason).map(Form::IgnoringCase)
        },
        "wildcard" => wildcard,
        other => {
            return Err(Refusal::new(
                key.at,
                format!("Unsupported anything-but pattern: {other}"),
            ));
        }
    };
    match node.value {
        Value::Array(list) if list.is_empty() => Err(Refusal::new(node.at, MIXED)),
        Value::Array(list) => list.into_iter().map(read).collect(),
        Value::Text(_) | Value::Number(_) => Ok(vec![read(node)?]),
        _ => Err(no_value(node.at)),
    }
}

fn but_affix(node: Node) -> Result<String, Refusal> {
    let at = node.at;
    let text = text_of(node, "prefix/suffix match pattern must be a string")?;
    if text.is_empty() {
        return Err(Refusal::new(at, "Null prefix/suffix not allowed"));
    }
    Ok(text)
}

fn comparable(at: usize, text: String) -> Result<(String, f64), Refusal> {
    match number::comparable(&text) {
        Some(value) => Ok((text, value)),
        None => Err(Refusal::new(at, format!("Cannot compare number : {text}"))),
    }
}

/// `[op, n]`, or a lower bound and then an upper one.
fn numeric(node: Node) -> Result<Range, Refusal> {
    let Value::Array(elements) = node.value else {
        return Err(Refusal::new(node.at, "Value of numeric must be an array."));
    };
    let end = node.at;
    let mut elements = elements.into_iter();
    let (at, operator) = match elements.next() {
        Some(Node {
            at,
            value: Value::Text(operator),
        }) => (at, operator),
        Some(other) => {
            let reason = format!("Invalid member in numeric match: {}", spelled(&other.value));
            return Err(Refusal::new(other.at, reason));
        }
        None => return Err(Refusal::new(end, "Invalid member in numeric match: ]")),
    };
    let name = match operator.as_str() {
        "=" => "equals",
        "<" | "<=" | ">" | ">=" => operator.as_str(),
        _ => {
            let reason = format!("Unrecognized numeric range operator: {operator}");
            return Err(Refusal::new(at, reason));
        }
    };
    let bound = bound(elements.next(), at, name, operator.ends_with('='))?;
    let next = elements.next();
    match (operator.as_str(), next) {
        ("=", None) => Ok(Range {
            bottom: Some(bound.clone()),
            top: Some(bound),
        }),
        ("<" | "<=", None) => Ok(Range {
            bottom: None,
            top: Some(bound),
        }),
        (_, None) => Ok(Range {
            bottom: Some(bound),
            top: None,
        }),
        (">" | ">=", Some(upper)) => between(bound, upper, elements),
        (_, Some(extra)) => Err(Refusal::new(extra.at, "Too many elements in numeric expression")),
    }
}

fn between(bottom: Bound, node: Node, mut rest: impl Iterator<Item = Node>) -> Result<Range, Refusal> {
    let at = node.at;
    let operator = match node.value {
        Value::Text(operator) => operator,
        other => {
            let reason = format!("Bad value in numeric range: {}", spelled(&other));
            return Err(Refusal::new(at, reason));
        }
    };
    if operator != "<" && operator != "<=" {
        let reason = format!("Bad numeric range operator: {operator}");
        return Err(Refusal::new(at, reason));
    }
    let top = bound(rest.next(), at, &operator, operator == "<=")?;
    if let Some(extra) = rest.next() {
        return Err(Refusal::new(extra.at, "Too many elements in numeric expression"));
    }
    if bottom.value >= top.value {
        return Err(Refusal::new(at, "Bottom must be less than top"));
    }
    Ok(Range {
        bottom: Some(bottom),
        top: Some(top),
    })
}

fn bound(node: Option<Node>, operator_at: usize, name: &str, inclusive: bool) -> Result<Bound, Refusal> {
    let at = node.as_ref().map_or(operator_at, |node| node.at);
    let Some(Value::Number(text)) = node.map(|node| node.value) else {
        return Err(Refusal::new(at, format!("Value of {name} must be numeric")));
    };
    let (text, value) = comparable(at, text)?;
    Ok(Bound {
        value,
        inclusive,
        text,
    })
}

fn spelled(value: &Value) -> String {
    match value {
        Value::Object(_) => "{".to_owned(),
        Value::Array(_) => "[".to_owned(),
        Value::Text(text) | Value::Number(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
    }
}
