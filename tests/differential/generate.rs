//! Random tables and queries, the same for the same seed.

use crate::evaluator::{Relation, Tables};
use crate::query::{
    Aggregate, Expr, From, Grouping, Join, Kind, On, Query, Select, Style, Value, value,
};

pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).expect("31 bits") % limit
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// How the rows of a table come to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Once,
    RowByRow,
    Partitioned,
    Deleted,
    Updated,
    Merged,
    View,
    Ctas,
    AsOf,
    Restored,
    Cloned,
}

const LAYOUTS: [Layout; 11] = [
    Layout::Once,
    Layout::RowByRow,
    Layout::Partitioned,
    Layout::Deleted,
    Layout::Updated,
    Layout::Merged,
    Layout::View,
    Layout::Ctas,
    Layout::AsOf,
    Layout::Restored,
    Layout::Cloned,
];

#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub columns: Vec<(String, Kind)>,
    pub rows: Vec<Vec<Value>>,
    pub layout: Layout,
}

const KINDS: [Kind; 6] = [
    Kind::Int,
    Kind::Int,
    Kind::Text,
    Kind::Real,
    Kind::Bool,
    Kind::Exact,
];

pub fn literal(dice: &mut Dice, kind: Kind) -> Value {
    if dice.below(6) == 0 {
        return Value::Null(kind);
    }
    match kind {
        Kind::Int => Value::Int(dice.one(&[0, 1, 1, 2, 2, 3, -1, i64::MAX, i64::MIN + 1])),
        Kind::Text => Value::Text(dice.one(&["a", "b", "ab", "p1", "a "]).to_owned()),
        Kind::Real => Value::Real(dice.one(&[0.0, -0.0, 0.5, 1.0, -2.5, 1e20])),
        Kind::Exact => {
            let most = 10_i128.pow(38) - 1;
            let unit = 10_i128.pow(18);
            Value::Exact(dice.one(&[
                0,
                1,
                -1,
                unit,
                2 * unit,
                unit / 2,
                -unit * 5 / 2,
                most,
                -most,
            ]))
        }
        Kind::Bool => Value::Bool(dice.below(2) == 0),
    }
}

pub fn tables(dice: &mut Dice) -> Vec<Table> {
    let equal_names = dice.below(2) == 0;
    let one = |dice: &mut Dice, at: usize| {
        // The last column is text, for partitions.
        let count = 1 + dice.below(3);
        let mut columns = Vec::new();
        for place in 0..=count {
            let suffix = if equal_names {
                String::new()
            } else {
                at.to_string()
            };
            let kind = match place {
                0 => Kind::Int,
                _ if place == count => Kind::Text,
                _ if equal_names => KINDS[1 + (place + at) % 5],
                _ => dice.one(&KINDS),
            };
            let name = if place == count {
                'p'
            } else {
                ['k', 'u', 'v'][place]
            };
            columns.push((format!("{name}{suffix}"), kind));
        }
        let layout = dice.one(&LAYOUTS);
        let mut rows = Vec::new();
        for _ in 0..dice.below(6) {
            let mut row: Vec<Value> = columns
                .iter()
                .map(|(_, kind)| literal(dice, *kind))
                .collect();
            if layout == Layout::Partitioned {
                row[count] = Value::Text(dice.one(&["a", "b", "p1"]).to_owned());
            }
            rows.push(row);
        }
        Table {
            name: format!("t{at}"),
            columns,
            rows,
            layout,
        }
    };
    (0..3).map(|at| one(dice, at)).collect()
}

pub fn model(tables: &[Table]) -> Tables {
    let relation = |table: &Table| Relation {
        heads: table
            .columns
            .iter()
            .map(|(name, _)| (String::new(), name.clone()))
            .collect(),
        rows: table.rows.clone(),
    };
    tables
        .iter()
        .map(|table| (table.name.clone(), relation(table)))
        .collect()
}

