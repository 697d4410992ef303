//! Server-sent events, from pieces of bytes as they come. Must not wait or read by itself.

use crate::ModelError;
use std::collections::VecDeque;

/// Takes a stream apart.
#[derive(Debug)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: String,
    has_data: bool,
    /// A line ended with a carriage return: a line feed right after it belongs to it.
    after_return: bool,
    first_line: bool,
    max: usize,
    ready: VecDeque<String>,
}

impl Events {
    /// `max`: the longest line, and the longest event.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            line: Vec::new(),
            data: String::new(),
            has_data: false,
            after_return: false,
            first_line: true,
            max,
            ready: VecDeque::new(),
        }
    }

    /// The data of the next event that is whole. Names and ids of events are not used: both protocols repeat them
    /// inside of the data.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.ready.pop_front()
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        for &byte in bytes {
            let ends = match byte {
                b'\n' => !self.after_return,
                b'\r' => true,
                _ => {
                    if self.line.len() >= self.max {
                        return Err(self.too_long());
                    }
                    self.line.push(byte);
                    false
                }
            };
            self.after_return = byte == b'\r';
            if ends {
                self.end_line()?;
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), ModelError> {
        let line = std::mem::take(&mut self.line);
        let text = std::str::from_utf8(&line)
            .map_err(|_| ModelError::BadAnswer("the answer is not UTF-8".to_owned()))?;
        let text = if std::mem::take(&mut self.first_line) {
            text.trim_start_matches('\u{feff}')
        } else {
            text
        };
        if text.is_empty() {
            let data = std::mem::take(&mut self.data);
            if std::mem::take(&mut self.has_data) {
                self.ready.push_back(data);
            }
            return Ok(());
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            if self.data.len().saturating_add(value.len()) >= self.max {
                return Err(self.too_long());
            }
            if self.has_data {
                self.data.push('\n');
            }
            self.data.push_str(value);
            self.has_data = true;
        }
        Ok(())
    }

    fn too_long(&self) -> ModelError {
        ModelError::BadAnswer(format!(
            "one event of the answer is longer than {} bytes",
            self.max
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8], piece: usize) -> Result<Vec<String>, ModelError> {
        let mut events = Events::new(64);
        for part in bytes.chunks(piece.max(1)) {
            events.push(part)?;
        }
        Ok(std::iter::from_fn(|| events.next()).collect())
    }

    #[test]
    fn every_kind_of_line_end_and_field() {
        let text = "\u{feff}: hello\ndata: a\ndata:b\n\nevent: x\rdata:  c\r\rid: 1\r\n\r\ndata\r\n\r\ndata: cut";
        for piece in 1..8 {
            assert_eq!(all(text.as_bytes(), piece).unwrap(), ["a\nb", " c", ""]);
        }
    }

    #[test]
    fn long_lines_many_lines_and_bad_text_end_it() {
        assert!(all(&[b'x'; 65], 7).is_err());
        assert!(all("data: 0123456789\n".repeat(7).as_bytes(), 7).is_err());
        assert!(all(b"data: \xff\n\n", 3).is_err());
    }

    proptest! {
        /// Where the network cuts does not matter, and what is kept is bounded.
        #[test]
        fn pieces_do_not_matter(
            text in "(data: [a-c]{0,3}|:|event: x|\r|\n|\r\n){0,20}", piece in 1usize..9,
        ) {
            prop_assert_eq!(all(text.as_bytes(), piece), all(text.as_bytes(), usize::MAX));
        }
    }
}
