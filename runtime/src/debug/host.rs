//! Under which names this machine may be asked.
//!
//! A web page may have a name of its own point at 127.0.0.1 after it was loaded ("DNS
//! rebinding"): the browser then lets it read what it gets from there. The request still bears
//! the page's name, so only names are trusted that nobody else can own.

use std::net::{IpAddr, Ipv6Addr};

/// Names besides the ones that are always known.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    pub(super) fn add(&mut self, name: String) {
        self.0.push(name);
    }

    /// Whether a client may call this machine so. One that says nothing (before HTTP/1.1) is no
    /// browser.
    pub(super) fn is_known(&self, host: Option<&str>) -> bool {
        let Some(host) = host else { return true };
        if let Some(rest) = host.strip_prefix('[') {
            return rest.split_once(']').is_some_and(|(address, port)| {
                address.parse::<Ipv6Addr>().is_ok() && is_port(port)
            });
        }
        let (name, port) = match host.find(':') {
            Some(at) => host.split_at(at),
            None => (host, ""),
        };
        let same = |known: &str| name.eq_ignore_ascii_case(known);
        is_port(port)
            && (same("localhost")
                || name.parse::<IpAddr>().is_ok()
                || self.0.iter().any(|known| same(known)))
    }
}

/// Nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    let digits = |port: &str| port.len() <= 5 && port.bytes().all(|c| c.is_ascii_digit());
    text.is_empty() || text.strip_prefix(':').is_some_and(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_can_own_is_trusted() {
        let mut hosts = Hosts::default();
        hosts.add("build-7.internal".to_owned());
        for known in [
            "localhost",
            "LocalHost:6060",
            "127.0.0.1",
            "127.0.0.1:6060",
            "10.1.2.3:80",
            "[::1]",
            "[::1]:6060",
            "build-7.internal:6060",
        ] {
            assert!(hosts.is_known(Some(known)), "{known}");
        }
        assert!(hosts.is_known(None));
        for foreign in [
            "",
            "evil.example",
            "evil.example:6060",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "localhost:6060@evil.example",
            "localhost:60600000",
            "::1",
            "[::1",
            "[::1]evil.example",
            "[evil.example]",
            "0x7f.1",
        ] {
            assert!(!hosts.is_known(Some(foreign)), "{foreign}");
        }
    }
}
