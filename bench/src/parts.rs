//! Where the time of a call goes, without a client: the same call with parts left out.

use crate::Options;
use crate::guests;
use crate::report::Sample;
use crate::stock::Stock;
use anyhow::Context as _;
use casemate_runtime::audit::AuditUnavailable;
use casemate_runtime::{AuditRecord, AuditSink, InstallRequest, JsonLines, Outcome, Runtime};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Keeps no records.
pub(crate) struct Nowhere;

impl AuditSink for Nowhere {
    fn ready(&self) -> Result<(), AuditUnavailable> {
        Ok(())
    }

    fn write(&self, _record: &AuditRecord) {}
}

fn measure(calls: usize, mut call: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Sample> {
    for _ in 0..calls / 10 {
        call()?;
    }
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let started = Instant::now();
        call()?;
        times.push(started.elapsed());
    }
    Ok(Sample::new(times))
}

fn line(name: &str, sample: &Sample) {
    println!(
        "{name:<56}{:>10.2}{:>10.2}",
        sample.percentile(50),
        sample.percentile(99)
    );
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("echo.wasm");
    std::fs::write(&file, guests::echo()?)?;
    let home = casemate_artifact::Home::single(directory.path().join("home"));
    let open = |audit: Arc<dyn AuditSink>| -> anyhow::Result<Runtime> {
        Ok(Runtime::builder(home.clone()).audit(audit).open()?)
    };
    let quiet = open(Arc::new(Nowhere))?;
    let reference = casemate_artifact::Reference::File(file);
    quiet.install(
        quiet.plan_install(InstallRequest::new(reference), &casemate_artifact::Silent)?,
        None,
    )?;
    let log = directory.path().join("audit.jsonl");
    let recorded = open(Arc::new(JsonLines::open(&log)?))?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "{:<56}{:>10}{:>10}",
        "one call in the process", "p50 µs", "p99 µs"
    );
    let arguments = || serde_json::json!({"text": "0123456789abcdef"});
    for (name, runtime) in [
        ("whole call, no audit file", &quiet),
        ("whole call, audit file", &recorded),
    ] {
        runtime.warm();
        let catalog = runtime.catalog();
        let tool = catalog.tool("echo_echo").context("no tool")?;
        let sample = measure(options.calls, || {
            let parsed = tool.parse_args(arguments())?;
            let report = tokio.block_on(tool.call("bench", parsed, CancellationToken::new()))?;
            anyhow::ensure!(matches!(report.outcome, Outcome::Returned(_)), "{report:?}");
            Ok(())
        })?;
        line(name, &sample);
    }
    let failed = |error: wasmtime::Error| anyhow::anyhow!("the stock host: {error:?}");
    let stock = Stock::start(&guests::echo()?, None).map_err(failed)?;
    let sample = measure(options.calls, || {
        let text = tokio
            .block_on(stock.echo("0123456789abcdef"))
            .map_err(failed)?;
        anyhow::ensure!(text.len() == 16, "{text}");
        Ok(())
    })?;
    line(
        "the same in a stock host: Wasmtime's WASI, no JSON",
        &sample,
    );
    let catalog = quiet.catalog();
    let tool = catalog.tool("echo_echo").context("no tool")?;
    let sample = measure(options.calls, || {
        tool.parse_args(arguments())?;
        Ok(())
    })?;
    line("arguments alone: JSON to values", &sample);
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    let sample = measure(options.calls, || {
        tokio.block_on(elsewhere.spawn(async {}))?;
        Ok(())
    })?;
    line("what handing a call to another runtime would add", &sample);
    let sample = measure(options.calls, || {
        std::hint::black_box(thread_time());
        Ok(())
    })?;
    line("one reading of the thread's CPU clock", &sample);
    Ok(())
}

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
