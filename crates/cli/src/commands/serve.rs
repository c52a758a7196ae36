//! `serve`: MCP over standard input and output.

use crate::arguments::Bindings;
use crate::engine::{self, Opened};
use crate::error::{CommandError, ExitStatus};
use crate::print::inert;
use crate::settings::Settings;
use casemate_mcp::{ServeOptions, serve_stdio};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::IsTerminal as _;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    bindings: Bindings,
}

pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<ExitStatus, CommandError> {
    let Opened { runtime, roots } = engine::open(settings, &arguments.bindings, "serve", false)?;
    raise_open_files();
    let bound: Vec<String> = roots
        .bound
        .iter()
        .map(|(name, directory)| format!("fs://{name} is {}", inert(&directory.to_string_lossy())))
        .collect();
    let bound = if bound.is_empty() {
        "no root is bound".to_owned()
    } else {
        bound.join(", ")
    };
    tracing::info!("{bound}");
    if std::io::stdin().is_terminal() {
        tracing::warn!("waiting for an MCP client on standard input; see casemate client-config");
    }
    for (root, why) in &roots.missing {
        tracing::warn!("the root {root} of the configuration is not bound, {why}");
    }
    let runtime = Arc::new(runtime);
    let warming = Arc::clone(&runtime);
    // Requests are answered meanwhile; a call of what is not loaded yet waits for it alone.
    std::thread::Builder::new()
        .name("casemate-warm".to_owned())
        .spawn(move || warming.warm())
        .map_err(|error| CommandError::failed(format!("cannot start a thread: {error}")))?;
    let tokio = engine::on_this_thread()?;
    let served = tokio.block_on(async {
        let stop = CancellationToken::new();
        let signals = [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
        ];
        for kind in signals {
            let signal = signal(kind).map_err(|error| {
                CommandError::failed(format!("cannot listen for signals: {error}"))
            })?;
            tokio::spawn(stop_on(signal, stop.clone()));
        }
        tokio::spawn(Arc::clone(&runtime).watch(stop.clone()));
        let served = serve_stdio(runtime.catalogs(), ServeOptions::default(), stop.clone()).await;
        stop.cancel();
        served.map_err(CommandError::from)
    });
    // The server has ended in order; a guest that spins or a thread that waits for input is not waited for.
    tokio.shutdown_background();
    served?;
    Ok(ExitStatus::Ok)
}

/// Raises the soft limit of open files to the hard one: 64 calls may hold 128 files each.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

async fn stop_on(mut signal: Signal, stop: CancellationToken) {
    signal.recv().await;
    stop.cancel();
}
