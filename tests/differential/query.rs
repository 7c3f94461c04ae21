//! Queries as data, and their text.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int,
    Text,
    Real,
    /// DECIMAL(38,18)
    Exact,
    Bool,
}

impl Kind {
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Real | Self::Exact)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "bigint",
            Self::Text => "string",
            Self::Real => "double",
            Self::Exact => "decimal(38,18)",
            Self::Bool => "boolean",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null(Kind),
    Int(i64),
    Text(String),
    Real(f64),
    /// In units of 10^-18.
    Exact(i128),
    Bool(bool),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A column by the alias of its relation (empty: merged by USING) and its name.
    Column(String, String),
    Literal(Value),
    Compare(&'static str, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    In(Box<Expr>, Vec<Expr>, bool),
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    Like(Box<Expr>, String),
    Case(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `CASE x WHEN a THEN b ELSE c END`
    CaseOf(Box<Expr>, Box<Expr>, Box<Expr>, Box<Expr>),
    Nullif(Box<Expr>, Box<Expr>),
    Coalesce(Box<Expr>, Box<Expr>),
    Add(Box<Expr>, Box<Expr>),
    Exists(Box<Query>),
    InQuery(Box<Expr>, Box<Query>, bool),
    Scalar(Box<Query>),
    Aggregate(Aggregate, Box<Expr>),
    Rank(Box<Expr>, Box<Expr>),
    CountOver(Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    Count,
    CountDistinct,
    Min,
    Max,
    Sum,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    Select(Box<Select>),
    /// Operator, ALL, sides.
    Set(&'static str, bool, Box<Query>, Box<Query>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    pub distinct: bool,
    pub items: Vec<(Expr, String)>,
    pub from: From,
    pub filter: Option<Expr>,
    pub grouping: Option<Grouping>,
    pub having: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    pub keys: Vec<Expr>,
    pub style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Rollup,
    Cube,
    Sets,
}

impl Grouping {
    /// Which keys each grouping set has.
    pub fn sets(&self) -> Vec<Vec<bool>> {
        let n = self.keys.len();
        match self.style {
            Style::Plain => vec![vec![true; n]],
            Style::Rollup => (0..=n)
                .rev()
                .map(|k| (0..n).map(|i| i < k).collect())
                .collect(),
            Style::Cube => (0..1_usize << n)
                .map(|bits| (0..n).map(|i| bits >> i & 1 == 1).collect())
                .collect(),
            Style::Sets => (0..n).map(|k| (0..n).map(|i| i == k).collect()).collect(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum From {
    Table(String, String),
    Derived(Box<Query>, String),
    Join(Join, Box<From>, Box<From>, On),
}

#[derive(Clone, Debug, PartialEq)]
pub enum On {
    Nothing,
    Condition(Expr),
    Using(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    Inner,
    Left,
    Right,
    Full,
    Cross,
    Semi,
    Anti,
}

pub fn value(value: &Value) -> String {
    match value {
        Value::Null(kind) => format!("cast(null as {})", kind.name()),
        Value::Int(i64::MIN) => "(-9223372036854775807 - 1)".to_owned(),
        Value::Int(n) => n.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::Real(x) if *x == 0.0 && x.is_sign_negative() => "(-0.0 * 1)".to_owned(),
        Value::Real(x) => format!("{x:?}"),
        Value::Exact(n) => {
            let text = exact(*n);
            match text.contains('.') && text.len() < 6 {
                true => format!("{text}BD"),
                false => format!("cast('{text}' as decimal(38,18))"),
            }
        }
        Value::Bool(b) => b.to_string(),
    }
}

/// A decimal as it is printed.
pub fn exact(n: i128) -> String {
    let unit = 10_i128.pow(18);
    let sign = if n < 0 { "-" } else { "" };
    let (whole, rest) = ((n / unit).abs(), (n % unit).abs());
    let text = format!("{sign}{whole}.{rest:018}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub fn expr(e: &Expr) -> String {
    let not = |negated: &bool| if *negated { "not " } else { "" };
    match e {
        Expr::Column(alias, name) if alias.is_empty() => name.clone(),
        Expr::Column(alias, name) => format!("{alias}.{name}"),
        Expr::Literal(v) => value(v),
        Expr::Compare(op, a, b) => format!("({} {op} {})", expr(a), expr(b)),
        Expr::And(a, b) => format!("({} and {})", expr(a), expr(b)),
        Expr::Or(a, b) => format!("({} or {})", expr(a), expr(b)),
        Expr::Not(a) => format!("(not {})", expr(a)),
        Expr::IsNull(a) => format!("({} is null)", expr(a)),
        Expr::In(a, list, negated) => {
            let list: Vec<String> = list.iter().map(expr).collect();
            format!("({} {}in ({}))", expr(a), not(negated), list.join(", "))
        }
        Expr::Between(a, b, c) => format!("({} between {} and {})", expr(a), expr(b), expr(c)),
        Expr::Like(a, pattern) => format!("({} like '{pattern}')", expr(a)),
        Expr::Case(a, b, c) => {
            format!(
                "(case when {} then {} else {} end)",
                expr(a),
                expr(b),
                expr(c)
            )
        }
        Expr::CaseOf(x, a, b, c) => format!(
            "(case {} when {} then {} else {} end)",
            expr(x),
            expr(a),
            expr(b),
            expr(c)
        ),
        Expr::Nullif(a, b) => format!("nullif({}, {})", expr(a), expr(b)),
        Expr::Coalesce(a, b) => format!("coalesce({}, {})", expr(a), expr(b)),
        Expr::Add(a, b) => format!("({} + {})", expr(a), expr(b)),
        Expr::Exists(q) => format!("(exists ({}))", query(q)),
        Expr::InQuery(a, q, negated) => {
            format!("({} {}in ({}))", expr(a), not(negated), query(q))
        }
        Expr::Scalar(q) => format!("({})", query(q)),
        Expr::Aggregate(kind, a) => {
            let (name, distinct) = match kind {
                Aggregate::Count => ("count", ""),
                Aggregate::CountDistinct => ("count", "distinct "),
                Aggregate::Min => ("min", ""),
                Aggregate::Max => ("max", ""),
                Aggregate::Sum => ("sum", ""),
            };
            format!("{name}({distinct}{})", expr(a))
        }
        Expr::Rank(part, order) => format!(
            "rank() over (partition by {} order by {})",
            expr(part),
            expr(order)
        ),
        Expr::CountOver(part) => format!("count(1) over (partition by {})", expr(part)),
    }
}

fn from(f: &From) -> String {
    match f {
        From::Table(name, alias) => format!("{name} {alias}"),
        From::Derived(q, alias) => format!("({}) {alias}", query(q)),
        From::Join(join, a, b, on) => {
            let join = match join {
                Join::Inner => "join",
                Join::Left => "left join",
                Join::Right => "right join",
                Join::Full => "full join",
                Join::Cross => "cross join",
                Join::Semi => "left semi join",
                Join::Anti => "left anti join",
            };
            let on = match on {
                On::Nothing => String::new(),
                On::Condition(e) => format!(" on {}", expr(e)),
                On::Using(name) => format!(" using ({name})"),
            };
            format!("{} {join} {}{on}", from(a), from(b))
        }
    }
}

pub fn query(q: &Query) -> String {
    match q {
        Query::Set(op, all, a, b) => {
            let all = if *all { " all" } else { "" };
            format!("({}) {op}{all} ({})", query(a), query(b))
        }
        Query::Select(s) => {
            let items: Vec<String> = s
                .items
                .iter()
                .map(|(e, name)| format!("{} as {name}", expr(e)))
                .collect();
            let mut text = format!(
                "select {}{} from {}",
                if s.distinct { "distinct " } else { "" },
                items.join(", "),
                from(&s.from)
            );
            if let Some(e) = &s.filter {
                text += &format!(" where {}", expr(e));
            }
            if let Some(g) = &s.grouping {
                let keys: Vec<String> = g.keys.iter().map(expr).collect();
                let keys = keys.join(", ");
                match g.style {
                    Style::Plain if g.keys.is_empty() => {}
                    Style::Plain => text += &format!(" group by {keys}"),
                    Style::Rollup => text += &format!(" group by rollup({keys})"),
                    Style::Cube => text += &format!(" group by cube({keys})"),
                    Style::Sets => {
                        let sets: Vec<String> =
                            g.keys.iter().map(|k| format!("({})", expr(k))).collect();
                        text += &format!(" group by {keys} grouping sets ({})", sets.join(", "));
                    }
                }
            }
            // Where nothing else says so, this makes one group of all rows.
            let says_so = |item: &String| {
                let aggregates = ["count(", "min(", "max(", "sum(", "avg("];
                aggregates.iter().any(|name| item.contains(name)) && !item.contains(" over ")
            };
            let is_whole =
                matches!(&s.grouping, Some(g) if g.keys.is_empty()) && !items.iter().any(says_so);
            match (&s.having, is_whole) {
                (Some(e), true) => text += &format!(" having (count(1) >= 0) and {}", expr(e)),
                (None, true) => text += " having count(1) >= 0",
                (Some(e), false) => text += &format!(" having {}", expr(e)),
                (None, false) => {}
            }
            text
        }
    }
}
