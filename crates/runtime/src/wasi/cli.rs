//! `wasi:cli`: environment, exit, captured output, no input, no terminal.

use super::bindings::cli;
use crate::enforce::{Guest, GuestExit};
use casemate_policy::{EnvironmentValue, Operation, Permitted};
use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// A terminal resource; none is ever made, since a guest is never given a terminal.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub enum Terminal {}

/// Exit status at which the host function panics, in the tests of this crate only.
#[cfg(test)]
pub(crate) const HOST_PANIC: u8 = 213;

impl cli::environment::Host for Guest {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        let grant = self.grant();
        let mut variables = Vec::new();
        for key in grant.environment_keys() {
            // Listing is not asking for one key, so a key that is denied is left out
            // without a denial in the record.
            let Ok(permit) = grant.decide(&Operation::Environment { key }) else {
                continue;
            };
            let Permitted::Environment(value) = permit.granted() else {
                continue;
            };
            match value {
                EnvironmentValue::Literal(value) => variables.push((key.to_owned(), value.clone())),
                EnvironmentValue::FromServer => {
                    if let Some(value) = self.server_variable(key) {
                        variables.push((key.to_owned(), value.to_owned()));
                    }
                }
            }
        }
        Ok(variables)
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl cli::exit::Host for Guest {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        Err(GuestExit(u8::from(status.is_err())).into())
    }

    fn exit_with_code(&mut self, status_code: u8) -> wasmtime::Result<()> {
        #[cfg(test)]
        assert_ne!(status_code, HOST_PANIC, "a defect for the tests");
        Err(GuestExit(status_code).into())
    }
}

impl cli::stdin::Host for Guest {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        let stream: DynInputStream = Box::new(crate::output::Closed);
        Ok(self.table_mut().push(stream)?)
    }
}

impl cli::stdout::Host for Guest {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(self.stdout());
        Ok(self.table_mut().push(stream)?)
    }
}

impl cli::stderr::Host for Guest {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(self.stderr());
        Ok(self.table_mut().push(stream)?)
    }
}

impl cli::terminal_input::Host for Guest {}
impl cli::terminal_output::Host for Guest {}

impl cli::terminal_input::HostTerminalInput for Guest {
    fn drop(&mut self, terminal: Resource<Terminal>) -> wasmtime::Result<()> {
        self.table_mut().delete(terminal)?;
        Ok(())
    }
}

impl cli::terminal_output::HostTerminalOutput for Guest {
    fn drop(&mut self, terminal: Resource<Terminal>) -> wasmtime::Result<()> {
        self.table_mut().delete(terminal)?;
        Ok(())
    }
}

impl cli::terminal_stdin::Host for Guest {
    fn get_terminal_stdin(&mut self) -> wasmtime::Result<Option<Resource<Terminal>>> {
        Ok(None)
    }
}

impl cli::terminal_stdout::Host for Guest {
    fn get_terminal_stdout(&mut self) -> wasmtime::Result<Option<Resource<Terminal>>> {
        Ok(None)
    }
}

impl cli::terminal_stderr::Host for Guest {
    fn get_terminal_stderr(&mut self) -> wasmtime::Result<Option<Resource<Terminal>>> {
        Ok(None)
    }
}
