//! Our tokens as those of DataFusion's parser, so that strings, names and numbers mean the same in a
//! query as everywhere else.

use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word};

use crate::error::Result;
use crate::parser::{TokenKind, tokenize};

/// The tokens of `text`. Their locations are byte offsets, see [`offset`].
pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>> {
    let mut out: Vec<TokenWithSpan> = Vec::new();
    let mut joins = false;
    for token in tokenize(text)? {
        let end = token.at + token.text.len();
        let span = Span::new(location(token.at), location(end));
        let is_string = matches!(token.kind, TokenKind::String(_));
        let made = match token.kind {
            TokenKind::Word => Token::make_word(token.text, None),
            TokenKind::Quoted(name) => Token::Word(Word {
                value: name,
                quote_style: Some('`'),
                keyword: datafusion::sql::sqlparser::keywords::Keyword::NoKeyword,
            }),
            // Adjacent literals are one.
            TokenKind::String(value) if joins => {
                if let Some(TokenWithSpan {
                    token: Token::SingleQuotedString(before) | Token::DoubleQuotedString(before),
                    ..
                }) = out.last_mut()
                {
                    before.push_str(&value);
                }
                continue;
            }
            TokenKind::String(value) if token.text.starts_with('"') => {
                Token::DoubleQuotedString(value)
            }
            TokenKind::String(value) => Token::SingleQuotedString(value),
            TokenKind::Number => Token::Number(token.text.to_owned(), false),
            TokenKind::Symbol => symbol(token.text),
        };
        joins = is_string;
        out.push(TokenWithSpan { token: made, span });
    }
    let end = location(text.len());
    out.push(TokenWithSpan {
        token: Token::EOF,
        span: Span::new(end, end),
    });
    Ok(out)
}

fn location(offset: usize) -> Location {
    Location {
        line: 1,
        column: offset as u64 + 1,
    }
}

/// The byte offset a location stands for.
pub(in crate::engine) fn offset(location: Location) -> usize {
    (location.column as usize).saturating_sub(1)
}

fn symbol(text: &str) -> Token {
    match text {
        "(" => Token::LParen,
        ")" => Token::RParen,
        "[" => Token::LBracket,
        "]" => Token::RBracket,
        "{" => Token::LBrace,
        "}" => Token::RBrace,
        "," => Token::Comma,
        "." => Token::Period,
        ":" => Token::Colon,
        "::" => Token::DoubleColon,
        ";" => Token::SemiColon,
        "=" => Token::Eq,
        "==" => Token::DoubleEq,
        "<>" | "!=" => Token::Neq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "<=>" => Token::Spaceship,
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "%" => Token::Mod,
        "||" => Token::StringConcat,
        "|" => Token::Pipe,
        "&" => Token::Ampersand,
        "^" => Token::Caret,
        "~" => Token::Tilde,
        "!" => Token::ExclamationMark,
        "->" => Token::Arrow,
        "@" => Token::AtSign,
        "#" => Token::Sharp,
        "\\" => Token::Backslash,
        other => Token::Char(other.chars().next().unwrap_or(' ')),
    }
}
