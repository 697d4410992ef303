//! From a reading to a draft: a pattern of the user, a built-in one, or one task for each intent in turn.

use crate::data::{Builtin, Intent, Pattern, PatternTask, Settings};
use crate::fill::{Values, fill, harmless, text_of};
use crate::offer;
use crate::read::{Reading, read};
use regex_lite::RegexBuilder;
use sandgate_plugin::{DraftPlan, DraftTask, Packet, PluginError, Result};
use serde_json::{Value, json};

/// Longest goal that is read; a goal is a sentence or a paragraph.
const GOAL: usize = 8 << 10;

/// Inputs of a run that name the recipient when the goal does not.
const RECIPIENT_INPUTS: &[&str] = &["to", "recipient", "email"];

/// Makes the plan.
pub(crate) fn plan(packet: &Packet, settings: &Settings) -> Result<DraftPlan> {
    if packet.goal.len() > GOAL {
        return Err(PluginError::invalid_input(format!(
            "the goal is longer than {GOAL} bytes; say it in a sentence, and put material into files or inputs"
        )));
    }
    let builtin = Builtin::load()?;
    let goal = harmless(&packet.goal);
    let reading = read(&goal, &builtin);
    let mut values = values(packet, &goal, &reading);
    for pattern in &settings.patterns {
        if let Some(plan) = try_pattern(pattern, packet, &builtin, &reading, &mut values)? {
            return Ok(plan);
        }
    }
    let mut steps = steps(&reading, &builtin, packet)?;
    // A task that is already written does its intent.
    let done = |intent: &Intent| packet.written.contains(&intent.task.id);
    let plain = !steps
        .iter()
        .any(|step| done(step.intent) || step.number > 1);
    if plain {
        let mut intents: Vec<&str> = steps.iter().map(|step| step.intent.name.as_str()).collect();
        intents.sort_unstable();
        for pattern in &builtin.patterns {
            let mut wanted: Vec<&str> = pattern.intents.iter().map(String::as_str).collect();
            wanted.sort_unstable();
            if wanted == intents {
                values.insert("topic".to_owned(), topic(&steps));
                return draft(pattern, packet, &builtin, &reading, &values);
            }
        }
    }
    let written: Vec<Step<'_>> = steps.extract_if(.., |step| done(step.intent)).collect();
    let mut tasks = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let before = steps.get(..at).unwrap_or_default();
        let after = steps.get(at + 1..).unwrap_or_default();
        tasks.push(task(step, before, after, &written, packet, &mut values)?);
    }
    let name = steps
        .iter()
        .map(|step| step.intent.name.as_str())
        .collect::<Vec<_>>()
        .join(", then ");
    Ok(DraftPlan {
        rationale: rationale(&name, &reading, tasks.len()),
        tasks,
    })
}

/// One task to make.
struct Step<'a> {
    intent: &'a Intent,
    topic: Option<String>,
    /// 1, or more when the goal has the intent several times with different topics.
    number: usize,
}

impl Step<'_> {
    fn id(&self) -> String {
        match self.number {
            1 => self.intent.task.id.clone(),
            // No hyphen: a template reads `research-2` as a subtraction.
            n => format!("{}_{n}", self.intent.task.id),
        }
    }
}

