//! Between the author's types and the generated ones.

use super::{
    Finish, Generated, Message, ModelError, Request, Speaker, Tool, ToolCall, Usage, host,
};

impl From<&Request> for host::GenerateRequest {
    fn from(request: &Request) -> Self {
        Self {
            model: request.model.clone(),
            messages: request.messages.iter().map(message).collect(),
            tools: request.tools.iter().map(tool).collect(),
            max_tokens: request.max_tokens,
            temperature_permille: request.temperature_permille,
            json_schema: request.json_schema.as_ref().map(ToString::to_string),
        }
    }
}

fn message(message: &Message) -> host::Message {
    host::Message {
        speaker: match message.speaker {
            Speaker::System => host::Speaker::System,
            Speaker::User => host::Speaker::User,
            Speaker::Assistant => host::Speaker::Assistant,
            Speaker::Tool => host::Speaker::Tool,
        },
        text: message.text.clone(),
        tool_calls: message
            .tool_calls
            .iter()
            .map(|call| host::ToolCall {
                id: call.id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
            })
            .collect(),
        answers: message.answers.clone(),
    }
}

fn tool(tool: &Tool) -> host::Tool {
    host::Tool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: tool.parameters.to_string(),
    }
}

impl From<host::Generated> for Generated {
    fn from(answer: host::Generated) -> Self {
        Self {
            text: answer.text,
            tool_calls: answer
                .tool_calls
                .into_iter()
                .map(|call| ToolCall {
                    id: call.id,
                    name: call.name,
                    arguments: call.arguments,
                })
                .collect(),
            finish: match answer.finish {
                host::Finish::Stop => Finish::Stop,
                host::Finish::Length => Finish::Length,
                host::Finish::Tools => Finish::Tools,
                host::Finish::Refused => Finish::Refused,
            },
            usage: Usage {
                input_tokens: answer.usage.input_tokens,
                output_tokens: answer.usage.output_tokens,
                micros: answer.usage.micros,
                estimated: answer.usage.estimated,
            },
            model: answer.model,
        }
    }
}

impl From<host::ModelError> for ModelError {
    fn from(error: host::ModelError) -> Self {
        match error {
            host::ModelError::NotGranted(text) => Self::NotGranted(text),
            host::ModelError::NotApproved(text) => Self::NotApproved(text),
            host::ModelError::Budget(text) => Self::Budget(text),
            host::ModelError::Limit(text) => Self::Limit(text),
            host::ModelError::Invalid(text) => Self::Invalid(text),
            host::ModelError::Unavailable(text) => Self::Unavailable(text),
            host::ModelError::BadAnswer(text) => Self::BadAnswer(text),
            host::ModelError::Host(text) => Self::Host(text),
        }
    }
}
