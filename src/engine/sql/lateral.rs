//! LATERAL VIEW, wherever a FROM has it: its tokens become a join that DataFusion's parser reads, and the join becomes the node
//! that the planner of relations takes apart. Manual page: "Lateral view".

use datafusion::sql::sqlparser::ast::{
    Expr, ExprWithAlias, FunctionArg, FunctionArgExpr, Ident, Join, JoinConstraint, JoinOperator,
    NullInclusion, ObjectName, ObjectNamePart, Select, SelectItem, SelectItemQualifiedWildcardKind,
    TableAlias, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::build::{lower, null};
use super::relation::{LATERAL_MARK, one_row, whole};
use super::tokens::{is_word, offset, parenthesized};
use crate::engine::function::is_table_function;
use crate::error::{Error, Result};

/// The view that a table function in a select list stands for.
const SELECTED_VIEW: &str = "__selected";

/// The tables that stand for lateral views until the query is rewritten.
const INNER: &str = "__lateral_view";
const OUTER: &str = "__lateral_view_outer";

/// `LATERAL VIEW [OUTER] f(x) v AS a, b` reads like a join, `CROSS JOIN __lateral_view(f(x)) AS v (a, b)`. One behind a select list
/// belongs to the FROM before it; where there is none it is the FROM.
pub(super) fn joined(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    if !tokens.iter().any(|token| is_word(token, "lateral")) {
        return Ok(tokens);
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Where SELECT and FROM of the query at each level of parentheses stand in `out`.
    let mut levels = vec![Level::default()];
    let end = tokens.last().map_or(0, |last| offset(last.span.end));
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let level = levels.last_mut().expect("never empty");
        if is_word(first, "lateral") && after.first().is_some_and(|next| is_word(next, "view")) {
            let (view, behind) = view(first, &after[1..], end)?;
            rest = behind;
            match *level {
                Level {
                    from: Some(from),
                    select: Some(select),
                } if from < select => {
                    let width = view.len();
                    out.splice(select..select, view);
                    level.select = Some(select + width);
                }
                Level {
                    from: None,
                    select: Some(_),
                } => {
                    level.from = Some(out.len());
                    out.push(keyword("FROM", first));
                    // What follows FROM is no join.
                    out.extend(view.into_iter().skip(2));
                }
                Level { .. } if out.last().is_some_and(|last| is_word(last, "from")) => {
                    out.extend(view.into_iter().skip(2));
                }
                Level { .. } => out.extend(view),
            }
            continue;
        }
        match &first.token {
            Token::LParen => levels.push(Level::default()),
            Token::RParen => {
                levels.pop();
                if levels.is_empty() {
                    levels.push(Level::default());
                }
            }
            Token::Word(_) if is_word(first, "select") => {
                if level.select.is_some() {
                    *level = Level::default();
                }
                level.select = Some(out.len());
            }
            Token::Word(_) if is_word(first, "from") => level.from = Some(out.len()),
            Token::Word(_)
                if ["union", "intersect", "except", "minus"]
                    .iter()
                    .any(|word| is_word(first, word)) =>
            {
                *level = Level::default();
            }
            _ => {}
        }
        out.push(first.clone());
        rest = after;
    }
    Ok(out)
}

#[derive(Clone, Copy, Default)]
struct Level {
    from: Option<usize>,
    select: Option<usize>,
}

fn keyword(word: &str, at: &TokenWithSpan) -> TokenWithSpan {
    TokenWithSpan {
        token: Token::make_keyword(word),
        span: at.span,
    }
}

/// The tokens of one lateral view as a join, and what stands behind it. `rest` begins behind VIEW.
fn view<'t>(
    first: &TokenWithSpan,
    rest: &'t [TokenWithSpan],
    end: usize,
) -> Result<(Vec<TokenWithSpan>, &'t [TokenWithSpan])> {
    let wrong = |rest: &[TokenWithSpan], wanted: &str| {
        let at = rest.first().map_or(end, |token| offset(token.span.start));
        let found = rest
            .first()
            .map_or(";".to_owned(), |token| token.token.to_string());
        Error::syntax(
            at,
            format!("invalid token '{found}' in LATERAL VIEW, expected {wanted}"),
        )
    };
    let made = |token| TokenWithSpan {
        token,
        span: first.span,
    };
    let is_outer = rest.first().is_some_and(|token| is_word(token, "outer"));
    let rest = if is_outer { &rest[1..] } else { rest };
    let mut length = 0;
    while matches!(rest.get(length), Some(token) if token.token != Token::LParen) {
        let is_name = matches!(
            rest[length].token,
            Token::Word(_) | Token::Period | Token::Colon | Token::DoubleColon
        );
        if !is_name {
            return Err(wrong(&rest[length..], "a table function"));
        }
        length += 1;
    }
    let (arguments, mut rest) = match parenthesized(&rest[length..]) {
        Some((arguments, behind)) if length > 0 => ([&rest[..length], arguments].concat(), behind),
        _ => return Err(wrong(&rest[length.min(rest.len())..], "a table function")),
    };
    let Some((alias, behind)) = rest.split_first().filter(|(alias, _)| is_alias(alias)) else {
        return Err(wrong(rest, "a name for the view"));
    };
    rest = behind;
    let name = if is_outer { OUTER } else { INNER };
    let mut out = vec![
        keyword("CROSS", first),
        keyword("JOIN", first),
        made(Token::make_word(name, None)),
        made(Token::LParen),
    ];
    out.extend(arguments);
    out.extend([
        made(Token::RParen),
        keyword("AS", first),
        alias_token(alias),
    ]);
    match rest.split_first() {
        Some((token, behind)) if is_word(token, "as") => {
            out.push(made(Token::LParen));
            rest = behind;
            loop {
                let Some((column, behind)) = rest.split_first().filter(|(name, _)| is_alias(name))
                else {
                    return Err(wrong(rest, "the name of a column"));
                };
                out.push(alias_token(column));
                rest = behind;
                // A comma may go on with another table.
                let goes_on = matches!(rest, [comma, name, behind @ ..]
                    if comma.token == Token::Comma && is_alias(name) && ends_name(behind.first()));
                if !goes_on {
                    break;
                }
                out.push(rest[0].clone());
                rest = &rest[1..];
            }
            out.push(made(Token::RParen));
        }
        _ if is_outer => {}
        _ => return Err(wrong(rest, "AS")),
    }
    Ok((out, rest))
}

