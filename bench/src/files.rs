//! Files through Casemate's resolver, beside stock wasmtime-wasi in the same process.
//!
//! Both run the same component, on an engine with the same settings, on two threads for guests, and both hand each
//! operation to a pool of threads. A figure is the time of a whole call divided by what it did.

use crate::Options;
use crate::guests;
use crate::parts::Nowhere;
use crate::report::median;
use crate::stock::Stock;
use anyhow::{Context as _, ensure};
use casemate_runtime::{InstallRequest, Outcome, Runtime, Tool};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Files that one call opens, reads and closes.
const READS: u32 = 2_000;
/// Entries of the directory that is listed.
const ENTRIES: u32 = 10_000;

const POLICY: &str = r#"
version: "1.0"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: ["read"]
"#;

/// What is measured: a name, the guest's function, its argument, what it returns, how many operations it stands for, and the ratio that
/// is the limit.
const MEASURED: [(&str, &str, u32, u32, u32, f64); 4] = [
    (
        "open, read 4 KiB, close",
        "read-files",
        READS,
        READS,
        READS,
        3.0,
    ),
    (
        "the same by a stream",
        "stream-files",
        READS,
        READS,
        READS,
        3.0,
    ),
    (
        "the same four directories down",
        "read-deep-files",
        READS,
        READS,
        READS,
        3.0,
    ),
    ("list 10,000 entries", "list-entries", 1, ENTRIES, 1, 2.0),
];

fn plant(workspace: &Path) -> anyhow::Result<()> {
    let deep = workspace.join("one/two/three/four");
    std::fs::create_dir_all(&deep)?;
    for directory in [workspace, &deep] {
        std::fs::write(directory.join("file"), [b'x'; 4_096])?;
    }
    let many = workspace.join("many");
    std::fs::create_dir(&many)?;
    for number in 0..ENTRIES {
        std::fs::write(many.join(format!("entry-{number:08}.txt")), "")?;
    }
    Ok(())
}

/// A call of Casemate: what the guest returned.
fn call(tokio: &tokio::runtime::Runtime, tool: &Tool, argument: u32) -> anyhow::Result<u32> {
    let arguments = tool.parse_args(serde_json::json!({"times": argument}))?;
    let report = tokio.block_on(tool.call("bench", arguments, CancellationToken::new()))?;
    let Outcome::Returned(value) = &report.outcome else {
        anyhow::bail!("{report:?}");
    };
    ensure!(report.denials.is_empty(), "{report:?}");
    let count = value.get("result").and_then(serde_json::Value::as_u64);
    Ok(u32::try_from(count.context("no number")?)?)
}

/// Microseconds for each of `operations`.
fn timed(
    expected: u32,
    operations: u32,
    run: impl FnOnce() -> anyhow::Result<u32>,
) -> anyhow::Result<f64> {
    let started = Instant::now();
    let count = run()?;
    let elapsed = started.elapsed();
    ensure!(count == expected, "the guest did {count} of {expected}");
    Ok(elapsed.as_secs_f64() * 1e6 / f64::from(operations))
}

/// Measures and prints; an error if a limit is passed.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("ws");
    std::fs::create_dir(&workspace)?;
    plant(&workspace)?;
    let component = guests::files()?;
    let file = directory.path().join("files.wasm");
    std::fs::write(&file, &component)?;
    let home = casemate_artifact::Home::single(directory.path().join("home"));
    let runtime = Runtime::builder(home)
        .audit(Arc::new(Nowhere))
        .root("workspace".parse()?, workspace.clone())
        .open()?;
    let reference = casemate_artifact::Reference::File(file);
    runtime.install(
        runtime.plan_install(InstallRequest::new(reference), &casemate_artifact::Silent)?,
        Some(POLICY),
    )?;
    runtime.warm();
    let catalog = runtime.catalog();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let failed = |error: wasmtime::Error| anyhow::anyhow!("the stock host: {error:?}");
    let stock = Stock::start(&component, Some(&workspace)).map_err(failed)?;
    println!("medians of {} rounds, µs each", options.rounds);
    println!("{:<34}{:>10}{:>10}{:>8}", "", "stock", "casemate", "ratio");
    let mut passed = Vec::new();
    for (name, function, argument, expected, operations, limit) in MEASURED {
        let tool = format!("files_{}", function.replace('-', "_"));
        let tool = catalog
            .tool(&tool)
            .with_context(|| format!("no tool {tool}"))?;
        let mut figures = [Vec::new(), Vec::new()];
        // The first round warms both.
        for round in 0..=options.rounds {
            let bare = timed(expected, operations, || {
                stock.call(function, argument).map_err(failed)
            })?;
            let ours = timed(expected, operations, || call(&tokio, tool, argument))?;
            if round > 0 {
                let [first, second] = &mut figures;
                first.push(bare);
                second.push(ours);
            }
        }
        let [bare, ours] = figures.map(median);
        let ratio = ours / bare;
        println!("{name:<34}{bare:>10.1}{ours:>10.1}{ratio:>8.2}  (limit {limit})");
        if ratio > limit {
            passed.push(name);
        }
    }
    ensure!(passed.is_empty(), "over the limit: {}", passed.join(", "));
    Ok(())
}
