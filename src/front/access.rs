//! Who may ask: clients of this machine, and no page of a browser from elsewhere.
//!
//! Owns the rule for `Host`, `Origin` and `Sec-Fetch-Site`. A name that resolves to loopback can be anyone's, so the
//! `Host` must be a loopback one or a name that the user gave; a page of another origin must not reach the fabric
//! through a browser. Deliberately absent: signatures.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;

use super::http::header;

/// Whether an address may be listened on: the fabric runs code for whoever can reach it.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().is_loopback()
}

/// The names besides loopback ones that are answered to, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(BTreeSet<String>);

impl Hosts {
    /// Takes names without scheme and port: `aws.test`.
    ///
    /// # Errors
    /// One is no name: what is wrong with it.
    pub fn new(names: &[String]) -> Result<Self, String> {
        let lower = names.iter().map(|name| name.to_ascii_lowercase());
        let names: BTreeSet<String> = lower.collect();
        match names.iter().find(|name| !is_name(name)) {
            Some(wrong) => Err(format!(
                "`--host {wrong}` is no host name: give it without scheme, port and wildcards, such as `aws.test`"
            )),
            None => Ok(Hosts(names)),
        }
    }

    /// Checks where a request comes from and whom it takes us for.
    ///
    /// # Errors
    /// Why it is not answered.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        self.check_host(headers)?;
        self.check_origin(headers)
    }

    /// As [`Hosts::check`], for what pages of any origin may ask: a name that is ours, and nothing else.
    ///
    /// # Errors
    /// Why it is not answered.
    pub fn check_host(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let Some(host) = header(headers, "host") else {
            return Err("a Host header is required");
        };
        if headers.get_all("host").iter().count() > 1 || !self.is_ours(host) {
            return Err("only loopback hosts are answered here, and those of --host");
        }
        Ok(())
    }

    /// Checks which page asks, if one does. Every name below `localhost` is this machine, but not every page below it is
    /// the user's own: function URLs serve what functions say.
    ///
    /// # Errors
    /// Why it is not answered.
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let host = header(headers, "host").unwrap_or_default();
        // `null` is the origin of files and of sandboxed frames, which may be anybody's.
        match header(headers, "origin").map(|origin| origin.split_once("://").map_or("", |(_, host)| host)) {
            Some(origin) if origin.eq_ignore_ascii_case(host) || self.is_trusted(&name_of(origin)) => Ok(()),
            Some(_) => Err("requests from other origins are not answered"),
            // An image or a link of a page has no origin, and where it comes from all the same.
            None => match header(headers, "sec-fetch-site") {
                Some("cross-site") => Err("requests from pages of other sites are not answered"),
                // `a.x.localhost` and `b.x.localhost` are one site; an address and `localhost` are a site each.
                Some("same-site") if !is_this_machine(&name_of(host)) => {
                    Err("requests from pages of other hosts are not answered")
                }
                _ => Ok(()),
            },
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = name_of(host);
        name.ends_with(".localhost") || self.is_trusted(&name)
    }

    fn is_trusted(&self, name: &str) -> bool {
        is_this_machine(name) || self.0.contains(name)
    }
}

/// The name or address before the port, in lower case.
fn name_of(host: &str) -> String {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    name.unwrap_or_default().to_ascii_lowercase()
}

fn is_this_machine(name: &str) -> bool {
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let inside = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        inside && !label.is_empty() && label.len() < 64
    };
    text.len() < 254 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str]) -> Hosts {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Hosts::new(&names).unwrap_or_default()
    }

    fn checked(headers: &[(&'static str, &'static str)]) -> bool {
        let pairs = headers.iter().map(|(name, value)| (name.parse(), value.parse()));
        let headers = pairs
            .filter_map(|(name, value)| Some((name.ok()?, value.ok()?)))
            .collect();
        hosts(&["aws.test"]).check(&headers).is_ok()
    }

    #[test]
    fn only_loopback_names_are_local() {
        let none = Hosts::default();
        for host in [
            "127.0.0.1:4566",
            "localhost",
            "[::1]:80",
            "lambda.localhost:4566",
            "LOCALHOST:1",
        ] {
            assert!(none.is_ours(host), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com:80",
            "",
            "192.168.1.1",
            "aws.test",
        ] {
            assert!(!none.is_ours(host), "{host}");
        }
    }

    #[test]
    fn a_name_that_was_given_is_ours_and_nothing_below_it() {
        let given = hosts(&["AWS.test", "box"]);
        assert!(given.is_ours("aws.test:4566") && given.is_ours("aws.TEST") && given.is_ours("box"));
        assert!(!given.is_ours("evil.aws.test") && !given.is_ours("aws.test.evil"));
        for wrong in ["http://a", "a:80", "*.a", "", "a..b"] {
            assert!(Hosts::new(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pages_of_elsewhere_are_refused() {
        let host = ("host", "localhost:4566");
        assert!(checked(&[host]));
        assert!(checked(&[host, ("origin", "http://localhost:3000")]));
        assert!(checked(&[
            host,
            ("origin", "http://aws.test"),
            ("sec-fetch-site", "cross-site")
        ]));
        assert!(checked(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(checked(&[host, ("sec-fetch-site", "none")]));
        assert!(!checked(&[host, ("origin", "http://evil.com")]));
        assert!(!checked(&[host, ("origin", "null")]));
        assert!(!checked(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!checked(&[]));
    }
    #[test]
    fn a_page_that_a_function_url_serves_does_not_reach_the_apis() {
        let origin = ("origin", "http://abc.lambda-url.us-east-1.localhost:4566");
        assert!(!checked(&[("host", "localhost:4566"), origin]));
        for host in ["127.0.0.1:4566", "x.us-east-1.localhost:4566", "aws.test"] {
            assert!(!checked(&[("host", host), origin]), "{host}");
        }
        // Without an origin a browser says whether it is the same site, which all names below `us-east-1.localhost` are.
        let site = ("sec-fetch-site", "same-site");
        assert!(!checked(&[("host", "x.us-east-1.localhost:4566"), site]));
        assert!(checked(&[("host", "localhost:4566"), site]));
    }

    #[test]
    fn a_page_of_the_same_host_and_port_is_answered() {
        let host = ("host", "lambda.localhost:4566");
        assert!(checked(&[host, ("origin", "http://lambda.localhost:4566")]));
        assert!(!checked(&[host, ("origin", "http://lambda.localhost:3000")]));
    }
}
