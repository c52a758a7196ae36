//! What a registry wants to see before it answers.

use crate::content::error;
use crate::server::{Reply, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// The token that is given out and taken.
const TOKEN: &str = "a.token-for_tests";

/// What a registry wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nothing.
    #[default]
    Open,
    /// A name and a password in each request.
    Basic {
        /// The name.
        user: String,
        /// The password.
        secret: String,
    },
    /// A token of a token server.
    Bearer {
        /// Where that is; itself, at `/token`, where it is none.
        realm: Option<String>,
        /// Name and password that it wants; none where it gives tokens to everybody.
        login: Option<(String, String)>,
    },
}

impl Auth {
    /// The answer, unless the request may go on.
    pub(crate) fn answer(&self, request: &Request) -> Option<Reply> {
        let shown = request.header("authorization");
        match self {
            Self::Open => None,
            Self::Basic { user, secret } => {
                let right = shown == Some(basic(user, secret).as_str());
                (!right).then(|| unauthorized("Basic realm=\"registry\""))
            }
            Self::Bearer { realm, login } => {
                if request.path() == "/token" {
                    return Some(token(request, login.as_ref()));
                }
                let right = shown == Some(format!("Bearer {TOKEN}").as_str());
                let host = request.header("host").unwrap_or_default();
                // Tests that need another one say so.
                let own = format!("http://{host}/token");
                let realm = realm.as_ref().unwrap_or(&own);
                let challenge = format!(
                    "Bearer realm=\"{realm}\",service=\"test\",scope=\"repository:other/thing:pull,push,delete\""
                );
                (!right).then(|| unauthorized(&challenge))
            }
        }
    }
}

fn token(request: &Request, login: Option<&(String, String)>) -> Reply {
    let right = match login {
        None => true,
        Some((user, secret)) => {
            let refresh = String::from_utf8_lossy(&request.body);
            request.header("authorization") == Some(basic(user, secret).as_str())
                || (request.method == "POST"
                    && refresh.contains(&format!("refresh_token={secret}")))
        }
    };
    match right {
        true => Reply::new(200, json!({ "token": TOKEN, "expires_in": 60 }).to_string()),
        false => unauthorized("Basic realm=\"token\""),
    }
}

fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")))
}

fn unauthorized(challenge: &str) -> Reply {
    error(401, "UNAUTHORIZED").with("WWW-Authenticate", challenge)
}
