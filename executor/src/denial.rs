//! Why a call of an extension is refused: the statuses, types and texts of spec/runtime-api §11 and §12.
//!
//! Owns the spelling. Deliberately absent: when; [`extension`](crate::extension) and its callers say.

use std::fmt;

use crate::extension::LIMIT;

/// Why a call of an extension is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Denial {
    /// No `Lambda-Extension-Identifier`.
    MissingIdentifier,
    /// An identifier that is no UUID.
    InvalidIdentifier,
    /// An identifier that was not given out in this environment's present life.
    UnknownIdentifier,
    /// A header is missing.
    MissingHeader(&'static str),
    /// No name, or one that no file has.
    Name { given: String, known: Vec<String> },
    /// The init is over.
    Closed,
    /// There are ten.
    TooMany,
    /// No such event, or not for this extension.
    Event(String),
    /// The body is not what `register` takes.
    Format(String),
    /// The body is not what a subscription takes.
    Subscription(String),
    /// The init is over, in which one subscribes.
    SubscriptionClosed,
    /// The call does not fit the extension's state.
    State {
        from: &'static str,
        to: &'static str,
        name: String,
    },
}

impl Denial {
    /// Status, error type and message.
    pub fn write(&self) -> (u16, &'static str, String) {
        let kind = match self {
            Denial::MissingIdentifier => "Extension.MissingExtensionIdentifier",
            Denial::InvalidIdentifier => "Extension.InvalidExtensionIdentifier",
            Denial::UnknownIdentifier => "Extension.UnknownExtensionIdentifier",
            Denial::MissingHeader(_) => "Extension.MissingHeader",
            Denial::Name { .. } => "Extension.InvalidExtensionName",
            Denial::Closed => "Extension.RegistrationClosed",
            Denial::TooMany => "Extension.TooManyExtensions",
            Denial::Event(_) => "Extension.InvalidEventType",
            Denial::Format(_) => "InvalidRequestFormat",
            Denial::Subscription(_) => "ValidationError",
            Denial::SubscriptionClosed => "Telemetry.SubscriptionClosed",
            Denial::State { .. } => "Extension.InvalidExtensionState",
        };
        let status = match self {
            Denial::Format(_) | Denial::Subscription(_) => 400,
            _ => 403,
        };
        (status, kind, self.to_string())
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denial::MissingIdentifier => f.write_str("Missing Lambda-Extension-Identifier header"),
            Denial::InvalidIdentifier => f.write_str("Invalid Lambda-Extension-Identifier"),
            Denial::UnknownIdentifier => {
                f.write_str("Unknown extension: register first, in each life of the environment")
            }
            Denial::MissingHeader(name) => write!(f, "{name} not found"),
            Denial::Name { given, .. } if given.is_empty() => f.write_str(
                "Empty extension name: Lambda-Extension-Name must be the name of the extension's file",
            ),
            Denial::Name { given, known } => {
                write!(
                    f,
                    "No file of the extensions folder is named {given:.100}: there is {}",
                    known.join(", ")
                )
            }
            Denial::Closed => f.write_str(
                "Extension registration closed already: register before the runtime asks for its first event",
            ),
            Denial::TooMany => write!(f, "Extension limit ({LIMIT}) reached"),
            Denial::Event(event) if event == "SHUTDOWN" => {
                f.write_str("SHUTDOWN: event not supported for internal extensions")
            }
            Denial::Event(event) => write!(f, "{event:.100}: invalid event, try INVOKE or SHUTDOWN"),
            Denial::Format(why) | Denial::Subscription(why) => f.write_str(why),
            Denial::SubscriptionClosed => {
                f.write_str("Telemetry API subscription is closed already: subscribe before the first event")
            }
            Denial::State { from, to, name } => write!(
                f,
                "State transition from {from} to {to} failed for extension {name}. Error: State transition is not allowed"
            ),
        }
    }
}
