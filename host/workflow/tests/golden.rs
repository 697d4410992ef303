//! Every file in `tests/workflows` gives exactly the text beside it. `UPDATE_GOLDEN=1` rewrites the texts; read the
//! difference before you commit it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use sandgate_workflow::{
    Code, Diagnostics, Severity, Source, Style, check, freeze, read_edited, read_lock,
    read_operator, read_project,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use support::{catalog, folder, project};

fn files(kind: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder().join(kind))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files
}

fn diagnose(path: &Path) -> Diagnostics {
    let name = path.file_name().unwrap().to_str().unwrap();
    let source = Source::new(name, std::fs::read_to_string(path).unwrap());
    match name.split('-').next().unwrap() {
        "project" => read_project(&source).1,
        "operator" => read_operator(&source).1,
        "lock" => read_lock(&source).1,
        "edited" => read_edited(&source).1,
        _ => {
            let (workflow, found) = check(&source, &project(), Some(&catalog()));
            assert_eq!(workflow.is_none(), found.has_errors(), "{name}");
            found
        }
    }
}

/// Compares, or rewrites. Answers what is wrong.
fn compare(path: &Path, found: &str) -> Option<String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, found).unwrap();
        return None;
    }
    match std::fs::read_to_string(path) {
        Ok(expected) if expected == found => None,
        Ok(expected) => Some(format!(
            "{}\n--- expected\n{expected}\n--- found\n{found}",
            path.display()
        )),
        Err(error) => Some(format!("{}: {error}", path.display())),
    }
}

#[test]
fn every_mistake_has_its_message() {
    let mut wrong = Vec::new();
    let mut codes: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let all = files("invalid");
    assert!(all.len() >= 45, "only {} files", all.len());
    for path in &all {
        let found = diagnose(path);
        assert!(
            !found.is_empty(),
            "{}: nothing is wrong with it",
            path.display()
        );
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        for d in found.iter() {
            let mark = d
                .primary
                .as_ref()
                .unwrap_or_else(|| panic!("{name}: {d:?} has no place"));
            assert!(mark.span.end <= mark.source.text().len(), "{name}");
            if d.help.is_none() && d.code != Code::TOML_SYNTAX {
                wrong.push(format!(
                    "{name}: {} does not say what to do: {}",
                    d.code, d.message
                ));
            }
            if d.message.starts_with(|c: char| c.is_uppercase()) {
                wrong.push(format!("{name}: {:?} is not a fragment", d.message));
            }
            codes.entry(d.code.as_str()).or_default().push(name.clone());
        }
        wrong.extend(compare(
            &path.with_extension("expected"),
            &found.render(Style::Plain),
        ));
    }
    // Texts whose file is gone.
    for entry in std::fs::read_dir(folder().join("invalid")).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            path.with_extension("toml").exists(),
            "{} belongs to no file",
            path.display()
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Codes that no file can raise: inputs and drafts are not files, and these two need a huge file.
    let elsewhere: BTreeSet<&str> = Code::all()
        .map(Code::as_str)
        .filter(|c| c.starts_with("SG-I") || c.starts_with("SG-D"))
        .chain([Code::FILE_TOO_LARGE.as_str(), Code::TOO_MANY_TASKS.as_str()])
        .collect();
    let missing: Vec<&str> = Code::all()
        .map(Code::as_str)
        .filter(|c| !codes.contains_key(c) && !elsewhere.contains(c))
        .collect();
    assert!(missing.is_empty(), "no file shows {missing:?}");
}

#[test]
fn mistakes_come_in_the_order_of_their_places() {
    for path in files("invalid") {
        let found = diagnose(&path);
        let places: Vec<usize> = found
            .iter()
            .filter_map(|d| Some(d.primary.as_ref()?.span.start))
            .collect();
        assert!(places.is_sorted(), "{}: {places:?}", path.display());
    }
}

#[test]
fn valid_workflows_freeze_as_recorded() {
    let (project, catalog) = (project(), catalog());
    let mut wrong = Vec::new();
    for path in files("valid") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let source = Source::new(name, std::fs::read_to_string(&path).unwrap());
        let (workflow, found) = check(&source, &project, Some(&catalog));
        assert!(found.is_empty(), "{name}:\n{}", found.render(Style::Plain));
        let workflow = workflow.unwrap();
        let inputs = workflow.bind_inputs(&BTreeMap::new()).unwrap();
        let plan = freeze(&workflow, &project, &catalog, inputs, None, 1).unwrap();
        let text = format!("{}\n", serde_json::to_string_pretty(&plan).unwrap());
        assert_eq!(
            serde_json::from_str::<sandgate_model::Plan>(&text).unwrap(),
            plan,
            "{name}"
        );
        wrong.extend(compare(&path.with_extension("plan.json"), &text));
        // Without the plugins less can be said, but nothing else.
        assert!(check(&source, &project, None).1.is_empty(), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn colour_only_adds_colour() {
    let found = diagnose(&folder().join("invalid/cycle.toml"));
    let coloured = found.render(Style::Coloured);
    assert!(coloured.contains("\u{1b}["));
    let mut bare = String::new();
    let mut rest = coloured.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        bare.push_str(&rest[..at]);
        rest = &rest[at..][rest[at..].find('m').unwrap() + 1..];
    }
    bare.push_str(rest);
    assert_eq!(bare, found.render(Style::Plain));
}

#[test]
fn json_says_the_same() {
    for path in files("invalid") {
        let found = diagnose(&path);
        for (d, json) in found.iter().zip(found.to_json()) {
            let place = json.place.clone().unwrap();
            assert_eq!(json.code, d.code.as_str());
            assert_eq!(json.message, d.message);
            assert_eq!(place.file, path.file_name().unwrap().to_str().unwrap());
            assert!(place.line >= 1 && place.column >= 1);
            assert!((place.line, place.column) <= (place.end_line, place.end_column));
            assert_eq!(json.severity == "error", d.severity == Severity::Error);
            let text = d.render(Style::Plain);
            assert!(
                text.contains(&format!("{}:{}:{}", place.file, place.line, place.column)),
                "{text}"
            );
        }
    }
}

#[test]
fn nothing_a_file_holds_reaches_the_terminal_raw() {
    for path in files("invalid") {
        let text = diagnose(&path).render(Style::Plain);
        let bad = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
        };
        assert!(!text.contains(bad), "{}: {text:?}", path.display());
    }
    let hostile: String = (0..=0x9f)
        .chain(0x2028..=0x202e)
        .chain(0x2060..=0x2069)
        .chain([0x200b, 0x200f, 0xfeff])
        .filter_map(char::from_u32)
        .filter(|c| *c != '\n')
        .collect();
    for text in [
        format!("name = '{hostile}'\n"),
        format!("name = \"x\"\n{hostile} = 1\n"),
        format!("# {hostile}\nname = 3\n"),
    ] {
        let found = check(&Source::new(hostile.clone(), text), &project(), None).1;
        let shown = found.render(Style::Plain);
        assert!(
            !shown.contains(|c: char| c != '\n'
                && hostile.contains(c)
                && (c.is_control() || c > '\u{9f}')),
            "{shown:?}"
        );
    }
}
