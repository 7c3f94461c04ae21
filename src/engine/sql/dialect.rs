//! What DataFusion's parser has to know of MaxCompute's SQL.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, OrderByExpr, UnaryOperator,
};
use datafusion::sql::sqlparser::dialect::{Dialect, Precedence};
use datafusion::sql::sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::build::{binary, call, number, text};

/// Marks a message that is ours.
pub(super) const REFUSED: &str = "odps: ";
/// `CAST(value AS type)` as a function of the value and the type's text.
pub(super) const CAST: &str = "cast";
/// A HAVING condition with the SORT BY expressions behind it.
pub(super) const SORTED: &str = "__sorted";
pub(super) const DESCENDING: &str = "__descending";

/// See the module.
#[derive(Debug)]
pub(super) struct OdpsDialect;

impl Dialect for OdpsDialect {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.is_identifier_start(ch)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_group_by_with_modifier(&self) -> bool {
        true
    }

    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    fn supports_select_wildcard_replace(&self) -> bool {
        true
    }

    fn supports_select_item_multi_column_alias(&self) -> bool {
        true
    }

    fn is_column_alias(&self, keyword: &Keyword, _: &mut Parser<'_>) -> bool {
        // `FROM t QUALIFY … SELECT a`: they are no keywords where they are names.
        ![Keyword::QUALIFY, Keyword::WINDOW].contains(keyword)
            && !RESERVED_FOR_COLUMN_ALIAS.contains(keyword)
    }

