//! The reference of the command line.

use crate::sandbox::{Sandbox, with_filters};

#[test]
fn help() {
    let sandbox = Sandbox::new();
    let mut reference = String::new();
    for command in [
        "",
        "add",
        "remove",
        "list",
        "inspect",
        "grant",
        "revoke",
        "block",
        "limit",
        "policy",
        "policy show",
        "policy check",
        "policy explain",
        "call",
        "serve",
        "log",
        "client-config",
        "doctor",
        "completions",
        "demo",
    ] {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let run = sandbox.run(&arguments).exits(0);
        assert!(run.err.is_empty());
        reference.push_str(&format!(
            "$ casemate {}\n{}\n",
            arguments.join(" "),
            run.out
        ));
    }
    with_filters(|| insta::assert_snapshot!(reference, @""));
}

#[test]
fn the_commands_are_those_of_this_release() {
    let sandbox = Sandbox::new();
    for command in [
        "update", "rollback", "sync", "report", "requests", "approve", "secret", "selftest",
        "learn", "new", "build", "push",
    ] {
        sandbox.run(&[command]).exits(2);
    }
}
