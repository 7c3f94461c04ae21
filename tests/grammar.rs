//! The grammar files are not decoration: random sentences derived from them must parse, what is printed
//! must parse to the same statement, and every kind of statement must be reachable.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use odpsh::ast::Statement;
use odpsh::parser::{Splitter, parse};
use proptest::prelude::*;
use proptest::test_runner::TestRng;

/// A rule's right side.
#[derive(Clone, Debug)]
enum Node {
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Optional(Box<Node>),
    Repeat(Box<Node>),
    Rule(String),
    Word(String),
    Token(String),
}

type Grammar = BTreeMap<String, Node>;

fn grammar() -> Grammar {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar");
    let mut rules = Grammar::new();
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("grammar/")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    for file in files.iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "ebnf")
    }) {
        let text = fs::read_to_string(file).expect("readable");
        let mut marks = marks_of(&text).into_iter().peekable();
        while let Some(name) = marks.next() {
            assert_eq!(
                marks.next().as_deref(),
                Some("="),
                "{}: after {name}",
                file.display()
            );
            let node = choice(&mut marks);
            assert_eq!(
                marks.next().as_deref(),
                Some(";"),
                "{}: end of {name}",
                file.display()
            );
            assert!(
                rules.insert(name.clone(), node).is_none(),
                "{name} is defined twice"
            );
        }
    }
    rules
}

/// Splits the notation into names, quoted words, tokens and marks, leaving comments out.
fn marks_of(text: &str) -> Vec<String> {
    let mut marks = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' if rest.starts_with("(*") => {
                rest = rest
                    .split_once("*)")
                    .expect("a comment ends")
                    .1
                    .trim_start();
                continue;
            }
            '"' | '?' => rest[1..].find(first).expect("it is closed") + 2,
            c if c.is_alphanumeric() => rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len()),
            _ => 1,
        };
        marks.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    marks
}

type Marks = std::iter::Peekable<std::vec::IntoIter<String>>;

fn choice(marks: &mut Marks) -> Node {
    let mut alternatives = vec![sequence(marks)];
    while marks.next_if(|mark| mark == "|").is_some() {
        alternatives.push(sequence(marks));
    }
    if alternatives.len() == 1 {
        alternatives.remove(0)
    } else {
        Node::Choice(alternatives)
    }
}

fn sequence(marks: &mut Marks) -> Node {
    let mut items = Vec::new();
    while let Some(mark) = marks.next_if(|mark| !["|", ";", ")", "]", "}"].contains(&mark.as_str()))
    {
        let mut inside = |close: &str| {
            let node = choice(marks);
            assert_eq!(marks.next().as_deref(), Some(close));
            node
        };
        items.push(match mark.as_str() {
            "(" => inside(")"),
            "[" => Node::Optional(Box::new(inside("]"))),
            "{" => Node::Repeat(Box::new(inside("}"))),
            word if word.starts_with('"') => Node::Word(word.trim_matches('"').to_owned()),
            token if token.starts_with('?') => Node::Token(token.trim_matches('?').to_owned()),
            rule => Node::Rule(rule.to_owned()),
        });
    }
    Node::Sequence(items)
}

/// Derives one sentence.
struct Deriver<'a> {
    grammar: &'a Grammar,
    rng: TestRng,
    words: Vec<String>,
    columns: usize,
}

