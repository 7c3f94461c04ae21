//! Set operations behind ORDER BY and LIMIT: in MaxCompute each branch has its own, in DataFusion's parser it needs parentheses for
//! them. Manual page: "UNION, INTERSECT, and EXCEPT".

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// The branch being read at one level of parentheses.
#[derive(Clone, Copy, Default)]
struct Branch {
    begin: Option<usize>,
    /// It has an order or a limit of its own.
    is_limited: bool,
    /// Its WITH has begun and its SELECT has not.
    in_with: bool,
}

/// Puts every branch that has an order or a limit, and another branch behind it, into parentheses.
pub(super) fn in_parentheses(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 8);
    let mut branches = vec![Branch::default()];
    for token in tokens {
        let branch = branches.last_mut().expect("never empty");
        match &token.token {
            Token::LParen => {
                if branch.begin.is_none() && !branch.in_with {
                    branch.begin = Some(out.len());
                }
                branches.push(Branch::default());
            }
            Token::RParen => {
                branches.pop();
                if branches.is_empty() {
                    branches.push(Branch::default());
                }
            }
            Token::Word(word) => match word.keyword {
                Keyword::WITH if branch.begin.is_none() => branch.in_with = true,
                Keyword::SELECT | Keyword::FROM | Keyword::VALUES if branch.begin.is_none() => {
                    branch.begin = Some(out.len());
                    branch.in_with = false;
                }
                Keyword::ORDER
                | Keyword::SORT
                | Keyword::CLUSTER
                | Keyword::DISTRIBUTE
                | Keyword::LIMIT => branch.is_limited = true,
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS => {
                    if let (Some(begin), true) = (branch.begin, branch.is_limited) {
                        let made = |token, at: &TokenWithSpan| TokenWithSpan {
                            token,
                            span: at.span,
                        };
                        let open = made(Token::LParen, &out[begin]);
                        out.insert(begin, open);
                        out.push(made(Token::RParen, &token));
                    }
                    *branch = Branch::default();
                }
                _ => {}
            },
            _ => {}
        }
        out.push(token);
    }
    out
}
