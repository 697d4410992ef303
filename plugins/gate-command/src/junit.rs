//! JUnit XML as the test runners write it. Read piece by piece: no tree, no entities of the document's own, no
//! document type, bounded depth. What the attributes of a suite say is compared with what the suite shows.

use crate::tally::{Outcome, Tally, Test, seconds};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Deepest nesting: suites in suites and their cases need a handful.
const DEPTH: usize = 64;
/// Most attributes of an element that are looked at: a test case has about five.
const ATTRIBUTES: usize = 32;
/// Characters of a failure's text that are kept while reading.
const TEXT: usize = 2_000;

/// Whether a text begins like a report.
pub(crate) fn looks_like(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // The declaration and comments may come first.
    (text.starts_with('<') || text.starts_with("<?xml"))
        && text
            .get(..text.len().min(4096))
            .unwrap_or(text)
            .contains("<testsuite")
}

/// Reads a report. `label` says where it stands. Whatever is wrong with it is a reason for doubt.
pub(crate) fn read(text: &str, label: &str, tally: &mut Tally) {
    tally.found("JUnit");
    let mut document = Document::default();
    if let Err(why) = document.read(text, tally) {
        tally.doubt(format!("{label} is no whole JUnit report: {why}"));
        return;
    }
    document.compare(label, tally);
}

#[derive(Default)]
struct Document {
    /// Names of the elements around.
    open: Vec<Kind>,
    case: Option<Case>,
    roots: usize,
    /// Largest numbers that an element claims.
    claims: (u64, u64),
    /// What was shown.
    shown: (u64, u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Suites,
    Suite,
    Case,
    /// `failure` or `error` in a case: its text is the reason.
    Reason,
    Other,
}

struct Case {
    name: String,
    full: String,
    outcome: Outcome,
    message: String,
    took: Option<std::time::Duration>,
}

impl Document {
    fn read(&mut self, text: &str, tally: &mut Tally) -> Result<(), String> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let mut reader = Reader::from_str(text);
        // A lone `&` in an assertion's text is common, and harmless here.
        reader.config_mut().allow_dangling_amp = true;
        loop {
            let event = reader
                .read_event()
                .map_err(|error| format!("{error} (at byte {})", reader.error_position()))?;
            match event {
                Event::Start(element) => {
                    self.begin(&element)?;
                }
                Event::Empty(element) => {
                    self.begin(&element)?;
                    self.finish(tally);
                }
                Event::End(_) => self.finish(tally),
                Event::Text(text) => self.text(&text.xml10_content()),
                Event::CData(text) => self.text(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(c)) => c.to_string(),
                        _ => named(&reference.xml10_content()),
                    };
                    self.text(&resolved);
                }
                Event::DocType(_) => {
                    return Err("it has a document type, which no test runner writes".to_owned());
                }
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => break,
            }
        }
        if !self.open.is_empty() {
            return Err("it breaks off".to_owned());
        }
        if self.roots == 0 {
            return Err("there is no <testsuites> or <testsuite> in it".to_owned());
        }
        Ok(())
    }

    fn begin(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= DEPTH {
            return Err(format!("it is more than {DEPTH} elements deep"));
        }
        let name = element.local_name();
        let kind = match name.as_ref() {
            "testsuites" => Kind::Suites,
            "testsuite" => Kind::Suite,
            "testcase" if self.case.is_none() => Kind::Case,
            "failure" | "error" if self.open.last() == Some(&Kind::Case) => Kind::Reason,
            _ => Kind::Other,
        };
        if self.open.is_empty() {
            if !matches!(kind, Kind::Suites | Kind::Suite) {
                return Err(format!("it begins with <{}>", name.as_ref()));
            }
            self.roots += 1;
            if self.roots > 1 {
                return Err("there is more than one document in it".to_owned());
            }
        }
        match kind {
            Kind::Suites | Kind::Suite => self.suite(element)?,
            Kind::Case => self.case = Some(case(element)?),
            Kind::Reason => self.reason(Outcome::Failed, element)?,
            Kind::Other if name.as_ref() == "skipped" && self.open.last() == Some(&Kind::Case) => {
                self.reason(Outcome::Skipped, element)?;
            }
            Kind::Other => {}
        }
        self.open.push(kind);
        Ok(())
    }

    fn suite(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let (mut tests, mut failed) = (0, 0u64);
        attributes(element, |name, value| match name {
            "tests" => tests = number(value),
            "failures" | "errors" => failed = failed.saturating_add(number(value)),
            _ => {}
        })?;
        self.claims = (self.claims.0.max(tests), self.claims.1.max(failed));
        Ok(())
    }

    fn reason(&mut self, outcome: Outcome, element: &BytesStart<'_>) -> Result<(), String> {
        let mut message = String::new();
        attributes(element, |name, value| {
            if name == "message" {
                value.clone_into(&mut message);
            }
        })?;
        if let Some(case) = &mut self.case {
            // A failure outweighs whatever else the case says.
            if case.outcome != Outcome::Failed {
                case.outcome = outcome;
            }
            add(&mut case.message, &message);
            // The text that may follow starts a line of its own.
            add(&mut case.message, "\n");
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if self.open.last() == Some(&Kind::Reason)
            && let Some(case) = &mut self.case
        {
            add(&mut case.message, text);
        }
    }

    fn finish(&mut self, tally: &mut Tally) {
        if self.open.pop() != Some(Kind::Case) {
            return;
        }
        if let Some(case) = self.case.take() {
            self.shown.0 += 1;
            self.shown.1 += u64::from(case.outcome == Outcome::Failed);
            let test = Test {
                name: case.full,
                outcome: case.outcome,
                message: case.message,
                took: case.took,
            };
            tally.test(test, &[&case.name]);
        }
    }

    /// A suite may count what it does not show: a crash outside of any test, or a report that was cut.
    fn compare(&self, label: &str, tally: &mut Tally) {
        let ((tests, failed), (cases, failures)) = (self.claims, self.shown);
        if failed > failures {
            tally.count(0, failed - failures, 0);
            let more = Test {
                name: format!("{} more in {label}", failed - failures),
                outcome: Outcome::Failed,
                message: format!(
                    "{label} counts {failed} failures and errors, and shows {failures}"
                ),
                took: None,
            };
            tally.name(more, &[]);
        }
        if tests > cases {
            tally.doubt(format!("{label} counts {tests} tests and shows {cases}"));
        }
    }
}

