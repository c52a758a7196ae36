//! Percentiles, and two servers beside each other.

use std::time::Duration;

/// Sorted measurements in microseconds.
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times.iter().map(|time| time.as_secs_f64() * 1e6).collect())
    }

    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0
            .get(last * percent / 100)
            .copied()
            .unwrap_or(f64::NAN)
    }
}

/// The middle of a few figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One round of calls of one server.
pub(crate) struct Round {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Processor time of the server for a call, in microseconds.
    pub(crate) cpu: f64,
    /// Calls of 40 ms or more: what waiting for a delayed acknowledgement takes.
    pub(crate) delayed: usize,
}

impl Round {
    /// `cpu` is what the server used for all of `times`, in microseconds.
    pub(crate) fn of(times: Vec<Duration>, cpu: u64) -> Self {
        let calls = times.len() as f64;
        let delayed = times.iter().filter(|time| **time >= DELAYED).count();
        let sample = Sample::new(times);
        Self {
            p50: sample.percentile(50),
            p99: sample.percentile(99),
            cpu: cpu as f64 / calls,
            delayed,
        }
    }
}

const DELAYED: Duration = Duration::from_millis(40);

/// Measures a bare server and Casemate by turns, and prints the medians of their rounds and the ratio of their p50.
pub(crate) fn compare(
    title: &str,
    rounds: usize,
    mut bare: impl FnMut() -> anyhow::Result<Round>,
    mut casemate: impl FnMut() -> anyhow::Result<Round>,
) -> anyhow::Result<()> {
    let mut measured = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        let [first, second] = &mut measured;
        first.push(bare()?);
        second.push(casemate()?);
    }
    println!("{title}, medians of the rounds");
    println!(
        "{:<24}{:>10}{:>10}{:>14}{:>16}",
        "", "p50 µs", "p99 µs", "CPU µs/call", "40 ms or more"
    );
    let mut figures = Vec::new();
    for (name, rounds) in ["bare rmcp server", "casemate"].into_iter().zip(&measured) {
        let p50 = median(rounds.iter().map(|round| round.p50).collect());
        let p99 = median(rounds.iter().map(|round| round.p99).collect());
        let cpu = median(rounds.iter().map(|round| round.cpu).collect());
        let delayed: usize = rounds.iter().map(|round| round.delayed).sum();
        println!("{name:<24}{p50:>10.1}{p99:>10.1}{cpu:>14.1}{delayed:>16}");
        figures.push(p50);
    }
    if let [bare, casemate] = figures.as_slice() {
        println!("p50 ratio: {:.2}", casemate / bare);
    }
    Ok(())
}
