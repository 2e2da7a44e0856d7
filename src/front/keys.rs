//! The access keys that are accepted where signatures are required: those of a credentials file, and those given out here.
//!
//! Owns the file's form: AWS's shared credentials, profiles with `aws_access_key_id` and `aws_secret_access_key`. Other
//! settings of a profile are AWS's and mean nothing here. Deliberately absent: the calculation
//! ([`signature`](super::signature)), and whom a key belongs to otherwise ([`sts`](super::sts)).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use router::time::Timestamp;

/// A key that may sign.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// What is never sent.
    pub secret: String,
    /// The session token that must come with it.
    pub token: Option<String>,
    /// Whose it is.
    pub owner: Owner,
}

/// Whom a key makes its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A user, by the profile of the file.
    User(String),
    /// Handlers of ours.
    Handler,
    /// A session of a role: its role, its name, and when it ends.
    Session {
        /// The name of the role.
        role: String,
        /// The id of the role.
        role_id: String,
        /// The name of the session.
        name: String,
        /// After this the key is no longer accepted.
        ends: Timestamp,
    },
    /// The account itself, in a session that ends (`GetSessionToken`).
    Account {
        /// After this the key is no longer accepted.
        ends: Timestamp,
    },
}

impl Owner {
    /// When its key stops being accepted, if it does.
    pub fn ends(&self) -> Option<Timestamp> {
        match self {
            Owner::Session { ends, .. } | Owner::Account { ends } => Some(*ends),
            Owner::User(_) | Owner::Handler => None,
        }
    }
}

/// Secrets do not belong into logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// Keys given out and not ended that are remembered at most; the next to end is forgotten first.
const ISSUED: usize = 10_000;

/// All keys by their id.
#[derive(Debug, Default)]
pub struct Keys {
    fixed: BTreeMap<String, Key>,
    issued: Mutex<BTreeMap<String, Key>>,
}

impl Keys {
    /// Those of a credentials file.
    ///
    /// # Errors
    /// Where the file is wrong, as `file:line: what`.
    pub fn parse(text: &str, file: &Path) -> Result<Self, String> {
        let wrong = |line: usize, what: String| format!("{}:{line}: {what}", file.display());
        let mut reading = Reading::default();
        for (number, line) in (1..).zip(text.lines()) {
            reading.line(number, line).map_err(|what| wrong(number, what))?;
        }
        reading.close().map_err(|(line, what)| wrong(line, what))?;
        match reading.keys.is_empty() {
            true => Err(wrong(
                1,
                "no profile has a key: write aws_access_key_id and aws_secret_access_key below [default]"
                    .to_owned(),
            )),
            false => Ok(Keys {
                fixed: reading.keys,
                issued: Mutex::default(),
            }),
        }
    }

    /// Takes a key in that lasts as long as the run.
    pub fn accept(&mut self, id: &str, key: Key) {
        self.fixed.insert(id.to_owned(), key);
    }

    /// Takes a key in that was given out at `now`.
    pub fn issue(&self, id: &str, key: Key, now: Timestamp) {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if issued.len() >= ISSUED {
            issued.retain(|_, key| key.owner.ends().is_none_or(|end| end > now));
        }
        if issued.len() >= ISSUED {
            let ends = issued.iter().min_by_key(|(_, key)| key.owner.ends());
            let next = ends.map(|(id, _)| id.clone());
            next.map(|id| issued.remove(&id));
        }
        issued.insert(id.to_owned(), key);
    }

    /// The key of an id.
    pub fn find(&self, id: &str) -> Option<Key> {
        let fixed = self.fixed.get(id).cloned();
        fixed.or_else(|| {
            self.issued
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(id)
                .cloned()
        })
    }
}

/// A credentials file, read up to some line.
#[derive(Default)]
struct Reading {
    keys: BTreeMap<String, Key>,
    profile: Option<Profile>,
}

#[derive(Default)]
struct Profile {
    name: String,
    line: usize,
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
}

