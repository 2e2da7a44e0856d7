//! AWS's Query protocol, which STS and IAM speak: parameters in, XML out.
//!
//! Owns where parameters come from (the form of a POST, or the query), how lists are spelled (`Tags.member.1.Key`) and what
//! stands around a result. Deliberately absent: the operations.

use std::collections::BTreeMap;

use router::name::RequestId;

use super::fault::{Fault, Form};
use super::http::{self, Answer, Request};
use super::xml::Xml;

/// The parameters of a call, decoded; of a name that comes twice the last counts.
pub fn parameters(request: &Request) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = request.parameters().into_iter().collect();
    let form = "application/x-www-form-urlencoded";
    if request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with(form))
    {
        let text = String::from_utf8_lossy(&request.body);
        all.extend(http::parameters(&text));
    }
    all
}

/// A call of an operation.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The operation.
    pub action: String,
    parameters: BTreeMap<String, String>,
}

impl Call {
    /// Takes a request apart.
    ///
    /// # Errors
    /// It names no action.
    pub fn of(request: &Request) -> Result<Self, Fault> {
        let parameters = parameters(request);
        match parameters.get("Action") {
            Some(action) => Ok(Call {
                action: action.clone(),
                parameters,
            }),
            None => Err(Fault::new(
                400,
                "MissingAction",
                "the request names no operation: send Action=NAME in a form or in the query",
            )),
        }
    }

    /// A parameter, if it was sent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// It is not.
    pub fn required(&self, name: &str) -> Result<&str, Fault> {
        self.get(name)
            .ok_or_else(|| constraint("null", name, "Member must not be null"))
    }

    /// A number from `least` to `most`, if it was sent.
    ///
    /// # Errors
    /// It is no number, or not within.
    pub fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Fault> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let shown = format!("'{text}'");
        match text.parse::<u64>() {
            Ok(number) if number > most => {
                let rule = format!("Member must have value less than or equal to {most}");
                Err(constraint(&shown, name, &rule))
            }
            Ok(number) if number >= least => Ok(Some(number)),
            _ => {
                let rule = format!("Member must have value greater than or equal to {least}");
                Err(constraint(&shown, name, &rule))
            }
        }
    }

    /// A name of `least` to `most` letters, digits and `+=,.@_-`, which is required.
    ///
    /// # Errors
    /// It is not there, or not so.
    pub fn word(&self, name: &str, least: usize, most: usize) -> Result<&str, Fault> {
        let text = self.required(name)?;
        let shown = format!("'{text}'");
        let count = text.chars().count();
        if count > most {
            let rule = format!("Member must have length less than or equal to {most}");
            return Err(constraint(&shown, name, &rule));
        }
        if count < least {
            let rule = format!("Member must have length greater than or equal to {least}");
            return Err(constraint(&shown, name, &rule));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
        match text.chars().all(allowed) {
            true => Ok(text),
            false => Err(validation(format!(
                "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the \
                 following: +=,.@_-",
                member(name)
            ))),
        }
    }

    /// The items of a list in their order; `of` is empty or `.Key`.
    pub fn list(&self, name: &str, of: &str) -> Vec<&str> {
        (1..)
            .map_while(|number| self.get(&format!("{name}.member.{number}{of}")))
            .collect()
    }
}

/// The answer of an operation; one without a result has only its request id.
pub fn answer(call: &Call, namespace: &str, done: Result<Option<Xml>, Fault>, id: &RequestId) -> Answer {
    let result = match done {
        Ok(result) => result,
        Err(fault) => return fault.told(Form::Query, id),
    };
    let mut xml = Xml::default();
    xml.within_namespace(&format!("{}Response", call.action), namespace, |xml| {
        if let Some(result) = result {
            xml.within(&format!("{}Result", call.action), |xml| xml.put(result));
        }
        xml.within("ResponseMetadata", |xml| xml.text("RequestId", id.as_str()));
    });
    Answer::of(200, "text/xml", xml.done())
}

/// The error for an operation that is not here.
pub fn no_action(call: &Call, version: &str, here: &[&str]) -> Fault {
    let message = format!(
        "Could not find operation {} for version {version}; triggerfish has {}",
        call.action,
        here.join(", ")
    );
    Fault::new(400, "InvalidAction", message)
}

/// A value that breaks its shape.
pub fn constraint(shown: &str, name: &str, rule: &str) -> Fault {
    let path = member(name);
    validation(format!(
        "1 validation error detected: Value {shown} at '{path}' failed to satisfy constraint: {rule}"
    ))
}

/// A value that will not do.
pub fn validation(message: String) -> Fault {
    Fault::new(400, "ValidationError", message)
}

/// `RoleName` is called `roleName` in messages.
fn member(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A call as a test writes it.
    pub fn call(action: &str, parameters: &[(&str, &str)]) -> Call {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Call {
            action: action.to_owned(),
            parameters: parameters.iter().map(own).collect(),
        }
    }

    fn message(done: Result<impl Sized, Fault>) -> String {
        done.err().map(|fault| fault.message).unwrap_or_default()
    }

    #[test]
    fn parameters_come_from_form_and_query() {
        let of = |kind: &str| {
            let request = hyper::Request::post("/?Action=A&X=1").header("content-type", kind);
            let (head, ()) = request.body(()).expect("a request").into_parts();
            let body = bytes::Bytes::from_static(b"Action=B&Y=a+b%26");
            Call::of(&Request::new(head, body, RequestId::new("id"), 1)).unwrap_or_default()
        };
        let form = of("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(
            (form.action.as_str(), form.get("X"), form.get("Y")),
            ("B", Some("1"), Some("a b&"))
        );
        let other = of("application/json");
        assert_eq!((other.action.as_str(), other.get("Y")), ("A", None));
    }

    #[test]
    fn values_are_checked_in_awss_words() {
        let call = call(
            "A",
            &[("Name", "a b"), ("Long", "xxxx"), ("N", "5"), ("Bad", "-1")],
        );
        assert!(message(call.word("Name", 1, 9)).starts_with("The specified value for name is invalid."));
        assert_eq!(
            message(call.word("Long", 1, 3)),
            "1 validation error detected: Value 'xxxx' at 'long' failed to satisfy constraint: Member must have \
             length less than or equal to 3"
        );
        assert!(message(call.required("None")).contains("Value null at 'none'"));
        assert_eq!(call.number("N", 5, 5), Ok(Some(5)));
        assert!(call.number("N", 6, 9).is_err() && call.number("N", 1, 4).is_err());
        assert!(call.number("Bad", 0, 9).is_err());
        assert_eq!(call.number("None", 0, 9), Ok(None));
    }

    #[test]
    fn a_list_ends_with_its_first_gap() {
        let call = call(
            "A",
            &[
                ("L.member.1.K", "a"),
                ("L.member.2.K", "b"),
                ("L.member.4.K", "d"),
            ],
        );
        assert_eq!(call.list("L", ".K"), ["a", "b"]);
        assert!(call.list("M", "").is_empty());
    }

    #[test]
    fn what_stands_around_a_result() {
        let done = answer(&call("Do", &[]), "urn:x", Ok(None), &RequestId::new("id"));
        let http::Body::Whole(body) = done.body else {
            return;
        };
        assert_eq!(
            String::from_utf8_lossy(&body),
            "<DoResponse xmlns=\"urn:x\"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DoResponse>"
        );
    }
}
