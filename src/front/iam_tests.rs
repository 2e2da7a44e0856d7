//! What deployment scripts do first, in the XML that AWS answers.

use super::*;
use crate::front::query::tests::call;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
const MANAGED: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
const OURS: &str = "arn:aws:iam::123456789012:policy/p";

struct World(Iam);

impl World {
    /// The result, or `status code message`.
    fn say(&mut self, action: &str, parameters: &[(&str, &str)]) -> String {
        let before = self.0.clone();
        match self.0.act(&call(action, parameters), &Given::example()) {
            Ok(result) => result.map(Xml::done).unwrap_or_default(),
            Err(fault) => {
                assert_eq!(self.0, before, "an error changes nothing");
                format!("{} {} {}", fault.status, fault.code, fault.message)
            }
        }
    }

    fn with_role() -> Self {
        let mut world = World(Iam::default());
        let made = world.say(
            "CreateRole",
            &[("RoleName", "r"), ("AssumeRolePolicyDocument", TRUST)],
        );
        assert!(made.starts_with("<Role>"), "{made}");
        let made = world.say("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", POLICY)]);
        assert!(made.starts_with("<Policy>"), "{made}");
        world
    }

    fn of_role(&mut self, action: &str, more: &[(&str, &str)]) -> String {
        let all: Vec<_> = [("RoleName", "r")]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        self.say(action, &all)
    }
}

#[test]
fn a_role_is_told_as_aws_tells_it() {
    let mut world = World(Iam::default());
    let made = world.say(
        "CreateRole",
        &[
            ("RoleName", "fn-role"),
            ("Path", "/service/"),
            (
                "AssumeRolePolicyDocument",
                r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"a:b"}]}"#,
            ),
            ("Description", "for <f>"),
            ("Tags.member.1.Key", "k"),
            ("Tags.member.1.Value", "v"),
        ],
    );
    let id = world.0.role_id("fn-role").unwrap_or_default();
    assert!(id.starts_with("AROA") && id.len() == 21, "{id}");
    assert_eq!(
        made,
        format!(
            "<Role><Path>/service/</Path><RoleName>fn-role</RoleName><RoleId>{id}</RoleId>\
             <Arn>arn:aws:iam::123456789012:role/service/fn-role</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
             <AssumeRolePolicyDocument>%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22\
             %2A%22%2C%22Action%22%3A%22a%3Ab%22%7D%5D%7D</AssumeRolePolicyDocument>\
             <Description>for &lt;f&gt;</Description><MaxSessionDuration>3600</MaxSessionDuration>\
             <Tags><member><Key>k</Key><Value>v</Value></member></Tags></Role>"
        )
    );
    assert_eq!(world.say("GetRole", &[("RoleName", "fn-role")]), made);
    let list = world.say("ListRoles", &[("PathPrefix", "/service/")]);
    assert!(
        list.starts_with("<Roles><member><Path>") && !list.contains("<Tags>"),
        "{list}"
    );
    assert_eq!(
        world.say("ListRoles", &[("PathPrefix", "/other/")]),
        "<Roles></Roles><IsTruncated>false</IsTruncated>"
    );
}

#[test]
fn what_exists_already_and_what_does_not() {
    let mut world = World::with_role();
    assert_eq!(
        world.say(
            "CreateRole",
            &[("RoleName", "R"), ("AssumeRolePolicyDocument", TRUST)]
        ),
        "409 EntityAlreadyExists Role with name R already exists."
    );
    assert_eq!(
        world.say(
            "CreatePolicy",
            &[("PolicyName", "p"), ("PolicyDocument", POLICY), ("Path", "/x/")]
        ),
        "409 EntityAlreadyExists A policy called p already exists. Duplicate names are not allowed."
    );
    let missing = "404 NoSuchEntity The role with name no cannot be found.";
    for action in [
        "GetRole",
        "DeleteRole",
        "ListRoleTags",
        "ListRolePolicies",
        "ListAttachedRolePolicies",
    ] {
        assert_eq!(world.say(action, &[("RoleName", "no")]), missing, "{action}");
    }
    let no = "arn:aws:iam::123456789012:policy/no";
    for action in ["GetPolicy", "DeletePolicy", "ListPolicyVersions"] {
        let said = world.say(action, &[("PolicyArn", no)]);
        assert_eq!(
            said,
            format!("404 NoSuchEntity Policy {no} was not found."),
            "{action}"
        );
    }
    assert_eq!(
        world.of_role("AttachRolePolicy", &[("PolicyArn", no)]),
        format!("404 NoSuchEntity Policy {no} does not exist or is not attachable.")
    );
}

