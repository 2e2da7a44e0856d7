//! Roles and policies in the data directory, so that the next `up` has them beside the functions that name them.
//!
//! Owns `iam.json`: written whole beside its place and moved there after each change, before the caller is answered.
//! A change that cannot be written is none. Deliberately absent: what operations mean ([`Iam`]).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::super::fault::Fault;
use super::super::given::Given;
use super::super::query::Call;
use super::super::xml::Xml;
use super::Iam;

/// The form of the file; another one is refused.
const VERSION: u32 = 1;

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Form<T> {
    version: u32,
    #[serde(flatten)]
    iam: T,
}

/// IAM's state and where it is kept.
#[derive(Clone, Debug)]
pub struct Kept(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// What is true now; held for moments only, so that the fabric's thread may look.
    now: Mutex<Iam>,
    /// Held by the one operation that changes it, while it writes.
    turn: Mutex<()>,
}

impl Kept {
    /// Reads what a data directory has; one without the file has no roles.
    ///
    /// # Errors
    /// The file cannot be read, or is not what this version writes.
    pub fn load(data: &Path) -> Result<Self> {
        let path = data.join("iam.json");
        let iam = match std::fs::read_to_string(&path) {
            Ok(text) => read(&text).with_context(|| {
                format!(
                    "{}: roles and policies cannot be read; remove it, or use another --data-dir",
                    path.display()
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Iam::default(),
            Err(error) => return Err(error).with_context(|| format!("failed to read {}", path.display())),
        };
        let (now, turn) = (Mutex::new(iam), Mutex::new(()));
        Ok(Kept(Arc::new(Inner { path, now, turn })))
    }

    /// Carries an operation out, on a thread that may wait for the disk. It ends even if its caller has gone.
    ///
    /// # Errors
    /// The error to answer with; nothing was changed then.
    pub async fn act(&self, call: &Call, given: &Given) -> Result<Option<Xml>, Fault> {
        let (inner, call, given) = (Arc::clone(&self.0), call.clone(), given.clone());
        let done = tokio::task::spawn_blocking(move || inner.act(&call, &given)).await;
        done.unwrap_or_else(|error| Err(failed(&error.to_string())))
    }

    /// The id of a role, if it exists.
    pub fn role_id(&self, name: &str) -> Option<String> {
        self.0.now().role_id(name)
    }
}

impl Inner {
    fn act(&self, call: &Call, given: &Given) -> Result<Option<Xml>, Fault> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.now().clone();
        let mut after = before.clone();
        let result = after.act(call, given)?;
        if after != before {
            self.write(&after).map_err(|error| {
                tracing::error!(%error, "roles and policies are not kept");
                failed(&format!("{error:#}"))
            })?;
            *self.now() = after;
        }
        Ok(result)
    }

    fn write(&self, iam: &Iam) -> Result<()> {
        let broken = || format!("failed to write {}", self.path.display());
        let text = serde_json::to_vec(&Form {
            version: VERSION,
            iam,
        })
        .with_context(broken)?;
        let beside = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(beside).with_context(broken)?;
        file.write_all(&text).with_context(broken)?;
        // A name must not outlive a crash of the machine without its content.
        file.as_file().sync_all().with_context(broken)?;
        file.persist(&self.path).with_context(broken)?;
        Ok(())
    }

    fn now(&self) -> MutexGuard<'_, Iam> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(text: &str) -> Result<Iam> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let Versioned { version } = serde_json::from_str(text)?;
    if version != VERSION {
        bail!("it is of version {version}, this triggerfish knows {VERSION}");
    }
    let form: Form<Iam> = serde_json::from_str(text)?;
    Ok(form.iam)
}

/// IAM's word for what is our fault.
fn failed(why: &str) -> Fault {
    Fault::new(
        500,
        "ServiceFailure",
        format!("the change is not kept, and not made: {why}"),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use crate::front::query::tests::call;

    const TRUST: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

    async fn role(kept: &Kept, action: &str) -> Option<u16> {
        let call = call(action, &[("RoleName", "r"), ("AssumeRolePolicyDocument", TRUST)]);
        kept.act(&call, &Given::example())
            .await
            .err()
            .map(|fault| fault.status)
    }

    #[tokio::test]
    async fn roles_survive_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let kept = Kept::load(data.path()).unwrap();
        assert_eq!(role(&kept, "CreateRole").await, None);
        let id = kept.role_id("r");
        drop(kept);
        let kept = Kept::load(data.path()).unwrap();
        assert_eq!((kept.role_id("r"), id.is_some()), (id, true));
        assert_eq!(role(&kept, "DeleteRole").await, None);
        assert_eq!(Kept::load(data.path()).unwrap().role_id("r"), None);
        // Nothing is left beside it.
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_is_not_kept_is_not_done() {
        let data = tempfile::tempdir().unwrap();
        let gone = data.path().join("gone");
        let kept = Kept::load(&gone).unwrap();
        assert_eq!(role(&kept, "CreateRole").await, Some(500));
        assert_eq!(kept.role_id("r"), None);
        assert_eq!(role(&kept, "GetRole").await, Some(404));
    }

    #[test]
    fn a_broken_file_is_named() {
        let data = tempfile::tempdir().unwrap();
        for (text, why) in [
            ("", "EOF"),
            ("{}", "version"),
            (r#"{"version":9}"#, "version 9"),
            (r#"{"version":1,"roles":{}}"#, "policies"),
        ] {
            std::fs::write(data.path().join("iam.json"), text).unwrap();
            let error = format!("{:#}", Kept::load(data.path()).unwrap_err());
            assert!(
                error.contains("iam.json: roles") && error.contains(why),
                "{error}"
            );
        }
    }
}
