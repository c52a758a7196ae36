use super::*;

#[test]
fn sizes() {
    let cases = [
        ("1", 1),
        ("268435456", 256 << 20),
        ("256Mi", 256 << 20),
        ("512M", 512_000_000),
        ("64k", 64_000),
        ("64Ki", 65_536),
        ("4Gi", 4 << 30),
        ("4G", 4_000_000_000),
    ];
    for (text, bytes) in cases {
        assert_eq!(memory(text).unwrap(), bytes, "{text}");
    }
    assert_eq!(output("64Mi").unwrap(), 64 << 20);
    assert!(output("65Mi").is_err());
}

#[test]
fn s146_nonsense_is_refused() {
    let nonsense = [
        "",
        "0",
        "-1",
        "+1",
        ".inf",
        "-.inf",
        ".nan",
        "1e3",
        "0x10",
        "0o17",
        "017",
        "1_000",
        "1,000",
        "4GiB ",
        " 1Gi",
        "1 Gi",
        "1Gi ",
        "512MB",
        "512mi",
        "512MI",
        "1K",
        "1T",
        "1.5Gi",
        "1.0",
        "٣",
        "18446744073709551616",
        "on",
        "no",
        "true",
        "2026-11-21",
        "5Gi",
        "4294967297",
        "99999999999999999999999999",
        "1\n",
    ];
    for text in nonsense {
        assert!(memory(text).is_err(), "memory {text:?}");
    }
    for text in [
        "",
        "0",
        "0s",
        "-1s",
        "30",
        "1.5s",
        "1 s",
        "30s ",
        "61m",
        "2h",
        "1e3s",
        "1d",
        "1us",
        "99999999999999999999h",
        "s",
    ] {
        assert!(duration(text).is_err(), "duration {text:?}");
    }
    for text in [
        "", "0", "0m", "0.0", "-1", "1.", ".5", "0.5555", "1025", "1024001m", "01.5", "1e3", "1 ",
        "half", "1.5m", "5%",
    ] {
        assert!(cpu_share(text).is_err(), "cpu {text:?}");
    }
    for text in ["", "0", "-1", "1025", "1.5", "1k", "16 ", "many"] {
        assert!(concurrency(text).is_err(), "concurrency {text:?}");
    }
    for (read, most) in [
        (files as fn(&str) -> Result<u32, Refusal>, "1000000"),
        (open_files, "1024"),
        (requests, "64"),
        (sockets, "256"),
    ] {
        assert!(read(most).is_ok(), "{most}");
        let more = (most.parse::<u32>().unwrap() + 1).to_string();
        for text in [
            "", "0", "-1", "1.5", "1k", "1Ki", "1e3", "16 ", "many", &more,
        ] {
            assert!(read(text).is_err(), "{text:?} of {most}");
        }
    }
    assert_eq!(traffic("1024Gi").unwrap(), 1 << 40);
    for text in ["", "0", "-1", "1025Gi", "1Ti", "1.5", "lots", "8MB"] {
        assert!(traffic(text).is_err(), "traffic {text:?}");
    }
    for text in ["", "600", "0/m", "600/d", "600 / m", "-1/s", "1000001/s"] {
        assert!(rate(text).is_err(), "rate {text:?}");
    }
}

#[test]
fn a_wrong_unit_is_explained() {
    let error = memory("512MB").unwrap_err();
    assert_eq!(
        error.message,
        "\"512MB\" is not a size: unknown unit \"MB\""
    );
    assert!(error.hint.unwrap().contains("256Mi"));
    assert!(
        duration("30")
            .unwrap_err()
            .message
            .contains("unit is missing")
    );
}

#[test]
fn durations_and_shares() {
    for (text, milliseconds) in [
        ("500ms", 500),
        ("10s", 10_000),
        ("2m", 120_000),
        ("1h", 3_600_000),
        ("3600s", 3_600_000),
    ] {
        assert_eq!(
            duration(text).unwrap(),
            Duration::from_millis(milliseconds),
            "{text}"
        );
    }
    for (text, millicores) in [
        ("500m", 500),
        ("1", 1000),
        ("0.5", 500),
        ("0.25", 250),
        ("0.001", 1),
        ("2.125", 2125),
        ("1024", 1_024_000),
    ] {
        assert_eq!(cpu_share(text).unwrap().millicores, millicores, "{text}");
    }
    assert_eq!(
        cpu_share("500m").unwrap().of(Duration::from_secs(30)),
        Duration::from_secs(15)
    );
    assert_eq!(
        cpu_share("1024").unwrap().of(MAX_TIME),
        Duration::from_secs(3600 * 1024)
    );
    assert_eq!(concurrency("1024").unwrap(), 1024);
    assert_eq!(
        rate("600/m").unwrap(),
        Rate {
            calls: 600,
            period: Duration::from_secs(60)
        }
    );
}

#[test]
fn the_lesser_of_two_rates_keeps_to_both() {
    for (one, other, expected) in [
        ("10/s", "20/s", "10/s"),
        ("10/s", "600/m", "10/s"),
        ("1/s", "3600/h", "1/s"),
        ("100/m", "100/h", "100/h"),
        // Neither is within the other: ten at once, and a hundred in a minute.
        ("10/s", "100/m", "10 in 6s"),
        ("7/s", "1000/h", "7 in 25.2s"),
    ] {
        let (one, other) = (rate(one).unwrap(), rate(other).unwrap());
        let least = one.least(other);
        assert_eq!(least.to_string(), expected);
        assert_eq!(other.least(one), least);
        assert!(least.within(one) && least.within(other));
    }
    for (one, other) in [
        ("10/s", "100/m"),
        ("100/m", "10/s"),
        ("2/s", "1/s"),
        ("60/m", "60/h"),
    ] {
        let (one, other) = (rate(one).unwrap(), rate(other).unwrap());
        assert!(!one.within(other), "{one} {other}");
    }
}

proptest::proptest! {
    #[test]
    fn rates_are_least_in_any_order(rates in proptest::collection::vec((1_u32..=1_000_000, 0_usize..3), 1..4)) {
        let rates: Vec<Rate> = rates
            .into_iter()
            .map(|(calls, unit)| rate(&format!("{calls}/{}", ["s", "m", "h"][unit])).unwrap())
            .collect();
        let least = rates.iter().copied().reduce(Rate::least).unwrap();
        assert!(rates.iter().all(|rate| least.within(*rate)));
        assert!(least.calls() >= 1 && least.period() >= Duration::from_secs(1));
        // Rounding to whole nanoseconds is all that the order of a policy, a tool and a ceiling changes.
        let other = rates.iter().rev().copied().reduce(Rate::least).unwrap();
        assert_eq!(least.calls(), other.calls());
        assert!(least.period().abs_diff(other.period()) <= Duration::from_nanos(4));
    }

    #[test]
    fn printing_then_parsing_is_identity(bytes in 1..=MAX_MEMORY, milliseconds in 1_u64..=3_600_000, millicores in 1..=1_024_000_u32) {
        assert_eq!(memory(&print_size(bytes)).unwrap(), bytes);
        let time = Duration::from_millis(milliseconds);
        assert_eq!(duration(&print_duration(time)).unwrap(), time);
        let share = CpuShare { millicores };
        assert_eq!(cpu_share(&print_share(share)).unwrap(), share);
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = (memory(&text), output(&text), duration(&text), cpu_share(&text), concurrency(&text), rate(&text), traffic(&text), files(&text));
    }
}
