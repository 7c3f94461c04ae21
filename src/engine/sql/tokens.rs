//! Our tokens as those of DataFusion's parser, so that strings, names and numbers mean the same in a
//! query as everywhere else.

use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word};

use crate::ast::Fragment;
use crate::error::Result;
use crate::parser::{TokenKind, tokenize};

/// The tokens of the fragments of a query. Their locations are byte offsets in the statement, see
/// [`offset`].
pub(super) fn tokens(fragments: &[Fragment]) -> Result<Vec<TokenWithSpan>> {
    let mut out: Vec<TokenWithSpan> = Vec::new();
    for fragment in fragments {
        push_tokens(fragment, &mut out)?;
    }
    let end = out.last().map_or(location(0), |last| last.span.end);
    window_synonyms(&mut out);
    out.push(TokenWithSpan {
        token: Token::EOF,
        span: Span::new(end, end),
    });
    Ok(out)
}

fn push_tokens(fragment: &Fragment, out: &mut Vec<TokenWithSpan>) -> Result<()> {
    let begin = fragment.at.0;
    let mut joins = false;
    for token in tokenize(&fragment.text).map_err(|error| error.moved_by(begin))? {
        let at = begin + token.at;
        let span = Span::new(location(at), location(at + token.text.len()));
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
    Ok(())
}

/// Inside OVER, DISTRIBUTE BY means PARTITION BY and SORT BY means ORDER BY.
fn window_synonyms(tokens: &mut [TokenWithSpan]) {
    let is_word = |token: &Token, word: &str| matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word));
    let mut depth: Option<usize> = None;
    for at in 1..tokens.len() {
        let (before, from) = tokens.split_at_mut(at);
        let Some(current) = from.first_mut() else {
            continue;
        };
        match (&current.token, depth) {
            (Token::LParen, None) if is_word(&before[at - 1].token, "over") => depth = Some(0),
            (Token::LParen, Some(inner)) => depth = Some(inner + 1),
            (Token::RParen, Some(0)) => depth = None,
            (Token::RParen, Some(inner)) => depth = Some(inner - 1),
            (found, Some(0)) if is_word(found, "distribute") => {
                current.token = Token::make_keyword("PARTITION");
            }
            (found, Some(0)) if is_word(found, "sort") => {
                current.token = Token::make_keyword("ORDER");
            }
            _ => {}
        }
    }
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
