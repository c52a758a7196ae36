use super::*;

fn quota(written: u64, files: u32) -> Quota {
    Quota::new(&Limits {
        written,
        files,
        ..Limits::default()
    })
}

#[test]
fn bytes_are_charged_up_to_the_limit_and_not_beyond() {
    let quota = quota(10, 1);
    quota.write(7).unwrap();
    quota.write(3).unwrap();
    let reached = quota.write(1).unwrap_err();
    assert_eq!(reached.reason, Reason::LimitStorage);
    assert_eq!((reached.used, reached.allowed), (11, 10));
    assert_eq!(quota.written(), 10);
    quota.not_written(4);
    quota.write(4).unwrap();
    // No sum wraps around.
    assert_eq!(quota.write(u64::MAX).unwrap_err().used, u64::MAX);
    assert_eq!(quota.written(), 10);
}

#[test]
fn what_could_not_be_made_is_not_charged() {
    let quota = quota(0, 1);
    assert!(
        quota
            .create(|| Err::<(), _>(rustix::io::Errno::EXIST))
            .is_err()
    );
    assert_eq!(quota.files(), 0);
    quota.create(|| Ok(())).unwrap();
    let made = std::cell::Cell::new(false);
    let refused = quota.create(|| {
        made.set(true);
        Ok(())
    });
    assert!(matches!(refused, Err(StorageError::Trap(_))));
    assert!(!made.get());
    assert_eq!(quota.files(), 1);
}

#[test]
fn one_call_cannot_take_all_places_of_the_process() {
    let process = Arc::new(ProcessPlaces {
        places: Arc::new(Semaphore::new(3)),
        limit: 3,
    });
    let (one, two) = (OpenPlaces::new(2, &process), OpenPlaces::new(2, &process));
    let held = [one.take().unwrap(), one.take().unwrap()];
    let reached = one.take().unwrap_err();
    assert_eq!((reached.used, reached.allowed), (3, 2));
    let other = two.take().unwrap();
    assert_eq!(two.take().unwrap_err().allowed, 3);
    drop(held);
    let _again = two.take().unwrap();
    drop(other);
}
