//! Signatures that others made: AWS's documented examples, and requests as boto3 1.44 sends them.

use std::path::Path;

use bytes::Bytes;
use router::name::RequestId;

use super::*;
use crate::front::keys::Owner;

const EXAMPLE: &str = "[default]\naws_access_key_id = AKIDEXAMPLE\n\
    aws_secret_access_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n\
    [s3]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\
    aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n\
    [boto]\naws_access_key_id = AKIATEST\naws_secret_access_key = secret/of+test\n";

const INVOKE: &str = "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations?Qualifier=%24LATEST\n\
    Host: 127.0.0.1:4566\nX-Amz-Date: 20260101T000000Z\n\
    Authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=83d854a11726966c177ec4d26d75d34fc2488f771969fcd9dcfae2bfa3c7593e\n\
    \n{\"a\": 1}";

const PRESIGNED: &str = "POST /?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIATEST%2F20260101%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=aa97c86a8ec2610692aa6606cb0e94603f24115e1bec1aa6adcf9b0268352f1f\n\
    Host: 127.0.0.1:4566\n\n";

/// A request from its text: first line, headers, an empty line, body.
fn request(text: &str) -> Request {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, uri) = lines
        .next()
        .and_then(|line| line.split_once(' '))
        .unwrap_or_default();
    let mut request = hyper::Request::builder().method(method).uri(uri);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name.trim(), value);
    }
    let (head, ()) = request.body(()).expect("a request").into_parts();
    Request::new(head, Bytes::from(body.to_owned()), RequestId::new("id"), 1)
}

fn at(text: &str, now: &str) -> Result<Owner, SignatureError> {
    let keys = Keys::parse(EXAMPLE, Path::new("keys")).unwrap_or_default();
    let now = Timestamp::parse_iso(now).unwrap_or_default();
    verify(&request(text), &keys, now).map(|key| key.owner)
}

fn boto(text: &str) -> Result<Owner, SignatureError> {
    at(text, "2026-01-01T00:00:01Z")
}

fn owner(profile: &str) -> Result<Owner, SignatureError> {
    Ok(Owner::User(profile.to_owned()))
}

fn code(text: &str) -> &'static str {
    match boto(text) {
        Ok(_) => "taken",
        Err(error) => error.fault(Form::RestJson).code,
    }
}

