//! Why an event did not match, in one phrase: `eventName is MODIFY, not INSERT`.

use std::sync::Arc;

use super::compile::Product;
use super::condition::{Condition, Form, Leaf};
use super::fields::{Field, Fields};
use super::matching::{Met, met, takes};
use super::number::Range;

/// Leaves and alternatives that a phrase names before it counts.
const NAMED: usize = 3;
/// Characters of a text that a phrase shows.
const SHOWN: usize = 60;

/// The first condition that fails, of the product that was met furthest; `None` if one is met.
pub(super) fn mismatch(products: &[Product], fields: &Fields<'_>) -> Option<String> {
    let mut furthest: Option<(usize, &Product)> = None;
    for product in products {
        match met(product, fields) {
            Met::All => return None,
            Met::Until(step) if furthest.is_some_and(|(most, _)| most >= step) => {}
            Met::Until(step) => furthest = Some((step, product)),
        }
    }
    let (step, product) = furthest?;
    let phrase = phrase(product, step, fields);
    Some(match products.len() {
        1 => phrase,
        count => format!("{phrase} (the closest of {count} alternatives)"),
    })
}

/// A condition that fails by itself says more than one that only fails beside others. `exists: false` is not
/// judged by itself: what it means depends on the elements that others chose.
fn phrase(product: &Product, step: usize, fields: &Fields<'_>) -> String {
    let fails_alone = |(index, (path, conditions)): &(usize, (&Arc<str>, &Arc<[Condition]>))| {
        let absence = conditions.iter().any(|c| matches!(c, Condition::Absent));
        let met = fields.at(path).iter().any(|field| takes(conditions, field));
        !met && (!absence || *index == step)
    };
    let alone = product.iter().enumerate().find(fails_alone).map(|(_, both)| both);
    if let Some((path, conditions)) = alone {
        return format!("{path} is {}, not {}", found(path, fields), wanted(conditions));
    }
    match product.iter().nth(step) {
        Some((path, conditions)) => format!(
            "{path} is not {} in the array element that meets the conditions before it",
            wanted(conditions)
        ),
        None => "nothing was asked".to_owned(),
    }
}

fn found(path: &str, fields: &Fields<'_>) -> String {
    let here = fields.at(path);
    if here.is_empty() {
        return fields.container_at(path).unwrap_or("absent").to_owned();
    }
    let leaf = |field: &Field<'_>| match &field.leaf {
        Leaf::Text(text) => shown(text),
        Leaf::Number(text, _) => text.clone(),
        Leaf::Bool(value) => value.to_string(),
        Leaf::Null => "null".to_owned(),
    };
    listed(here.iter().map(leaf), here.len(), " and ")
}

fn wanted(conditions: &[Condition]) -> String {
    listed(conditions.iter().map(condition), conditions.len(), " or ")
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Text(text) | Condition::Address(text, _) => shown(text),
        Condition::Number(text, _) => text.clone(),
        Condition::Bool(value) => value.to_string(),
        Condition::Null => "null".to_owned(),
        Condition::Form(form) => self::form(form),
        Condition::Numeric(range) => self::range(range),
        Condition::Cidr(text, _) => format!("an address in {text}"),
        Condition::Present => "present".to_owned(),
        Condition::Absent => "absent".to_owned(),
        Condition::ButTexts(texts) => but(texts.iter().map(|text| shown(text)), texts.len()),
        Condition::ButNumbers(numbers) => but(numbers.iter().map(|(text, _)| text.clone()), numbers.len()),
        Condition::ButForms(forms) => but(forms.iter().map(form), forms.len()),
    }
}

fn but(excluded: impl Iterator<Item = String>, count: usize) -> String {
    format!("anything but {}", listed(excluded, count, " or "))
}

fn form(form: &Form) -> String {
    match form {
        Form::Prefix(text) => format!("a text starting with {}", shown(text)),
        Form::PrefixIgnoringCase(text) => format!("a text starting with {} in any case", shown(text)),
        Form::Suffix(text) => format!("a text ending in {}", shown(text)),
        Form::SuffixIgnoringCase(text) => format!("a text ending in {} in any case", shown(text)),
        Form::IgnoringCase(text) => format!("{} in any case", shown(text)),
        Form::Wildcard(wildcard) => format!("a text like {}", shown(&wildcard.text)),
    }
}

fn range(range: &Range) -> String {
    let sign = |sign: &str, inclusive: bool| format!("{sign}{}", if inclusive { "=" } else { "" });
    match (&range.bottom, &range.top) {
        (Some(bottom), Some(top)) if bottom.value == top.value => format!("the number {}", top.text),
        (bottom, top) => {
            let bottom = bottom.as_ref().map(|b| (sign(">", b.inclusive), &b.text));
            let top = top.as_ref().map(|t| (sign("<", t.inclusive), &t.text));
            let bounds = bottom.into_iter().chain(top);
            let bounds: Vec<String> = bounds.map(|(sign, text)| format!("{sign} {text}")).collect();
            format!("a number {}", bounds.join(" and "))
        }
    }
}

fn listed(words: impl Iterator<Item = String>, count: usize, last: &str) -> String {
    let mut words: Vec<String> = words.take(NAMED).collect();
    if count > NAMED {
        words.push(format!("{} more", count - NAMED));
    }
    match words.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, rest)) => format!("{}{last}{end}", rest.join(", ")),
        None => String::new(),
    }
}

/// A text as it is if it reads as one, else in quotes: `INSERT`, but `"7"`, `"null"` and `"a b"`.
fn shown(text: &str) -> String {
    let mut letters = text.chars();
    let plain = letters
        .next()
        .is_some_and(|c| c.is_alphabetic() || "/*.-_".contains(c))
        && letters.all(|c| c.is_alphanumeric() || "/*.-_:@".contains(c))
        && !matches!(text, "true" | "false" | "null" | "absent" | "present")
        && text.parse::<f64>().is_err();
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    if plain { short } else { format!("{short:?}") }
}
