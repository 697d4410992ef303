//! An answer from its pieces, in the same way for both protocols.

use super::bad;
use crate::{Finish, Limits, ModelError, ToolCall, meter::Claim, text::quoted, validate};
use std::collections::{BTreeSet, VecDeque};

/// Longest name of a tool that is kept; longer than any that can be on offer.
const NAME_MAX: usize = 256;

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Assembler {
    limits: Limits,
    text: String,
    pieces: VecDeque<String>,
    tools: Vec<Part>,
    /// Bytes of text and arguments so far, with what is not kept, such as thoughts.
    visible: usize,
    /// Bytes of text, names and arguments that are kept.
    kept: usize,
    finish: Option<Finish>,
    refused: bool,
    ended: bool,
    said_no: bool,
    model: String,
    pub(crate) claim: Claim,
}

/// A call of a tool, as far as it has come.
#[derive(Debug)]
struct Part {
    index: u64,
    id: String,
    name: String,
    arguments: String,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) text: String,
    pub(crate) tool_calls: Vec<ToolCall>,
    pub(crate) finish: Finish,
    pub(crate) model: String,
}

impl Assembler {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            text: String::new(),
            pieces: VecDeque::new(),
            tools: Vec::new(),
            visible: 0,
            kept: 0,
            finish: None,
            refused: false,
            ended: false,
            said_no: false,
            model: String::new(),
            claim: Claim::default(),
        }
    }

    /// The next piece of text that came.
    pub(crate) fn piece(&mut self) -> Option<String> {
        self.pieces.pop_front()
    }

    /// Bytes that the model made, as far as anybody can see.
    pub(crate) fn visible(&self) -> usize {
        self.visible
    }

    /// Whether the provider said that nothing follows.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether the provider broke off with an error of its own.
    pub(crate) fn said_no(&self) -> bool {
        self.said_no
    }

    /// The provider broke off with an error of its own.
    pub(super) fn error(&mut self, why: &str) -> ModelError {
        self.said_no = true;
        ModelError::Unavailable(format!("the provider broke off: {why}"))
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), ModelError> {
        if text.is_empty() {
            return Ok(());
        }
        self.keep(text.len())?;
        self.text.push_str(text);
        self.pieces.push_back(text.to_owned());
        Ok(())
    }

    /// What a model made and nobody gets, such as its thoughts.
    pub(super) fn unseen(&mut self, text: &str) {
        self.visible = self.visible.saturating_add(text.len());
    }

    /// A piece of a call of a tool. Id and name may come whole in the first piece or in any later one.
    pub(super) fn tool(
        &mut self,
        index: u64,
        id: &str,
        name: &str,
        arguments: &str,
    ) -> Result<(), ModelError> {
        let length = [id, name, arguments].iter().map(|t| t.len()).sum();
        self.keep(length)?;
        let at = match self.tools.iter().position(|part| part.index == index) {
            Some(at) => at,
            None => {
                if self.tools.len() >= self.limits.tools {
                    return Err(bad(&format!("wants more than {} tools", self.limits.tools)));
                }
                self.tools.push(Part {
                    index,
                    id: String::new(),
                    name: String::new(),
                    arguments: String::new(),
                });
                self.tools.len().saturating_sub(1)
            }
        };
        let Some(part) = self.tools.get_mut(at) else {
            return Ok(());
        };
        for (have, new, what) in [(&mut part.id, id, "id"), (&mut part.name, name, "name")] {
            if have.is_empty() {
                new.clone_into(have);
            } else if !new.is_empty() && have != new {
                return Err(bad(&format!("gives one call of a tool a second {what}")));
            }
        }
        part.arguments.push_str(arguments);
        Ok(())
    }

    pub(super) fn finish(&mut self, finish: Finish) -> Result<(), ModelError> {
        if self.finish.is_some_and(|before| before != finish) {
            return Err(bad("stops for two reasons"));
        }
        self.finish = Some(finish);
        Ok(())
    }

    /// The model refused in words of its own, whatever reason for stopping follows.
    pub(super) fn refuse(&mut self) {
        self.refused = true;
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn model(&mut self, name: &str) {
        if self.model.is_empty() {
            self.model = quoted(name);
        }
    }

    fn keep(&mut self, bytes: usize) -> Result<(), ModelError> {
        self.visible = self.visible.saturating_add(bytes);
        self.kept = self.kept.saturating_add(bytes);
        if self.kept > self.limits.text_bytes {
            return Err(bad(&format!(
                "is longer than {} bytes of text",
                self.limits.text_bytes
            )));
        }
        Ok(())
    }

    /// The whole answer, when all of it came. `document`: the tool through which a document comes; its arguments are
    /// the text then.
    pub(crate) fn whole(&mut self, document: Option<&str>) -> Result<Whole, ModelError> {
        let Some(said) = self.finish else {
            return Err(bad("breaks off before its end"));
        };
        let mut text = std::mem::take(&mut self.text);
        let mut calls = Vec::new();
        let mut ids = BTreeSet::new();
        let mut documents = 0usize;
        // A model that was cut short has no whole arguments; they are thrown away, and the end says why.
        let parts = std::mem::take(&mut self.tools);
        let cut = said == Finish::Length;
        for (n, part) in parts.into_iter().enumerate() {
            if document == Some(part.name.as_str()) {
                documents = documents.saturating_add(1);
                text = part.arguments;
                continue;
            }
            if !cut {
                let call = call(n, part)?;
                if !ids.insert(call.id.clone()) {
                    return Err(bad("gives two calls of tools the same id"));
                }
                calls.push(call);
            }
        }
        if documents > 1 {
            return Err(bad("holds two documents"));
        }
        let finish = match said {
            _ if self.refused => Finish::Refused,
            Finish::Tools | Finish::Stop if !calls.is_empty() => Finish::Tools,
            // The only tool it wanted is the host's own.
            Finish::Tools if documents == 1 => Finish::Stop,
            Finish::Tools => return Err(bad("wants tools and names none")),
            other => other,
        };
        Ok(Whole {
            text,
            tool_calls: calls,
            finish,
            model: std::mem::take(&mut self.model),
        })
    }
}

fn call(n: usize, part: Part) -> Result<ToolCall, ModelError> {
    if part.name.is_empty() || part.name.len() > NAME_MAX {
        return Err(bad(
            "wants a tool without a name, or with one that is too long",
        ));
    }
    if part.id.len() > validate::CALL_ID_MAX {
        return Err(bad("has an id of a call that is too long"));
    }
    let arguments = validate::arguments(&part.arguments).map_err(|why| {
        bad(&format!(
            "wants the tool `{}`, whose arguments {why}",
            quoted(&part.name)
        ))
    })?;
    Ok(ToolCall {
        // Some servers leave the id out; the answer of the tool has to name something.
        id: if part.id.is_empty() {
            format!("call-{n}")
        } else {
            part.id
        },
        name: part.name,
        arguments: if part.arguments.trim().is_empty() {
            arguments.to_string()
        } else {
            part.arguments
        },
    })
}
