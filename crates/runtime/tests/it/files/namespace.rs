//! Mounts that only a test sees: in the mount namespace of a process that does nothing but hold it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

/// A shell in a mount namespace of its own. What it mounts ends with it.
pub(super) struct Mounted {
    shell: Mutex<Shell>,
    process: u32,
}

struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Mounted {
    /// `None`, with the reason printed, where this user may not mount anything.
    #[expect(clippy::print_stdout, reason = "why a test is skipped")]
    pub(super) fn new() -> Option<Self> {
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let shell = command
            .args(["--propagation", "private", "sh"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let mut child = match shell {
            Ok(child) => child,
            Err(error) => {
                println!("skipped: no mount namespace to be had: unshare: {error}");
                return None;
            }
        };
        let mut shell = Shell {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        if shell.run("mount -t tmpfs tmpfs /mnt") {
            let process = shell.child.id();
            return Some(Self {
                shell: Mutex::new(shell),
                process,
            });
        }
        println!("skipped: nothing can be mounted by this user");
        None
    }

    /// A path as it is seen with the mounts.
    pub(super) fn seen(&self, path: &Path) -> PathBuf {
        let root = format!("/proc/{}/root", self.process);
        Path::new(&root).join(path.strip_prefix("/").unwrap())
    }

    /// Runs a command among the mounts.
    pub(super) fn run(&self, command: &str) {
        assert!(self.shell.lock().unwrap().run(command), "{command}");
    }
}

impl Shell {
    fn run(&mut self, command: &str) -> bool {
        let written = writeln!(self.input, "{{ {command}\n}} >&2; echo $?");
        let mut answer = String::new();
        written.is_ok() && self.output.read_line(&mut answer).is_ok() && answer.trim() == "0"
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
