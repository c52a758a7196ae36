use super::*;
use crate::arguments::Global;
use std::os::unix::fs::PermissionsExt as _;

const CERTIFICATE: &str = include_str!("../../tests/own.pem");

fn with(directory: &Path, file: &str) -> Result<Option<Certificates>, String> {
    let mut settings = Settings::locate(&Global {
        home: Some(directory.to_owned()),
        ..Global::default()
    })
    .unwrap();
    settings.config.certificates = Some(directory.join(file));
    own(&settings).map_err(|error| {
        let shown = error.shown();
        format!("{} hint: {}", shown.message, shown.hint.unwrap_or_default())
    })
}

#[test]
fn a_file_of_certificates_is_taken_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    assert!(
        with(place, "none.pem")
            .unwrap_err()
            .contains("there is no file")
    );
    let broken = CERTIFICATE.replacen("MI", "AAAA", 1);
    for (name, text, why) in [
        ("empty.pem", "", "there is no certificate in it"),
        (
            "prose.pem",
            "not a certificate\n",
            "there is no certificate in it",
        ),
        ("cut.pem", "-----BEGIN CERTIFICATE-----\n", "own"),
        ("broken.pem", &broken, "own"),
        ("both.pem", &format!("{CERTIFICATE}{broken}"), "own"),
    ] {
        std::fs::write(place.join(name), text).unwrap();
        let error = with(place, name).unwrap_err();
        assert!(error.contains(name), "{error}");
        assert!(error.contains("network.certificates of"), "{error}");
        assert!(why == "own" || error.contains(why), "{error}");
    }
    let good = place.join("good.pem");
    std::fs::write(&good, format!("A company.\n{CERTIFICATE}")).unwrap();
    assert_eq!(
        with(place, "good.pem").unwrap().unwrap().certificates.len(),
        1
    );
    // Everybody could add an authority.
    std::fs::set_permissions(&good, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(with(place, "good.pem").unwrap_err().contains("every user"));
}

#[test]
fn a_system_without_certificates_has_those_that_are_built_in() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.crt");
    std::fs::write(&file, CERTIFICATE).unwrap();
    let empty = directory.path().join("empty.crt");
    std::fs::write(&empty, "").unwrap();
    let files = [
        empty.to_str().unwrap(),
        "/nowhere/ca.crt",
        file.to_str().unwrap(),
    ];
    let found = system(&files);
    assert_eq!(
        (found.certificates.len(), found.file),
        (1, Some(file.clone()))
    );
    let found = system(&files[..2]);
    assert!(found.certificates.len() > 100 && found.file.is_none());
    assert!(found.certificates.iter().all(TrustRoots::takes));
}
