//! Policy documents, as far as their form is looked at.
//!
//! Owns the checks and AWS's words for them. Deliberately absent: what a document allows; nothing is enforced.

use serde_json::Value;

use super::super::canonical::encode;
use super::super::fault::Fault;
use super::super::query::{Call, constraint};

/// The longest document that IAM takes in a request, in characters.
const LONGEST: usize = 131_072;

/// A document that says what its holder may do.
///
/// # Errors
/// It is absent, or has another form.
pub fn permissions(call: &Call) -> Result<String, Fault> {
    let (text, statements) = read(call, "PolicyDocument")?;
    match statements.iter().any(|s| s.get("Principal").is_some()) {
        true => Err(malformed("Policy document should not specify a principal.")),
        false => Ok(text),
    }
}

/// A document that says who may assume a role.
///
/// # Errors
/// It is absent, or has another form.
pub fn trust(call: &Call, name: &str) -> Result<String, Fault> {
    let (text, statements) = read(call, name)?;
    let has = |key: &str| statements.iter().any(|s| s.get(key).is_some());
    if has("Resource") || has("NotResource") {
        return Err(malformed("Has prohibited field Resource"));
    }
    match statements.iter().all(|s| s.get("Principal").is_some()) {
        true => Ok(text),
        false => Err(malformed("Missing required field Principal")),
    }
}

/// A document as answers carry it: percent-encoded (RFC 3986).
pub fn encoded(document: &str) -> String {
    encode(document.as_bytes(), false)
}

fn read(call: &Call, name: &str) -> Result<(String, Vec<Value>), Fault> {
    let text = call.required(name)?;
    if text.chars().count() > LONGEST {
        let rule = format!("Member must have length less than or equal to {LONGEST}");
        return Err(constraint("'…'", name, &rule));
    }
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        return Err(malformed("This policy contains invalid Json"));
    };
    let statements = match document.get("Statement") {
        Some(Value::Array(all)) if !all.is_empty() => all.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => return Err(malformed("Syntax errors in policy.")),
    };
    let whole = |s: &Value| {
        let action = s.get("Action").or(s.get("NotAction")).is_some();
        matches!(s.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) && action
    };
    match statements.iter().all(whole) {
        true => Ok((text.to_owned(), statements)),
        false => Err(malformed("Syntax errors in policy.")),
    }
}

fn malformed(message: &str) -> Fault {
    Fault::new(400, "MalformedPolicyDocument", message)
}
