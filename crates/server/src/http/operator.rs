//! Whoever runs this installation, as requests show it: the admin token, or the console's cookie from one of our own pages.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use identity::{Grant, Secret};

use super::bearer::bearer;
use super::limits::{Action, Key};
use super::peer::Peer;
use super::problem::Problem;
use crate::app::App;
use crate::config::Scheme;
use crate::services::{Refusal, SignedIn};

const COOKIE: &str = "countersign_console";
/// All operators share one measure: there is one.
const OPERATORS: Key = Key::Identity(0);

/// The grant of an operator. Refused: 401 `denied`, 403 `origin-refused`, 429 `busy`.
#[derive(Debug)]
pub struct Operator(pub Grant);

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let from = Peer::from_request_parts(parts, app).await?;
        let believed = match (bearer(&parts.headers), console_token(&parts.headers)) {
            (Some(token), _) => app.accounts.admin(&token, from),
            (None, Some(token)) => {
                own_page(app, parts)?;
                // Before the store is asked, which all the others need too.
                app.limits.check(Action::Cookie, from)?;
                app.accounts.console(&token, from).await
            }
            (None, None) => Err(Refusal::Denied),
        };
        match believed {
            Ok(grant) => {
                app.limits.check(Action::Administer, OPERATORS)?;
                Ok(Self(grant))
            }
            Err(Refusal::Denied) => {
                app.limits.check(Action::AdminDenied, from)?;
                Err(Problem::DENIED)
            }
            Err(other) => Err(other.into()),
        }
    }
}

/// A browser leaves `Origin` out when a page reads from its own server, and never when it writes.
fn own_page(app: &App, parts: &Parts) -> Result<(), Problem> {
    if parts.method == Method::GET {
        app.origin.refuse_foreign(&parts.headers)
    } else {
        app.origin.require_own(&parts.headers)
    }
}

/// Returns the token of the console's cookie.
#[must_use]
pub fn console_token(headers: &HeaderMap) -> Option<Secret> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies =
        lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(name, _)| *name == COOKIE).map(|(_, token)| Secret::new(token))
}

/// Returns the `Set-Cookie` of a console session; it ends one when there is none.
#[must_use]
pub fn console_cookie(session: Option<&SignedIn>, scheme: Scheme) -> Option<HeaderValue> {
    let (token, age) =
        session.map_or(("", 0), |session| (session.token.expose(), session.good_for.as_secs()));
    let secure = match scheme {
        Scheme::Https => "; Secure",
        Scheme::Http => "",
    };
    let cookie = format!("{COOKIE}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::from_str(&cookie).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_cookie_that_is_set_is_the_one_that_is_read() {
        let session = SignedIn { token: Secret::new("csc_x"), good_for: Duration::from_secs(60) };
        let set = console_cookie(Some(&session), Scheme::Https).unwrap();
        let expected = "countersign_console=csc_x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(set.to_str().unwrap(), expected);
        let rows = [
            ("countersign_console=csc_x", Some("csc_x")),
            ("a=b; countersign_console=csc_x; c=d", Some("csc_x")),
            ("xcountersign_console=csc_x", None),
            ("countersign_console", None),
        ];
        for (line, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(line));
            let token = console_token(&headers);
            assert_eq!(token.as_ref().map(Secret::expose), expected, "{line}");
        }
    }
}
