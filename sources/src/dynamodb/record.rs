//! The stream record (spec/sources/dynamodb-streams §1, §2).
//!
//! Owns its fields, ids and which images it has. A record is the same however often it is made of the same change.
//! Deliberately absent: batches of records, which are the event source mapping's.

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use super::feed::change::{Change, Seq, What};
use super::feed::layout::Layout;
use super::size;
use super::value::{self, Item, Value};
use crate::dynamodb::cell::Cell;

/// The most bytes of a partition key.
pub const MAX_PARTITION_KEY: usize = 2_048;
/// The most bytes of a sort key.
pub const MAX_SORT_KEY: usize = 1_024;

/// Which images a stream's records have; fixed for its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ViewType {
    /// None: the keys only.
    KeysOnly,
    /// The item after the change.
    NewImage,
    /// The item before the change.
    OldImage,
    /// Both.
    NewAndOldImages,
}

/// What becomes of a NULL in a column that is not part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Nulls {
    /// The attribute `{"NULL": true}`.
    #[default]
    Null,
    /// No attribute.
    Omit,
}

/// The stream whose records are written.
#[derive(Clone, Debug)]
pub struct Stream {
    /// `arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>`.
    pub arn: String,
    /// AWS region.
    pub region: String,
    /// Which images.
    pub view: ViewType,
    /// What NULLs become.
    pub nulls: Nulls,
}

/// Why a change has no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrecorded {
    /// The images are the same to DynamoDB.
    #[error("nothing changed")]
    Unchanged,
    /// The key is none to DynamoDB.
    #[error("key attribute `{name}` is {problem}, which DynamoDB does not allow")]
    Key {
        /// The attribute.
        name: String,
        /// What it is.
        problem: String,
    },
}

/// A stream record, in the documented spelling.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// 32 hex digits: a hash of the stream and the sequence number.
    #[serde(rename = "eventID")]
    pub event_id: String,
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub event_name: &'static str,
    /// Always `1.1`.
    pub event_version: &'static str,
    /// Always `aws:dynamodb`.
    pub event_source: &'static str,
    /// AWS region.
    pub aws_region: String,
    /// What happened.
    pub dynamodb: StreamRecord,
    /// The stream.
    #[serde(rename = "eventSourceARN")]
    pub event_source_arn: String,
    /// Who did it, if that was DynamoDB itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_identity: Option<Identity>,
}

/// What happened to one item.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamRecord {
    /// Seconds since the epoch, rounded down.
    pub approximate_creation_date_time: u64,
    /// The key's attributes.
    pub keys: Item,
    /// The item after the change, by view type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_image: Option<Item>,
    /// The item before the change, by view type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_image: Option<Item>,
    /// 28 digits that grow.
    pub sequence_number: String,
    /// Bytes of keys and images by DynamoDB's rules.
    pub size_bytes: usize,
    /// Which images.
    pub stream_view_type: ViewType,
}

/// Who deleted an item whose time was over.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Always `Service`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Always `dynamodb.amazonaws.com`.
    pub principal_id: &'static str,
}

/// DynamoDB itself.
const TTL: Identity = Identity {
    kind: "Service",
    principal_id: "dynamodb.amazonaws.com",
};

impl Record {
    /// The record of `change` in `stream`.
    ///
    /// # Errors
    /// A change that DynamoDB would not record, or a key that it would refuse.
    pub fn new(change: &Change, stream: &Stream) -> Result<Record, Unrecorded> {
        let image = |row: &Vec<Cell>| item(&change.layout, row, stream.nulls);
        let (event_name, old, new) = match &change.what {
            What::Insert { new } => ("INSERT", None, Some(image(new))),
            What::Modify { old, new } => ("MODIFY", Some(image(old)), Some(image(new))),
            What::Remove { old } => ("REMOVE", Some(image(old)), None),
        };
        if old == new {
            return Err(Unrecorded::Unchanged);
        }
        let keys = keys(&change.layout, change.row())?;
        let (with_old, with_new) = match stream.view {
            ViewType::KeysOnly => (false, false),
            ViewType::NewImage => (false, true),
            ViewType::OldImage => (true, false),
            ViewType::NewAndOldImages => (true, true),
        };
        let (old, new) = (old.filter(|_| with_old), new.filter(|_| with_new));
        let images = old.iter().chain(&new).map(size::of_item).sum::<usize>();
        let sequence_number = sequence_number(change.seq);
        Ok(Record {
            event_id: event_id(&stream.arn, &sequence_number),
            event_name,
            event_version: "1.1",
            event_source: "aws:dynamodb",
            aws_region: stream.region.clone(),
            dynamodb: StreamRecord {
                approximate_creation_date_time: change.at.as_millis() / 1000,
                size_bytes: size::of_item(&keys) + images,
                keys,
                new_image: new,
                old_image: old,
                sequence_number,
                stream_view_type: stream.view,
            },
            event_source_arn: stream.arn.clone(),
            user_identity: change.ttl.then_some(TTL),
        })
    }
}

/// A place in the order as AWS spells one: always 28 digits, so that text and numbers sort alike.
pub fn sequence_number(seq: Seq) -> String {
    format!("1{:027}", seq.0)
}

/// The place that a sequence number names, if it is one of ours.
pub fn parse_sequence_number(text: &str) -> Option<Seq> {
    let digits = text.strip_prefix('1').filter(|rest| rest.len() == 27)?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Seq)).flatten()
}

fn event_id(arn: &str, sequence_number: &str) -> String {
    let digest = Md5::digest(format!("{arn}\n{sequence_number}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A row as an item.
pub fn item(layout: &Layout, row: &[Cell], nulls: Nulls) -> Item {
    let mut item = Item::new();
    for (at, column) in layout.attributes() {
        let Some(cell) = row.get(at) else { continue };
        let in_key = layout.key.contains(&at);
        if *cell == Cell::Null && nulls == Nulls::Omit && !in_key {
            continue;
        }
        let value = match in_key {
            true => value::of_key(column, cell),
            false => value::of(column, cell),
        };
        item.insert(column.name.clone(), value);
    }
    item
}

/// The key's attributes, as DynamoDB allows them (spec/sources/dynamodb-streams §3).
fn keys(layout: &Layout, row: &[Cell]) -> Result<Item, Unrecorded> {
    let mut keys = Item::new();
    for (rank, at) in layout.key.iter().enumerate() {
        let (Some(column), Some(cell)) = (layout.columns.get(*at), row.get(*at)) else {
            continue;
        };
        let value = value::of_key(column, cell);
        let limit = if rank == 0 {
            MAX_PARTITION_KEY
        } else {
            MAX_SORT_KEY
        };
        let problem = match &value {
            Value::Null => Some("NULL".to_owned()),
            Value::S(text) if text.is_empty() => Some("an empty string".to_owned()),
            Value::B(bytes) if bytes.is_empty() => Some("an empty blob".to_owned()),
            Value::S(_) | Value::B(_) if size::of(&value) > limit => {
                Some(format!("longer than {limit} bytes"))
            }
            _ => None,
        };
        if let Some(problem) = problem {
            let name = column.name.clone();
            return Err(Unrecorded::Key { name, problem });
        }
        keys.insert(column.name.clone(), value);
    }
    Ok(keys)
}
