//! One alternative of a field, and the values it takes (spec/sources/event-patterns §3).

use super::address::{Address, Network};
use super::number::{self, Range};
use super::text::{self, Wildcard};

/// A value of the event that is no container.
#[derive(Clone, Debug)]
pub(super) enum Leaf<'e> {
    /// A string.
    Text(&'e str),
    /// A number: its text, and the double it spells if it can be compared.
    Number(String, Option<f64>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// What an alternative asks of a leaf.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// A text that is not an address, or any after `exactly`.
    Text(String),
    /// A text that is an address: any spelling of it.
    Address(String, Address),
    /// A number: its text, and the double it spells if it can be compared.
    Number(String, Option<f64>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// Texts of a form.
    Form(Form),
    /// `numeric`.
    Numeric(Range),
    /// `cidr`: its text and the range.
    Cidr(String, Network),
    /// `exists: true`.
    Present,
    /// `exists: false`: no leaf meets it; whoever chooses among leaves asks for it.
    Absent,
    /// `anything-but` texts.
    ButTexts(Vec<String>),
    /// `anything-but` numbers: their texts and values.
    ButNumbers(Vec<(String, f64)>),
    /// `anything-but` texts of these forms.
    ButForms(Vec<Form>),
}

/// A form of texts.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// `prefix`.
    Prefix(String),
    /// `prefix` of `equals-ignore-case`.
    PrefixIgnoringCase(String),
    /// `suffix`.
    Suffix(String),
    /// `suffix` of `equals-ignore-case`.
    SuffixIgnoringCase(String),
    /// `equals-ignore-case`.
    IgnoringCase(String),
    /// `wildcard`.
    Wildcard(Wildcard),
}

impl Condition {
    /// A text without an operator, which may be an address.
    pub(super) fn plain(text: String) -> Condition {
        match Address::parse(&text) {
            Some(address) => Condition::Address(text, address),
            None => Condition::Text(text),
        }
    }

    /// A number without an operator.
    pub(super) fn number(text: String) -> Condition {
        let value = number::comparable(&text);
        Condition::Number(text, value)
    }

    /// Whether the leaf meets the condition.
    pub(super) fn takes(&self, leaf: &Leaf<'_>) -> bool {
        match (self, leaf) {
            (Condition::Present, _) => true,
            (Condition::Text(wanted), Leaf::Text(found)) => wanted == found,
            (Condition::Address(_, wanted), Leaf::Text(found)) => Address::parse(found) == Some(*wanted),
            (Condition::Number(wanted, value), Leaf::Number(found, number)) => match (value, number) {
                (Some(value), Some(number)) => value == number,
                _ => wanted == found,
            },
            (Condition::Bool(wanted), Leaf::Bool(found)) => wanted == found,
            (Condition::Null, Leaf::Null) => true,
            (Condition::Form(form), Leaf::Text(found)) => form.takes(found),
            (Condition::Numeric(range), Leaf::Number(_, Some(number))) => range.contains(*number),
            (Condition::Cidr(_, network), Leaf::Text(found)) => network.contains(found),
            (Condition::ButTexts(texts), Leaf::Text(found)) => !texts.iter().any(|text| text == found),
            (Condition::ButNumbers(numbers), Leaf::Number(_, Some(found))) => {
                !numbers.iter().any(|(_, number)| number == found)
            }
            (Condition::ButForms(forms), Leaf::Text(found)) => !forms.iter().any(|form| form.takes(found)),
            (Condition::ButTexts(_) | Condition::ButNumbers(_) | Condition::ButForms(_), _) => true,
            _ => false,
        }
    }

    /// The wildcards in the condition.
    pub(super) fn wildcards(&self) -> impl Iterator<Item = &Wildcard> {
        let forms = match self {
            Condition::Form(form) => std::slice::from_ref(form),
            Condition::ButForms(forms) => forms,
            _ => &[],
        };
        forms.iter().filter_map(|form| match form {
            Form::Wildcard(wildcard) => Some(wildcard),
            _ => None,
        })
    }
}

impl Form {
    fn takes(&self, found: &str) -> bool {
        match self {
            Form::Prefix(prefix) => found.starts_with(prefix.as_str()),
            Form::PrefixIgnoringCase(prefix) => text::starts_with(found, prefix),
            Form::Suffix(suffix) => found.ends_with(suffix.as_str()),
            Form::SuffixIgnoringCase(suffix) => text::ends_with(found, suffix),
            Form::IgnoringCase(wanted) => text::same_text(found, wanted),
            Form::Wildcard(wildcard) => wildcard.matches(found),
        }
    }
}
