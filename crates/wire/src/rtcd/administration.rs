//! Bodies of `/v1/admin/realms`, which is ours: clients as the operator of the installation sees them.

use serde::Serialize;

use crate::json::Object;
use crate::rooms::MAX_BODY;
use crate::{DecodeError, Masked};

/// Longest id, in bytes: what rtcd takes.
const MAX_ID: usize = 64;

/// `POST /v1/admin/realms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddRealm {
    /// Its id, 1 to 64 bytes.
    pub realm_id: String,
}

impl AddRealm {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// Not one bounded JSON object, or a member that is missing or of another form.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let realm_id = Object::read(body, MAX_BODY)?.text("realm_id", MAX_ID)?;
        if realm_id.is_empty() {
            return Err(DecodeError::Wrong { member: "realm_id", expected: "a text of 1 to 64 bytes" });
        }
        Ok(Self { realm_id })
    }
}

/// 201 of `POST /v1/admin/realms`.
#[derive(Debug, Serialize)]
pub struct RealmAdded {
    /// Its id.
    pub realm_id: String,
    /// Its key, which is shown only here; a secret.
    #[serde(serialize_with = "shown")]
    pub key: Masked,
}

/// A realm in a list.
#[derive(Debug, Serialize)]
pub struct RealmListed {
    /// Its id.
    pub realm_id: String,
    /// When it was registered, in milliseconds since the Unix epoch.
    pub created_at: u64,
}

/// 200 of `GET /v1/admin/realms`.
#[derive(Debug, Serialize)]
pub struct RealmList {
    /// In the order of their ids.
    pub realms: Vec<RealmListed>,
}

fn shown<S: serde::Serializer>(secret: &Masked, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&secret.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let rows: [(&[u8], bool); 6] = [
            (br#"{"realm_id":"a"}"#, true),
            (br#"{"realm_id":"a","more":1}"#, true),
            (br#"{"realm_id":""}"#, false),
            (br#"{"realm_id":5}"#, false),
            (br#"{}"#, false),
            (b"", false),
        ];
        for (body, expected) in rows {
            assert_eq!(AddRealm::decode(body).is_ok(), expected, "{}", String::from_utf8_lossy(body));
        }
        let long = format!(r#"{{"realm_id":"{}"}}"#, "x".repeat(65));
        assert!(AddRealm::decode(long.as_bytes()).is_err());
        let added = RealmAdded { realm_id: "a".into(), key: Masked("k".into()) };
        assert_eq!(serde_json::to_string(&added).unwrap(), r#"{"realm_id":"a","key":"k"}"#);
    }
}
