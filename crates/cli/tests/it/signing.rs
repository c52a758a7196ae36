//! `sign` and `verify`, against a registry on loopback.

use crate::sandbox::{NOTES, Run, Sandbox};
use casemate_test_registry::Registry;
use std::os::unix::fs::PermissionsExt as _;

/// A registry with a component, and keys `own` and `other` in the working directory.
struct Scene {
    sandbox: Sandbox,
    registry: Registry,
}

impl Scene {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let registry = Registry::plain();
        registry.put_component("example/notes", "1", &std::fs::read(NOTES).unwrap());
        for prefix in ["own", "other"] {
            sandbox.run(&["sign", "--generate-key", prefix]).exits(0);
        }
        Self { sandbox, registry }
    }

    fn reference(&self) -> String {
        self.registry.reference("example/notes:1")
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let arguments = [arguments, &["--plain-http"]].concat();
        self.sandbox.run(&arguments)
    }

    fn sign(&self, more: &[&str]) -> Run {
        let reference = self.reference();
        self.run(&[&["sign", &reference, "--key", "own.key"], more].concat())
    }

    fn verify(&self, more: &[&str]) -> Run {
        let reference = self.reference();
        self.run(&[&["verify", &reference], more].concat())
    }

    fn trust(&self, signers: &str) {
        let host = self.registry.host();
        std::fs::create_dir_all(self.sandbox.path("home/keys")).unwrap();
        for key in ["own.pub", "other.pub"] {
            let to = self.sandbox.path("home/keys").join(key);
            std::fs::copy(self.sandbox.path("work").join(key), to).unwrap();
        }
        let text = format!(
            "version: \"1.0\"\nrules:\n  - match: \"{host}/example/**\"\n    signers: [{signers}]\n"
        );
        std::fs::write(self.sandbox.path("home/trust.yaml"), text).unwrap();
    }
}

#[test]
fn what_is_signed_verifies_with_its_key_and_with_no_other() {
    let scene = Scene::new();
    let unsigned = scene.verify(&[]).exits(3);
    assert!(unsigned.out.contains("unsigned"), "{}", unsigned.shown());
    let signed = scene.sign(&["-a", "env=prod"]).exits(0);
    assert!(
        signed.out.starts_with("signed 127.0.0.1:"),
        "{}",
        signed.shown()
    );
    assert!(
        signed.out.contains("bundle sha256:") && signed.out.contains(".sig"),
        "{}",
        signed.shown()
    );
    let good = scene.verify(&["--key", "own.pub"]).exits(0);
    assert!(
        good.out.contains("trusted: signed by key sha256:"),
        "{}",
        good.shown()
    );
    assert!(good.out.contains("env=prod"), "{}", good.shown());
    let wrong = scene.verify(&["--key", "other.pub"]).exits(3);
    assert!(
        wrong.out.contains("refused (verify.signature)"),
        "{}",
        wrong.shown()
    );
    assert!(
        wrong.out.contains("expected: key sha256:"),
        "{}",
        wrong.shown()
    );
    // Nobody said whose signature this has to be, so it is nobody's.
    let nobody = scene.verify(&[]).exits(3);
    assert!(
        nobody.out.contains("a key that no rule names"),
        "{}",
        nobody.shown()
    );
    let keyless = scene
        .verify(&[
            "--identity",
            "dev@example.com",
            "--issuer",
            "https://accounts.google.com",
        ])
        .exits(3);
    assert!(
        keyless.out.contains("expected: email dev@example.com"),
        "{}",
        keyless.shown()
    );
}

#[test]
fn s165_s166_the_rules_of_trust_yaml_decide() {
    let scene = Scene::new();
    scene.trust("{ key: keys/own.pub }");
    let unsigned = scene.verify(&["--json"]).exits(3).json();
    assert_eq!(unsigned["verdict"], "refused");
    assert_eq!(unsigned["reason"], "verify.signature");
    assert!(
        unsigned["expected"][0]
            .as_str()
            .unwrap()
            .contains("keys/own.pub")
    );
    scene.sign(&[]).exits(0);
    let trusted = scene.verify(&["--json"]).exits(0).json();
    assert_eq!(trusted["verdict"], "trusted");
    assert_eq!(trusted["verified"].as_array().unwrap().len(), 2);
    assert_eq!(trusted["rejected"].as_array().unwrap().len(), 0);
    assert_eq!(trusted["holds"], true);
    scene.trust("{ key: keys/other.pub }");
    let refused = scene.verify(&["--json"]).exits(3).json();
    assert_eq!(refused["reason"], "verify.signature");
    assert_eq!(refused["holds"], false);
    // A rule that cannot be read stops everything, and says where it is.
    scene.trust("{ identity: \"https://github.com/org/repo/x\" }");
    let broken = scene.verify(&[]).exits(2);
    assert!(
        broken.err.contains("trust.yaml, line 4, column 15"),
        "{}",
        broken.shown()
    );
    assert!(broken.err.contains("hint: "), "{}", broken.shown());
}

#[test]
fn what_is_installed_verifies_offline() {
    let scene = Scene::new();
    scene.sign(&[]).exits(0);
    scene.trust("{ key: keys/own.pub }");
    let reference = scene.reference();
    scene
        .run(&["add", &reference, "--name", "notes", "--yes"])
        .exits(0);
    let Scene { sandbox, registry } = scene;
    drop(registry);
    let kept = sandbox.run(&["verify", "notes", "--json"]).exits(0).json();
    assert_eq!(kept["verdict"], "trusted");
    assert_eq!(kept["source"], reference.as_str());
    sandbox
        .run(&["verify", "notes", "--key", "other.pub"])
        .exits(3);
}

