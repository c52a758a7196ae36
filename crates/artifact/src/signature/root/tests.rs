use super::*;

/// 2026-11-22, and 2041-01-01, when no certificate of the pinned authorities is valid any more.
const NOW: u64 = 1_795_305_600;
const LATER: u64 = 2_240_611_200;

#[test]
fn s190_the_pinned_root_works_until_it_expires_and_fails_closed_then() {
    assert!(TrustRoot::pinned(NOW).verifier().is_ok());
    assert_eq!(
        parse(SIGSTORE_PRODUCTION_TRUSTED_ROOT, LATER).err(),
        Some(RootError::Expired("certificate authority"))
    );
    // Keys are not concerned, so the rest goes on; each keyless signature is told why it does not hold.
    let expired = TrustRoot::pinned(LATER);
    let Err(rejection) = expired.verifier() else {
        panic!("an expired root is used");
    };
    let rejected = rejection.of("a bundle".to_owned());
    assert!(rejected.why.contains("has expired"), "{rejected:?}");
}
