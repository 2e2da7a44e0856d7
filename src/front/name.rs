//! Function names as callers write them: bare, with a qualifier, or as an ARN of any length.
//!
//! Owns their shape (spec/lambda §2). Deliberately absent: whether the function exists, and whose ARN it is.

use super::lambda::ApiError;

/// What AWS prints when a name has another shape (spec/lambda §2).
const NAME_RULE: &str = r"Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/// The bare name in any of the forms of spec/lambda §2, and whether `$LATEST` was named.
pub fn function(text: &str) -> Result<(String, bool), ApiError> {
    let wrong = || ApiError::constraint(text, "functionName", NAME_RULE);
    let (before, rest) = match text.rsplit_once("function:") {
        Some((before, rest)) => (before, rest),
        None => ("", text),
    };
    if !is_prefix(before) {
        return Err(wrong());
    }
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
    let qualified = qualifier.map(is_latest).transpose()?.unwrap_or(false);
    Ok((name.to_owned(), qualified))
}

/// What may stand before `function:`: nothing, an account, a region, the head of an ARN.
fn is_prefix(text: &str) -> bool {
    let text = match text.split_once(":lambda:") {
        Some((arn, rest)) if arn.starts_with("arn:aws") && !arn[4..].contains(':') => rest,
        Some(_) => return false,
        None => text,
    };
    let mut parts: Vec<&str> = text.split(':').collect();
    if parts.pop() != Some("") || parts.len() > 2 {
        return false;
    }
    let account = |part: &str| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit());
    let region = |part: &str| {
        let words = part.split('-').count() >= 3;
        words
            && part.ends_with(|c: char| c.is_ascii_digit())
            && part.starts_with(|c: char| c.is_ascii_lowercase())
    };
    match parts.as_slice() {
        [] => true,
        [one] => account(one) || region(one),
        [first, second] => region(first) && account(second),
        _ => false,
    }
}

/// Whether a qualifier names `$LATEST`; no other is offered.
pub fn is_latest(qualifier: &str) -> Result<bool, ApiError> {
    if qualifier == "$LATEST" {
        return Ok(true);
    }
    Err(ApiError::unsupported(&format!(
        "the qualifier `{qualifier}` (versions and aliases)"
    )))
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
            assert_eq!(function(text), Ok(("f".to_owned(), false)), "{text}");
            let latest = format!("{text}:$LATEST");
            assert_eq!(function(&latest), Ok(("f".to_owned(), true)), "{latest}");
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
        assert_eq!(code("f:prod"), Some("NotImplementedException"));
    }
}
