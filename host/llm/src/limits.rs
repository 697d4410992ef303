//! The host's caps on one generation. A provider's answer is hostile input: each thing it can make long has a number here.

/// Caps on one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request, as sent. Reserved budgets count a token per byte, so this bounds them too.
    pub request_bytes: usize,
    /// Most messages of a conversation.
    pub messages: usize,
    /// Most tools on offer, and most tools one answer may want.
    pub tools: usize,
    /// Most tokens of an answer, whatever was asked for.
    pub output_tokens: u32,
    /// Tokens of an answer when nothing was asked for.
    pub output_tokens_default: u32,
    /// Most bytes of a response, with everything that is thrown away.
    pub answer_bytes: usize,
    /// Most bytes of text and arguments of tools together that are kept.
    pub text_bytes: usize,
    /// Longest single event of a stream.
    pub event_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Above what models of today read at a sensible price; four requests fit into a guest's memory.
            request_bytes: 1 << 20,
            messages: 1_000,
            // The smallest limit among the large providers.
            tools: 128,
            output_tokens: 16_384,
            output_tokens_default: 4_096,
            // A stream repeats about 200 bytes around each token.
            answer_bytes: 16 << 20,
            // What one host call may move into a guest.
            text_bytes: 512 << 10,
            event_bytes: 256 << 10,
        }
    }
}
