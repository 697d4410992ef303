//! What holds for any file: the schemas and the reader agree, and no text makes the reader panic.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use proptest::prelude::*;
use sandgate_workflow::{
    Given, Lock, PluginSource, SchemaKind, SecretSource, Source, Style, check, read_lock,
    read_operator, read_project, schema, validate_input,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf};
use support::{catalog, folder, project};

/// A file with every key, for each kind.
fn full(kind: SchemaKind) -> String {
    match kind {
        SchemaKind::Workflow => {
            std::fs::read_to_string(folder().join("valid/every-key.toml")).unwrap()
        }
        SchemaKind::Project => {
            include_str!("../../../tests/workflows/full-project.toml").to_owned()
        }
        SchemaKind::Operator => {
            include_str!("../../../tests/workflows/full-operator.toml").to_owned()
        }
        SchemaKind::Lock => format!(
            "version = 2\n[[plugin]]\nname = \"a\"\ndigest = \"sha256:{}\"\nneeds = [\"files-read\"]\nimports = []\nauthority = [\"files-read /notes\"]\n",
            "0".repeat(64)
        ),
    }
}

/// The complaints about a text.
fn read(kind: SchemaKind, text: &str) -> sandgate_workflow::Diagnostics {
    let source = Source::new("file.toml", text);
    match kind {
        SchemaKind::Workflow => check(&source, &project(), Some(&catalog())).1,
        SchemaKind::Project => read_project(&source).1,
        SchemaKind::Operator => read_operator(&source).1,
        SchemaKind::Lock => read_lock(&source).1,
    }
}

fn as_json(text: &str) -> Value {
    fn convert(value: &toml::de::DeValue<'_>) -> Value {
        use toml::de::DeValue;
        match value {
            DeValue::String(s) => json!(s),
            DeValue::Integer(n) => json!(i64::from_str_radix(n.as_str(), n.radix()).unwrap()),
            DeValue::Float(f) => json!(f.as_str().parse::<f64>().unwrap()),
            DeValue::Boolean(b) => json!(b),
            DeValue::Datetime(d) => json!(d.to_string()),
            DeValue::Array(a) => a.iter().map(|v| convert(v.get_ref())).collect(),
            DeValue::Table(t) => table(t),
        }
    }
    fn table(t: &toml::de::DeTable<'_>) -> Value {
        Value::Object(
            t.iter()
                .map(|(k, v)| (k.get_ref().to_string(), convert(v.get_ref())))
                .collect(),
        )
    }
    table(toml::de::DeTable::parse(text).unwrap().get_ref())
}

/// Every place of a schema where keys are known: the way there in a document, and the keys.
fn places(schema: &Value, way: &str, out: &mut Vec<(String, Vec<String>)>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        out.push((way.to_owned(), properties.keys().cloned().collect()));
        for (key, inner) in properties {
            places(inner, &format!("{way}/{key}"), out);
        }
    }
    for word in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(word).filter(|v| v.is_object()) {
            places(inner, &format!("{way}/*"), out);
        }
    }
    for inner in schema
        .get("oneOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        places(inner, way, out);
    }
}

/// The objects of a document at a way with `*` for any.
fn at<'a>(value: &'a Value, way: &str) -> Vec<&'a Value> {
    way.split('/').skip(1).fold(vec![value], |values, part| {
        values
            .into_iter()
            .flat_map(|v| match (part, v) {
                ("*", Value::Array(items)) => items.iter().collect::<Vec<_>>(),
                ("*", Value::Object(map)) => map.values().collect(),
                (key, v) => v.get(key).into_iter().collect(),
            })
            .collect()
    })
}

