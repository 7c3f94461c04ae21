//! Tokens, and the stream of them that nom's combinators work on.

use std::cell::{Cell, RefCell};
use std::iter::{Cloned, Enumerate};
use std::slice::Iter;

use nom::{IResult, Input, Needed};

use crate::error::Error;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    /// A keyword or an identifier.
    Word,
    /// An identifier in backquotes, unescaped.
    Quoted(String),
    /// A string, unescaped.
    String(String),
    Number,
    Symbol,
}

/// A token and its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Token<'a> {
    pub kind: TokenKind,
    pub text: &'a str,
    /// Byte offset in the statement.
    pub at: usize,
}

/// What the parser has learned on its way, right turns and wrong ones.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many tokens the farthest attempt had accepted, and what it would have liked next.
    farthest: Cell<usize>,
    expected: RefCell<Vec<&'static str>>,
    /// The statement being parsed, for messages.
    pub context: Cell<Option<&'static str>>,
    /// An error that ends the parsing at once.
    pub fatal: RefCell<Option<Error>>,
}

/// The rest of a statement's tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'a> {
    pub statement: &'a str,
    all: &'a [Token<'a>],
    position: usize,
    progress: &'a Progress,
}

/// A parser's result. The reason for a failure is kept in [`Progress`].
pub(super) type Parsed<'a, T> = IResult<Tokens<'a>, T, Failed>;

/// An attempt that did not fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Failed;

impl<I> nom::error::ParseError<I> for Failed {
    fn from_error_kind(_: I, _: nom::error::ErrorKind) -> Self {
        Failed
    }

    fn append(_: I, _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

impl<'a> Tokens<'a> {
    pub(super) fn new(statement: &'a str, all: &'a [Token<'a>], progress: &'a Progress) -> Self {
        Self {
            statement,
            all,
            position: 0,
            progress,
        }
    }

    /// The next token.
    pub(super) fn first(&self) -> Option<&'a Token<'a>> {
        self.all.get(self.position)
    }

    /// All tokens from here on.
    pub(super) fn rest(&self) -> &'a [Token<'a>] {
        &self.all[self.position..]
    }

    /// Where the next token begins.
    pub(super) fn at(&self) -> usize {
        self.first().map_or(self.statement.len(), |token| token.at)
    }

    /// Behind all tokens.
    pub(super) fn end(&self) -> Self {
        Self {
            position: self.all.len(),
            ..*self
        }
    }

    /// Accepts the next token.
    pub(super) fn accept<T>(self, value: T) -> Parsed<'a, T> {
        Ok((
            Self {
                position: self.position + 1,
                ..self
            },
            value,
        ))
    }

    /// Says what would have fitted here.
    pub(super) fn expected<T>(self, what: &'static str) -> Parsed<'a, T> {
        let progress = self.progress;
        if self.position > progress.farthest.get() {
            progress.farthest.set(self.position);
            progress.expected.borrow_mut().clear();
        }
        if self.position == progress.farthest.get() {
            let mut expected = progress.expected.borrow_mut();
            if !expected.contains(&what) {
                expected.push(what);
            }
        }
        Err(nom::Err::Error(Failed))
    }

    /// Ends the parsing with `error`.
    pub(super) fn fatal<T>(self, error: Error) -> Parsed<'a, T> {
        self.progress.fatal.borrow_mut().get_or_insert(error);
        Err(nom::Err::Failure(Failed))
    }

    /// Names the statement for messages.
    pub(super) fn enter(&self, context: &'static str) {
        self.progress.context.set(Some(context));
    }
}

impl Progress {
    /// How far the parser came: the first token that fits nothing, and what would have fitted there.
    pub(super) fn farthest<'a>(
        &self,
        all: &'a [Token<'a>],
    ) -> (Option<&'a Token<'a>>, Vec<&'static str>) {
        (all.get(self.farthest.get()), self.expected.borrow().clone())
    }
}

impl<'a> Input for Tokens<'a> {
    type Item = Token<'a>;
    type Iter = Cloned<Iter<'a, Token<'a>>>;
    type IterIndices = Enumerate<Self::Iter>;

    fn input_len(&self) -> usize {
        self.all.len() - self.position
    }

    fn take(&self, count: usize) -> Self {
        Self {
            all: &self.all[..self.position + count],
            ..*self
        }
    }

    fn take_from(&self, count: usize) -> Self {
        Self {
            position: self.position + count,
            ..*self
        }
    }

    fn take_split(&self, count: usize) -> (Self, Self) {
        (self.take_from(count), self.take(count))
    }

    fn position<P: Fn(Self::Item) -> bool>(&self, predicate: P) -> Option<usize> {
        self.rest()
            .iter()
            .position(|token| predicate(token.clone()))
    }

    fn iter_elements(&self) -> Self::Iter {
        self.rest().iter().cloned()
    }

    fn iter_indices(&self) -> Self::IterIndices {
        self.iter_elements().enumerate()
    }

    fn slice_index(&self, count: usize) -> Result<usize, Needed> {
        if count <= self.input_len() {
            Ok(count)
        } else {
            Err(Needed::new(count - self.input_len()))
        }
    }
}