/// The statements that make a table.
pub fn statements(table: &Table) -> Vec<String> {
    let listed = |columns: &[(String, Kind)]| {
        let columns: Vec<String> = columns
            .iter()
            .map(|(name, kind)| format!("{name} {}", kind.name()))
            .collect();
        columns.join(", ")
    };
    let rows = |rows: &[Vec<Value>]| {
        let one = |row: &Vec<Value>| {
            let values: Vec<String> = row
                .iter()
                .zip(&table.columns)
                .map(|(v, (name, _))| format!("{} as {name}", value(v)))
                .collect();
            format!("select {}", values.join(", "))
        };
        rows.iter().map(one).collect::<Vec<_>>().join(" union all ")
    };
    let name = &table.name;
    let stored = match table.layout {
        Layout::View | Layout::Ctas | Layout::AsOf | Layout::Cloned => format!("{name}_stored"),
        _ => name.clone(),
    };
    let columns = &table.columns;
    let last = columns.len() - 1;
    let transactional = matches!(
        table.layout,
        Layout::Deleted | Layout::Updated | Layout::Merged
    );
    let mut out = vec![match table.layout {
        Layout::Partitioned => format!(
            "create table {stored} ({}) partitioned by ({})",
            listed(&columns[..last]),
            listed(&columns[last..])
        ),
        _ if transactional => format!(
            "create table {stored} ({}) tblproperties ('transactional'='true')",
            listed(columns)
        ),
        _ => format!("create table {stored} ({})", listed(columns)),
    }];
    let into = match table.layout {
        Layout::Partitioned => format!("insert into {stored} partition ({}) ", columns[last].0),
        _ => format!("insert into {stored} "),
    };
    let key = &columns[0].0;
    let mut insert = |some: &[Vec<Value>]| {
        if !some.is_empty() {
            out.push(format!("{into}{}", rows(some)));
        }
    };
    match table.layout {
        Layout::RowByRow | Layout::Merged => {
            table
                .rows
                .iter()
                .for_each(|row| insert(std::slice::from_ref(row)));
        }
        Layout::Deleted => {
            let mut more = table.rows.clone();
            for row in &table.rows {
                let mut row = row.clone();
                row[0] = Value::Int(77);
                more.push(row);
            }
            insert(&more);
        }
        Layout::Updated => {
            let mut other = table.rows.clone();
            for row in other.iter_mut().filter(|row| row[0] == Value::Int(1)) {
                row[0] = Value::Int(77);
            }
            insert(&other);
        }
        _ => insert(&table.rows),
    }
    match table.layout {
        Layout::Deleted => out.push(format!("delete from {stored} where {key} = 77")),
        Layout::Updated => out.push(format!("update {stored} set {key} = 1 where {key} = 77")),
        Layout::Merged => out.push(format!("alter table {stored} merge smallfiles")),
        Layout::View => out.push(format!("create view {name} as select * from {stored}")),
        Layout::Ctas => out.push(format!("create table {name} as select * from {stored}")),
        Layout::Cloned => out.push(format!("clone table {stored} to {name}")),
        // The rows are those before all of them were written over.
        Layout::AsOf if table.rows.is_empty() => {
            out.push(format!("create view {name} as select * from {stored}"));
        }
        Layout::AsOf => {
            let more = "version as of get_latest_version";
            out.push(format!("insert into {stored} select * from {stored}"));
            out.push(format!(
                "create view {name} as select * from {stored} {more}('{stored}', 2)"
            ));
        }
        Layout::Restored => {
            out.push(format!("drop table {stored}"));
            out.push(format!("restore table {stored}"));
        }
        _ => {}
    }
    out
}

type Columns = Vec<(String, String, Kind)>;

pub struct Generator<'a> {
    pub dice: &'a mut Dice,
    pub tables: &'a [Table],
    pub aliases: usize,
}

fn boxed(e: Expr) -> Box<Expr> {
    Box::new(e)
}

