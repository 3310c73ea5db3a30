//! How a lease's times and holder stand in its line.

/// Milliseconds since 1970, written as RFC 3339.
pub(super) mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::clock;

    pub(in super::super) fn serialize<S: Serializer>(ms: &u64, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&clock::rfc3339(*ms))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        let text = String::deserialize(d)?;
        clock::parse_rfc3339(&text)
            .ok_or_else(|| de::Error::custom(format!("`{text}` is not a time such as 2026-04-07T14:30:00Z")))
    }
}

/// A holder as the fields `domain`, `session` and `agent`, each left out where there is none.
pub(super) mod holder {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::super::Holder;
    use crate::session::SessionId;

    #[derive(Serialize, Deserialize)]
    struct Fields {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    }

    pub(in super::super) fn serialize<S: Serializer>(h: &Holder, s: S) -> Result<S::Ok, S::Error> {
        Fields { domain: h.domain.clone(), session: h.session.clone(), agent: h.agent.clone() }.serialize(s)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Holder, D::Error> {
        let f = Fields::deserialize(d)?;
        Ok(Holder { domain: f.domain, session: f.session, agent: f.agent })
    }
}