fn is_alias(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Word(_) | Token::DoubleQuotedString(_))
}

/// An alias may stand in double quotes.
fn alias_token(token: &TokenWithSpan) -> TokenWithSpan {
    match &token.token {
        Token::DoubleQuotedString(name) => TokenWithSpan {
            token: Token::make_word(name, Some('`')),
            span: token.span,
        },
        _ => token.clone(),
    }
}

/// Whether what follows a name cannot belong to a table of that name.
fn ends_name(next: Option<&TokenWithSpan>) -> bool {
    match next.map(|token| &token.token) {
        None | Some(Token::RParen | Token::Comma | Token::SemiColon | Token::EOF) => true,
        Some(Token::Word(word)) if word.quote_style.is_none() => {
            const BEHIND: [&str; 22] = [
                "lateral",
                "join",
                "left",
                "right",
                "full",
                "inner",
                "cross",
                "natural",
                "where",
                "group",
                "having",
                "order",
                "sort",
                "cluster",
                "distribute",
                "limit",
                "union",
                "intersect",
                "except",
                "minus",
                "select",
                "window",
            ];
            BEHIND
                .iter()
                .any(|known| word.value.eq_ignore_ascii_case(known))
        }
        Some(_) => false,
    }
}

/// `select explode(a) as x from t` as `select x from t lateral view explode(a) v as x`.
pub(super) fn selected_table_function(select: &mut Select) -> Result<()> {
    let is_called = |expr: &Expr| matches!(expr, Expr::Function(function) if is_table_function(&function.name.to_string()));
    let found = select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr)
        | SelectItem::ExprWithAlias { expr, .. }
        | SelectItem::ExprWithAliases { expr, .. } => is_called(expr),
        SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => false,
    });
    if !found {
        return Ok(());
    }
    if select.projection.len() > 1 {
        return Err(Error::semantic(
            "a table function stands alone in a select list; use LATERAL VIEW to join its rows",
        ));
    }
    let (expr, aliases) = match select.projection.remove(0) {
        SelectItem::UnnamedExpr(expr) => (expr, Vec::new()),
        SelectItem::ExprWithAlias { expr, alias } => (expr, vec![alias]),
        SelectItem::ExprWithAliases { expr, aliases } => (expr, aliases),
        SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => return Ok(()),
    };
    let from = whole(std::mem::take(&mut select.from));
    select.from = vec![TableWithJoins {
        relation: node(from, expr, Ident::new(SELECTED_VIEW), aliases, false),
        joins: Vec::new(),
    }];
    let kind = SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![Ident::new(
        SELECTED_VIEW,
    )]));
    select.projection.push(SelectItem::QualifiedWildcard(
        kind,
        WildcardAdditionalOptions::default(),
    ));
    Ok(())
}

