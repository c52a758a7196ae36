//! One record per started call, written when the call ends in whatever way.

use crate::enforce::DenialRecord;
use crate::limits::LimitReached;
use casemate_policy::{Digest, Tenant};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// What one call did, as it stands in the audit log. Arguments and results are not in it.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRecord {
    /// Start of the call, RFC 3339 in UTC with milliseconds.
    pub time: String,
    /// Id of the call, as the model and the person see it.
    pub call: String,
    /// Whose call it was.
    pub tenant: String,
    /// Installed name of the component.
    pub component: String,
    /// Digest of the bytes that ran.
    pub digest: String,
    /// Exposed name of the tool.
    pub tool: String,
    /// Who called: the client's own words, escaped and capped.
    pub caller: String,
    /// `ok`, `error` (the tool's own), `refused`, `failed` or `cancelled`.
    pub outcome: &'static str,
    /// Stable reason of a call that did not return.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The limit that ended the call: what ran out, how much was used and how much was allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitReached>,
    /// Refusals that the guest met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<AuditDenial>,
    /// Hash of the policy text in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The random numbers were not random: a policy asked for a fixed seed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub seeded: bool,
    /// What the call used.
    pub usage: Usage,
}

/// A refusal in the audit log.
#[derive(Clone, Debug, Serialize)]
pub struct AuditDenial {
    /// Stable reason.
    pub reason: String,
    /// What was asked for.
    pub subject: String,
    /// The limit that ran out, the last time, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitReached>,
    /// How often.
    pub count: u64,
}

impl From<&DenialRecord> for AuditDenial {
    fn from(denial: &DenialRecord) -> Self {
        Self {
            reason: denial.reason.as_str().to_owned(),
            subject: denial.subject.clone(),
            limit: denial.limit,
            count: denial.count,
        }
    }
}

/// Resources that one call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// CPU time of the guest and of the host functions it called, in microseconds.
    pub cpu_us: u64,
    /// Wall time, in microseconds.
    pub wall_us: u64,
    /// Most memory at once, in bytes.
    pub memory: u64,
    /// Size of the result as JSON, in bytes.
    pub output: u64,
    /// Bytes of HTTP sent to other hosts, heads and bodies.
    pub sent: u64,
    /// Bytes of HTTP received from other hosts, heads and bodies.
    pub received: u64,
    /// Bytes written to files, and bytes by which files grew without being written.
    #[serde(skip_serializing_if = "is_zero")]
    pub written: u64,
    /// Files, directories and links created.
    #[serde(skip_serializing_if = "is_zero")]
    pub files: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Identity of a call, fixed when it starts.
#[derive(Clone, Debug)]
pub struct CallStart {
    /// Id of the call.
    pub id: String,
    /// Whose call.
    pub tenant: Tenant,
    /// Installed name.
    pub component: String,
    /// Digest of the bytes that run.
    pub digest: Digest,
    /// Exposed tool name.
    pub tool: String,
    /// Who called.
    pub caller: String,
    /// Hash of the policy text.
    pub policy: Option<Digest>,
    /// Whether randomness is seeded.
    pub seeded: bool,
}

/// No record can be kept, so no call may start.
#[derive(Debug, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct AuditUnavailable;

/// Where records go.
pub trait AuditSink: Send + Sync {
    /// Asked before a call starts.
    ///
    /// # Errors
    ///
    /// An error refuses the call: no audit, no call.
    fn ready(&self) -> Result<(), AuditUnavailable>;

    /// Keeps the record of a call that has ended.
    fn write(&self, record: &AuditRecord);
}

/// Records as JSON, one a line, appended to a file with mode 0600.
#[derive(Debug)]
pub struct JsonLines {
    file: File,
    healthy: AtomicBool,
}

/// The audit file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the audit log {}", path.display())]
pub struct AuditOpenError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl JsonLines {
    /// Opens or makes the file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened for appending.
    pub fn open(path: &Path) -> Result<Self, AuditOpenError> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| AuditOpenError {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            file,
            healthy: AtomicBool::new(true),
        })
    }
}

impl AuditSink for JsonLines {
    fn ready(&self) -> Result<(), AuditUnavailable> {
        if self.healthy.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(AuditUnavailable)
        }
    }

    fn write(&self, record: &AuditRecord) {
        let written = serde_json::to_vec(record)
            .map_err(std::io::Error::other)
            .and_then(|mut line| {
                line.push(b'\n');
                // One write per line: appends of several processes do not mix.
                (&self.file).write_all(&line)
            });
        if let Err(error) = written {
            // From here on calls are refused: what cannot be recorded does not run.
            self.healthy.store(false, Ordering::Relaxed);
            tracing::error!(%error, "audit record lost, no further calls are accepted");
        }
    }
}

/// A call between its start and its record. Dropped without an end, it records `cancelled`.
pub(crate) struct Trailing {
    sink: Arc<dyn AuditSink>,
    record: Option<AuditRecord>,
}

impl Trailing {
    /// Starts the record of a call.
    ///
    /// # Errors
    ///
    /// Fails when no record could be kept at the end.
    pub(crate) fn begin(
        sink: Arc<dyn AuditSink>,
        start: CallStart,
    ) -> Result<Self, AuditUnavailable> {
        sink.ready()?;
        Ok(Self {
            sink,
            record: Some(AuditRecord {
                time: timestamp(SystemTime::now()),
                call: start.id,
                tenant: start.tenant.to_string(),
                component: start.component,
                digest: start.digest.to_string(),
                tool: start.tool,
                caller: start.caller,
                outcome: "cancelled",
                reason: Some("cancelled".to_owned()),
                limit: None,
                denials: Vec::new(),
                policy: start.policy.map(|digest| digest.to_string()),
                seeded: start.seeded,
                usage: Usage::default(),
            }),
        })
    }

    /// Notes the policy with which the guest starts: it can have changed while the call waited.
    pub(crate) fn under(&mut self, policy: Option<Digest>, seeded: bool) {
        if let Some(record) = &mut self.record {
            record.policy = policy.map(|digest| digest.to_string());
            record.seeded = seeded;
        }
    }

    /// Notes what the call has used and met so far.
    pub(crate) fn observe(&mut self, usage: Usage, denials: &[DenialRecord]) {
        if let Some(record) = &mut self.record {
            record.usage = usage;
            record.denials = denials.iter().map(AuditDenial::from).collect();
        }
    }

    /// Ends the call.
    pub(crate) fn end(
        mut self,
        outcome: &'static str,
        reason: Option<String>,
        limit: Option<LimitReached>,
    ) {
        if let Some(record) = &mut self.record {
            record.outcome = outcome;
            record.reason = reason;
            record.limit = limit;
        }
    }
}

impl Drop for Trailing {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            self.sink.write(&record);
        }
    }
}

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn timestamp(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(
        |_| "unknown".to_owned(),
        |timestamp| format!("{timestamp:.3}"),
    )
}
