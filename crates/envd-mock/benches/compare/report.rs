//! What was measured, as a table: medians over the rounds, and medians of the ratios within each round.

/// One round of one subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Calls a second, or starts a second.
    pub(crate) rate: f64,
    /// CPU time of the server for one call, in microseconds; `None` where it cannot be told.
    pub(crate) cpu: Option<f64>,
}

/// Prints a case; ratios are to the first subject.
pub(crate) fn print(case: &str, unit: fn(f64) -> String, subjects: &[(&str, Vec<Sample>)]) {
    let Some((_, peer)) = subjects.first() else { return };
    println!(
        "\n### {case}\n\n| subject | median | × the first | CPU of a call | × the first |\n|---|---|---|---|---|"
    );
    for (name, samples) in subjects {
        let rate = median(samples.iter().map(|one| one.rate));
        let cpu = median(samples.iter().filter_map(|one| one.cpu));
        let rates = median(samples.iter().zip(peer).map(|(one, peer)| one.rate / peer.rate));
        let cpus = median(samples.iter().zip(peer).filter_map(|(one, peer)| Some(one.cpu? / peer.cpu?)));
        let cpu = if cpu.is_nan() { "".to_owned() } else { format!("{cpu:.1} µs | {cpus:.2}") };
        let cpu = if cpu.is_empty() { "–| –".to_owned() } else { cpu };
        println!("| {name} | {} | {rates:.2} | {cpu} |", unit(rate));
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}