impl Deriver<'_> {
    fn below(&mut self, limit: usize) -> usize {
        (self.rng.next_u32() as usize) % limit
    }

    fn derive(&mut self, node: &Node, depth: usize) {
        match node {
            Node::Sequence(items) => items.iter().for_each(|item| self.derive(item, depth + 1)),
            Node::Choice(alternatives) => {
                // Deep down the first alternative ends the recursion.
                let chosen = if depth > 40 {
                    0
                } else {
                    self.below(alternatives.len())
                };
                self.derive(&alternatives[chosen], depth + 1);
            }
            Node::Optional(inner) => {
                if self.below(2) == 0 {
                    self.derive(inner, depth + 1);
                }
            }
            Node::Repeat(inner) => {
                for _ in 0..self.below(3) {
                    self.derive(inner, depth + 1);
                }
            }
            Node::Rule(name) => {
                let node = self
                    .grammar
                    .get(name)
                    .unwrap_or_else(|| panic!("no rule {name}"));
                self.derive(node, depth + 1);
            }
            Node::Word(word) => {
                let word = match self.below(3) {
                    0 => word.to_lowercase(),
                    _ => word.clone(),
                };
                self.words.push(word);
            }
            Node::Token(kind) => {
                let word = self.token(kind);
                self.words.push(word);
            }
        }
    }

    fn token(&mut self, kind: &str) -> String {
        let pick = |n: usize, of: &[&str]| of[n % of.len()].to_owned();
        let n = self.below(1 << 16);
        match kind {
            "name" => pick(
                n,
                &[
                    "t1",
                    "T2",
                    "`t3`",
                    "test_restore_x",
                    "_x",
                    "2020_table",
                    "date",
                    "中文",
                ],
            ),
            "column" => {
                self.columns += 1;
                pick(n, &["c", "`C", "col_"])
                    + &self.columns.to_string()
                    + if n % 3 == 1 { "`" } else { "" }
            }
            "string" => pick(
                n,
                &[
                    "'x'",
                    "\"y;\"",
                    "'it\\'s'",
                    "'a' \"b\"",
                    "''",
                    "'\\\\d'",
                    "'--'",
                    "'中'",
                    "'\\073'",
                ],
            ),
            "lsn" => pick(n, &["'0000000000000010'", "'10'", "\"102\""]),
            "table_id" | "partition_id" => pick(
                n,
                &[
                    "'d6266b2c49b9418cb999dc65c10ad7ae'",
                    "\"00000000000000000000000000000001\"",
                ],
            ),
            "number" => pick(
                n,
                &[
                    "0", "1", "1.5", ".5", "1e3", "10L", "3.5BD", "2.5F", "7Y", "8S", "9D",
                ],
            ),
            "count" => (n % 255 + 1).to_string(),
            "key" => pick(
                n,
                &[
                    "odps.sql.allow.fullscan",
                    "odps.timemachine.retention.days",
                    "k",
                ],
            ),
            "value" => pick(n, &["true", "1", "x"]),
            other => panic!("no token {other}"),
        }
    }
}

fn sentence(grammar: &Grammar, seed: u64) -> String {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(prop::test_runner::RngAlgorithm::ChaCha, &bytes);
    let mut deriver = Deriver {
        grammar,
        rng,
        words: Vec::new(),
        columns: 0,
    };
    deriver.derive(&grammar["statement"], 0);
    let mut text = String::new();
    for word in deriver.words {
        // `t('id'='…')` with and without a blank before the parenthesis.
        let glued =
            matches!(word.as_str(), "(" | ")" | "," | "." | "=") || text.ends_with(['(', '.', '=']);
        let is_joined = glued && seed.is_multiple_of(2);
        if !text.is_empty() && !is_joined {
            text.push(if seed.is_multiple_of(5) { '\n' } else { ' ' });
        }
        text.push_str(&word);
    }
    text
}

