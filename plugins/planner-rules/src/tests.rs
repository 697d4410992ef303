//! Goals and the plans they become.

use super::*;
use sandgate_plugin::{DraftTask, OfferedAgent, PluginError};

fn agent(name: &str, plugin: &str, summary: &str) -> OfferedAgent {
    OfferedAgent {
        name: name.to_owned(),
        plugin: plugin.to_owned(),
        summary: summary.to_owned(),
        ..OfferedAgent::default()
    }
}

fn offer() -> Vec<OfferedAgent> {
    vec![
        agent("researcher", "agent-research", "Finds passages"),
        agent("comparer", "agent-compare", "Compares rows"),
        agent(
            "writer",
            "agent-communication",
            "Drafts an email from findings",
        ),
    ]
}

fn packet(goal: &str) -> Packet {
    Packet {
        goal: goal.to_owned(),
        agents: offer(),
        inputs: json!({}),
        ..Packet::default()
    }
}

fn plan(goal: &str) -> Result<DraftPlan> {
    Rules::plan(packet(goal), Config::new("null"))
}

/// `research(topic) -> draft(email to x)`.
fn shape(plan: &DraftPlan) -> String {
    plan.tasks
        .iter()
        .map(|task| {
            let topic = task.input["topic"].as_str().unwrap_or("-");
            let to = task.input["to"]
                .as_str()
                .map(|to| format!(" > {to}"))
                .unwrap_or_default();
            let needs = if task.needs.is_empty() {
                String::new()
            } else {
                format!(" < {}", task.needs.join(" "))
            };
            format!("{}({topic}{to}){needs}", task.id)
        })
        .collect::<Vec<_>>()
        .join("; ")
}

fn find<'a>(plan: &'a DraftPlan, id: &str) -> &'a DraftTask {
    plan.tasks.iter().find(|task| task.id == id).unwrap()
}

#[test]
fn goals_become_plans() {
    for (goal, expected) in [
        // One intent.
        (
            "Research the best laptops under 1200 euros",
            "research(best laptops under 1200 euros)",
        ),
        (
            "please find out about battery tests in the notes",
            "research(battery tests)",
        ),
        (
            "Look up flights from Bonn to Rome.",
            "research(flights from Bonn to Rome)",
        ),
        (
            "I want to investigate the outage of May 3",
            "research(outage of May 3)",
        ),
        ("What do we know about the canteen?", "research(canteen)"),
        (
            "quiet laptops with a matte screen",
            "research(quiet laptops with a matte screen)",
        ),
        // The two patterns of the specification.
        (
            "Research the best laptops and draft an email to john@example.com",
            "research(best laptops); draft(best laptops > john@example.com) < research",
        ),
        (
            "research products and compare prices",
            "research(products); compare(products) < research",
        ),
        // The same in other words.
        (
            "Research the best laptops under 1200 euros in the notes and draft an email to john@example.com",
            "research(best laptops under 1200 euros); draft(best laptops under 1200 euros > john@example.com) < research",
        ),
        (
            "Please research monitors, then email the results to Anna",
            "research(monitors); draft(monitors > Anna) < research",
        ),
        (
            "Find quiet keyboards; write a summary for the team",
            "research(quiet keyboards); draft(quiet keyboards > the team) < research",
        ),
        (
            "Search for refurbished laptops and tell Mira Weber about them",
            "research(refurbished laptops); draft(refurbished laptops > Mira Weber) < research",
        ),
        (
            "Gather offers for chairs, and then compare their prices and ratings",
            "research(offers for chairs); compare(offers for chairs) < research",
        ),
        // What is left out is added.
        (
            "Compare the laptops by price and battery life",
            "research(laptops); compare(laptops) < research",
        ),
        (
            "Compare prices of laptops under 1200 EUR",
            "research(laptops under 1200 EUR); compare(laptops under 1200 EUR) < research",
        ),
        (
            "Which is cheaper: Fjord or Comet?",
            "research(cheaper: Fjord or Comet); compare(cheaper: Fjord or Comet) < research",
        ),
        (
            "Draft an email to John about the canteen",
            "research(canteen); draft(canteen > John) < research",
        ),
        (
            "Summarise the battery tests for Anna",
            "research(battery tests); draft(battery tests > Anna) < research",
        ),
        (
            "iPhone vs Pixel",
            "research(iPhone vs Pixel); compare(iPhone vs Pixel) < research",
        ),
        // Three intents.
        (
            "Research laptops, compare prices and email the best one to john@example.com",
            "research(laptops); compare(laptops) < research; draft(laptops > john@example.com) < compare research",
        ),
        (
            "Compare laptops under 1200 by weight and send a message to the team",
            "research(laptops under 1200); compare(laptops under 1200) < research; draft(laptops under 1200 > the team) < compare research",
        ),
        // The same intent twice, side by side.
        (
            "Research laptops and research phones and draft an email to Bob",
            "research(laptops); research_2(phones); draft(laptops > Bob) < research research_2",
        ),
        (
            "Find chairs and search for desks",
            "research(chairs); research_2(desks)",
        ),
        // Words that look like verbs or connectors but are not.
        (
            "Research email and calendar tools",
            "research(email and calendar tools)",
        ),
        (
            "Research sales and marketing, in order to understand both",
            "research(sales and marketing, in order to understand both)",
        ),
        (
            "Research bread, butter and jam and draft an email to a@x.org and b@y.org",
            "research(bread, butter and jam); draft(bread, butter and jam > a@x.org, b@y.org) < research",
        ),
        (
            "RESEARCH LAPTOPS AND DRAFT AN EMAIL TO john@example.com",
            "research(LAPTOPS); draft(LAPTOPS > john@example.com) < research",
        ),
        ("Research   the\nbest laptops", "research(best laptops)"),
        (
            "Research Straßenbahn ÜBER alles and draft an email",
            "research(Straßenbahn ÜBER alles); draft(Straßenbahn ÜBER alles) < research",
        ),
    ] {
        let plan = plan(goal).unwrap_or_else(|error| panic!("{goal}: {error}"));
        assert_eq!(shape(&plan), expected, "{goal}");
    }
}

