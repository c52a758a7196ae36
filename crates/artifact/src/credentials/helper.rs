//! Programs that keep credentials: `docker-credential-NAME` (docker/docker-credential-helpers).

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{CredentialFileError, Secret, basic, token};
use crate::sources::Login;

/// Longest name of a helper, in bytes.
const MAX_NAME: usize = 64;

/// Most that a helper may answer, in bytes: 64 KiB.
const MAX_ANSWER: usize = 64 * 1024;

/// Most of its standard error that goes to the log, in bytes.
const MAX_LOGGED: usize = 4096;

/// How long a helper may take; some ask a person or a service of the desktop.
const DEADLINE: Duration = Duration::from_secs(10);

/// The user name with which a helper says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// What a helper says, with a status other than 0, of a registry that it does not know. The first
/// words of `credentials not found in native keychain`.
const UNKNOWN: &str = "credentials not found";

/// How helpers are found and what they are given.
///
/// They run without a shell, with no environment but the one named here, in a process group of
/// their own, which is killed after 10 s.
#[derive(Clone)]
pub struct Helpers {
    path: OsString,
    environment: Vec<(OsString, OsString)>,
    deadline: Duration,
}

// The environment may hold secrets of other programs.
impl std::fmt::Debug for Helpers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Helpers")
            .field("path", &self.path)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// What a helper answers to `get`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: Secret,
}

impl Helpers {
    /// No helper is ever found.
    pub fn none() -> Helpers {
        Helpers::new(OsString::new(), Vec::new())
    }

    /// Helpers are looked for in the absolute directories of `path` (in the form of `PATH`) and get
    /// `environment`, which has to name `HOME` and `PATH` if they are to have those.
    pub fn new(path: OsString, environment: Vec<(OsString, OsString)>) -> Helpers {
        Helpers {
            path,
            environment,
            deadline: DEADLINE,
        }
    }

    /// Waits as long as this for each; tests have no 10 s to spare.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Helpers {
        self.deadline = deadline;
        self
    }

    /// Asks the helper that `file` names for the credentials of `server`.
    pub(super) fn ask(
        &self,
        file: &Path,
        name: &str,
        server: &str,
    ) -> Result<Option<Login>, CredentialFileError> {
        if !is_name(name) {
            return Err(CredentialFileError::HelperName {
                path: file.to_owned(),
                name: name.chars().take(MAX_NAME).collect(),
            });
        }
        let Some(program) = self.find(&format!("docker-credential-{name}")) else {
            return Err(CredentialFileError::HelperMissing {
                path: file.to_owned(),
                name: name.to_owned(),
            });
        };
        let ended = self.run(&program, name, server)?;
        let failed = |why: String| CredentialFileError::HelperFailed {
            name: name.to_owned(),
            why,
        };
        if !ended.success {
            let text = String::from_utf8_lossy(&ended.output).to_ascii_lowercase();
            if text.contains(UNKNOWN) {
                return Ok(None);
            }
            return Err(failed(
                "failed; what it says is in the log (casemate -vv)".to_owned(),
            ));
        }
        let answer: Answer = serde_json::from_slice(&ended.output)
            .map_err(|_| failed("answered something that is no credentials".to_owned()))?;
        if answer.username.is_empty() && answer.secret.expose().is_empty() {
            return Ok(None);
        }
        let login = if answer.username == TOKEN_USER {
            token(&answer.secret)
        } else {
            basic(answer.username, &answer.secret)
        };
        login
            .map(Some)
            .map_err(|why| failed(format!("gave something that is not usable: {why}")))
    }

    /// The program of this name. What is relative on the path is passed over, as it would mean
    /// whatever directory Casemate happens to run in.
    fn find(&self, program: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(program))
            .find(|path| {
                path.metadata().is_ok_and(|metadata| {
                    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
                })
            })
    }

    fn run(&self, program: &Path, name: &str, server: &str) -> Result<Ended, CredentialFileError> {
        let failed = |action| {
            move |source| CredentialFileError::Io {
                action,
                path: program.to_owned(),
                source,
            }
        };
        let child = Command::new(program)
            .arg("get")
            .env_clear()
            .envs(
                self.environment
                    .iter()
                    .map(|(key, value)| (key.as_os_str(), value.as_os_str())),
            )
            // Nothing of the directory in which Casemate was started.
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed("start"))?;
        let mut running = Running(child);
        if let Some(mut input) = running.0.stdin.take() {
            // A name of a registry fits into the pipe. A helper that does not read it is judged by
            // its answer.
            let _ = input.write_all(server.as_bytes());
        }
        let mut output = Zeroizing::new(Vec::with_capacity(MAX_ANSWER + 1));
        let until = Instant::now() + self.deadline;
        match listen(&mut running.0, until, &mut output, name).map_err(failed("listen to"))? {
            Heard::End => {}
            Heard::TooMuch => {
                return Err(CredentialFileError::HelperFlood {
                    name: name.to_owned(),
                    limit: MAX_ANSWER,
                });
            }
            Heard::TooLate => {
                return Err(CredentialFileError::HelperSlow {
                    name: name.to_owned(),
                    waited: self.deadline,
                });
            }
        }
        let status = running.0.wait().map_err(failed("wait for"))?;
        Ok(Ended {
            success: status.success(),
            output,
        })
    }
}

