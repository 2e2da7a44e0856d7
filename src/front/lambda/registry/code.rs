//! A function's code: a package that was uploaded, or a folder of the user's that is run where it lies.
//!
//! Owns where a request says that code is (spec/lambda §8.1, `Code`). Deliberately absent: packages themselves
//! ([`crate::front::code`]) and the reading of buckets.

use std::path::PathBuf;

use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};

use super::{Brought, Moment, Wanted, invalid, not_offered, text, untyped};
use crate::front::code::{Package, ZIPPED_LIMIT};
use crate::front::lambda::model::Input;

/// The name that stands for a bucket where `S3Key` is a folder of this machine, run in place and looked at again after
/// each change of it. The convention is that of other local emulators.
pub const HOT_RELOAD: &str = "hot-reload";

/// Where code is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// A package.
    Package(Package),
    /// A folder.
    Folder(PathBuf),
}

impl Code {
    /// `CodeSize`: bytes of the zip; 0 for a folder, which has none until it is published.
    pub fn size(&self) -> u64 {
        match self {
            Code::Package(package) => package.size,
            Code::Folder(_) => 0,
        }
    }

    /// `CodeSha256`; that of nothing for a folder.
    pub fn sha256(&self) -> &str {
        match self {
            Code::Package(package) => &package.sha256,
            Code::Folder(_) => "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        }
    }
}

/// The code that a request brings, or what has to be brought first.
///
/// # Errors
/// None, more than one, or one that is not offered.
pub fn read(moment: &Moment<'_>, members: &Input) -> Result<Source, ApiError> {
    for member in ["S3ObjectVersion", "ImageUri", "SourceKMSKeyArn"] {
        if members.contains_key(member) {
            return Err(not_offered(&format!("{member} (`Code`)")));
        }
    }
    if text(members, "S3ObjectStorageMode").is_some_and(|mode| mode != "COPY") {
        return Err(not_offered("S3ObjectStorageMode REFERENCE (`Code`)"));
    }
    match (
        text(members, "ZipFile"),
        text(members, "S3Bucket"),
        text(members, "S3Key"),
    ) {
        (Some(zip), None, None) => {
            check_upload(zip.as_bytes())?;
            Ok(Source::Brought(Wanted::Zip))
        }
        (None, Some(HOT_RELOAD), Some(folder)) => folder_at(moment, folder),
        (None, Some(bucket), Some(key)) => Ok(Source::Brought(Wanted::Object {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })),
        (None, None, None) => Err(invalid("Please provide a source for function code.")),
        (Some(_), _, _) => Err(invalid(
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        )),
        _ => Err(invalid("Please provide both S3Bucket and S3Key.")),
    }
}

/// Refuses an upload that is too large as it is (spec/errors §7); whether it is base64 is seen when it is decoded.
fn check_upload(base64: &[u8]) -> Result<(), ApiError> {
    let padding = base64.iter().rev().take_while(|byte| **byte == b'=').count();
    let bytes = (base64.len() - padding) as u64 * 3 / 4;
    match bytes >= ZIPPED_LIMIT {
        true => Err(ApiError {
            status: 413,
            code: "RequestEntityTooLargeException",
            ..untyped(format!("Zipped size must be smaller than {ZIPPED_LIMIT} bytes"))
        }),
        false => Ok(()),
    }
}

/// Where code comes from.
pub enum Source {
    /// It lies here.
    Folder(PathBuf),
    /// It has to be brought.
    Brought(Wanted),
}

fn folder_at(moment: &Moment<'_>, folder: &str) -> Result<Source, ApiError> {
    let path = PathBuf::from(folder);
    let wrong = |what: &str| {
        let text =
            format!("With S3Bucket {HOT_RELOAD}, S3Key is the absolute path of a folder; {folder} {what}");
        Err(invalid(text))
    };
    match (path.is_absolute(), moment.outside.is_folder(&path)) {
        (false, _) => wrong("is not absolute"),
        (true, false) => wrong("is no folder here"),
        (true, true) => Ok(Source::Folder(path)),
    }
}

impl Source {
    /// The code, if it is here.
    pub fn code(&self, moment: &Moment<'_>) -> Result<Code, Wanted> {
        match self {
            Source::Folder(path) => Ok(Code::Folder(path.clone())),
            Source::Brought(wanted) => match moment.brought.get(wanted) {
                Some(Brought::Package(package)) => Ok(Code::Package(package.clone())),
                _ => Err(wanted.clone()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_smaller_than_its_limit() {
        let of = |bytes: usize| {
            let padding = [0, 2, 1][bytes % 3];
            let mut text = vec![b'A'; bytes.div_ceil(3) * 4];
            text.iter_mut().rev().take(padding).for_each(|byte| *byte = b'=');
            check_upload(&text)
        };
        assert_eq!(of(0), Ok(()));
        assert_eq!(of(52_428_799), Ok(()));
        for bytes in [52_428_800, 52_428_801, 52_428_802] {
            let refused = of(bytes).expect_err("too large");
            let body = r#"{"message":"Zipped size must be smaller than 52428800 bytes"}"#;
            assert_eq!(
                (refused.status, refused.code, refused.body.as_str()),
                (413, "RequestEntityTooLargeException", body)
            );
        }
    }
}
