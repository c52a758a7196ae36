//! A host as Wasmtime's own documentation builds it: its WASI, its file system, at most one preopened directory.
//!
//! Its engine is set up as Casemate's: what a call costs more there is what Casemate adds.

use std::path::{Path, PathBuf};
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// The host, with its component compiled and linked.
pub(crate) struct Stock {
    engine: Engine,
    component: InstancePre<Host>,
    workspace: Option<PathBuf>,
    guests: tokio::runtime::Runtime,
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.max_unused_warm_slots(8)
        .linear_memory_keep_resident(64 * 1024)
        .table_keep_resident(16 * 1024)
        .async_stack_keep_resident(64 * 1024)
        .pagemap_scan(Enabled::No);
    pool
}

impl Stock {
    #[expect(
        clippy::disallowed_methods,
        reason = "what is measured against is the host that Casemate is not"
    )]
    pub(crate) fn start(component: &[u8], workspace: Option<&Path>) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .async_stack_zeroing(true)
            .concurrency_support(false)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let component = linker.instantiate_pre(&Component::from_binary(&engine, component)?)?;
        let guests = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        Ok(Self {
            engine,
            component,
            workspace: workspace.map(Path::to_owned),
            guests,
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "what is measured against is the host that Casemate is not"
    )]
    fn store(&self) -> wasmtime::Result<Store<Host>> {
        let mut wasi = WasiCtxBuilder::new();
        if let Some(workspace) = &self.workspace {
            wasi.preopened_dir(workspace, "/workspace", FsPerms::ReadOnly)?;
        }
        let host = Host {
            wasi: wasi.build(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, host);
        store.set_epoch_deadline(u64::MAX / 2);
        Ok(store)
    }

    /// One call of a function of numbers in a store of its own.
    pub(crate) fn call(&self, function: &str, argument: u32) -> wasmtime::Result<u32> {
        let mut store = self.store()?;
        let component = self.component.clone();
        let function = function.to_owned();
        let calling = async move {
            let instance = component.instantiate_async(&mut store).await?;
            let function = instance
                .get_func(&mut store, &function)
                .ok_or_else(|| wasmtime::format_err!("no such function"))?;
            let function = function.typed::<(u32,), (u32,)>(&store)?;
            let (count,) = function.call_async(&mut store, (argument,)).await?;
            Ok(count)
        };
        // On a thread for guests, as in Casemate.
        self.guests.block_on(self.guests.spawn(calling))?
    }

    /// One call of `echo` in a store of its own, on the caller's thread, as Casemate makes the first slice of a call.
    pub(crate) async fn echo(&self, text: &str) -> wasmtime::Result<String> {
        let mut store = self.store()?;
        let instance = self.component.instantiate_async(&mut store).await?;
        let function = instance
            .get_func(&mut store, "echo")
            .ok_or_else(|| wasmtime::format_err!("no such function"))?;
        let function = function.typed::<(&str,), (String,)>(&store)?;
        let (text,) = function.call_async(&mut store, (text,)).await?;
        Ok(text)
    }
}
