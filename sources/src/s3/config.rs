//! A bucket's keys in a file, and the rules of bucket names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::source::{SourceError, parse_duration};

/// Our default quiet time. AWS has no counterpart; one millisecond keeps a handler's start within two
/// milliseconds of the close, and an editor's rename-save takes less.
const QUIET: Duration = Duration::from_millis(1);

/// A directory that plays a bucket.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "s3")]
pub struct Config {
    /// The bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens.
    pub bucket: String,
    /// The directory that holds the objects; `./<bucket>` if absent.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// `eventVersion` of the records.
    #[serde(default)]
    pub event_version: EventVersion,
    /// How long a file must be left alone before it counts as uploaded, such as `1ms` or `100ms`.
    #[serde(default)]
    pub quiet: Option<String>,
    /// Patterns of names that never become objects; replaces the default list of temporary names.
    #[serde(default)]
    pub ignore: Option<Vec<String>>,
    /// Whether saving the same bytes again is a new put; if absent, a write is and a bare `touch` is not.
    #[serde(default)]
    pub emit_identical: Option<bool>,
    /// Lets two routes take the same event, which S3 refuses.
    #[serde(default)]
    pub allow_overlap: bool,
    /// What to do about changes made while nobody was watching.
    #[serde(default)]
    pub on_start: OnStart,
    /// The event of a file renamed within the bucket.
    #[serde(default)]
    pub rename_as: RenameAs,
}

/// The number that the records carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum EventVersion {
    /// What S3 sends today for objects created and removed.
    #[default]
    #[serde(rename = "2.1")]
    V2_1,
    /// What S3 sent before 2018.
    #[serde(rename = "2.0")]
    V2_0,
}

impl EventVersion {
    /// The text in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            EventVersion::V2_1 => "2.1",
            EventVersion::V2_0 => "2.0",
        }
    }
}

/// What to do about changes made while nobody was watching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnStart {
    /// Emit what was missed since the last run; the first run takes the files it finds as known, as S3
    /// does when a notification is configured on a bucket with objects.
    #[default]
    Reconcile,
    /// Take the files as they are, without events.
    Ignore,
    /// Emit every file, and the removals that were missed.
    All,
}

/// The event of a file renamed within the bucket; the old name is always removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RenameAs {
    /// `ObjectCreated:Copy`: nothing was uploaded again.
    #[default]
    Copy,
    /// `ObjectCreated:Put`.
    Put,
}

/// The directory that a configuration means, relative paths being relative to `base`.
pub fn directory(config: &Config, base: &Path) -> PathBuf {
    match &config.directory {
        Some(directory) => base.join(directory),
        None => base.join(&config.bucket),
    }
}

impl Config {
    /// How long a file must be left alone.
    pub fn quiet(&self) -> Result<Duration, SourceError> {
        let Some(text) = &self.quiet else { return Ok(QUIET) };
        if text == "0" {
            return Ok(Duration::ZERO);
        }
        let bad = || SourceError::new(format!("`{text}` is not a length of time")).at("quiet");
        let quiet = parse_duration(text).ok_or_else(|| bad().help("write it like `1ms`, `100ms` or `2s`"))?;
        if quiet > Duration::from_secs(3600) {
            return Err(bad().help("use at most one hour"));
        }
        Ok(quiet)
    }

    /// Checks the bucket's name by S3's rules for general purpose buckets.
    pub fn check_bucket(&self) -> Result<(), SourceError> {
        let name = self.bucket.as_str();
        let why = if !(3..=63).contains(&name.len()) {
            "must be 3 to 63 characters long"
        } else if !name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
        {
            "may hold only lower-case letters, digits, dots and hyphens"
        } else if !edge(name.bytes().next()) || !edge(name.bytes().last()) {
            "must begin and end with a letter or a digit"
        } else if name.contains("..") {
            "must not hold two dots in a row"
        } else if name.parse::<std::net::Ipv4Addr>().is_ok() {
            "must not look like an IP address"
        } else if ["xn--", "sthree-", "amzn-s3-demo-"]
            .iter()
            .any(|p| name.starts_with(p))
        {
            "begins with a prefix that S3 reserves"
        } else if ["-s3alias", "--ol-s3", ".mrap", "--x-s3"]
            .iter()
            .any(|s| name.ends_with(s))
        {
            "ends with a suffix that S3 reserves"
        } else {
            return Ok(());
        };
        let shown: String = name.chars().take(80).collect();
        Err(SourceError::new(format!("bucket name `{shown}` {why}"))
            .at("bucket")
            .help("name it like `uploads` or `my-team.uploads`"))
    }
}

fn edge(byte: Option<u8>) -> bool {
    byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    fn config(text: &str) -> Config {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn bucket_names_follow_s3s_rules() {
        for good in ["abc", "a1.b-c", "my-bucket", &"x".repeat(63)] {
            assert!(
                config(&format!(r#"{{"bucket":"{good}"}}"#))
                    .check_bucket()
                    .is_ok(),
                "{good}"
            );
        }
        for bad in [
            "ab",
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            "a..b",
            "10.0.0.1",
            "xn--abc",
            "a/b",
            "x-s3alias",
            ".abc",
            "äbc",
        ] {
            assert!(
                config(&format!(r#"{{"bucket":"{bad}"}}"#))
                    .check_bucket()
                    .is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn defaults_are_ours_and_unknown_keys_are_refused() {
        let plain = config(r#"{"bucket":"uploads"}"#);
        assert_eq!(plain.quiet().unwrap(), QUIET);
        assert_eq!(plain.event_version.as_str(), "2.1");
        assert_eq!(directory(&plain, Path::new("/p")), Path::new("/p/uploads"));
        let set = config(r#"{"bucket":"uploads","directory":"in","quiet":"0"}"#);
        assert_eq!(set.quiet().unwrap(), Duration::ZERO);
        assert_eq!(directory(&set, Path::new("/p")), Path::new("/p/in"));
        assert!(config(r#"{"bucket":"uploads","quiet":"soon"}"#).quiet().is_err());
        assert!(serde_json::from_str::<Config>(r#"{"bucket":"uploads","buckets":1}"#).is_err());
    }
}
