//! What holds for a verto channel, as its operator set it (reference on verto, 4.5, 5.4, 8.3).

use std::fmt;
use std::str::FromStr;

use crate::Malformed;

/// Writes the text form of an enum, for the wire and the store.
macro_rules! texts {
    ($name:ident, $expected:literal, $($variant:ident = $text:literal),+) => {
        impl $name {
            /// Returns the text form.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.text())
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                match text {
                    $( $text => Ok(Self::$variant), )+
                    _ => Err(Malformed { expected: $expected }),
                }
            }
        }
    };
}

/// Who may become a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Admission {
    /// Whoever knows the channel's id.
    Open,
    /// Who shows an invitation, or has shown one before.
    Invitation,
}
texts!(Admission, "open or invitation", Open = "open", Invitation = "invitation");

/// Whether a client has to come with the cookie that its password was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CookieBinding {
    /// It has to.
    Required,
    /// It may come without any; one that it has must be the right one.
    Optional,
}
texts!(CookieBinding, "required or optional", Required = "required", Optional = "optional");

/// Which session id (`sessid`) a client has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessidPolicy {
    /// Its client id.
    StrictLoginId,
    /// The one that it named when it got its password.
    StrictRegistered,
    /// The one that it named when it got its password, or none.
    Optional,
}
texts!(
    SessidPolicy,
    "strict-login-id, strict-registered or optional",
    StrictLoginId = "strict-login-id",
    StrictRegistered = "strict-registered",
    Optional = "optional"
);

/// What may be said in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// What sets calls up, in known forms.
    Strict,
    /// Anything within the limits.
    Opaque,
}
texts!(Content, "strict or opaque", Strict = "strict", Opaque = "opaque");

/// How a visitor's page gets its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delivery {
    /// It asks for it.
    Asked,
    /// It finds it in hidden inputs of the page, for scripts that read them there.
    Page,
}
texts!(Delivery, "off or page", Asked = "off", Page = "page");

/// The settings of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRules {
    /// What it is about; at most [`ChannelRules::MAX_TOPIC`] characters, none of them a control character.
    pub topic: String,
    /// Who may become a client.
    pub admission: Admission,
    /// Clients that may be logged in at once, at least 1.
    pub capacity: u32,
    /// Whether clients have to come with their cookie.
    pub cookie_binding: CookieBinding,
    /// Which session id they have to say.
    pub sessid_policy: SessidPolicy,
    /// What may be said.
    pub content: Content,
    /// How a page gets its password.
    pub delivery: Delivery,
    /// Pages that may ask, beside our own: origins in their canonical form, at most [`ChannelRules::MAX_ORIGINS`].
    pub origins: Vec<String>,
}

impl ChannelRules {
    /// Longest topic, in characters.
    pub const MAX_TOPIC: usize = 128;
    /// Most origins beside our own.
    pub const MAX_ORIGINS: usize = 8;
    /// Clients at once when nothing is said.
    pub const DEFAULT_CAPACITY: u32 = 16;
}

impl Default for ChannelRules {
    fn default() -> Self {
        Self {
            topic: String::new(),
            admission: Admission::Invitation,
            capacity: Self::DEFAULT_CAPACITY,
            cookie_binding: CookieBinding::Required,
            sessid_policy: SessidPolicy::Optional,
            content: Content::Strict,
            delivery: Delivery::Asked,
            origins: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_read_from_its_text_and_from_no_other() {
        fn both<T: FromStr<Err = Malformed> + fmt::Display>(texts: &[&str]) {
            for text in texts {
                assert_eq!(text.parse::<T>().map(|value| value.to_string()).as_deref(), Ok(*text));
                assert!(text.to_uppercase().parse::<T>().is_err(), "{text}");
            }
            for text in ["", "x", " open"] {
                assert!(text.parse::<T>().is_err(), "{text}");
            }
        }
        both::<Admission>(&["open", "invitation"]);
        both::<CookieBinding>(&["required", "optional"]);
        both::<SessidPolicy>(&["strict-login-id", "strict-registered", "optional"]);
        both::<Content>(&["strict", "opaque"]);
        both::<Delivery>(&["off", "page"]);
    }
}