#[test]
fn tasks_hand_over_what_they_made() {
    let plan = plan(
        "Research laptops, compare prices and battery life and email the top 3 to john@example.com",
    )
    .unwrap();
    let research = find(&plan, "research");
    assert_eq!(research.agent, "researcher");
    assert_eq!(
        research.input,
        json!({"topic": "laptops", "limit": 100, "whole_tables": true})
    );
    assert_eq!(research.produces, ["findings", "findings.md"]);
    let compare = find(&plan, "compare");
    assert_eq!(compare.agent, "comparer");
    assert_eq!(compare.input["research"], "{{ tasks.research.output }}");
    assert_eq!(
        compare.input["criteria"],
        json!([{"field": "price", "better": "lower"}, {"field": "battery", "better": "higher"}])
    );
    let draft = find(&plan, "draft");
    assert_eq!(draft.consumes, ["compare.comparison", "research.findings"]);
    assert_eq!(draft.produces, ["email"]);
    assert_eq!(
        draft.input,
        json!({
            "kind": "email", "to": "john@example.com", "topic": "laptops", "max_points": 3,
            "findings": "{{ tasks.research.output }}", "comparison": "{{ tasks.compare.output }}"
        })
    );
    assert!(
        plan.rationale.ends_with(
            "Topic: laptops. Recipient: john@example.com. Complexity: complex (3 tasks)."
        ),
        "{}",
        plan.rationale
    );
}

#[test]
fn the_patterns_of_the_specification_in_full() {
    let drafted = plan("research the best laptops and draft an email to john@example.com").unwrap();
    let draft = find(&drafted, "draft");
    assert_eq!(draft.consumes, ["research.findings"]);
    assert_eq!(
        draft.input,
        json!({"kind": "email", "to": "john@example.com", "topic": "best laptops", "findings": "{{ tasks.research.output }}"})
    );
    assert!(drafted.rationale.starts_with("Read as research-and-draft."));
    let compared = plan("research products and compare prices").unwrap();
    assert_eq!(
        find(&compared, "research").input,
        json!({"topic": "products", "kinds": ["row"], "limit": 100})
    );
    assert_eq!(
        find(&compared, "compare").input,
        json!({"topic": "products", "criteria": [{"field": "price", "better": "lower"}], "research": "{{ tasks.research.output }}"})
    );
}

#[test]
fn agents_are_found_by_what_they_are() {
    let mut packet = packet("Research laptops and draft an email to Bob");
    packet.agents = vec![
        agent("scribe", "acme-letters", "Writes emails"),
        agent("digger", "agent-research", ""),
    ];
    let found = Rules::plan(packet.clone(), Config::new("null")).unwrap();
    assert_eq!(
        found
            .tasks
            .iter()
            .map(|task| task.agent.as_str())
            .collect::<Vec<_>>(),
        ["digger", "scribe"]
    );
    packet.goal = "Research laptops and buy the best one".to_owned();
    let error = Rules::plan(packet.clone(), Config::new("null")).unwrap_err();
    assert!(
        matches!(&error, PluginError::Permanent(text) if text.contains("asks for purchase") && text.contains("buyer = \"builtin:agent-purchase\"") && text.contains("On offer: scribe, digger")),
        "{error}"
    );
    packet.agents.push(agent("shop", "agent-purchase", ""));
    let purchase = Rules::plan(packet, Config::new("null")).unwrap();
    assert_eq!(
        find(&purchase, "purchase").input,
        json!({"item": "laptops", "findings": "{{ tasks.research.output }}"})
    );
}