impl Generator<'_> {
    fn scalar(&mut self, kind: Kind, seen: &Columns, depth: usize) -> Expr {
        let fit: Vec<_> = seen.iter().filter(|c| c.2 == kind).cloned().collect();
        if depth > 0 && self.dice.below(4) == 0 {
            let other = self.beside(kind);
            let mut one = |kind| boxed(self.scalar(kind, seen, depth - 1));
            let (a, b, c, d) = (one(kind), one(kind), one(kind), one(kind));
            let e = one(other);
            return match self.dice.below(5) {
                0 => Expr::Nullif(a, e),
                1 => Expr::Coalesce(a, b),
                2 => Expr::Case(boxed(self.condition(seen, 0)), a, b),
                3 => Expr::CaseOf(a, e, c, d),
                _ if kind.is_number() => Expr::Add(a, b),
                _ => Expr::Coalesce(a, b),
            };
        }
        if fit.is_empty() || self.dice.below(4) == 0 {
            return Expr::Literal(literal(self.dice, kind));
        }
        let (alias, name, _) = self.dice.one(&fit);
        Expr::Column(alias, name)
    }

    /// A kind that this one may be compared with.
    fn beside(&mut self, kind: Kind) -> Kind {
        match kind.is_number() && self.dice.below(4) == 0 {
            true => self.dice.one(&[Kind::Int, Kind::Real, Kind::Exact]),
            false => kind,
        }
    }

    fn condition(&mut self, seen: &Columns, depth: usize) -> Expr {
        let kind = match seen.is_empty() {
            true => Kind::Int,
            false => self.dice.one(seen).2,
        };
        let shallow = depth.min(1);
        if depth > 0 && self.dice.below(2) == 0 {
            return match self.dice.below(7) {
                0 | 1 => Expr::And(
                    boxed(self.condition(seen, depth - 1)),
                    boxed(self.condition(seen, depth - 1)),
                ),
                2 => Expr::Or(
                    boxed(self.condition(seen, depth - 1)),
                    boxed(self.condition(seen, depth - 1)),
                ),
                3 => Expr::Not(boxed(self.condition(seen, depth - 1))),
                4 => {
                    let query = Expr::Exists(Box::new(self.inner(kind, seen)));
                    if self.dice.below(2) == 0 {
                        Expr::Not(boxed(query))
                    } else {
                        query
                    }
                }
                5 => {
                    let a = boxed(self.scalar(kind, seen, 0));
                    let other = self.beside(kind);
                    Expr::InQuery(
                        a,
                        Box::new(self.inner(other, seen)),
                        self.dice.below(2) == 0,
                    )
                }
                _ => {
                    // Booleans have no MAX.
                    let kind = if kind == Kind::Bool { Kind::Int } else { kind };
                    let Query::Select(mut select) = self.inner(kind, seen) else {
                        unreachable!("a select")
                    };
                    select.grouping = Some(Grouping {
                        keys: Vec::new(),
                        style: Style::Plain,
                    });
                    let item = select.items[0].0.clone();
                    if !matches!(item, Expr::Aggregate(..)) {
                        select.items[0].0 = Expr::Aggregate(Aggregate::Max, boxed(item));
                    }
                    let a = boxed(self.scalar(kind, seen, 0));
                    let query = Expr::Scalar(Box::new(Query::Select(select)));
                    Expr::Compare("=", a, boxed(query))
                }
            };
        }
        let a = boxed(self.scalar(kind, seen, shallow));
        match self.dice.below(8) {
            0 => Expr::IsNull(a),
            1 | 2 => {
                let list = (0..1 + self.dice.below(5))
                    .map(|_| {
                        let other = self.beside(kind);
                        Expr::Literal(literal(self.dice, other))
                    })
                    .collect();
                Expr::In(a, list, self.dice.below(2) == 0)
            }
            3 if kind != Kind::Bool => {
                let (low, high) = (self.beside(kind), self.beside(kind));
                Expr::Between(
                    a,
                    boxed(self.scalar(low, seen, 0)),
                    boxed(self.scalar(high, seen, 0)),
                )
            }
            4 if kind == Kind::Text => {
                Expr::Like(a, self.dice.one(&["a%", "%", "_", "%b", "p_"]).to_owned())
            }
            _ => {
                let op = self
                    .dice
                    .one(&["=", "=", "<>", "<", "<=", ">", ">=", "<=>"]);
                let other = self.beside(kind);
                Expr::Compare(op, a, boxed(self.scalar(other, seen, shallow)))
            }
        }
    }

    /// A subquery of one column, correlated where it comes so.
    fn inner(&mut self, kind: Kind, outer: &Columns) -> Query {
        // A name without alias would mean a column of the subquery's own.
        let outer: &Columns = &outer.iter().filter(|c| !c.0.is_empty()).cloned().collect();
        let (from, own) = self.table();
        let mut seen = own.clone();
        seen.extend(outer.iter().cloned());
        let filter = match self.dice.below(3) {
            0 => None,
            1 => Some(self.condition(&own, 0)),
            _ => {
                let (alias, name, kind) = self.dice.one(&own);
                Some(Expr::Compare(
                    "=",
                    boxed(Expr::Column(alias, name)),
                    boxed(self.scalar(kind, outer, 0)),
                ))
            }
        };
        let mut item = self.scalar(kind, &own, 0);
        let mut grouping = None;
        if kind != Kind::Bool && self.dice.below(4) == 0 {
            let aggregate = if kind == Kind::Int {
                Aggregate::Count
            } else {
                Aggregate::Min
            };
            item = Expr::Aggregate(aggregate, boxed(item));
            grouping = Some(Grouping {
                keys: Vec::new(),
                style: Style::Plain,
            });
        }
        Query::Select(Box::new(Select {
            distinct: false,
            items: vec![(item, "x".to_owned())],
            from,
            filter,
            grouping,
            having: None,
        }))
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("r{}", self.aliases)
    }

    fn table(&mut self) -> (From, Columns) {
        let alias = self.alias();
        let table = &self.tables[self.dice.below(self.tables.len())];
        let columns = table.columns.iter();
        let seen = columns
            .map(|(name, kind)| (alias.clone(), name.clone(), *kind))
            .collect();
        (From::Table(table.name.clone(), alias), seen)
    }

    fn relation(&mut self, depth: usize) -> (From, Columns) {
        if depth == 0 || self.dice.below(3) > 0 {
            return self.table();
        }
        let kinds = [Kind::Int, self.dice.one(&KINDS)];
        let query = self.query(&kinds, depth - 1);
        let alias = self.alias();
        let names = ["c0", "c1"].into_iter().zip(kinds);
        let seen = names
            .map(|(name, kind)| (alias.clone(), name.to_owned(), kind))
            .collect();
        (From::Derived(Box::new(query), alias), seen)
    }

    fn from(&mut self, depth: usize) -> (From, Columns) {
        let (mut from, mut seen) = self.relation(depth);
        for _ in 0..self.dice.below(3) {
            let (right, more) = self.relation(depth);
            let join = self.dice.one(&[
                Join::Inner,
                Join::Inner,
                Join::Left,
                Join::Right,
                Join::Full,
                Join::Cross,
                Join::Semi,
                Join::Anti,
            ]);
            let shared = |c: &&(String, String, Kind)| more.iter().any(|d| d.1 == c.1);
            let common = seen.iter().find(shared).cloned();
            let is_first = !matches!(from, From::Join(..));
            if let (Some((_, name, kind)), true, 0) = (common, is_first, self.dice.below(4))
                && !matches!(join, Join::Cross | Join::Semi | Join::Anti)
            {
                from = From::Join(
                    join,
                    Box::new(from),
                    Box::new(right),
                    On::Using(name.clone()),
                );
                seen.extend(more);
                seen.retain(|c| c.1 != name);
                seen.push((String::new(), name, kind));
                return (from, seen);
            }
            let mut both = seen.clone();
            both.extend(more.iter().cloned());
            let on = match join {
                Join::Cross => On::Nothing,
                _ => {
                    let (a, b) = (seen[0].clone(), more[0].clone());
                    let op = self.dice.one(&["=", "=", "<=>"]);
                    let key = Expr::Compare(
                        op,
                        boxed(Expr::Column(a.0, a.1)),
                        boxed(Expr::Column(b.0, b.1)),
                    );
                    On::Condition(match self.dice.below(5) {
                        0 | 1 => Expr::And(boxed(key), boxed(self.condition(&both, 0))),
                        2 if join == Join::Left => Expr::Literal(Value::Bool(false)),
                        _ => key,
                    })
                }
            };
            from = From::Join(join, Box::new(from), Box::new(right), on);
            if !matches!(join, Join::Semi | Join::Anti) {
                seen = both;
            }
        }
        (from, seen)
    }

    /// A query whose columns `c0`, `c1`, ... are of these kinds.
    pub fn query(&mut self, kinds: &[Kind], depth: usize) -> Query {
        if depth > 0 && self.dice.below(6) == 0 {
            let op = self.dice.one(&["union", "union", "intersect", "except"]);
            let all = self.dice.below(2) == 0;
            let (a, b) = (self.query(kinds, 0), self.query(kinds, 0));
            return Query::Set(op, all, Box::new(a), Box::new(b));
        }
        let (from, seen) = self.from(depth);
        let filter = (self.dice.below(4) > 0).then(|| self.condition(&seen, 2));
        let mut items = Vec::new();
        let mut grouping = None;
        let mut having = None;
        if self.dice.below(4) == 0 {
            let mut keys = Vec::new();
            for _ in 0..self.dice.below(3) {
                let (alias, name, _) = self.dice.one(&seen);
                let key = Expr::Column(alias, name);
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            let style = match keys.len() {
                0 => Style::Plain,
                _ => self
                    .dice
                    .one(&[Style::Plain, Style::Rollup, Style::Cube, Style::Sets]),
            };
            for kind in kinds {
                let key = keys.iter().find(|key| {
                    seen.iter()
                        .any(|c| Expr::Column(c.0.clone(), c.1.clone()) == **key && c.2 == *kind)
                });
                let item = match key {
                    Some(key) if self.dice.below(2) == 0 => key.clone(),
                    _ if *kind == Kind::Int && self.dice.below(2) == 0 => {
                        let of = self.dice.one(&seen);
                        let count = self.dice.one(&[Aggregate::Count, Aggregate::CountDistinct]);
                        Expr::Aggregate(count, boxed(Expr::Column(of.0, of.1)))
                    }
                    _ if *kind == Kind::Bool => Expr::Literal(literal(self.dice, *kind)),
                    _ => {
                        let which = match kind {
                            // Sums of DOUBLE depend on the order of rows.
                            Kind::Int | Kind::Exact => {
                                self.dice
                                    .one(&[Aggregate::Min, Aggregate::Max, Aggregate::Sum])
                            }
                            _ => self.dice.one(&[Aggregate::Min, Aggregate::Max]),
                        };
                        Expr::Aggregate(which, boxed(self.scalar(*kind, &seen, 0)))
                    }
                };
                items.push(item);
            }
            if self.dice.below(3) == 0 {
                let of = self.dice.one(&seen);
                let count = Expr::Aggregate(Aggregate::Count, boxed(Expr::Column(of.0, of.1)));
                having = Some(Expr::Compare(
                    ">",
                    boxed(count),
                    boxed(Expr::Literal(Value::Int(1))),
                ));
            }
            grouping = Some(Grouping { keys, style });
        } else {
            for kind in kinds {
                let item = match self.dice.below(12) {
                    0 if *kind == Kind::Int => {
                        let (a, b) = (self.dice.one(&seen), self.dice.one(&seen));
                        Expr::Rank(boxed(Expr::Column(a.0, a.1)), boxed(Expr::Column(b.0, b.1)))
                    }
                    1 if *kind == Kind::Int => {
                        let a = self.dice.one(&seen);
                        Expr::CountOver(boxed(Expr::Column(a.0, a.1)))
                    }
                    2 if *kind == Kind::Bool => self.condition(&seen, 0),
                    _ => self.scalar(*kind, &seen, 1),
                };
                items.push(item);
            }
        }
        let names = (0..).map(|at| format!("c{at}"));
        Query::Select(Box::new(Select {
            distinct: self.dice.below(6) == 0,
            items: items.into_iter().zip(names).collect(),
            from,
            filter,
            grouping,
            having,
        }))
    }

    /// A query of two columns.
    pub fn any(&mut self) -> (Query, [Kind; 2]) {
        let kinds = [self.dice.one(&KINDS), self.dice.one(&KINDS)];
        (self.query(&kinds, 1), kinds)
    }
}
