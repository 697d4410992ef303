//! Calls that a person has to agree to. The canonical record of exactly what will happen is made here and stored under
//! its digest; what is executed afterwards is taken from that record. Must not decide: whether somebody agreed is the
//! engine's to say.

use super::desk::{CallDesk, Parting};
use sandgate_authority::need_word;
use sandgate_engine::Consented;
use sandgate_model::{
    About, Ask, CallRequest, Consent, Digest, NeedKind, PluginName, Question, RunId,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// First field of every canonical record. A new meaning of a field is a new number.
pub(crate) const RECORD_FORMAT: &str = "sandgate.approval/1";

/// What every record about a caller says: who would do it, and under which policy.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The run.
    pub(crate) run: RunId,
    /// `task publish`, `gate tests`, `planner rules`.
    pub(crate) who: String,
    /// The plugin.
    pub(crate) plugin: PluginName,
    /// Digest of its component.
    pub(crate) component: Digest,
    /// Digest of what project and operator allow it at this moment.
    pub(crate) policy: Digest,
}

impl Facts {
    /// The record of an action. Fields are sorted by name, so that equal actions have equal bytes.
    pub(super) fn record(&self, kind: &str, action: Value) -> Value {
        json!({
            "format": RECORD_FORMAT,
            "about": "call",
            "run": self.run,
            "who": self.who,
            "plugin": { "name": self.plugin, "digest": self.component },
            "policy": self.policy,
            "kind": kind,
            "action": action,
        })
    }
}

impl Facts {
    /// The bytes of the record of an action.
    pub(super) fn bytes(&self, kind: NeedKind, action: Value) -> Result<Vec<u8>, String> {
        canonical(&self.record(need_word(kind), action))
    }
}

/// What came of asking.
pub(super) enum Agreed {
    /// Somebody agreed: `record` was read from the store, and is what is executed.
    Yes {
        /// For the intent.
        consent: Consent,
        /// The digest of the record.
        digest: Digest,
        /// The record's action.
        action: Value,
    },
    /// Somebody said no, or nobody said anything in time.
    No(String),
    /// The guest is taken down now; the desk knows why.
    Parts,
}

/// The bytes of a record.
pub(crate) fn canonical(record: &Value) -> Result<Vec<u8>, String> {
    let mut bytes = serde_json::to_vec_pretty(record)
        .map_err(|error| format!("the record of the request cannot be written: {error}"))?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl CallDesk {
    /// Asks for an approval of exactly this action, or finds the one that was given.
    pub(super) async fn agree(
        self: &Arc<Self>,
        kind: NeedKind,
        what: &str,
        action: Value,
    ) -> Agreed {
        let bytes = match self.facts.bytes(kind, action) {
            Ok(bytes) => bytes,
            Err(why) => return self.parts(Parting::Host(why)),
        };
        let digest = Digest::of(&bytes);
        let stopping = || Parting::Host("the host is stopping".to_owned());
        match self.consented(kind, digest).await {
            None => self.parts(stopping()),
            Some(Consented::No { why }) => Agreed::No(why),
            Some(Consented::Stale { ask, approved }) => {
                let changed = self.changed(approved, &bytes).await;
                self.parts(Parting::Stale(format!(
                    "approval-stale: approval {ask} is for something else than what would happen now{changed}; nothing \
                     was done"
                )))
            }
            Some(Consented::Ask) => {
                let about = About::Call { by: self.by, kind };
                self.put_to_people(about, what, bytes).await
            }
            // The arguments come from the record, not from the plugin.
            Some(Consented::Yes(consent)) => match self.stored(digest).await {
                Ok(record) => Agreed::Yes {
                    consent,
                    digest,
                    action: record.get("action").cloned().unwrap_or(Value::Null),
                },
                Err(why) => self.parts(Parting::Host(why)),
            },
        }
    }

    /// Asks a question, or finds its answer. `Err(None)`: the guest is taken down now.
    pub(super) async fn ask_person(
        self: &Arc<Self>,
        question: Question,
    ) -> Result<String, Option<String>> {
        let action = json!(question);
        let bytes = match canonical(&self.facts.record("question", action)) {
            Ok(bytes) => bytes,
            Err(why) => {
                self.part(Parting::Host(why));
                return Err(None);
            }
        };
        let digest = Digest::of(&bytes);
        let again = !crate::local::lock(&self.told).insert(digest);
        let answer = match again {
            true => Some(None),
            false => self.answered(digest).await,
        };
        match answer {
            None => {
                self.part(Parting::Host("the host is stopping".to_owned()));
                Err(None)
            }
            Some(Some(Ok(answer))) => Ok(answer),
            Some(Some(Err(why))) => Err(Some(why)),
            Some(None) => {
                let what = question.text.clone();
                let about = About::Question {
                    by: self.by,
                    question,
                };
                let _parts = self.put_to_people(about, &what, bytes).await;
                Err(None)
            }
        }
    }

    async fn put_to_people(&self, about: About, what: &str, bytes: Vec<u8>) -> Agreed {
        // Stored before the event that names it.
        match crate::attempt::put(&self.shared, bytes).await {
            Ok(digest) => self.parts(Parting::Ask(Box::new(Ask {
                about,
                what: what.to_owned(),
                digest,
            }))),
            Err(why) => self.parts(Parting::Host(why)),
        }
    }

    fn parts(&self, why: Parting) -> Agreed {
        self.part(why);
        Agreed::Parts
    }

    /// A record from the store; its bytes are checked against the digest.
    async fn stored(&self, digest: Digest) -> Result<Value, String> {
        let bytes = crate::attempt::get(&self.shared, digest).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| format!("the record of the approval cannot be read: {error}"))
    }

    /// Which fields differ from what was approved, for a person.
    async fn changed(&self, approved: Digest, now: &[u8]) -> String {
        let (Ok(then), Ok(now)) = (self.stored(approved).await, serde_json::from_slice(now)) else {
            return String::new();
        };
        said(&differences(&then, &now))
    }
}

/// Which fields of two records differ, at most ten: `action.args`, `plugin.digest`.
pub(crate) fn differences(then: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk("", then, now, 0, &mut found);
    found.truncate(10);
    found
}

/// The same in a message.
pub(crate) fn said(differences: &[String]) -> String {
    match differences {
        [] => String::new(),
        some => format!(" (changed: {})", some.join(", ")),
    }
}

fn walk(place: &str, then: &Value, now: &Value, depth: usize, found: &mut Vec<String>) {
    match (then, now) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b)) if depth < 3 => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let below = match place {
                    "" => name.clone(),
                    place => format!("{place}.{name}"),
                };
                let none = Value::Null;
                let (a, b) = (a.get(name).unwrap_or(&none), b.get(name).unwrap_or(&none));
                walk(&below, a, b, depth + 1, found);
            }
        }
        _ => found.push(place.to_owned()),
    }
}

/// What an approved call adds to its request.
pub(super) fn approved(request: CallRequest, consent: Consent, digest: Digest) -> CallRequest {
    CallRequest {
        approval: true,
        consent: Some(consent),
        digest,
        ..request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let then = json!({ "action": { "args": ["a"], "env": {} }, "plugin": { "digest": "1" } });
        let now = json!({ "action": { "args": ["b"], "env": {} }, "plugin": { "digest": "2" } });
        assert_eq!(differences(&then, &now), ["action.args", "plugin.digest"]);
        assert!(differences(&then, &then).is_empty());
    }
}