fn case(element: &BytesStart<'_>) -> Result<Case, String> {
    let (mut name, mut class, mut took, mut status) = (String::new(), String::new(), None, false);
    attributes(element, |attribute, value| match attribute {
        "name" => value.clone_into(&mut name),
        "classname" => value.clone_into(&mut class),
        "time" => took = seconds(value),
        // GoogleTest's word for a test that is switched off.
        "status" => status = value == "notrun",
        _ => {}
    })?;
    if name.is_empty() {
        "a test without a name".clone_into(&mut name);
    }
    let full = match class.is_empty() || name.starts_with(&class) {
        true => name.clone(),
        false => format!("{class}.{name}"),
    };
    Ok(Case {
        name,
        full,
        outcome: if status {
            Outcome::Skipped
        } else {
            Outcome::Passed
        },
        message: String::new(),
        took,
    })
}

fn attributes(element: &BytesStart<'_>, mut see: impl FnMut(&str, &str)) -> Result<(), String> {
    for attribute in element.attributes().take(ATTRIBUTES) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        // An entity that nobody defined: take the text as it stands.
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .unwrap_or_else(|_| attribute.value.clone());
        see(attribute.key.local_name().as_ref(), &value);
    }
    Ok(())
}

fn add(message: &mut String, text: &str) {
    let left = TEXT.saturating_sub(message.len());
    message.push_str(crate::counts::head(text, left));
}

fn number(text: &str) -> u64 {
    text.trim().replace(',', "").parse().unwrap_or(0)
}

/// The five entities that XML defines; any other stays as it is written.
fn named(name: &str) -> String {
    match name {
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "amp" => "&".to_owned(),
        "quot" => "\"".to_owned(),
        "apos" => "'".to_owned(),
        other => format!("&{other};"),
    }
}
