//! Durations and sizes as people write them: "250ms", "64MiB". Knows nothing of flags or files.

use std::time::Duration;

const DURATIONS: [(&str, u64); 5] =
    [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)];
const SIZES: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads a duration such as "250ms", "1.5s" or "2m".
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let micros = scaled(text, &DURATIONS, "a duration such as 250ms, 1.5s or 2m")?;
    Ok(Duration::from_micros(micros))
}

/// Reads a size in bytes, such as "64MiB", "10MB" or "512".
pub(crate) fn size(text: &str) -> Result<u64, String> {
    scaled(text, &SIZES, "a size such as 64MiB, 10MB or 512")
}

/// Prints a duration so that [`duration`] reads the same, in whole microseconds.
pub(crate) fn print_duration(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    printed(micros, &DURATIONS, "s")
}

/// Prints a size so that [`size`] reads the same.
pub(crate) fn print_size(bytes: u64) -> String {
    printed(bytes, &SIZES, "")
}

/// In the largest unit that needs no fraction; nothing at all is so many `none`.
fn printed(value: u64, units: &[(&str, u64)], none: &str) -> String {
    let whole = units.iter().filter(|(_, scale)| value > 0 && value.is_multiple_of(*scale));
    let (unit, scale) = whole.max_by_key(|(_, scale)| *scale).copied().unwrap_or((none, 1));
    format!("{}{unit}", value / scale)
}

fn scaled(text: &str, units: &[(&str, u64)], expected: &str) -> Result<u64, String> {
    let refused = || format!("expected {expected}, got {text:?}");
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim_start()).ok_or_else(refused)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| refused())?;
    let part = part_of(fraction, *scale).ok_or_else(refused)?;
    whole.checked_mul(*scale).and_then(|all| all.checked_add(part)).ok_or_else(refused)
}

/// `0.fraction * scale`, cut off.
fn part_of(fraction: &str, scale: u64) -> Option<u64> {
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = u128::from(format!("0{fraction}").parse::<u64>().ok()?);
    u64::try_from(digits * u128::from(scale) / 10u128.pow(u32::try_from(fraction.len()).ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_written() {
        for (text, millis) in [("250ms", 250), ("1.5s", 1500), ("2m", 120_000), ("1h", 3_600_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_written() {
        for (text, bytes) in
            [("512", 512), ("64MiB", 64 << 20), ("10MB", 10_000_000), ("1.5KiB", 1536), ("2 GiB", 2 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn anything_else_is_told_what_was_expected_and_seen() {
        for text in ["", "5", "ms", "-1s", "1.2.3s", "5 parsecs", "99999999999h", ".5s", "1.0000000001s"] {
            assert_eq!(
                duration(text),
                Err(format!("expected a duration such as 250ms, 1.5s or 2m, got {text:?}"))
            );
        }
        assert!(size("1TiB").is_err() && size("99999999999GiB").is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_it_was(micros in any::<u64>(), bytes in any::<u64>()) {
            prop_assert_eq!(duration(&print_duration(Duration::from_micros(micros))), Ok(Duration::from_micros(micros)));
            prop_assert_eq!(size(&print_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (duration(&text), size(&text));
        }
    }
}
