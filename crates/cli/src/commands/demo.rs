//! `demo`: the main job, with a real component, in a home that is thrown away.
//!
//! Every line that looks typed is parsed and run as if it were.

use crate::arguments::{Cli, Global};
use crate::commands;
use crate::error::{CommandError, ExitStatus};
use crate::print::{COMMAND, FAINT, Page, Printer, STRONG};
use crate::settings::Settings;
use crate::shell;
use clap::{Args, Parser as _};
use std::path::Path;

/// The component of `examples/rust`, as it is committed.
pub(crate) const EXAMPLE: &[u8] = include_bytes!("../../../../examples/rust/notes.wasm");
/// Its author's WIT, since toolchains keep no documentation in the component.
const EXAMPLE_WIT: &str = include_str!("../../../../examples/rust/wit/world.wit");

const SAMPLES: [(&str, &str); 2] = [
    (
        "meeting.md",
        "# Monday\n\nMira: ship the harbour map by Friday.\nOle: nothing to report.\n",
    ),
    (
        "ideas.txt",
        "A lighthouse for small boats.\nAsk Mira about the harbour.\n",
    ),
];

#[derive(Debug, Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: &Arguments) -> Result<ExitStatus, CommandError> {
    let directory = tempfile::Builder::new()
        .prefix("casemate-demo-")
        .tempdir()
        .map_err(|error| CommandError::failed(format!("cannot make a throw-away home: {error}")))?;
    let stage = Stage::set(directory.path())?;
    stage.play()?;
    Ok(ExitStatus::Ok)
}

/// A home, a folder with notes, a component and its documentation.
struct Stage {
    global: Global,
    printer: Printer,
    component: String,
    wit: String,
    folder: String,
}

impl Stage {
    fn set(directory: &Path) -> Result<Self, CommandError> {
        // Policies name real paths.
        let directory = directory
            .canonicalize()
            .map_err(|error| CommandError::io("find", directory, &error))?;
        let write = |path: &Path, bytes: &[u8]| {
            std::fs::write(path, bytes).map_err(|error| CommandError::io("write", path, &error))
        };
        let make = |path: &Path| {
            std::fs::create_dir_all(path).map_err(|error| CommandError::io("make", path, &error))
        };
        let (home, folder) = (directory.join("home"), directory.join("my-notes"));
        make(&home)?;
        make(&folder)?;
        write(&directory.join("notes.wasm"), EXAMPLE)?;
        write(&directory.join("notes.wit"), EXAMPLE_WIT.as_bytes())?;
        for (name, text) in SAMPLES {
            write(&folder.join(name), text.as_bytes())?;
        }
        // Here the demonstration is the person; with a real home each grant is confirmed at the terminal.
        let mut config = toml_edit::DocumentMut::new();
        let mut grants = toml_edit::Table::new();
        grants.insert("without-terminal", toml_edit::value(true));
        config.insert("grants", toml_edit::Item::Table(grants));
        let mut roots = toml_edit::Table::new();
        roots.insert("workspace", toml_edit::value(folder.display().to_string()));
        config.insert("roots", toml_edit::Item::Table(roots));
        write(&home.join("config.toml"), config.to_string().as_bytes())?;
        let text = |path: &str| directory.join(path).display().to_string();
        Ok(Self {
            global: Global {
                home: Some(home),
                verbose: 0,
                hide_home: true,
            },
            printer: Printer::merged(),
            component: text("notes.wasm"),
            wit: text("notes.wit"),
            folder: text("my-notes"),
        })
    }

    fn play(&self) -> Result<(), CommandError> {
        use ExitStatus::{Denied, Ok as Done};
        let mut page = Page::default();
        page.styled(STRONG, "Casemate, in a throw-away home").end();
        page.line(
            "A component in the sandbox reaches nothing that nobody granted. See for yourself:",
        );
        self.printer.data(&page)?;

        self.say("1. Install a component. Its author wrote a plain library; you see what it is before anything runs.")?;
        self.run(
            &[
                "add",
                &self.component,
                "--name",
                "notes",
                "--wit",
                &self.wit,
                "--yes",
            ],
            Done,
        )?;

        self.say("2. Call a tool that needs no permission.")?;
        self.run(
            &["call", "notes_current_time", r#"{"zone": "Europe/Oslo"}"#],
            Done,
        )?;

        self.say("3. Let it read one folder, and have it search there. The tool sees the folder as /workspace.")?;
        self.run(&["grant", "notes", "read", &self.folder], Done)?;
        let search = r#"{"folder": "/workspace", "pattern": "harbour"}"#;
        self.run(&["call", "notes_search_text", search], Done)?;

        self.say("4. Reading is not writing: this call is denied, with the reason and the command that would allow it.")?;
        let save = r#"{"path": "/workspace/todo.md", "text": "Ask Mira about the map."}"#;
        self.run(&["call", "notes_save_note", save], Denied)?;

        self.say("5. Type that command, and the same call is allowed. One file was granted, and nothing beside it.")?;
        self.run(&["grant", "notes", "write", "fs://workspace/todo.md"], Done)?;
        self.run(&["call", "notes_save_note", save], Done)?;

        self.say("6. Every call left one line, with what it was refused.")?;
        self.run(&["log"], Done)?;

        self.say("7. To use it for good: install it in your own home, and tell your AI client how to start Casemate.")?;
        let mut page = Page::default();
        page.styled(
            COMMAND,
            "$ casemate add examples/rust/notes.wasm --wit examples/rust/wit",
        )
        .end();
        page.styled(COMMAND, "$ casemate client-config claude-code")
            .end();
        self.printer.data(&page)?;
        let global = Global {
            home: None,
            ..self.global.clone()
        };
        // A home that is missing or broken is a matter for `doctor`, not for a demonstration.
        if Settings::load(&global).is_err() {
            return Ok(());
        }
        self.perform(&global, &["client-config", "claude-code"], Done)
    }

    fn say(&self, text: &str) -> Result<(), CommandError> {
        let mut page = Page::default();
        page.end().styled(STRONG, text).end();
        self.printer.data(&page)
    }

    /// Shows a command line and runs it; anything but the expected end is a failure of the demonstration.
    fn run(&self, line: &[&str], expected: ExitStatus) -> Result<(), CommandError> {
        let mut page = Page::default();
        page.styled(COMMAND, "$ casemate ")
            .styled(COMMAND, &shell::line(line.iter().copied()))
            .end();
        self.printer.data(&page)?;
        self.perform(&self.global, line, expected)?;
        if expected != ExitStatus::Ok {
            let mut page = Page::default();
            page.styled(FAINT, "(exit status 3: denied)").end();
            self.printer.data(&page)?;
        }
        Ok(())
    }

    fn perform(
        &self,
        global: &Global,
        line: &[&str],
        expected: ExitStatus,
    ) -> Result<(), CommandError> {
        let typed = std::iter::once("casemate").chain(line.iter().copied());
        let mut cli = Cli::try_parse_from(typed).map_err(|error| {
            CommandError::failed(format!("the demonstration is out of date: {error}"))
        })?;
        cli.global = global.clone();
        let status = match commands::run(cli, &self.printer) {
            Err(CommandError::BrokenPipe) => return Err(CommandError::BrokenPipe),
            Err(error) => self.printer.error(&error, global),
            Ok(status) => status,
        };
        if status == expected {
            Ok(())
        } else {
            Err(CommandError::failed(format!(
                "the demonstration expected {expected:?} here and got {status:?}"
            )))
        }
    }
}
