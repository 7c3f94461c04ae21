//! `ALTER VIEW`.

use super::{Name, ObjectName, Query};

/// `ALTER VIEW v …`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterView {
    pub view: ObjectName,
    pub action: ViewAction,
}

/// What ALTER VIEW does.
#[derive(Clone, Debug, PartialEq)]
pub enum ViewAction {
    Rename(Name),
    ChangeOwner(String),
    /// `SET TBLPROPERTIES('comment'='…')`: a view has no other properties.
    SetComment(String),
    CommentColumn {
        column: Name,
        comment: String,
    },
    /// Another query.
    As(Query),
}
