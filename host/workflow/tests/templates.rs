//! Templates while a run goes on: types, strictness, and limits that a planner cannot talk around.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use sandgate_model::{Artifact, ArtifactName, Digest};
use sandgate_workflow::{
    Context, eval_condition, eval_list, expression_references, references, render_text,
    render_value, uses_templates,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn context() -> Context {
    let inputs = BTreeMap::from([
        ("to".to_owned(), json!("ann")),
        ("limit".to_owned(), json!(10)),
        ("price".to_owned(), json!(12.5)),
        ("send".to_owned(), json!(true)),
        ("list".to_owned(), json!([3, 1, 2])),
        (
            "object".to_owned(),
            json!({"b": [1, {"c": null}], "a": "x"}),
        ),
        ("quote".to_owned(), json!("{{ inputs.to }} \" {% x %}")),
    ]);
    let artifact = Artifact {
        name: ArtifactName::new("email.md").unwrap(),
        digest: Digest::of(b"x"),
        size: 7,
        media_type: "text/markdown".to_owned(),
    };
    Context::new(&inputs).with_task(
        "my-task",
        &json!({"rows": [{"n": 1}, {"n": 2}], "text": "hi"}),
        &[artifact],
    )
}

fn render(text: &str) -> Value {
    render_value(&json!(text), &context()).unwrap()
}

#[test]
fn one_expression_keeps_its_type() {
    assert_eq!(render("{{ inputs.limit }}"), json!(10));
    assert_eq!(render("{{ inputs.price }}"), json!(12.5));
    assert_eq!(render("{{ inputs.send }}"), json!(true));
    assert_eq!(
        render("{{ inputs.object }}"),
        json!({"b": [1, {"c": null}], "a": "x"})
    );
    assert_eq!(render("{{ inputs.list|sort }}"), json!([1, 2, 3]));
    assert_eq!(
        render("{{ tasks['my-task'].output.rows }}"),
        json!([{"n": 1}, {"n": 2}])
    );
    assert_eq!(
        render("{{ tasks['my-task'].output.rows|map(attribute='n') }}"),
        json!([1, 2])
    );
    assert_eq!(render("{{ inputs.object.b[1].c }}"), Value::Null);
}

#[test]
fn anything_more_is_text() {
    assert_eq!(render(" {{ inputs.limit }}"), json!(" 10"));
    assert_eq!(
        render("to {{ inputs.to }}, {{ inputs.price }}"),
        json!("to ann, 12.5")
    );
    assert_eq!(
        render("{{ inputs.object }}!"),
        json!("{\"a\":\"x\",\"b\":[1,{\"c\":null}]}!")
    );
    assert_eq!(render("{{ inputs.list|join('-') }}!"), json!("3-1-2!"));
    assert_eq!(
        render("{{ inputs.send }}{{ inputs.object.b[1].c }}"),
        json!("truenull")
    );
    assert_eq!(render("{{ '{{' }} }} {x}"), json!("{{ }} {x}"));
}

#[test]
fn values_are_never_read_as_templates_again() {
    assert_eq!(
        render("{{ inputs.quote }}!"),
        json!("{{ inputs.to }} \" {% x %}!")
    );
    assert_eq!(
        render("{{ inputs.quote }}"),
        json!("{{ inputs.to }} \" {% x %}")
    );
}

#[test]
fn documents_without_templates_are_not_touched() {
    let value = json!({"a": [1, 2.5, "x", null], "b": {"c": "no braces { }"}});
    assert!(!uses_templates(&value));
    assert_eq!(render_value(&value, &Context::default()).unwrap(), value);
    assert!(uses_templates(&json!([{"a": "{{ x }}"}])));
}

#[test]
fn artifacts_and_items() {
    let digest = Digest::of(b"x").to_string();
    assert_eq!(
        render("{{ tasks['my-task'].artifacts['email.md'].digest }}"),
        json!(digest)
    );
    assert_eq!(
        render("{{ tasks['my-task'].artifacts['email.md'].size }}"),
        json!(7)
    );
    let context = context().with_item(&json!({"name": "x13"}), 4);
    assert_eq!(
        render_value(&json!("{{ item.name }}"), &context).unwrap(),
        json!("x13")
    );
    assert_eq!(
        render_value(&json!("{{ index }}"), &context).unwrap(),
        json!(4)
    );
}

fn error(text: &str) -> String {
    render_value(&json!({"a": [text]}), &context())
        .unwrap_err()
        .to_string()
}

#[test]
fn what_has_no_value_is_an_error() {
    for text in [
        "{{ nothing }}",
        "{{ inputs.nothing }}",
        "{{ inputs.object.b.c.d }}",
        "x {{ inputs.object.nothing }}",
        "{{ tasks.other.output }}",
        "{{ item }}",
        "{{ inputs.list[9] }}",
        "{{ 'x' if inputs.nothing else 'y' }}",
        "{{ [inputs.nothing] }}",
    ] {
        let message = error(text);
        assert!(message.starts_with("in `/a/0`: "), "{text}: {message}");
    }
}

#[test]
fn statements_loaders_and_unknown_filters_do_not_exist() {
    for text in [
        "{% set x = 1 %}",
        "{% include 'x' %}",
        "{% for x in inputs.list %}{{ x }}{% endfor %}",
        "{{ inputs.to|indent(9999999) }}",
        "{{ debug() }}",
        "{{ inputs.to.upper() }}",
        "{{ inputs.to|attr('x') }}",
        "{{ inputs.limit * 2 }}",
        "{{ 2 ** 99 }}",
        "{{ namespace(a=1) }}",
        "{{ inputs.to }",
        "{{ }}",
    ] {
        error(text);
    }
}

#[test]
fn growth_is_bounded() {
    let big = Context::new(&BTreeMap::from([(
        "x".to_owned(),
        json!("a".repeat(600_000)),
    )]));
    let fails = |text: &str| render_value(&json!(text), &big).unwrap_err().to_string();
    assert!(fails("{{ inputs.x }}{{ inputs.x }}").contains("1 MiB"));
    assert!(fails("{{ inputs.x|replace('a', 'aa') }}").contains("1 MiB"));
    assert!(fails("{{ inputs.x|replace('a', inputs.x) }}").contains("1 MiB"));
    assert!(fails("{{ [inputs.x, inputs.x]|join }}").contains("1 MiB"));
    let many = format!("{{{{ {} }}}}", vec!["inputs.x"; 1000].join(" ~ "));
    assert!(fails(&many).contains("memory"), "{}", fails(&many));
    assert!(fails(&format!("{{{{ inputs.x }}}}{}", "b".repeat(20_000))).contains("16 KiB"));
    let small = Context::default();
    let fails = |text: &str| render_value(&json!(text), &small).unwrap_err().to_string();
    assert!(fails("{{ range(100000000) }}").contains("10,000"));
    let nested = format!("{{{{ {}1{} }}}}", "[".repeat(400), "]".repeat(400));
    fails(&nested);
    let quotes = format!("{{{{ '\"'{} }}}}", "|tojson".repeat(60));
    assert!(fails(&quotes).contains("1 MiB"));
}

#[test]
fn conditions_are_true_or_false() {
    let holds = |expr: &str| eval_condition(expr, &context());
    assert_eq!(holds("inputs.send and inputs.limit > 5"), Ok(true));
    assert_eq!(holds("inputs.to == 'bob'"), Ok(false));
    assert_eq!(holds("tasks['my-task'].output.rows|length == 2"), Ok(true));
    assert_eq!(holds("inputs.nothing is defined"), Ok(false));
    assert!(
        holds("inputs.to")
            .unwrap_err()
            .to_string()
            .contains("gives a text, not true or false")
    );
    assert!(holds("inputs.nothing").is_err());
    assert!(holds("{{ inputs.send }}").is_err());
}

#[test]
fn lists_are_lists() {
    let list = |expr: &str| eval_list(expr, &context());
    assert_eq!(list("inputs.list"), Ok(vec![json!(3), json!(1), json!(2)]));
    assert_eq!(list("range(2)"), Ok(vec![json!(0), json!(1)]));
    assert_eq!(list("['a', inputs.limit]"), Ok(vec![json!("a"), json!(10)]));
    assert_eq!(list("[]"), Ok(vec![]));
    assert!(
        list("inputs.to")
            .unwrap_err()
            .to_string()
            .contains("not a list")
    );
    assert!(
        list("range(10000) + [1]")
            .unwrap_err()
            .to_string()
            .contains("10,000")
    );
    assert_eq!(list("range(10000)").unwrap().len(), 10_000);
}

#[test]
fn texts_and_references() {
    assert_eq!(render_text("{{ inputs.limit }}", &context()).unwrap(), "10");
    assert_eq!(
        render_text("{{ inputs.list }}", &context()).unwrap(),
        "[3,1,2]"
    );
    let found = references(
        &json!({"a": ["{{ inputs.x }} {{ tasks['b-c'].output }}"], "d": "{{ tasks.e.output|join(inputs.f) }}"}),
    );
    assert_eq!(found.inputs.into_iter().collect::<Vec<_>>(), ["f", "x"]);
    assert_eq!(found.tasks.into_iter().collect::<Vec<_>>(), ["b-c", "e"]);
    assert_eq!(
        expression_references("tasks.a.output and inputs.b")
            .tasks
            .len(),
        1
    );
}
