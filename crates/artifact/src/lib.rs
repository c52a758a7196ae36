//! Which bytes are these?
//!
//! This crate establishes facts about artifacts and keeps them on disk. It judges nothing and runs
//! nothing: *policy* judges the facts, *runtime* acts on the judgement.
//!
//! ```text
//! text ─Reference::parse► Reference ─fetch► VerifiedArtifact ─ContentStore::put► components/sha256-….wasm
//!                                                 │                                     │
//!                                          ArtifactIdentity                 LockFile::update binds name ► digest
//!                                                                                       │
//!                            VerifiedArtifact ◄─ContentStore::load (hashed again)── LockEntry
//! ```
//!
//! What holds at any moment, also after a `kill -9` or a power cut:
//! - a [`VerifiedArtifact`] carries the digest of the very bytes it holds;
//! - what a registry or server sends is bounded while it arrives, and its digest is that of the bytes, whatever a
//!   header says ([`fetch`], [`Sources`]); a login goes to the registry's own origin, or to the
//!   token server that one of three well-known registries has had for years;
//! - a file that Casemate writes is either the old one or the new one, never a part
//!   ([`write_atomic`]);
//! - a lock entry is written only after the bytes it names are on disk ([`LockFile::update`]);
//! - a file that decides what is allowed is read within bounds, from a regular file of this user or
//!   of root that not everybody can write, and "cannot be read" is never taken for "absent" ([`read_policy_file`]).
//!
//! ```
//! use casemate_artifact::{FetchRequest, Home, LockEntry, LockFile, Reference, Sources, fetch, sha256};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! # std::fs::write(directory.join("search.wasm"), b"\0asm\x0d\0\x01\0")?;
//! let home = Home::single(directory.join("home"));
//! home.create()?;
//! let reference = Reference::parse("search.wasm", directory)?;
//! let artifact = fetch(&Sources::files_only(), FetchRequest::new(&reference))?.artifact;
//! home.store().put(&artifact)?;
//! LockFile::update(&home, |lock| -> Result<(), Box<dyn std::error::Error>> {
//!     let source = artifact.identity().source().to_owned();
//!     let tools = sha256(b"the tool list");
//!     let entry = LockEntry::new(*artifact.digest(), source, tools, "2026-11-22T06:00:00Z".to_owned());
//!     lock.components.insert("search".parse()?, entry);
//!     Ok(())
//! })?;
//! for entry in LockFile::load(&home)?.components.values() {
//!     assert_eq!(home.store().load(entry)?.bytes(), artifact.bytes());
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod atomic;
mod check;
mod credentials;
mod digest;
mod fetch;
mod gc;
mod guard;
mod home;
mod https;
mod lock;
mod lock_file;
mod oci;
mod package;
mod protected;
mod push;
mod read;
mod reference;
mod remote;
mod signature;
mod sources;
mod stamp;
mod store;
mod wire;

pub use atomic::write_atomic;
pub use check::{Finding, Problem};
pub use credentials::{
    CredentialFileError, CredentialSources, Helpers, LoginCheck, MAX_CREDENTIAL_BYTES,
    OwnCredentials, check_login,
};
pub use digest::sha256;
pub use fetch::{FetchError, FetchLimits, FetchRequest, Fetched, VerifiedArtifact, fetch};
pub use gc::{GcError, GcReport, gc};
pub use home::{Home, HomeError};
pub use lock::{Lock, LockEntry, LockError, MAX_PREVIOUS, Replaced, manifest_names};
pub use lock_file::LockFile;
pub use package::{
    Evidence, EvidenceError, MAX_ANNOTATION_BYTES, MAX_ANNOTATIONS, MAX_BUNDLE_BYTES,
    MAX_EVIDENCE_BYTES, MAX_PAYLOAD_BYTES, MAX_REQUEST_BYTES, MAX_SIGNATURES, POLICY_MEDIA_TYPES,
    Package, SignatureItem, UnusableItem, WASM_MEDIA_TYPES, WIT_MEDIA_TYPE,
};
pub use protected::{
    MAX_POLICY_BYTES, PolicyFileError, PolicyText, group_writable, read_config_file,
    read_policy_file, read_policy_path, remove_policy_file, update_policy_file, write_policy_file,
};
pub use push::{Attached, PushContent, PushError, Pushed, attach, push};
pub use read::FileKind;
pub use reference::{
    HttpsReference, HttpsReferenceError, OciReference, OciReferenceError, Reference,
    ReferenceError, Registry,
};
pub use remote::{ManifestError, Phase, RemoteError};
pub use signature::{
    BUNDLE_MEDIA_TYPE, KeyError, PublicKey, RejectedSignature, RootError, SIGNATURE_PREDICATE_TYPE,
    SIMPLE_SIGNING_MEDIA_TYPE, SignatureForm, Signed, SigningKey, TrustError, Verdict,
    Verification, VerifiedSignature, Verifier, sign,
};
pub use sources::{
    Anonymous, ConnectError, Connected, Connector, CredentialError, Credentials, FetchDeadlines,
    Login, Pending, Place, Progress, Silent, Sources, Stream,
};
pub use stamp::{FileStamp, Stamp};
pub use store::{ContentStore, MAX_DOCS_BYTES, MAX_MANIFEST_BYTES, StoreError};
