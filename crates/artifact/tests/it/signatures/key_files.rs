//! Files of keys: what is one, what is none, and who may read or write it.

use std::os::unix::fs::PermissionsExt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_artifact::{KeyError, PublicKey, SigningKey, TrustError};
use serde_json::json;

use super::*;

/// The public halves of what `openssl genpkey` makes with each algorithm.
const RSA: &str = "-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAM5p1rIjnU22d/cGaR9Mkqdnb4Z40g+n
i5iTkZ7ycnSpiCrBCyPh2Wx9JDqIAIIo4hnQ03PELAVjWPrJ41bVlo8CAwEAAQ==
-----END PUBLIC KEY-----
";
const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAt8rlp1knGwjfbcXAYPYAkn0XiLz1x8O4t0YkEhie244=
-----END PUBLIC KEY-----
";
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE4hx5qmpoi+3gGeZuc13YNxsCNGRdlmqd
ptRrbRL2L38v5GJ80k7MiLJHh4nVmEyaEGOHBdF37nMR9T/ZWD1ijD8Z8HhnsNkk
z0I9XC8ucgcEWINe2ojHDenQkLjQOSrr
-----END PUBLIC KEY-----
";

fn pair() -> (SigningKey, String, String) {
    let key = SigningKey::generate().unwrap();
    let (private, public) = (key.to_pem(None).unwrap(), key.public().to_pem().unwrap());
    (key, private, public)
}

fn algorithm(name: &str) -> KeyError {
    KeyError::Algorithm {
        algorithm: name.to_owned(),
    }
}

#[test]
fn what_is_no_public_key_is_refused_by_name() {
    let (_, private, public) = pair();
    let not_pem = KeyError::NotPem { expected: "public" };
    let sealed = String::from_utf8(data("ecdsa_encrypted_private.key")).unwrap();
    for (text, error) in [
        ("", not_pem.clone()),
        ("garbage", not_pem.clone()),
        ("-----BEGIN PUBLIC KEY-----", not_pem.clone()),
        (
            "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n",
            not_pem.clone(),
        ),
        (
            "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n",
            not_pem.clone(),
        ),
        (
            "-----BEGIN SSH2 PUBLIC KEY-----\nMAA=\n-----END SSH2 PUBLIC KEY-----\n",
            not_pem.clone(),
        ),
        (&public[..public.len() / 2], not_pem.clone()),
        (&private, KeyError::Private),
        (&sealed, KeyError::Private),
        (&format!("{public}{public}"), KeyError::Several(2)),
        (&format!("{private}{public}"), KeyError::Several(2)),
        (
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            KeyError::Certificate,
        ),
        (
            "-----BEGIN RSA PUBLIC KEY-----\nMAA=\n-----END RSA PUBLIC KEY-----\n",
            algorithm("RSA"),
        ),
        (RSA, algorithm("RSA")),
        (ED25519, algorithm("Ed25519")),
        (P384, algorithm("ECDSA P-384")),
    ] {
        let found = PublicKey::from_pem(text).unwrap_err();
        assert_eq!(found, error, "{text}");
        assert!(found.hint().is_some(), "{found}");
    }
    let key = PublicKey::from_pem(&public).unwrap();
    assert_eq!(PublicKey::from_pem(&key.to_pem().unwrap()).unwrap(), key);
    assert_eq!(
        PublicKey::from_pem(&public.replace('\n', "\r\n")).unwrap(),
        key
    );
}

#[test]
fn a_rule_whose_key_cannot_be_used_stops_the_load() {
    let (_, private, public) = pair();
    for (content, expected) in [
        (None, "there is no file"),
        (Some("garbage".to_owned()), "not a public key in PEM"),
        (Some(String::new()), "not a public key in PEM"),
        (Some(private), "a private key"),
        (Some(format!("{public}{public}")), "2 PEM blocks"),
        (Some(RSA.to_owned()), "RSA keys are not supported"),
        (Some("x".repeat(300_000)), "too large"),
    ] {
        let (_directory, home) = trusting("{ key: keys/own.pub }");
        if let Some(content) = content {
            write_key(&home, "own.pub", &content);
        }
        let Err(error) = Verifier::load(&home, None) else {
            panic!("accepted: {expected}");
        };
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("keys/own.pub"), "{text}");
    }
}

