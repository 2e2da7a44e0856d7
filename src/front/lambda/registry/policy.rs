//! Resource policies: AddPermission, RemovePermission, GetPolicy (spec/lambda §8.6).
//!
//! Owns the policies; a policy belongs to exactly one of a function, a version or an alias. Deliberately absent: who is let
//! in; nothing here asks.

mod statement;

use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::target::{Asked, UNQUALIFIED};
use super::{Moment, Outcome, Registry, Told, check_revision, conflict, invalid, text};
use crate::front::lambda::model::Input;
pub use statement::Statement;

/// Bytes that a policy may have as text.
const LONGEST: usize = 20 * 1024;

/// A resource policy, which has a statement at least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Who may do what, in the order of their coming.
    pub statements: Vec<Statement>,
    /// Random, and another after each change.
    pub revision_id: String,
}

/// AddPermission.
pub fn add(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = Asked::read(moment, input)?;
    let record = asked.expect(registry, moment)?;
    if asked.qualifier.as_deref() == Some(UNQUALIFIED) {
        return Err(invalid(
            "We currently do not support adding policies for $LATEST.",
        ));
    }
    let old = record.policies.get(asked.key());
    check_revision(input, old.map_or("", |policy| &policy.revision_id), "GetPolicy")?;
    let added = Statement::read(input, asked.arn(moment))?;
    let mut statements = old.map_or_else(Vec::new, |policy| policy.statements.clone());
    if statements.iter().any(|statement| statement.sid == added.sid) {
        return Err(conflict(format!(
            "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing statement.",
            added.sid
        )));
    }
    let text = json_text(&added)?;
    statements.push(added);
    let size = policy_text(&statements)?.len();
    if size > LONGEST {
        let message = format!("The final policy size ({size}) is bigger than the limit ({LONGEST}).");
        return Err(ApiError::user(400, "PolicyLengthExceededException", message));
    }
    set(registry, moment, &asked, statements);
    Told::json(201, json!({ "Statement": text }))
}

/// RemovePermission: with its last statement, a policy is gone.
pub fn remove(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = Asked::read(moment, input)?;
    let Some(record) = asked.find(registry) else {
        let arn = asked.arn(moment);
        return Err(ApiError::missing(&format!("No policy found for: {arn}")));
    };
    let none = || ApiError::missing("No policy is associated with the given resource.");
    let policy = record.policies.get(asked.key()).ok_or_else(none)?;
    let sid = text(input, "StatementId").unwrap_or_default();
    if !policy.statements.iter().any(|statement| statement.sid == sid) {
        return Err(ApiError::missing(&format!(
            "Statement {sid} is not found in resource policy."
        )));
    }
    check_revision(input, &policy.revision_id, "GetPolicy")?;
    let mut statements = policy.statements.clone();
    statements.retain(|statement| statement.sid != sid);
    set(registry, moment, &asked, statements);
    Told::nothing()
}

/// GetPolicy.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = Asked::read(moment, input)?;
    let record = asked.find(registry);
    let policy = record.and_then(|record| record.policies.get(asked.key()));
    let Some(policy) = policy else {
        return Err(ApiError::missing("The resource you requested does not exist."));
    };
    let text = policy_text(&policy.statements)?;
    Told::json(200, json!({ "Policy": text, "RevisionId": policy.revision_id }))
}

fn set(registry: &mut Registry, moment: &mut Moment<'_>, asked: &Asked, statements: Vec<Statement>) {
    let Some(record) = registry.change(&asked.name) else {
        return;
    };
    if statements.is_empty() {
        record.policies.remove(asked.key());
        return;
    }
    let policy = Policy {
        statements,
        revision_id: moment.ids.uuid(),
    };
    record.policies.insert(asked.key().to_owned(), policy);
}

fn policy_text(statements: &[Statement]) -> Result<String, ApiError> {
    let statements = json_text(statements)?;
    Ok(format!(
        r#"{{"Version":"2012-10-17","Id":"default","Statement":{statements}}}"#
    ))
}

fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(|error| ApiError::service(&format!("a policy has no text: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::world::{World, and, arn};

    fn permit(name: &str, sid: &str) -> Value {
        json!({
            "FunctionName": name, "StatementId": sid, "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
        })
    }

    fn statement(world: &mut World, input: Value) -> String {
        let (status, body) = world.call("AddPermission", input).expect("an answer");
        assert_eq!(status, 201);
        body["Statement"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_statement_is_aws_text() {
        let mut world = World::with_alias();
        let told = statement(&mut world, permit("f", "a"));
        let start = r#"{"Sid":"a","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f"#;
        assert_eq!(told, format!("{start}\"}}"));
        let body = world.done("GetPolicy", json!({ "FunctionName": "f" }));
        let policy = format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{told}]}}"#);
        assert_eq!(body["Policy"], policy);
        let more = json!({
            "SourceArn": "arn:aws:s3:::b", "SourceAccount": "123456789012", "EventSourceToken": "t",
            "PrincipalOrgID": "o-0123456789", "Qualifier": "live",
        });
        let told = statement(&mut world, and(permit("f", "a"), more));
        let end = r#":live","Condition":{"StringEquals":{"AWS:SourceAccount":"123456789012","lambda:EventSourceToken":"t","aws:PrincipalOrgID":"o-0123456789"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}"#;
        assert_eq!(told, format!("{start}{end}"));
        let url =
            json!({ "FunctionUrlAuthType": "NONE", "Action": "lambda:InvokeFunctionUrl", "Principal": "*" });
        let told = statement(&mut world, and(permit("f", "url"), url));
        assert!(told.contains(r#""Principal":"*""#), "{told}");
        assert!(
            told.ends_with(r#""Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}"#),
            "{told}"
        );
        let told = statement(
            &mut world,
            and(permit("f", "via"), json!({ "InvokedViaFunctionUrl": true })),
        );
        assert!(
            told.ends_with(r#""Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}"#),
            "{told}"
        );
    }

    #[test]
    fn a_policy_is_kept_and_read_again() {
        let mut world = World::with_alias();
        for (sid, principal) in [("a", "*"), ("b", "111122223333"), ("c", "sns.amazonaws.com")] {
            let more = json!({ "Principal": principal, "SourceAccount": "111122223333", "InvokedViaFunctionUrl": true });
            world.done("AddPermission", and(permit("f", sid), more));
        }
        let policies = world.registry.get("f").map(|record| record.policies.clone());
        let kept = serde_json::to_string(&policies).unwrap_or_default();
        assert_eq!(serde_json::from_str(&kept).ok(), Some(policies));
    }

    #[test]
    fn principals_are_services_accounts_identities_or_everyone() {
        let mut world = World::with_alias();
        let mut add = |principal: &str| {
            let sid = format!("s{}", principal.len());
            world.call(
                "AddPermission",
                and(permit("f", &sid), json!({ "Principal": principal })),
            )
        };
        for (principal, shown) in [
            ("sns.amazonaws.com", r#"{"Service":"sns.amazonaws.com"}"#),
            ("111122223333", r#"{"AWS":"arn:aws:iam::111122223333:root"}"#),
            (
                "arn:aws:iam::111122223333:user/u",
                r#"{"AWS":"arn:aws:iam::111122223333:user/u"}"#,
            ),
            ("*", r#""*""#),
        ] {
            let body = add(principal).map(|(_, body)| body["Statement"].to_string());
            let wanted = Value::from(format!(r#""Principal":{shown},"#)).to_string();
            let wanted = wanted.trim_matches('"');
            assert!(
                body.as_ref().is_ok_and(|text| text.contains(wanted)),
                "{body:?} {wanted}"
            );
        }
        let text = "The provided principal was invalid. Please check the principal and try again.";
        for principal in ["invalid.nonaws.com", "s3", "1111", "arn:aws:s3:::b"] {
            let body = json!({ "Type": "User", "message": text });
            let told = Err((400, "InvalidParameterValueException", body));
            assert_eq!(add(principal), told, "{principal}");
        }
    }

    #[test]
    fn each_has_its_own_policy_until_the_last_statement_goes() {
        let mut world = World::with_alias();
        let get = |name: &str| json!({ "FunctionName": name });
        for name in ["f", "f:1", "f:live"] {
            let none = (
                404,
                "ResourceNotFoundException",
                "The resource you requested does not exist.".to_owned(),
            );
            assert_eq!(world.refused("GetPolicy", get(name)), none);
            world.done("AddPermission", permit(name, "a"));
            let text = "The statement id (a) provided already exists. Please provide a new statement id, or remove the existing statement.";
            let told = (409, "ResourceConflictException", text.to_owned());
            assert_eq!(world.refused("AddPermission", permit(name, "a")), told);
            let remove = |sid: &str| json!({ "FunctionName": name, "StatementId": sid });
            let text = world.refused("RemovePermission", remove("b")).2;
            assert_eq!(text, "Statement b is not found in resource policy.");
            assert_eq!(
                world.call("RemovePermission", remove("a")),
                Ok((204, Value::Null))
            );
            assert_eq!(world.refused("GetPolicy", get(name)), none);
            let text = world.refused("RemovePermission", remove("a")).2;
            assert_eq!(text, "No policy is associated with the given resource.");
        }
        let refused = world.refused(
            "RemovePermission",
            json!({ "FunctionName": "x", "StatementId": "a" }),
        );
        assert_eq!(
            (refused.0, refused.2),
            (404, format!("No policy found for: {}", arn("x")))
        );
        let refused = world.refused("GetPolicy", get("x"));
        assert_eq!(refused.2, "The resource you requested does not exist.");
    }

    #[test]
    fn what_is_not_there_is_told_before_the_principal() {
        let mut world = World::with_alias();
        let mut text = |name: &str, qualifier: &str| {
            let more = json!({ "Qualifier": qualifier, "Principal": "nobody" });
            world.refused("AddPermission", and(permit(name, "a"), more)).2
        };
        assert_eq!(
            text("f:1", "2"),
            "The derived qualifier from the function name does not match the specified qualifier."
        );
        assert_eq!(text("x", "1"), format!("Function not found: {}", arn("x:1")));
        assert_eq!(text("f", "9"), format!("Function not found: {}", arn("f:9")));
        assert_eq!(
            text("f", "dead"),
            format!("Cannot find alias arn: {}", arn("f:dead"))
        );
        assert_eq!(
            text("f", "$LATEST"),
            "We currently do not support adding policies for $LATEST."
        );
        let auth = json!({ "FunctionUrlAuthType": "NONE" });
        let refused = world.refused("AddPermission", and(permit("f", "a"), auth));
        assert!(
            refused.2.starts_with("FunctionUrlAuthType is only supported"),
            "{}",
            refused.2
        );
    }

    #[test]
    fn a_revision_id_changes_with_the_policy() {
        let mut world = World::with_alias();
        let text = "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id";
        let stale = (412, "PreconditionFailedException", text.to_owned());
        let with = |input: Value, id: &Value| and(input, json!({ "RevisionId": id }));
        assert_eq!(
            world.refused("AddPermission", with(permit("f", "a"), &json!("x"))),
            stale
        );
        world.done("AddPermission", permit("f", "a"));
        let mut id = || world.done("GetPolicy", json!({ "FunctionName": "f" }))["RevisionId"].clone();
        let first = id();
        assert_eq!(id(), first);
        world.done("AddPermission", with(permit("f", "b"), &first));
        let remove = json!({ "FunctionName": "f", "StatementId": "a" });
        assert_eq!(
            world.refused("RemovePermission", with(remove.clone(), &first)),
            stale
        );
        let second = world.done("GetPolicy", json!({ "FunctionName": "f" }))["RevisionId"].clone();
        assert_ne!(first, second);
        world.done("RemovePermission", with(remove, &second));
    }

    #[test]
    fn a_policy_has_twenty_kilobytes_at_most() {
        let mut world = World::with_alias();
        let mut size = 0;
        for n in 0..1000 {
            match world.call("AddPermission", permit("f", &format!("s{n:03}"))) {
                Ok(_) => {
                    let body = world.done("GetPolicy", json!({ "FunctionName": "f" }));
                    size = body["Policy"].as_str().unwrap_or_default().len();
                    assert!(size <= 20480, "{size}");
                }
                Err((status, code, body)) => {
                    assert_eq!((status, code), (400, "PolicyLengthExceededException"));
                    let statement = (size - 60) / n;
                    assert!(size + statement + 2 > 20480, "{size} and {statement}: {body}");
                    return;
                }
            }
        }
        panic!("a policy of {size} bytes");
    }
}
