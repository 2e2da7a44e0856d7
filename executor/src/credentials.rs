//! The AWS credentials that handlers find in their environment.
//!
//! They are good for the fabric only: SDKs refuse to call anything without some. The caller's own never reach a handler.
//! Deliberately absent: where secrets come from; whoever checks signatures gives one.

use std::fmt;

/// A key with its secret and its session token (spec/lambda §4).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: String,
    /// `AWS_SESSION_TOKEN`.
    pub token: String,
}

impl Credentials {
    /// The id of every handler's key.
    pub const ID: &'static str = "ASIATRIGGERFISH00000";

    /// With a secret that nobody else knows, for a gateway that checks signatures.
    pub fn with_secret(secret: String) -> Self {
        Credentials {
            secret,
            ..Credentials::default()
        }
    }
}

/// The same in every run, so that virtual runs do not differ: no secret at all.
impl Default for Credentials {
    fn default() -> Self {
        Credentials {
            id: Credentials::ID.to_owned(),
            secret: "triggerfish/no/secret/at/all/0000000000".to_owned(),
            token: "triggerfish-session".to_owned(),
        }
    }
}

/// Secrets do not belong into logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