#[test]
fn policies_are_attached_and_detached() {
    let mut world = World::with_role();
    for arn in [MANAGED, OURS, OURS] {
        assert_eq!(world.of_role("AttachRolePolicy", &[("PolicyArn", arn)]), "");
    }
    assert_eq!(
        world.of_role("ListAttachedRolePolicies", &[]),
        format!(
            "<AttachedPolicies><member><PolicyName>p</PolicyName><PolicyArn>{OURS}</PolicyArn></member>\
             <member><PolicyName>AWSLambdaBasicExecutionRole</PolicyName><PolicyArn>{MANAGED}</PolicyArn></member>\
             </AttachedPolicies><IsTruncated>false</IsTruncated>"
        )
    );
    let got = world.say("GetPolicy", &[("PolicyArn", OURS)]);
    assert!(got.contains("<AttachmentCount>1</AttachmentCount>"), "{got}");
    assert_eq!(
        world.say("DeletePolicy", &[("PolicyArn", OURS)]),
        "409 DeleteConflict Cannot delete a policy attached to entities."
    );
    assert_eq!(
        world.of_role("DeleteRole", &[]),
        "409 DeleteConflict Cannot delete entity, must detach all policies first."
    );
    for arn in [MANAGED, OURS] {
        assert_eq!(world.of_role("DetachRolePolicy", &[("PolicyArn", arn)]), "");
    }
    let again = world.of_role("DetachRolePolicy", &[("PolicyArn", OURS)]);
    assert!(again.starts_with("404 NoSuchEntity"), "{again}");
    assert_eq!(world.of_role("DeleteRole", &[]), "");
    assert_eq!(world.say("DeletePolicy", &[("PolicyArn", OURS)]), "");
    assert_eq!(world.0, Iam::default());
}

#[test]
fn policies_are_put_into_a_role() {
    let mut world = World::with_role();
    let named = ("PolicyName", "in");
    let put = [named, ("PolicyDocument", POLICY)];
    assert_eq!(world.of_role("PutRolePolicy", &put), "");
    assert_eq!(
        world.of_role("ListRolePolicies", &[]),
        "<PolicyNames><member>in</member></PolicyNames><IsTruncated>false</IsTruncated>"
    );
    let got = world.of_role("GetRolePolicy", &[named]);
    let head = "<RoleName>r</RoleName><PolicyName>in</PolicyName><PolicyDocument>%7B%22Version%22";
    assert!(got.starts_with(head), "{got}");
    assert!(
        world
            .of_role("DeleteRole", &[])
            .ends_with("must delete policies first.")
    );
    assert_eq!(world.of_role("DeleteRolePolicy", &[named]), "");
    assert_eq!(
        world.of_role("DeleteRolePolicy", &[named]),
        "404 NoSuchEntity The role policy with name in cannot be found."
    );
}

#[test]
fn documents_have_a_form() {
    let mut world = World::with_role();
    for (document, message) in [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        (r#"{"Statement":[]}"#, "Syntax errors in policy."),
        (
            r#"{"Statement":{"Effect":"Maybe","Action":"a","Principal":"*"}}"#,
            "Syntax errors in policy.",
        ),
        (POLICY, "Has prohibited field Resource"),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"a"}}"#,
            "Missing required field Principal",
        ),
    ] {
        let said = world.of_role("UpdateAssumeRolePolicy", &[("PolicyDocument", document)]);
        assert_eq!(
            said,
            format!("400 MalformedPolicyDocument {message}"),
            "{document}"
        );
    }
    let said = world.of_role("PutRolePolicy", &[("PolicyName", "x"), ("PolicyDocument", TRUST)]);
    assert_eq!(
        said,
        "400 MalformedPolicyDocument Policy document should not specify a principal."
    );
    assert_eq!(
        world.of_role("UpdateAssumeRolePolicy", &[("PolicyDocument", TRUST)]),
        ""
    );
}

