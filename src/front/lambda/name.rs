//! Function names as callers write them: bare, with a qualifier, or as an ARN of any length.
//!
//! Owns their shape (spec/lambda §2). Deliberately absent: whether the function exists, and whose ARN it is.

use scenarios::api::error::ApiError;

/// What AWS prints when a name has another shape (spec/lambda §2).
const NAME_RULE: &str = r"Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/// A function as a caller names it (spec/lambda §2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The bare name.
    pub name: String,
    /// The region, where the name is an ARN or a part of one.
    pub region: Option<String>,
    /// The account, likewise.
    pub account: Option<String>,
    /// The qualifier as it was asked: `$LATEST`, a version's number, an alias.
    pub qualifier: Option<String>,
}

impl Named {
    /// Takes the `Qualifier` parameter in as well.
    ///
    /// # Errors
    /// The name has another one.
    pub fn qualify(&mut self, qualifier: &str) -> Result<(), ApiError> {
        match self.qualifier.as_deref() {
            Some(derived) if derived != qualifier => Err(ApiError::user(
                400,
                "InvalidParameterValueException",
                "The derived qualifier from the function name does not match the specified qualifier.",
            )),
            _ => {
                self.qualifier = Some(qualifier.to_owned());
                Ok(())
            }
        }
    }

    /// Refuses another region's function, then another account's, in AWS's order and words (spec/errors §1, §3).
    pub fn check_place(&self, region: &str, account: &str) -> Result<(), ApiError> {
        if let Some(other) = self.region.as_deref().filter(|other| *other != region) {
            return Err(ApiError::missing(&format!(
                "Functions from '{other}' are not reachable in this region ('{region}')"
            )));
        }
        match self.account.as_deref() {
            Some(other) if other != account => Err(ApiError::denied()),
            _ => Ok(()),
        }
    }
}

/// Understands a name in any of its forms.
pub fn function(text: &str) -> Result<Named, ApiError> {
    let wrong = || ApiError::constraint(text, "functionName", NAME_RULE);
    let (before, rest) = match text.rsplit_once("function:") {
        Some((before, rest)) => (before, rest),
        None => ("", text),
    };
    let (region, account) = place(before).ok_or_else(wrong)?;
    let (name, qualifier) = match rest.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (rest, None),
    };
    let word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if !word(&name.replace('.', "-")) || !qualifier.is_none_or(|q| q == "$LATEST" || word(q)) {
        return Err(wrong());
    }
    Ok(Named {
        name: name.to_owned(),
        region,
        account,
        qualifier: qualifier.map(str::to_owned),
    })
}

type Place = (Option<String>, Option<String>);

/// What may stand before `function:`: nothing, an account, a region, the head of an ARN.
fn place(text: &str) -> Option<Place> {
    let text = match text.split_once(":lambda:") {
        Some((arn, rest)) if arn.starts_with("arn:aws") && !arn[4..].contains(':') => rest,
        Some(_) => return None,
        None => text,
    };
    let mut parts: Vec<&str> = text.split(':').collect();
    if parts.pop() != Some("") {
        return None;
    }
    let account = |part: &str| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit());
    let region = |part: &str| {
        let words = part.split('-').count() >= 3;
        words
            && part.ends_with(|c: char| c.is_ascii_digit())
            && part.starts_with(|c: char| c.is_ascii_lowercase())
    };
    let owned = |part: &str| Some(part.to_owned());
    match parts.as_slice() {
        [] => Some((None, None)),
        [one] if account(one) => Some((None, owned(one))),
        [one] if region(one) => Some((owned(one), None)),
        [first, second] if region(first) && account(second) => Some((owned(first), owned(second))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        function(text).err().map(|error| error.code)
    }

    #[test]
    fn every_form_is_understood() {
        for text in [
            "f",
            "function:f",
            "123456789012:function:f",
            "us-east-1:123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f",
        ] {
            let named = function(text).unwrap_or_default();
            assert_eq!((named.name.as_str(), named.qualifier), ("f", None), "{text}");
            let latest = format!("{text}:$LATEST");
            let named = function(&latest).unwrap_or_default();
            assert_eq!(
                (named.name.as_str(), named.qualifier.as_deref()),
                ("f", Some("$LATEST")),
                "{latest}"
            );
        }
    }

    #[test]
    fn another_shape_is_refused_as_aws_does() {
        for text in [
            "",
            "a b",
            "*",
            "f:",
            "f:$latest",
            "f:$LATEST$",
            "f:1:2",
            "x:function:f",
            "function:",
            "arn:gcp:lambda:us-east-1:123456789012:function:f",
            "arn:aws:s3:::function:f",
            ":lambda:function:f",
        ] {
            assert_eq!(code(text), Some("ValidationException"), "{text}");
        }
        assert_eq!(code("f:prod"), None);
    }

    #[test]
    fn two_qualifiers_are_one_or_an_error() {
        let both = |name: &str, qualifier: &str| {
            let mut named = function(name).unwrap_or_default();
            named
                .qualify(qualifier)
                .map(|()| named.qualifier)
                .map_err(|error| error.code)
        };
        assert_eq!(both("f:1", "1"), Ok(Some("1".to_owned())));
        assert_eq!(both("f", "prod"), Ok(Some("prod".to_owned())));
        assert_eq!(both("f:1", "2"), Err("InvalidParameterValueException"));
    }

    #[test]
    fn the_functions_of_others_are_out_of_reach() {
        let status = |text: &str| {
            let named = function(text).unwrap_or_default();
            named
                .check_place("us-east-1", "123456789012")
                .err()
                .map(|e| (e.status, e.code))
        };
        assert_eq!(status("arn:aws:lambda:us-east-1:123456789012:function:f"), None);
        assert_eq!(
            status("arn:aws:lambda:eu-west-1:000000000000:function:f"),
            Some((404, "ResourceNotFoundException"))
        );
        assert_eq!(
            status("000000000000:function:f"),
            Some((403, "AccessDeniedException"))
        );
    }
}