/// Lower-case letters and digits first, then also `.`, `_`, `-` and upper case: never a path, never
/// an option.
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// A helper that came to an end.
struct Ended {
    success: bool,
    output: Zeroizing<Vec<u8>>,
}

/// How listening ended.
enum Heard {
    /// The helper has ended, or is about to, with all that it said.
    End,
    TooMuch,
    TooLate,
}

/// A helper that is killed, with all that it started in its group, when nobody waits for it any
/// longer.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // After an end that was waited for, the number may be somebody else's.
        if let Ok(None) = self.0.try_wait() {
            let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Reads what the helper says until it ends.
fn listen(
    child: &mut Child,
    until: Instant,
    output: &mut Vec<u8>,
    name: &str,
) -> std::io::Result<Heard> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))?;
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let mut said = child.stdout.take();
    let mut complained = child.stderr.take();
    let mut logged = Vec::new();
    let heard = loop {
        let left = until.saturating_duration_since(Instant::now());
        let wait = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut looked = vec![PollFd::new(&ended, PollFlags::IN)];
        looked.extend(said.iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        looked.extend(
            complained
                .iter()
                .map(|pipe| PollFd::new(pipe, PollFlags::IN)),
        );
        match poll(&mut looked, Some(&wait)) {
            Ok(0) => break Heard::TooLate,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready: Vec<bool> = looked
            .iter()
            .map(|descriptor| !descriptor.revents().is_empty())
            .collect();
        drop(looked);
        let has_ended = ready.first().copied().unwrap_or_default();
        let mut pipes = ready.into_iter().skip(1);
        let mut quiet = true;
        if said.is_some() && pipes.next() == Some(true) {
            quiet = false;
            if !take(&mut said, output, MAX_ANSWER + 1)? {
                said = None;
            }
        }
        if complained.is_some() && pipes.next() == Some(true) {
            quiet = false;
            // Read on past what is kept, so that the helper is not held up.
            let mut rest = Vec::new();
            if !take(&mut complained, &mut rest, MAX_LOGGED)? {
                complained = None;
            }
            rest.truncate(MAX_LOGGED.saturating_sub(logged.len()));
            logged.append(&mut rest);
        }
        if output.len() > MAX_ANSWER {
            break Heard::TooMuch;
        }
        // What it had started may keep the pipes open for ever.
        if has_ended && quiet {
            break Heard::End;
        }
        if Instant::now() >= until {
            break Heard::TooLate;
        }
    };
    if !logged.is_empty() {
        tracing::debug!(
            helper = name,
            "docker-credential-helper says: {:?}",
            String::from_utf8_lossy(&logged)
        );
    }
    Ok(heard)
}

/// Reads once, up to `limit` bytes in all; `false` at the end.
fn take(
    pipe: &mut Option<impl std::io::Read>,
    into: &mut Vec<u8>,
    limit: usize,
) -> std::io::Result<bool> {
    let Some(pipe) = pipe else {
        return Ok(false);
    };
    let mut part = Zeroizing::new([0; 4096]);
    let room = limit.saturating_sub(into.len()).min(part.len());
    let read = match pipe.read(part.get_mut(..room).unwrap_or_default()) {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(true),
        Err(error) => return Err(error),
    };
    into.extend_from_slice(part.get(..read).unwrap_or_default());
    Ok(read != 0)
}
