use super::*;

#[test]
fn a_digest_has_one_spelling() {
    let digest = Digest::from_bytes(std::array::from_fn(|index| (index * 8) as u8));
    let text = digest.to_string();
    assert_eq!(text.parse::<Digest>().unwrap(), digest);
    assert_eq!(text, format!("sha256:{}", digest.hex()));
    assert_eq!(digest.short(), "000810182028");
    assert_eq!(
        text.to_uppercase().parse::<Digest>(),
        Err(DigestError::Algorithm)
    );
    let upper = format!("sha256:{}", digest.hex().to_uppercase());
    assert_eq!(upper.parse::<Digest>(), Err(DigestError::Digits));
}

#[test]
fn texts_that_are_no_digest() {
    for text in [
        "",
        "sha256:",
        "sha512:00",
        "sha256:zz",
        &format!("sha256:{}", "0".repeat(63)),
        &format!("sha256:{}é", "0".repeat(62)),
    ] {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
}
