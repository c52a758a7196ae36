//! The rubric: every rule that a report can deduct for, with its points. `docs/report.md` says the same, and a test compares.

use std::fmt;
use std::str::FromStr;

/// What is graded; each axis starts at 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Axis {
    /// What it may reach, beside what its code can and what it says it is for.
    Reach,
    /// What a call may use up.
    Limits,
    /// Where the bytes come from and who vouches for them.
    Provenance,
    /// Secrets that it is given.
    Secrets,
    /// What its texts do to whoever reads them, a model above all.
    Text,
    /// What it says about itself.
    Documentation,
}

impl Axis {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 6] = [
        Self::Reach,
        Self::Limits,
        Self::Provenance,
        Self::Secrets,
        Self::Text,
        Self::Documentation,
    ];

    /// A word for lists and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reach => "reach",
            Self::Limits => "limits",
            Self::Provenance => "provenance",
            Self::Secrets => "secrets",
            Self::Text => "text",
            Self::Documentation => "documentation",
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A letter; the better ones are less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// 90 and more.
    A,
    /// 80 to 89.
    B,
    /// 70 to 79.
    C,
    /// 60 to 69.
    D,
    /// Less than 60.
    F,
}

impl Grade {
    /// Each with the least score that earns it.
    pub const THRESHOLDS: [(Self, u32); 5] = [
        (Self::A, 90),
        (Self::B, 80),
        (Self::C, 70),
        (Self::D, 60),
        (Self::F, 0),
    ];

    /// The letter of a score.
    #[must_use]
    pub fn of(score: u32) -> Self {
        let mut thresholds = Self::THRESHOLDS.into_iter();
        thresholds
            .find(|(_, least)| score >= *least)
            .map_or(Self::F, |(grade, _)| grade)
    }

    /// The letter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::F => "F",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A text is no grade.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a grade is one of A, B, C, D and F")]
pub struct UnknownGrade;

impl FromStr for Grade {
    type Err = UnknownGrade;

    fn from_str(text: &str) -> Result<Self, UnknownGrade> {
        let mut all = Self::THRESHOLDS.into_iter().map(|(grade, _)| grade);
        all.find(|grade| grade.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownGrade)
    }
}

/// What can be deducted, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, which does not change.
    pub id: &'static str,
    /// The axis that it takes from.
    pub axis: Axis,
    /// What one finding takes.
    pub points: u32,
    /// What all its findings together take at most.
    pub most: u32,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What a person can do.
    pub fix: &'static str,
}

