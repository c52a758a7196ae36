use super::*;

fn verdict(text: &str) -> &'static str {
    match special_use(text.parse().unwrap()) {
        None => "ordinary",
        Some(special) if special.never => "never",
        Some(_) => "special",
    }
}

/// First and last address of every range of IANA's IPv4 registry that is not globally reachable, and their neighbours.
#[test]
fn s086_ranges_of_ipv4() {
    let ranges = [
        ("0.0.0.0", "0.255.255.255", "never"),
        ("10.0.0.0", "10.255.255.255", "special"),
        ("100.64.0.0", "100.127.255.255", "special"),
        ("127.0.0.0", "127.255.255.255", "special"),
        ("169.254.0.0", "169.254.255.255", "special"),
        ("172.16.0.0", "172.31.255.255", "special"),
        ("192.0.0.0", "192.0.0.255", "special"),
        ("192.0.2.0", "192.0.2.255", "special"),
        ("192.88.99.0", "192.88.99.255", "special"),
        ("192.168.0.0", "192.168.255.255", "special"),
        ("198.18.0.0", "198.19.255.255", "special"),
        ("198.51.100.0", "198.51.100.255", "special"),
        ("203.0.113.0", "203.0.113.255", "special"),
        ("224.0.0.0", "239.255.255.255", "never"),
        ("240.0.0.0", "255.255.255.254", "special"),
        ("255.255.255.255", "255.255.255.255", "never"),
    ];
    for (first, last, expected) in ranges {
        assert_eq!(verdict(first), expected, "{first}");
        assert_eq!(verdict(last), expected, "{last}");
    }
    for text in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.1.255",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "8.8.8.8",
    ] {
        assert_eq!(verdict(text), "ordinary", "{text}");
    }
}

#[test]
fn s086_s090_ranges_of_ipv6() {
    for (text, expected) in [
        ("::", "never"),
        ("::1", "special"),
        ("::2", "never"),
        ("::ffff:8.8.8.8", "never"),
        ("64:ff9b::808:808", "special"),
        ("64:ff9b:1::808:808", "special"),
        ("64:ff9b:1:ffff:ffff:ffff:808:808", "special"),
        ("100::", "special"),
        ("100:0:0:1::", "special"),
        ("2001::", "never"),
        ("2001::1:0", "special"),
        ("2001:1::1", "special"),
        ("2001:2::", "special"),
        ("2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "special"),
        ("2001:200::", "ordinary"),
        ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "ordinary"),
        ("2001:db8::", "special"),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "special"),
        ("2001:db9::", "ordinary"),
        ("2002:808:808::1", "special"),
        ("2003::", "ordinary"),
        ("2606:4700:4700::1111", "ordinary"),
        ("2a00:1450:4001:800::200e", "ordinary"),
        ("3fff::", "special"),
        ("3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "special"),
        ("3fff:1000::", "ordinary"),
        ("4000::", "special"),
        ("5f00::1", "special"),
        ("fbff::", "special"),
        ("fc00::", "special"),
        ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "special"),
        ("fe80::1", "special"),
        ("febf::1", "special"),
        ("fec0::1", "special"),
        ("feff::1", "special"),
        ("ff00::", "never"),
        ("ff02::1", "never"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "never"),
    ] {
        assert_eq!(verdict(text), expected, "{text}");
    }
}

#[test]
fn s085_s090_metadata_services_are_known_in_every_dress() {
    for text in [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::a9fe:a9fe",
        "::ffff:0:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:1:2:3:4:5601:5601",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
        "64:ff9b::ffff:ffff",
    ] {
        assert_eq!(verdict(text), "never", "{text}");
    }
    for text in ["169.254.169.253", "168.63.129.17", "fd00:ec2::253"] {
        assert_ne!(verdict(text), "never", "{text}");
    }
    assert!(metadata_name("metadata.google.internal").is_some());
    assert!(metadata_name("metadata.google.internal.example").is_none());
}

#[test]
fn sentences_name_the_range() {
    for (text, name) in [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("192.168.1.1", "a private address"),
        ("fd12::1", "a private address"),
        ("fe80::1", "a link-local address"),
        ("::ffff:10.0.0.1", "an IPv4-mapped address"),
        ("2001:0:1::1", "a Teredo address"),
        ("4000::1", "an address that nobody was given"),
        ("169.254.169.254", "a metadata service of a cloud"),
    ] {
        assert_eq!(special_use(text.parse().unwrap()).unwrap().name, name);
    }
}

#[test]
fn s085_ranges_that_are_never_reached_as_a_whole() {
    let never = |text: &str| never_range(text.parse().unwrap()).is_some();
    for text in [
        "0.0.0.0/8",
        "0.1.0.0/16",
        "224.0.0.0/4",
        "239.255.0.0/16",
        "169.254.169.254/32",
        "168.63.129.16/32",
        "255.255.255.255/32",
        "::/128",
        "ff00::/16",
        "ff02::/16",
        "fd00:ec2::254/128",
        "::ffff:0:0/96",
        "64:ff9b::a9fe:a9fe/128",
    ] {
        assert!(never(text), "{text}");
    }
    for text in [
        "10.0.0.0/8",
        "169.254.0.0/16",
        "169.254.169.254/31",
        "127.0.0.0/8",
        "240.0.0.0/8",
        "255.255.255.0/24",
        "8.0.0.0/8",
        "::/96",
        "::1/128",
        "fd00::/16",
        "64:ff9b::/96",
        "2600::/16",
    ] {
        assert!(!never(text), "{text}");
    }
}
