//! Options of a socket, each within bounds that harm nobody.

use rustix::net::sockopt;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// Keep-alive probes go out no more often than this, and no less often than [`LONGEST_PROBE`].
const SHORTEST_PROBE: Duration = Duration::from_secs(10);
const LONGEST_PROBE: Duration = Duration::from_secs(2 * 60 * 60);
/// Probes without an answer that end a connection, at the most.
const MOST_PROBES: u32 = 10;
/// Fewer hops would tell where the routers are.
const LEAST_HOPS: u8 = 64;
/// Bytes of a buffer of the operating system, which doubles them for its own records.
const LEAST_BUFFER: u64 = 4 << 10;
const MOST_BUFFER: u64 = 256 << 10;
const BUFFER: u64 = 128 << 10;

/// What a guest chose, as it is in force: what is read back is what was set within its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    keep_alive: bool,
    idle: Duration,
    interval: Duration,
    probes: u32,
    hops: u8,
    receive: u64,
    send: u64,
}

impl Default for Options {
    /// Linux's own values, but for buffers that do not grow by themselves.
    fn default() -> Self {
        Self {
            keep_alive: false,
            idle: LONGEST_PROBE,
            interval: Duration::from_secs(75),
            probes: 9,
            hops: LEAST_HOPS,
            receive: BUFFER,
            send: BUFFER,
        }
    }
}

fn probe_time(nanoseconds: u64) -> Duration {
    // The operating system counts in seconds.
    let seconds = Duration::from_nanos(nanoseconds).as_secs();
    Duration::from_secs(seconds).clamp(SHORTEST_PROBE, LONGEST_PROBE)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Options {
    pub(crate) fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    pub(crate) fn set_keep_alive(&mut self, on: bool) {
        self.keep_alive = on;
    }

    /// Nanoseconds of silence before the first probe.
    pub(crate) fn idle(&self) -> u64 {
        nanoseconds(self.idle)
    }

    pub(crate) fn set_idle(&mut self, nanoseconds: u64) {
        self.idle = probe_time(nanoseconds);
    }

    /// Nanoseconds between probes.
    pub(crate) fn interval(&self) -> u64 {
        nanoseconds(self.interval)
    }

    pub(crate) fn set_interval(&mut self, nanoseconds: u64) {
        self.interval = probe_time(nanoseconds);
    }

    pub(crate) fn probes(&self) -> u32 {
        self.probes
    }

    pub(crate) fn set_probes(&mut self, count: u32) {
        self.probes = count.clamp(1, MOST_PROBES);
    }

    pub(crate) fn hops(&self) -> u8 {
        self.hops
    }

    pub(crate) fn set_hops(&mut self, hops: u8) {
        self.hops = hops.max(LEAST_HOPS);
    }

    /// Bytes of the operating system's buffer for what arrives.
    pub(crate) fn receive(&self) -> u64 {
        self.receive
    }

    pub(crate) fn set_receive(&mut self, bytes: u64) {
        self.receive = bytes.clamp(LEAST_BUFFER, MOST_BUFFER);
    }

    /// Bytes of the operating system's buffer for what is sent.
    pub(crate) fn send(&self) -> u64 {
        self.send
    }

    pub(crate) fn set_send(&mut self, bytes: u64) {
        self.send = bytes.clamp(LEAST_BUFFER, MOST_BUFFER);
    }

    /// Puts all of them in force.
    pub(super) fn apply(&self, stream: &TcpStream, ipv6: bool) -> io::Result<()> {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        sockopt::set_socket_recv_buffer_size(stream, size(self.receive))?;
        sockopt::set_socket_send_buffer_size(stream, size(self.send))?;
        if ipv6 {
            sockopt::set_ipv6_unicast_hops(stream, Some(self.hops))?;
        } else {
            sockopt::set_ip_ttl(stream, u32::from(self.hops))?;
        }
        sockopt::set_tcp_keepidle(stream, self.idle)?;
        sockopt::set_tcp_keepintvl(stream, self.interval)?;
        sockopt::set_tcp_keepcnt(stream, self.probes)?;
        sockopt::set_socket_keepalive(stream, self.keep_alive)?;
        Ok(())
    }
}
