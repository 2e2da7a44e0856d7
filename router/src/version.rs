//! Which version of a function: the word of its own that ARNs, environments and answers carry.
//!
//! Owns the spelling of versions. Deliberately absent: which of them exist, and what an alias stands for; that is in
//! [`settings`](crate::settings).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{FunctionName, Name};

/// The word for what has no version yet.
pub const LATEST: &str = "$LATEST";

/// A version of a function (spec/lambda §2): never an alias.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Version {
    /// `$LATEST`, which may be changed.
    #[default]
    Latest,
    /// A published one, from 1; its code and settings stay as they are, and its number is never given again.
    Published(u64),
}

impl Version {
    /// Whether it may be changed.
    pub fn is_latest(self) -> bool {
        self == Version::Latest
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Latest => f.pad(LATEST),
            Version::Published(number) => number.fmt(f),
        }
    }
}

impl FromStr for Version {
    type Err = BadVersion;

    /// The version of `$LATEST` or `3`; digits as they are printed, so without a sign and without zeros before them.
    fn from_str(text: &str) -> Result<Self, BadVersion> {
        if text == LATEST {
            return Ok(Version::Latest);
        }
        let bad = || BadVersion(text.chars().take(80).collect());
        let number: u64 = text.parse().map_err(|_| bad())?;
        match number > 0 && number.to_string() == text {
            true => Ok(Version::Published(number)),
            false => Err(bad()),
        }
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = BadVersion;

    fn try_from(text: String) -> Result<Self, BadVersion> {
        text.parse()
    }
}

/// A text that names no version.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no version: use `$LATEST` or a number from 1")]
pub struct BadVersion(String);

/// One version of one function: what an execution environment runs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FunctionVersion {
    /// The function.
    pub function: FunctionName,
    /// Its version.
    pub version: Version,
}

impl FunctionVersion {
    /// What of the function may be changed.
    pub fn latest(function: FunctionName) -> Self {
        let version = Version::Latest;
        FunctionVersion { function, version }
    }

    /// The name of one of its environments: `env:f/1`, and `env:f:3/1` of version 3.
    pub fn environment(&self, number: u32) -> Name {
        Name::new(format!("env:{self}/{number}"))
    }
}

/// `f` for `$LATEST`, so that who has no versions sees none; `f:3` for version 3.
impl fmt::Display for FunctionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Version::Latest => self.function.fmt(f),
            Version::Published(number) => write!(f, "{}:{number}", self.function),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_spelled_as_on_aws_and_no_other_way() {
        for version in [
            Version::Latest,
            Version::Published(1),
            Version::Published(u64::MAX),
        ] {
            assert_eq!(version.to_string().parse(), Ok(version));
            let json = serde_json::to_string(&version).unwrap_or_default();
            assert_eq!(json, format!("\"{version}\""));
            assert_eq!(serde_json::from_str::<Version>(&json).ok(), Some(version));
        }
        for wrong in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            "1 ",
            "$latest",
            "prod",
            "18446744073709551616",
        ] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn environments_tell_their_version_where_there_is_one() {
        let latest = FunctionVersion::latest(FunctionName::new("f"));
        let third = FunctionVersion {
            version: Version::Published(3),
            ..latest.clone()
        };
        assert_eq!(latest.environment(1).as_str(), "env:f/1");
        assert_eq!(third.environment(12).as_str(), "env:f:3/12");
        assert!(latest < third);
    }
}
