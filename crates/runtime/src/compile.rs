//! From component bytes to native code.

use std::time::Duration;
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

/// What was compiled and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// Wall time.
    pub time: Duration,
    /// Bytes of native code.
    pub native_bytes: u64,
}

/// Compiles in this process, in threads that give way to all others.
#[derive(Clone, Copy, Debug, Default)]
pub struct InProcess;

/// What is added to the niceness of threads that compile.
const NICENESS: i32 = 10;
/// Stack of the thread that compiles, in bytes: what a main thread has.
const STACK: usize = 8 << 20;

impl Compiler for InProcess {
    fn compile(&self, engine: &Engine, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        std::thread::scope(|scope| {
            let compiling = std::thread::Builder::new()
                .name("casemate-compile".to_owned())
                .stack_size(STACK)
                .spawn_scoped(scope, || {
                    give_way();
                    engine.precompile_component(component)
                })
                .map_err(|error| CompileError(error.into()))?;
            match compiling.join() {
                Ok(code) => code.map_err(CompileError),
                Err(_panic) => Err(CompileError(wasmtime::format_err!("the compiler panicked"))),
            }
        })
    }
}

/// Makes this thread wait for others when there are too few cores. A thread inherits its niceness, so whoever starts the
/// threads that compile functions in parallel decides for them too.
fn give_way() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "compiling at ordinary priority");
    }
}

#[cfg(test)]
mod tests;
