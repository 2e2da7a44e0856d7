//! Who may ask: clients on this machine, and no page of a browser.
//!
//! Owns the rule for `Host` and `Origin`. A name that resolves to loopback can be anyone's, so the `Host` must be a
//! loopback one; a page of another origin must not reach the fabric through a browser. Deliberately absent: signatures.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;

use super::http::header;

/// Whether an address may be listened on: the fabric runs code for whoever can reach it.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().is_loopback()
}

/// Checks where a request comes from and whom it takes us for.
///
/// # Errors
/// Why it is not answered.
pub fn check(headers: &HeaderMap) -> Result<(), &'static str> {
    let Some(host) = header(headers, "host") else {
        return Err("a Host header is required");
    };
    if !is_local(host) {
        return Err("only loopback hosts are answered here");
    }
    match header(headers, "origin").map(|origin| origin.split_once("://").map_or("", |(_, host)| host)) {
        Some(origin) if !is_local(origin) => Err("requests from other origins are not answered"),
        _ => Ok(()),
    }
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    let by_address = name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    by_address || name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_local() {
        for host in [
            "127.0.0.1:4566",
            "localhost",
            "[::1]:80",
            "lambda.localhost:4566",
            "LOCALHOST:1",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com:80",
            "",
            "192.168.1.1",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