fn kind(statement: &Statement) -> &'static str {
    match statement {
        Statement::CreateTable(_) => "CreateTable",
        Statement::CreateTableLike(_) => "CreateTableLike",
        Statement::CreateView(_) => "CreateView",
        Statement::DropTable { .. } => "DropTable",
        Statement::DropView { .. } => "DropView",
        Statement::AlterTable(_) => "AlterTable",
        Statement::AlterView(_) => "AlterView",
        Statement::Truncate { .. } => "Truncate",
        Statement::CloneTable(_) => "CloneTable",
        Statement::Insert(_) => "Insert",
        Statement::MultiInsert(_) => "MultiInsert",
        Statement::Load(_) => "Load",
        Statement::Update(_) => "Update",
        Statement::Delete(_) => "Delete",
        Statement::Merge(_) => "Merge",
        Statement::Query(_) => "Query",
        Statement::Read(_) => "Read",
        Statement::Analyze(_) => "Analyze",
        Statement::Explain(_) => "Explain",
        Statement::ShowHistoryForTables => "ShowHistoryForTables",
        Statement::ShowHistory { .. } => "ShowHistory",
        Statement::Restore(_) => "Restore",
        Statement::Access(_) => "Access",
        Statement::PurgeTable { .. } => "PurgeTable",
        Statement::PurgeAll { .. } => "PurgeAll",
        Statement::ShowRecycleBin { .. } => "ShowRecycleBin",
        Statement::ShowProject => "ShowProject",
        Statement::SetProject(_) => "SetProject",
        Statement::ShowSettings => "ShowSettings",
        Statement::Set(_) => "Set",
        Statement::UseProject(_) => "UseProject",
        Statement::ShowTables { .. } => "ShowTables",
        Statement::ShowPartitions { .. } => "ShowPartitions",
        Statement::ShowViews { .. } => "ShowViews",
        Statement::ShowColumns(_) => "ShowColumns",
        Statement::ShowCreateTable(_) => "ShowCreateTable",
        Statement::ShowProperties(_) => "ShowProperties",
        Statement::ShowFunctions { .. } => "ShowFunctions",
        Statement::Describe(_) => "Describe",
        Statement::DescribeFunction(_) => "DescribeFunction",
        Statement::Help(_) => "Help",
        Statement::Quit => "Quit",
    }
}

const KINDS: usize = 42;
const SENTENCES: u64 = 20_000;

#[test]
fn every_derived_sentence_parses_and_prints_to_itself() {
    let grammar = grammar();
    let mut reached = BTreeSet::new();
    for seed in 0..SENTENCES {
        let text = sentence(&grammar, seed);
        let statement = parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {text}\n{error}"));
        let printed = statement.to_string();
        let again = parse(&printed)
            .unwrap_or_else(|error| panic!("seed {seed}: {text}\nprinted {printed}\n{error}"));
        assert_eq!(again, statement, "seed {seed}: {text}\nprinted {printed}");
        let mut splitter = Splitter::default();
        splitter.push(format!("{text};").as_bytes());
        assert_eq!(
            splitter.next_complete(),
            Some(Ok(text.clone())),
            "seed {seed}"
        );
        reached.insert(kind(&statement));
    }
    assert_eq!(reached.len(), KINDS, "reached only {reached:?}");
}

#[test]
fn every_rule_is_used() {
    let grammar = grammar();
    fn names(node: &Node, used: &mut BTreeSet<String>) {
        match node {
            Node::Sequence(nodes) | Node::Choice(nodes) => {
                nodes.iter().for_each(|node| names(node, used))
            }
            Node::Optional(node) | Node::Repeat(node) => names(node, used),
            Node::Rule(name) => drop(used.insert(name.clone())),
            Node::Word(_) | Node::Token(_) => {}
        }
    }
    let mut used = BTreeSet::from(["statement".to_owned()]);
    grammar.values().for_each(|node| names(node, &mut used));
    assert_eq!(used, grammar.keys().cloned().collect());
}

proptest! {
    /// Sentences with characters changed, dropped or doubled: an answer or an error with a place in the text.
    #[test]
    fn mutated_sentences_never_panic(seed in 0u64..1_000_000, cuts in prop::collection::vec((0usize..400, 0u8..4, any::<char>()), 1..4)) {
        let grammar = grammar();
        let mut text: Vec<char> = sentence(&grammar, seed).chars().collect();
        for (place, change, with) in cuts {
            let place = place % text.len().max(1);
            match change {
                0 if place < text.len() => drop(text.remove(place)),
                1 => text.insert(place, with),
                2 if place < text.len() => text[place] = with,
                _ => text.truncate(place.max(1)),
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(statement) = parse(&text) {
            prop_assert_eq!(parse(&statement.to_string()).map_err(|e| e.to_string()), Ok(statement));
        }
    }
}
