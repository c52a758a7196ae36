//! Redirects: only where a caller follows them, and only to where nothing inside can be asked.

use casemate_policy::HttpScheme;
use http::HeaderMap;
use http::StatusCode;
use http::header::{AUTHORIZATION, LOCATION};
use url::Url;

use crate::remote::RemoteError;
use crate::sources::Place;
use crate::wire::answer::Answer;
use crate::wire::{Ask, Wire, place_of};

/// Hops that are followed.
const MAX_HOPS: usize = 5;

/// Asks with `ask` and follows redirects of the answer: over TLS, or in the clear to this machine
/// where the origin itself is in the clear on this machine. `Authorization` goes to the origin
/// only, and never again once another one was reached.
pub(crate) async fn follow(
    wire: &mut Wire<'_>,
    mut ask: Ask,
    mut answer: Answer,
) -> Result<Answer, RemoteError> {
    for _hop in 0..MAX_HOPS {
        if !is_redirect(answer.status) {
            return Ok(answer);
        }
        ask.url = next(&wire.origin, &ask.url, &answer)?;
        if place_of(&ask.url).ok().as_ref() != Some(&wire.origin) {
            forget(&mut ask.headers);
        }
        answer = wire.ask(&ask).await?;
    }
    if is_redirect(answer.status) {
        return Err(RemoteError::Redirect {
            place: answer.place.to_string(),
            why: format!("more than {MAX_HOPS} in a row"),
        });
    }
    Ok(answer)
}

fn forget(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn next(origin: &Place, from: &Url, answer: &Answer) -> Result<Url, RemoteError> {
    let refuse = |why: String| RemoteError::Redirect {
        place: answer.place.to_string(),
        why,
    };
    let location = answer
        .field(&LOCATION)
        .ok_or_else(|| refuse("it names no place".to_owned()))?;
    let mut url = from
        .join(location)
        .map_err(|_| refuse("what it names is no URL".to_owned()))?;
    url.set_fragment(None);
    let place = place_of(&url).map_err(refuse)?;
    let in_the_clear = place.scheme == HttpScheme::Http;
    if in_the_clear && !(origin.scheme == HttpScheme::Http && place.is_loopback()) {
        return Err(refuse(format!("{place} is not reached over TLS")));
    }
    Ok(url)
}