/// Puts the nodes of lateral views in the place of the joins that stand for them: each around all that stands before it.
pub(super) fn fold_select(select: &mut Select) -> Result<()> {
    let has_view = |table: &TableWithJoins| {
        is_view(&table.relation) || table.joins.iter().any(|join| is_view(&join.relation))
    };
    let Some(last) = select.from.iter().rposition(has_view) else {
        return Ok(());
    };
    // A comma is a join, and a view sees all tables before it.
    let mut from = std::mem::take(&mut select.from).into_iter();
    let Some(mut first) = from.next() else {
        return Ok(());
    };
    for table in from.by_ref().take(last) {
        first.joins.push(Join {
            relation: table.relation,
            global: false,
            join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
        });
        first.joins.extend(table.joins);
    }
    fold(&mut first)?;
    select.from.push(first);
    select.from.extend(from);
    Ok(())
}

/// The same of joins in parentheses.
pub(super) fn fold(table: &mut TableWithJoins) -> Result<()> {
    let first = std::mem::replace(&mut table.relation, one_row());
    let mut done = TableWithJoins {
        relation: match is_view(&first) {
            true => around(one_row(), first)?,
            false => first,
        },
        joins: Vec::new(),
    };
    for join in std::mem::take(&mut table.joins) {
        if !is_view(&join.relation) {
            done.joins.push(join);
            continue;
        }
        let before = match done.joins.is_empty() {
            true => done.relation,
            false => TableFactor::NestedJoin {
                table_with_joins: Box::new(done),
                alias: None,
            },
        };
        done = TableWithJoins {
            relation: around(before, join.relation)?,
            joins: Vec::new(),
        };
    }
    *table = done;
    Ok(())
}

fn is_view(factor: &TableFactor) -> bool {
    matches!(factor, TableFactor::Table { name, args: Some(_), .. }
        if matches!(name.0.as_slice(), [ObjectNamePart::Identifier(name)] if [INNER, OUTER].contains(&name.value.as_str())))
}

/// The node of a lateral view over what stands before it.
fn around(before: TableFactor, view: TableFactor) -> Result<TableFactor> {
    let wrong = || Error::semantic("LATERAL VIEW needs a table function");
    let TableFactor::Table {
        name,
        alias: Some(alias),
        args: Some(args),
        ..
    } = view
    else {
        return Err(wrong());
    };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(function)))) =
        args.args.into_iter().next()
    else {
        return Err(wrong());
    };
    let columns = alias
        .columns
        .into_iter()
        .map(|column| column.name)
        .collect();
    let is_outer = name.to_string() == OUTER;
    Ok(node(
        before,
        Expr::Function(function),
        alias.name,
        columns,
        is_outer,
    ))
}

/// The node that the planner of relations takes apart.
pub(super) fn node(
    before: TableFactor,
    function: Expr,
    mut name: Ident,
    columns: Vec<Ident>,
    is_outer: bool,
) -> TableFactor {
    lower(&mut name);
    let columns = columns.into_iter().map(|mut alias| {
        lower(&mut alias);
        ExprWithAlias {
            expr: null(),
            alias: Some(alias),
        }
    });
    TableFactor::Unpivot {
        table: Box::new(before),
        value: function,
        name: Ident::new(format!("{LATERAL_MARK}{}", name.value)),
        columns: columns.collect(),
        null_inclusion: is_outer.then_some(NullInclusion::IncludeNulls),
        alias: None::<TableAlias>,
    }
}