impl Reading {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        // Settings within settings are indented; none of them is ours.
        let nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if nested || line.is_empty() || line.starts_with(['#', ';']) {
            return Ok(());
        }
        if let Some(name) = line.strip_prefix('[') {
            let Some(name) = name.strip_suffix(']') else {
                return Err("a profile's name ends with `]`".to_owned());
            };
            self.close().map_err(|(_, what)| what)?;
            self.profile = Some(Profile {
                name: name.trim().to_owned(),
                line: number,
                ..Profile::default()
            });
            return Ok(());
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err("this is neither `[profile]` nor `name = value`".to_owned());
        };
        let Some(profile) = &mut self.profile else {
            return Err("a setting before the first `[profile]`: begin with [default]".to_owned());
        };
        let place = match name.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => &mut profile.id,
            "aws_secret_access_key" => &mut profile.secret,
            "aws_session_token" => &mut profile.token,
            _ => return Ok(()),
        };
        let value = value.trim();
        if value.is_empty() || place.is_some() {
            return Err(format!(
                "`{}` must have one value in [{}]",
                name.trim(),
                profile.name
            ));
        }
        *place = Some(value.to_owned());
        Ok(())
    }

    /// Ends a profile.
    fn close(&mut self) -> Result<(), (usize, String)> {
        let Some(profile) = self.profile.take() else {
            return Ok(());
        };
        let (id, secret) = match (profile.id, profile.secret) {
            (Some(id), Some(secret)) => (id, secret),
            // A profile may get its keys elsewhere.
            (None, None) => return Ok(()),
            (Some(_), None) => return Err((profile.line, lacks(&profile.name, "aws_secret_access_key"))),
            (None, Some(_)) => return Err((profile.line, lacks(&profile.name, "aws_access_key_id"))),
        };
        let key = Key {
            secret,
            token: profile.token,
            owner: Owner::User(profile.name.clone()),
        };
        match self.keys.get(&id) {
            Some(other) if other.secret != key.secret => Err((
                profile.line,
                format!(
                    "[{}] has the key {id} of another profile with another secret",
                    profile.name
                ),
            )),
            Some(_) => Ok(()),
            None => {
                self.keys.insert(id, key);
                Ok(())
            }
        }
    }
}

fn lacks(profile: &str, what: &str) -> String {
    format!("[{profile}] lacks {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Keys, String> {
        Keys::parse(text, Path::new("keys"))
    }

    fn session(ends: u64) -> Key {
        Key {
            secret: "s".to_owned(),
            token: None,
            owner: Owner::Account {
                ends: Timestamp::from_millis(ends),
            },
        }
    }

    #[test]
    fn a_credentials_file_is_read() {
        let text = "# mine\n[default]\naws_access_key_id = AKIA1\naws_secret_access_key=a/b=c\nregion = eu-west-1\n\n\
                    [ci]\nAWS_ACCESS_KEY_ID=AKIA2\naws_secret_access_key = d\naws_session_token = t\ns3 =\n  x = y\n\
                    [other]\nrole_arn = r\n";
        let keys = parse(text).unwrap_or_default();
        let found = keys.find("AKIA1").map(|key| (key.secret, key.token, key.owner));
        assert_eq!(
            found,
            Some(("a/b=c".to_owned(), None, Owner::User("default".to_owned())))
        );
        assert_eq!(keys.find("AKIA2").and_then(|key| key.token), Some("t".to_owned()));
        assert_eq!(keys.find("AKIA3"), None);
        assert!(!format!("{keys:?}").contains("a/b=c"));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, place) in [
            ("", "keys:1: no profile"),
            ("[a]\nregion = x\n", "keys:1: no profile"),
            ("aws_access_key_id = a\n", "keys:1: a setting before"),
            (
                "[a]\naws_access_key_id = a\n",
                "keys:1: [a] lacks aws_secret_access_key",
            ),
            (
                "\n[a]\naws_secret_access_key = a\n",
                "keys:2: [a] lacks aws_access_key_id",
            ),
            (
                "[a]\naws_access_key_id = a\n[b]\n",
                "keys:3: [a] lacks aws_secret",
            ),
            ("[a\n", "keys:1: a profile's name"),
            ("[a]\nnonsense\n", "keys:2: this is neither"),
            (
                "[a]\naws_access_key_id =\n",
                "keys:2: `aws_access_key_id` must have one value",
            ),
            (
                "[a]\naws_access_key_id=k\naws_secret_access_key=1\n[b]\naws_access_key_id=k\naws_secret_access_key=2\n",
                "keys:4: [b] has the key k",
            ),
        ] {
            let error = parse(text).err().unwrap_or_default();
            assert!(error.starts_with(place), "{text:?}: {error}");
        }
    }

    #[test]
    fn keys_that_were_given_out_are_bounded() {
        let keys = Keys::default();
        for n in 0..ISSUED as u64 {
            keys.issue(&n.to_string(), session(10 + n), Timestamp::from_millis(1));
        }
        keys.issue("new", session(5), Timestamp::from_millis(1));
        assert!(keys.find("0").is_none() && keys.find("1").is_some() && keys.find("new").is_some());
        // Those that have ended make room for all that follow.
        keys.issue("later", session(1 << 40), Timestamp::from_millis(1 << 30));
        assert!(keys.find("1").is_none() && keys.find("later").is_some());
    }
}