/// The steps of a goal, with those that it leaves out but needs.
fn steps<'a>(reading: &Reading, builtin: &'a Builtin, packet: &Packet) -> Result<Vec<Step<'a>>> {
    let mut names: Vec<&str> = reading.intents();
    if names.is_empty() {
        // Bare words are something to look for, when somebody can look.
        let looks = builtin
            .intent("research")
            .is_some_and(|intent| offer::find(intent, &packet.agents).is_some());
        let words = packet.goal.split_whitespace().count();
        if !looks || words == 0 {
            return Err(unread(builtin));
        }
        names.push("research");
    }
    let mut ordered: Vec<&Intent> = Vec::new();
    for name in names {
        let Some(intent) = builtin.intent(name) else {
            continue;
        };
        if let Some(required) = intent
            .requires
            .as_deref()
            .and_then(|name| builtin.intent(name))
        {
            let there = ordered.iter().any(|known| known.name == required.name);
            let possible = offer::find(required, &packet.agents).is_some();
            // A letter can be written from nothing but its topic; a comparison cannot.
            if !there && (possible || intent.name == "compare") {
                ordered.push(required);
            }
        }
        if !ordered.iter().any(|known| known.name == intent.name) {
            ordered.push(intent);
        }
    }
    let shared = reading
        .topic()
        .or_else(|| reading.intents().is_empty().then(|| packet_topic(packet)));
    let mut steps = Vec::new();
    for intent in ordered {
        let topics = reading.topics(&intent.name);
        let own: Vec<Option<String>> = match intent.name.as_str() {
            // Several researches run side by side.
            "research" if topics.len() > 1 => topics.into_iter().map(Some).collect(),
            "communication" => vec![reading.message_topic.clone().or_else(|| shared.clone())],
            _ => vec![topics.into_iter().next().or_else(|| shared.clone())],
        };
        for (n, topic) in own.into_iter().enumerate() {
            steps.push(Step {
                intent,
                topic,
                number: n + 1,
            });
        }
    }
    if let Some(step) = steps
        .iter()
        .find(|step| step.intent.name == "research" && step.topic.is_none())
    {
        return Err(PluginError::permanent(format!(
            "the goal does not say what {} is about; name it, as in `Research laptops under 1200 euros`",
            step.intent.name
        )));
    }
    Ok(steps)
}

fn packet_topic(packet: &Packet) -> String {
    harmless(packet.goal.trim().trim_end_matches(['.', '!', '?']))
}

