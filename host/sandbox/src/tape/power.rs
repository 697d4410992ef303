//! The words of the ports on a tape.

use super::word::{Blob, cases, record};
use super::{Put, Reader, Word};
use crate::power::{
    ChargeFailure, CommandEnding, CommandFailure, CommandRequest, Finish, FinishedCommand,
    GenerateRequest, Generated, HttpFailure, HttpTimes, Message, ModelFailure, PersonAsk,
    QuestionFailure, Speaker, Tool, ToolCall, Usage,
};
use std::time::Duration;

impl Put for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        (self.as_secs(), self.subsec_nanos()).put(out);
    }
}

impl Word for Duration {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        let (seconds, nanos) = <(u64, u32)>::get(from)?;
        // More nanoseconds than a second has would carry, and could overflow.
        (nanos < 1_000_000_000).then(|| Self::new(seconds, nanos))
    }
}

record!(CommandRequest { program, args, cwd });
cases!(CommandEnding { 0 => Exit(code), 1 => Signal(signal), 2 => TimedOut(after) });
cases!(CommandFailure {
    0 => NotGranted(why), 1 => NotApproved(why), 2 => NotContained(why), 3 => NotStarted(why), 4 => Limit(why),
    5 => Host(why), 6 => Suspended,
});

impl Put for FinishedCommand {
    fn put(&self, out: &mut Vec<u8>) {
        self.ending.put(out);
        self.stdout.as_slice().put(out);
        self.stderr.as_slice().put(out);
        (self.dropped, self.took).put(out);
    }
}

impl Word for FinishedCommand {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        let (ending, Blob(stdout), Blob(stderr), dropped, took) = Word::get(from)?;
        Some(Self {
            ending,
            stdout,
            stderr,
            dropped,
            took,
        })
    }
}

cases!(HttpFailure {
    0 => Denied(why), 1 => Resolve(why), 2 => Connect(why), 3 => Timeout(why), 4 => TooLarge(why), 5 => Protocol(why),
    6 => Host(why), 7 => Suspended,
});
record!(HttpTimes {
    connect,
    first_byte,
    between_bytes
});

cases!(Speaker { 0 => System, 1 => User, 2 => Assistant, 3 => Tool });
record!(ToolCall {
    id,
    name,
    arguments
});
record!(Message {
    speaker,
    text,
    tool_calls,
    answers
});

impl Put for Tool {
    fn put(&self, out: &mut Vec<u8>) {
        (&self.name, &self.description, self.parameters.to_string()).put(out);
    }
}

impl Put for GenerateRequest {
    fn put(&self, out: &mut Vec<u8>) {
        (&self.model, &self.messages, &self.tools).put(out);
        let schema = self.json_schema.as_ref().map(ToString::to_string);
        (self.max_tokens, self.temperature_permille, schema).put(out);
    }
}

cases!(Finish { 0 => Stop, 1 => Length, 2 => Tools, 3 => Refused });
record!(Usage {
    input_tokens,
    output_tokens,
    micros,
    estimated
});
record!(Generated {
    text,
    tool_calls,
    finish,
    usage,
    model
});
cases!(ModelFailure {
    0 => NotGranted(why), 1 => NotApproved(why), 2 => Budget(why), 3 => Limit(why), 4 => Invalid(why),
    5 => Unavailable(why), 6 => BadAnswer(why), 7 => Host(why), 8 => Suspended,
});

cases!(ChargeFailure { 0 => Over(left), 1 => NotApproved(why), 2 => Host(why), 3 => Suspended });

record!(PersonAsk {
    text,
    choices,
    default,
    timeout
});
cases!(QuestionFailure {
    0 => Invalid(why), 1 => NoAnswer(why), 2 => Limit(why), 3 => Unavailable(why), 4 => Suspended,
});
