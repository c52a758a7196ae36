//! Environment, arguments, working directory, and the environment of the server itself.

use super::{guest, handed_on};
use crate::fixture::{Fixture, result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

const CANARY: &str = "CANARY-3f9a";

fn environment() -> Vec<u8> {
    let functions = ["get-environment", "get-arguments", "initial-cwd"];
    guest(
        "import wasi:cli/environment@0.2.12;
         export get-environment: func() -> list<tuple<string, string>>;
         export get-arguments: func() -> list<string>;
         export initial-cwd: func() -> option<string>;",
        &functions
            .map(|name| {
                format!(
                    r#"(import "wasi:cli/environment@0.2.12" "{name}" (func ${name} (param i32)))"#
                )
            })
            .concat(),
        &functions.map(handed_on).concat(),
    )
}

/// A runtime whose server has these variables, and `evil` under `policy`.
fn served(policy: &str) -> Fixture {
    let variables = [
        ("AWS_SECRET_ACCESS_KEY", CANARY),
        ("AWS_REGION", "eu-1"),
        ("FOO", "upper"),
        ("foo", "lower"),
        ("PATH", "/usr/bin"),
        ("HOME", "/root"),
        ("EMPTY", ""),
    ];
    let variables: BTreeMap<String, String> = variables
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let fixture = Fixture::with(|builder| builder.environment(variables));
    fixture.install("evil", &environment(), policy);
    fixture
}

fn variables(fixture: &Fixture) -> Value {
    let report = fixture.call("evil_get_environment", Value::Null);
    // A guest asks for all variables at every start, so there is nothing to record.
    assert_eq!(report.denials, []);
    let told = format!("{report:?} {:?}", fixture.records.all());
    assert!(!told.contains(CANARY), "{told}");
    result(&report)
}

#[test]
fn s129_without_a_grant_there_is_no_environment() {
    let fixture = served("");
    assert_eq!(variables(&fixture), json!([]));
    assert_eq!(
        result(&fixture.call("evil_get_arguments", Value::Null)),
        json!([])
    );
    assert_eq!(
        result(&fixture.call("evil_initial_cwd", Value::Null)),
        json!(null)
    );
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "compares with the process's own environment"
)]
fn s129_the_variables_of_the_process_are_never_read() {
    // The runtime was given no variables; the process that it runs in has some.
    assert!(std::env::vars_os().count() > 0);
    let fixture = Fixture::new();
    let all: String = std::env::vars_os()
        .filter_map(|(key, _)| key.into_string().ok())
        .filter(|key| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .fold(String::new(), |all, key| {
            all + &format!("      - key: \"{key}\"\n")
        });
    let policy = format!("permissions:\n  environment:\n    allow:\n{all}");
    fixture.install("evil", &environment(), &policy);
    assert_eq!(variables(&fixture), json!([]));
}

#[test]
fn s130_variables_are_given_by_exact_key() {
    let fixture = served(
        r#"
permissions:
  environment:
    allow:
      - key: "FOO"
      - key: "MODE"
        value: "fast"
      - key: "AWS_REGION"
        value: "not the server's"
      - key: "EMPTY"
      - key: "UNSET"
      - key: "HOME"
    deny:
      - key: "HOME"
"#,
    );
    assert_eq!(
        variables(&fixture),
        json!([
            ["AWS_REGION", "not the server's"],
            ["EMPTY", ""],
            ["FOO", "upper"],
            ["MODE", "fast"]
        ])
    );
    let fixture = served("permissions:\n  environment:\n    allow:\n      - key: \"foo\"\n");
    assert_eq!(variables(&fixture), json!([["foo", "lower"]]));
}

#[test]
fn s130_a_key_is_no_pattern() {
    let fixture = Fixture::new();
    for key in ["AWS_*", "*", "AWS_?", "FOO=bar", ""] {
        let policy = format!(
            "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n      - key: \"{key}\"\n"
        );
        let error = fixture
            .try_install("evil", &environment(), Some(&policy))
            .unwrap_err();
        let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
            error.source()
        });
        let words: String = chain.map(|error| format!("{error}: ")).collect();
        assert!(words.contains("line 5, column"), "{key}: {words}");
        assert_eq!(
            fixture.runtime.catalog().tools().count(),
            0,
            "nothing is installed"
        );
    }
}

/// Cases that must come out the same whatever the environment of the process says.
const INDEPENDENT: [&str; 6] = [
    "ambient::environment::s129_without_a_grant_there_is_no_environment",
    "ambient::environment::s130_variables_are_given_by_exact_key",
    "ambient::clocks::s136_without_a_clock_the_first_look_ends_the_call",
    "ambient::random::s138_without_random_numbers_the_first_one_ends_the_call",
    "ambient::streams::s228_names_of_functions_stay_inside",
    "files::escapes::s050_a_directory_handle_is_not_left_either",
];

#[test]
fn s143_the_environment_of_the_process_changes_nothing() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(INDEPENDENT)
        .args(["--exact", "--test-threads", "1"])
        .env("WASMTIME_BACKTRACE_DETAILS", "1")
        .env("WASMTIME_LOG", "trace")
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .env("RUST_LIB_BACKTRACE", "1")
        .env("MALLOC_PERTURB_", "165")
        .env("MALLOC_CHECK_", "3")
        .env("WASI_INHERIT_ENV", "1")
        .env("CASEMATE_HOME", "/nonexistent")
        .env("TZ", "Pacific/Kiritimati")
        .env("LANG", "tr_TR.UTF-8")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        told.contains(&format!("{} passed", INDEPENDENT.len())),
        "{told}"
    );
}
