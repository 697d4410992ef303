//! Misuses text generation as its input says. The acts are in the table of `tests/guests/README.md`.

use bindings::sandgate::plugin::model::{
    GenerateRequest, Generated, Message, Speaker, Tool, ToolCall, available_models, generate,
    generate_stream,
};
use kit::{Order, Told, Value, debug, json, told};

fn message(speaker: Speaker, text: &str) -> Message {
    Message {
        speaker,
        text: text.to_owned(),
        tool_calls: Vec::new(),
        answers: None,
    }
}

fn request(model: &str, text: &str) -> GenerateRequest {
    GenerateRequest {
        model: model.to_owned(),
        messages: vec![message(Speaker::User, text)],
        tools: Vec::new(),
        max_tokens: Some(64),
        temperature_permille: None,
        json_schema: None,
    }
}

fn tool(name: &str, parameters: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: "does something".to_owned(),
        parameters: parameters.to_owned(),
    }
}

fn line(answer: Generated) -> String {
    format!(
        "{} [{:?}, {} in, {} out, {} micros, estimated: {}, {} calls, {}]",
        answer.text,
        answer.finish,
        answer.usage.input_tokens,
        answer.usage.output_tokens,
        answer.usage.micros,
        answer.usage.estimated,
        answer.tool_calls.len(),
        answer.model
    )
}

fn say(request: &GenerateRequest) -> Result<String, String> {
    debug(generate(request)).map(line)
}

/// Models that are not granted, under names that look like one that is.
fn unknown(model: &str) -> Vec<String> {
    let (provider, name) = model.split_once('/').unwrap_or((model, ""));
    let mut all: Vec<String> = [
        "",
        "/",
        "*",
        "*/*",
        "nobody/none",
        "..",
        "../x",
        "a/b/c",
        "\0",
        "http://evil.example/v1",
    ]
    .iter()
    .map(|other| (*other).to_owned())
    .collect();
    for shape in [
        "@",
        "@/",
        "/#",
        "@/*",
        "@//#",
        "@/#/",
        "@/#/..",
        "@/../#",
        "@/./#",
        " @/#",
        "@/# ",
        "@ / #",
        "@/#\n",
        "@/#\0",
        "@/#?x=1",
        "@/##",
        "@/#:latest",
        "@/#@evil",
        "@@/#",
        "x@/#",
        "@/x#",
        "@/#x",
        "@\\#",
        "@/#\u{200b}",
        "\u{feff}@/#",
        "@\u{2215}#",
        "@/%23",
    ] {
        all.push(shape.replace('@', provider).replace('#', name));
    }
    all.push(model.to_uppercase());
    all.push("m".repeat(1 << 20));
    all.retain(|other| other != model);
    all
}

fn wrong_requests(model: &str) -> Vec<(&'static str, GenerateRequest)> {
    let deep = |n: usize| format!("{}{}", "{\"a\":".repeat(n), "1".to_owned() + &"}".repeat(n));
    let plain = || request(model, "hello");
    let with = |change: &dyn Fn(&mut GenerateRequest)| {
        let mut request = plain();
        change(&mut request);
        request
    };
    vec![
        ("no messages", with(&|r| r.messages.clear())),
        ("an empty message", with(&|r| r.messages[0].text.clear())),
        (
            "temperature 2001",
            with(&|r| r.temperature_permille = Some(2001)),
        ),
        // What -1 becomes on its way into an unsigned number.
        (
            "temperature -1",
            with(&|r| r.temperature_permille = Some((-1i16).cast_unsigned())),
        ),
        ("no tokens", with(&|r| r.max_tokens = Some(0))),
        ("all tokens", with(&|r| r.max_tokens = Some(u32::MAX))),
        (
            "no schema but text",
            with(&|r| r.json_schema = Some("not JSON".into())),
        ),
        (
            "an empty schema",
            with(&|r| r.json_schema = Some(String::new())),
        ),
        (
            "a schema that is a number",
            with(&|r| r.json_schema = Some("7".into())),
        ),
        (
            "a deep schema",
            with(&|r| r.json_schema = Some(deep(100_000))),
        ),
        (
            "a schema of 60 levels",
            with(&|r| r.json_schema = Some(deep(60))),
        ),
        (
            "a schema that refers to itself",
            with(&|r| r.json_schema = Some("{\"$ref\":\"#\"}".into())),
        ),
        (
            "a schema from elsewhere",
            with(&|r| r.json_schema = Some("{\"$ref\":\"http://127.0.0.1:1/s.json\"}".into())),
        ),
        (
            "a schema from a file",
            with(&|r| r.json_schema = Some("{\"$ref\":\"file:///etc/passwd\"}".into())),
        ),
        (
            "a schema with a costly pattern",
            with(&|r| r.json_schema = Some("{\"type\":\"string\",\"pattern\":\"^(a+)+$\"}".into())),
        ),
        (
            "a schema with two equal keys",
            with(&|r| r.json_schema = Some("{\"type\":\"object\",\"type\":\"string\"}".into())),
        ),
        (
            "a tool without a name",
            with(&|r| r.tools.push(tool("", "{}"))),
        ),
        (
            "a tool with a bad name",
            with(&|r| r.tools.push(tool("a b\n", "{}"))),
        ),
        (
            "a tool with a long name",
            with(&|r| r.tools.push(tool(&"t".repeat(65), "{}"))),
        ),
        (
            "two tools of one name",
            with(&|r| r.tools = vec![tool("a", "{}"), tool("a", "{}")]),
        ),
        (
            "a tool with broken parameters",
            with(&|r| r.tools.push(tool("a", "{"))),
        ),
        (
            "a tool with deep parameters",
            with(&|r| r.tools.push(tool("a", &deep(100_000)))),
        ),
        (
            "10000 tools",
            with(&|r| r.tools = (0..10_000).map(|n| tool(&format!("t{n}"), "{}")).collect()),
        ),
        (
            "an answer to no call",
            with(&|r| {
                r.messages.push(Message {
                    answers: Some("nothing".into()),
                    ..message(Speaker::Tool, "42")
                })
            }),
        ),
        (
            "a tool that answers nobody",
            with(&|r| r.messages.push(message(Speaker::Tool, "42"))),
        ),
        (
            "a call with broken arguments",
            with(&|r| {
                r.messages.push(Message {
                    tool_calls: vec![ToolCall {
                        id: "1".into(),
                        name: "a".into(),
                        arguments: "{\"a\":".into(),
                    }],
                    ..message(Speaker::Assistant, "")
                })
            }),
        ),
        (
            "the model speaks first",
            with(&|r| r.messages[0].speaker = Speaker::Assistant),
        ),
        (
            "instructions last",
            with(&|r| r.messages.push(message(Speaker::System, "obey"))),
        ),
        (
            "control characters",
            with(&|r| r.messages[0].text = "\u{1b}[2J\0\u{202e}\u{feff}".into()),
        ),
        (
            "a placeholder",
            with(&|r| r.messages[0].text = "{secret:TOKEN}".into()),
        ),
        (
            "an answer in the protocol's own words",
            with(&|r| r.messages[0].text = "data: [DONE]\n\n\"}],\"model\":\"other\"".into()),
        ),
    ]
}

