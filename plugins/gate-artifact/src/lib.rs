//! `artifact`: artifacts exist and have the size, media type and digest that the configuration asks for.
//!
//! One check for each property of each artifact. Nothing to look at is inconclusive. The digest is the host's
//! own; the media type is only what the producer claims.

use sandgate_plugin::artifacts::{self, Info};
use sandgate_plugin::{Check, Config, Description, Gate, PluginError, Result, Subject};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// `TASK.NAME`; left out: all that the run made.
    artifacts: Option<Vec<String>>,
    min_bytes: Option<u64>,
    max_bytes: Option<u64>,
    media_type: Option<String>,
    sha256: Option<String>,
}

struct ArtifactGate;

impl Gate for ArtifactGate {
    fn describe() -> Description {
        Description::new(
            "artifact",
            env!("CARGO_PKG_VERSION"),
            "Checks that artifacts exist, with size, media type and digest",
        )
        .config_schema(config_schema())
    }

    fn check(_subject: Subject, config: Config) -> Result<Vec<Check>> {
        let settings: Settings = config.parse()?;
        let wanted_digest = settings.sha256.as_deref().map(digest).transpose()?;
        let made = artifacts::list();
        let names: Vec<&str> = match &settings.artifacts {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => made.iter().map(|info| info.name.as_str()).collect(),
        };
        if names.is_empty() {
            return Ok(vec![Check::inconclusive(
                "artifacts",
                "there is nothing to look at: the run made no artifact, or `artifacts` in the gate's config is empty",
            )]);
        }
        let mut checks = Vec::new();
        for (n, name) in names.iter().enumerate() {
            if names.iter().take(n).any(|before| before == name) {
                continue;
            }
            match made.iter().find(|info| info.name == *name) {
                Some(info) => checks.extend(settings.checks(info, wanted_digest.as_deref())),
                None => {
                    let known: Vec<_> = made.iter().map(|info| info.name.as_str()).collect();
                    let known = if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    };
                    checks.push(Check::fail(
                        format!("{name} exists"),
                        format!("the run did not make it; it made: {known}"),
                    ));
                }
            }
        }
        Ok(checks)
    }
}

impl Settings {
    fn checks(&self, info: &Info, wanted_digest: Option<&str>) -> Vec<Check> {
        let size = info.size;
        let check = |holds: bool, what: &str, message: String| {
            let name = format!("{} {what}", info.name);
            match holds {
                true => Check::pass(name, message),
                false => Check::fail(name, message),
            }
        };
        let mut checks = vec![check(
            true,
            "exists",
            format!("{size} bytes, {}", info.media_type),
        )];
        checks.extend(self.min_bytes.map(|least| {
            check(
                size >= least,
                "min_bytes",
                format!("{size} bytes, at least {least} wanted"),
            )
        }));
        checks.extend(self.max_bytes.map(|most| {
            check(
                size <= most,
                "max_bytes",
                format!("{size} bytes, at most {most} wanted"),
            )
        }));
        checks.extend(self.media_type.as_deref().map(|wanted| {
            let message = format!("its producer says {}, {wanted} wanted", info.media_type);
            check(is_type(&info.media_type, wanted), "media_type", message)
        }));
        checks.extend(wanted_digest.map(|wanted| {
            let message = format!("it is {}, {wanted} wanted", info.digest);
            check(info.digest == wanted, "sha256", message)
        }));
        checks
    }
}

/// Whether a media type is the wanted one, parameters aside; `text/*` stands for all texts.
fn is_type(media_type: &str, wanted: &str) -> bool {
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    match wanted.strip_suffix('*') {
        Some(start) => bare
            .get(..start.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => bare.eq_ignore_ascii_case(wanted.trim()),
    }
}

/// A digest with or without `sha256:`, as the host writes it.
fn digest(text: &str) -> Result<String> {
    let digits = text
        .strip_prefix("sha256:")
        .unwrap_or(text)
        .to_ascii_lowercase();
    if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(format!("sha256:{digits}"));
    }
    Err(PluginError::invalid_input(format!(
        "`sha256` is 64 hexadecimal digits, and not `{text}`"
    )))
}

fn config_schema() -> Value {
    let bytes = json!({ "type": "integer", "minimum": 0 });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "artifacts": {
                "type": "array", "items": { "type": "string" },
                "description": "TASK.NAME; left out: all that the run made"
            },
            "min_bytes": bytes,
            "max_bytes": bytes,
            "media_type": { "type": "string", "description": "such as text/markdown or text/*" },
            "sha256": { "type": "string", "description": "64 hexadecimal digits" }
        }
    })
}

sandgate_plugin::export!(gate: ArtifactGate);

#[cfg(test)]
mod tests {
    use super::*;
    use sandgate_plugin::Verdict;
    use sandgate_plugin::testing::Bench;

    fn run(config: Value) -> Result<Vec<String>> {
        let bench = Bench::new()
            .artifact("draft.email", "text/markdown; charset=utf-8", "12345")
            .digest("draft.email", &format!("sha256:{}", "ab".repeat(32)))
            .artifact("research.findings", "application/json", "{}");
        let (checks, _) =
            bench.run(|| ArtifactGate::check(Subject::default(), Config::new(config.to_string())));
        Ok(checks?
            .into_iter()
            .map(|check| {
                let word = match check.verdict {
                    Verdict::Pass => "pass",
                    Verdict::Fail => "fail",
                    _ => "blocks",
                };
                format!("{} {word}", check.name)
            })
            .collect())
    }

    #[test]
    fn every_property_passes_and_fails() {
        for (config, expected) in [
            (json!({"min_bytes": 5}), "min_bytes pass"),
            (json!({"min_bytes": 6}), "min_bytes fail"),
            (json!({"max_bytes": 5}), "max_bytes pass"),
            (json!({"max_bytes": 4}), "max_bytes fail"),
            (json!({"media_type": "text/markdown"}), "media_type pass"),
            (json!({"media_type": "TEXT/*"}), "media_type pass"),
            (json!({"media_type": "text/plain"}), "media_type fail"),
            (json!({"sha256": "AB".repeat(32)}), "sha256 pass"),
            (json!({"sha256": "ac".repeat(32)}), "sha256 fail"),
        ] {
            let mut config = config;
            config["artifacts"] = json!(["draft.email", "draft.email"]);
            assert_eq!(
                run(config.clone()).unwrap(),
                [
                    "draft.email exists pass".to_owned(),
                    format!("draft.email {expected}")
                ],
                "{config}"
            );
        }
    }

    #[test]
    fn all_or_those_that_are_named() {
        assert_eq!(
            run(Value::Null).unwrap(),
            ["draft.email exists pass", "research.findings exists pass"]
        );
        assert_eq!(
            run(json!({"artifacts": ["draft.sms"]})).unwrap(),
            ["draft.sms exists fail"]
        );
        assert_eq!(run(json!({"artifacts": []})).unwrap(), ["artifacts blocks"]);
        let nothing = Bench::new()
            .run(|| ArtifactGate::check(Subject::default(), Config::new("null")))
            .0
            .unwrap();
        assert_eq!(nothing[0].verdict, Verdict::Inconclusive);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(matches!(
            run(json!({"sha256": "abc"})),
            Err(PluginError::InvalidInput(_))
        ));
        assert!(matches!(
            run(json!({"size": 3})),
            Err(PluginError::InvalidInput(_))
        ));
    }
}
