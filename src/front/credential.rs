//! What a request says of its signature: key, scope, time, signed headers.
//!
//! Owns the two ways to say it (the `Authorization` header and a presigned query) and the checks of its form, in AWS's
//! words. Deliberately absent: whether any of it is true.

use hyper::HeaderMap;
use router::time::Timestamp;

use super::http::{Request, header, parameters};
use super::signature::SignatureError;

/// How a signature comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In `Authorization`.
    Header,
    /// In the query.
    Query {
        /// Seconds from its time on, 1 to 604,800.
        expires: u64,
    },
}

/// The parts of `AKID/date/region/service/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The id of the key.
    pub id: String,
    /// `20150830`.
    pub date: String,
    /// The region.
    pub region: String,
    /// The service.
    pub service: String,
    /// `aws4_request`.
    pub terminator: String,
}

impl Credential {
    /// Takes one apart; a key's id may hold a slash, the rest may not.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(5, '/').map(str::to_owned);
        let (terminator, service) = (parts.next()?, parts.next()?);
        let (region, date, id) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = ![&id, &date, &region, &service].into_iter().any(String::is_empty);
        whole.then_some(Credential {
            id,
            date,
            region,
            service,
            terminator,
        })
    }

    /// The one that a request's head names, in its header or in a presigned query.
    pub fn of(headers: &HeaderMap, query: Option<&str>) -> Option<Self> {
        let in_header = header(headers, "authorization")
            .filter(|text| text.starts_with("AWS4-"))
            .and_then(|text| text.split_once("Credential="))
            .and_then(|(_, rest)| rest.split([',', ' ']).next())
            .map(str::to_owned);
        let text = in_header.or_else(|| {
            let query = query.filter(|query| query.contains("X-Amz-Credential"))?;
            let credential = parameters(query)
                .into_iter()
                .find(|(key, _)| key == "X-Amz-Credential");
            credential.map(|(_, value)| value)
        })?;
        Credential::parse(&text)
    }
}

/// A signature with all that was said of it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// How it comes.
    pub way: Way,
    /// The id of the key.
    pub id: String,
    /// The date of the scope.
    pub date: String,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
    /// The time, as sent.
    pub time: String,
    /// The time.
    pub at: Timestamp,
    /// The names of the signed headers, as sent.
    pub signed: Vec<String>,
    /// The signature, in hexadecimal digits.
    pub signature: String,
    /// The session token.
    pub token: Option<String>,
}

impl Claim {
    /// What a request says; nothing where it is not signed.
    pub fn of(request: &Request) -> Result<Option<Self>, SignatureError> {
        if let Some(text) = request.header("authorization") {
            return Claim::of_header(request, text).map(Some);
        }
        match request.parameter("X-Amz-Algorithm") {
            Some(_) => Claim::of_query(request).map(Some),
            None => Ok(None),
        }
    }

