//! A statement of a resource policy (spec/lambda §8.6).
//!
//! Owns its text, whose members have an order: clients compare it. Deliberately absent: what it lets in.

use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{invalid, text};
use crate::front::lambda::model::Input;

/// A statement; its fields are in the order of AWS's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// `StatementId`: unique within the policy.
    pub sid: String,
    effect: String,
    principal: Principal,
    action: String,
    resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Principal {
    Service {
        #[serde(rename = "Service")]
        service: String,
    },
    Account {
        #[serde(rename = "AWS")]
        arn: String,
    },
    /// `*`.
    Everyone(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    string_equals: Option<Equals>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bool: Option<Flag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arn_like: Option<Like>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Equals {
    #[serde(rename = "AWS:SourceAccount", skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(rename = "lambda:EventSourceToken", skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(
        rename = "lambda:FunctionUrlAuthType",
        skip_serializing_if = "Option::is_none"
    )]
    auth_type: Option<String>,
    #[serde(rename = "aws:PrincipalOrgID", skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Flag {
    #[serde(rename = "lambda:InvokedViaFunctionUrl")]
    via_url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Like {
    #[serde(rename = "AWS:SourceArn")]
    source: String,
}

impl Statement {
    /// The statement that an input asks for, of what has the ARN `resource`.
    ///
    /// # Errors
    /// A principal that is none, or a kind of authorization that the action does not have.
    pub fn read(input: &Input, resource: String) -> Result<Self, ApiError> {
        let own = |member: &str| text(input, member).map(str::to_owned);
        let action = own("Action").unwrap_or_default();
        let auth_type = own("FunctionUrlAuthType");
        if auth_type.is_some() && action != "lambda:InvokeFunctionUrl" {
            return Err(invalid(
                "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
            ));
        }
        let equals = Equals {
            account: own("SourceAccount"),
            token: own("EventSourceToken"),
            auth_type,
            organization: own("PrincipalOrgID"),
        };
        let condition = Condition {
            string_equals: Some(equals).filter(|equals| *equals != Equals::default()),
            bool: via_url(input),
            arn_like: own("SourceArn").map(|source| Like { source }),
        };
        Ok(Statement {
            sid: own("StatementId").unwrap_or_default(),
            effect: "Allow".to_owned(),
            principal: principal(text(input, "Principal").unwrap_or_default())?,
            action,
            resource,
            condition: Some(condition).filter(|condition| *condition != Condition::default()),
        })
    }
}

fn via_url(input: &Input) -> Option<Flag> {
    let given = input.get("InvokedViaFunctionUrl").and_then(Value::as_bool)?;
    let via_url = given.to_string();
    Some(Flag { via_url })
}

/// Everyone, an AWS service, an account by its number, or an identity by its ARN.
fn principal(given: &str) -> Result<Principal, ApiError> {
    let account = given.len() == 12 && given.bytes().all(|b| b.is_ascii_digit());
    let domains = [
        ".amazonaws.com",
        ".amazonaws.com.cn",
        ".amazon.com",
        ".aws.internal",
    ];
    let identity = given.starts_with("arn:") && [":iam::", ":sts::"].iter().any(|kind| given.contains(kind));
    if given == "*" {
        Ok(Principal::Everyone(given.to_owned()))
    } else if account {
        let arn = format!("arn:aws:iam::{given}:root");
        Ok(Principal::Account { arn })
    } else if identity {
        let arn = given.to_owned();
        Ok(Principal::Account { arn })
    } else if domains.iter().any(|domain| given.ends_with(domain)) {
        let service = given.to_owned();
        Ok(Principal::Service { service })
    } else {
        Err(invalid(
            "The provided principal was invalid. Please check the principal and try again.",
        ))
    }
}
