//! `FROM t WHERE … GROUP BY … HAVING … SELECT …`: the planner's parser wants SELECT right behind the relations. Manual page:
//! "SELECT syntax", the order in which clauses are written.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Clauses that may stand before SELECT.
const EARLY: [Keyword; 5] = [
    Keyword::WHERE,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::WINDOW,
    Keyword::QUALIFY,
];
/// Words that end a select list besides those.
const LATE: [Keyword; 10] = [
    Keyword::ORDER,
    Keyword::LIMIT,
    Keyword::OFFSET,
    Keyword::DISTRIBUTE,
    Keyword::SORT,
    Keyword::CLUSTER,
    Keyword::UNION,
    Keyword::INTERSECT,
    Keyword::EXCEPT,
    Keyword::MINUS,
];

/// The tokens with the clauses that stand before SELECT moved behind its list.
pub(super) fn select_first(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut place = 0;
    while place < tokens.len() {
        if word(&tokens, place) == Some(Keyword::FROM)
            && let Some((early, select, end)) = clauses(&tokens, place)
        {
            tokens[early..end].rotate_left(select - early);
        }
        place += 1;
    }
    tokens
}

fn word(tokens: &[TokenWithSpan], place: usize) -> Option<Keyword> {
    match &tokens.get(place)?.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

/// Where the clauses before SELECT begin, where it stands, and where its list ends; `None` where FROM comes behind SELECT or
/// nothing is between them.
fn clauses(tokens: &[TokenWithSpan], from: usize) -> Option<(usize, usize, usize)> {
    let (mut early, mut select) = (None, None);
    let mut depth = 0usize;
    for place in from + 1..=tokens.len() {
        match tokens.get(place).map(|token| &token.token) {
            Some(Token::LParen | Token::LBracket) => depth += 1,
            Some(Token::RParen | Token::RBracket) if depth > 0 => depth -= 1,
            None | Some(Token::RParen | Token::RBracket) => {
                return Some((early?, select?, place));
            }
            _ => {}
        }
        let Some(keyword) = word(tokens, place).filter(|_| depth == 0) else {
            continue;
        };
        // `WITHIN GROUP (…)`, `t.where`, `* EXCEPT (…)`.
        let is_clause = match (&tokens[place - 1].token, tokens.get(place + 1)) {
            (Token::Period, _) => false,
            (Token::Mul, Some(next)) if keyword == Keyword::EXCEPT => next.token != Token::LParen,
            (Token::Word(before), _) => before.keyword != Keyword::WITHIN,
            _ => true,
        };
        match select {
            None if keyword == Keyword::SELECT => select = Some(place),
            None if EARLY.contains(&keyword) && is_clause => early = early.or(Some(place)),
            None if LATE.contains(&keyword) && is_clause => return None,
            Some(select) if (EARLY.contains(&keyword) || LATE.contains(&keyword)) && is_clause => {
                return Some((early?, select, place));
            }
            _ => {}
        }
    }
    None
}
