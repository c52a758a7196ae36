//! Which component does a manifest name?

use casemate_policy::Digest;
use serde::Deserialize;

use crate::package::WASM_MEDIA_TYPES;

/// What of a manifest (OCI image spec, "Image Manifest") binds it to a component.
#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    #[serde(default)]
    media_type: String,
    digest: String,
}

/// Whether the one WebAssembly layer of a manifest is the component with this digest.
///
/// For bytes that were fetched and checked before and whose digest was just checked again: it answers whether the lock
/// puts the two together that belong together. Whatever is not plainly so is `false`.
pub fn manifest_names(manifest: &[u8], component: &Digest) -> bool {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(manifest) else {
        return false;
    };
    let mut wasm = manifest.layers.iter().filter(|layer| {
        let essence = layer.media_type.split(';').next().unwrap_or_default();
        WASM_MEDIA_TYPES.contains(&essence.trim())
    });
    match (wasm.next(), wasm.next()) {
        (Some(layer), None) => layer.digest.parse() == Ok(*component),
        (Some(_), Some(_)) | (None, _) => false,
    }
}
