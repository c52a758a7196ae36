//! From component bytes to native code.

use wasmtime::Engine;

/// Compiles components. Who embeds Casemate chooses where that happens.
///
/// Compiling hostile bytes is outside of what Wasmtime promises to bound, so what is compiled
/// has passed the intake limits of [`crate::inspect`] before.
pub trait Compiler: Send + Sync {
    /// Returns native code for `engine`, as `Engine::precompile_component` makes it.
    ///
    /// # Errors
    ///
    /// Fails with the compiler's reason for a component that is not valid.
    fn compile(&self, engine: &Engine, component: &[u8]) -> Result<Vec<u8>, CompileError>;
}

/// The component did not compile.
#[derive(Debug, thiserror::Error)]
#[error("the component does not compile")]
pub struct CompileError(#[source] pub wasmtime::Error);

/// Compiles in this process, on the thread that asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct InProcess;

impl Compiler for InProcess {
    fn compile(&self, engine: &Engine, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        engine.precompile_component(component).map_err(CompileError)
    }
}