macro_rules! rules {
    ($($name:ident = $id:literal $axis:ident $points:literal up to $most:literal: $title:literal, $why:literal, $fix:literal;)*) => {
        $(pub(super) static $name: Rule = Rule {
            id: $id,
            axis: Axis::$axis,
            points: $points,
            most: $most,
            title: $title,
            why: $why,
            fix: $fix,
        };)*

        /// Every rule, in the order of the document.
        pub static RULES: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    REACH_UNREACHABLE = "reach.unreachable" Reach 10 up to 40:
        "more than the code can reach",
        "A permission that the code cannot use is of use only to another build under the same name.",
        "Leave the entry out: `casemate revoke`, or ask the author for a narrower request.";
    REACH_PURPOSE = "reach.beyond-purpose" Reach 20 up to 60:
        "more than the stated purpose",
        "A tool that reaches what its description does not speak of does something that its user does not expect.",
        "Leave the entry out, or have the author say in the description what it is for.";
    REACH_SOCKETS = "reach.sockets" Reach 35 up to 35:
        "raw connections without a networking purpose",
        "What goes through a raw connection is not looked at, and nothing in the description says that there is one.",
        "Leave the `tcp` entry out, or have the author say in the description what it connects to.";
    REACH_CODE = "reach.code" Reach 5 up to 10:
        "code for more than the stated purpose",
        "Nobody granted or asked for it, but the code is there and would use a later grant.",
        "Grant nothing of this kind, and ask the author what the code is for.";
    REACH_IMPORT = "reach.unknown-import" Reach 10 up to 10:
        "an interface that Casemate does not offer",
        "The component does not run here without it, and what another host would let it do through it is not known here.",
        "Build the component against WASI 0.2 interfaces only.";
    REACH_TOP = "reach.files-top" Reach 45 up to 45:
        "a whole directory at the root of the file system, or one of the system's",
        "Such a directory holds what belongs to other programs and to other people.",
        "Name the one directory that the tool works in.";
    REACH_HOME = "reach.files-home" Reach 45 up to 45:
        "a whole home directory",
        "A home holds keys, mail and the settings of every other program.",
        "Name the one directory in it that the tool works in.";
    REACH_DIRECTORIES = "reach.files-directories" Reach 10 up to 10:
        "more than one directory",
        "A tool of one purpose mostly works in one place; each more is one more that it can mix up or empty.",
        "Keep to one directory, or install the component twice, under two names.";
    REACH_ENVIRONMENT = "reach.environment" Reach 10 up to 30:
        "variables beyond the ordinary ones",
        "The environment of a server holds what was meant for other programs.",
        "Write the value into the policy, as in `value: quiet`, or leave the variable out.";
    REACH_WILDCARD = "reach.host-pattern" Reach 10 up to 20:
        "a pattern of hosts",
        "Whoever can make a name below the domain is then reachable too.",
        "Name the hosts one by one.";
    REACH_SHARED = "reach.host-shared" Reach 45 up to 45:
        "hosts that anyone can have",
        "Below this domain anyone can have a name, so data can go to anyone.",
        "Name the hosts one by one.";
    REACH_PRIVATE = "reach.private-network" Reach 15 up to 30:
        "this machine, a private network or another special address",
        "Services there often trust whoever can reach them.",
        "Leave the entry out, or name a single address and port.";
    REACH_HTTP = "reach.plain-http" Reach 15 up to 15:
        "requests without encryption",
        "Everybody on the way can read and change what is sent and what comes back.",
        "Allow https alone: leave `http` out of `schemes`.";
    REACH_COMBINED = "reach.read-and-send" Reach 10 up to 10:
        "reads files and sends to other machines",
        "Together the two can carry the files away.",
        "Grant one of the two, narrow `tools` so that no tool has both, or name one host that you trust with the files.";
    REACH_REQUEST = "reach.request-unreadable" Reach 20 up to 20:
        "a request that cannot be read",
        "What a component asks for and nobody can read cannot be judged.",
        "Have the author correct the request: `casemate policy check FILE`.";

    LIMITS_MEMORY = "limits.memory" Limits 15 up to 15:
        "more than 512 MiB of memory for a call",
        "A few calls at the same time can then take all the memory of an ordinary machine.",
        "`casemate limit NAME memory=256Mi`";
    LIMITS_MEMORY_EXTREME = "limits.memory-extreme" Limits 30 up to 30:
        "more than 1 GiB of memory for a call",
        "Two calls can then take all the memory of a small machine.",
        "`casemate limit NAME memory=256Mi`";
    LIMITS_CPU = "limits.cpu" Limits 15 up to 15:
        "more than a minute of processor time for a call",
        "A call that runs away holds a processor for all that time.",
        "`casemate limit NAME cpu-time=10s`";
    LIMITS_TIME = "limits.time" Limits 15 up to 15:
        "more than five minutes for a call",
        "A call that hangs keeps its place and its memory for all that time.",
        "`casemate limit NAME time=30s`";
    LIMITS_OUTPUT = "limits.output" Limits 15 up to 15:
        "more than 4 MiB of output for a call",
        "A result of that size fills the context of every model, and the log.",
        "`casemate limit NAME output=1Mi`";
    LIMITS_CONCURRENCY = "limits.concurrency" Limits 15 up to 15:
        "more than 64 calls at the same time",
        "All calls of a server together are 64, so one component can then starve the others.",
        "`casemate limit NAME concurrency=16`";
    LIMITS_WRITTEN = "limits.written" Limits 10 up to 10:
        "more than 1 GiB written, or 10000 files made, by a call",
        "A call can then fill a disk.",
        "`casemate limit NAME written=256Mi files=1000`";
    LIMITS_TRAFFIC = "limits.traffic" Limits 10 up to 10:
        "more than 256 MiB sent or received by a call",
        "A call can then carry away or draw in more than any answer needs.",
        "`casemate limit NAME sent=8Mi received=16Mi`";
    LIMITS_DECLARED = "limits.memory-undeclared" Limits 5 up to 5:
        "a memory without a declared maximum",
        "The component itself says nothing of how much it needs; only the limit of the policy holds it.",
        "Have the author link with a maximum, as in `--max-memory`; the policy's limit holds meanwhile.";

    PROVENANCE_FILE = "provenance.file" Provenance 10 up to 10:
        "a file of this machine",
        "Nothing says who made a local file. Whose own build it is knows that; nobody else does.",
        "Push it with `casemate push --sign KEY`, and install it from there.";
    PROVENANCE_UNSIGNED = "provenance.unsigned" Provenance 25 up to 25:
        "no signature",
        "Whoever can write to the server can put other bytes there, and nobody can tell.",
        "Ask the author to sign it: `casemate sign`, or cosign.";
    PROVENANCE_UNTRUSTED = "provenance.no-rule" Provenance 10 up to 10:
        "a signer that no rule names",
        "The signature holds, but nobody on this machine said that this signer is the one to trust.",
        "Write a rule for the repository into `trust.yaml`.";
    PROVENANCE_WARNED = "provenance.warned" Provenance 35 up to 35:
        "a signature that the rule asks for is missing",
        "The trust policy names who has to sign, and that signature is not there; the rule merely warns.",
        "Find out why, and write `verification: require`.";
    PROVENANCE_REFUSED = "provenance.refused" Provenance 60 up to 60:
        "the trust policy refuses it",
        "A signature that is required is missing, or does not hold for these bytes.",
        "Do not use it before the author has explained it.";
    PROVENANCE_SKIPPED = "provenance.skipped" Provenance 50 up to 50:
        "verification was skipped",
        "It was installed with `--insecure-skip-verify`, so nothing about its signature is known.",
        "Add it again without the flag.";
    PROVENANCE_UNPINNED = "provenance.unpinned" Provenance 15 up to 15:
        "not pinned by a digest",
        "A tag or a URL can lead to other bytes tomorrow.",
        "Name the digest: `oci://…@sha256:…`, `https://…#sha256:…`, or install it, which pins it.";
    PROVENANCE_VERSION = "provenance.no-version" Provenance 5 up to 5:
        "no version",
        "Without a version nobody can tell whether a build is older than another.",
        "Push it with `--annotation org.opencontainers.image.version=…`.";

    SECRETS_EXPOSED = "secrets.exposed" Secrets 45 up to 45:
        "a secret that the tool would see",
        "What a tool sees it can keep, log or send on. A secret in a header is put in after the tool has made the request, and it never sees it.",
        "Use the secret in `headers` of a network entry, not in `environment`.";
    SECRETS_LITERAL = "secrets.literal" Secrets 45 up to 45:
        "a secret written into the policy",
        "Policies are kept in git and shown on screens.",
        "Take it out and make it invalid where it came from.";
    SECRETS_VARIABLE = "secrets.variable" Secrets 25 up to 45:
        "a variable that looks like a credential",
        "The tool is given the value as it is.",
        "`casemate revoke NAME env KEY`";
    SECRETS_FILES = "secrets.files" Secrets 45 up to 45:
        "files where credentials are kept",
        "Keys and passwords are read like any other file.",
        "Leave the entry out, or name the files that the tool needs.";
    SECRETS_NETWORK = "secrets.with-network" Secrets 20 up to 20:
        "a credential together with the network",
        "What the tool is given it can send to every host that it may reach.",
        "Grant one of the two.";

    TEXT_HIDDEN = "text.hidden" Text 45 up to 45:
        "characters that nobody sees",
        "A model reads what a person cannot see.",
        "Do not use it; tell the author.";
    TEXT_ANSI = "text.ansi" Text 45 up to 45:
        "terminal control sequences",
        "They make a terminal show something else than what is there.",
        "Do not use it; tell the author.";
    TEXT_BIDI = "text.bidi" Text 45 up to 45:
        "characters that turn the direction of writing",
        "The text then reads as another than it is.",
        "Do not use it; tell the author.";
    TEXT_INSTRUCTION = "text.instruction" Text 45 up to 45:
        "words that speak to the model instead of describing",
        "A description that gives orders makes a model do what its user did not ask for.",
        "Do not use it, or describe the tools yourself: `casemate add --wit`.";
    TEXT_LOOKALIKE = "text.lookalike" Text 35 up to 35:
        "a name that looks like another",
        "A person takes it for the tool that it imitates.",
        "Do not use it; tell the author.";
    TEXT_LONG = "text.long" Text 10 up to 20:
        "a very long description",
        "What nobody reads to its end can hide anything, and it fills the context of every model.",
        "Describe the tools yourself: `casemate add --wit`.";
    TEXT_URL = "text.url" Text 5 up to 10:
        "a URL in a description",
        "A model may follow it, and what is there can change.",
        "Look at what it leads to.";
    TEXT_DATA = "text.data-uri" Text 25 up to 25:
        "a data: URI in a description",
        "It carries content that is not shown as what it is.",
        "Do not use it, or describe the tools yourself: `casemate add --wit`.";
    TEXT_BASE64 = "text.base64" Text 25 up to 25:
        "encoded text in a description",
        "A model can read it and a person cannot.",
        "Do not use it, or describe the tools yourself: `casemate add --wit`.";
    TEXT_DRIFT = "text.drift" Text 15 up to 30:
        "other words than the version before",
        "Descriptions are what a model acts on; one that changes without a reason is how a tool turns against its user.",
        "Read the difference: `casemate update --check`.";

    DOCUMENTATION_PURPOSE = "documentation.no-purpose" Documentation 15 up to 15:
        "no purpose is declared",
        "Without one nobody can tell whether what it reaches is too much; reach is then judged as if it were for nothing.",
        "Describe the world in WIT, or push with `--annotation org.opencontainers.image.description=…`.";
    DOCUMENTATION_WORLD = "documentation.no-world" Documentation 5 up to 5:
        "no description of the component in its WIT",
        "It goes with the component wherever it goes; an annotation stays in the registry.",
        "Write `///` above the world, and push the WIT or install with `--wit`.";
    DOCUMENTATION_TOOL = "documentation.tool" Documentation 5 up to 30:
        "a tool without a description",
        "A model chooses tools by their descriptions, and a person grants by them.",
        "Write `///` above the function in WIT.";
    DOCUMENTATION_PARAMETER = "documentation.parameter" Documentation 1 up to 10:
        "a parameter that the description does not name",
        "A model guesses what a parameter means, and guesses wrong.",
        "Say in the function's `///` what each parameter is, or describe its type.";
    DOCUMENTATION_LICENCE = "documentation.no-licence" Documentation 5 up to 5:
        "no licence is named",
        "Nobody can tell from it who may use it.",
        "`wasm-tools metadata add --licenses`, or `--annotation org.opencontainers.image.licenses=…`.";
    DOCUMENTATION_SOURCE = "documentation.no-source" Documentation 5 up to 5:
        "no place of its source is named",
        "Without it nobody can look at what was built, or report a fault.",
        "`wasm-tools metadata add --source`, or `--annotation org.opencontainers.image.source=…`.";
}