    fn supports_from_first_select(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_bang_not_operator(&self) -> bool {
        true
    }

    fn supports_subquery_as_function_arg(&self) -> bool {
        false
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    fn supports_table_sample_before_alias(&self) -> bool {
        true
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let next = &parser.peek_nth_token_ref(1).token;
        match &parser.peek_token_ref().token {
            Token::Number(number, _) => {
                let data_type = suffix_type(number).or_else(|| {
                    // A whole number that is no BIGINT is a DOUBLE.
                    let is_whole = number.bytes().all(|byte| byte.is_ascii_digit());
                    (is_whole && number.parse::<i64>().is_err()).then_some("double")
                })?;
                let digits = number.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                let cast = call(CAST, [text(digits), text(data_type)]);
                parser.next_token();
                Some(Ok(cast))
            }
            Token::Tilde => {
                parser.next_token();
                let precedence = self.prec_value(Precedence::MulDivModOp);
                let operand = parser.parse_subexpr(precedence);
                // ~a = -a - 1.
                Some(operand.map(|expr| {
                    let op = UnaryOperator::Minus;
                    let expr = Box::new(Expr::Nested(Box::new(expr)));
                    binary(Expr::UnaryOp { op, expr }, BinaryOperator::Minus, number(1))
                }))
            }
            // `::f` is the builtin function, and there are no others.
            Token::DoubleColon => {
                parser.next_token();
                Some(parser.parse_prefix())
            }
            Token::AtSign => Some(refuse(parser, "variables, @name, are not supported yet")),
            Token::Word(word) if word.quote_style.is_none() => {
                let name = word.value.to_ascii_lowercase();
                match (name.as_str(), next) {
                    ("cast", Token::LParen) => Some(parse_cast(parser)),
                    ("trim", Token::LParen) => parse_trim_of_blanks(parser),
                    (
                        "date" | "datetime" | "timestamp" | "timestamp_ntz" | "binary" | "x",
                        Token::SingleQuotedString(value) | Token::DoubleQuotedString(value),
                    ) => {
                        let value = value.clone();
                        parser.next_token();
                        parser.next_token();
                        Some(Ok(match name.as_str() {
                            "x" => call("unhex", [text(&value)]),
                            name => call(CAST, [text(&value), text(name)]),
                        }))
                    }
                    // Names that the parser would take for constructs of other dialects.
                    (
                        "array" | "map" | "struct" | "date" | "datetime" | "timestamp" | "left"
                        | "right" | "replace" | "substr" | "user" | "ceil" | "floor" | "position"
                        | "convert" | "overlay" | "extract_all",
                        Token::LParen,
                    ) => {
                        let ident = Ident::with_span(parser.peek_token_ref().span, name);
                        parser.next_token();
                        Some(parser.parse_function(ObjectName::from(vec![ident])))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::Word(word)
                if matches!(word.keyword, Keyword::DISTRIBUTE | Keyword::SORT)
                    && is_by(parser)
                    && is_behind_having(parser) =>
            {
                Some(Ok(1))
            }
            Token::DoubleColon => Some(Ok(0)),
            _ => None,
        }
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let Token::Word(word) = &parser.peek_token_ref().token else {
            return None;
        };
        match word.keyword {
            Keyword::DIV => {
                parser.next_token();
                let precedence = self.prec_value(Precedence::MulDivModOp);
                let right = parser.parse_subexpr(precedence);
                Some(right.map(|right| Expr::BinaryOp {
                    left: Box::new(expr.clone()),
                    op: BinaryOperator::MyIntegerDivide,
                    right: Box::new(right),
                }))
            }
            Keyword::DISTRIBUTE | Keyword::SORT if is_by(parser) => {
                Some(parse_distribution(parser, expr))
            }
            _ => None,
        }
    }
}

fn refuse<T>(parser: &Parser<'_>, message: &str) -> Result<T, ParserError> {
    let at = parser.peek_token_ref().span.start;
    Err(ParserError::ParserError(format!(
        "{REFUSED}{message} at Line: {}, Column: {}",
        at.line, at.column
    )))
}

/// The type a number's suffix gives it; `None` for a plain number.
fn suffix_type(number: &str) -> Option<&'static str> {
    let lower = number.to_ascii_lowercase();
    if lower.ends_with("bd") {
        return Some("decimal");
    }
    match lower.bytes().last()? {
        b'l' => Some("bigint"),
        b's' => Some("smallint"),
        b'y' => Some("tinyint"),
        b'f' => Some("float"),
        b'd' => Some("double"),
        _ => None,
    }
}

/// `CAST(expr AS type)`: the type is read by our own parser later.
fn parse_cast(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let span = parser.peek_token_ref().span;
    parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let value = parser.parse_expr()?;
    parser.expect_keyword(Keyword::AS)?;
    let mut data_type = String::new();
    let mut open = 0usize;
    loop {
        let token = parser.next_token();
        match &token.token {
            Token::LParen => open += 1,
            Token::RParen if open == 0 => break,
            Token::RParen => open -= 1,
            Token::EOF => return parser.expected_ref("a type", &token),
            _ => {}
        }
        if !data_type.is_empty() {
            data_type.push(' ');
        }
        data_type.push_str(&token.token.to_string());
    }
    let mut made = call(CAST, [value, text(&data_type)]);
    if let Expr::Function(function) = &mut made {
        function.name = ObjectName::from(vec![Ident::with_span(span, CAST)]);
    }
    Ok(made)
}

/// `TRIM([LEADING | TRAILING | BOTH] FROM value)`; `None` where it says what to trim.
fn parse_trim_of_blanks(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    let keyword = |at| match &parser.peek_nth_token_ref(at).token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    };
    let (name, width) = match (keyword(2), keyword(3)) {
        (Keyword::FROM, _) => ("trim", 3),
        (Keyword::BOTH, Keyword::FROM) => ("trim", 4),
        (Keyword::LEADING, Keyword::FROM) => ("ltrim", 4),
        (Keyword::TRAILING, Keyword::FROM) => ("rtrim", 4),
        _ => return None,
    };
    for _ in 0..width {
        parser.next_token();
    }
    let value = parser.parse_expr();
    Some(value.and_then(|value| {
        parser.expect_token(&Token::RParen)?;
        Ok(call(name, [value]))
    }))
}

fn is_by(parser: &Parser<'_>) -> bool {
    matches!(&parser.peek_nth_token_ref(1).token, Token::Word(word) if word.keyword == Keyword::BY)
}

/// Whether the clause being parsed is HAVING: DataFusion's parser knows DISTRIBUTE BY and SORT BY only
/// before it.
fn is_behind_having(parser: &Parser<'_>) -> bool {
    let mut depth = 0usize;
    let mut index = parser.get_current_index() + 1;
    while index > 0 {
        index -= 1;
        match &parser.token_at(index).token {
            Token::RParen => depth += 1,
            Token::LParen if depth == 0 => return false,
            Token::LParen => depth -= 1,
            Token::Word(word) if depth == 0 => match word.keyword {
                Keyword::HAVING => return true,
                Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::GROUP => return false,
                _ => {}
            },
            _ => {}
        }
    }
    false
}

/// `condition DISTRIBUTE BY … SORT BY …`: the order is kept, the distribution has nothing to say here.
fn parse_distribution(parser: &mut Parser<'_>, condition: &Expr) -> Result<Expr, ParserError> {
    let mut arguments = vec![condition.clone()];
    if parser.parse_keywords(&[Keyword::DISTRIBUTE, Keyword::BY]) {
        parser.parse_comma_separated(Parser::parse_expr)?;
    }
    if parser.parse_keywords(&[Keyword::SORT, Keyword::BY]) {
        for OrderByExpr { expr, options, .. } in
            parser.parse_comma_separated(Parser::parse_order_by_expr)?
        {
            arguments.push(match options.asc {
                Some(false) => call(DESCENDING, [expr]),
                _ => expr,
            });
        }
    }
    Ok(call(SORTED, arguments))
}
