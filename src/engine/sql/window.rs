//! Windows: named ones where they are meant, the documented default frame, and frames that leave rows out.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    NamedWindowDefinition, NamedWindowExpr, Query, Visit, VisitMut, VisitorMut, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType, visit_expressions,
    visit_expressions_mut,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::build::{arguments, boolean, literal_text, name_of, number, rename, text};
use super::tokens::{is_word, offset};
use crate::engine::function::{DISTINCT, EXCLUDED, is_aggregate};
use crate::error::{Error, Result};

/// Stands last in the ORDER BY of a window whose frame leaves rows out, and says which.
const EXCLUDES: &str = "__excludes";

/// Gives a window with an order and no frame the frame from its first row to the current one, so that
/// rows of equal order count one by one: it is ROWS, not RANGE but in the Hive-compatible edition.
///
/// Manual page: "Window functions".
pub(super) fn default_frame(function: &mut Function, is_hive: bool) {
    let Some(WindowType::WindowSpec(spec)) = &mut function.over else {
        return;
    };
    spec.order_by
        .retain(|order| !matches!(order.expr, Expr::Value(_)));
    if spec.window_frame.is_none() && !spec.order_by.is_empty() && !is_hive {
        spec.window_frame = Some(WindowFrame {
            units: WindowFrameUnits::Rows,
            start_bound: WindowFrameBound::Preceding(None),
            end_bound: Some(WindowFrameBound::CurrentRow),
        });
    }
}

/// `frame EXCLUDE …` at the end of a window, which the planner's parser does not know, becomes the last of its ORDER BY.
pub(super) fn exclusions(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(token, "exclude")) {
        return tokens;
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Where the windows that are open begin.
    let mut open: Vec<usize> = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        match first.token {
            Token::LParen => open.push(out.len()),
            Token::RParen => drop(open.pop()),
            _ => {}
        }
        let clause = exclusion(rest).zip(open.last().and_then(|begin| frame(&out, *begin)));
        let Some(((what, behind), (place, has_order))) = clause else {
            out.push(first.clone());
            rest = after;
            continue;
        };
        if what != "no others" {
            let call = [
                Token::make_word(EXCLUDES, None),
                Token::LParen,
                Token::SingleQuotedString(what.to_owned()),
                Token::RParen,
            ];
            let before = match has_order {
                true => vec![Token::Comma],
                false => vec![Token::make_keyword("ORDER"), Token::make_keyword("BY")],
            };
            let span = first.span;
            let made = before.into_iter().chain(call);
            let made = made.map(|token| TokenWithSpan { token, span });
            out.splice(place..place, made);
        }
        rest = behind;
    }
    out
}

/// What the clause at the beginning leaves out, and what stands behind it.
fn exclusion(tokens: &[TokenWithSpan]) -> Option<(&'static str, &[TokenWithSpan])> {
    let (_, tokens) = tokens
        .split_first()
        .filter(|(first, _)| is_word(first, "exclude"))?;
    ["current row", "group", "ties", "no others"]
        .into_iter()
        .find_map(|what| {
            let words: Vec<&str> = what.split(' ').collect();
            let (found, behind) = tokens.split_at_checked(words.len())?;
            let is_it = found
                .iter()
                .zip(words)
                .all(|(token, word)| is_word(token, word));
            let ends = behind
                .first()
                .is_some_and(|next| next.token == Token::RParen);
            (is_it && ends).then_some((what, behind))
        })
}

/// Where the frame of a window that begins with a parenthesis stands, and whether there is an ORDER BY before it.
fn frame(tokens: &[TokenWithSpan], begin: usize) -> Option<(usize, bool)> {
    let (mut place, mut has_order, mut depth) = (None, false, 0usize);
    for (at, token) in tokens.iter().enumerate().skip(begin + 1) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if ["rows", "range", "groups"]
                .iter()
                .any(|unit| is_word(token, unit)) =>
            {
                place = Some(at);
            }
            _ if is_word(token, "by") && is_word(&tokens[at - 1], "order") => has_order = true,
            _ => {}
        }
    }
    place.map(|place| (place, has_order))
}

/// Takes out what [`exclusions`] has put in.
fn take_exclusion(spec: &mut WindowSpec) -> Option<String> {
    let what = match &spec.order_by.last()?.expr {
        Expr::Function(function) if name_of(function) == EXCLUDES => {
            let arguments = arguments(function)?;
            literal_text(arguments.first()?)?.to_owned()
        }
        _ => return None,
    };
    spec.order_by.pop();
    Some(what)
}

/// Whether the window itself has an ORDER BY.
pub(super) fn has_order(spec: &WindowSpec) -> bool {
    let mut spec = spec.clone();
    take_exclusion(&mut spec);
    !spec.order_by.is_empty()
}

pub(super) fn excludes(function: &Function) -> bool {
    let Some(WindowType::WindowSpec(spec)) = &function.over else {
        return false;
    };
    take_exclusion(&mut spec.clone()).is_some()
}

