//! Policies of layer versions: AddLayerVersionPermission, GetLayerVersionPolicy, RemoveLayerVersionPermission
//! (spec/lambda §7, spec/errors §3 to §5).
//!
//! Owns the statements. Nobody else's account is served here, so a policy grants nothing: it is kept and shown for the
//! tools that manage it.

use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::layer_record::version_arn;
use super::{Moment, Outcome, Registry, Told, check_revision, conflict, invalid, text};
use crate::front::lambda::model::Input;

/// Bytes that a policy may have (spec/lambda §13).
const LIMIT: usize = 20_480;

/// The policy of a layer version; one without a statement does not exist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Its statements, in the order in which they came.
    pub statements: Vec<Statement>,
    /// Random, and another after each change.
    pub revision_id: String,
}

/// A statement of a policy: who may get the version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Its id, unique in the policy.
    pub id: String,
    /// `*`, an account, or the ARN of an account's root.
    pub principal: String,
    /// The organization to which `*` is limited.
    pub organization: Option<String>,
}

/// AddLayerVersionPermission.
pub fn add(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (layer, number, found) = registry.find_layer_version(moment, input)?;
    let before = found.policy.as_ref();
    check_revision(
        input,
        before.map_or("", |policy| &policy.revision_id),
        "GetLayerPolicy",
    )?;
    let made = statement(input)?;
    let mut statements = before.map_or_else(Vec::new, |policy| policy.statements.clone());
    if statements.iter().any(|other| other.id == made.id) {
        return Err(conflict(format!(
            "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing statement.",
            made.id
        )));
    }
    let arn = version_arn(moment.place, layer, number);
    let shown = made.show(&arn).to_string();
    statements.push(made);
    check_length(&document(&statements, &arn))?;
    let revision_id = moment.ids.uuid();
    let answer = json!({ "Statement": shown, "RevisionId": revision_id });
    set(
        registry,
        layer,
        number,
        Some(Policy {
            statements,
            revision_id,
        }),
    );
    Told::json(201, answer)
}

/// GetLayerVersionPolicy.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (layer, number, found) = registry.find_layer_version(moment, input)?;
    let policy = found.policy.as_ref().ok_or_else(none)?;
    let document = document(&policy.statements, &version_arn(moment.place, layer, number));
    Told::json(
        200,
        json!({ "Policy": document, "RevisionId": policy.revision_id }),
    )
}

/// RemoveLayerVersionPermission.
pub fn remove(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (layer, number, found) = registry.find_layer_version(moment, input)?;
    let mut policy = found.policy.clone().ok_or_else(none)?;
    check_revision(input, &policy.revision_id, "GetLayerPolicy")?;
    let id = text(input, "StatementId").unwrap_or_default();
    let before = policy.statements.len();
    policy.statements.retain(|statement| statement.id != id);
    if policy.statements.len() == before {
        let message = format!("Statement {id} is not found in resource policy.");
        return Err(ApiError::missing(&message));
    }
    policy.revision_id = moment.ids.uuid();
    let left = (!policy.statements.is_empty()).then_some(policy);
    set(registry, layer, number, left);
    Told::nothing()
}

fn none() -> ApiError {
    ApiError::missing("No policy is associated with the given resource.")
}

fn set(registry: &mut Registry, layer: &str, number: u64, policy: Option<Policy>) {
    if let Some(version) = registry.change_layer(layer).versions.get_mut(&number) {
        version.policy = policy;
    }
}

fn statement(input: &Input) -> Result<Statement, ApiError> {
    let owned = |member: &str| text(input, member).map(str::to_owned);
    let principal = owned("Principal").unwrap_or_default();
    let organization = owned("OrganizationId").filter(|id| !id.is_empty());
    if organization.is_some() && principal != "*" {
        return Err(invalid(format!(
            "OrganizationId limits the Principal *; with the Principal {principal}, leave it out"
        )));
    }
    Ok(Statement {
        id: owned("StatementId").unwrap_or_default(),
        principal,
        organization,
    })
}

fn check_length(document: &str) -> Result<(), ApiError> {
    match document.len() > LIMIT {
        true => Err(ApiError::user(
            400,
            "PolicyLengthExceededException",
            format!(
                "The final policy size ({}) is bigger than the limit ({LIMIT}).",
                document.len()
            ),
        )),
        false => Ok(()),
    }
}

/// A policy as the JSON text that operations carry it in.
fn document(statements: &[Statement], arn: &str) -> String {
    let shown: Vec<Value> = statements.iter().map(|statement| statement.show(arn)).collect();
    json!({ "Version": "2012-10-17", "Id": "default", "Statement": shown }).to_string()
}

impl Statement {
    fn show(&self, arn: &str) -> Value {
        let principal = match self.principal.as_str() {
            "*" => json!("*"),
            arn if arn.starts_with("arn:") => json!({ "AWS": arn }),
            account => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
        };
        let mut shown = json!({
            "Sid": self.id,
            "Effect": "Allow",
            "Principal": principal,
            "Action": "lambda:GetLayerVersion",
            "Resource": arn,
        });
        if let Some(organization) = &self.organization {
            shown["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": organization } });
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::world::{World, and};

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:layer:deps:1";

    fn world() -> World {
        let mut world = World::default();
        let content = json!({ "LayerName": "deps", "Content": { "ZipFile": "eno=" } });
        world.done("PublishLayerVersion", content);
        world
    }

    fn version() -> Value {
        json!({ "LayerName": "deps", "VersionNumber": 1 })
    }

    fn permission(id: &str) -> Value {
        let statement = json!({ "StatementId": id, "Action": "lambda:GetLayerVersion", "Principal": "*" });
        and(version(), statement)
    }