#[test]
fn values_are_checked() {
    let mut world = World::with_role();
    let trust = ("AssumeRolePolicyDocument", TRUST);
    let long = "x".repeat(65);
    for parameters in [
        vec![trust],
        vec![trust, ("RoleName", "a b")],
        vec![trust, ("RoleName", &long)],
        vec![trust, ("RoleName", "a"), ("Path", "x")],
        vec![trust, ("RoleName", "a"), ("MaxSessionDuration", "3599")],
        vec![("RoleName", "a")],
    ] {
        let said = world.say("CreateRole", &parameters);
        assert!(said.starts_with("400 ValidationError"), "{said}");
    }
    let said = world.say("ListPolicies", &[("Scope", "Mine")]);
    assert!(said.contains("[All, AWS, Local]"), "{said}");
    let said = world.say("CreateUser", &[]);
    assert!(
        said.starts_with("400 InvalidAction Could not find operation CreateUser"),
        "{said}"
    );
}

#[test]
fn tags_come_and_go() {
    let mut world = World::with_role();
    let tags: Vec<(String, String)> = (1..=51)
        .map(|n| (format!("Tags.member.{n}.Key"), format!("k{n}")))
        .collect();
    let values: Vec<(String, String)> = (1..=51)
        .map(|n| (format!("Tags.member.{n}.Value"), String::new()))
        .collect();
    let many: Vec<(&str, &str)> = tags
        .iter()
        .chain(&values)
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let said = world.of_role("TagRole", &many);
    assert_eq!(
        said,
        "409 LimitExceeded Cannot exceed quota for TagsPerResource: 50"
    );
    let two = [
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "b"),
        ("Tags.member.2.Value", "2"),
    ];
    assert_eq!(world.of_role("TagRole", &two), "");
    assert_eq!(world.of_role("UntagRole", &[("TagKeys.member.1", "a")]), "");
    assert_eq!(
        world.of_role("ListRoleTags", &[]),
        "<Tags><member><Key>b</Key><Value>2</Value></member></Tags><IsTruncated>false</IsTruncated>"
    );
}

#[test]
fn a_policy_has_one_version() {
    let mut world = World::with_role();
    let of = ("PolicyArn", OURS);
    let versions = "<Versions><member><VersionId>v1</VersionId><IsDefaultVersion>true</IsDefaultVersion>\
                    <CreateDate>2026-01-01T00:00:00Z</CreateDate></member></Versions><IsTruncated>false</IsTruncated>";
    assert_eq!(world.say("ListPolicyVersions", &[of]), versions);
    assert!(
        world
            .say("GetPolicyVersion", &[of, ("VersionId", "v1")])
            .contains("<Document>%7B")
    );
    assert!(
        world
            .say("GetPolicyVersion", &[of, ("VersionId", "v2")])
            .starts_with("404 NoSuchEntity")
    );
    assert!(
        world
            .say("ListPolicies", &[("Scope", "Local")])
            .contains("<PolicyName>p</PolicyName>")
    );
    for none in [("Scope", "AWS"), ("OnlyAttached", "true")] {
        assert_eq!(
            world.say("ListPolicies", &[none]),
            "<Policies></Policies><IsTruncated>false</IsTruncated>"
        );
    }
}

#[test]
fn the_state_survives_as_json() {
    let mut world = World::with_role();
    world.of_role("AttachRolePolicy", &[("PolicyArn", OURS)]);
    let text = serde_json::to_string(&world.0).unwrap_or_default();
    let read: Iam = serde_json::from_str(&text).unwrap_or_default();
    assert_eq!(read, world.0);
}