#[test]
fn schema_and_reader_accept_the_same_keys() {
    for kind in SchemaKind::ALL {
        let (schema, text) = (schema(kind), full(kind));
        let document = as_json(&text);
        let found = read(kind, &text);
        assert!(found.is_empty(), "{kind:?}: {}", found.render(Style::Plain));
        assert_eq!(validate_input(&schema, &document), Ok(()), "{kind:?}");

        // The file holds every key of the schema, so the reader takes them all.
        let mut all = Vec::new();
        places(&schema, "", &mut all);
        assert!(all.len() > 1, "{kind:?}");
        for (way, keys) in &all {
            let objects = at(&document, way);
            for key in keys {
                assert!(
                    objects.iter().any(|o| o.get(key).is_some()),
                    "{kind:?}: the file has no {way}/{key}"
                );
            }
        }

        // One key more, anywhere: both refuse.
        let mut tried = 0;
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let Some((key, rest)) = line.split_once('=') else {
                continue;
            };
            if line.starts_with([' ', '#', '[', '"', '}', ']'])
                || line.trim_end().ends_with(['[', '{'])
            {
                continue;
            }
            let parent = lines[..i]
                .iter()
                .rev()
                .find(|l| l.starts_with('['))
                .copied()
                .unwrap_or_default();
            // The keys of these are names that people choose.
            if parent == "[plugins]" {
                continue;
            }
            let mut changed: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
            changed.insert(i, format!("{}-zzz ={rest}", key.trim()));
            let changed = changed.join("\n");
            assert!(
                read(kind, &changed).has_errors(),
                "{kind:?}: the reader takes {changed}"
            );
            assert!(
                validate_input(&schema, &as_json(&changed)).is_err(),
                "{kind:?}: the schema takes {changed}"
            );
            tried += 1;
        }
        assert!(tried > 2, "{kind:?}: {tried}");
    }
}

#[test]
fn every_valid_workflow_fits_the_schema() {
    let schema = schema(SchemaKind::Workflow);
    for entry in std::fs::read_dir(folder().join("valid")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(
                validate_input(&schema, &as_json(&text)),
                Ok(()),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn the_schemas_are_schemas() {
    for kind in SchemaKind::ALL {
        assert!(sandgate_workflow::InputSchema::new(&schema(kind)).is_ok());
        assert_eq!(SchemaKind::find(kind.as_str()), Some(kind));
    }
}

#[test]
fn a_project_keeps_what_it_says() {
    let (found, problems) = read_project(&Source::new("sandgate.toml", full(SchemaKind::Project)));
    assert!(problems.is_empty());
    let found = found.unwrap();
    assert_eq!(found.name.as_str(), "full");
    assert_eq!(found.limits.memory, 32 << 20);
    assert_eq!(found.limits.attempt.0, 90_000);
    assert_eq!(found.budget_micros, Some(5_250_000));
    assert!(
        found.knows_signal("deploy") && found.knows_signal("ci") && !found.knows_signal("weather")
    );
    let policy = &found.policy;
    assert_eq!(policy.files().len(), 3);
    assert_eq!((policy.http().len(), policy.http_denied().len()), (3, 2));
    assert_eq!(policy.http()[1].origin.to_string(), "sandgate.toml:18");
    let private: Vec<bool> = policy.http().iter().map(|r| r.grant.private).collect();
    assert_eq!(
        private,
        [false, true, true],
        "loopback, written out, is a grant"
    );
    assert_eq!(
        policy.http_denied()[0].grant.methods.len(),
        7,
        "all of them"
    );
    let approvals: Vec<bool> = policy.exec().iter().map(|r| r.grant.approval).collect();
    assert_eq!(approvals, [true, false]);
    assert_eq!(policy.exec()[0].grant.name, "cargo");
    assert_eq!(policy.secrets().len(), 4);
    assert!(policy.charge().is_some());
    assert_eq!(
        found.secrets["TOKEN"],
        SecretSource::Env("OTHER".to_owned())
    );
    let provider = &found.providers["local"].value;
    assert_eq!(provider.url, "http://127.0.0.1:8080/v1");
    assert!(provider.private);
    assert_eq!(provider.price("small").unwrap().input_micros, 150_000);
    assert_eq!(provider.price("large").unwrap().output_micros, 2_000_000);
    assert_eq!(found.limits.effects, 500);
    let path = found
        .plugins
        .iter()
        .find(|(n, _)| n.as_str() == "linter")
        .unwrap()
        .1;
    assert_eq!(
        path.value,
        PluginSource::Path("plugins/linter.wasm".to_owned())
    );

    // An operator lowers, and never raises.
    let (operator, problems) =
        read_operator(&Source::new("operator.toml", full(SchemaKind::Operator)));
    assert!(problems.is_empty());
    let lowered = found.clone().under(&operator.unwrap());
    assert_eq!(lowered.limits.memory, 16 << 20);
    assert_eq!(
        lowered.limits.attempt.0, 90_000,
        "the project's own limit is lower"
    );
    assert_eq!(lowered.limits.concurrency, 8);
    assert_eq!(
        (lowered.limits.disk, lowered.limits.effects),
        (64 << 20, 100)
    );
    let ceiling = lowered.operator.unwrap();
    assert_eq!(ceiling.secrets.unwrap().grant, Vec::<String>::new());
    assert_eq!(ceiling.http.unwrap().grant[0].path, "/v1/*");
    assert_eq!(ceiling.exec.unwrap().origin.to_string(), "operator.toml:6");
}

#[test]
fn inputs_are_read_as_their_type() {
    let text = r#"
name = "x"
goal = "{{ inputs }}"
inputs.s = { type = "string", description = "Who." }
inputs.i = { type = "integer", default = 1 }
inputs.n = { type = "number", default = 1 }
inputs.b = { type = "boolean", default = false }
inputs.l = { type = "list", default = [] }
inputs.o = { type = "object", default = {} }
inputs.e = { type = "string", default = "a", enum = ["a", "b"] }
[[task]]
id = "t"
agent = "writer"
"#;
    let (workflow, found) = check(&Source::new("x.toml", text), &project(), None);
    assert!(found.is_empty(), "{}", found.render(Style::Plain));
    let workflow = workflow.unwrap();
    let given = |pairs: &[(&str, &str)]| -> BTreeMap<String, Given> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), Given::from(*v)))
            .collect()
    };
    let bound = workflow
        .bind_inputs(&given(&[
            ("s", "7"),
            ("i", "-3"),
            ("n", "2.5"),
            ("b", "true"),
            ("l", "[1]"),
            ("o", "{\"k\": 1}"),
            ("e", "b"),
        ]))
        .unwrap();
    assert_eq!(
        json!(bound),
        json!({"s": "7", "i": -3, "n": 2.5, "b": true, "l": [1], "o": {"k": 1}, "e": "b"})
    );
    let bound = workflow.bind_inputs(&given(&[("s", "x")])).unwrap();
    assert_eq!(bound["i"], json!(1));

    let wrong = workflow
        .bind_inputs(&given(&[
            ("i", "1.5"),
            ("n", "x"),
            ("b", "yes"),
            ("l", "{}"),
            ("o", "[1"),
            ("e", "c"),
            ("ss", "x"),
        ]))
        .unwrap_err();
    let codes: Vec<&str> = wrong.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "SG-I001", "SG-I002", "SG-I003", "SG-I003", "SG-I003", "SG-I003", "SG-I003", "SG-I004"
        ]
    );
    assert!(
        wrong.render(Style::Plain).contains("x.toml:4:8"),
        "{}",
        wrong.render(Style::Plain)
    );

    let values = BTreeMap::from([("s".to_owned(), Given::Value(json!(7)))]);
    assert_eq!(workflow.bind_inputs(&values).unwrap_err().total(), 1);
}