    fn statement(body: &Value) -> Value {
        serde_json::from_str(body["Statement"].as_str().unwrap_or_default()).unwrap_or_default()
    }

    #[test]
    fn statements_come_and_go() {
        let mut world = world();
        let (status, first) = world
            .call("AddLayerVersionPermission", permission("s1"))
            .expect("an answer");
        let shown = json!({
            "Sid": "s1", "Effect": "Allow", "Principal": "*", "Action": "lambda:GetLayerVersion", "Resource": ARN,
        });
        assert_eq!((status, statement(&first)), (201, shown.clone()));
        let (status, body) = world.call("GetLayerVersionPolicy", version()).expect("an answer");
        assert_eq!((status, &body["RevisionId"]), (200, &first["RevisionId"]));
        let policy = body["Policy"].as_str().unwrap_or_default();
        let policy: Value = serde_json::from_str(policy).unwrap_or_default();
        assert_eq!(
            policy,
            json!({ "Version": "2012-10-17", "Id": "default", "Statement": [shown] })
        );
        let revision = json!({ "RevisionId": first["RevisionId"] });
        let second = world.done("AddLayerVersionPermission", and(permission("s2"), revision));
        assert_ne!(second["RevisionId"], first["RevisionId"]);
        for (id, left) in [("s2", true), ("s1", false)] {
            let removed = world.call(
                "RemoveLayerVersionPermission",
                and(version(), json!({ "StatementId": id })),
            );
            assert_eq!(removed, Ok((204, Value::Null)));
            assert_eq!(world.call("GetLayerVersionPolicy", version()).is_ok(), left);
        }
    }

    #[test]
    fn principals_are_written_out() {
        let mut world = world();
        for (id, principal, shown) in [
            (
                "a",
                "000000000000",
                json!({ "AWS": "arn:aws:iam::000000000000:root" }),
            ),
            (
                "b",
                "arn:aws:iam::000000000000:root",
                json!({ "AWS": "arn:aws:iam::000000000000:root" }),
            ),
        ] {
            let input = and(permission(id), json!({ "Principal": principal }));
            let body = world.done("AddLayerVersionPermission", input);
            assert_eq!(statement(&body)["Principal"], shown);
        }
        let organization = json!({ "OrganizationId": "o-0123456789" });
        let body = world.done(
            "AddLayerVersionPermission",
            and(permission("c"), organization.clone()),
        );
        let condition = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-0123456789" } });
        assert_eq!(statement(&body)["Condition"], condition);
        let both = and(
            and(permission("d"), organization),
            json!({ "Principal": "000000000000" }),
        );
        let refused = world.refused("AddLayerVersionPermission", both);
        assert_eq!((refused.0, refused.1), (400, "InvalidParameterValueException"));
    }

    #[test]
    fn what_is_not_there_is_told_of_in_aws_words() {
        let mut world = world();
        let refused = world.refused("GetLayerVersionPolicy", version());
        let none = "No policy is associated with the given resource.".to_owned();
        assert_eq!(refused, (404, "ResourceNotFoundException", none));
        world.done("AddLayerVersionPermission", permission("s1"));
        let other = and(version(), json!({ "StatementId": "x" }));
        let refused = world.refused("RemoveLayerVersionPermission", other);
        let none = "Statement x is not found in resource policy.".to_owned();
        assert_eq!(refused, (404, "ResourceNotFoundException", none));
        for (more, arn) in [
            (json!({ "VersionNumber": 2 }), ARN.replace("deps:1", "deps:2")),
            (json!({ "LayerName": "x" }), ARN.replace("deps", "x")),
        ] {
            let missing = format!("Layer version {arn} does not exist.");
            for (operation, input) in [
                ("AddLayerVersionPermission", permission("s2")),
                ("GetLayerVersionPolicy", version()),
                (
                    "RemoveLayerVersionPermission",
                    and(version(), json!({ "StatementId": "s1" })),
                ),
            ] {
                let refused = world.refused(operation, and(input, more.clone()));
                assert_eq!(
                    refused,
                    (404, "ResourceNotFoundException", missing.clone()),
                    "{operation}"
                );
            }
        }
    }

    #[test]
    fn a_revision_has_to_be_the_latest_and_an_id_new() {
        let mut world = world();
        world.done("AddLayerVersionPermission", permission("s1"));
        let refused = world.refused("AddLayerVersionPermission", permission("s1"));
        let text = "The statement id (s1) provided already exists. Please provide a new statement id, or remove the existing statement.";
        assert_eq!(refused, (409, "ResourceConflictException", text.to_owned()));
        let text = "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id";
        let stale = (412, "PreconditionFailedException", text.to_owned());
        let revision = json!({ "RevisionId": "wrong" });
        let input = and(permission("s1"), revision.clone());
        assert_eq!(world.refused("AddLayerVersionPermission", input), stale);
        let input = and(and(version(), json!({ "StatementId": "s1" })), revision);
        assert_eq!(world.refused("RemoveLayerVersionPermission", input), stale);
    }

    #[test]
    fn a_policy_has_a_largest_size() {
        let mut world = world();
        let mut added = 0;
        let refused = loop {
            let id = format!("{added:0>100}");
            match world.call("AddLayerVersionPermission", permission(&id)) {
                Ok(_) => added += 1,
                Err(refused) => break refused,
            }
        };
        assert_eq!((refused.0, refused.1), (400, "PolicyLengthExceededException"));
        let body = world.done("GetLayerVersionPolicy", version());
        let size = body["Policy"].as_str().map_or(0, str::len);
        assert!((20_000..=20_480).contains(&size), "{size}");
    }
}
