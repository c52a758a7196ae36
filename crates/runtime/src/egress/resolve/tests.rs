use super::{Dns, Source, from_file};
use crate::egress::ResolveError;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[test]
fn s091_of_a_resolv_conf_only_the_servers_count() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("resolv.conf");
    std::fs::write(
        &file,
        "domain corp.test\nsearch evil.test other.test\noptions ndots:5 timeout:30 attempts:9\n\
         nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n",
    )
    .unwrap();
    let servers = from_file(&file).unwrap();
    let servers: Vec<String> = servers.iter().map(|server| server.ip.to_string()).collect();
    assert_eq!(servers, ["192.0.2.1", "2001:db8::1", "192.0.2.2"]);
    let resolver = Dns::from(Source::File(file)).current().unwrap();
    let options = resolver.options();
    assert_eq!(options.timeout, super::TRY_TIME);
    assert_eq!(
        (options.attempts, options.cache_size),
        (super::REPETITIONS, 0)
    );
}

#[test]
fn a_resolv_conf_is_read_when_it_is_needed_and_again_when_it_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("resolv.conf");
    let dns = Dns::from(Source::File(file.clone()));
    assert!(matches!(dns.current(), Err(ResolveError::Failed(_))));
    std::fs::write(&file, "# nobody\n").unwrap();
    assert!(matches!(dns.current(), Err(ResolveError::Failed(_))));
    std::fs::write(&file, "nameserver 192.0.2.1\n").unwrap();
    let first = dns.current().unwrap();
    assert!(Arc::ptr_eq(&first, &dns.current().unwrap()));
    std::fs::write(&file, "nameserver 192.0.2.2\n").unwrap();
    let later = SystemTime::now() + Duration::from_secs(60);
    let changed = std::fs::File::options().write(true).open(&file).unwrap();
    changed.set_modified(later).unwrap();
    assert!(!Arc::ptr_eq(&first, &dns.current().unwrap()));
}