fn unread(builtin: &Builtin) -> PluginError {
    let known: Vec<String> = builtin
        .intents
        .iter()
        .map(|intent| {
            format!(
                "{} ({}, …)",
                intent.name,
                intent
                    .verbs
                    .iter()
                    .take(2)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        })
        .collect();
    PluginError::permanent(format!(
        "the goal has no verb that planner-rules knows; it knows {}. Reword the goal, write tasks, or add a \
         pattern to the planner's config",
        known.join("; ")
    ))
}

fn topic(steps: &[Step<'_>]) -> Option<Value> {
    steps
        .iter()
        .find_map(|step| step.topic.clone())
        .map(Value::String)
}

fn values(packet: &Packet, goal: &str, reading: &Reading) -> Values {
    let text = |text: Option<String>| text.map(Value::String);
    let from_inputs = || {
        RECIPIENT_INPUTS
            .iter()
            .find_map(|name| packet.inputs.get(name)?.as_str())
            .map(harmless)
    };
    let mut values: Values = [
        ("goal", Some(json!(goal))),
        ("topic", text(reading.topic())),
        (
            "recipient",
            text(reading.recipient.clone().or_else(from_inputs)),
        ),
        ("kind", Some(json!(reading.kind))),
        ("top", reading.top.map(Value::from)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let criteria = (!reading.criteria.is_empty()).then(|| Value::Array(reading.criteria.clone()));
    values.insert("criteria".to_owned(), criteria);
    values
}

/// The task of a step, linked to the steps before it.
fn task(
    step: &Step<'_>,
    before: &[Step<'_>],
    after: &[Step<'_>],
    written: &[Step<'_>],
    packet: &Packet,
    values: &mut Values,
) -> Result<DraftTask> {
    let agent = offer::require(step.intent, &packet.agents)?.name.clone();
    values.insert("topic".to_owned(), step.topic.clone().map(Value::String));
    let mut template = step.intent.task.clone();
    template.id = step.id();
    let mut input = template.input.as_object().cloned().unwrap_or_default();
    for (name, members) in &step.intent.r#for {
        if after.iter().any(|later| later.intent.name == *name) {
            input.extend(members.clone());
        }
    }
    for (name, taken) in &step.intent.from {
        let made: Vec<&Step<'_>> = before
            .iter()
            .filter(|earlier| earlier.intent.name == *name)
            .collect();
        let ready: Vec<&Step<'_>> = written
            .iter()
            .filter(|earlier| earlier.intent.name == *name)
            .collect();
        let outputs: Vec<Value> = made
            .iter()
            .chain(&ready)
            .map(|earlier| json!(format!("{{{{ tasks.{}.output }}}}", earlier.id())))
            .collect();
        let upstream = match outputs.as_slice() {
            [] => continue,
            [one] => one.clone(),
            _ => Value::Array(outputs),
        };
        for (member, value) in &taken.input {
            let value = if *value == json!("{upstream}") {
                upstream.clone()
            } else {
                value.clone()
            };
            input.insert(member.clone(), value);
        }
        template
            .needs
            .extend(made.iter().chain(&ready).map(|earlier| earlier.id()));
        // What a written task produces is not known here, only its id.
        for earlier in made {
            template.consumes.extend(
                taken
                    .consumes
                    .iter()
                    .map(|name| format!("{}.{name}", earlier.id())),
            );
        }
    }
    template.input = Value::Object(input);
    finish(&template, agent, values)
}

fn finish(template: &PatternTask, agent: String, values: &Values) -> Result<DraftTask> {
    let texts = |texts: &[String]| {
        texts
            .iter()
            .map(|text| text_of(text, values))
            .collect::<Result<Vec<_>>>()
    };
    let title = text_of(&template.title, values)?;
    Ok(DraftTask {
        id: text_of(&template.id, values)?,
        title: title.trim().chars().take(120).collect(),
        agent,
        input: fill(&template.input, values)?.unwrap_or(Value::Null),
        needs: texts(&template.needs)?,
        consumes: texts(&template.consumes)?,
        produces: texts(&template.produces)?,
    })
}

/// A user's pattern, when the goal has its shape.
fn try_pattern(
    pattern: &Pattern,
    packet: &Packet,
    builtin: &Builtin,
    reading: &Reading,
    values: &mut Values,
) -> Result<Option<DraftPlan>> {
    if pattern.when.is_empty() && pattern.intents.is_empty() {
        return Err(PluginError::invalid_input(format!(
            "pattern `{}` has neither `when` nor `intents`, so it would take every goal",
            pattern.name
        )));
    }
    let found = reading.intents();
    let intents = pattern.intents.is_empty()
        || (found.len() == pattern.intents.len()
            && pattern
                .intents
                .iter()
                .all(|intent| found.contains(&intent.as_str())));
    if !intents {
        return Ok(None);
    }
    let goal = harmless(&packet.goal);
    let mut groups = Vec::new();
    for expression in &pattern.when {
        let regex = RegexBuilder::new(expression)
            .case_insensitive(true)
            .build()
            .map_err(|error| {
                PluginError::invalid_input(format!(
                    "pattern `{}` has an expression that cannot be read: `{expression}`: {error}",
                    pattern.name
                ))
            })?;
        let Some(captures) = regex.captures(&goal) else {
            return Ok(None);
        };
        for name in regex.capture_names().flatten() {
            let value = captures
                .name(name)
                .map(|found| json!(found.as_str().trim()));
            groups.push((name.to_owned(), value));
        }
    }
    values.extend(groups);
    draft(pattern, packet, builtin, reading, values).map(Some)
}

/// The plan of a pattern.
fn draft(
    pattern: &Pattern,
    packet: &Packet,
    builtin: &Builtin,
    reading: &Reading,
    values: &Values,
) -> Result<DraftPlan> {
    let mut tasks = Vec::with_capacity(pattern.tasks.len());
    for template in &pattern.tasks {
        let agent = offer::named(
            template.intent.as_deref(),
            template.agent.as_deref(),
            builtin,
            &packet.agents,
            &template.id,
        )?;
        tasks.push(finish(template, agent, values)?);
    }
    Ok(DraftPlan {
        rationale: rationale(&pattern.name, reading, tasks.len()),
        tasks,
    })
}

/// How the goal was read, and how much work it is.
fn rationale(shape: &str, reading: &Reading, tasks: usize) -> String {
    let complexity = match tasks {
        0 | 1 => "simple",
        2 => "moderate",
        _ => "complex",
    };
    let mut text = format!("Read as {shape}.");
    if let Some(topic) = reading.topic() {
        text.push_str(&format!(" Topic: {topic}."));
    }
    if let Some(recipient) = &reading.recipient {
        text.push_str(&format!(" Recipient: {recipient}."));
    }
    if tasks == 0 {
        text.push_str(" Everything it asks for is already written.");
    }
    let plural = if tasks == 1 { "task" } else { "tasks" };
    format!("{text} Complexity: {complexity} ({tasks} {plural}).")
}