#[test]
fn a_lock_is_read_back() {
    let (lock, problems) = read_lock(&Source::new("sandgate.lock", Lock::default().to_toml()));
    assert!(problems.is_empty());
    assert_eq!(lock, Some(Lock::default()));
}

fn seeds() -> Vec<String> {
    let mut seeds = Vec::new();
    for kind in ["valid", "invalid"] {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder().join(kind))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        paths.sort();
        for path in paths
            .iter()
            .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        {
            let text = std::fs::read_to_string(path).unwrap();
            if text.len() < 4096 {
                seeds.push(text);
            }
        }
    }
    seeds
}

/// Everything that reads a file, on a text; the messages are rendered, too.
fn survive(text: &str) {
    for kind in SchemaKind::ALL {
        let found = read(kind, text);
        let shown = found.render(Style::Plain);
        assert!(
            !shown.contains(|c: char| c.is_control() && c != '\n'),
            "{shown:?}"
        );
        for d in found.to_json() {
            assert!(d.place.is_some());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn any_damage_is_survived(
        seed in proptest::sample::select(seeds()),
        cuts in proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..12, "[\\PC\n\"'{}\\[\\]=.#%\\\\]{0,6}"), 1..4),
    ) {
        let mut text: Vec<char> = seed.chars().collect();
        for (at, len, insert) in cuts {
            let at = at.index(text.len() + 1);
            let end = (at + len).min(text.len());
            text.splice(at..end, insert.chars());
        }
        survive(&text.into_iter().collect::<String>());
    }
}
