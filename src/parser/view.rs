//! ALTER VIEW. Manual page: "View operations".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::sequence::preceded;

use super::common::{
    comment_text, keyword, keywords, name, object_name, parenthesized, property, string,
};
use super::dml::query;
use super::token::{Parsed, Tokens};
use crate::ast::{AlterView, Statement, ViewAction};
use crate::error::Error;

/// `ALTER VIEW v RENAME TO w | CHANGEOWNER TO '…' | SET TBLPROPERTIES('comment'='…') | CHANGE COLUMN c COMMENT '…' | AS SELECT …`.
pub(super) fn alter_view(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["ALTER", "VIEW"])(input)?;
    rest.enter("ALTER VIEW");
    let (rest, view) = object_name(rest)?;
    let owner = preceded(keywords(&["CHANGEOWNER", "TO"]), cut(string));
    let column = (
        preceded((keyword("CHANGE"), opt(keyword("COLUMN"))), cut(name)),
        cut(comment_text),
    );
    let (rest, action) = alt((
        rename,
        owner.map(ViewAction::ChangeOwner),
        set,
        column.map(|(column, comment)| ViewAction::CommentColumn { column, comment }),
        preceded(keyword("AS"), cut(query)).map(ViewAction::As),
    ))
    .parse(rest)?;
    Ok((rest, Statement::AlterView(AlterView { view, action })))
}

fn rename(input: Tokens<'_>) -> Parsed<'_, ViewAction> {
    let (rest, new_name) = preceded(keywords(&["RENAME", "TO"]), cut(object_name)).parse(input)?;
    if let Some(project) = new_name.project {
        let detail = "a view is renamed within its project; give the new name alone";
        return rest.fatal(Error::semantic(detail).at(project.at.0));
    }
    Ok((rest, ViewAction::Rename(new_name.name)))
}

fn set(input: Tokens<'_>) -> Parsed<'_, ViewAction> {
    let (rest, ()) = keywords(&["SET", "TBLPROPERTIES"])(input)?;
    let (rest, properties) = cut(parenthesized(property)).parse(rest)?;
    match properties.as_slice() {
        [(key, comment)] if key.eq_ignore_ascii_case("comment") => {
            Ok((rest, ViewAction::SetComment(comment.clone())))
        }
        _ => rest.fatal(
            Error::not_supported("properties of a view other than 'comment'").at(input.at()),
        ),
    }
}
