//! The credential of an `Authorization: Bearer` header.

use axum::http::{HeaderMap, header};
use identity::Secret;

/// Returns the token of the header, of which there must be exactly one.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn there_is_one_credential_or_none() {
        let table: [(&[&str], Option<&str>); 6] = [
            (&["Bearer csa_x"], Some("csa_x")),
            (&["bearer  csa_x"], Some("csa_x")),
            (&["Bearer csa_x", "Bearer csa_x"], None),
            (&["csa_x"], None),
            (&["Basic abc"], None),
            (&[], None),
        ];
        for (lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(line));
            }
            assert_eq!(bearer(&headers).as_ref().map(Secret::expose), expected, "{lines:?}");
        }
    }
}