/// Whether there is a call of a window function.
pub(super) fn has_calls<T: Visit>(place: &T) -> bool {
    visit_expressions(place, |expr| match expr {
        Expr::Function(function) if function.over.is_some() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Functions of the whole partition, which take no frame.
const WITHOUT_FRAME: [&str; 9] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "cluster_sample",
];

/// Refuses what a function's window cannot have.
///
/// Manual page: "Window functions".
pub(super) fn check(name: &str, function: &Function) -> Result<()> {
    let Some(WindowType::WindowSpec(spec)) = &function.over else {
        return Ok(());
    };
    let refused = |detail: &str| Err(Error::window(format!("function {name} {detail}")));
    let is_distinct = matches!(&function.args, FunctionArguments::List(list)
        if list.duplicate_treatment == Some(DuplicateTreatment::Distinct));
    if is_distinct && has_order(spec) {
        return refused("with DISTINCT takes no ORDER BY in OVER");
    }
    if WITHOUT_FRAME.contains(&name) && spec.window_frame.is_some() {
        return refused("takes no frame in OVER");
    }
    if ["lag", "lead"].contains(&name) && !has_order(spec) {
        return refused("needs ORDER BY in OVER");
    }
    Ok(())
}

/// Has the calls of an expression leave out of their frames what they say.
pub(super) fn leave_out(expr: &mut Expr) -> Result<()> {
    let left = visit_expressions_mut(expr, |expr| {
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        let Some(WindowType::WindowSpec(spec)) = &mut function.over else {
            return ControlFlow::Continue(());
        };
        match take_exclusion(spec) {
            None => ControlFlow::Continue(()),
            Some(what) => match call_without(function, &what) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            },
        }
    });
    match left {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn call_without(function: &mut Function, what: &str) -> Result<()> {
    let name = name_of(function);
    if !is_aggregate(&name) {
        return Err(Error::window(format!(
            "function {name} takes no EXCLUDE in OVER"
        )));
    }
    let FunctionArguments::List(list) = &mut function.args else {
        return Ok(());
    };
    for argument in &mut list.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Wildcard) = argument {
            *argument = FunctionArg::Unnamed(FunctionArgExpr::Expr(number(1)));
        }
    }
    let is_distinct = list.duplicate_treatment.take() == Some(DuplicateTreatment::Distinct);
    let filter = function.filter.take();
    let filter = filter.map_or_else(|| boolean(true), |filter| *filter);
    let what = match is_distinct {
        true => format!("{DISTINCT}{what}"),
        false => what.to_owned(),
    };
    for added in [filter, text(&what)] {
        list.args
            .push(FunctionArg::Unnamed(FunctionArgExpr::Expr(added)));
    }
    rename(function, &format!("{EXCLUDED}{name}"));
    Ok(())
}

/// The windows that `WINDOW name AS (…)` defines.
pub(super) struct Named(Vec<(String, WindowSpec)>);

impl Named {
    /// # Errors
    /// On a name that is defined twice, or not at all.
    pub fn new(definitions: &[NamedWindowDefinition]) -> Result<Self> {
        let mut named = Self(Vec::new());
        for NamedWindowDefinition(name, defined) in definitions {
            let (at, name) = (offset(name.span.start), name.value.to_lowercase());
            if named.0.iter().any(|(known, _)| *known == name) {
                let detail = format!("window {name} is defined twice");
                return Err(Error::window(detail).at(at));
            }
            let spec = match defined {
                NamedWindowExpr::NamedWindow(other) => named.find(other)?.clone(),
                NamedWindowExpr::WindowSpec(spec) => named.whole(spec)?,
            };
            named.0.push((name, spec));
        }
        Ok(named)
    }

    fn find(&self, name: &Ident) -> Result<&WindowSpec> {
        let wanted = name.value.to_lowercase();
        let found = self.0.iter().find(|(known, _)| *known == wanted);
        found.map(|(_, spec)| spec).ok_or_else(|| {
            Error::window(format!("window {wanted} is not defined")).at(offset(name.span.start))
        })
    }

    /// A window with what it has from the one that it names.
    fn whole(&self, spec: &WindowSpec) -> Result<WindowSpec> {
        let Some(name) = &spec.window_name else {
            return Ok(spec.clone());
        };
        let base = self.find(name)?;
        let (mut own, mut base) = (spec.clone(), base.clone());
        let refused = |what: &str| {
            let detail = format!(
                "a window made of window {} {what}",
                name.value.to_lowercase()
            );
            Err(Error::window(detail).at(offset(name.span.start)))
        };
        let exclusion = own.order_by.clone();
        let has_exclusion = take_exclusion(&mut own).is_some();
        if base.window_frame.is_some() {
            return refused("cannot be, because that has a frame");
        }
        if !own.partition_by.is_empty() {
            return refused("takes no PARTITION BY");
        }
        if !own.order_by.is_empty() && !base.order_by.is_empty() {
            return refused("takes no ORDER BY, because that has one");
        }
        base.order_by.append(&mut own.order_by);
        if has_exclusion {
            base.order_by.extend(exclusion.into_iter().next_back());
        }
        base.window_frame = own.window_frame;
        base.window_name = None;
        Ok(base)
    }

    /// Puts the windows where they are named.
    pub fn apply<T: VisitMut>(&self, place: &mut T) -> Result<()> {
        let mut naming = Naming {
            named: self,
            depth: 0,
        };
        match place.visit(&mut naming) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

/// Leaves subqueries alone: they have windows of their own.
struct Naming<'a> {
    named: &'a Named,
    depth: usize,
}

impl VisitorMut for Naming<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let (0, Expr::Function(function)) = (self.depth, expr) {
            let whole = match &function.over {
                Some(WindowType::NamedWindow(name)) => self.named.find(name).cloned(),
                Some(WindowType::WindowSpec(spec)) if spec.window_name.is_some() => {
                    self.named.whole(spec)
                }
                _ => return ControlFlow::Continue(()),
            };
            match whole {
                Ok(spec) => function.over = Some(WindowType::WindowSpec(spec)),
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}
