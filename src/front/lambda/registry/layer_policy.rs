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
