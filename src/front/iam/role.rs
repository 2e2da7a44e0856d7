//! Roles, with the policies in them and attached to them.
//!
//! Owns their operations and AWS's words for what is wrong. Deliberately absent: what a policy allows.

use std::collections::{BTreeMap, BTreeSet};

use router::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::fault::Fault;
use super::super::given::{Given, iso};
use super::super::query::Call;
use super::super::xml::Xml;
use super::{
    Iam, ROLES, Tags, add_tags, arn, conflict, description_of, document, exists, no_entity, path_of,
    remove_tags, too_many, whole, write_tags,
};

/// Policies that may be attached to one role: AWS's highest quota.
const ATTACHED: usize = 25;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// `AROA…`.
    pub id: String,
    name: String,
    path: String,
    created: Timestamp,
    trust: String,
    description: Option<String>,
    session_seconds: u64,
    boundary: Option<String>,
    tags: Tags,
    inline: BTreeMap<String, String>,
    /// ARNs of the policies attached to it.
    pub attached: BTreeSet<String>,
}

impl Role {
    fn write(&self, xml: &mut Xml, whole: bool) {
        xml.text("Path", &self.path);
        xml.text("RoleName", &self.name);
        xml.text("RoleId", &self.id);
        xml.text("Arn", &arn("role", &self.path, &self.name));
        xml.text("CreateDate", &iso(self.created));
        xml.text("AssumeRolePolicyDocument", &document::encoded(&self.trust));
        if let Some(description) = &self.description {
            xml.text("Description", description);
        }
        xml.text("MaxSessionDuration", &self.session_seconds.to_string());
        // Lists leave them out (documented of ListRoles).
        if let Some(boundary) = self.boundary.as_ref().filter(|_| whole) {
            xml.within("PermissionsBoundary", |xml| {
                xml.text("PermissionsBoundaryType", "Policy");
                xml.text("PermissionsBoundaryArn", boundary);
            });
        }
        if whole && !self.tags.is_empty() {
            write_tags(xml, &self.tags);
        }
    }

    fn told(&self) -> Option<Xml> {
        let mut xml = Xml::default();
        xml.within("Role", |xml| self.write(xml, true));
        Some(xml)
    }
}

type Done = Result<Option<Xml>, Fault>;

/// Makes a role (`CreateRole`).
pub fn create(iam: &mut Iam, call: &Call, given: &Given) -> Done {
    let name = call.word("RoleName", 1, 64)?.to_owned();
    let role = Role {
        id: given.unique("AROA"),
        path: path_of(call)?,
        created: given.now,
        trust: document::trust(call, "AssumeRolePolicyDocument")?,
        description: description_of(call)?,
        session_seconds: session_seconds(call)?.unwrap_or(3600),
        boundary: call.get("PermissionsBoundary").map(str::to_owned),
        tags: add_tags(&Tags::new(), call)?,
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
        name: name.clone(),
    };
    // Names that differ by case only are one name.
    if iam.roles.keys().any(|other| other.eq_ignore_ascii_case(&name)) {
        return Err(exists(format!("Role with name {name} already exists.")));
    }
    if iam.roles.len() >= ROLES {
        return Err(too_many("RolesPerAccount", ROLES));
    }
    let told = role.told();
    iam.roles.insert(name, role);
    Ok(told)
}

/// Tells of a role (`GetRole`).
pub fn get(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    Ok(iam.role(call)?.told())
}

/// Tells of all roles below a path (`ListRoles`).
pub fn list(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let prefix = call.get("PathPrefix").unwrap_or("/");
    let roles = iam.roles.values().filter(|role| role.path.starts_with(prefix));
    Ok(whole("Roles", roles, |xml, role| role.write(xml, false)))
}

/// Removes a role that holds no policies any more (`DeleteRole`).
pub fn delete(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let role = iam.role(call)?;
    if !role.attached.is_empty() {
        return Err(conflict("Cannot delete entity, must detach all policies first."));
    }
    if !role.inline.is_empty() {
        return Err(conflict("Cannot delete entity, must delete policies first."));
    }
    let name = role.name.clone();
    iam.roles.remove(&name);
    Ok(None)
}

