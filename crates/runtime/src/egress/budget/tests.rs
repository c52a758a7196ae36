use super::{Budget, MAX_REQUESTS_OF_CALL};
use casemate_policy::Limits;

fn budget() -> Budget {
    Budget::of(&Limits {
        requests: 2,
        sent: 10,
        received: 4 << 20,
        ..Limits::default()
    })
}

#[test]
fn requests_are_counted_at_once_and_in_all() {
    let budget = budget();
    let held = [budget.place().unwrap(), budget.place().unwrap()];
    for _ in 0..2_000 {
        let over = budget.place().unwrap_err();
        assert_eq!(over.to_string(), "3 HTTP requests at once, 2 allowed");
    }
    drop(held);
    for _ in 2..MAX_REQUESTS_OF_CALL {
        drop(budget.place().unwrap());
    }
    for _ in 0..2 {
        let over = budget.place().unwrap_err();
        assert_eq!(over.to_string(), "1,001 HTTP requests, 1,000 allowed");
        assert_eq!(over.reason.as_str(), "limit.handles");
    }
}

#[test]
fn bytes_are_counted_in_both_directions_and_stay_spent() {
    let budget = budget();
    assert_eq!(budget.send(8), Ok(()));
    assert_eq!(budget.could_send(2), Ok(()));
    assert!(budget.could_send(3).is_err());
    let over = budget.send(4).unwrap_err();
    assert_eq!(
        over.to_string(),
        "12 bytes of data sent over the network used, 10 bytes allowed"
    );
    assert_eq!((over.used, over.allowed), (12, 10));
    assert!(budget.send(0).is_err());
    assert_eq!(budget.receive(4 << 20), Ok(()));
    let over = budget.receive(1 << 20).unwrap_err();
    assert_eq!(
        over.to_string(),
        "5 MiB of data received over the network used, 4 MiB allowed"
    );
    assert_eq!(over.reason.as_str(), "limit.body");
}