#[test]
fn what_cannot_be_planned_is_said() {
    let mut nobody = packet("laptops");
    nobody.agents.clear();
    for (packet, why) in [
        (nobody, "no verb that planner-rules knows"),
        (packet(""), "no verb that planner-rules knows"),
        (
            packet("Compare prices"),
            "does not say what research is about",
        ),
        (packet(&"x ".repeat(5000)), "longer than 8192 bytes"),
    ] {
        let error = Rules::plan(packet, Config::new("null")).unwrap_err();
        assert!(error.text().contains(why), "{error}");
        assert!(!matches!(error, PluginError::Failed(_)));
    }
}

#[test]
fn a_letter_without_research() {
    let mut packet = packet("Draft an email to John about the canteen");
    packet.agents.retain(|agent| agent.name == "writer");
    let plan = Rules::plan(packet, Config::new("null")).unwrap();
    assert_eq!(shape(&plan), "draft(canteen > John)");
}

#[test]
fn recipients_may_come_from_the_inputs() {
    let mut packet = packet("Research laptops and draft an email");
    packet.inputs = json!({"to": "mira@example.com"});
    let plan = Rules::plan(packet, Config::new("null")).unwrap();
    assert_eq!(find(&plan, "draft").input["to"], "mira@example.com");
}

#[test]
fn written_tasks_are_used_and_not_repeated() {
    let mut packet = packet("Research laptops and draft an email to Bob");
    packet.written = vec!["research".to_owned()];
    let plan = Rules::plan(packet.clone(), Config::new("null")).unwrap();
    assert_eq!(shape(&plan), "draft(laptops > Bob) < research");
    assert_eq!(
        find(&plan, "draft").input["findings"],
        "{{ tasks.research.output }}"
    );
    assert!(find(&plan, "draft").consumes.is_empty());
    packet.written.push("draft".to_owned());
    let plan = Rules::plan(packet, Config::new("null")).unwrap();
    assert!(plan.tasks.is_empty() && plan.rationale.contains("already written"));
}

#[test]
fn goals_are_not_templates() {
    let plan =
        plan("Research {{ inputs.secret }} and draft an email to Bob about {% raw %}").unwrap();
    let text: String = plan
        .tasks
        .iter()
        .map(|task| task.title.clone() + &task.input["topic"].to_string())
        .collect();
    assert!(!text.contains("{{") && !text.contains("{%"), "{text}");
}

#[test]
fn the_users_patterns_win() {
    let config = json!({"patterns": [
        {
            "name": "translate",
            "when": ["translate (?<text>.+) into (?<language>\\w+)"],
            "tasks": [{"id": "translate", "agent": "agent-compare", "input": {"text": "{text}", "language": "{language}"}}]
        },
        {
            "name": "brief",
            "intents": ["research", "communication"],
            "when": ["laptop", "bob"],
            "tasks": [
                {"id": "look", "intent": "research", "title": "Look for {topic}", "input": {"topic": "{topic}", "goal": "{goal}"}, "produces": ["findings"]},
                {"id": "say", "intent": "communication", "input": {"to": "{recipient}", "max_points": "{top}", "findings": "{{ tasks.look.output }}"}, "needs": ["look"], "consumes": ["look.findings"]}
            ]
        }
    ]});
    let with = |goal: &str| Rules::plan(packet(goal), Config::new(config.to_string())).unwrap();
    let translate = with("Translate the notes INTO French");
    assert_eq!(
        translate.tasks[0].input,
        json!({"text": "the notes", "language": "French"})
    );
    assert_eq!(translate.tasks[0].agent, "comparer");
    let brief = with("Research laptops and draft an email to Bob");
    assert_eq!(shape(&brief), "look(laptops); say(- > Bob) < look");
    assert_eq!(
        brief.tasks[1].input,
        json!({"to": "Bob", "findings": "{{ tasks.look.output }}"})
    );
    assert_eq!(
        shape(&with("Research phones and draft an email to Bob")),
        "research(phones); draft(phones > Bob) < research"
    );
}

#[test]
fn mistakes_in_patterns_are_named() {
    for (pattern, why) in [
        (
            json!({"name": "x", "tasks": []}),
            "neither `when` nor `intents`",
        ),
        (
            json!({"name": "x", "when": ["("], "tasks": []}),
            "cannot be read: `(`",
        ),
        (
            json!({"name": "x", "when": ["."], "tasks": [{"id": "a"}]}),
            "neither `intent` nor `agent`",
        ),
        (
            json!({"name": "x", "when": ["."], "tasks": [{"id": "a", "intent": "dance"}]}),
            "known are: research, compare, purchase, communication",
        ),
        (
            json!({"name": "x", "when": ["."], "tasks": [{"id": "a", "agent": "nobody"}]}),
            "wants agent `nobody`",
        ),
        (
            json!({"name": "x", "when": ["."], "tasks": [{"id": "a", "intent": "research", "input": "{what}"}]}),
            "placeholder `{what}`",
        ),
        (json!({"name": "x", "wenn": ["."], "tasks": []}), "wenn"),
    ] {
        let config = Config::new(json!({"patterns": [pattern]}).to_string());
        let error = Rules::plan(packet("Research laptops"), config).unwrap_err();
        assert!(error.text().contains(why), "{error}");
    }
}
