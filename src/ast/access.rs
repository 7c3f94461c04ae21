//! Users, roles and what they may do.

use std::fmt;

use super::{Name, ObjectName};

/// A statement about users, roles and grants.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    AddUser {
        user: Name,
        secret: Option<Secret>,
        comment: Option<String>,
    },
    /// Gives a user another secret key.
    AlterUser {
        user: Name,
        secret: Secret,
    },
    RemoveUser(Name),
    ListUsers,
    ListRoles,
    CreateRole(Name),
    DropRole(Name),
    DescribeRole(Name),
    ShowPrincipals(Name),
    GrantRoles {
        roles: Vec<Name>,
        user: Name,
    },
    RevokeRoles {
        roles: Vec<Name>,
        user: Name,
    },
    Grant(Grant),
    Revoke(Grant),
    /// Without a principal, one's own.
    ShowGrants(Option<Principal>),
    ShowAcl(Securable),
    WhoAmI,
}

/// Actions on an object, for somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub actions: Vec<Name>,
    pub object: Securable,
    pub principal: Principal,
}

/// What actions are granted on.
#[derive(Clone, Debug, PartialEq)]
pub enum Securable {
    Table(ObjectName),
    Project(Name),
}

/// Who is granted something.
#[derive(Clone, Debug, PartialEq)]
pub enum Principal {
    User(Name),
    Role(Name),
}

/// A secret key: never shown. All secrets are equal: what it is belongs to no comparison of statements.
#[derive(Clone)]
pub struct Secret(pub String);

impl PartialEq for Secret {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// In a statement's text, stars.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'********'")
    }
}

impl fmt::Display for Securable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "TABLE {table}"),
            Self::Project(project) => write!(f, "PROJECT {project}"),
        }
    }
}

/// A user's name as it is written: quoted where it has other marks than names have.
struct UserText<'a>(&'a Name);

impl fmt::Display for UserText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0.text;
        let is_plain = text.starts_with(char::is_alphabetic)
            && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        match is_plain {
            true => f.write_str(text),
            false => write!(f, "{}", super::display::Quoted(text)),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "USER {}", UserText(user)),
            Self::Role(role) => write!(f, "ROLE {role}"),
        }
    }
}

fn names(names: &[Name]) -> String {
    let names: Vec<String> = names.iter().map(Name::to_string).collect();
    names.join(", ")
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddUser {
                user,
                secret,
                comment,
            } => {
                write!(f, "ADD USER {}", UserText(user))?;
                if let Some(secret) = secret {
                    write!(f, " WITH SECRET {secret}")?;
                }
                match comment {
                    Some(comment) => write!(f, " COMMENT {}", super::display::Quoted(comment)),
                    None => Ok(()),
                }
            }
            Self::AlterUser { user, secret } => {
                write!(f, "ALTER USER {} SET SECRET {secret}", UserText(user))
            }
            Self::RemoveUser(user) => write!(f, "REMOVE USER {}", UserText(user)),
            Self::ListUsers => f.write_str("LIST USERS"),
            Self::ListRoles => f.write_str("LIST ROLES"),
            Self::CreateRole(role) => write!(f, "CREATE ROLE {role}"),
            Self::DropRole(role) => write!(f, "DROP ROLE {role}"),
            Self::DescribeRole(role) => write!(f, "DESCRIBE ROLE {role}"),
            Self::ShowPrincipals(role) => write!(f, "SHOW PRINCIPALS {role}"),
            Self::GrantRoles { roles, user } => {
                write!(f, "GRANT {} TO {}", names(roles), UserText(user))
            }
            Self::RevokeRoles { roles, user } => {
                write!(f, "REVOKE {} FROM {}", names(roles), UserText(user))
            }
            Self::Grant(grant) => write!(
                f,
                "GRANT {} ON {} TO {}",
                names(&grant.actions),
                grant.object,
                grant.principal
            ),
            Self::Revoke(grant) => write!(
                f,
                "REVOKE {} ON {} FROM {}",
                names(&grant.actions),
                grant.object,
                grant.principal
            ),
            Self::ShowGrants(None) => f.write_str("SHOW GRANTS"),
            Self::ShowGrants(Some(principal)) => write!(f, "SHOW GRANTS FOR {principal}"),
            Self::ShowAcl(object) => match object {
                Securable::Table(table) => write!(f, "SHOW ACL FOR {table} ON TYPE TABLE"),
                Securable::Project(project) => write!(f, "SHOW ACL FOR {project} ON TYPE PROJECT"),
            },
            Self::WhoAmI => f.write_str("WHOAMI"),
        }
    }
}
