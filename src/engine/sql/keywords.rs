//! Which words are keywords. DataFusion's parser knows those of many dialects and takes them for keywords wherever they stand;
//! of MaxCompute's only a few are reserved, and the others are names where the grammar has no use for them. Manual page:
//! "Reserved words and keywords".

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Takes from every word that is a name where it stands what makes it a keyword.
pub(super) fn only_keywords(tokens: &mut [TokenWithSpan]) {
    let mut places = vec![Place::default()];
    for at in 0..tokens.len() {
        let (before, from) = tokens.split_at_mut(at);
        let Some((current, behind)) = from.split_first_mut() else {
            return;
        };
        let place = places.last_mut().expect("never empty");
        match &mut current.token {
            Token::LParen => {
                let takes_all = opens_clause(before);
                let is_window = match before {
                    [.., last] if keyword(last) == Keyword::OVER => true,
                    [.., _, last] => place.names_windows && keyword(last) == Keyword::AS,
                    _ => false,
                };
                places.push(Place {
                    takes_all,
                    is_window,
                    ..Place::default()
                });
            }
            Token::RParen => {
                places.pop();
                if places.is_empty() {
                    places.push(Place::default());
                }
            }
            Token::Comma => place.interval = false,
            Token::Word(word) if word.keyword != Keyword::NoKeyword => {
                let context = Context { before, behind };
                if !place.takes_all && !context.is_keyword(word.keyword, place) {
                    word.keyword = Keyword::NoKeyword;
                }
                match word.keyword {
                    Keyword::INTERVAL => place.interval = true,
                    Keyword::WINDOW => place.names_windows = true,
                    Keyword::ROWS | Keyword::RANGE | Keyword::GROUPS => place.frames = true,
                    Keyword::ORDER | Keyword::SORT => place.orders = true,
                    Keyword::SELECT | Keyword::FROM => place.orders = false,
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// What is known of the innermost parentheses.
#[derive(Default)]
struct Place {
    /// They hold a clause with words of its own.
    takes_all: bool,
    /// They hold an interval whose unit has not come yet.
    interval: bool,
    /// ORDER BY has begun.
    orders: bool,
    /// They define a window.
    is_window: bool,
    /// The frame of a window has begun.
    frames: bool,
    /// WINDOW has begun.
    names_windows: bool,
}

/// Whether the parenthesis that follows opens a clause with words of its own.
fn opens_clause(before: &[TokenWithSpan]) -> bool {
    let clause = [
        Keyword::TABLESAMPLE,
        Keyword::PIVOT,
        Keyword::UNPIVOT,
        Keyword::EXTRACT,
    ];
    match before {
        [.., last] if clause.iter().any(|word| keyword(last) == *word) => true,
        [.., first, _, last] => {
            keyword(first) == Keyword::UNPIVOT && keyword(last) == Keyword::NULLS
        }
        _ => false,
    }
}

fn keyword(token: &TokenWithSpan) -> Keyword {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

/// The neighbours of a word: those before it are judged, those behind it are not.
struct Context<'a> {
    before: &'a [TokenWithSpan],
    behind: &'a [TokenWithSpan],
}

impl Context<'_> {
    fn before(&self, distance: usize) -> Keyword {
        let at = self.before.len().checked_sub(distance);
        at.map_or(Keyword::NoKeyword, |at| keyword(&self.before[at]))
    }

    fn behind(&self, distance: usize) -> Keyword {
        let found = self.behind.get(distance - 1);
        found.map_or(Keyword::NoKeyword, keyword)
    }

    fn last(&self) -> Option<&Token> {
        self.before.last().map(|token| &token.token)
    }

    fn next(&self) -> Option<&Token> {
        self.behind.first().map(|token| &token.token)
    }

    fn is_before(&self, words: &[Keyword]) -> bool {
        words.contains(&self.before(1))
    }

    fn is_behind(&self, words: &[Keyword]) -> bool {
        words.contains(&self.behind(1))
    }

    /// Whether what was read ends an operand.
    fn ends_operand(&self) -> bool {
        match self.last() {
            Some(Token::Word(word)) => matches!(
                word.keyword,
                Keyword::NoKeyword
                    | Keyword::NULL
                    | Keyword::TRUE
                    | Keyword::FALSE
                    | Keyword::END
                    | Keyword::CURRENT_DATE
                    | Keyword::CURRENT_TIMESTAMP
                    | Keyword::LOCALTIMESTAMP
            ),
            Some(
                Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::DoubleQuotedString(_)
                | Token::RParen
                | Token::RBracket,
            ) => true,
            _ => false,
        }
    }

    /// Whether what follows begins an operand.
    fn begins_operand(&self) -> bool {
        match self.next() {
            Some(Token::Word(word)) => {
                let begins_clause = self.behind(2) == Keyword::BY
                    || [Keyword::JOIN, Keyword::OUTER, Keyword::SEMI, Keyword::ANTI]
                        .contains(&self.behind(2));
                word.quote_style.is_some() || (!is_behind_operands(word.keyword) && !begins_clause)
            }
            Some(
                Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::DoubleQuotedString(_)
                | Token::LParen
                | Token::Minus
                | Token::Plus
                | Token::Tilde
                | Token::ExclamationMark
                | Token::DoubleColon,
            ) => true,
            _ => false,
        }
    }

    /// Whether a word between two operands stands here, NOT before it or not.
    fn is_infix(&self) -> bool {
        (self.ends_operand() || self.is_before(&[Keyword::NOT])) && self.begins_operand()
    }

    /// `f(ALL x)`.
    fn begins_arguments(&self) -> bool {
        let is_word = matches!(self.next(), Some(Token::Word(_)));
        let goes_on = [
            Keyword::IN,
            Keyword::IS,
            Keyword::NOT,
            Keyword::LIKE,
            Keyword::RLIKE,
            Keyword::REGEXP,
            Keyword::BETWEEN,
            Keyword::DIV,
            Keyword::ASC,
            Keyword::DESC,
        ];
        matches!(self.last(), Some(Token::LParen))
            && is_word
            && !is_behind_operands(self.behind(1))
            && !self.is_behind(&goes_on)
    }

    fn opens(&self) -> bool {
        matches!(self.next(), Some(Token::LParen))
    }

    /// Whether `word` has its meaning here.
    fn is_keyword(&self, word: Keyword, place: &mut Place) -> bool {
        use Keyword as K;
        // A name stands behind a point, and behind AS.
        if matches!(self.last(), Some(Token::Period)) || self.is_before(&[K::AS]) {
            return false;
        }
        match word {
            K::SELECT | K::FROM | K::WHERE | K::HAVING | K::ON | K::JOIN => true,
            K::AND | K::OR | K::NOT | K::AS | K::DISTINCT | K::NULL | K::TRUE | K::FALSE => true,
            K::CASE | K::WHEN | K::THEN | K::ELSE | K::END => true,
            K::UNBOUNDED => self.is_behind(&[K::PRECEDING, K::FOLLOWING]),
            K::PRECEDING | K::FOLLOWING => place.frames,
            K::CURRENT => place.frames && self.is_behind(&[K::ROW]),
            K::BY => self.is_before(&[
                K::GROUP,
                K::ORDER,
                K::SORT,
                K::CLUSTER,
                K::DISTRIBUTE,
                K::PARTITION,
            ]),
            K::GROUP => self.is_behind(&[K::BY]) || self.is_before(&[K::WITHIN]),
            K::ORDER | K::SORT | K::CLUSTER | K::DISTRIBUTE | K::PARTITION => {
                self.is_behind(&[K::BY])
            }
            K::LIMIT | K::OFFSET => matches!(
                self.next(),
                Some(Token::Number(..) | Token::Minus | Token::LParen)
            ),
            K::UNION | K::INTERSECT | K::EXCEPT | K::MINUS => {
                let begins_query = [K::SELECT, K::ALL, K::DISTINCT, K::VALUES, K::WITH];
                self.opens() || self.is_behind(&begins_query)
            }
            K::REPLACE => self.opens() && matches!(self.last(), Some(Token::Mul)),
            K::ALL => {
                self.is_before(&[K::UNION, K::INTERSECT, K::EXCEPT, K::MINUS])
                    || (self.is_before(&[K::SELECT]) && self.begins_operand())
                    || self.follows_comparison()
                    || self.begins_arguments()
            }
            K::ANY | K::SOME => self.follows_comparison(),
            K::LIKE | K::RLIKE | K::REGEXP | K::ILIKE | K::DIV => self.is_infix(),
            K::BETWEEN => self.is_infix() || self.is_before(&[K::ROWS, K::RANGE, K::GROUPS]),
            K::IN => self.is_infix() && self.opens(),
            K::IS => self.is_behind(&[K::NOT, K::NULL, K::TRUE, K::FALSE, K::DISTINCT]),
            K::ESCAPE => matches!(
                self.next(),
                Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
            ),
            K::EXISTS | K::CAST | K::TRIM | K::EXTRACT | K::SUBSTRING | K::VALUES => self.opens(),
            K::LEADING | K::TRAILING | K::BOTH => {
                self.before(2) == K::TRIM
                    && !matches!(self.next(), Some(Token::RParen | Token::Comma))
            }
            K::INTERVAL => match self.next() {
                Some(Token::Word(_)) => {
                    is_unit(self.behind(2)) && !is_behind_operands(self.behind(1))
                }
                Some(
                    Token::SingleQuotedString(_)
                    | Token::DoubleQuotedString(_)
                    | Token::Number(..)
                    | Token::LParen
                    | Token::Minus,
                ) => !self.ends_operand(),
                _ => false,
            },
            unit if is_unit(unit) => {
                let is_of_interval =
                    place.interval && !self.is_before(&[K::INTERVAL]) || self.is_before(&[K::TO]);
                if is_of_interval {
                    place.interval = false;
                }
                is_of_interval
            }
            K::TO => is_unit(self.before(1)) && is_unit(self.behind(1)),
            K::CROSS | K::INNER => self.is_behind(&[K::JOIN]),
            K::LEFT | K::RIGHT | K::FULL => {
                self.is_behind(&[K::JOIN, K::OUTER, K::SEMI, K::ANTI])
                    && [K::JOIN, self.behind(1)].contains(&match self.behind(1) {
                        K::JOIN => K::JOIN,
                        _ => self.behind(2),
                    })
            }
            K::OUTER | K::SEMI | K::ANTI => {
                self.is_behind(&[K::JOIN]) && self.is_before(&[K::LEFT, K::RIGHT, K::FULL])
            }
            K::NATURAL => self.is_behind(&[K::JOIN, K::INNER, K::LEFT, K::RIGHT, K::FULL]),
            K::USING => self.opens(),
            K::TABLESAMPLE | K::PIVOT => self.opens(),
            K::UNPIVOT => {
                self.opens()
                    || (self.is_behind(&[K::INCLUDE, K::EXCLUDE]) && self.behind(2) == K::NULLS)
            }
            K::INCLUDE | K::EXCLUDE => self.is_before(&[K::UNPIVOT]),
            K::WITH => {
                let begins = matches!(self.last(), None | Some(Token::LParen));
                let names = || {
                    self.behind(2) == K::AS
                        || matches!(self.behind.get(1), Some(next) if next.token == Token::LParen)
                };
                self.is_behind(&[K::ROLLUP, K::CUBE])
                    || (begins && (self.is_behind(&[K::RECURSIVE]) || names()))
            }
            K::RECURSIVE => {
                self.is_before(&[K::WITH]) && !self.is_behind(&[K::AS]) && !self.opens()
            }
            K::ROLLUP | K::CUBE => self.is_before(&[K::WITH]) || self.opens(),
            K::GROUPING => self.is_behind(&[K::SETS]),
            K::SETS => self.is_before(&[K::GROUPING]),
            K::QUALIFY => {
                self.begins_operand()
                    && !self.is_behind(&[
                        K::IN,
                        K::IS,
                        K::LIKE,
                        K::BETWEEN,
                        K::ASC,
                        K::DESC,
                        K::NULLS,
                        K::UNION,
                        K::LIMIT,
                    ])
                    && !self.is_before(&[K::SELECT, K::FROM, K::JOIN])
            }
            K::WINDOW => self.behind(2) == K::AS && !self.is_before(&[K::SELECT]),
            K::OVER => matches!(self.last(), Some(Token::RParen)) || self.is_before(&[K::NULLS]),
            K::FILTER => self.opens() && matches!(self.last(), Some(Token::RParen)),
            K::WITHIN => self.is_behind(&[K::GROUP]),
            K::RESPECT | K::IGNORE => self.is_behind(&[K::NULLS]),
            K::NULLS => {
                self.is_before(&[K::RESPECT, K::IGNORE, K::INCLUDE, K::EXCLUDE])
                    || (place.orders && self.is_behind(&[K::FIRST, K::LAST]))
            }
            K::FIRST | K::LAST => self.is_before(&[K::NULLS]),
            K::ASC | K::DESC => place.orders && self.ends_operand(),
            K::ROW => self.is_before(&[K::CURRENT]),
            K::ROWS | K::RANGE | K::GROUPS => {
                place.is_window
                    && (self.is_behind(&[K::BETWEEN, K::UNBOUNDED, K::CURRENT, K::INTERVAL])
                        || matches!(self.next(), Some(Token::Number(..))))
            }
            K::CURRENT_DATE | K::CURRENT_TIMESTAMP | K::LOCALTIMESTAMP => !self.opens(),
            _ => false,
        }
    }

    /// `LIKE ANY (…)`, `> ALL (…)`.
    fn follows_comparison(&self) -> bool {
        let compares = matches!(
            self.last(),
            Some(
                Token::Eq
                    | Token::DoubleEq
                    | Token::Neq
                    | Token::Lt
                    | Token::LtEq
                    | Token::Gt
                    | Token::GtEq
            )
        );
        self.opens() && (compares || self.is_before(&[Keyword::LIKE]))
    }
}

/// Words that come behind operands and begin none.
fn is_behind_operands(word: Keyword) -> bool {
    use Keyword as K;
    matches!(
        word,
        K::FROM
            | K::WHERE
            | K::HAVING
            | K::ON
            | K::AS
            | K::AND
            | K::OR
            | K::JOIN
            | K::WHEN
            | K::THEN
            | K::ELSE
            | K::END
    )
}

fn is_unit(word: Keyword) -> bool {
    use Keyword as K;
    matches!(
        word,
        K::YEAR
            | K::YEARS
            | K::QUARTER
            | K::MONTH
            | K::MONTHS
            | K::WEEK
            | K::WEEKS
            | K::DAY
            | K::DAYS
            | K::HOUR
            | K::HOURS
            | K::MINUTE
            | K::MINUTES
            | K::SECOND
            | K::SECONDS
            | K::MILLISECOND
            | K::MICROSECOND
            | K::NANOSECOND
    )
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;

    use crate::ast::{At, Fragment};

    /// The words that MaxCompute reserves.
    const RESERVED: &[&str] = &[
        "AND", "OR", "NOT", "HAVING", "FROM", "SELECT", "DISTINCT", "JOIN", "ON", "CASE", "WHEN",
        "THEN", "ELSE", "END", "CROSS", "WHERE",
        // Its grammar takes these for names where they can be nothing else.
        "AS", "NULL", "TRUE", "FALSE", "NATURAL", // No word.
        "END-EXEC",
    ];

    /// Every place of a name.
    const PLACES: &[&str] = &[
        "select a from (select 1 as a) NAME",
        "select a from (select 1 as a) as NAME",
        "select a from (select 1 as a) NAME where a = 1",
        "select a from NAME",
        "select a from t NAME",
        "select a from t as NAME",
        "select a from t NAME, u NAME join v NAME on NAME.a = v.a",
        "select NAME.a from t NAME left join u on NAME.a = u.a where NAME.b is null",
        "select a from t NAME order by NAME.a desc limit 1",
        "select 1 NAME",
        "select 1 NAME, 2 b from t",
        "select 1 as NAME",
        "select 1 as NAME, a NAME from t",
        "select NAME",
        "select NAME from t",
        "select NAME, a from t where NAME = 1 and NAME > 2 group by NAME having NAME < 3 order by NAME, a limit 3",
        "select NAME as a, a.NAME, NAME.NAME from t where not NAME",
        "select f(NAME), (NAME + 1), -NAME, NAME[1] from t NAME",
        "select case when NAME then NAME else NAME end from t",
        "select a from t where NAME in (1, 2) and NAME between NAME and NAME and NAME like NAME",
        "select a from t where NAME is not null and exists (select NAME from u)",
        "with NAME as (select 1 a) select a from NAME",
        "with t as (select NAME from u), NAME as (select 1 a) select a from NAME",
        "select a NAME from t union all select b NAME from u",
        "select sum(NAME) over (partition by NAME order by NAME desc) from t",
        "select a from t order by NAME asc nulls last, NAME desc limit 1",
        "select a from t join u using (NAME)",
    ];

    fn read(text: &str) -> Option<String> {
        let fragment = Fragment {
            text: text.to_owned(),
            at: At(0),
        };
        super::super::parse(&[fragment])
            .ok()
            .map(|query| query.to_string())
    }

    #[test]
    fn the_engine_reserves_no_word_that_maxcompute_does_not() {
        let mut refused = Vec::new();
        for word in ALL_KEYWORDS {
            let plain = |place: &&str| {
                let expected = read(&place.replace("NAME", "zzz")).expect("a query");
                read(&place.replace("NAME", word)) == Some(expected.replace("zzz", word))
            };
            let wrong: Vec<&&str> = PLACES.iter().filter(|place| !plain(place)).collect();
            if !wrong.is_empty() && !RESERVED.contains(word) {
                refused.push(format!("{word}: {wrong:#?}"));
            }
        }
        assert!(refused.is_empty(), "{}", refused.join("\n"));
    }
}
