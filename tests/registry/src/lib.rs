//! A registry on loopback (OCI distribution spec 1.1), in memory, that can be told to misbehave.
//!
//! ```
//! use casemate_artifact::{FetchRequest, Reference, fetch};
//! use casemate_test_registry::Registry;
//!
//! let registry = Registry::plain();
//! registry.put_component("acme/tool", "1", b"\0asm\x0d\0\x01\0");
//! let reference = Reference::parse(&registry.reference("acme/tool:1"), "/".as_ref()).unwrap();
//! let fetched = fetch(&registry.sources(), FetchRequest::new(&reference)).unwrap();
//! assert_eq!(fetched.artifact.bytes(), b"\0asm\x0d\0\x01\0");
//! ```
//!
//! [`Registry::answer_with`] puts any answer in the place of the registry's own, down to single bytes
//! and pauses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod auth;
mod connector;
mod content;
mod server;
mod tls;

pub use auth::Auth;
pub use connector::{Direct, FixedLogin};
pub use server::{Reply, Request, Step};

use casemate_artifact::{FetchDeadlines, Sources, sha256};
use content::Content;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use server::Server;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of a component's configuration.
pub const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// Media type of a component.
pub const WASM: &str = "application/wasm";

type Script = Box<dyn FnMut(&Request) -> Option<Reply> + Send>;

/// What the threads of a registry share.
pub(crate) struct Shared {
    state: Mutex<State>,
    scripts: Mutex<Vec<Script>>,
    seen: Mutex<Vec<Request>>,
}

#[derive(Default)]
pub(crate) struct State {
    content: Content,
    auth: Auth,
    /// Whether `/v2/…/referrers/…` is known.
    referrers: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A registry that listens until it is dropped.
pub struct Registry {
    shared: Arc<Shared>,
    server: Server,
    authority: Option<tls::Authority>,
}

impl Registry {
    /// One that speaks plain HTTP on a free port of 127.0.0.1, knows referrers, and lets everybody in.
    #[must_use]
    pub fn plain() -> Self {
        Self::start(None)
    }

    /// One that speaks TLS, with a certificate of an authority of its own for 127.0.0.1, localhost and
    /// these names.
    #[must_use]
    pub fn tls(names: &[&str]) -> Self {
        Self::start(Some(tls::Authority::new(names)))
    }

