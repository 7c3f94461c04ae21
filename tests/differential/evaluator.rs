//! What a query gives, by nested loops and three-valued logic.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::query::{Aggregate, Expr, From, Join, Kind, On, Query, Select, Value};

pub type Tables = BTreeMap<String, Relation>;
type Head = (String, String);
/// The keys of a grouping (`None`: not in this set) and its rows.
type Grouped = (Vec<Option<Value>>, Vec<Vec<Value>>);

/// Rows, and what their columns are called: alias and name.
#[derive(Clone, Debug, Default)]
pub struct Relation {
    pub heads: Vec<Head>,
    pub rows: Vec<Vec<Value>>,
}

/// The query has no value here: an overflow, a column that is not there, two rows in a scalar subquery.
#[derive(Debug)]
pub struct Undefined;

type Result<T> = std::result::Result<T, Undefined>;

/// What an expression sees.
#[derive(Clone, Copy)]
struct Scope<'a> {
    outer: Option<&'a Scope<'a>>,
    heads: &'a [Head],
    row: &'a [Value],
    group: Option<Group<'a>>,
    /// The rows of windows.
    all: &'a [Vec<Value>],
}

#[derive(Clone, Copy)]
struct Group<'a> {
    keys: &'a [Expr],
    values: &'a [Option<Value>],
    rows: &'a [Vec<Value>],
}

const NULL: Value = Value::Null(Kind::Bool);

fn is_null(v: &Value) -> bool {
    matches!(v, Value::Null(_))
}

/// One, as [`Value::Exact`].
const UNIT: i128 = 10_i128.pow(18);

/// The printed digits of a number beside a decimal.
fn digits_against(real: f64, exact: i128) -> Ordering {
    let text = format!("{:e}", real.abs());
    let (digits, exponent) = text.split_once('e').expect("an exponent");
    let behind = digits.split_once('.').map_or(0, |(_, behind)| behind.len());
    let exponent = exponent.parse::<i32>().expect("a number") + 18 - behind as i32;
    let digits: i128 = digits.replace('.', "").parse().expect("digits");
    let size = exact.abs();
    let order = if digits == 0 {
        0.cmp(&size)
    } else if exponent > 20 {
        Ordering::Greater
    } else if exponent >= 0 {
        (digits * 10_i128.pow(exponent.unsigned_abs())).cmp(&size)
    } else {
        // What is behind the last digit of the decimal makes it greater.
        let unit = 10_i128.checked_pow(exponent.unsigned_abs());
        let whole = unit.map_or(0, |unit| digits / unit);
        let is_whole = unit.is_some_and(|unit| digits % unit == 0);
        whole.cmp(&size).then(match is_whole {
            true => Ordering::Equal,
            false => Ordering::Greater,
        })
    };
    let sign = |negative: bool, zero: bool| match (negative, zero) {
        (_, true) => 0,
        (true, _) => -1,
        (false, _) => 1,
    };
    let signs = (sign(real < 0.0, real == 0.0), sign(exact < 0, exact == 0));
    match signs {
        (a, b) if a != b => a.cmp(&b),
        (-1, _) => order.reverse(),
        _ => order,
    }
}

fn fit(sum: Option<i128>) -> Result<Value> {
    let sum = sum.filter(|sum| sum.abs() < 10_i128.pow(38));
    sum.map(Value::Exact).ok_or(Undefined)
}

fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null(_), Value::Null(_)) => Ordering::Equal,
        (Value::Null(_), _) => Ordering::Less,
        (_, Value::Null(_)) => Ordering::Greater,
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Real(a), Value::Real(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Exact(a), Value::Exact(b)) => a.cmp(b),
        (Value::Int(a), Value::Exact(b)) => (i128::from(*a) * UNIT).cmp(b),
        (Value::Int(a), Value::Real(b)) => (*a as f64).total_cmp(&(b + 0.0)),
        (Value::Real(a), Value::Exact(b)) => digits_against(*a, *b),
        (Value::Exact(_) | Value::Real(_), Value::Int(_)) | (Value::Exact(_), Value::Real(_)) => {
            order(b, a).reverse()
        }
        _ => panic!("kinds differ: {a:?}, {b:?}"),
    }
}

pub fn same(a: &[Value], b: &[Value]) -> bool {
    a.iter().zip(b).all(|(a, b)| order(a, b).is_eq())
}

fn compare(op: &str, a: &Value, b: &Value) -> Value {
    if op == "<=>" {
        return Value::Bool(order(a, b).is_eq());
    }
    if is_null(a) || is_null(b) {
        return NULL;
    }
    let order = order(a, b);
    Value::Bool(match op {
        "=" => order.is_eq(),
        "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => unreachable!("no such comparison"),
    })
}

