//! STS: who a caller is, and keys that look temporary.
//!
//! Plausible, and no more: nobody is denied anything here, any role of any name may be assumed, and a key that was given
//! out matters only where signatures are required. Owns the identities: handlers of ours are a session of a role, a key of
//! the credentials file is a user, everybody else the account. Deliberately absent: policies, federation.

use std::time::Duration;

use router::time::Timestamp;
use scenarios::assemble::ACCOUNT;

use super::fault::Fault;
use super::given::{Given, iso};
use super::keys::{Key, Owner};
use super::query::{self, Call, constraint};
use super::secret::Secret;
use super::xml::Xml;

/// The version that its clients name.
pub const VERSION: &str = "2011-06-15";
/// The namespace of its answers.
pub const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

const ACTIONS: [&str; 3] = ["AssumeRole", "GetCallerIdentity", "GetSessionToken"];

/// What an operation did.
#[derive(Debug)]
pub struct Done {
    /// Its result.
    pub result: Xml,
    /// The key that it gave out, by its id.
    pub issued: Option<(String, Key)>,
}

/// Carries an operation out for a caller; `role_id` is what IAM knows of a role.
///
/// # Errors
/// The error to answer with.
pub fn act(
    call: &Call,
    caller: Option<&Owner>,
    role_id: impl FnOnce(&str) -> Option<String>,
    given: &Given,
    secret: &Secret,
) -> Result<Done, Fault> {
    match call.action.as_str() {
        "GetCallerIdentity" => Ok(Done {
            result: identity(caller),
            issued: None,
        }),
        "AssumeRole" => assume(call, role_id, given, secret),
        "GetSessionToken" => {
            let seconds = call.number("DurationSeconds", 900, 129_600)?.unwrap_or(43_200);
            let ends = given.now + Duration::from_secs(seconds);
            Ok(issue(Owner::Account { ends }, ends, given, secret, None))
        }
        _ => Err(query::no_action(call, VERSION, &ACTIONS)),
    }
}

fn identity(caller: Option<&Owner>) -> Xml {
    let (user, arn) = match caller {
        Some(Owner::Session {
            role, role_id, name, ..
        }) => session_of(role, role_id, name),
        Some(Owner::Handler) => session_of("triggerfish", "AROATRIGGERFISH000000", "handler"),
        Some(Owner::User(profile)) => (
            "AIDATRIGGERFISH000000".to_owned(),
            format!("arn:aws:iam::{ACCOUNT}:user/{profile}"),
        ),
        Some(Owner::Account { .. }) | None => (ACCOUNT.to_owned(), format!("arn:aws:iam::{ACCOUNT}:root")),
    };
    let mut xml = Xml::default();
    xml.text("Arn", &arn);
    xml.text("UserId", &user);
    xml.text("Account", ACCOUNT);
    xml
}

/// The id and the ARN of a role's session.
fn session_of(role: &str, role_id: &str, name: &str) -> (String, String) {
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}");
    (format!("{role_id}:{name}"), arn)
}

fn assume(
    call: &Call,
    role_id: impl FnOnce(&str) -> Option<String>,
    given: &Given,
    secret: &Secret,
) -> Result<Done, Fault> {
    let arn = call.required("RoleArn")?;
    let name = call.word("RoleSessionName", 2, 64)?.to_owned();
    let seconds = call.number("DurationSeconds", 900, 43_200)?.unwrap_or(3600);
    let role = role_of(arn).ok_or_else(|| {
        let rule = "Member must be the ARN of a role, such as arn:aws:iam::123456789012:role/NAME";
        constraint(&format!("'{arn}'"), "RoleArn", rule)
    })?;
    let role_id = role_id(role).unwrap_or_else(|| given.seeded("AROA", &format!("role/{role}")));
    let ends = given.now + Duration::from_secs(seconds);
    let (id, session) = session_of(role, &role_id, &name);
    let owner = Owner::Session {
        role: role.to_owned(),
        role_id,
        name,
        ends,
    };
    Ok(issue(owner, ends, given, secret, Some((id, session))))
}

/// The name in `arn:aws:iam::123456789012:role/path/NAME`.
fn role_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, "iam", "", account, resource] = parts.as_slice() else {
        return None;
    };
    let right =
        partition.starts_with("aws") && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
    (right && !name.is_empty()).then_some(name)
}

