//! Which WebAssembly proposals does the component need, and which does the engine leave out?

use wasmparser::{Parser, ValidPayload, Validator, WasmFeatures};

use super::error::InspectError;

/// The proposals that Casemate's engine takes.
///
/// Beyond the second edition of WebAssembly: what current toolchains emit by default, and the two
/// component-model types that JSON can carry. Everything else is surface without a user.
pub const ENGINE_FEATURES: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::CM_MAP)
    .union(WasmFeatures::CM_FIXED_LENGTH_LISTS);

/// The proposals that only the engine for components with async exports takes.
///
/// Their async functions are not tools, but the ordinary functions beside them are. Error contexts are not among them:
/// each keeps a copy of a text of the guest's in the host, which nothing counts, for as long as there are handles.
pub const CONCURRENCY_FEATURES: WasmFeatures = WasmFeatures::CM_ASYNC;

/// Validates everything but the bodies of functions, and ends with the types.
pub(super) fn validate(
    bytes: &[u8],
    features: WasmFeatures,
) -> wasmparser::Result<wasmparser::types::Types> {
    let mut validator = Validator::new_with_features(features);
    let mut parser = Parser::new(0);
    parser.set_features(WasmFeatures::all());
    let mut types = None;
    for payload in parser.parse_all(bytes) {
        // Wasmtime validates bodies when it compiles them, in the compiler's own process.
        if let ValidPayload::End(end) = validator.payload(&payload?)? {
            types = Some(end);
        }
    }
    match types {
        Some(types) => Ok(types),
        // `parse_all` reports a missing end itself; `end` says so again if it ever does not.
        None => validator.end(bytes.len()),
    }
}

/// The proposals beyond [`ENGINE_FEATURES`] that the component uses outside of function bodies.
///
/// The validator names one missing proposal at a time, or none, so it is asked until it is content.
pub(super) fn needed(bytes: &[u8]) -> Result<WasmFeatures, InspectError> {
    let mut features = ENGINE_FEATURES;
    // Every round adds a proposal.
    while let Err(error) = validate(bytes, features) {
        let named = error
            .missing_wasm_feature()
            .filter(|missing| !features.contains(*missing));
        // Where it does not say: the proposal with which it gets further.
        let helps = |proposal: &WasmFeatures| match validate(bytes, features | *proposal) {
            Ok(_) => true,
            Err(next) => next.offset() > error.offset(),
        };
        match named.or_else(|| (WasmFeatures::all() - features).iter().find(helps)) {
            Some(proposal) => features |= proposal,
            None if features == WasmFeatures::all() => return Err(InspectError::malformed(&error)),
            None => features = WasmFeatures::all(),
        }
    }
    Ok(features - ENGINE_FEATURES)
}

/// Names of proposals, for people.
pub(super) fn names(features: WasmFeatures) -> Vec<String> {
    if features == WasmFeatures::all() - ENGINE_FEATURES - CONCURRENCY_FEATURES {
        // Two at once, and nothing else gets further.
        return vec!["several proposals".to_owned()];
    }
    let names = features
        .iter_names()
        .map(|(name, _)| name.to_ascii_lowercase().replace('_', "-"));
    names
        .map(|name| match name.strip_prefix("cm-") {
            Some(rest) => format!("component-model-{rest}"),
            None => name,
        })
        .collect()
}
