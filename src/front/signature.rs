//! Signature Version 4: whether a request was signed with a key that we know.
//!
//! Owns the calculation for the `Authorization` header and for presigned queries, and AWS's words for what is wrong:
//!
//! ```text
//! canonical request = method, path, query, headers, signed headers, hash of the body
//! string to sign    = algorithm, time, scope, hash of the canonical request
//! signature         = HMAC of it, by a key of secret, date, region and service
//! ```
//!
//! Regions are not compared: a client of any region is answered. Deliberately absent: who may do what, and the chunk
//! signatures of S3's streaming uploads, which are refused.

use hmac::{Hmac, KeyInit, Mac};
use router::name::{hex, unhex};
use router::time::Timestamp;
use sha2::{Digest, Sha256};

use super::canonical::{self, Payload};
use super::credential::{Claim, Way};
use super::fault::{Fault, Form};
use super::http::Request;
use super::keys::{Key, Keys};

/// How far a client's clock may be off, in milliseconds.
const SKEW: u64 = 300_000;

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// There is none.
    Missing,
    /// A part of it is missing or has another form.
    Incomplete(String),
    /// Nobody has this key, or its token is another, or it has ended.
    Unknown,
    /// The key's session is over.
    Ended,
    /// Its time is not now.
    Time(String),
    /// It is the signature of something else; what should have been signed.
    Mismatch(String),
}

impl SignatureError {
    /// The error as AWS tells it (spec/errors §1); the query protocol has names of its own.
    pub fn fault(&self, form: Form) -> Fault {
        let json = form.is_json();
        let name = |one, other| if json { one } else { other };
        match self {
            SignatureError::Missing => Fault::new(
                403,
                name(
                    "MissingAuthenticationTokenException",
                    "MissingAuthenticationToken",
                ),
                name(
                    "Missing Authentication Token",
                    "Request is missing Authentication Token",
                ),
            ),
            SignatureError::Incomplete(what) => Fault::new(
                if json { 403 } else { 400 },
                name("IncompleteSignatureException", "IncompleteSignature"),
                what.clone(),
            ),
            SignatureError::Unknown => Fault::new(
                403,
                name("UnrecognizedClientException", "InvalidClientTokenId"),
                "The security token included in the request is invalid.",
            ),
            SignatureError::Ended => Fault::new(
                403,
                name("ExpiredTokenException", "ExpiredToken"),
                "The security token included in the request is expired",
            ),
            SignatureError::Time(what) => Fault::new(
                403,
                name("InvalidSignatureException", "SignatureDoesNotMatch"),
                what.clone(),
            ),
            SignatureError::Mismatch(_) => Fault::new(
                403,
                name("InvalidSignatureException", "SignatureDoesNotMatch"),
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details.",
            ),
        }
    }
}

/// Checks the signature of a request at `now`; the key that made it.
///
/// # Errors
/// Why it does not count.
pub fn verify(request: &Request, keys: &Keys, now: Timestamp) -> Result<Key, SignatureError> {
    let claim = Claim::of(request)?.ok_or(SignatureError::Missing)?;
    claim.check_form(request)?;
    check_time(&claim, now)?;
    let key = keys.find(&claim.id).ok_or(SignatureError::Unknown)?;
    check_session(&claim, &key, now)?;
    let payload = payload(request, &claim)?;
    let mut should = String::new();
    // Services other than S3 encode the path twice; some clients (curl of old) once everywhere.
    for path in canonical::paths(&request.path) {
        let text = canonical::request(request, &claim, &path, &payload);
        if matches(&claim, &key.secret, &text) {
            return Ok(key);
        }
        if should.is_empty() {
            should = text;
        }
    }
    Err(SignatureError::Mismatch(should))
}

/// Compares in constant time, as [`Mac`] does.
fn matches(claim: &Claim, secret: &str, canonical: &str) -> bool {
    let Some(signature) = unhex(claim.signature.as_bytes()) else {
        return false;
    };
    let hash = hex(&Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", claim.time, claim.scope());
    let first = mac(format!("AWS4{secret}").as_bytes(), &claim.date);
    let key = [&claim.region, &claim.service, "aws4_request"];
    let key = key.iter().fold(first, |key, part| mac(&key, part));
    let signer = Hmac::<Sha256>::new_from_slice(&key);
    signer.is_ok_and(|signer| signer.chain_update(text).verify_slice(&signature).is_ok())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let signer = Hmac::<Sha256>::new_from_slice(key);
    signer
        .map(|signer| signer.chain_update(text).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

fn check_time(claim: &Claim, now: Timestamp) -> Result<(), SignatureError> {
    let at = claim.at.as_millis();
    let now_millis = now.as_millis();
    let shown = |millis: u64| compact(Timestamp::from_millis(millis));
    let (life, words) = match claim.way {
        Way::Header => (SKEW, "5 min.".to_owned()),
        Way::Query { expires } => (expires * 1000, format!("{expires} sec.")),
    };
    if at.saturating_add(life) < now_millis {
        return Err(SignatureError::Time(format!(
            "Signature expired: {} is now earlier than {} ({} - {words})",
            claim.time,
            shown(now_millis.saturating_sub(life)),
            shown(now_millis)
        )));
    }
    if at > now_millis.saturating_add(SKEW) {
        return Err(SignatureError::Time(format!(
            "Signature not yet current: {} is still later than {} ({} + 5 min.)",
            claim.time,
            shown(now_millis + SKEW),
            shown(now_millis)
        )));
    }
    Ok(())
}

/// A token is compared only where the key has one: AWS's own are for AWS.
fn check_session(claim: &Claim, key: &Key, now: Timestamp) -> Result<(), SignatureError> {
    if key.owner.ends().is_some_and(|end| end <= now) {
        return Err(SignatureError::Ended);
    }
    match &key.token {
        Some(token) if claim.token.as_ref() != Some(token) => Err(SignatureError::Unknown),
        _ => Ok(()),
    }
}

fn payload(request: &Request, claim: &Claim) -> Result<Payload, SignatureError> {
    let presigned = matches!(claim.way, Way::Query { .. });
    match request.header("x-amz-content-sha256") {
        Some("UNSIGNED-PAYLOAD") => Ok(Payload::Unsigned),
        Some(text) if text.starts_with("STREAMING-") => Err(SignatureError::Incomplete(format!(
            "`{text}` is not checked by triggerfish: send the body in one piece, or UNSIGNED-PAYLOAD"
        ))),
        Some(hash) if !hash.eq_ignore_ascii_case(&hex(&Sha256::digest(&request.body))) => {
            Err(SignatureError::Incomplete(
                "The provided 'x-amz-content-sha256' header does not match what was computed.".to_owned(),
            ))
        }
        // The text as it was sent is what was signed.
        Some(hash) => Ok(Payload::Hash(hash.to_owned())),
        None if presigned && claim.service == "s3" => Ok(Payload::Unsigned),
        None => Ok(Payload::Hash(hex(&Sha256::digest(&request.body)))),
    }
}

/// `20150830T123600Z`.
fn compact(at: Timestamp) -> String {
    let iso = at.iso_millis();
    format!("{}Z", iso.get(..19).unwrap_or(&iso).replace(['-', ':'], ""))
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
