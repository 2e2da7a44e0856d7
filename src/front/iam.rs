//! IAM: roles and policies that are remembered, so that scripts which make them first run unchanged.
//!
//! Plausible, and no more: documents are kept as they came and **nothing is enforced**; a function runs whether its role
//! exists or not, and `iam:PassRole`, which is a permission and no operation, is never asked for. Managed policies of AWS
//! (`arn:aws:iam::aws:policy/…`) can be attached unseen. Lists come whole, never in pages.
//!
//! Owns the state, a plain value that is given time and ids. Deliberately absent: users, groups, instance profiles,
//! versions of policies beyond the first, and where the state is kept ([`kept`]).

mod document;
pub mod kept;
mod policy;
mod role;

use std::collections::BTreeMap;

use scenarios::assemble::ACCOUNT;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::given::Given;
use super::query::{self, Call, constraint, validation};
use super::xml::Xml;
use policy::Policy;
use role::Role;

/// The version that its clients name.
pub const VERSION: &str = "2010-05-08";
/// The namespace of its answers.
pub const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// Roles that an account may have.
const ROLES: usize = 1000;
/// Policies that an account may have.
const POLICIES: usize = 1500;
/// Tags of one role or policy.
const TAGS: usize = 50;

/// An operation: what it changes, and what it answers, if anything.
type Operation = fn(&mut Iam, &Call, &Given) -> Result<Option<Xml>, Fault>;

const OPERATIONS: [(&str, Operation); 25] = [
    ("AttachRolePolicy", role::attach),
    ("CreatePolicy", policy::create),
    ("CreateRole", role::create),
    ("DeletePolicy", policy::delete),
    ("DeleteRole", role::delete),
    ("DeleteRolePolicy", role::delete_inline),
    ("DetachRolePolicy", role::detach),
    ("GetPolicy", policy::get),
    ("GetPolicyVersion", policy::get_version),
    ("GetRole", role::get),
    ("GetRolePolicy", role::get_inline),
    ("ListAttachedRolePolicies", role::list_attached),
    ("ListInstanceProfilesForRole", role::list_profiles),
    ("ListPolicies", policy::list),
    ("ListPolicyVersions", policy::list_versions),
    ("ListRolePolicies", role::list_inline),
    ("ListRoles", role::list),
    ("ListRoleTags", role::list_tags),
    ("PutRolePolicy", role::put_inline),
    ("TagPolicy", policy::tag),
    ("TagRole", role::tag),
    ("UntagPolicy", policy::untag),
    ("UntagRole", role::untag),
    ("UpdateAssumeRolePolicy", role::update_trust),
    ("UpdateRole", role::update),
];

/// The roles and policies of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iam {
    roles: BTreeMap<String, Role>,
    /// By their ARN.
    policies: BTreeMap<String, Policy>,
}

impl Iam {
    /// Carries an operation out.
    ///
    /// # Errors
    /// The error to answer with; nothing was changed then.
    pub fn act(&mut self, call: &Call, given: &Given) -> Result<Option<Xml>, Fault> {
        match OPERATIONS.iter().find(|(name, _)| *name == call.action) {
            Some((_, operation)) => operation(self, call, given),
            None => {
                let here: Vec<&str> = OPERATIONS.iter().map(|(name, _)| *name).collect();
                Err(query::no_action(call, VERSION, &here))
            }
        }
    }

    /// The id of a role, if it exists.
    pub fn role_id(&self, name: &str) -> Option<String> {
        self.roles.get(name).map(|role| role.id.clone())
    }

    fn role(&mut self, call: &Call) -> Result<&mut Role, Fault> {
        let name = call.word("RoleName", 1, 64)?;
        let missing = || no_entity(format!("The role with name {name} cannot be found."));
        self.roles.get_mut(name).ok_or_else(missing)
    }

    fn policy(&mut self, call: &Call) -> Result<&mut Policy, Fault> {
        let arn = call.required("PolicyArn")?;
        let missing = || no_entity(format!("Policy {arn} was not found."));
        self.policies.get_mut(arn).ok_or_else(missing)
    }
}

fn arn(kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{kind}{path}{name}")
}

/// `Path`: `/` or a text between slashes.
fn path_of(call: &Call) -> Result<String, Fault> {
    let path = call.get("Path").unwrap_or("/");
    let visible = path.bytes().all(|b| (0x21..=0x7e).contains(&b));
    match visible && path.len() <= 512 && path.starts_with('/') && path.ends_with('/') {
        true => Ok(path.to_owned()),
        false => Err(validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric \
             characters and/or / characters."
                .to_owned(),
        )),
    }
}

/// `Description`, of at most 1000 characters.
fn description_of(call: &Call) -> Result<Option<String>, Fault> {
    let text = call.get("Description");
    if let Some(text) = text.filter(|text| text.chars().count() > 1000) {
        let rule = "Member must have length less than or equal to 1000";
        return Err(constraint(&format!("'{text}'"), "Description", rule));
    }
    Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
}

type Tags = BTreeMap<String, String>;

/// Takes `Tags` in.
fn add_tags(tags: &Tags, call: &Call) -> Result<Tags, Fault> {
    let mut all = tags.clone();
    for (key, value) in call
        .list("Tags", ".Key")
        .into_iter()
        .zip(call.list("Tags", ".Value"))
    {
        let longest = |text: &str, most: usize| text.chars().count() <= most;
        if key.is_empty() || !longest(key, 128) || !longest(value, 256) {
            let rule = "Member must have a key of 1 to 128 characters and a value of at most 256";
            return Err(constraint(&format!("'{key}'"), "Tags", rule));
        }
        all.insert(key.to_owned(), value.to_owned());
    }
    if all.len() > TAGS {
        return Err(too_many("TagsPerResource", TAGS));
    }
    Ok(all)
}

fn remove_tags(tags: &mut Tags, call: &Call) {
    for key in call.list("TagKeys", "") {
        tags.remove(key);
    }
}

fn write_tags(xml: &mut Xml, tags: &Tags) {
    xml.members("Tags", tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

/// A list that is whole.
fn whole<T>(name: &str, items: impl IntoIterator<Item = T>, write: impl FnMut(&mut Xml, T)) -> Option<Xml> {
    let mut xml = Xml::default();
    xml.members(name, items, write);
    xml.text("IsTruncated", "false");
    Some(xml)
}

fn no_entity(message: String) -> Fault {
    Fault::new(404, "NoSuchEntity", message)
}

fn exists(message: String) -> Fault {
    Fault::new(409, "EntityAlreadyExists", message)
}

fn conflict(message: &str) -> Fault {
    Fault::new(409, "DeleteConflict", message)
}

fn too_many(quota: &str, most: usize) -> Fault {
    Fault::new(
        409,
        "LimitExceeded",
        format!("Cannot exceed quota for {quota}: {most}"),
    )
}

#[cfg(test)]
#[path = "iam_tests.rs"]
mod tests;
