//! One of each.

use crate::bindings::sandgate::plugin::{artifacts, budget, command, model, question};
use kit::{Order, Value, debug, told};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

pub fn act(order: &Order) -> Result<Value, String> {
    let url = order.text("authority");
    Ok(told([
        ("files".to_owned(), files()),
        (
            "http".to_owned(),
            http(if url.is_empty() { "127.0.0.1:1" } else { url }),
        ),
        ("command".to_owned(), run()),
        ("model".to_owned(), generate()),
        (
            "budget".to_owned(),
            debug(budget::charge_now("everything", u64::MAX)).map(|()| "charged".into()),
        ),
        ("question".to_owned(), ask()),
        (
            "artifacts".to_owned(),
            debug(artifacts::write("loot", "text/plain", b"x")).map(|()| "written".into()),
        ),
    ]))
}

fn files() -> Result<String, String> {
    let roots = wasip2::filesystem::preopens::get_directories();
    match roots.is_empty() {
        true => Err("no directory".to_owned()),
        false => Ok(roots
            .into_iter()
            .map(|(_, path)| path)
            .collect::<Vec<_>>()
            .join(",")),
    }
}

fn http(authority: &str) -> Result<String, String> {
    let request = OutgoingRequest::new(Fields::new());
    debug(request.set_scheme(Some(&Scheme::Http)))?;
    debug(request.set_authority(Some(authority)))?;
    debug(request.set_path_with_query(Some("/")))?;
    let coming = debug(outgoing_handler::handle(request, None))?;
    coming.subscribe().block();
    match coming.get() {
        Some(Ok(Ok(response))) => Ok(response.status().to_string()),
        other => Err(format!(
            "{:?}",
            other.map(|answer| answer.map(|answer| answer.err()))
        )),
    }
}

fn run() -> Result<String, String> {
    let request = command::CommandRequest {
        program: "sh".into(),
        args: vec!["-c".into(), "id".into()],
        cwd: None,
    };
    debug(command::run_command(&request)).map(|done| format!("{:?}", done.ending))
}

fn generate() -> Result<String, String> {
    let request = model::GenerateRequest {
        model: "any/model".into(),
        messages: Vec::new(),
        tools: Vec::new(),
        max_tokens: None,
        temperature_permille: None,
        json_schema: None,
    };
    debug(model::generate(&request)).map(|answer| answer.text)
}

fn ask() -> Result<String, String> {
    let question = question::Ask {
        text: "What is the password?".into(),
        choices: Vec::new(),
        default_answer: Some("secret".into()),
        timeout_ms: Some(1),
    };
    debug(question::ask_person(&question))
}
