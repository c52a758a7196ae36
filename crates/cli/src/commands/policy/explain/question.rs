//! What can be asked, and how it becomes the operations of a guest that does it.

use crate::error::CommandError;
use crate::roots::{BoundRoots, belongs_to_casemate};
use crate::settings::Settings;
use casemate_policy::{
    Clock, Explanation, Grant, HttpHost, HttpTarget, LinkKind, MountPlace, Operation, RandomSource,
    Reason, Remedy, RootName, SocketAction, StorageAccess, VirtualPath, lookup_name,
};
use clap::{Subcommand, ValueEnum};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where a name is taken to lead when nothing else is said: a root name server's address, as public as one can be.
const SOMEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4));

#[derive(Debug, Subcommand)]
pub(crate) enum Question {
    /// May it use a file or folder?
    #[command(
        override_usage = "casemate policy explain [OPTIONS] <NAME> storage <ACCESS> <PATH> [TO]"
    )]
    Storage {
        access: Access,
        /// As the tool sees it (/workspace/a.txt) or as a URI (fs://workspace/a.txt)
        path: String,
        /// The other path: the new name, or where the link stands
        to: Option<String>,
    },
    /// May it send a request?
    #[command(override_usage = "casemate policy explain [OPTIONS] <NAME> network [METHOD] <URL>")]
    Network {
        /// As in https://api.example.com/v1 or HOST[:PORT], with a method before it if that is not GET; tcp://HOST:PORT asks as `tcp` does
        #[arg(value_name = "URL", required = true, num_args = 1..=2)]
        request: Vec<String>,
        /// Ask for the connection too, if the host leads to this address
        #[arg(long, value_name = "IP")]
        address: Option<IpAddr>,
    },
    /// May it open a TCP connection?
    Tcp {
        /// The other side
        #[arg(value_name = "HOST:PORT")]
        target: String,
        /// Where the host leads [default: somewhere public]
        #[arg(long, value_name = "IP")]
        address: Option<IpAddr>,
    },
    /// May it look a name up?
    Dns { name: String },
    /// May it take this step with a socket?
    Socket { step: Step },
    /// May it see an environment variable?
    Env { key: String },
    /// May it tell the time?
    Clock {
        #[arg(default_value = "wall")]
        clock: ClockKind,
    },
    /// May it draw random numbers?
    Random {
        #[arg(default_value = "secure")]
        source: RandomKind,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Access {
    /// Read a file
    Read,
    /// Look at a name, or list a directory
    List,
    /// Create or change a file, or create a directory
    Write,
    /// Remove a file
    Remove,
    /// Remove a directory
    RemoveDirectory,
    /// Give a file another name: PATH TO
    Rename,
    /// Give a directory another name, with all in it: PATH TO
    RenameDirectory,
    /// Make a hard link TO of the file PATH
    Link,
    /// Make a symbolic link TO that leads to PATH
    Symlink,
}

/// What an access is for the decision.
enum Act {
    One(StorageAccess),
    Two(LinkKind),
}

impl Access {
    fn act(self) -> Act {
        match self {
            Self::Read => Act::One(StorageAccess::Read),
            Self::List => Act::One(StorageAccess::Traverse),
            Self::Write | Self::Remove => Act::One(StorageAccess::Write),
            Self::RemoveDirectory => Act::One(StorageAccess::Remove),
            Self::Rename => Act::Two(LinkKind::RenameFile),
            Self::RenameDirectory => Act::Two(LinkKind::Rename),
            Self::Link => Act::Two(LinkKind::Hard),
            Self::Symlink => Act::Two(LinkKind::Symbolic),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Step {
    /// Create a TCP socket
    Tcp,
    /// Create a UDP socket
    Udp,
    /// Bind to an address of this machine
    Bind,
    /// Listen for connections
    Listen,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ClockKind {
    /// Date and time of day
    Wall,
    /// Time that only grows
    Monotonic,
    /// Wait for a time
    Wait,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RandomKind {
    Secure,
    Insecure,
    Seed,
}

/// The answer to a question.
pub(crate) struct Answer {
    pub(crate) explanation: Explanation,
    /// What a rule would name to deny it.
    pub(crate) subject: Subject,
    /// What the answer cannot know.
    pub(crate) note: Option<String>,
}

/// What was asked about, in the words of `casemate block`.
pub(crate) enum Subject {
    /// The kind and target of a permission.
    Permission(&'static str, String),
    /// A key of `permissions`.
    Setting(&'static str),
    /// Nothing that a rule could name.
    Nothing,
}

/// Who is asked: a grant, with the directories that its roots are bound to.
pub(crate) struct Questioned<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) roots: &'a BoundRoots,
    pub(crate) grant: &'a Grant,
}

impl Questioned<'_> {
    /// Asks the grant, by the same function that decides when a tool runs.
    pub(crate) fn answer(&self, question: &Question) -> Result<Answer, CommandError> {
        match question {
            Question::Storage { access, path, to } => self.storage(*access, path, to.as_deref()),
            Question::Network { request, address } => match raw_target(request) {
                Some(target) => self.tcp(target, *address),
                None => self.request(request, *address),
            },
            Question::Tcp { target, address } => self.tcp(target, *address),
            Question::Dns { name } => Ok(self.lookup(name)),
            Question::Socket { step } => {
                let action = match step {
                    Step::Tcp => SocketAction::CreateTcp,
                    Step::Udp => SocketAction::CreateUdp,
                    Step::Bind => SocketAction::Bind,
                    Step::Listen => SocketAction::Listen,
                };
                let address = None;
                Ok(self.plain(&Operation::Socket { action, address }, Subject::Nothing))
            }
            Question::Env { key } => Ok(self.plain(
                &Operation::Environment { key },
                Subject::Permission("env", key.clone()),
            )),
            Question::Clock { clock } => {
                let clock = match clock {
                    ClockKind::Wall => Clock::Wall,
                    ClockKind::Monotonic => Clock::Monotonic,
                    ClockKind::Wait => Clock::Wait,
                };
                Ok(self.plain(&Operation::Clock { clock }, Subject::Setting("clocks")))
            }
            Question::Random { source } => {
                let source = match source {
                    RandomKind::Secure => RandomSource::Secure,
                    RandomKind::Insecure => RandomSource::Insecure,
                    RandomKind::Seed => RandomSource::Seed,
                };
                Ok(self.plain(&Operation::Random { source }, Subject::Setting("random")))
            }
        }
    }

    fn plain(&self, operation: &Operation<'_>, subject: Subject) -> Answer {
        Answer {
            explanation: self.grant.explain(operation),
            subject,
            note: None,
        }
    }

    fn storage(
        &self,
        access: Access,
        path: &str,
        to: Option<&str>,
    ) -> Result<Answer, CommandError> {
        let path = guest_path(path)?;
        let (explanation, subject) = match (access.act(), to) {
            (Act::One(access), None) => {
                let own = self.is_own(&path);
                let path = &path;
                let asked = Operation::Storage { path, access, own };
                let word = match access {
                    StorageAccess::Read | StorageAccess::Traverse => "read",
                    StorageAccess::Write | StorageAccess::Remove => "write",
                };
                (self.grant.explain(&asked), self.uri(word, path))
            }
            (Act::Two(kind), Some(to)) => {
                let to = guest_path(to)?;
                let asked = Operation::StorageLink {
                    from: &path,
                    to: &to,
                    kind,
                    own: self.is_own(&path) || self.is_own(&to),
                };
                (self.grant.explain(&asked), self.uri("write", &to))
            }
            (Act::One(_), Some(to)) => {
                return Err(CommandError::usage(format!(
                    "{to:?}: this is about one path"
                )));
            }
            (Act::Two(_), None) => {
                return Err(CommandError::usage("this is about two paths")
                    .hint("write PATH and then TO, such as /workspace/a.txt /workspace/b.txt"));
            }
        };
        let note = self.led_elsewhere(&path).map(|real| {
            format!(
                "on the way is a link, to {}: when a tool runs, what that leads to is judged",
                real.display()
            )
        });
        Ok(Answer {
            explanation,
            subject,
            note,
        })
    }

    /// The root that a path of a tool lies in; `None` where it is an absolute one.
    fn root_of(&self, path: &VirtualPath) -> Option<RootName> {
        let mounts = self.grant.mounts().iter();
        if let Some(mount) = mounts.clone().find(|mount| path.starts_with(&mount.guest)) {
            return match &mount.place {
                MountPlace::Root(root) => Some(root.clone()),
                MountPlace::Absolute => None,
            };
        }
        let first = path.components().next()?.parse().ok()?;
        self.roots.bound.contains_key(&first).then_some(first)
    }

    /// Where a path of a tool lies on this machine, if its root is bound.
    fn host_path(&self, path: &VirtualPath) -> Option<PathBuf> {
        match self.root_of(path) {
            None => Some(PathBuf::from(path.as_str())),
            Some(root) => {
                let mut place = self.roots.bound.get(&root)?.clone();
                place.extend(path.components().skip(1));
                Some(place)
            }
        }
    }

    fn is_own(&self, path: &VirtualPath) -> bool {
        self.host_path(path)
            .is_some_and(|place| belongs_to_casemate(self.settings, &place))
    }

    fn led_elsewhere(&self, path: &VirtualPath) -> Option<PathBuf> {
        let place = self.host_path(path)?;
        let real = place.canonicalize().ok()?;
        (real != place).then_some(real)
    }

    /// A path in the words of `casemate block`, where a rule can name it.
    fn uri(&self, word: &'static str, path: &VirtualPath) -> Subject {
        if path
            .as_str()
            .contains(['*', '?', '[', ']', '{', '}', '\\', '~', '$'])
        {
            return Subject::Nothing;
        }
        let uri = match self.root_of(path) {
            Some(_) => format!("fs:/{}", path.as_str()),
            None => format!("fs://{}", path.as_str()),
        };
        Subject::Permission(word, uri)
    }

    /// Answers for `URL` or `METHOD URL`, read as it is read when a tool sends a request.
    fn request(&self, request: &[String], address: Option<IpAddr>) -> Result<Answer, CommandError> {
        let (method, url) = match request {
            [url] => ("GET", url),
            [method, url] => (method.as_str(), url),
            _ => return Err(CommandError::usage("a request is [METHOD] URL")),
        };
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        // A fragment is never part of a request.
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = match rest.find(['/', '?']) {
            Some(end) => rest.split_at(end),
            None => (rest, "/"),
        };
        if authority.is_empty() {
            return Err(CommandError::usage(format!("{url:?} names no host"))
                .hint("write https://HOST[:PORT]/PATH, or HOST[:PORT] alone"));
        }
        let target = match HttpTarget::parse(scheme, authority, method, path) {
            Ok(target) => target,
            Err(denial) => {
                return Ok(Answer {
                    explanation: denial.into(),
                    subject: Subject::Nothing,
                    note: None,
                });
            }
        };
        let address = self.agreed(target.host(), address)?;
        let mut explanation = self.grant.explain(&target.operation());
        if let (true, Some(address)) = (explanation.allowed, address) {
            let connection = target.connect(SocketAddr::new(address, target.port()), false);
            explanation = self.grant.explain(&connection);
        }
        let note = match target.host() {
            HttpHost::Name(name) if explanation.allowed && address.is_none() => Some(format!(
                "where {name} leads is not looked up here: a request is denied ({}) if that is a private or another special address without a cidr that covers it; --address IP asks",
                Reason::NetworkAddress
            )),
            HttpHost::Name(_) | HttpHost::Address(_) => None,
        };
        Ok(Answer {
            explanation,
            subject: Subject::Permission("network", target.host().to_string()),
            note,
        })
    }

    /// The address to ask about: that of the host itself, or the one that a name is said to lead to.
    fn agreed(
        &self,
        host: &HttpHost,
        said: Option<IpAddr>,
    ) -> Result<Option<IpAddr>, CommandError> {
        match (host, said) {
            (HttpHost::Name(_), said) => Ok(said),
            (HttpHost::Address(own), Some(said)) if *own != said => Err(CommandError::usage(
                format!("{own} is an address: it does not lead to {said}"),
            )),
            (HttpHost::Address(own), _) => Ok(Some(*own)),
        }
    }

    fn lookup(&self, text: &str) -> Answer {
        match lookup_name(text) {
            Ok(host) => {
                let name = host.to_plain();
                self.plain(&Operation::Lookup { name: &name }, Subject::Nothing)
            }
            Err(denial) => Answer {
                explanation: denial.into(),
                subject: Subject::Nothing,
                note: None,
            },
        }
    }

    /// Asks for what a guest does one after another: look the name up, make a socket, connect. The connection comes first here,
    /// since its denial says most.
    fn tcp(&self, target: &str, said: Option<IpAddr>) -> Result<Answer, CommandError> {
        let unreadable = || {
            CommandError::usage(format!("{target:?} is no HOST:PORT"))
                .hint("write the port too, as in db.internal:5432 or [2001:db8::1]:5432")
        };
        let (host, port) = target.rsplit_once(':').ok_or_else(unreadable)?;
        let port: u16 = port.parse().map_err(|_| unreadable())?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').ok_or_else(unreadable)?,
            None if host.contains(':') => return Err(unreadable()),
            None => host,
        };
        let host = match lookup_name(host) {
            Ok(host) => host,
            Err(denial) => {
                return Ok(Answer {
                    explanation: denial.into(),
                    subject: Subject::Nothing,
                    note: None,
                });
            }
        };
        let address = self.agreed(&host, said)?;
        let name = match &host {
            HttpHost::Name(name) => Some(name.as_str()),
            HttpHost::Address(_) => None,
        };
        let connect = Operation::TcpConnect {
            name,
            address: SocketAddr::new(address.unwrap_or(SOMEWHERE), port),
            own: false,
        };
        let socket = Operation::Socket {
            action: SocketAction::CreateTcp,
            address: None,
        };
        let lookup = name.map(|name| Operation::Lookup { name });
        let explanation = self.grant.explain(&connect);
        let refused = [Some(socket), lookup]
            .into_iter()
            .flatten()
            .map(|step| self.grant.explain(&step))
            .find(|step| !step.allowed);
        let explanation = match refused {
            Some(refused) if explanation.allowed => refused,
            Some(_) | None => explanation,
        };
        let mut explanation = explanation;
        let note = match (name, &explanation.remedy) {
            (Some(name), _) if explanation.allowed && said.is_none() => Some(format!(
                "if {name} leads to a public address, for as long as the lookup of the same call holds; --address IP asks for another"
            )),
            // Nobody should let a tool reach an address that was only asked about.
            (Some(name), Some(Remedy::Range(_))) if said.is_none() => {
                explanation.remedy = None;
                Some(format!(
                    "where {name} leads is not looked up here, and {SOMEWHERE} stands for any public address; --address IP asks for another"
                ))
            }
            _ => None,
        };
        Ok(Answer {
            explanation,
            subject: Subject::Permission("network", format!("tcp://{host}:{port}")),
            note,
        })
    }
}

/// What `tcp://HOST:PORT` names, as `casemate grant NAME network` takes it: a raw connection, no request.
fn raw_target(request: &[String]) -> Option<&str> {
    match request {
        [target] => target.strip_prefix("tcp://"),
        _ => None,
    }
}

/// The path as a tool sees it.
fn guest_path(text: &str) -> Result<VirtualPath, CommandError> {
    let guest = match text.strip_prefix("fs://") {
        Some(absolute) if absolute.starts_with('/') => absolute.to_owned(),
        Some(in_root) => format!("/{in_root}"),
        None => text.to_owned(),
    };
    VirtualPath::parse(&guest).map_err(|error| {
        CommandError::usage(format!("{text:?}: {error}")).hint(
            "write the path as the tool sees it, such as /workspace/a.txt or fs://workspace/a.txt",
        )
    })
}