#[test]
fn keys_and_rules_that_everybody_can_write_are_not_trusted() {
    let (_, _, public) = pair();
    let (_directory, home) = trusting("{ key: keys/own.pub }");
    write_key(&home, "own.pub", &public);
    Verifier::load(&home, None).unwrap();
    for path in [
        home.trust_file(),
        home.keys_dir().join("own.pub"),
        home.keys_dir(),
    ] {
        let before = std::fs::metadata(&path).unwrap().permissions();
        let mode = if path.is_dir() { 0o777 } else { 0o666 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let Err(error) = Verifier::load(&home, None) else {
            panic!("accepted: {}", path.display());
        };
        assert!(matches!(error, TrustError::File(_)), "{error}");
        assert!(error.hint().unwrap().starts_with("chmod o-w "), "{error}");
        std::fs::set_permissions(&path, before).unwrap();
    }
    Verifier::load(&home, None).unwrap();
    std::fs::remove_file(home.trust_file()).unwrap();
    std::os::unix::fs::symlink("/nowhere/trust.yaml", home.trust_file()).unwrap();
    assert!(
        Verifier::load(&home, None).is_err(),
        "a link to nothing is not an absent policy"
    );
}

#[test]
fn s167_a_mistake_in_the_rules_stops_the_load_with_its_place() {
    let (_directory, home) = trusting("{ identity: \"https://github.com/org/repo/x\" }");
    let Err(error) = Verifier::load(&home, None) else {
        panic!("accepted");
    };
    let text = error.to_string();
    assert!(text.contains("trust.yaml, line 4, column 15: "), "{text}");
    assert!(error.hint().unwrap().contains("issuer"));
}

#[test]
fn a_change_of_rules_or_keys_changes_the_stamp_of_the_home() {
    let (_, _, public) = pair();
    let (_directory, home) = crate::home();
    let mut last = home.stamp();
    let mut changed = |what: &str| {
        let now = home.stamp();
        assert_ne!(now, last, "{what}");
        last = now;
    };
    write_policy(&home, "{ key: keys/own.pub }");
    changed("trust.yaml was made");
    write_key(&home, "own.pub", &public);
    changed("a key was made");
    std::fs::write(home.keys_dir().join("own.pub"), format!("{public}\n")).unwrap();
    changed("a key was changed");
    std::fs::remove_file(home.keys_dir().join("own.pub")).unwrap();
    changed("a key was removed");
    std::fs::remove_file(home.trust_file()).unwrap();
    changed("trust.yaml was removed");
}

#[test]
fn private_keys_are_read_in_the_forms_of_cosign() {
    let (key, private, _) = pair();
    assert_eq!(
        SigningKey::from_pem(&private, None).unwrap().public(),
        key.public()
    );
    assert_eq!(
        SigningKey::from_pem(&private, Some("unused"))
            .unwrap()
            .public(),
        key.public()
    );
    let sealed = key.to_pem(Some("pass")).unwrap();
    assert!(sealed.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    assert!(!sealed.contains(&private.lines().nth(1).unwrap()[..40]));
    assert_eq!(
        SigningKey::from_pem(&sealed, Some("pass"))
            .unwrap()
            .public(),
        key.public()
    );
    let older = sealed.replace("SIGSTORE", "COSIGN");
    assert_eq!(
        SigningKey::from_pem(&older, Some("pass")).unwrap().public(),
        key.public()
    );
    let refused = |text: &str, password| SigningKey::from_pem(text, password).unwrap_err();
    assert_eq!(refused(&sealed, Some("Pass")), KeyError::WrongPassword);
    assert_eq!(refused(&sealed, Some("")), KeyError::WrongPassword);
    assert_eq!(refused(&sealed, None), KeyError::PasswordNeeded);
    // Made by cosign and by the crate sigstore.
    for (name, password) in [
        ("cosign_generated_encrypted_empty_private.key", ""),
        ("ecdsa_encrypted_private.key", "123"),
    ] {
        let text = String::from_utf8(data(name)).unwrap();
        SigningKey::from_pem(&text, Some(password)).unwrap();
        assert_eq!(refused(&text, Some("another")), KeyError::WrongPassword);
    }
    let ed25519 = String::from_utf8(data("ed25519_encrypted_private.key")).unwrap();
    assert_eq!(refused(&ed25519, Some("123")), algorithm("Ed25519"));
}

#[test]
fn what_is_no_private_key_is_refused_by_name() {
    let (_, private, public) = pair();
    let refused = |text: &str| SigningKey::from_pem(text, Some("x")).unwrap_err();
    assert_eq!(
        refused(""),
        KeyError::NotPem {
            expected: "private"
        }
    );
    assert_eq!(
        refused("garbage"),
        KeyError::NotPem {
            expected: "private"
        }
    );
    assert_eq!(
        refused(&private[..private.len() / 2]),
        KeyError::NotPem {
            expected: "private"
        }
    );
    assert_eq!(refused(&public), KeyError::Public);
    assert_eq!(
        refused(&format!("{private}{private}")),
        KeyError::Several(2)
    );
    let block = |label: &str| format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n");
    assert_eq!(refused(&block("EC PRIVATE KEY")), KeyError::Form("SEC 1"));
    assert_eq!(
        refused(&format!(
            "{}{}",
            block("EC PARAMETERS"),
            block("EC PRIVATE KEY")
        )),
        KeyError::Form("SEC 1")
    );
    assert_eq!(refused(&block("RSA PRIVATE KEY")), algorithm("RSA"));
    assert!(matches!(
        refused(&block("ENCRYPTED PRIVATE KEY")),
        KeyError::Encryption(_)
    ));
    assert_eq!(
        refused(&block("ENCRYPTED COSIGN PRIVATE KEY")),
        KeyError::NotPem {
            expected: "private"
        }
    );
}

#[test]
fn an_encrypted_key_does_not_choose_what_it_costs() {
    let sealed = |n: u64, r: u64, p: u64, kdf: &str, cipher: &str, nonce: usize| {
        let json = json!({
            "kdf": { "name": kdf, "params": { "N": n, "r": r, "p": p }, "salt": STANDARD.encode([1; 32]) },
            "cipher": { "name": cipher, "nonce": STANDARD.encode(vec![2; nonce]) },
            "ciphertext": STANDARD.encode([3; 200]),
        });
        let body = STANDARD.encode(json.to_string());
        format!(
            "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n{body}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
        )
    };
    let (kdf, cipher) = ("scrypt", "nacl/secretbox");
    let started = std::time::Instant::now();
    for (n, r, p) in [
        (1 << 40, 8, 1),
        (1 << 20, 64, 1),
        (65_536, 8, 1_000_000),
        (1 << 63, 8, 1),
        (65_535, 8, 1),
        (0, 8, 1),
        (1, 8, 1),
        (65_536, 0, 1),
        (65_536, 8, 0),
        (2, 1 << 30, 1),
        (u64::MAX, 8, 1),
    ] {
        let error = SigningKey::from_pem(&sealed(n, r, p, kdf, cipher, 24), Some("x")).unwrap_err();
        assert!(
            matches!(error, KeyError::Encryption(_)),
            "{n} {r} {p}: {error}"
        );
    }
    assert!(
        started.elapsed() < std::time::Duration::from_secs(10),
        "something was derived"
    );
    let refused = |text: String| SigningKey::from_pem(&text, Some("x")).unwrap_err();
    assert!(matches!(
        refused(sealed(1024, 8, 1, "argon2", cipher, 24)),
        KeyError::Encryption(_)
    ));
    assert!(matches!(
        refused(sealed(1024, 8, 1, kdf, "aes", 24)),
        KeyError::Encryption(_)
    ));
    assert_eq!(
        refused(sealed(1024, 8, 1, kdf, cipher, 23)),
        KeyError::NotPem {
            expected: "private"
        }
    );
    assert_eq!(
        refused(sealed(1024, 8, 1, kdf, cipher, 24)),
        KeyError::WrongPassword
    );
}

#[test]
fn a_private_key_that_everybody_can_read_is_not_used() {
    let (_, private, _) = pair();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.key");
    assert!(matches!(
        SigningKey::read(&path, None),
        Err(TrustError::Missing { .. })
    ));
    std::fs::write(&path, &private).unwrap();
    for (mode, fits) in [
        (0o600, true),
        (0o400, true),
        (0o640, true),
        (0o644, false),
        (0o604, false),
        (0o666, false),
    ] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let read = SigningKey::read(&path, None);
        assert_eq!(read.is_ok(), fits, "{mode:o}: {read:?}");
        if let Err(error) = read {
            assert!(error.hint().unwrap().contains("chmod"), "{error}");
        }
    }
}
