//! Users, roles and grants, as they are recorded.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::Catalog;
use crate::ids::TableId;
use crate::store::{Key, KeyRange, Order, Record, StoreError};

/// What can be granted. Variants are only ever appended: it is part of stored grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// Everything that can be granted on the object.
    All,
    // On a project.
    Read,
    Write,
    List,
    CreateTable,
    CreateInstance,
    CreateFunction,
    CreateResource,
    // On a table.
    Describe,
    Select,
    Alter,
    Update,
    Drop,
    ShowHistory,
    Download,
    /// Settings, users, roles: of the project's owner and its admins, never granted by itself.
    Administer,
}

impl Action {
    const OF_PROJECT: [Self; 8] = [
        Self::All,
        Self::Read,
        Self::Write,
        Self::List,
        Self::CreateTable,
        Self::CreateInstance,
        Self::CreateFunction,
        Self::CreateResource,
    ];
    const OF_TABLE: [Self; 8] = [
        Self::All,
        Self::Describe,
        Self::Select,
        Self::Alter,
        Self::Update,
        Self::Drop,
        Self::ShowHistory,
        Self::Download,
    ];

    /// The action of that name that can be granted on a table, or on a project.
    pub fn named(name: &str, on_table: bool) -> Option<Self> {
        let all = match on_table {
            true => Self::OF_TABLE,
            false => Self::OF_PROJECT,
        };
        all.into_iter()
            .find(|action| action.to_string().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A secret under the key of the warehouse.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    pub nonce: [u8; 12],
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

/// Somebody who can log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub secret: Option<Sealed>,
    pub created_at_ms: i64,
}

impl Record for Account {
    const KIND: u8 = 0x11;
    const VERSION: u16 = 1;
}

/// A user of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub comment: Option<String>,
    pub added_at_ms: i64,
}

impl Record for Member {
    const KIND: u8 = 0x12;
    const VERSION: u16 = 1;
}

/// A role of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub created_at_ms: i64,
}

impl Record for Role {
    const KIND: u8 = 0x13;
    const VERSION: u16 = 1;
}

/// That a user has a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleMember {}

impl Record for RoleMember {
    const KIND: u8 = 0x14;
    const VERSION: u16 = 1;
}

/// What is granted on an object to somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    pub actions: BTreeSet<Action>,
}

impl Record for Granted {
    const KIND: u8 = 0x15;
    const VERSION: u16 = 1;
}

/// What something is granted on. A table is named by its incarnation: its grants come back with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    Project,
    Table(TableId),
    View(String),
}

/// Who something is granted to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    Role(String),
    User(String),
}

impl Object {
    /// The object as keys have it.
    pub fn key_text(&self) -> String {
        match self {
            Self::Project => "p".to_owned(),
            Self::Table(id) => format!("t{id}"),
            Self::View(name) => format!("v{name}"),
        }
    }

    fn of_key(text: &str) -> Option<Self> {
        match text.split_at_checked(1)? {
            ("p", "") => Some(Self::Project),
            ("t", id) => id.parse().ok().map(Self::Table),
            ("v", name) => Some(Self::View(name.to_owned())),
            _ => None,
        }
    }
}

impl Grantee {
    /// The grantee as keys have it.
    pub fn key_text(&self) -> String {
        match self {
            Self::Role(name) => format!("r{name}"),
            Self::User(name) => format!("u{name}"),
        }
    }

    fn of_key(text: &str) -> Option<Self> {
        match text.split_at_checked(1)? {
            ("r", name) => Some(Self::Role(name.to_owned())),
            ("u", name) => Some(Self::User(name.to_owned())),
            _ => None,
        }
    }
}

/// Where a grant is recorded.
pub fn grant_key(project: &str, object: &Object, grantee: &Grantee) -> Key {
    Key::Grant {
        project: project.to_owned(),
        object: object.key_text(),
        grantee: grantee.key_text(),
    }
}

impl Catalog<'_> {
    /// The account of that name.
    pub fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        self.store().get(&Key::Account(name.to_owned()))
    }

    /// A user of a project.
    pub fn member(&self, project: &str, user: &str) -> Result<Option<Member>, StoreError> {
        self.store().get(&Key::Member {
            project: project.to_owned(),
            user: user.to_owned(),
        })
    }

    /// A role of a project.
    pub fn role(&self, project: &str, role: &str) -> Result<Option<Role>, StoreError> {
        self.store().get(&Key::Role {
            project: project.to_owned(),
            role: role.to_owned(),
        })
    }

    /// The users of a project, by name.
    pub fn members(&self, project: &str) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        self.store()
            .scan_keys(&KeyRange::members(project), Order::Ascending, |key| {
                if let Key::Member { user, .. } = key {
                    names.push(user);
                }
                ControlFlow::Continue(())
            })?;
        Ok(names)
    }

    /// The roles of a project, by name.
    pub fn roles(&self, project: &str) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        self.store()
            .scan_keys(&KeyRange::roles(project), Order::Ascending, |key| {
                if let Key::Role { role, .. } = key {
                    names.push(role);
                }
                ControlFlow::Continue(())
            })?;
        Ok(names)
    }

    /// Who has which role in a project: users and roles.
    pub fn role_members(&self, project: &str) -> Result<Vec<(String, String)>, StoreError> {
        let mut found = Vec::new();
        self.store()
            .scan_keys(&KeyRange::role_members(project), Order::Ascending, |key| {
                if let Key::RoleMember { user, role, .. } = key {
                    found.push((user, role));
                }
                ControlFlow::Continue(())
            })?;
        Ok(found)
    }

    /// What is granted on an object to somebody.
    pub fn granted(
        &self,
        project: &str,
        object: &Object,
        grantee: &Grantee,
    ) -> Result<BTreeSet<Action>, StoreError> {
        let key = grant_key(project, object, grantee);
        let found: Option<Granted> = self.store().get(&key)?;
        Ok(found.map(|granted| granted.actions).unwrap_or_default())
    }

    /// All grants of a project; of one object where it is given.
    pub fn grants(
        &self,
        project: &str,
        object: Option<&Object>,
    ) -> Result<Vec<(Object, Grantee, BTreeSet<Action>)>, StoreError> {
        let range = match object {
            Some(object) => KeyRange::grants_on(project, &object.key_text()),
            None => KeyRange::grants(project),
        };
        let mut found = Vec::new();
        self.store()
            .scan(&range, Order::Ascending, |key, granted: Granted| {
                if let Key::Grant {
                    object, grantee, ..
                } = key
                    && let (Some(object), Some(grantee)) =
                        (Object::of_key(&object), Grantee::of_key(&grantee))
                {
                    found.push((object, grantee, granted.actions));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        Ok(found)
    }
}
