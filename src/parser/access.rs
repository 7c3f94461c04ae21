//! Users, roles and grants. Manual page: "Permissions".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::preceded;

use super::common::{comment_text, flag, keyword, keywords, name, object_name, string, symbol};
use super::lexer::tokenize;
use super::token::{Parsed, TokenKind, Tokens};
use crate::ast::{Access, At, Grant, Name, Principal, Secret, Securable, Statement};
use crate::error::Error;

/// Any of the family.
pub(super) fn access(input: Tokens<'_>) -> Parsed<'_, Statement> {
    alt((
        add_user,
        alter_user,
        remove_user,
        listings,
        roles,
        grant,
        revoke,
        show_grants,
        show_acl,
        keyword("WHOAMI").map(|()| Access::WhoAmI),
    ))
    .map(Statement::Access)
    .parse(input)
}

/// What stands for a secret.
const MASK: &str = "********";

/// The statement as it may be shown and kept, where it may hold a secret key: with that masked.
pub fn masked(text: &str) -> Option<String> {
    let Ok(tokens) = tokenize(text) else {
        // It cannot be told what is the secret.
        return text
            .to_ascii_lowercase()
            .contains("secret")
            .then(|| MASK.to_owned());
    };
    let is_word = |at: usize, words: &[&str]| {
        tokens.get(at).is_some_and(|token| {
            words
                .iter()
                .any(|word| token.text.eq_ignore_ascii_case(word))
        })
    };
    if is_word(0, &["add", "alter"]) && is_word(1, &["user"]) {
        let rest = tokens[2..].iter().find(|token| {
            ["with", "set", "secret"]
                .iter()
                .any(|word| token.text.eq_ignore_ascii_case(word))
        });
        let end = rest.or(tokens.get(4)).map(|token| token.at)?;
        return Some(format!("{}{MASK}", &text[..end]));
    }
    let secret = tokens.windows(2).find(|pair| {
        pair[0].text.eq_ignore_ascii_case("secret") && matches!(pair[1].kind, TokenKind::String(_))
    })?;
    Some(format!("{}{MASK}", &text[..secret[1].at]))
}

/// `ALIYUN$name@aliyun.com`, `RAM$owner:sub`, a plain name, or any of them in quotes.
fn user_name(input: Tokens<'_>) -> Parsed<'_, Name> {
    let Some(first) = input.first() else {
        return input.expected("the name of a user");
    };
    let at = At(first.at);
    if let TokenKind::String(_) = &first.kind {
        let (rest, text) = string(input)?;
        return Ok((rest, Name { text, at }));
    }
    if let TokenKind::Quoted(text) = &first.kind {
        let text = text.clone();
        return input.accept(Name { text, at });
    }
    if first.kind != TokenKind::Word {
        return input.expected("the name of a user");
    }
    let (mut text, mut end) = (String::new(), first.at);
    let mut rest = input;
    while let Some(token) = rest.first() {
        let is_part = matches!(token.kind, TokenKind::Word | TokenKind::Number)
            || ["@", ".", ":", "-", "$"].contains(&token.text);
        if token.at != end || !is_part {
            break;
        }
        text.push_str(token.text);
        end = token.at + token.text.len();
        rest = rest.accept(())?.0;
    }
    Ok((rest, Name { text, at }))
}

fn secret(input: Tokens<'_>) -> Parsed<'_, Secret> {
    string.map(Secret).parse(input)
}

/// `ADD USER u [WITH SECRET '…'] [COMMENT '…']`.
fn add_user(input: Tokens<'_>) -> Parsed<'_, Access> {
    let (rest, ()) = keywords(&["ADD", "USER"])(input)?;
    rest.enter("ADD USER");
    let with = preceded(keywords(&["WITH", "SECRET"]), cut(secret));
    let comment = comment_text;
    let (rest, (user, secret, comment)) = (cut(user_name), opt(with), opt(comment)).parse(rest)?;
    let add = Access::AddUser {
        user,
        secret,
        comment,
    };
    Ok((rest, add))
}

/// `ALTER USER u SET SECRET '…'`.
fn alter_user(input: Tokens<'_>) -> Parsed<'_, Access> {
    let (rest, ()) = keywords(&["ALTER", "USER"])(input)?;
    rest.enter("ALTER USER");
    let set = preceded(keywords(&["SET", "SECRET"]), cut(secret));
    let (rest, (user, secret)) = (cut(user_name), cut(set)).parse(rest)?;
    Ok((rest, Access::AlterUser { user, secret }))
}

/// `REMOVE USER u`.
fn remove_user(input: Tokens<'_>) -> Parsed<'_, Access> {
    let (rest, ()) = keywords(&["REMOVE", "USER"])(input)?;
    rest.enter("REMOVE USER");
    user_name.map(Access::RemoveUser).parse(rest)
}

/// `LIST USERS`, `LIST ROLES`.
fn listings(input: Tokens<'_>) -> Parsed<'_, Access> {
    let of = |word| preceded(alt((keyword("LIST"), keyword("LS"))), keyword(word));
    alt((
        of("USERS").map(|()| Access::ListUsers),
        of("ROLES").map(|()| Access::ListRoles),
    ))
    .parse(input)
}

/// `CREATE ROLE r`, `DROP|DELETE ROLE r`, `DESC ROLE r`, `SHOW PRINCIPALS r`.
fn roles(input: Tokens<'_>) -> Parsed<'_, Access> {
    let create = preceded(keywords(&["CREATE", "ROLE"]), cut(name));
    let drop = alt((keywords(&["DROP", "ROLE"]), keywords(&["DELETE", "ROLE"])));
    let describe = alt((keywords(&["DESC", "ROLE"]), keywords(&["DESCRIBE", "ROLE"])));
    let principals = preceded(keywords(&["SHOW", "PRINCIPALS"]), cut(name));
    alt((
        create.map(Access::CreateRole),
        preceded(drop, cut(name)).map(Access::DropRole),
        preceded(describe, name).map(Access::DescribeRole),
        principals.map(Access::ShowPrincipals),
    ))
    .parse(input)
}

fn securable(input: Tokens<'_>) -> Parsed<'_, Securable> {
    let table = preceded(keyword("TABLE"), cut(object_name));
    let project = preceded(keyword("PROJECT"), cut(name));
    let found = alt((table.map(Securable::Table), project.map(Securable::Project))).parse(input);
    for other in ["FUNCTION", "RESOURCE", "INSTANCE", "SCHEMA", "PACKAGE"] {
        if keyword(other)(input).is_ok() {
            return input.fatal(Error::not_supported(format!("privileges on a {other}")));
        }
    }
    found
}

fn principal(input: Tokens<'_>) -> Parsed<'_, Principal> {
    let role = preceded(keyword("ROLE"), cut(name));
    let user = preceded(opt(keyword("USER")), user_name);
    alt((role.map(Principal::Role), user.map(Principal::User))).parse(input)
}

fn rights(input: Tokens<'_>) -> Parsed<'_, Vec<Name>> {
    separated_list1(symbol(","), name).parse(input)
}

/// `GRANT actions ON object TO principal`, `GRANT roles TO user`.
fn grant(input: Tokens<'_>) -> Parsed<'_, Access> {
    let (rest, ()) = keyword("GRANT")(input)?;
    rest.enter("GRANT");
    let (rest, actions) = cut(rights).parse(rest)?;
    let (rest, on) = flag(&["ON"])(rest)?;
    if !on {
        let (rest, user) = preceded(keyword("TO"), cut(user_name)).parse(rest)?;
        let roles = actions;
        return Ok((rest, Access::GrantRoles { roles, user }));
    }
    let to = preceded(keyword("TO"), cut(principal));
    let (rest, (object, principal)) = (cut(securable), cut(to)).parse(rest)?;
    let grant = Grant {
        actions,
        object,
        principal,
    };
    Ok((rest, Access::Grant(grant)))
}

/// `REVOKE actions ON object FROM principal`, `REVOKE roles FROM user`.
fn revoke(input: Tokens<'_>) -> Parsed<'_, Access> {
    let (rest, ()) = keyword("REVOKE")(input)?;
    rest.enter("REVOKE");
    let (rest, actions) = cut(rights).parse(rest)?;
    let (rest, on) = flag(&["ON"])(rest)?;
    if !on {
        let (rest, user) = preceded(keyword("FROM"), cut(user_name)).parse(rest)?;
        let roles = actions;
        return Ok((rest, Access::RevokeRoles { roles, user }));
    }
    let from = preceded(keyword("FROM"), cut(principal));
    let (rest, (object, principal)) = (cut(securable), cut(from)).parse(rest)?;
    let grant = Grant {
        actions,
        object,
        principal,
    };
    Ok((rest, Access::Revoke(grant)))
}

/// `SHOW GRANTS [FOR [USER] u | FOR ROLE r | ON TABLE t | ON PROJECT p]`.
fn show_grants(input: Tokens<'_>) -> Parsed<'_, Access> {
    let (rest, ()) = keywords(&["SHOW", "GRANTS"])(input)?;
    rest.enter("SHOW GRANTS");
    if let Ok((rest, object)) = preceded(keyword("ON"), cut(securable)).parse(rest) {
        return Ok((rest, Access::ShowAcl(object)));
    }
    opt(preceded(keyword("FOR"), cut(principal)))
        .map(Access::ShowGrants)
        .parse(rest)
}

/// `SHOW ACL FOR t [ON TYPE TABLE|PROJECT]`.
fn show_acl(input: Tokens<'_>) -> Parsed<'_, Access> {
    let (rest, ()) = keywords(&["SHOW", "ACL", "FOR"])(input)?;
    rest.enter("SHOW ACL");
    let (rest, object) = object_name(rest)?;
    let (rest, of_project) = flag(&["ON", "TYPE", "PROJECT"])(rest)?;
    if of_project {
        return Ok((rest, Access::ShowAcl(Securable::Project(object.name))));
    }
    let (rest, _) = flag(&["ON", "TYPE", "TABLE"])(rest)?;
    Ok((rest, Access::ShowAcl(Securable::Table(object))))
}