/// Changes what is said of a role (`UpdateRole`).
pub fn update(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let (description, seconds) = (description_of(call)?, session_seconds(call)?);
    let role = iam.role(call)?;
    if call.get("Description").is_some() {
        role.description = description;
    }
    role.session_seconds = seconds.unwrap_or(role.session_seconds);
    Ok(Some(Xml::default()))
}

/// Changes who may assume a role (`UpdateAssumeRolePolicy`).
pub fn update_trust(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let role = iam.role(call)?;
    role.trust = document::trust(call, "PolicyDocument")?;
    Ok(None)
}

/// Adds tags (`TagRole`).
pub fn tag(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let role = iam.role(call)?;
    role.tags = add_tags(&role.tags, call)?;
    Ok(None)
}

/// Removes tags (`UntagRole`).
pub fn untag(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    remove_tags(&mut iam.role(call)?.tags, call);
    Ok(None)
}

/// Tells the tags (`ListRoleTags`).
pub fn list_tags(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let role = iam.role(call)?;
    let mut xml = Xml::default();
    write_tags(&mut xml, &role.tags);
    xml.text("IsTruncated", "false");
    Ok(Some(xml))
}

/// Attaches a policy; one that is attached already stays so (`AttachRolePolicy`).
pub fn attach(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let arn = call.required("PolicyArn")?.to_owned();
    // AWS's own are not known here one by one.
    let attachable = iam.policies.contains_key(&arn) || arn.starts_with("arn:aws:iam::aws:policy/");
    let role = iam.role(call)?;
    if !attachable {
        return Err(no_entity(format!(
            "Policy {arn} does not exist or is not attachable."
        )));
    }
    if role.attached.len() >= ATTACHED && !role.attached.contains(&arn) {
        return Err(too_many("PoliciesPerRole", ATTACHED));
    }
    role.attached.insert(arn);
    Ok(None)
}

/// Detaches a policy (`DetachRolePolicy`).
pub fn detach(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let arn = call.required("PolicyArn")?;
    match iam.role(call)?.attached.remove(arn) {
        true => Ok(None),
        false => Err(no_entity(format!("Policy {arn} was not found."))),
    }
}

/// Tells the attached policies (`ListAttachedRolePolicies`).
pub fn list_attached(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let attached = &iam.role(call)?.attached;
    Ok(whole("AttachedPolicies", attached, |xml, arn| {
        xml.text("PolicyName", arn.rsplit('/').next().unwrap_or(arn));
        xml.text("PolicyArn", arn);
    }))
}

/// Puts a policy into a role, in place of one of its name (`PutRolePolicy`).
pub fn put_inline(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let name = call.word("PolicyName", 1, 128)?.to_owned();
    let role = iam.role(call)?;
    role.inline.insert(name, document::permissions(call)?);
    Ok(None)
}

/// Tells of a policy in a role (`GetRolePolicy`).
pub fn get_inline(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let name = call.word("PolicyName", 1, 128)?;
    let role = iam.role(call)?;
    let document = role.inline.get(name).ok_or_else(|| no_inline(name))?;
    let mut xml = Xml::default();
    xml.text("RoleName", &role.name);
    xml.text("PolicyName", name);
    xml.text("PolicyDocument", &document::encoded(document));
    Ok(Some(xml))
}

/// Tells the names of the policies in a role (`ListRolePolicies`).
pub fn list_inline(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let mut xml = Xml::default();
    let names = iam.role(call)?.inline.keys();
    xml.within("PolicyNames", |xml| {
        names.for_each(|name| xml.text("member", name))
    });
    xml.text("IsTruncated", "false");
    Ok(Some(xml))
}

/// Removes a policy from a role (`DeleteRolePolicy`).
pub fn delete_inline(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let name = call.word("PolicyName", 1, 128)?;
    match iam.role(call)?.inline.remove(name) {
        Some(_) => Ok(None),
        None => Err(no_inline(name)),
    }
}

/// There are no instances, so no role is in a profile of one; who deletes a role asks first.
pub fn list_profiles(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    iam.role(call)?;
    Ok(whole("InstanceProfiles", [(); 0], |_, ()| {}))
}

fn session_seconds(call: &Call) -> Result<Option<u64>, Fault> {
    call.number("MaxSessionDuration", 3600, 43_200)
}

fn no_inline(name: &str) -> Fault {
    no_entity(format!("The role policy with name {name} cannot be found."))
}
