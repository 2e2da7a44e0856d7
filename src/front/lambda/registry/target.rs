//! What a setting hangs on: a function, one of its versions, or an alias.
//!
//! Owns the finding of it, in the words that AWS has when it is not there (spec/errors §3). Deliberately absent: settings.

use router::name::FunctionName;
use scenarios::api::error::ApiError;

use super::configuration::arn;
use super::{Moment, Record, Registry, named};
use crate::front::lambda::model::Input;

/// The key of what hangs on the function itself.
pub const UNQUALIFIED: &str = "$LATEST";

/// A function, and the qualifier that was asked of it.
pub struct Asked {
    /// Its bare name.
    pub name: FunctionName,
    /// `$LATEST`, a version's number, an alias, or none.
    pub qualifier: Option<String>,
}

impl Asked {
    /// What an input asks for, whether it is there or not.
    ///
    /// # Errors
    /// Another region's or account's, or two qualifiers.
    pub fn read(moment: &Moment<'_>, input: &Input) -> Result<Self, ApiError> {
        let named = named(moment, input)?;
        Ok(Asked {
            name: FunctionName::new(named.name.as_str()),
            qualifier: named.qualifier,
        })
    }

    /// Its key among a record's settings.
    pub fn key(&self) -> &str {
        self.qualifier.as_deref().unwrap_or(UNQUALIFIED)
    }

    /// Its ARN as it was asked.
    pub fn arn(&self, moment: &Moment<'_>) -> String {
        arn(moment.place, &self.name, self.qualifier.as_deref())
    }

    /// Its ARN with a qualifier in any case.
    pub fn full_arn(&self, moment: &Moment<'_>) -> String {
        arn(moment.place, &self.name, Some(self.key()))
    }

    /// The record, if function and qualifier are there.
    pub fn find<'a>(&self, registry: &'a Registry) -> Option<&'a Record> {
        let record = registry.functions.get(&self.name)?;
        record.resolve(self.qualifier.as_deref())?;
        Some(record)
    }

    /// As [`Asked::find`], or AWS's words for a version or an alias that is not there.
    ///
    /// # Errors
    /// `Function not found`, or `Cannot find alias arn` where only the alias is missing.
    pub fn expect<'a>(&self, registry: &'a Registry, moment: &Moment<'_>) -> Result<&'a Record, ApiError> {
        let missing = || ApiError::not_found(&self.arn(moment));
        let record = registry.functions.get(&self.name).ok_or_else(missing)?;
        match record.resolve(self.qualifier.as_deref()) {
            Some(_) => Ok(record),
            None if is_alias(self.key()) => Err(ApiError::missing(&format!(
                "Cannot find alias arn: {}",
                self.arn(moment)
            ))),
            None => Err(missing()),
        }
    }
}

/// The function itself, whatever qualifier its name has.
///
/// # Errors
/// It is not there; or its name is another region's.
pub fn function<'a>(
    registry: &'a Registry,
    moment: &Moment<'_>,
    input: &Input,
) -> Result<&'a Record, ApiError> {
    let name = Asked::read(moment, input)?.name;
    let missing = || ApiError::not_found(&arn(moment.place, &name, None));
    registry.functions.get(&name).ok_or_else(missing)
}

/// Whether a qualifier is an alias, and neither `$LATEST` nor a version's number (spec/lambda §2).
pub fn is_alias(qualifier: &str) -> bool {
    qualifier != UNQUALIFIED && !qualifier.bytes().all(|b| b.is_ascii_digit())
}
