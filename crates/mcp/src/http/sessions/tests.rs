use super::*;
use rmcp::transport::streamable_http_server::SessionManager;

const ID: RequestId = RequestId::Number(7);

/// One more, as rmcp makes them. It lives as long as its transport.
async fn begin(
    sessions: &Sessions,
) -> (String, <LocalSessionManager as SessionManager>::Transport) {
    let (inner, transport) = sessions.local.create_session().await.unwrap();
    let id = sessions.adopt(inner).unwrap();
    (id.to_str().unwrap().to_owned(), transport)
}

fn age(sessions: &Sessions, id: &str, by: Duration) {
    let session = sessions.named(id).unwrap();
    session.state().used = Instant::now().checked_sub(by).unwrap();
}

#[tokio::test]
async fn the_one_that_has_rested_longest_makes_room() {
    let sessions = Sessions::new();
    let mut begun = Vec::new();
    for _ in 0..MAX_SESSIONS {
        sessions.make_room(&ID).await.unwrap();
        begun.push(begin(&sessions).await);
    }
    // All were used just now.
    let refused = sessions.make_room(&ID).await.unwrap_err();
    assert_eq!(refused.code(), crate::guard::BUSY);
    let [busy, oldest, old] = [0, 1, 2].map(|n: usize| begun[n].0.clone());
    age(&sessions, &busy, 4 * RESTED);
    age(&sessions, &oldest, 3 * RESTED);
    age(&sessions, &old, 2 * RESTED);
    // A response in progress keeps a session, however old.
    let used = sessions.named(&busy).unwrap();
    let in_use = used.enter(None).unwrap();
    age(&sessions, &busy, 4 * RESTED);
    for gone in [oldest, old] {
        sessions.make_room(&ID).await.unwrap();
        assert!(sessions.named(&gone).is_none());
        begun.push(begin(&sessions).await);
    }
    assert!(sessions.make_room(&ID).await.is_err());
    assert!(sessions.named(&busy).is_some());
    drop(in_use);
    // It has been used until now.
    assert!(sessions.make_room(&ID).await.is_err());
}

#[tokio::test]
async fn ids_are_free_once_answered_and_kept_when_the_client_left() {
    let sessions = Sessions::new();
    let (id, _transport) = begin(&sessions).await;
    let session = sessions.named(&id).unwrap();
    let mut one = session.enter(Some(&ID)).unwrap();
    assert!(session.enter(Some(&ID)).is_err());
    one.answered();
    let two = session.enter(Some(&ID)).unwrap();
    drop(one);
    assert!(session.enter(Some(&ID)).is_err());
    drop(two);
    assert!(session.enter(Some(&ID)).is_err());
    assert_eq!(session.state().open, 0);
}