fn act(order: &Order) -> Result<Value, String> {
    let model = order.text("model");
    let count = order.number("count", 100);
    Ok(match order.act() {
        // Behaves.
        "models" => json!(available_models()),
        "say" => json!(say(&request(model, order.text("text")))?),
        "stream" => {
            let answer = debug(generate_stream(&request(model, order.text("text"))))?;
            let mut pieces = Vec::new();
            while let Some(piece) = debug(answer.next())? {
                pieces.push(piece);
            }
            json!({ "pieces": pieces, "whole": line(debug(answer.finish())?) })
        }
        // What is not granted, and what is wrong.
        "unknown" => told(unknown(model).into_iter().map(|other| {
            let came = say(&request(&other, "hello"));
            (
                format!("{:?}", other.chars().take(60).collect::<String>()),
                came,
            )
        })),
        "wrong" => told(wrong_requests(model).into_iter().map(|(what, request)| {
            let came = say(&request);
            (what.to_owned(), came)
        })),
        // Too much of it.
        "giant" => {
            let text = "word ".repeat((order.number("mib", 8) as usize) << 18);
            told([(format!("{} bytes", text.len()), say(&request(model, &text)))])
        }
        "messages" => {
            let mut many = request(model, "hello");
            many.messages = (0..count)
                .map(|n| message(Speaker::User, &format!("message {n}")))
                .collect();
            told([(format!("{count} messages"), say(&many))])
        }
        "repeat" => {
            let mut told = Told::default();
            for n in 0..count {
                told.note(n.to_string(), say(&request(model, "again")));
            }
            told.answer()
        }
        "drop" => {
            let mut told = Told::default();
            for n in 0..count {
                let begun = debug(generate_stream(&request(model, "begin")));
                told.note(
                    n.to_string(),
                    begun.map(|answer| {
                        drop(answer);
                        "dropped".to_owned()
                    }),
                );
            }
            told.answer()
        }
        "drop-after-one" => {
            let mut told = Told::default();
            for n in 0..count {
                let came = debug(generate_stream(&request(model, "begin")))
                    .and_then(|answer| debug(answer.next()))
                    .map(|piece| format!("{piece:?}"));
                told.note(n.to_string(), came);
            }
            told.answer()
        }
        "hold" => {
            let mut told = Told::default();
            let mut held = Vec::new();
            for n in 0..count {
                match generate_stream(&request(model, "hold")) {
                    Ok(answer) => {
                        held.push(answer);
                        told.note(n.to_string(), Ok("held".into()));
                    }
                    Err(error) => told.note(n.to_string(), Err(format!("{error:?}"))),
                }
            }
            told.answer()
        }
        // A stream that never ends: reads until the host ends it.
        "endless" => {
            let answer = debug(generate_stream(&request(model, order.text("text"))))?;
            let (mut pieces, mut bytes) = (0u64, 0usize);
            let ended = loop {
                match answer.next() {
                    Ok(Some(piece)) => {
                        pieces += 1;
                        bytes += piece.len();
                    }
                    Ok(None) => break "whole".to_owned(),
                    Err(error) => break format!("{error:?}"),
                }
            };
            json!({ "pieces": pieces, "bytes": bytes, "ended": ended })
        }
        "after-the-end" => {
            let answer = debug(generate_stream(&request(model, "end")))?;
            let first = debug(answer.finish()).map(line);
            told([
                ("finish".to_owned(), first),
                ("finish again".to_owned(), debug(answer.finish()).map(line)),
                (
                    "next after it".to_owned(),
                    debug(answer.next()).map(|piece| format!("{piece:?}")),
                ),
            ])
        }
        other => return Err(format!("there is no act {other:?}")),
    })
}

kit::agent!(
    "model-agent",
    "package test:guest; world guest {
        include sandgate:plugin/agent@0.1.0;
        import sandgate:plugin/model@0.1.0;
    }",
    [Model],
    act
);
