//! IP addresses and ranges of them, read as the reference reads them (spec/sources/event-patterns §3).
//!
//! Octets may have leading zeros and stay decimal; IPv6 is hexadecimal groups and colons only, without a
//! dotted tail, a zone or brackets. The two families never mix.

use core::net::Ipv6Addr;

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// IPv4.
    V4(u32),
    /// IPv6.
    V6(u128),
}

impl Address {
    /// Reads an address in any spelling.
    pub(super) fn parse(text: &str) -> Option<Address> {
        if text.contains(':') {
            let plain = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
            let address: Ipv6Addr = text.parse().ok().filter(|_| plain)?;
            return Some(Address::V6(u128::from(address)));
        }
        let mut value = 0;
        let mut octets = 0;
        for part in text.split('.') {
            if !(1..=3).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            value = value << 8 | u32::from(part.parse::<u8>().ok()?);
            octets += 1;
            if octets > 4 {
                return None;
            }
        }
        (octets == 4).then_some(Address::V4(value))
    }
}

/// The addresses of a `cidr` condition.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// An address of the range; bits of hosts do not count.
    base: Address,
    /// The bits that every address shares with it.
    mask_bits: u32,
}

impl Network {
    /// Reads `address/bits`; the error is AWS's reason. A single address (`/32`, `/128`) is refused there.
    pub(super) fn parse(text: &str) -> Result<Network, String> {
        let mut parts = text.split('/');
        let (Some(address), Some(bits), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err("Malformed CIDR, one '/' required".to_owned());
        };
        if bits.is_empty() {
            return Err("Malformed CIDR, one '/' required".to_owned());
        }
        let Ok(bits) = bits.parse::<i32>() else {
            return Err("Malformed CIDR, mask bits must be an integer".to_owned());
        };
        let Ok(mask_bits) = u32::try_from(bits) else {
            return Err("Malformed CIDR, mask bits must not be negative".to_owned());
        };
        let Some(base) = Address::parse(address) else {
            return Err(format!("Nonstandard IP address: {address}"));
        };
        match base {
            Address::V4(_) if mask_bits > 31 => Err("IPv4 mask bits must be < 32".to_owned()),
            Address::V6(_) if mask_bits > 127 => Err("IPv6 mask bits must be < 128".to_owned()),
            _ => Ok(Network { base, mask_bits }),
        }
    }

    /// Whether the text is an address of the range.
    pub(super) fn contains(&self, text: &str) -> bool {
        match (self.base, Address::parse(text)) {
            (Address::V4(base), Some(Address::V4(address))) => {
                (base ^ address).leading_zeros() >= self.mask_bits
            }
            (Address::V6(base), Some(Address::V6(address))) => {
                (base ^ address).leading_zeros() >= self.mask_bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_equal() {
        assert_eq!(Address::parse("10.0.0.01"), Address::parse("010.0.0.1"));
        assert_eq!(
            Address::parse("2001:db8::1"),
            Address::parse("2001:0DB8:0:0:0:0:0:1")
        );
        assert_ne!(Address::parse("0.0.0.1"), Address::parse("::1"));
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in [
            "",
            "10.0.0",
            "10.0.0.0.0",
            "10.0.0.256",
            "10.0.0.0001",
            "10.0.0.",
            "10.0.0.+1",
            "::ffff:1.2.3.4",
            "fe80::1%eth0",
            "[::1]",
            "1:2",
            "a.b.c.d",
            "::g",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_ignore_bits_of_hosts() {
        let network = Network::parse("10.1.2.3/8").expect("a range");
        assert!(network.contains("10.255.0.0") && network.contains("10.0.0.0"));
        assert!(!network.contains("11.0.0.0") && !network.contains("::a00:0") && !network.contains("10"));
        assert!(Network::parse("0.0.0.0/0").is_ok_and(|all| all.contains("255.255.255.255")));
        let network = Network::parse("2001:db8::/127").expect("a range");
        assert!(network.contains("2001:db8::1") && !network.contains("2001:db8::2"));
        assert!(Network::parse("::/0").is_ok_and(|all| all.contains("ffff::") && !all.contains("1.2.3.4")));
        let odd = Network::parse("10.0.0.0/31").expect("a range");
        assert!(odd.contains("10.0.0.1") && !odd.contains("10.0.0.2"));
    }
}
