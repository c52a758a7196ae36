//! `serve`: MCP over standard input and output, or over HTTP on this machine.

use crate::arguments::Bindings;
use crate::engine::{self, Opened};
use crate::error::{CommandError, ExitStatus};
use crate::listen;
use crate::print::{BAD, Page, Printer, inert};
use crate::selection::Selection;
use crate::settings::Settings;
use casemate_artifact::group_writable;
use casemate_mcp::{ServeOptions, ToolFilter, serve_http, serve_stdio};
use casemate_policy::ComponentName;
use casemate_runtime::{OpenError, Runtime};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::IsTerminal as _;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Args)]
#[command(
    after_help = "Ends with exit status 0 when the client leaves, and within 3 seconds of SIGTERM, SIGINT or SIGHUP, whatever tools are doing: calls in progress are stopped, answered and recorded."
)]
pub(crate) struct Arguments {
    /// Serve at http://ADDR/mcp, such as 127.0.0.1:8080, [::1]:0 or a port; only this machine reaches it
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Serve only the tools of these components
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<ComponentName>,
    /// Serve only tools whose name matches GLOB, such as 'notes_*'; may be repeated
    #[arg(long, value_name = "GLOB")]
    tools: Vec<String>,
    /// Start only if everything is exactly as casemate.lock says, and take no change over while running
    #[arg(long)]
    frozen: bool,
    #[command(flatten)]
    bindings: Bindings,
}

pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<ExitStatus, CommandError> {
    let address = arguments.http.as_deref().map(listen::address).transpose()?;
    let selection = Selection::new(settings, &arguments.only, &arguments.tools)?;
    let Opened { runtime, .. } =
        engine::open_to_serve(settings, &arguments.bindings, arguments.frozen)
            .inspect_err(name_differences)?;
    raise_open_files();
    tell(settings, &runtime, selection.as_ref());
    let listener = address.map(listen::bind).transpose()?;
    if listener.is_none() && std::io::stdin().is_terminal() {
        tracing::warn!("waiting for an MCP client on standard input; see casemate client-config");
    }
    let options = ServeOptions {
        tools: selection
            .map(|selection| -> ToolFilter { Arc::new(move |tool| selection.has(tool)) }),
        ..ServeOptions::default()
    };
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
        let served = match listener {
            Some(listener) => over_http(&runtime, listener, options, stop.clone()).await,
            None => serve_stdio(runtime.catalogs(), options, stop.clone())
                .await
                .map_err(CommandError::from),
        };
        stop.cancel();
        served
    });
    // The server has ended in order; a guest that spins or a thread that waits for input is not waited for.
    tokio.shutdown_background();
    served?;
    Ok(ExitStatus::Ok)
}

/// Tells of everything that is not as locked, each with what helps.
fn name_differences(error: &CommandError) {
    let CommandError::Open(error) = error else {
        return;
    };
    let OpenError::Frozen(differences) = &**error else {
        return;
    };
    let mut page = Page::default();
    for difference in differences {
        page.styled(BAD, "not as locked:")
            .text(" ")
            .word(&difference.to_string())
            .end();
        if !difference.hint.is_empty() {
            page.text("  ").hint(&difference.hint);
        }
    }
    Printer::standard().note(&page);
}

async fn over_http(
    runtime: &Runtime,
    listener: TcpListener,
    options: ServeOptions,
    stop: CancellationToken,
) -> Result<(), CommandError> {
    let address = listener
        .local_addr()
        .map_err(|error| CommandError::failed(format!("cannot tell the own address: {error}")))?;
    // No tool that was granted this very address may call the server that runs it.
    runtime.listens_on(address);
    tracing::info!("serving MCP at http://{address}/mcp");
    Ok(serve_http(listener, runtime.catalogs(), options, stop).await?)
}

/// Logs what is served, what of that was asked for in vain, and whose word a policy may be.
fn tell(settings: &Settings, runtime: &Runtime, selection: Option<&Selection>) {
    let catalog = runtime.catalog();
    for component in catalog.components() {
        let file = settings.home.policy_file(component);
        if let Some(mode) = group_writable(&file) {
            tracing::warn!(
                "{} can be written by everybody in its group (mode {mode:04o})",
                inert(&file.to_string_lossy())
            );
        }
    }
    let Some(selection) = selection else { return };
    let served = catalog
        .tools()
        .filter(|tool| selection.has(tool.spec()))
        .count();
    tracing::info!("{served} of {} tools are served", catalog.tools().count());
    for pattern in selection.without_effect(&catalog) {
        tracing::warn!(
            "--tools {:?} matches no tool; see casemate list --tools",
            inert(pattern)
        );
    }
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
