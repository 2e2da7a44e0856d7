//! AWS's event-stream encoding, as InvokeWithResponseStream answers (spec/lambda §5.6).
//!
//! ```text
//!   total length │ headers length │ CRC of both │ headers … │ payload … │ CRC of all before it
//! ```
//!
//! Numbers are big-endian. Deliberately absent: reading it; clients do.

use bytes::{BufMut, Bytes, BytesMut};

/// What a header's value is: 7 is a string with a length of two bytes.
const STRING: u8 = 7;

/// One event as a message.
pub fn event(kind: &str, content_type: &str, payload: &[u8]) -> Bytes {
    let headers = [
        (":event-type", kind),
        (":content-type", content_type),
        (":message-type", "event"),
    ];
    let mut spelled = BytesMut::new();
    for (name, value) in headers {
        spelled.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        spelled.put_slice(name.as_bytes());
        spelled.put_u8(STRING);
        spelled.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        spelled.put_slice(value.as_bytes());
    }
    let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut message = BytesMut::with_capacity(16 + spelled.len() + payload.len());
    message.put_u32(length(16 + spelled.len() + payload.len()));
    message.put_u32(length(spelled.len()));
    let prelude = crc32fast::hash(&message);
    message.put_u32(prelude);
    message.put_slice(&spelled);
    message.put_slice(payload);
    let all = crc32fast::hash(&message);
    message.put_u32(all);
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_lengths_and_sums() {
        let message = event("PayloadChunk", "application/octet-stream", b"hi");
        let number = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().unwrap_or_default());
        assert_eq!(number(0) as usize, message.len());
        let headers = number(4) as usize;
        assert_eq!(&message[12 + headers..message.len() - 4], b"hi");
        assert_eq!(number(8), crc32fast::hash(&message[..8]));
        assert_eq!(
            number(message.len() - 4),
            crc32fast::hash(&message[..message.len() - 4])
        );
        assert_eq!(&message[12..25], b"\x0b:event-type\x07");
    }
}
