//! A host as Wasmtime's own documentation builds it: its WASI, its file system, one preopened directory.

use std::path::{Path, PathBuf};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
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

/// The host, with its component compiled.
pub(crate) struct Stock {
    engine: Engine,
    linker: Linker<Host>,
    component: Component,
    workspace: PathBuf,
    guests: tokio::runtime::Runtime,
}

impl Stock {
    #[expect(
        clippy::disallowed_methods,
        reason = "what is measured against is the host that Casemate is not"
    )]
    pub(crate) fn start(component: &[u8], workspace: &Path) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .async_stack_zeroing(true)
            .concurrency_support(false)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(
                PoolingAllocationConfig::default(),
            ));
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let component = Component::from_binary(&engine, component)?;
        let guests = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        Ok(Self {
            engine,
            linker,
            component,
            workspace: workspace.to_owned(),
            guests,
        })
    }

    /// One call in a store of its own.
    pub(crate) fn call(&self, function: &str, argument: u32) -> wasmtime::Result<u32> {
        #[expect(
            clippy::disallowed_methods,
            reason = "what is measured against is the host that Casemate is not"
        )]
        let mut store = {
            let mut wasi = WasiCtxBuilder::new();
            wasi.preopened_dir(&self.workspace, "/workspace", FsPerms::ReadOnly)?;
            let host = Host {
                wasi: wasi.build(),
                table: ResourceTable::new(),
            };
            Store::new(&self.engine, host)
        };
        store.set_epoch_deadline(u64::MAX / 2);
        let (linker, component) = (self.linker.clone(), self.component.clone());
        let function = function.to_owned();
        let calling = async move {
            let instance = linker.instantiate_async(&mut store, &component).await?;
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
}
