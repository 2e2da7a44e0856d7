//! The event document: one record per event, in the field order of AWS's own samples.
//!
//! Deliberately absent: `versionId` (buckets here are not versioned) and every field that AWS leaves
//! out for these two kinds of event. A removal has neither `size` nor `eTag` (spec/sources/s3 §1).

use base64::Engine as _;
use bytes::Bytes;
use router::time::Timestamp;
use serde::Serialize;

use super::key;
use crate::source::Operation;

/// Who uploads: the shape of an IAM user's id.
pub const PRINCIPAL: &str = "AWS:AIDAEXAMPLEUSERID0001";
/// Who owns the bucket.
pub const OWNER: &str = "A3NL1KOZZKEXAMPLE";

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `ObjectCreated:Put`.
    Put,
    /// `ObjectCreated:Copy`: renamed within the bucket.
    Copy,
    /// `ObjectRemoved:Delete`.
    Delete,
}

impl Kind {
    /// `eventName`: the event type without `s3:`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Put => "ObjectCreated:Put",
            Kind::Copy => "ObjectCreated:Copy",
            Kind::Delete => "ObjectRemoved:Delete",
        }
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Kind> {
        [Kind::Put, Kind::Copy, Kind::Delete]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// One thing that happened, with everything a record says except its ids.
#[derive(Clone, Debug)]
pub struct Happening<'a> {
    /// What happened.
    pub kind: Kind,
    /// The bucket's name.
    pub bucket: &'a str,
    /// AWS region.
    pub region: &'a str,
    /// `eventVersion`.
    pub version: &'a str,
    /// The key, unencoded.
    pub key: &'a str,
    /// Bytes and MD5 in hex; `None` for a removal.
    pub content: Option<(u64, &'a str)>,
    /// Orders the events of one key.
    pub sequencer: u64,
    /// When.
    pub at: Timestamp,
}

/// The ids that S3 draws for one operation; every notification of it carries the same pair.
#[derive(Clone, Debug)]
pub struct Ids {
    /// `x-amz-request-id`: 16 upper-case hex digits.
    pub request: String,
    /// `x-amz-id-2`: base64 of 56 bytes, 76 characters with padding.
    pub host: String,
}

impl Ids {
    /// The ids of `operation`.
    pub fn of(operation: &Operation) -> Self {
        let request = operation.bytes("x-amz-request-id")[..8]
            .iter()
            .map(|b| format!("{b:02X}"))
            .collect();
        let mut host = operation.bytes("x-amz-id-2").to_vec();
        host.extend_from_slice(&operation.bytes("x-amz-id-2/2")[..24]);
        Ids {
            request,
            host: base64::engine::general_purpose::STANDARD.encode(host),
        }
    }
}

/// The event document for the subscription called `configuration`.
pub fn document(what: &Happening<'_>, ids: &Ids, configuration: &str) -> Bytes {
    let record = Record {
        event_version: what.version,
        event_source: "aws:s3",
        aws_region: what.region,
        event_time: what.at.iso_millis(),
        event_name: what.kind.name(),
        user_identity: Principal {
            principal_id: PRINCIPAL,
        },
        request_parameters: RequestParameters {
            source_ip_address: "127.0.0.1",
        },
        response_elements: ResponseElements {
            request: &ids.request,
            host: &ids.host,
        },
        s3: S3Part {
            s3_schema_version: "1.0",
            configuration_id: configuration,
            bucket: Bucket {
                name: what.bucket,
                owner_identity: Principal { principal_id: OWNER },
                arn: format!("arn:aws:s3:::{}", what.bucket),
            },
            object: Object {
                key: key::encode(what.key),
                size: what.content.map(|(size, _)| size),
                e_tag: what.content.map(|(_, md5)| md5),
                sequencer: format!("{:016X}", what.sequencer),
            },
        },
    };
    // Strings and numbers in structs always serialize.
    serde_json::to_vec(&Document { records: [record] })
        .unwrap_or_default()
        .into()
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "Records")]
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'a str,
    event_source: &'a str,
    aws_region: &'a str,
    event_time: String,
    event_name: &'a str,
    user_identity: Principal<'a>,
    request_parameters: RequestParameters<'a>,
    response_elements: ResponseElements<'a>,
    s3: S3Part<'a>,
}

