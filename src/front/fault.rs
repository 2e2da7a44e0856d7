//! An error of the front, told as the protocol of its service tells errors.
//!
//! Owns the five forms: a client reads only its own. Errors of Lambda's operations are
//! [`ApiError`](scenarios::api::error::ApiError)s. Deliberately absent: which error is due.

use router::name::RequestId;
use serde_json::json;

use super::http::{Answer, ERROR_TYPE};
use super::xml::Xml;

/// An error: what every form tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// Its name, as the form spells it.
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
}

/// The form of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lambda: the name is in a header.
    RestJson,
    /// DynamoDB and other services with `X-Amz-Target`: the name is in the body.
    Json,
    /// STS, IAM and other services of the query protocol.
    Query,
    /// EC2 alone.
    Ec2,
    /// S3 alone.
    S3,
}

impl Form {
    /// Whether its names end in `Exception`.
    pub fn is_json(self) -> bool {
        matches!(self, Form::RestJson | Form::Json)
    }
}

impl Fault {
    /// An error of a status.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Fault {
            status,
            code,
            message: message.into(),
        }
    }

    /// The answer that tells it. Its name is in a header in every form: AWS has it in the JSON ones only, and other
    /// clients do not mind.
    pub fn told(&self, form: Form, id: &RequestId) -> Answer {
        let answer = match form {
            Form::RestJson => Answer::json(self.status, json!({ "message": self.message }).to_string()),
            Form::Json => {
                let body = json!({ "__type": self.code, "message": self.message });
                Answer::of(self.status, "application/x-amz-json-1.0", body.to_string())
            }
            Form::Query => self.query(id),
            Form::Ec2 => self.ec2(id),
            Form::S3 => self.s3(id),
        };
        answer.with(ERROR_TYPE, self.code)
    }

    fn query(&self, id: &RequestId) -> Answer {
        let kind = if self.status < 500 { "Sender" } else { "Receiver" };
        let mut xml = Xml::default();
        xml.within("ErrorResponse", |xml| {
            xml.within("Error", |xml| {
                xml.text("Type", kind);
                self.write(xml);
            });
            xml.text("RequestId", id.as_str());
        });
        Answer::of(self.status, "text/xml", xml.done())
    }

    fn ec2(&self, id: &RequestId) -> Answer {
        let mut xml = Xml::default();
        xml.within("Response", |xml| {
            xml.within("Errors", |xml| xml.within("Error", |xml| self.write(xml)));
            xml.text("RequestID", id.as_str());
        });
        Answer::of(self.status, "text/xml", xml.done())
    }

    fn s3(&self, id: &RequestId) -> Answer {
        let mut xml = Xml::default();
        xml.within("Error", |xml| {
            self.write(xml);
            xml.text("RequestId", id.as_str());
        });
        Answer::of(self.status, "application/xml", xml.done())
    }

    fn write(&self, xml: &mut Xml) {
        xml.text("Code", self.code);
        xml.text("Message", &self.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::http::Body;

    fn told(form: Form) -> String {
        let fault = Fault::new(400, "InvalidAction", "no <such> thing");
        let answer = fault.told(form, &RequestId::new("id-1"));
        assert_eq!((answer.status, answer.error()), (400, Some("InvalidAction")));
        match answer.body {
            Body::Whole(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Body::Stream(_) => String::new(),
        }
    }

    #[test]
    fn each_form_is_its_own() {
        assert_eq!(told(Form::RestJson), r#"{"message":"no <such> thing"}"#);
        assert_eq!(
            told(Form::Json),
            r#"{"__type":"InvalidAction","message":"no <such> thing"}"#
        );
        let error = "<Code>InvalidAction</Code><Message>no &lt;such&gt; thing</Message>";
        assert_eq!(
            told(Form::Query),
            format!(
                "<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>id-1</RequestId></ErrorResponse>"
            )
        );
        assert_eq!(
            told(Form::Ec2),
            format!(
                "<Response><Errors><Error>{error}</Error></Errors><RequestID>id-1</RequestID></Response>"
            )
        );
        assert_eq!(
            told(Form::S3),
            format!("<Error>{error}<RequestId>id-1</RequestId></Error>")
        );
    }
}
