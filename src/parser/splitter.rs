//! Splits input into statements: the one splitter for terminal, `-e`, `-f` and pipe.
//!
//! A `;` outside of strings, backquotes and comments ends a statement. Comments (`-- …`, `/* … */`, and
//! lines whose first mark is `#`) are replaced by blanks, so that places in the statement stay true. The
//! scan is linear in the input, whatever the pieces it arrives in.

use super::lexer::{is_escaped, is_quote};

/// Longest statement, in bytes.
pub const STATEMENT_MAX: usize = 16 << 20;

/// Why a stretch of input is no statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitError {
    /// The input is not text; nothing after this point can be read as statements.
    NotText,
    /// The statement is longer than [`STATEMENT_MAX`]; it was skipped.
    TooLong { bytes: usize },
    /// The input ends in a comment; `line`, counted from 1, is where it begins.
    OpenComment { line: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Code,
    /// Inside a string or backquotes.
    Quoted(u8),
    LineComment,
    BlockComment,
}

/// See the module.
#[derive(Debug)]
pub struct Splitter {
    buffer: Vec<u8>,
    /// Everything before has been looked at.
    scanned: usize,
    mode: Mode,
    /// Only blanks were seen on this line.
    line_is_blank: bool,
    /// Bytes of the current statement that were dropped because it is too long.
    dropped: usize,
    /// The first bytes were looked at.
    has_begun: bool,
    /// Lines of the input that were scanned to their ends.
    lines: usize,
    /// `lines` where the last block comment began.
    comment_at: usize,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl Default for Splitter {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            scanned: 0,
            mode: Mode::Code,
            line_is_blank: true,
            dropped: 0,
            has_begun: false,
            lines: 0,
            comment_at: 0,
        }
    }
}

