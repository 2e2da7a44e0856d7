//! Sample events in the documented format, for `triggerfish event s3`.
//!
//! Owns the settings by which one is varied. The document itself is written where all are, in [`record`](super::record).

use std::collections::BTreeMap;

use router::event::Receipt;
use router::name::{FunctionName, RouteName, Seed, SourceName};
use router::time::Timestamp;

use super::key;
use super::record::{self, Happening, Ids, Kind};
use crate::source::{Emitter, SourceError};

/// The events there are samples of.
pub const SAMPLES: &[&str] = &["put", "copy", "delete"];

/// A sample event in the documented format, one of [`SAMPLES`], with `bucket`, `key`, `size`, `etag`,
/// `region`, `time` and `configuration` as settings.
///
/// # Errors
/// An unknown event or setting, or a value that does not fit.
pub fn sample(kind: &str, settings: &BTreeMap<String, String>) -> Result<serde_json::Value, SourceError> {
    const SETTINGS: &[&str] = &["bucket", "configuration", "etag", "key", "region", "size", "time"];
    let kind = match kind {
        "put" => Kind::Put,
        "copy" => Kind::Copy,
        "delete" => Kind::Delete,
        other => {
            let help = format!("there are {}", SAMPLES.join(", "));
            return Err(SourceError::new(format!("s3 has no event `{other}`")).help(help));
        }
    };
    if let Some(unknown) = settings.keys().find(|name| !SETTINGS.contains(&name.as_str())) {
        let help = format!("settings are {}", SETTINGS.join(", "));
        return Err(SourceError::new(format!("s3 events have no setting `{unknown}`")).help(help));
    }
    let get = |name: &str, default: &'static str| settings.get(name).map_or(default, String::as_str);
    let at = Timestamp::parse_iso(get("time", "2026-01-01T00:00:00.000Z")).ok_or_else(|| {
        SourceError::new("`time` is not an RFC 3339 time").help("write it like 2026-01-01T00:00:00Z")
    })?;
    let size = get("size", "1024")
        .parse()
        .map_err(|_| SourceError::new("`size` is not a number of bytes"))?;
    let key = get("key", "HappyFace.jpg");
    key::check(key)?;
    let what = Happening {
        kind,
        bucket: get("bucket", "example-bucket"),
        region: get("region", "us-east-1"),
        version: "2.1",
        key,
        content: (kind != Kind::Delete).then_some((size, get("etag", "d41d8cd98f00b204e9800998ecf8427e"))),
        sequencer: at.as_nanos(),
        at,
    };
    let mut document = serde_json::Value::Null;
    let (route, to) = (
        RouteName::new(get("configuration", "testConfigRule")),
        FunctionName::new("f"),
    );
    let mut emitter = Emitter::new(SourceName::new("sample"), Seed(0), "sample");
    emitter.observe(
        Receipt(0),
        kind.name(),
        key,
        [(&route, &to)],
        Vec::new(),
        |operation, route| {
            let bytes = record::document(&what, &Ids::of(operation), route.as_str());
            document = serde_json::from_slice(&bytes).unwrap_or_default();
            bytes
        },
    );
    Ok(document)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn a_sample_takes_what_is_set_and_refuses_the_rest() {
        let set = BTreeMap::from([("key".to_owned(), "a b.jpg".to_owned())]);
        let put = sample("put", &set).unwrap();
        assert_eq!(put["Records"][0]["s3"]["object"]["key"], "a+b.jpg");
        assert_eq!(
            put["Records"][0]["responseElements"]["x-amz-id-2"]
                .as_str()
                .unwrap()
                .len(),
            76
        );
        assert!(
            sample("delete", &set).unwrap()["Records"][0]["s3"]["object"]
                .get("size")
                .is_none()
        );
        assert!(sample("move", &set).is_err());
        assert!(sample("put", &BTreeMap::from([("kye".to_owned(), String::new())])).is_err());
    }
}