#[test]
fn awss_examples_are_right() {
    let now = "2015-08-30T12:36:00Z";
    let list_users = "GET /?Action=ListUsers&Version=2010-05-08\nHost: iam.amazonaws.com\n\
        Content-Type: application/x-www-form-urlencoded; charset=utf-8\nX-Amz-Date: 20150830T123600Z\n\
        Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\n\n";
    assert_eq!(at(list_users, now), owner("default"));
    for (uri, signature) in [
        (
            "/",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ] {
        let text = format!(
            "GET {uri}\nHost: example.amazonaws.com\nX-Amz-Date: 20150830T123600Z\n\
             Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}\n\n"
        );
        assert_eq!(at(&text, now), owner("default"), "{uri}");
    }
}

#[test]
fn awss_presigned_example_is_right_as_long_as_it_says() {
    let text = "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404\n\
        Host: examplebucket.s3.amazonaws.com\n\n";
    assert_eq!(at(text, "2013-05-24T00:00:00Z"), owner("s3"));
    assert_eq!(at(text, "2013-05-25T00:00:00Z"), owner("s3"));
    let late = at(text, "2013-05-25T00:00:01Z");
    assert!(matches!(late, Err(SignatureError::Time(_))), "{late:?}");
}

#[test]
fn what_boto3_signs_is_right() {
    assert_eq!(boto(INVOKE), owner("boto"));
    assert_eq!(boto(PRESIGNED), owner("boto"));
    let list = "GET /2015-03-31/functions?Marker=a%2Bb%20c%2F%C3%A9\nHost: 127.0.0.1:4566\n\
        X-Amz-Date: 20260101T000000Z\nX-Amz-Security-Token: tok/en==\n\
        Authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=f43438cfd3ed70d66da05e4c691921102bc4d89d3f3ffe45482a61d8a3368f18\n\n";
    assert_eq!(boto(list), owner("boto"));
    let caller = "POST /\nHost: 127.0.0.1:4566\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\n\
        X-Amz-Date: 20260101T000000Z\n\
        Authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=e3ee0664fb0f5dc4e6e27ee9e2c736b9fcc17586034b3e6d4d8add79a520829a\n\
        \nAction=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(boto(caller), owner("boto"));
}

#[test]
fn a_change_of_anything_signed_is_seen() {
    for (from, to) in [
        ("{\"a\": 1}", "{\"a\": 2}"),
        ("POST", "PUT"),
        ("24LATEST", "24LATES"),
        ("function%3Af", "function%3Ag"),
        ("127.0.0.1:4566", "127.0.0.1:4567"),
        ("eu-west-1", "eu-west-2"),
        ("83d854", "83d855"),
        ("83d854", "zzz854"),
        ("Signature=83", "Signature="),
    ] {
        assert_eq!(
            code(&INVOKE.replace(from, to)),
            "InvalidSignatureException",
            "{from}"
        );
    }
    assert_eq!(
        code(&PRESIGNED.replace("Action=Get", "Action=get")),
        "InvalidSignatureException"
    );
}

#[test]
fn what_is_missing_is_named() {
    for (from, to, expected) in [
        ("Authorization", "Other", "MissingAuthenticationTokenException"),
        (
            "AWS4-HMAC-SHA256",
            "AWS4-ECDSA-P256-SHA256",
            "IncompleteSignatureException",
        ),
        ("Signature=", "Sign=", "IncompleteSignatureException"),
        (
            "SignedHeaders=host;",
            "SignedHeaders=",
            "IncompleteSignatureException",
        ),
        (
            "SignedHeaders=host;",
            "SignedHeaders=host;x-other;",
            "IncompleteSignatureException",
        ),
        ("X-Amz-Date", "Date", "IncompleteSignatureException"),
        ("T000000Z", "T0000Z", "IncompleteSignatureException"),
        ("/20260101/", "/20260102/", "IncompleteSignatureException"),
        ("aws4_request", "aws5_request", "IncompleteSignatureException"),
        ("AKIATEST/", "", "IncompleteSignatureException"),
        ("AKIATEST", "AKIAELSE", "UnrecognizedClientException"),
    ] {
        assert_eq!(code(&INVOKE.replace(from, to)), expected, "{from}");
    }
    let unsigned = request("GET /\nHost: localhost\n\n");
    let error = verify(&unsigned, &Keys::default(), Timestamp::default()).err();
    let fault = error.map(|error| error.fault(Form::Query));
    assert_eq!(
        fault.map(|f| (f.status, f.code)),
        Some((403, "MissingAuthenticationToken"))
    );
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    assert_eq!(at(INVOKE, "2026-01-01T00:05:00Z"), owner("boto"));
    assert_eq!(at(INVOKE, "2025-12-31T23:55:00Z"), owner("boto"));
    let words = |now| match at(INVOKE, now) {
        Err(SignatureError::Time(words)) => words,
        other => format!("{other:?}"),
    };
    assert_eq!(
        words("2026-01-01T00:05:01Z"),
        "Signature expired: 20260101T000000Z is now earlier than 20260101T000001Z (20260101T000501Z - 5 min.)"
    );
    assert_eq!(
        words("2025-12-31T23:54:59Z"),
        "Signature not yet current: 20260101T000000Z is still later than 20251231T235959Z (20251231T235459Z + 5 min.)"
    );
}

#[test]
fn a_body_is_what_its_header_says() {
    let with = |value: &str| {
        let header = format!("X-Amz-Content-Sha256: {value}\nHost");
        boto(&INVOKE.replacen("Host", &header, 1)).err()
    };
    let hash = hex(&Sha256::digest("{\"a\": 1}"));
    assert_eq!(with(&hash), None);
    assert!(matches!(
        with(&"0".repeat(64)),
        Some(SignatureError::Incomplete(_))
    ));
    assert!(matches!(
        with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        Some(SignatureError::Incomplete(_))
    ));
    assert!(matches!(
        with("UNSIGNED-PAYLOAD"),
        Some(SignatureError::Mismatch(_))
    ));
}

#[test]
fn a_session_has_its_token_and_its_end() {
    let mut keys = Keys::default();
    let key = |token: Option<&str>, ends| Key {
        secret: "secret/of+test".to_owned(),
        token: token.map(str::to_owned),
        owner: Owner::Account { ends },
    };
    let now = Timestamp::parse_iso("2026-01-01T00:00:01Z").unwrap_or_default();
    let later = now + std::time::Duration::from_secs(1);
    for (token, ends, expected) in [
        (None, later, None),
        (Some("t"), later, Some(SignatureError::Unknown)),
        (None, now, Some(SignatureError::Ended)),
    ] {
        keys.accept("AKIATEST", key(token, ends));
        assert_eq!(verify(&request(INVOKE), &keys, now).err(), expected);
    }
}
