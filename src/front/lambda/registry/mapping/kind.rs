//! What kind of event source an ARN names, and what each kind takes (spec/event-source-mapping §1.1).
//!
//! Owns the reading of ARNs. Deliberately absent: whether the source exists, which is asked of `Outside`.

/// A kind of event source that mappings are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An SQS queue; a FIFO one has batches of its own rules.
    Queue {
        /// Whether it is a FIFO queue.
        fifo: bool,
    },
    /// The stream of a DynamoDB table.
    DynamoDb,
    /// A Kinesis stream, or a consumer of one.
    Kinesis,
}

impl Kind {
    /// The kind of an event source, by its ARN; `None` for one that Lambda polls nothing of, or that is not known here.
    pub fn of(arn: &str) -> Option<Kind> {
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(_), service) = (parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let resource = parts.nth(2)?;
        match service? {
            "sqs" if !resource.is_empty() => Some(Kind::Queue {
                fifo: resource.ends_with(".fifo"),
            }),
            "dynamodb" if resource.starts_with("table/") && resource.contains("/stream/") => {
                Some(Kind::DynamoDb)
            }
            "kinesis" if resource.starts_with("stream/") => Some(Kind::Kinesis),
            _ => None,
        }
    }

    /// Whether it is a stream: read in the order of its records, from a position.
    pub fn is_stream(self) -> bool {
        !matches!(self, Kind::Queue { .. })
    }

    /// `BatchSize` where none is given.
    pub fn batch_size(self) -> u32 {
        match self {
            Kind::Queue { .. } => 10,
            Kind::DynamoDb | Kind::Kinesis => 100,
        }
    }

    /// What AWS says of a source of this kind that is not there (spec/errors §6).
    pub fn missing(self, arn: &str) -> String {
        match self {
            Kind::Queue { .. } => "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.".to_owned(),
            Kind::DynamoDb | Kind::Kinesis => format!("Stream not found: {arn}"),
        }
    }

    /// What AWS says where there is a mapping of this source and function already (spec/errors §4).
    pub fn exists(self, arn: &str, function: &str, uuid: &str) -> String {
        let hint = format!("Please update or delete the existing mapping with UUID {uuid}");
        match self {
            Kind::Queue { .. } => format!(
                "An event source mapping with SQS arn (\" {arn} \") and function (\" {function} \") already exists. {hint}"
            ),
            Kind::DynamoDb | Kind::Kinesis => format!(
                "The event source arn (\" {arn} \") and function (\" {function} \") provided mapping already exists. {hint}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_from_arns() {
        let here = "us-east-1:123456789012";
        let of = |rest: &str| Kind::of(&rest.replace("HERE", here));
        assert_eq!(of("arn:aws:sqs:HERE:jobs"), Some(Kind::Queue { fifo: false }));
        assert_eq!(of("arn:aws:sqs:HERE:jobs.fifo"), Some(Kind::Queue { fifo: true }));
        let stream = "arn:aws:dynamodb:HERE:table/t/stream/2025-01-01T00:00:00.000";
        assert_eq!(of(stream), Some(Kind::DynamoDb));
        assert_eq!(of("arn:aws:kinesis:HERE:stream/s"), Some(Kind::Kinesis));
        assert_eq!(
            of("arn:aws:kinesis:HERE:stream/s/consumer/c:1"),
            Some(Kind::Kinesis)
        );
        for other in [
            "arn:aws:dynamodb:HERE:table/t",
            "arn:aws:s3:::bucket",
            "arn:aws:sqs:HERE:",
            "arn:aws:sqs",
            "jobs",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
