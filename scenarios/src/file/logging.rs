//! `logging`: the format and the levels of a function's log, which AWS calls `LoggingConfig` (spec/lambda §6).

use executor::{ApplicationLevel, Logging, SystemLevel};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::decode::E_VALUE;
use crate::diagnostic::Diagnostic;
use crate::node::Located;

/// The log of a function as it stands in a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Logging")]
pub struct LoggingSpec {
    /// `Text` or `JSON`; `Text` unless given.
    #[schemars(extend("enum" = ["Text", "JSON"]))]
    format: Option<Located<String>>,
    /// With JSON: what the handler's logger keeps, `TRACE` to `FATAL`; `INFO` unless given.
    #[schemars(extend("enum" = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]))]
    application_level: Option<Located<String>>,
    /// With JSON: what the platform tells, `DEBUG` to `WARN`; `INFO` unless given.
    #[schemars(extend("enum" = ["DEBUG", "INFO", "WARN"]))]
    system_level: Option<Located<String>>,
}

impl LoggingSpec {
    /// The setting, with AWS's defaults for what is not given.
    pub fn read(&self, out: &mut Vec<Diagnostic>) -> Logging {
        let formats = [("Text", false), ("JSON", true)];
        let format = one_of("format", self.format.as_ref(), &formats, out);
        if format.is_none() && self.format.is_some() {
            return Logging::Text;
        }
        let json = format.unwrap_or_default();
        let application = self.application_level.as_ref();
        let system = self.system_level.as_ref();
        if let Some(level) = application.or(system).filter(|_| !json) {
            out.push(
                Diagnostic::new(E_VALUE, "a log in plain text has no level")
                    .at(level.span, "with JSON only")
                    .help("add `format: JSON`, or remove the level"),
            );
            return Logging::Text;
        }
        let application = one_of("application_level", application, &ApplicationLevel::ALL, out);
        let system = one_of("system_level", system, &SystemLevel::ALL, out);
        match json {
            false => Logging::Text,
            true => Logging::Json {
                application: application.unwrap_or_default(),
                system: system.unwrap_or_default(),
            },
        }
    }
}

/// The value that is spelled so; AWS's spelling and no other.
fn one_of<T: Copy>(
    key: &str,
    given: Option<&Located<String>>,
    all: &[(&str, T)],
    out: &mut Vec<Diagnostic>,
) -> Option<T> {
    let given = given?;
    let found = all.iter().find(|(name, _)| *name == given.value);
    if found.is_none() {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let near = names.iter().find(|name| name.eq_ignore_ascii_case(&given.value));
        let help = near.map_or_else(
            || format!("one of {}", names.join(", ")),
            |name| format!("AWS spells it `{name}`"),
        );
        let what = format!("`{key}` cannot be `{}`", given.value);
        out.push(Diagnostic::new(E_VALUE, what).at(given.span, "").help(help));
    }
    found.map(|(_, value)| *value)
}