#[derive(Serialize)]
struct Principal<'a> {
    #[serde(rename = "principalId")]
    principal_id: &'a str,
}

#[derive(Serialize)]
struct RequestParameters<'a> {
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: &'a str,
}

#[derive(Serialize)]
struct ResponseElements<'a> {
    #[serde(rename = "x-amz-request-id")]
    request: &'a str,
    #[serde(rename = "x-amz-id-2")]
    host: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct S3Part<'a> {
    s3_schema_version: &'a str,
    configuration_id: &'a str,
    bucket: Bucket<'a>,
    object: Object<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket<'a> {
    name: &'a str,
    owner_identity: Principal<'a>,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<&'a str>,
    sequencer: String,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;
    use serde_json::Value;

    fn fixture_ids() -> Ids {
        Ids {
            request: "C3D13FE58DE4C810".into(),
            host: "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD".into(),
        }
    }

    fn emitted(kind: Kind, content: Option<(u64, &str)>, version: &str) -> Bytes {
        let what = Happening {
            kind,
            bucket: "example-bucket",
            region: "us-east-1",
            version,
            key: "images/red flower.jpg",
            content,
            sequencer: 0,
            at: Timestamp::parse_iso("2025-01-21T23:21:10.482Z").unwrap(),
        };
        document(&what, &fixture_ids(), "images-created")
    }

    /// The same text with the sequencer, whose length is ours to choose, taken from the fixture.
    fn with_sequencer(document: &Bytes, sequencer: &str) -> String {
        let text = std::str::from_utf8(document).unwrap();
        text.replace("0000000000000000", sequencer)
    }

    fn compact(text: &str) -> String {
        let mut out = String::new();
        let mut quoted = false;
        for c in text.chars() {
            quoted ^= c == '"';
            if quoted || !c.is_whitespace() {
                out.push(c);
            }
        }
        out
    }

    #[test]
    fn a_put_is_the_documented_sample_field_for_field_in_order() {
        let ours = emitted(Kind::Put, Some((9, "437b930db84b8079c2dd804a71936b5f")), "2.1");
        let theirs = include_str!("../../tests/fixtures/s3-created-put.json");
        assert_eq!(with_sequencer(&ours, "0065B0A1C2D3E4F501"), compact(theirs));
    }

    #[test]
    fn a_removal_is_the_documented_sample_without_size_and_etag() {
        let ours = emitted(Kind::Delete, None, "2.1");
        let theirs = include_str!("../../tests/fixtures/s3-removed-delete.json");
        assert_eq!(with_sequencer(&ours, "0065B0A1C2D3E4F505"), compact(theirs));
    }

    #[test]
    fn the_fields_of_the_older_samples_are_all_there() {
        for (kind, content, sample) in [
            (
                Kind::Put,
                Some((1024, "0123")),
                include_str!("../../tests/fixtures/seed-s3-put.json"),
            ),
            (
                Kind::Delete,
                None,
                include_str!("../../tests/fixtures/seed-s3-delete.json"),
            ),
        ] {
            let ours: Value = serde_json::from_slice(&emitted(kind, content, "2.0")).unwrap();
            let theirs: Value = serde_json::from_str(sample).unwrap();
            assert_fields(&theirs, &ours, "");
            assert_eq!(ours["Records"][0]["eventVersion"], "2.0");
        }
    }

    fn assert_fields(wanted: &Value, found: &Value, path: &str) {
        match wanted {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let inner = found.get(name).unwrap_or_else(|| panic!("no {path}/{name}"));
                    assert_fields(value, inner, &format!("{path}/{name}"));
                }
            }
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    assert_fields(item, &found[n], &format!("{path}/{n}"));
                }
            }
            other => assert_eq!(
                std::mem::discriminant(other),
                std::mem::discriminant(found),
                "{path}"
            ),
        }
    }
}