    fn start(authority: Option<tls::Authority>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                referrers: true,
                ..State::default()
            }),
            scripts: Mutex::default(),
            seen: Mutex::default(),
        });
        let answers = Arc::clone(&shared);
        let config = authority.as_ref().map(tls::Authority::server);
        let server = Server::start(config, move |request| answers.answer(request));
        Self {
            shared,
            server,
            authority,
        }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.address.port()
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.server.address.to_string()
    }

    /// `oci://127.0.0.1:PORT/REST`.
    #[must_use]
    pub fn reference(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.host())
    }

    /// The certificate of the authority that vouches for it; of one that speaks TLS.
    #[must_use]
    pub fn root(&self) -> Option<CertificateDer<'static>> {
        self.authority.as_ref().map(tls::Authority::root)
    }

    /// The same in PEM.
    #[must_use]
    pub fn root_pem(&self) -> Option<String> {
        self.authority.as_ref().map(tls::Authority::root_pem)
    }

    /// A connector that believes its certificate.
    #[must_use]
    pub fn connector(&self) -> Direct {
        Direct::new(self.root())
    }

    /// Sources that reach it, without a login: over plain HTTP if that is what it speaks.
    #[must_use]
    pub fn sources(&self) -> Sources {
        self.sources_with(
            self.connector(),
            FixedLogin::none(),
            FetchDeadlines::default(),
        )
    }

    /// The same with other parts.
    #[must_use]
    pub fn sources_with(
        &self,
        connector: Direct,
        login: FixedLogin,
        deadlines: FetchDeadlines,
    ) -> Sources {
        let sources = Sources::with_deadlines(Arc::new(connector), Arc::new(login), deadlines);
        match self.authority {
            Some(_) => sources,
            None => sources.with_plain_http(vec![self.host().parse().unwrap()]),
        }
    }

    /// Wants this from now on before it answers.
    pub fn set_auth(&self, auth: Auth) {
        locked(&self.shared.state).auth = auth;
    }

    /// Whether it knows `/v2/…/referrers/…`; clients fall back to a tag where it does not.
    pub fn set_referrers(&self, known: bool) {
        locked(&self.shared.state).referrers = known;
    }

    /// Puts the script's answers in the place of its own, where there are any; the newest is asked
    /// first. It is asked before the login is.
    pub fn answer_with(
        &self,
        script: impl FnMut(&Request) -> Option<Reply> + Send + 'static,
    ) -> &Self {
        locked(&self.shared.scripts).push(Box::new(script));
        self
    }

    /// Answers every request whose path ends so with this.
    pub fn answer_at(&self, end: impl Into<String>, reply: Reply) -> &Self {
        let end = end.into();
        self.answer_with(move |request| request.path().ends_with(&end).then(|| reply.clone()))
    }

    /// What was asked so far, in the order in which it came.
    #[must_use]
    pub fn seen(&self) -> Vec<Request> {
        locked(&self.shared.seen).clone()
    }

    /// Keeps a blob, under its digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        locked(&self.shared.state)
            .content
            .put_blob(repository, bytes)
    }

    /// Keeps a manifest or index as it is, under its digest and, if one is given, a tag.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> String {
        let mut state = locked(&self.shared.state);
        state
            .content
            .put_manifest(repository, tag, media_type, bytes)
    }

    /// The same for JSON.
    pub fn put_json(&self, repository: &str, tag: Option<&str>, manifest: &Value) -> String {
        let media_type = manifest["mediaType"]
            .as_str()
            .unwrap_or(MANIFEST)
            .to_owned();
        let bytes = serde_json::to_vec(manifest).unwrap();
        self.put_manifest(repository, tag, &media_type, &bytes)
    }

    /// Keeps a component in the form in which `wkg` pushes one. Returns the manifest's digest.
    pub fn put_component(&self, repository: &str, tag: &str, wasm: &[u8]) -> String {
        let layer = self.layer(repository, WASM, wasm);
        let manifest = self.image(repository, vec![layer]);
        self.put_json(repository, Some(tag), &manifest)
    }

    /// A descriptor of a blob that is kept.
    pub fn layer(&self, repository: &str, media_type: &str, bytes: &[u8]) -> Value {
        let digest = self.put_blob(repository, bytes);
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// A manifest of these layers, not kept yet.
    pub fn image(&self, repository: &str, layers: Vec<Value>) -> Value {
        let config = self.layer(
            repository,
            WASM_CONFIG,
            b"{\"architecture\":\"wasm\",\"os\":\"wasip2\"}",
        );
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
        })
    }

    /// The digest that a tag leads to.
    #[must_use]
    pub fn resolve(&self, repository: &str, tag: &str) -> Option<String> {
        locked(&self.shared.state).content.resolve(repository, tag)
    }

    /// The bytes of a manifest, by tag or digest.
    #[must_use]
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<Vec<u8>> {
        let state = locked(&self.shared.state);
        let (_, bytes) = state.content.manifest(repository, reference)?;
        Some(bytes.to_vec())
    }

    /// The bytes of a blob.
    #[must_use]
    pub fn blob(&self, repository: &str, digest: &str) -> Option<Vec<u8>> {
        let state = locked(&self.shared.state);
        state
            .content
            .blob(repository, digest)
            .map(|bytes| bytes.to_vec())
    }

    /// The tags of a repository, sorted.
    #[must_use]
    pub fn tags(&self, repository: &str) -> Vec<String> {
        locked(&self.shared.state).content.tags(repository)
    }

    /// Takes a manifest or a tag away.
    pub fn remove_manifest(&self, repository: &str, reference: &str) {
        locked(&self.shared.state)
            .content
            .remove(repository, reference);
    }
}

impl Shared {
    fn answer(&self, request: &Request) -> Reply {
        locked(&self.seen).push(request.clone());
        let mut scripts = locked(&self.scripts);
        let scripted = scripts.iter_mut().rev().find_map(|script| script(request));
        drop(scripts);
        if let Some(reply) = scripted {
            return reply;
        }
        let mut state = locked(&self.state);
        if let Some(reply) = state.auth.answer(request) {
            return reply;
        }
        let referrers = state.referrers;
        state.content.answer(request, referrers)
    }
}

/// `sha256:…` of some bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    sha256(bytes).to_string()
}
