//! Our tokens as those of DataFusion's parser, so that strings, names and numbers mean the same in a
//! query as everywhere else.

use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word};

use super::keywords::only_keywords;
use super::{branches, from_first, lateral, window};
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
    out = window::exclusions(out);
    out = null_patterns(out);
    out = versioned_tables(out);
    out = lateral::joined(out)?;
    out = from_first::select_first(out);
    only_keywords(&mut out);
    out = branches::in_parentheses(out);
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

/// Marks the arguments of a table that stand for a point in its history.
pub(super) const AS_OF: &str = "__as_of";

/// `t VERSION AS OF n` reads like a call with arguments, `t('__as_of', 'version', n)`: the planner's parser
/// knows calls in FROM, and takes any expression there. `BETWEEN a AND b` has one argument more.
fn versioned_tables(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let Some((kind, points, behind)) = version_clause(rest).filter(|_| follows_table(&out))
        else {
            out.push(first.clone());
            rest = after;
            continue;
        };
        let mut push = |token| {
            out.push(TokenWithSpan {
                token,
                span: first.span,
            });
        };
        push(Token::LParen);
        push(Token::SingleQuotedString(AS_OF.to_owned()));
        push(Token::Comma);
        push(Token::SingleQuotedString(kind.to_owned()));
        for point in points {
            push(Token::Comma);
            point.iter().for_each(|token| push(token.token.clone()));
        }
        push(Token::RParen);
        rest = behind;
    }
    out
}

pub(super) fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// The tokens of `(…)` at the beginning, and what stands behind.
pub(super) fn parenthesized(
    tokens: &[TokenWithSpan],
) -> Option<(&[TokenWithSpan], &[TokenWithSpan])> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return (at > 0).then(|| tokens.split_at(at + 1));
        }
    }
    None
}

/// Whether what was read ends in the name of a table in FROM.
fn follows_table(before: &[TokenWithSpan]) -> bool {
    let mut before = before;
    loop {
        let Some((Token::Word(_), rest)) =
            before.split_last().map(|(last, rest)| (&last.token, rest))
        else {
            return false;
        };
        match rest.split_last() {
            Some((last, rest)) if last.token == Token::Period => before = rest,
            Some((last, _)) => {
                return last.token == Token::Comma
                    || last.token == Token::LParen
                    || is_word(last, "from")
                    || is_word(last, "join");
            }
            None => return false,
        }
    }
}

type Clause<'a> = (&'static str, Vec<&'a [TokenWithSpan]>, &'a [TokenWithSpan]);

/// `VERSION|TIMESTAMP AS OF a`, `VERSION|TIMESTAMP BETWEEN a AND b`, and what stands behind it.
fn version_clause(tokens: &[TokenWithSpan]) -> Option<Clause<'_>> {
    let kind = ["version", "timestamp"]
        .into_iter()
        .find(|kind| is_word(&tokens[0], kind))?;
    if is_word(tokens.get(1)?, "as") && is_word(tokens.get(2)?, "of") {
        let (point, rest) = point_in_time(&tokens[3..])?;
        return Some((kind, vec![point], rest));
    }
    if !is_word(tokens.get(1)?, "between") {
        return None;
    }
    let (start, rest) = point_in_time(&tokens[2..])?;
    let rest = rest.split_first().filter(|(and, _)| is_word(and, "and"))?.1;
    let (end, rest) = point_in_time(rest)?;
    Some((kind, vec![start, end], rest))
}

/// The extent of `'…'`, `10`, `TIMESTAMP '…'`, `f(…)`, `(…)`, and sums and differences of these.
fn point_in_time(tokens: &[TokenWithSpan]) -> Option<(&[TokenWithSpan], &[TokenWithSpan])> {
    let mut at = 0;
    loop {
        while tokens.get(at)?.token == Token::Minus {
            at += 1;
        }
        if matches!(tokens.get(at)?.token, Token::Word(_)) {
            at += 1;
        }
        match tokens.get(at)?.token {
            Token::LParen => at += parenthesized(&tokens[at..])?.0.len(),
            Token::Number(..) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => {
                at += 1;
            }
            _ => return None,
        }
        match tokens.get(at).map(|token| &token.token) {
            Some(Token::Plus | Token::Minus) => at += 1,
            _ => return Some(tokens.split_at(at)),
        }
    }
}

/// `a RLIKE NULL`: the planner's parser takes NULL for a word of its own, and not for the pattern.
fn null_patterns(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let is_pattern = is_word(&token, "null")
            && out
                .last()
                .is_some_and(|last| is_word(last, "rlike") || is_word(last, "regexp"));
        let span = token.span;
        let parenthesis = |token| TokenWithSpan { token, span };
        out.extend(is_pattern.then(|| parenthesis(Token::LParen)));
        out.push(token);
        out.extend(is_pattern.then(|| parenthesis(Token::RParen)));
    }
    out
}

/// Inside OVER, DISTRIBUTE BY means PARTITION BY and SORT BY means ORDER BY.
fn window_synonyms(tokens: &mut [TokenWithSpan]) {
    let mut depth: Option<usize> = None;
    for at in 1..tokens.len() {
        let is_by = tokens.get(at + 1).is_some_and(|next| is_word(next, "by"));
        let opens = is_word(&tokens[at - 1], "over");
        let current = &mut tokens[at];
        match (&current.token, depth) {
            (Token::LParen, None) if opens => depth = Some(0),
            (Token::LParen, Some(inner)) => depth = Some(inner + 1),
            (Token::RParen, Some(0)) => depth = None,
            (Token::RParen, Some(inner)) => depth = Some(inner - 1),
            (_, Some(0)) if is_by && is_word(current, "distribute") => {
                current.token = Token::make_keyword("PARTITION");
            }
            (_, Some(0)) if is_by && is_word(current, "sort") => {
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