fn issue(
    owner: Owner,
    ends: Timestamp,
    given: &Given,
    secret: &Secret,
    session: Option<(String, String)>,
) -> Done {
    let id = given.unique("ASIA");
    let (secret, token) = (secret.key(&id), secret.token(&id));
    let mut result = Xml::default();
    if let Some((id, arn)) = session {
        result.within("AssumedRoleUser", |xml| {
            xml.text("AssumedRoleId", &id);
            xml.text("Arn", &arn);
        });
    }
    result.within("Credentials", |xml| {
        xml.text("AccessKeyId", &id);
        xml.text("SecretAccessKey", &secret);
        xml.text("SessionToken", &token);
        xml.text("Expiration", &iso(ends));
    });
    let token = Some(token);
    let key = Key { secret, token, owner };
    Done {
        result,
        issued: Some((id, key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::query::tests::call;

    fn done(call: &Call, caller: Option<&Owner>) -> Result<Done, Fault> {
        let secret = Secret::fresh().expect("randomness");
        let known = |role: &str| (role == "known").then(|| "AROAKNOWN".to_owned());
        act(call, caller, known, &Given::example(), &secret)
    }

    fn text(call: &Call, caller: Option<&Owner>) -> String {
        match done(call, caller) {
            Ok(done) => done.result.done(),
            Err(fault) => format!("{} {} {}", fault.status, fault.code, fault.message),
        }
    }

    #[test]
    fn a_caller_learns_who_it_is() {
        let who = |caller: Option<&Owner>| text(&call("GetCallerIdentity", &[]), caller);
        assert_eq!(
            who(None),
            "<Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId><Account>123456789012</Account>"
        );
        assert!(who(Some(&Owner::Handler)).contains(":assumed-role/triggerfish/handler</Arn>"));
        assert!(
            who(Some(&Owner::User("ci".to_owned()))).contains("<Arn>arn:aws:iam::123456789012:user/ci</Arn>")
        );
    }

    #[test]
    fn an_assumed_role_has_keys_that_end() {
        let role = [
            ("RoleArn", "arn:aws:iam::123456789012:role/path/known"),
            ("RoleSessionName", "me"),
            ("DurationSeconds", "900"),
        ];
        let done = done(&call("AssumeRole", &role), None).expect("done");
        let (id, key) = done.issued.expect("a key");
        let text = done.result.done();
        let head = "<AssumedRoleUser><AssumedRoleId>AROAKNOWN:me</AssumedRoleId>\
                    <Arn>arn:aws:sts::123456789012:assumed-role/known/me</Arn></AssumedRoleUser>";
        assert!(
            text.starts_with(&format!("{head}<Credentials><AccessKeyId>{id}</AccessKeyId>")),
            "{text}"
        );
        assert!(
            text.ends_with("<Expiration>2026-01-01T00:15:00Z</Expiration></Credentials>"),
            "{text}"
        );
        assert!(id.starts_with("ASIA") && id.len() == 20);
        assert!(text.contains(&key.secret));
        let who = identity(Some(&key.owner)).done();
        assert!(who.contains("<UserId>AROAKNOWN:me</UserId>"), "{who}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let session = ("RoleSessionName", "me");
        for (parameters, start) in [
            (
                vec![session],
                "400 ValidationError 1 validation error detected: Value null at 'roleArn'",
            ),
            (
                vec![session, ("RoleArn", "arn:aws:iam::1:role/x")],
                "400 ValidationError",
            ),
            (
                vec![session, ("RoleArn", "arn:aws:iam::123456789012:role/")],
                "400 ValidationError",
            ),
            (
                vec![session, ("RoleArn", "arn:aws:iam::123456789012:user/x")],
                "400 ValidationError",
            ),
            (
                vec![("RoleArn", "x"), ("RoleSessionName", "m")],
                "400 ValidationError",
            ),
        ] {
            let text = text(&call("AssumeRole", &parameters), None);
            assert!(text.starts_with(start), "{text}");
        }
        let short = [("DurationSeconds", "899")];
        assert!(text(&call("GetSessionToken", &short), None).contains("greater than or equal to 900"));
        let other = text(&call("GetFederationToken", &[]), None);
        assert!(
            other.starts_with("400 InvalidAction Could not find operation GetFederationToken"),
            "{other}"
        );
    }
}
