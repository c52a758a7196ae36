//! Blobs, manifests, tags and uploads, and the requests that ask for them.

use crate::server::{Reply, Request};
use crate::{INDEX, digest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(crate) struct Content {
    repositories: BTreeMap<String, Repository>,
    uploads: u64,
}

#[derive(Default)]
struct Repository {
    blobs: BTreeMap<String, Arc<Vec<u8>>>,
    manifests: BTreeMap<String, (String, Arc<Vec<u8>>)>,
    tags: BTreeMap<String, String>,
    uploads: BTreeMap<String, Vec<u8>>,
}

impl Content {
    fn repository(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }

    pub(crate) fn put_blob(&mut self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let blob = Arc::new(bytes.to_vec());
        self.repository(repository)
            .blobs
            .insert(digest.clone(), blob);
        digest
    }

    pub(crate) fn put_manifest(
        &mut self,
        repository: &str,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> String {
        let digest = digest(bytes);
        let repository = self.repository(repository);
        let kept = (media_type.to_owned(), Arc::new(bytes.to_vec()));
        repository.manifests.insert(digest.clone(), kept);
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), digest.clone());
        }
        digest
    }

    pub(crate) fn resolve(&self, repository: &str, tag: &str) -> Option<String> {
        self.repositories.get(repository)?.tags.get(tag).cloned()
    }

    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let repository = self.repositories.get(repository);
        repository.map_or_else(Vec::new, |own| own.tags.keys().cloned().collect())
    }

    pub(crate) fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Option<(String, Arc<Vec<u8>>)> {
        let repository = self.repositories.get(repository)?;
        let digest = repository
            .tags
            .get(reference)
            .map_or(reference, String::as_str);
        repository.manifests.get(digest).cloned()
    }

    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Option<Arc<Vec<u8>>> {
        self.repositories
            .get(repository)?
            .blobs
            .get(digest)
            .cloned()
    }

    pub(crate) fn remove(&mut self, repository: &str, reference: &str) {
        let repository = self.repository(repository);
        if repository.tags.remove(reference).is_none() {
            repository.manifests.remove(reference);
        }
    }

    pub(crate) fn answer(&mut self, request: &Request, referrers: bool) -> Reply {
        let path = request.path();
        if path == "/v2/" || path == "/v2" {
            return Reply::new(200, "{}");
        }
        let Some(rest) = path.strip_prefix("/v2/") else {
            return not_found("NAME_UNKNOWN");
        };
        let method = request.method.as_str();
        if let Some((repository, upload)) = rest.split_once("/blobs/uploads/") {
            return self.upload(request, repository, upload);
        }
        if let Some((repository, digest)) = rest.split_once("/blobs/") {
            return match self.blob(repository, digest) {
                Some(bytes) if matches!(method, "GET" | "HEAD") => blob(request, &bytes),
                Some(_) => Reply::new(405, ""),
                None => not_found("BLOB_UNKNOWN"),
            };
        }
        if let Some((repository, reference)) = rest.split_once("/manifests/") {
            return match method {
                "PUT" => self.put(request, repository, reference, referrers),
                "DELETE" => {
                    self.remove(repository, reference);
                    Reply::new(202, "")
                }
                _ => match self.manifest(repository, reference) {
                    Some((media_type, bytes)) => Reply::Http {
                        status: 200,
                        headers: vec![
                            ("Content-Type".to_owned(), media_type),
                            ("Docker-Content-Digest".to_owned(), digest(&bytes)),
                        ],
                        body: bytes,
                    },
                    None => not_found("MANIFEST_UNKNOWN"),
                },
            };
        }
        match rest.split_once("/referrers/") {
            Some((repository, subject)) if referrers => self.referrers(repository, subject),
            _ => not_found("UNSUPPORTED"),
        }
    }

    fn put(
        &mut self,
        request: &Request,
        repository: &str,
        reference: &str,
        referrers: bool,
    ) -> Reply {
        let media_type = request
            .header("content-type")
            .unwrap_or_default()
            .to_owned();
        let own = digest(&request.body);
        let tag = (!reference.starts_with("sha256:")).then_some(reference);
        if tag.is_none() && reference != own {
            return error(400, "DIGEST_INVALID");
        }
        let Ok(manifest) = serde_json::from_slice::<Value>(&request.body) else {
            return error(400, "MANIFEST_INVALID");
        };
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        let named = layers.iter().chain(manifest.get("config"));
        for descriptor in named {
            let digest = descriptor["digest"].as_str().unwrap_or_default();
            if self.blob(repository, digest).is_none() {
                return error(404, "MANIFEST_BLOB_UNKNOWN");
            }
        }
        self.put_manifest(repository, tag, &media_type, &request.body);
        let reply = Reply::new(201, "")
            .with("Location", &format!("/v2/{repository}/manifests/{own}"))
            .with("Docker-Content-Digest", &own);
        match manifest["subject"]["digest"].as_str() {
            Some(subject) if referrers => reply.with("OCI-Subject", subject),
            _ => reply,
        }
    }

    /// One request with everything, or one to begin, any number with parts, and one to end.
    fn upload(&mut self, request: &Request, name: &str, upload: &str) -> Reply {
        self.uploads += 1;
        let number = self.uploads.to_string();
        let repository = self.repository(name);
        let (key, bytes) = match request.method.as_str() {
            "POST" => (number, request.body.clone()),
            _ => match repository.uploads.remove(upload) {
                Some(mut bytes) => {
                    bytes.extend_from_slice(&request.body);
                    (upload.to_owned(), bytes)
                }
                None => return error(404, "BLOB_UPLOAD_UNKNOWN"),
            },
        };
        match request.parameter("digest") {
            Some(stated) if stated == digest(&bytes) => {
                repository.blobs.insert(stated.clone(), Arc::new(bytes));
                Reply::new(201, "").with("Location", &format!("/v2/{name}/blobs/{stated}"))
            }
            Some(_) => error(400, "DIGEST_INVALID"),
            None => {
                let end = bytes.len().saturating_sub(1);
                repository.uploads.insert(key.clone(), bytes);
                Reply::new(202, "")
                    .with("Location", &format!("/v2/{name}/blobs/uploads/{key}"))
                    .with("Range", &format!("0-{end}"))
            }
        }
    }

    fn referrers(&self, repository: &str, subject: &str) -> Reply {
        let manifests = self.repositories.get(repository).map(|own| &own.manifests);
        let entries: Vec<Value> = manifests
            .into_iter()
            .flatten()
            .filter_map(|(digest, (media_type, bytes))| {
                let manifest: Value = serde_json::from_slice(bytes).ok()?;
                if manifest["subject"]["digest"] != subject {
                    return None;
                }
                let artifact_type = match &manifest["artifactType"] {
                    Value::Null => manifest["config"]["mediaType"].clone(),
                    own => own.clone(),
                };
                Some(json!({
                    "mediaType": media_type,
                    "digest": digest,
                    "size": bytes.len(),
                    "artifactType": artifact_type,
                    "annotations": manifest["annotations"],
                }))
            })
            .collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
        Reply::new(200, index.to_string()).with("Content-Type", INDEX)
    }
}

/// A blob, or its end (RFC 9110, 14).
fn blob(request: &Request, bytes: &Arc<Vec<u8>>) -> Reply {
    let from = request.header("range").and_then(|range| {
        range
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    });
    let own = digest(bytes);
    match from {
        Some(from) if from < bytes.len() => Reply::new(206, &bytes[from..])
            .with(
                "Content-Range",
                &format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()),
            )
            .with("Docker-Content-Digest", &own),
        Some(_) => Reply::new(416, ""),
        None => Reply::Http {
            status: 200,
            headers: vec![("Docker-Content-Digest".to_owned(), own)],
            body: Arc::clone(bytes),
        },
    }
}

fn not_found(code: &str) -> Reply {
    error(404, code)
}

pub(crate) fn error(status: u16, code: &str) -> Reply {
    let body = json!({ "errors": [{ "code": code, "message": "as asked" }] });
    Reply::new(status, body.to_string()).with("Content-Type", "application/json")
}