impl Splitter {
    /// Adds input.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if !self.has_begun {
            // The mark that some editors put before the text.
            if self.scanned == 0 && self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.buffer.drain(..BYTE_ORDER_MARK.len());
            }
            self.has_begun = self.buffer.len() >= BYTE_ORDER_MARK.len();
        }
    }

    /// The next statement that is complete; empty ones are passed over.
    pub fn next_complete(&mut self) -> Option<Result<String, SplitError>> {
        while let Some(end) = self.scan(false) {
            if let Some(statement) = self.take(end, end + 1) {
                return Some(statement);
            }
        }
        None
    }

    /// At the end of the input: what is left, as a statement without its `;`.
    pub fn finish(&mut self) -> Option<Result<String, SplitError>> {
        if let Some(end) = self.scan(true) {
            return match self.take(end, end + 1) {
                Some(statement) => Some(statement),
                None => self.finish(),
            };
        }
        if self.mode == Mode::BlockComment {
            let line = self.comment_at + 1;
            self.clear();
            return Some(Err(SplitError::OpenComment { line }));
        }
        let end = self.buffer.len();
        self.take(end, end)
    }

    /// Whether nothing but blanks and comments is waiting for its `;`.
    pub fn is_blank(&self) -> bool {
        self.mode == Mode::Code && self.dropped == 0 && self.buffer.trim_ascii().is_empty()
    }

    /// Forgets an unfinished statement.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Moves on to the next `;` and returns its place; `None` where the input ends first.
    fn scan(&mut self, at_end: bool) -> Option<usize> {
        while self.scanned < self.buffer.len() {
            let at = self.scanned;
            let byte = self.buffer[at];
            let next = self.buffer.get(at + 1).copied();
            // A pair of bytes may mean something else than its first.
            let undecided = next.is_none() && !at_end;
            let mut width = 1;
            match self.mode {
                Mode::Code => match byte {
                    b';' => {
                        self.scanned += 1;
                        return Some(at);
                    }
                    _ if is_quote(byte) => self.mode = Mode::Quoted(byte),
                    b'-' | b'/' if undecided => break,
                    b'-' if next == Some(b'-') => self.begin_comment(Mode::LineComment),
                    b'/' if next == Some(b'*') => {
                        self.begin_comment(Mode::BlockComment);
                        self.comment_at = self.lines;
                        self.buffer[at + 1] = b' ';
                        width = 2;
                    }
                    b'#' if self.line_is_blank => self.begin_comment(Mode::LineComment),
                    _ => {}
                },
                Mode::Quoted(quote) => {
                    if is_escaped(byte, quote) {
                        if undecided {
                            break;
                        }
                        width = 2;
                    } else if byte == quote {
                        self.mode = Mode::Code;
                    }
                }
                Mode::LineComment if byte == b'\n' => self.mode = Mode::Code,
                Mode::BlockComment if byte == b'*' && undecided => break,
                Mode::BlockComment if byte == b'*' && next == Some(b'/') => {
                    self.mode = Mode::Code;
                    self.buffer[at..at + 2].fill(b' ');
                    width = 2;
                }
                Mode::LineComment | Mode::BlockComment => {
                    if byte != b'\n' {
                        self.buffer[at] = b' ';
                    }
                }
            }
            let ends_line = byte == b'\n' || (width == 2 && next == Some(b'\n'));
            self.lines += usize::from(ends_line);
            self.line_is_blank =
                byte == b'\n' || (self.line_is_blank && byte.is_ascii_whitespace());
            self.scanned = (at + width).min(self.buffer.len());
            if self.scanned > STATEMENT_MAX {
                self.dropped += self.scanned;
                self.buffer.drain(..self.scanned);
                self.scanned = 0;
            }
        }
        None
    }

    fn begin_comment(&mut self, mode: Mode) {
        self.mode = mode;
        self.buffer[self.scanned] = b' ';
    }

    /// Takes the statement that ends before `end` and drops everything before `next`.
    fn take(&mut self, end: usize, next: usize) -> Option<Result<String, SplitError>> {
        let mut bytes: Vec<u8> = self.buffer.drain(..next).collect();
        self.scanned = 0;
        bytes.truncate(end);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            return Some(Err(SplitError::TooLong {
                bytes: dropped + bytes.len(),
            }));
        }
        let trimmed = bytes.trim_ascii();
        if trimmed.is_empty() {
            return None;
        }
        if trimmed.contains(&0) {
            return Some(Err(SplitError::NotText));
        }
        Some(String::from_utf8(trimmed.to_vec()).map_err(|_| SplitError::NotText))
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use proptest::prelude::*;

    use super::*;

    fn split(text: &str) -> Vec<String> {
        let pieces = split_in_pieces(text, text.len().max(1));
        pieces
            .into_iter()
            .map(|piece| piece.expect("text"))
            .collect()
    }

    fn split_in_pieces(text: &str, size: usize) -> Vec<Result<String, SplitError>> {
        let mut splitter = Splitter::default();
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            splitter.push(piece);
            found.extend(iter::from_fn(|| splitter.next_complete()));
        }
        found.extend(iter::from_fn(|| splitter.finish()));
        found
    }

    #[test]
    fn cases_of_the_original_client() {
        assert_eq!(split("; ; ; ;"), Vec::<String>::new());
        assert_eq!(
            split("ls resources;\nselect * from t1;"),
            ["ls resources", "select * from t1"]
        );
        assert_eq!(
            split("code1;--comment\ncode2--comment\ncode3"),
            ["code1", "code2         \ncode3"]
        );
        assert_eq!(split("### c\ncode\n### c;\n;"), ["code"]);
        assert_eq!(
            split("select \"a;\\\";b\"; x"),
            ["select \"a;\\\";b\"", "x"]
        );
    }

    #[test]
    fn quotes_backquotes_and_comments_hide_the_semicolon() {
        assert_eq!(
            split("select ';' -- ;\n, `;` /* ; ' */;x"),
            ["select ';'     \n, `;`", "x"]
        );
        assert_eq!(split("a #b; c"), ["a #b", "c"]);
        assert_eq!(split("select 'a\\';'"), ["select 'a\\';'"]);
    }

    #[test]
    fn a_comment_that_is_not_closed_is_named() {
        let mut splitter = Splitter::default();
        splitter.push(b"select 1;\nselect 2 /* closed */\n, 3 /* open ;\nselect 4;");
        assert_eq!(splitter.next_complete(), Some(Ok("select 1".into())));
        assert_eq!(splitter.next_complete(), None);
        let line = 3;
        assert_eq!(
            splitter.finish(),
            Some(Err(SplitError::OpenComment { line }))
        );
        assert_eq!(splitter.finish(), None);
    }

    #[test]
    fn a_statement_that_is_too_long_is_skipped_and_named() {
        let mut splitter = Splitter::default();
        splitter.push(b"select '");
        for _ in 0..40 {
            splitter.push(&vec![b'x'; 1 << 20]);
            assert!(splitter.next_complete().is_none());
        }
        splitter.push(b"'; select 1;");
        assert!(
            matches!(splitter.next_complete(), Some(Err(SplitError::TooLong { bytes })) if bytes > 40 << 20)
        );
        assert_eq!(splitter.next_complete(), Some(Ok("select 1".into())));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for junk in [&b"select \xff;"[..], b"a\0b;"] {
            let mut splitter = Splitter::default();
            splitter.push(junk);
            assert_eq!(splitter.next_complete(), Some(Err(SplitError::NotText)));
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[-;'\"`#a/* \n\\\\]{0,40}", size in 1usize..7) {
            prop_assert_eq!(split_in_pieces(&text, size), split_in_pieces(&text, 40));
        }
    }
}