#[test]
fn forms_can_be_chosen_and_signing_again_adds_nothing() {
    let scene = Scene::new();
    let bundle = scene
        .sign(&["--format", "bundle", "--json"])
        .exits(0)
        .json();
    assert_eq!(bundle["referrers"].as_array().unwrap().len(), 1);
    let once = scene
        .verify(&["--key", "own.pub", "--json"])
        .exits(0)
        .json();
    assert_eq!(once["verified"][0]["form"], "bundle");
    scene.sign(&["--format", "legacy"]).exits(0);
    scene.sign(&[]).exits(0);
    let twice = scene
        .verify(&["--key", "own.pub", "--json"])
        .exits(0)
        .json();
    assert_eq!(twice["verified"].as_array().unwrap().len(), 2, "{twice}");
}

#[test]
fn a_new_key_is_for_its_owner_and_overwrites_nothing() {
    let sandbox = Sandbox::new();
    let made = sandbox
        .run(&["sign", "--generate-key", "new", "--json"])
        .exits(0);
    assert_eq!(made.json()["encrypted"], false);
    assert!(made.err.contains("is not encrypted"), "{}", made.shown());
    let mode = |name: &str| sandbox.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("work/new.key"), 0o600);
    let before = std::fs::read(sandbox.path("work/new.key")).unwrap();
    let again = sandbox.run(&["sign", "--generate-key", "new"]).exits(2);
    assert!(again.err.contains("never overwritten"), "{}", again.shown());
    // One of the two is enough to be in the way, also as a link to nothing.
    std::fs::remove_file(sandbox.path("work/new.key")).unwrap();
    sandbox.run(&["sign", "--generate-key", "new"]).exits(2);
    assert!(!sandbox.path("work/new.key").exists());
    std::os::unix::fs::symlink("/nowhere", sandbox.path("work/link.pub")).unwrap();
    sandbox.run(&["sign", "--generate-key", "link"]).exits(2);
    assert!(!sandbox.path("work/link.key").exists());
    std::fs::write(sandbox.path("work/new.key"), before).unwrap();
}

#[test]
fn an_encrypted_key_needs_its_password_and_an_open_one_is_not_used() {
    let scene = Scene::new();
    let with = |password: &str, arguments: &[&str]| {
        let arguments = [arguments, &["--plain-http"]].concat();
        let mut command = scene.sandbox.command(&arguments);
        Run::of(&command.env("COSIGN_PASSWORD", password).output().unwrap())
    };
    let mut command = scene
        .sandbox
        .command(&["sign", "--generate-key", "sealed", "--json"]);
    let made = Run::of(
        &command
            .env("CASEMATE_KEY_PASSWORD", "right")
            .output()
            .unwrap(),
    )
    .exits(0);
    assert_eq!(made.json()["encrypted"], true);
    assert!(!made.shown().contains("right"), "{}", made.shown());
    let text = std::fs::read_to_string(scene.sandbox.path("work/sealed.key")).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"));
    let reference = scene.reference();
    let sign = ["sign", &reference, "--key", "sealed.key"];
    let none = scene.run(&sign).exits(2);
    assert!(
        none.err.contains("encrypted") && none.err.contains("CASEMATE_KEY_PASSWORD"),
        "{}",
        none.shown()
    );
    let wrong = with("wrong", &sign).exits(2);
    assert!(wrong.err.contains("does not fit"), "{}", wrong.shown());
    with("right", &sign).exits(0);
    scene.verify(&["--key", "sealed.pub"]).exits(0);
    let open = scene.sandbox.path("work/own.key");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = scene.sign(&[]).exits(2);
    assert!(
        open.err.contains("every user (mode 0644)") && open.err.contains("chmod 600"),
        "{}",
        open.shown()
    );
}

#[test]
fn s167_s190_what_cannot_be_used_is_refused_before_anything_is_fetched() {
    let scene = Scene::new();
    let seen = scene.registry.seen().len();
    std::fs::write(scene.sandbox.path("work/garbage.pub"), "garbage").unwrap();
    std::fs::write(scene.sandbox.path("work/root.json"), "{}").unwrap();
    for (more, words) in [
        (
            &["--identity", "https://github.com/org/repo/x"][..],
            "--issuer",
        ),
        (&["--issuer", "https://accounts.google.com"], "--identity"),
        (
            &[
                "--identity",
                "https://github.com/**",
                "--issuer",
                "https://accounts.google.com",
            ],
            "anybody",
        ),
        (
            &[
                "--identity",
                "**",
                "--issuer",
                "https://accounts.google.com",
            ],
            "is not an e-mail address",
        ),
        (&["--key", "garbage.pub"], "not a public key in PEM"),
        (&["--key", "own.key"], "a private key"),
        (&["--key", "missing.pub"], "there is no file"),
        (
            &["--trust-root", "root.json"],
            "not a Sigstore trusted root",
        ),
        (&["--trust-root", "missing.json"], "there is no file"),
    ] {
        let run = scene.verify(more).exits(2);
        assert!(run.err.contains(words), "{more:?} {}", run.shown());
    }
    let file = scene
        .sandbox
        .run(&["sign", NOTES, "--key", "own.key"])
        .exits(2);
    assert!(file.err.contains("not in a registry"), "{}", file.shown());
    assert_eq!(scene.registry.seen().len(), seen);
    // The same from the configuration.
    std::fs::write(
        scene.sandbox.path("home/config.toml"),
        "[trust]\nroot = \"root.json\"\n",
    )
    .unwrap();
    let run = scene.verify(&[]).exits(2);
    assert!(run.err.contains("home/root.json"), "{}", run.shown());
}