fn and(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
        (Value::Bool(true), Value::Bool(true)) => Value::Bool(true),
        _ => NULL,
    }
}

fn not(a: &Value) -> Value {
    match a {
        Value::Bool(b) => Value::Bool(!b),
        _ => NULL,
    }
}

fn is_in(a: &Value, list: &[Value]) -> Value {
    let found = list.iter().map(|b| not(&compare("=", a, b)));
    not(&found.fold(Value::Bool(true), |all, one| and(&all, &one)))
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|at| like(&text[at..], rest)),
        Some(('_', rest)) => !text.is_empty() && like(&text[1..], rest),
        Some((c, rest)) => text.first() == Some(c) && like(&text[1..], rest),
    }
}

fn distinct(rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    let mut kept: Vec<Vec<Value>> = Vec::new();
    for row in rows {
        if !kept.iter().any(|other| same(other, &row)) {
            kept.push(row);
        }
    }
    kept
}

/// The rows of a query over these tables.
pub fn rows(query: &Query, tables: &Tables) -> Result<Vec<Vec<Value>>> {
    Ok(Evaluator { tables }.query(query, None)?.rows)
}

struct Evaluator<'a> {
    tables: &'a Tables,
}

impl Evaluator<'_> {
    fn query(&self, query: &Query, outer: Option<&Scope>) -> Result<Relation> {
        match query {
            Query::Select(select) => self.select(select, outer),
            Query::Set(op, all, a, b) => {
                let mut left = self.query(a, outer)?;
                let mut right = self.query(b, outer)?.rows;
                match *op {
                    "union" => left.rows.append(&mut right),
                    _ => {
                        let keep_common = *op == "intersect";
                        if !all {
                            left.rows = distinct(left.rows);
                        }
                        left.rows.retain(|row| {
                            let at = right.iter().position(|other| same(row, other));
                            if let (Some(at), true) = (at, *all) {
                                right.remove(at);
                            }
                            at.is_some() == keep_common
                        });
                    }
                }
                if !all {
                    left.rows = distinct(left.rows);
                }
                Ok(left)
            }
        }
    }

    fn from(&self, from: &From) -> Result<Relation> {
        let renamed = |mut relation: Relation, alias: &String| {
            relation
                .heads
                .iter_mut()
                .for_each(|head| head.0.clone_from(alias));
            relation
        };
        match from {
            From::Table(name, alias) => {
                let table = self.tables.get(name).ok_or(Undefined)?;
                Ok(renamed(table.clone(), alias))
            }
            From::Derived(query, alias) => Ok(renamed(self.query(query, None)?, alias)),
            From::Join(join, a, b, on) => self.join(*join, self.from(a)?, self.from(b)?, on),
        }
    }

    fn join(&self, join: Join, left: Relation, right: Relation, on: &On) -> Result<Relation> {
        let mut heads = left.heads.clone();
        heads.extend(right.heads.clone());
        let nulls = |relation: &Relation| vec![NULL; relation.heads.len()];
        let mut rows = Vec::new();
        let mut right_met = vec![false; right.rows.len()];
        let position = |relation: &Relation, name: &String| {
            relation
                .heads
                .iter()
                .position(|head| head.1 == *name)
                .ok_or(Undefined)
        };
        for a in &left.rows {
            let mut met = false;
            for (at, b) in right.rows.iter().enumerate() {
                let row: Vec<Value> = a.iter().chain(b).cloned().collect();
                let holds = match on {
                    On::Nothing => true,
                    On::Condition(e) => self.holds(e, &scope(None, &heads, &row))?,
                    On::Using(name) => {
                        let (a, b) = (&a[position(&left, name)?], &b[position(&right, name)?]);
                        compare("=", a, b) == Value::Bool(true)
                    }
                };
                if holds {
                    met = true;
                    right_met[at] = true;
                    if !matches!(join, Join::Semi | Join::Anti) {
                        rows.push(row);
                    }
                }
            }
            match join {
                Join::Left | Join::Full if !met => {
                    rows.push(a.iter().cloned().chain(nulls(&right)).collect());
                }
                Join::Semi if met => rows.push(a.clone()),
                Join::Anti if !met => rows.push(a.clone()),
                _ => {}
            }
        }
        if matches!(join, Join::Right | Join::Full) {
            for (b, met) in right.rows.iter().zip(right_met) {
                if !met {
                    rows.push(nulls(&left).into_iter().chain(b.iter().cloned()).collect());
                }
            }
        }
        if matches!(join, Join::Semi | Join::Anti) {
            return Ok(Relation {
                heads: left.heads,
                rows,
            });
        }
        if let On::Using(name) = on {
            let (a, b) = (
                position(&left, name)?,
                position(&right, name)? + left.heads.len(),
            );
            heads.push((String::new(), name.clone()));
            for row in &mut rows {
                let merged = if is_null(&row[a]) { &row[b] } else { &row[a] };
                row.push(merged.clone());
            }
        }
        Ok(Relation { heads, rows })
    }

    fn select(&self, select: &Select, outer: Option<&Scope>) -> Result<Relation> {
        let source = self.from(&select.from)?;
        let mut rows = Vec::new();
        for row in source.rows {
            let scope = scope(outer, &source.heads, &row);
            if select
                .filter
                .as_ref()
                .map_or(Ok(true), |e| self.holds(e, &scope))?
            {
                rows.push(row);
            }
        }
        let mut out = Vec::new();
        let items = |scope: &Scope| -> Result<Vec<Value>> {
            select
                .items
                .iter()
                .map(|(e, _)| self.value(e, scope))
                .collect()
        };
        match &select.grouping {
            None => {
                for row in &rows {
                    let scope = Scope {
                        all: &rows,
                        ..scope(outer, &source.heads, row)
                    };
                    out.push(items(&scope)?);
                }
            }
            Some(grouping) => {
                for set in grouping.sets() {
                    let mut groups: Vec<Grouped> = Vec::new();
                    if !set.contains(&true) {
                        groups.push((vec![None; set.len()], Vec::new()));
                    }
                    for row in &rows {
                        let scope = scope(outer, &source.heads, row);
                        let mut key = Vec::new();
                        for (e, has) in grouping.keys.iter().zip(&set) {
                            key.push(has.then(|| self.value(e, &scope)).transpose()?);
                        }
                        let plain = |key: &[Option<Value>]| -> Vec<Value> {
                            key.iter().map(|v| v.clone().unwrap_or(NULL)).collect()
                        };
                        match groups.iter_mut().find(|g| same(&plain(&g.0), &plain(&key))) {
                            Some(group) => group.1.push(row.clone()),
                            None => groups.push((key, vec![row.clone()])),
                        }
                    }
                    for (values, rows) in &groups {
                        let group = Group {
                            keys: &grouping.keys,
                            values,
                            rows,
                        };
                        let scope = Scope {
                            group: Some(group),
                            ..scope(outer, &source.heads, &[])
                        };
                        if select
                            .having
                            .as_ref()
                            .map_or(Ok(true), |e| self.holds(e, &scope))?
                        {
                            out.push(items(&scope)?);
                        }
                    }
                }
            }
        }
        if select.distinct {
            out = distinct(out);
        }
        let names = select.items.iter();
        let heads = names
            .map(|(_, name)| (String::new(), name.clone()))
            .collect();
        Ok(Relation { heads, rows: out })
    }

    fn holds(&self, e: &Expr, scope: &Scope) -> Result<bool> {
        Ok(self.value(e, scope)? == Value::Bool(true))
    }

    fn value(&self, e: &Expr, scope: &Scope) -> Result<Value> {
        if let Some(group) = scope.group
            && let Some(at) = group.keys.iter().position(|key| key == e)
        {
            return Ok(group.values[at].clone().unwrap_or(NULL));
        }
        let value = |e: &Expr| self.value(e, scope);
        Ok(match e {
            Expr::Column(alias, name) => {
                let mut at = Some(scope);
                while let Some(scope) = at {
                    let place = scope
                        .heads
                        .iter()
                        .position(|h| h.0 == *alias && h.1 == *name);
                    if let Some(place) = place {
                        return scope.row.get(place).cloned().ok_or(Undefined);
                    }
                    at = scope.outer;
                }
                return Err(Undefined);
            }
            Expr::Literal(v) => v.clone(),
            Expr::Compare(op, a, b) => compare(op, &value(a)?, &value(b)?),
            Expr::And(a, b) => and(&value(a)?, &value(b)?),
            Expr::Or(a, b) => not(&and(&not(&value(a)?), &not(&value(b)?))),
            Expr::Not(a) => not(&value(a)?),
            Expr::IsNull(a) => Value::Bool(is_null(&value(a)?)),
            Expr::In(a, list, negated) => {
                let list = list.iter().map(value).collect::<Result<Vec<_>>>()?;
                let found = is_in(&value(a)?, &list);
                if *negated { not(&found) } else { found }
            }
            Expr::Between(a, b, c) => {
                let a = value(a)?;
                and(
                    &compare(">=", &a, &value(b)?),
                    &compare("<=", &a, &value(c)?),
                )
            }
            Expr::Like(a, pattern) => match value(a)? {
                Value::Text(text) => {
                    let chars = |text: &str| text.chars().collect::<Vec<_>>();
                    Value::Bool(like(&chars(&text), &chars(pattern)))
                }
                _ => NULL,
            },
            Expr::Case(a, b, c) => value(if self.holds(a, scope)? { b } else { c })?,
            Expr::CaseOf(x, a, b, c) => {
                let met = compare("=", &value(x)?, &value(a)?) == Value::Bool(true);
                value(if met { b } else { c })?
            }
            Expr::Nullif(a, b) => {
                let a = value(a)?;
                let equal = compare("=", &a, &value(b)?) == Value::Bool(true);
                if equal { NULL } else { a }
            }
            Expr::Coalesce(a, b) => {
                let a = value(a)?;
                if is_null(&a) { value(b)? } else { a }
            }
            Expr::Add(a, b) => match (value(a)?, value(b)?) {
                (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_add(b).ok_or(Undefined)?),
                (Value::Real(a), Value::Real(b)) => Value::Real(a + b),
                (Value::Exact(a), Value::Exact(b)) => fit(a.checked_add(b))?,
                _ => NULL,
            },
            Expr::Exists(query) => Value::Bool(!self.query(query, Some(scope))?.rows.is_empty()),
            Expr::InQuery(a, query, negated) => {
                let rows = self.query(query, Some(scope))?.rows;
                let list: Vec<Value> = rows.into_iter().map(|mut row| row.remove(0)).collect();
                let found = is_in(&value(a)?, &list);
                if *negated { not(&found) } else { found }
            }
            Expr::Scalar(query) => {
                let mut rows = self.query(query, Some(scope))?.rows;
                match rows.len() {
                    0 => NULL,
                    1 => rows.remove(0).remove(0),
                    _ => return Err(Undefined),
                }
            }
            Expr::Aggregate(kind, a) => {
                let group = scope.group.ok_or(Undefined)?;
                let mut values = Vec::new();
                for row in group.rows {
                    let v = self.value(
                        a,
                        &Scope {
                            row,
                            group: None,
                            ..*scope
                        },
                    )?;
                    if !is_null(&v) {
                        values.push(v);
                    }
                }
                let count = |n: usize| Value::Int(i64::try_from(n).expect("few"));
                match kind {
                    Aggregate::Count => count(values.len()),
                    Aggregate::CountDistinct => {
                        count(distinct(values.into_iter().map(|v| vec![v]).collect()).len())
                    }
                    Aggregate::Min => values.into_iter().min_by(order).unwrap_or(NULL),
                    Aggregate::Max => values.into_iter().max_by(order).unwrap_or(NULL),
                    Aggregate::Sum => {
                        let (mut whole, mut exact) = (None::<i128>, None::<i128>);
                        for v in values {
                            let add = |sum: Option<i128>, n: i128| sum.unwrap_or(0).checked_add(n);
                            match v {
                                Value::Int(n) => whole = add(whole, n.into()),
                                // Five rows of 38 digits may pass 128 bits: then it has no value either.
                                Value::Exact(n) => exact = Some(add(exact, n).ok_or(Undefined)?),
                                _ => return Err(Undefined),
                            }
                        }
                        match (whole, exact) {
                            (Some(n), _) => i64::try_from(n)
                                .ok()
                                .filter(|n| *n != i64::MIN)
                                .map(Value::Int)
                                .ok_or(Undefined)?,
                            (None, Some(n)) => fit(Some(n))?,
                            (None, None) => NULL,
                        }
                    }
                }
            }
            Expr::Rank(part, by) => {
                let (mine, at) = (value(part)?, value(by)?);
                let mut before = 1;
                for row in scope.all {
                    let other = Scope { row, ..*scope };
                    let together = order(&self.value(part, &other)?, &mine).is_eq();
                    before += i64::from(together && order(&self.value(by, &other)?, &at).is_lt());
                }
                Value::Int(before)
            }
            Expr::CountOver(part) => {
                let mine = value(part)?;
                let mut count = 0;
                for row in scope.all {
                    let other = self.value(part, &Scope { row, ..*scope })?;
                    count += i64::from(order(&other, &mine).is_eq());
                }
                Value::Int(count)
            }
        })
    }
}

fn scope<'a>(outer: Option<&'a Scope<'a>>, heads: &'a [Head], row: &'a [Value]) -> Scope<'a> {
    Scope {
        outer,
        heads,
        row,
        group: None,
        all: &[],
    }
}
