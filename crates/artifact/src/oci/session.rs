//! A conversation with one registry about one repository: where it is, and how it wants to be asked.
//!
//! A login is given to the registry's own origin, over TLS or to this machine, and to nobody else. The
//! token servers in [`TOKEN_SERVERS`] are the exception: they are where those registries, and they
//! alone, have had theirs for years. Every other token server on another host is asked without a
//! login, which is enough for what is public.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use casemate_policy::HttpScheme;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::oci::challenge::{Wanted, wanted};
use crate::reference::Registry;
use crate::remote::RemoteError;
use crate::sources::{Login, Place, Sources};
use crate::wire::answer::Answer;
use crate::wire::redirect::follow;
use crate::wire::{Ask, Wire, place_of};

/// Registries whose token server is on another host, and that host.
const TOKEN_SERVERS: [(&str, &str); 3] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("registry.digitalocean.com", "api.digitalocean.com"),
];
/// Largest answer of a token server, in bytes.
const MAX_TOKEN_BYTES: u64 = 64 << 10;
/// Longest token that is sent along, in bytes.
const MAX_TOKEN: usize = 16 << 10;
/// Tokens that one conversation asks for.
const MAX_TOKENS: u32 = 4;

/// What a token has to allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading.
    Pull,
    /// Reading and writing.
    Push,
}

impl Access {
    fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

/// A conversation with a registry.
pub(crate) struct Session<'a> {
    pub(crate) wire: Wire<'a>,
    registry: &'a Registry,
    repository: String,
    access: Access,
    authorization: Option<HeaderValue>,
    logged_in: bool,
    tokens: u32,
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("origin", &self.wire.origin)
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

impl<'a> Session<'a> {
    /// Begins; nothing is sent yet. Without a repository only the registry itself can be asked.
    ///
    /// # Errors
    ///
    /// Fails when the program was given no network.
    pub(crate) fn with(
        sources: &'a Sources,
        registry: &'a Registry,
        repository: &str,
        access: Access,
    ) -> Result<Self, RemoteError> {
        let reach = sources.network.as_ref().ok_or(RemoteError::NoNetwork)?;
        let scheme = match reach.plain_http.covers(registry) {
            true => HttpScheme::Http,
            false => HttpScheme::Https,
        };
        let hub = registry.to_string() == "docker.io";
        let host = match hub {
            // What everybody calls docker.io is served there, and official images below library/.
            true => casemate_policy::HttpHost::Name("registry-1.docker.io".to_owned()),
            false => registry.host().clone(),
        };
        let origin = Place {
            scheme,
            host,
            port: registry.port().unwrap_or_else(|| scheme.default_port()),
        };
        let repository = match hub && !repository.contains('/') && !repository.is_empty() {
            true => format!("library/{repository}"),
            false => repository.to_owned(),
        };
        Ok(Self {
            wire: Wire::from(reach, &sources.deadlines, origin),
            registry,
            repository,
            access,
            authorization: None,
            logged_in: false,
            tokens: 0,
        })
    }

    /// Scheme, host and port, for messages.
    pub(crate) fn place(&self) -> String {
        self.wire.origin.to_string()
    }

    /// Whether the registry asked for a login and was given one.
    pub(crate) fn was_logged_in(&self) -> bool {
        self.logged_in
    }

    /// `/v2/REPOSITORY/…` at the registry. The parts of a path have no character that would have to
    /// be escaped: repositories, tags and digests are checked where they are read.
    pub(crate) fn url(&self, path: &str) -> Result<Url, RemoteError> {
        self.at(&format!("/v2/{}/{path}", self.repository))
    }

    /// A path at the registry.
    pub(crate) fn at(&self, path: &str) -> Result<Url, RemoteError> {
        let text = format!("{}{path}", self.wire.origin);
        Url::parse(&text).map_err(|_| self.redirect("its address is no URL".to_owned()))
    }

    fn redirect(&self, why: String) -> RemoteError {
        RemoteError::Redirect {
            place: self.place(),
            why,
        }
    }

    /// Asks the registry, with a login or token if it wants one.
    ///
    /// # Errors
    ///
    /// Fails when there is no answer, or when the registry wants a login that there is not. Any
    /// other answer is one, whatever its status.
    pub(crate) async fn ask(&mut self, mut ask: Ask) -> Result<Answer, RemoteError> {
        for _attempt in 0..2 {
            self.authorize(&mut ask);
            let answer = self.wire.ask(&ask).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            let wanted = wanted(&answer.headers).ok_or_else(|| self.unauthorized())?;
            drop(answer);
            if self.tokens >= MAX_TOKENS {
                break;
            }
            self.tokens += 1;
            self.authorization = Some(self.credentials(&wanted).await?);
        }
        Err(self.unauthorized())
    }

    /// As [`Session::ask`]; redirects of the answer are followed within the rules of [`follow`].
    pub(crate) async fn ask_following(&mut self, ask: Ask) -> Result<Answer, RemoteError> {
        let answer = self.ask(ask.clone()).await?;
        let mut ask = ask;
        self.authorize(&mut ask);
        follow(&mut self.wire, ask, answer).await
    }

    /// Adds what the registry wanted, if the request goes to the registry.
    fn authorize(&self, ask: &mut Ask) {
        let own = place_of(&ask.url).is_ok_and(|place| place == self.wire.origin);
        match &self.authorization {
            Some(value) if own => {
                ask.headers.insert(AUTHORIZATION, value.clone());
            }
            _ => {
                ask.headers.remove(AUTHORIZATION);
            }
        }
    }

