//! Casemate in another program: install, grant, call, read the record.
//!
//! `cargo run -p casemate-runtime --example embed -- examples/rust/notes.wasm FOLDER`

#![expect(clippy::print_stdout, reason = "an example for the terminal")]

use casemate_artifact::{Home, Reference, Silent};
use casemate_policy::{Permission, PolicyEdit};
use casemate_runtime::{InstallRequest, Runtime, audit_file};
use serde_json::json;
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let component = arguments.next().ok_or("which component?")?;
    let folder = std::fs::canonicalize(arguments.next().ok_or("which folder?")?)?;
    let directory = tempfile::tempdir()?;
    let runtime = Runtime::builder(Home::single(directory.path().join("home"))).open()?;

    let reference = Reference::parse(&component, &std::env::current_dir()?)?;
    let plan = runtime.plan_install(
        InstallRequest::new(reference).named("notes".parse()?),
        &Silent,
    )?;
    runtime.install(plan, None)?;
    let uri = format!("fs://{}/**", folder.display());
    runtime.change_policy(&"notes".parse()?, &PolicyEdit::Grant(Permission::Read(uri)))?;

    let catalog = runtime.catalog();
    let tool = catalog.tool("notes_search_text").ok_or("no such tool")?;
    let arguments = tool.parse_args(json!({ "folder": folder, "pattern": "Casemate" }))?;
    let report = tool
        .call("example", arguments, CancellationToken::new())
        .await?;
    println!("{:?}", report.outcome);
    println!("{}", std::fs::read_to_string(audit_file(runtime.home()))?);
    Ok(())
}
