//! Components from a registry: what is verified, kept, shown, served, and returned to.

mod frozen;
mod killed;
mod locked;
mod synced;
mod updated;

use crate::fixture::Fixture;
use casemate_artifact::{
    LockEntry, LockFile, Reference, SignatureItem, SigningKey, Silent, attach, sign,
};
use casemate_policy::{ComponentName, Digest};
use casemate_runtime::{
    InstallError, InstallPlan, InstallRequest, Problem, Runtime, UpdateOptions,
};
use casemate_test_registry::Registry;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const REPOSITORY: &str = "acme/tool";
/// What a policy grants in these tests.
const POLICY: &str =
    "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n      - key: \"TOKEN\"\n";

fn name() -> ComponentName {
    "tool".parse().unwrap()
}

/// One build of the tool.
#[derive(Clone, Copy, Default)]
struct Build<'a> {
    /// What its function returns.
    answer: u32,
    /// What a model is told of it.
    words: &'a str,
    version: Option<&'a str>,
    /// The policy that its author asks for.
    request: Option<&'a str>,
    /// It imports the environment.
    asks: bool,
}

impl Build<'_> {
    fn wit(&self) -> String {
        let import = if self.asks {
            "import wasi:cli/environment@0.2.12; "
        } else {
            ""
        };
        let words = self.words;
        format!(
            "package test:tool; world tool {{ {import}\n/// {words}\nexport tell: func() -> u32; }}"
        )
    }

    fn wasm(&self) -> Vec<u8> {
        let answer = self.answer;
        let import = if self.asks {
            r#"(import "wasi:cli/environment@0.2.12" "get-environment" (func (param i32)))"#
        } else {
            ""
        };
        let core = format!(
            r#"(module {import} (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
                (func (export "tell") (result i32) i32.const {answer}))"#
        );
        crate::common::wasi_component(&self.wit(), "tool", &core)
    }
}

/// A registry, and a home that takes components from it.
struct Shop {
    registry: Registry,
    fixture: Fixture,
    key: SigningKey,
}

impl Shop {
    fn new() -> Self {
        let registry = Registry::plain();
        let fixture = Fixture::with(|builder| builder.sources(registry.sources()));
        Self {
            registry,
            fixture,
            key: SigningKey::generate().unwrap(),
        }
    }

    fn runtime(&self) -> &Runtime {
        &self.fixture.runtime
    }

