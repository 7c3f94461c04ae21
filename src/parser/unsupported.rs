//! Statements of MaxCompute that odpsh refuses by name.

use super::token::{Token, TokenKind};

/// Leading words of a statement, `*` for any one name, and what to call it.
const KNOWN: &[(&str, &str)] = &[
    ("UNLOAD", "UNLOAD"),
    ("COUNT", "COUNT"),
    ("PURGE PRIVILEGES", "PURGE PRIVILEGES"),
    ("SHOW CHANGELOGS", "SHOW CHANGELOGS"),
    ("SHOW SECURITYCONFIGURATION", "SHOW SECURITYCONFIGURATION"),
    ("SHOW P", "SHOW P"),
    ("SHOW PACKAGES", "SHOW PACKAGES"),
    ("CREATE PACKAGE", "CREATE PACKAGE"),
    ("INSTALL PACKAGE", "INSTALL PACKAGE"),
    ("SET LABEL", "SET LABEL"),
    ("GET POLICY", "GET POLICY"),
    ("PUT POLICY", "PUT POLICY"),
    ("SHOW INSTANCES", "SHOW INSTANCES"),
    ("SHOW", "SHOW"),
    ("LIST", "LIST"),
    ("LS", "LS"),
    ("CREATE MATERIALIZED VIEW", "CREATE MATERIALIZED VIEW"),
    ("CREATE EXTERNAL TABLE", "CREATE EXTERNAL TABLE"),
    ("CREATE TEMPORARY TABLE", "CREATE TEMPORARY TABLE"),
    ("CREATE FUNCTION", "CREATE FUNCTION"),
    ("CREATE SCHEMA", "CREATE SCHEMA"),
    ("DROP MATERIALIZED VIEW", "DROP MATERIALIZED VIEW"),
    ("DROP FUNCTION", "DROP FUNCTION"),
    ("DROP SCHEMA", "DROP SCHEMA"),
    ("DROP RESOURCE", "DROP RESOURCE"),
    ("ALTER TABLE * CONCATENATE", "ALTER TABLE … CONCATENATE"),
    ("ALTER TABLE * EXCHANGE", "ALTER TABLE … EXCHANGE PARTITION"),
    ("ALTER TABLE * CLUSTERED", "ALTER TABLE … CLUSTERED BY"),
    ("DESC PROJECT", "DESC PROJECT"),
    ("ADD", "ADD"),
    ("TUNNEL", "TUNNEL"),
    ("UNSET", "UNSET"),
    ("SETENV", "SETENV"),
    ("ALIAS", "ALIAS"),
    ("HISTORY", "HISTORY"),
    ("KILL", "KILL"),
    ("STATUS", "STATUS"),
    ("WAIT", "WAIT"),
    ("EXPORT", "EXPORT"),
    ("COST", "COST"),
    ("REDUCE", "REDUCE"),
];

/// What a statement is called that begins like one of [`KNOWN`].
pub(super) fn name(tokens: &[Token<'_>]) -> Option<&'static str> {
    let matches = |pattern: &str| {
        let mut rest = tokens;
        for word in pattern.split(' ') {
            let Some((token, after)) = rest.split_first() else {
                return false;
            };
            rest = after;
            if word == "*" {
                while rest.len() > 1 && rest[0].text == "." {
                    rest = &rest[2..];
                }
            } else if token.kind != TokenKind::Word || !token.text.eq_ignore_ascii_case(word) {
                return false;
            }
        }
        // One word alone may as well be a slip: `list` is no statement, `list users` is one.
        pattern.contains(' ') || tokens.len() > 1 || pattern == "HISTORY"
    };
    let broad = ["SHOW", "LIST", "LS", "ADD", "COUNT"];
    KNOWN
        .iter()
        .find(|(pattern, _)| {
            matches(pattern) && (!broad.contains(pattern) || looks_like_a_listing(tokens))
        })
        .map(|(_, name)| *name)
}

/// `list users`, `ls functions`, `add jar x`: a broad word counts with a word of its family behind it.
fn looks_like_a_listing(tokens: &[Token<'_>]) -> bool {
    const FAMILY: [&str; 16] = [
        "USERS",
        "ROLES",
        "FUNCTIONS",
        "RESOURCES",
        "PROJECTS",
        "INSTANCES",
        "JOBS",
        "VIEWS",
        "SCHEMAS",
        "JAR",
        "FILE",
        "ARCHIVE",
        "PY",
        "PRINCIPALS",
        "LABEL",
        "PACKAGES",
    ];
    tokens.get(1).is_some_and(|token| {
        FAMILY
            .iter()
            .any(|word| token.text.eq_ignore_ascii_case(word))
    })
}