    /// `20150830/us-east-1/iam/aws4_request`.
    pub fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    fn of_header(request: &Request, text: &str) -> Result<Self, SignatureError> {
        let Some(rest) = text.strip_prefix("AWS4-HMAC-SHA256") else {
            return Err(incomplete(
                "Unsupported AWS 'algorithm': the Authorization header must begin with AWS4-HMAC-SHA256",
            ));
        };
        let part = |name: &str| {
            let mut parts = rest.split([',', ' ']).filter_map(|part| part.split_once('='));
            let found = parts.find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_owned()).ok_or_else(|| {
                incomplete(&format!(
                    "Authorization header requires '{name}' parameter. Authorization={text}"
                ))
            })
        };
        let time = request.header("x-amz-date").map(str::to_owned);
        let said = Said {
            way: Way::Header,
            credential: part("Credential")?,
            signed: part("SignedHeaders")?,
            signature: part("Signature")?,
            time: time.ok_or_else(|| {
                incomplete("Authorization header requires existence of a 'X-Amz-Date' header.")
            })?,
            token: request.header("x-amz-security-token").map(str::to_owned),
        };
        said.claim()
    }

    fn of_query(request: &Request) -> Result<Self, SignatureError> {
        let part = |name: &str| {
            let found = request.parameter(name);
            found.ok_or_else(|| incomplete(&format!("AWS query-string parameters must include '{name}'.")))
        };
        if part("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
            return Err(incomplete(
                "Unsupported AWS 'algorithm': X-Amz-Algorithm must be AWS4-HMAC-SHA256",
            ));
        }
        let expires = part("X-Amz-Expires")
            .ok()
            .map_or(Some(300), |text| text.parse().ok());
        let Some(expires) = expires.filter(|seconds| (1..=604_800).contains(seconds)) else {
            return Err(incomplete("X-Amz-Expires must be between 1 and 604800 seconds"));
        };
        let said = Said {
            way: Way::Query { expires },
            credential: part("X-Amz-Credential")?,
            signed: part("X-Amz-SignedHeaders")?,
            signature: part("X-Amz-Signature")?,
            time: part("X-Amz-Date")?,
            token: part("X-Amz-Security-Token").ok(),
        };
        said.claim()
    }

    /// Checks what does not depend on the key.
    pub fn check_form(&self, request: &Request) -> Result<(), SignatureError> {
        if !self.time.starts_with(&self.date) {
            return Err(incomplete("Credential should be scoped to a valid date."));
        }
        if !self.signed.iter().any(|name| name == "host") {
            return Err(incomplete(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        match self
            .signed
            .iter()
            .find(|name| !request.headers.contains_key(name.as_str()))
        {
            Some(absent) => Err(incomplete(&format!(
                "the signed header '{absent}' is not in the request"
            ))),
            None => Ok(()),
        }
    }
}

/// The texts of a claim, before they are understood.
struct Said {
    way: Way,
    credential: String,
    signed: String,
    signature: String,
    time: String,
    token: Option<String>,
}

impl Said {
    fn claim(self) -> Result<Claim, SignatureError> {
        let Some(credential) = Credential::parse(&self.credential) else {
            return Err(incomplete(&format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
                self.credential
            )));
        };
        if credential.terminator != "aws4_request" {
            return Err(incomplete(&format!(
                "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'.",
                credential.terminator
            )));
        }
        let Some(at) = instant(&self.time) else {
            return Err(incomplete(&format!(
                "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
                self.time
            )));
        };
        Ok(Claim {
            way: self.way,
            id: credential.id,
            date: credential.date,
            region: credential.region,
            service: credential.service,
            time: self.time,
            at,
            signed: self.signed.split(';').map(str::to_owned).collect(),
            signature: self.signature,
            token: self.token,
        })
    }
}

fn incomplete(what: &str) -> SignatureError {
    SignatureError::Incomplete(what.to_owned())
}

/// The instant of `20150830T123600Z`.
fn instant(text: &str) -> Option<Timestamp> {
    let shape = text.bytes().zip(b"00000000T000000Z");
    let right = text.len() == 16
        && shape.into_iter().all(|(b, s)| match s {
            b'0' => b.is_ascii_digit(),
            _ => b == *s,
        });
    let part = |from, to| right.then(|| text.get(from..to)).flatten();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
    Timestamp::parse_iso(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_has_five_parts() {
        let parsed = Credential::parse("AK/ID/20150830/us-east-1/iam/aws4_request");
        let parts = parsed.map(|c| [c.id, c.date, c.region, c.service, c.terminator]);
        let parts = parts.unwrap_or_default().join(" ");
        assert_eq!(parts, "AK/ID 20150830 us-east-1 iam aws4_request");
        for wrong in ["", "a/b/c/aws4_request", "a/20150830//iam/aws4_request"] {
            assert_eq!(Credential::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_is_in_the_basic_format() {
        let at = instant("20150830T123600Z").map(Timestamp::iso_millis);
        assert_eq!(at.as_deref(), Some("2015-08-30T12:36:00.000Z"));
        for wrong in [
            "",
            "20150830T123600",
            "2015-08-30T12:36Z",
            "20151330T123600Z",
            "é0150830T12360Z",
        ] {
            assert_eq!(instant(wrong), None, "{wrong}");
        }
    }
}
