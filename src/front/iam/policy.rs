//! Managed policies of the account, in their one version.
//!
//! Owns their operations. Deliberately absent: further versions, and the policies that AWS manages.

use router::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::fault::Fault;
use super::super::given::{Given, iso};
use super::super::query::{Call, constraint};
use super::super::xml::Xml;
use super::{
    Iam, POLICIES, Tags, add_tags, arn, conflict, description_of, document, exists, no_entity, path_of,
    remove_tags, too_many, whole, write_tags,
};

/// The only version that a policy has.
const ONLY: &str = "v1";

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    id: String,
    name: String,
    path: String,
    created: Timestamp,
    document: String,
    description: Option<String>,
    tags: Tags,
}

impl Policy {
    fn write(&self, xml: &mut Xml, attached: usize, whole: bool) {
        xml.text("PolicyName", &self.name);
        xml.text("PolicyId", &self.id);
        xml.text("Arn", &arn("policy", &self.path, &self.name));
        xml.text("Path", &self.path);
        xml.text("DefaultVersionId", ONLY);
        xml.text("AttachmentCount", &attached.to_string());
        xml.text("PermissionsBoundaryUsageCount", "0");
        xml.text("IsAttachable", "true");
        // Lists leave it out (documented of ListPolicies).
        if let Some(description) = self.description.as_ref().filter(|_| whole) {
            xml.text("Description", description);
        }
        xml.text("CreateDate", &iso(self.created));
        xml.text("UpdateDate", &iso(self.created));
        if whole && !self.tags.is_empty() {
            write_tags(xml, &self.tags);
        }
    }

    fn told(&self, attached: usize) -> Option<Xml> {
        let mut xml = Xml::default();
        xml.within("Policy", |xml| self.write(xml, attached, true));
        Some(xml)
    }

    fn write_version(&self, xml: &mut Xml) {
        xml.text("VersionId", ONLY);
        xml.text("IsDefaultVersion", "true");
        xml.text("CreateDate", &iso(self.created));
    }
}

type Done = Result<Option<Xml>, Fault>;

/// Makes a policy (`CreatePolicy`).
pub fn create(iam: &mut Iam, call: &Call, given: &Given) -> Done {
    let name = call.word("PolicyName", 1, 128)?.to_owned();
    let policy = Policy {
        id: given.unique("ANPA"),
        path: path_of(call)?,
        created: given.now,
        document: document::permissions(call)?,
        description: description_of(call)?,
        tags: add_tags(&Tags::new(), call)?,
        name: name.clone(),
    };
    // Whatever their paths and case, two policies have two names.
    let same = |other: &Policy| other.name.eq_ignore_ascii_case(&name);
    if iam.policies.values().any(same) {
        return Err(exists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    if iam.policies.len() >= POLICIES {
        return Err(too_many("PoliciesPerAccount", POLICIES));
    }
    let told = policy.told(0);
    iam.policies.insert(arn("policy", &policy.path, &name), policy);
    Ok(told)
}

/// Tells of a policy (`GetPolicy`).
pub fn get(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let attached = attachments(iam, call.required("PolicyArn")?);
    Ok(iam.policy(call)?.told(attached))
}

/// Tells the document of a policy (`GetPolicyVersion`).
pub fn get_version(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let policy = iam.policy(call)?;
    let version = call.required("VersionId")?;
    if version != ONLY {
        return Err(no_entity(format!(
            "Policy version {version} does not exist: a policy of triggerfish has {ONLY} only"
        )));
    }
    let mut xml = Xml::default();
    xml.within("PolicyVersion", |xml| {
        xml.text("Document", &document::encoded(&policy.document));
        policy.write_version(xml);
    });
    Ok(Some(xml))
}

/// Tells the only version of a policy (`ListPolicyVersions`).
pub fn list_versions(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let policy = iam.policy(call)?;
    Ok(whole("Versions", [policy], |xml, policy| {
        policy.write_version(xml)
    }))
}

/// Tells of the policies of the account (`ListPolicies`).
pub fn list(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let ours = match call.get("Scope") {
        None | Some("All" | "Local") => true,
        Some("AWS") => false,
        Some(other) => {
            let rule = "Member must satisfy enum value set: [All, AWS, Local]";
            return Err(constraint(&format!("'{other}'"), "Scope", rule));
        }
    };
    let prefix = call.get("PathPrefix").unwrap_or("/");
    let attached_only = call.get("OnlyAttached") == Some("true");
    let policies = iam
        .policies
        .iter()
        .filter(|(_, policy)| ours && policy.path.starts_with(prefix));
    let counted = policies.map(|(arn, policy)| (policy, attachments(iam, arn)));
    let chosen = counted.filter(|(_, attached)| *attached > 0 || !attached_only);
    Ok(whole("Policies", chosen, |xml, (policy, attached)| {
        policy.write(xml, attached, false)
    }))
}

/// Removes a policy that is attached nowhere (`DeletePolicy`).
pub fn delete(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    iam.policy(call)?;
    let arn = call.required("PolicyArn")?;
    if attachments(iam, arn) > 0 {
        return Err(conflict("Cannot delete a policy attached to entities."));
    }
    iam.policies.remove(arn);
    Ok(None)
}

/// Adds tags (`TagPolicy`).
pub fn tag(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    let policy = iam.policy(call)?;
    policy.tags = add_tags(&policy.tags, call)?;
    Ok(None)
}

/// Removes tags (`UntagPolicy`).
pub fn untag(iam: &mut Iam, call: &Call, _: &Given) -> Done {
    remove_tags(&mut iam.policy(call)?.tags, call);
    Ok(None)
}

fn attachments(iam: &Iam, arn: &str) -> usize {
    iam.roles
        .values()
        .filter(|role| role.attached.contains(arn))
        .count()
}
