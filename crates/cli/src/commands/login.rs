//! `login`: keep a name and a password for a registry, once the registry has taken them.

use crate::arguments::{Format, Remote};
use crate::ask::Person;
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::inspection::done;
use crate::print::{FAINT, Printer};
use crate::progress::during;
use crate::settings::Settings;
use crate::typed::{Echo, line};
use casemate_artifact::{
    CredentialError, Credentials, Login, LoginCheck, OwnCredentials, Registry, check_login,
};
use clap::Args;
use serde_json::json;
use std::io::Read as _;
use std::sync::Arc;

/// Longest password that is read, in bytes.
const MAX_PASSWORD: u64 = 16 * 1024;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The registry: ghcr.io, docker.io, 127.0.0.1:5000
    registry: Registry,
    /// The user [default: asked for on the terminal]
    #[arg(short, long)]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    format: Format,
}

/// The login that is tried, for the registry that it is for.
struct Tried {
    registry: String,
    login: Login,
}

impl Credentials for Tried {
    fn of(&self, registry: &str) -> Result<Option<Login>, CredentialError> {
        Ok((registry == self.registry).then(|| self.login.clone()))
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let registry = &arguments.registry;
    let (user, secret) = typed(arguments)?;
    if user.is_empty() || secret.is_empty() {
        return Err(CommandError::usage("the user or the password is empty"));
    }
    if user.contains(':')
        || [&user, &secret]
            .iter()
            .any(|text| text.contains(char::is_control))
    {
        return Err(CommandError::usage(
            "a user has no colon, and neither it nor a password has control characters",
        ));
    }
    let login = Login::Basic {
        user: user.clone(),
        secret,
    };
    let tried = Tried {
        registry: registry.to_string(),
        login: login.clone(),
    };
    let sources = engine::sources_as(settings, &arguments.remote, Arc::new(tried))?;
    let check = during("asking the registry", || check_login(&sources, registry))?;
    let own = OwnCredentials::new(&settings.home);
    own.keep(&registry.to_string(), &login)?;

    let checked = check == LoginCheck::Accepted;
    if arguments.format.json {
        printer.json(&json!({
            "registry": registry.to_string(),
            "user": user,
            "checked": checked,
            "file": own.file(),
        }))?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = done(&format!("logged in to {registry} as {user}"));
    if !checked {
        page.warning(
            "it asks for no login where Casemate looked, so whether this one is right is not known",
        );
    }
    page.styled(
        FAINT,
        &format!("  kept in {}, readable by you alone", own.file().display()),
    )
    .end();
    printer.data(&page)?;
    Ok(ExitStatus::Ok)
}

/// User and password: given, or typed by a person. Never an argument: those are seen by every user of the machine.
fn typed(arguments: &Arguments) -> Result<(String, String), CommandError> {
    if let (true, Some(user)) = (arguments.password_stdin, &arguments.username) {
        return Ok((user.clone(), from_input()?));
    }
    let Some(person) = Person::present() else {
        return Err(
            CommandError::usage("there is no terminal to ask for the password on")
                .hint("give it on standard input: --username USER --password-stdin"),
        );
    };
    let user = match &arguments.username {
        Some(user) => user.clone(),
        None => line(&person, "user: ", Echo::Shown)?,
    };
    let secret = line(&person, "password: ", Echo::Hidden)?;
    Ok((user, secret))
}

/// The password on standard input, without the line's end.
fn from_input() -> Result<String, CommandError> {
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_PASSWORD + 1)
        .read_to_string(&mut text)
        .map_err(|error| CommandError::failed(format!("cannot read the password: {error}")))?;
    if text.len() as u64 > MAX_PASSWORD {
        return Err(CommandError::usage("that is too long for a password"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
