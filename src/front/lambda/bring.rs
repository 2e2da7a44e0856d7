//! Bringing what an operation wants before it can be carried out: code from the request, a bucket, a folder.
//!
//! Owns the work, which may take long and is done on a thread of its own, and what a package that is not taken answers.
//! Nothing is locked meanwhile. Deliberately absent: what a package may contain ([`crate::front::code`]).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scenarios::api::error::ApiError;

use super::model::{self, Input};
use super::registry::{self, Brought, Wanted};
use super::world::World;
use crate::front::code::{CodeStore, PackageError, UNZIPPED_LIMIT};

/// Brings it.
///
/// # Errors
/// The error to answer with.
pub async fn bring(
    wanted: Wanted,
    input: Arc<Input>,
    world: &World,
    code: Arc<CodeStore>,
) -> Result<Brought, ApiError> {
    let package = |taken: Result<_, PackageError>| taken.map(Brought::Package).map_err(refused);
    let work: Box<dyn FnOnce() -> Result<Brought, ApiError> + Send> = match wanted {
        Wanted::Zip => Box::new(move || {
            let bytes = STANDARD
                .decode(zip_of(&input))
                .map_err(|error| not_base64(&error))?;
            package(code.add(&bytes))
        }),
        Wanted::Object { bucket, key } => {
            let object = world.object(&bucket, &key)?;
            Box::new(move || package(code.add(&object()?)))
        }
        Wanted::Folder(path) => Box::new(move || package(code.pack(&path))),
        Wanted::Layers { layers, code: own } => Box::new(move || {
            let sizes = layers.iter().chain(&own).map(|package| code.unzipped(package));
            if sizes.sum::<Result<u64, _>>().map_err(refused)? >= UNZIPPED_LIMIT {
                return Err(refused(PackageError::TooLargeUnzipped));
            }
            code.opt(&layers).map(|_| Brought::Merged).map_err(refused)
        }),
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(ApiError::service(&format!("failed to bring code: {error}"))))
}

/// The one `ZipFile` of an input: its own, or that of `Code` or `Content`.
fn zip_of(input: &Input) -> &str {
    let inner = ["Code", "Content"]
        .iter()
        .find_map(|member| registry::structure(input, member));
    registry::text(inner.unwrap_or(input), "ZipFile").unwrap_or_default()
}

fn not_base64(error: &base64::DecodeError) -> ApiError {
    model::serialization(&format!("ZipFile is not base64: {error}"))
}

/// A package that is not taken (spec/errors §6, §7).
fn refused(error: PackageError) -> ApiError {
    match error {
        PackageError::Io(error) => ApiError::service(&format!("failed to keep the code: {error}")),
        _ => {
            // AWS has one text for all of them; this tells which.
            tracing::warn!(why = %error, "a package of code was refused");
            registry::invalid(error.message())
        }
    }
}
