//! The credential of an `Authorization: Bearer` header.

use axum::http::{HeaderMap, header};
use identity::{Secret, TokenHash, TokenKind, hash};

/// Returns the token of the header, of which there must be exactly one.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}

/// What is kept of the admin token.
#[derive(Clone)]
pub struct AdminToken(TokenHash);

impl AdminToken {
    /// Takes what is kept of the token of the data folder.
    #[must_use]
    pub fn new(kept: TokenHash) -> Self {
        Self(kept)
    }

    /// Whether the request carries this token; compares in constant time.
    #[must_use]
    pub fn opens(&self, headers: &HeaderMap) -> bool {
        bearer(headers)
            .and_then(|token| hash(TokenKind::Admin, &token).ok())
            .is_some_and(|hash| hash == self.0)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use identity::mint;

    use super::*;

    #[test]
    fn only_the_token_itself_opens() {
        let token = mint(TokenKind::Admin, [7; 32]);
        let other = mint(TokenKind::Admin, [8; 32]);
        let session = mint(TokenKind::Session, [7; 32]);
        let admin = AdminToken::new(hash(TokenKind::Admin, &token).unwrap());
        let good = format!("Bearer {}", token.expose());
        let table = [
            (vec![good.clone()], true),
            (vec![format!("bearer {}", token.expose())], true),
            (vec![good.clone(), good], false),
            (vec![format!("Bearer {}", other.expose())], false),
            (vec![format!("Bearer {}", session.expose())], false),
            (vec![token.expose().to_owned()], false),
            (vec!["Bearer ".to_owned()], false),
            (vec!["Basic abc".to_owned()], false),
            (vec![], false),
        ];
        for (lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(line).unwrap());
            }
            assert_eq!(admin.opens(&headers), expected, "{lines:?}");
        }
    }
}