    fn unauthorized(&self) -> RemoteError {
        RemoteError::Unauthorized {
            place: self.place(),
            registry: self.registry.to_string(),
            logged_in: self.logged_in,
        }
    }

    fn login(&mut self) -> Result<Option<Login>, RemoteError> {
        let credentials = &self.wire.reach.credentials;
        let registry = self.registry.to_string();
        let login = match self.repository.as_str() {
            "" => credentials.of(&registry),
            repository => credentials.of_repository(&registry, repository),
        }
        .map_err(RemoteError::Credentials)?;
        self.logged_in = login.is_some();
        Ok(login)
    }

    async fn credentials(&mut self, wanted: &Wanted) -> Result<HeaderValue, RemoteError> {
        match wanted {
            Wanted::Basic => match self.login()? {
                Some(login @ Login::Basic { .. }) => {
                    basic(&login).ok_or_else(|| self.unauthorized())
                }
                Some(Login::IdentityToken(_)) | None => Err(self.unauthorized()),
            },
            Wanted::Bearer { realm, service } => self.token(realm, service.as_deref()).await,
        }
    }

    async fn token(
        &mut self,
        realm: &str,
        service: Option<&str>,
    ) -> Result<HeaderValue, RemoteError> {
        let refuse = |why: String| RemoteError::Realm {
            place: self.wire.origin.to_string(),
            why,
        };
        let mut url =
            Url::parse(realm).map_err(|_| refuse("what it names is no URL".to_owned()))?;
        url.set_fragment(None);
        let place = place_of(&url).map_err(refuse)?;
        let own = place == self.wire.origin;
        if place.scheme == HttpScheme::Http && !own {
            return Err(refuse(format!("{place} is not reached over TLS")));
        }
        let trusted = own || is_known_pair(&self.wire.origin, &place);
        let login = if trusted { self.login()? } else { None };
        let ask = self.token_request(url, service, login.as_ref())?;
        let answer = self.wire.ask(&ask).await?;
        if matches!(answer.status.as_u16(), 400 | 401 | 403) && login.is_none() && !trusted {
            return Err(RemoteError::ForeignRealm {
                place: self.place(),
                realm: place.to_string(),
            });
        }
        if matches!(answer.status.as_u16(), 401 | 403) {
            return Err(self.unauthorized());
        }
        if answer.status != StatusCode::OK {
            return Err(answer.refusal("token", self.wire.deadlines).await);
        }
        let text = answer
            .small("the token's answer", MAX_TOKEN_BYTES, self.wire.deadlines)
            .await?;
        bearer(&text).map_err(|why| RemoteError::Token {
            place: place.to_string(),
            why,
        })
    }

    /// The scope is our own, never what the challenge asks for.
    fn token_request(
        &self,
        mut url: Url,
        service: Option<&str>,
        login: Option<&Login>,
    ) -> Result<Ask, RemoteError> {
        let scope = (!self.repository.is_empty())
            .then(|| format!("repository:{}:{}", self.repository, self.access.actions()));
        if let Some(Login::IdentityToken(token)) = login {
            let mut form = Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token")
                .append_pair("client_id", "casemate")
                .append_pair("refresh_token", token);
            if let Some(service) = service {
                form.append_pair("service", service);
            }
            if let Some(scope) = &scope {
                form.append_pair("scope", scope);
            }
            let mut ask = Ask::get(url);
            ask.method = Method::POST;
            ask.body = Bytes::from(form.finish());
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            ask.headers.insert(CONTENT_TYPE, form);
            return Ok(ask);
        }
        if service.is_some() || scope.is_some() {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            if let Some(scope) = &scope {
                query.append_pair("scope", scope);
            }
        }
        let mut ask = Ask::get(url);
        if let Some(login) = login {
            let value = basic(login).ok_or_else(|| self.unauthorized())?;
            ask.headers.insert(AUTHORIZATION, value);
        }
        Ok(ask)
    }
}

fn is_known_pair(registry: &Place, realm: &Place) -> bool {
    let at_home = |place: &Place| place.scheme == HttpScheme::Https && place.port == 443;
    at_home(registry)
        && at_home(realm)
        && TOKEN_SERVERS.contains(&(
            registry.host.to_string().as_str(),
            realm.host.to_string().as_str(),
        ))
}

fn basic(login: &Login) -> Option<HeaderValue> {
    let Login::Basic { user, secret } = login else {
        return None;
    };
    let pair = STANDARD.encode(format!("{user}:{secret}"));
    sensitive(&format!("Basic {pair}"))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn bearer(answer: &[u8]) -> Result<HeaderValue, &'static str> {
    #[derive(Deserialize)]
    struct Token {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Token =
        serde_json::from_slice(answer).map_err(|_| "its answer is not the JSON of one")?;
    let token = answer
        .token
        .or(answer.access_token)
        .ok_or("its answer holds none")?;
    let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.is_empty() || token.len() > MAX_TOKEN || !visible {
        return Err("what it gave is no token");
    }
    sensitive(&format!("Bearer {token}")).ok_or("what it gave is no token")
}

/// A request for what a registry may hold in one of several forms.
pub(crate) fn accepting(url: Url, media_types: &'static str) -> Ask {
    let mut ask = Ask::get(url);
    ask.headers
        .insert(ACCEPT, HeaderValue::from_static(media_types));
    ask
}