    /// Another home on another machine, with the files of this one that belong in git.
    fn elsewhere(&self) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        std::fs::create_dir_all(home.join("policies")).unwrap();
        let ours = &self.fixture.home;
        for (from, to) in [
            (ours.lock_file(), "casemate.lock"),
            (ours.trust_file(), "trust.yaml"),
            (ours.policy_file(&name()), "policies/tool.yaml"),
        ] {
            if from.exists() {
                std::fs::copy(from, home.join(to)).unwrap();
            }
        }
        if ours.keys_dir().exists() {
            std::fs::create_dir(home.join("keys")).unwrap();
            std::fs::copy(ours.keys_dir().join("acme.pub"), home.join("keys/acme.pub")).unwrap();
        }
        let sources = self.registry.sources();
        Fixture::in_directory(directory, |builder| builder.sources(sources))
    }

    fn repository(&self) -> String {
        format!("{}/{REPOSITORY}", self.registry.host())
    }

    fn reference(&self, rest: &str) -> Reference {
        let text = self.registry.reference(&format!("{REPOSITORY}{rest}"));
        Reference::parse(&text, "/".as_ref()).unwrap()
    }

    /// Puts a build under a tag; gives the manifest's digest.
    fn publish(&self, tag: &str, build: Build<'_>) -> Digest {
        let wasm = build.wasm();
        let mut layers = vec![self.registry.layer(REPOSITORY, "application/wasm", &wasm)];
        let wit = build.wit();
        layers.push(self.registry.layer(
            REPOSITORY,
            casemate_artifact::WIT_MEDIA_TYPE,
            wit.as_bytes(),
        ));
        if let Some(request) = build.request {
            let [media_type, _] = casemate_artifact::POLICY_MEDIA_TYPES;
            layers.push(
                self.registry
                    .layer(REPOSITORY, media_type, request.as_bytes()),
            );
        }
        let mut manifest = self.registry.image(REPOSITORY, layers);
        if let Some(version) = build.version {
            manifest["annotations"] = json!({ "org.opencontainers.image.version": version });
        }
        let digest = self.registry.put_json(REPOSITORY, Some(tag), &manifest);
        digest.parse().unwrap()
    }

    fn sign(&self, manifest: &Digest) {
        self.sign_with(&self.key, manifest);
    }

    /// Attaches a bundle by that key.
    fn sign_with(&self, key: &SigningKey, manifest: &Digest) {
        let signed = sign(key, &self.repository(), manifest, &BTreeMap::new()).unwrap();
        let Reference::Oci(reference) = self.reference("") else {
            panic!("not a registry");
        };
        let items: Vec<SignatureItem> = signed
            .evidence()
            .items()
            .iter()
            .filter(|item| matches!(item, SignatureItem::Bundle { .. }))
            .cloned()
            .collect();
        attach(&self.registry.sources(), &reference, manifest, &items).unwrap();
    }

    /// A rule for the repository that names the key.
    fn trust(&self, verification: &str) {
        let keys = self.fixture.home.keys_dir();
        let _ = std::fs::create_dir(&keys);
        std::fs::write(keys.join("acme.pub"), self.key.public().to_pem().unwrap()).unwrap();
        self.write_trust(&format!(
            "version: \"1.0\"\nrules:\n  - match: \"{}\"\n    verification: {verification}\n    signers:\n      - key: keys/acme.pub\n",
            self.repository()
        ));
    }

    fn write_trust(&self, text: &str) {
        std::fs::write(self.fixture.home.trust_file(), text).unwrap();
    }

    fn request(&self, rest: &str) -> InstallRequest {
        InstallRequest::new(self.reference(rest)).named(name())
    }

    fn plan(&self, rest: &str) -> Result<InstallPlan, InstallError> {
        self.runtime().plan_install(self.request(rest), &Silent)
    }

    fn install(&self, rest: &str, policy: Option<&str>) {
        let plan = self.plan(rest).unwrap();
        self.runtime().install(plan, policy).unwrap();
        assert_eq!(self.runtime().catalog().problems(), []);
    }

    fn update(&self) -> Result<Option<InstallPlan>, InstallError> {
        self.update_with(UpdateOptions::default())
    }

    fn update_with(&self, options: UpdateOptions) -> Result<Option<InstallPlan>, InstallError> {
        self.runtime().plan_update(&name(), options, &Silent)
    }

    fn entry(&self) -> LockEntry {
        let lock = LockFile::load(&self.fixture.home).unwrap();
        lock.components.get(&name()).unwrap().clone()
    }

    /// What a call returns, and what a model is told of the tool.
    fn served(&self) -> (Value, String) {
        let report = self.fixture.call("tool_tell", Value::Null);
        let catalog = self.runtime().catalog();
        let words = catalog
            .tool("tool_tell")
            .unwrap()
            .spec()
            .description
            .clone();
        (crate::fixture::result(&report), words)
    }

    fn policy(&self) -> Option<String> {
        std::fs::read_to_string(self.fixture.home.policy_file(&name())).ok()
    }

    /// Why the tool is not served, after a look at the home.
    fn problem(&self) -> Problem {
        problem_of(&self.fixture)
    }

    /// A file of the store, made writable.
    fn stored(&self, digest: &Digest, extension: &str) -> std::path::PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let file = format!("sha256-{}.{extension}", digest.hex());
        let file = self.fixture.home.components_dir().join(file);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        file
    }
}

fn problem_of(fixture: &Fixture) -> Problem {
    fixture.runtime.reload().unwrap();
    let catalog = fixture.runtime.catalog();
    assert!(catalog.tool("tool_tell").is_none(), "{catalog:?}");
    let [problem] = catalog.problems() else {
        panic!("{:?}", catalog.problems());
    };
    assert!(problem.hint.is_some(), "{problem:?}");
    problem.clone()
}
