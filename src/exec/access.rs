//! Users, roles and grants. Manual page: "Permissions".

use std::fmt::Write as _;

use super::{Layout, Listing, Outcome};
use crate::ast::{self, Access, Name, Principal, Securable};
use crate::auth::{ADMIN, Vault};
use crate::catalog::{
    Account, Action, Granted, Grantee, Member, Object, Role, RoleMember, grant_key,
};
use crate::error::{Error, Result};
use crate::plan::Context;
use crate::store::{Batch, Key};

/// Longest name of a user or role, in bytes.
const NAME_MAX: usize = 128;
/// Longest secret key, in bytes.
const SECRET_MAX: usize = 1024;

pub(super) fn access(cx: &Context<'_>, access: Access) -> Result<Outcome> {
    match access {
        Access::AddUser {
            user,
            secret,
            comment,
        } => add_user(cx, &user, secret, comment),
        Access::AlterUser { user, secret } => alter_user(cx, &user, &secret),
        Access::RemoveUser(user) => remove_user(cx, &user),
        Access::ListUsers => Ok(lines("user", cx.catalog()?.members(cx.project)?)),
        Access::ListRoles => {
            let mut roles = cx.catalog()?.roles(cx.project)?;
            roles.insert(0, ADMIN.to_owned());
            Ok(lines("role", roles))
        }
        Access::CreateRole(role) => create_role(cx, &role),
        Access::DropRole(role) => drop_role(cx, &role),
        Access::DescribeRole(role) => describe_role(cx, &role),
        Access::ShowPrincipals(role) => {
            require_role(cx, &role)?;
            Ok(lines("user", members_of(cx, &role.text)?))
        }
        Access::GrantRoles { roles, user } => change_roles(cx, &roles, &user, true),
        Access::RevokeRoles { roles, user } => change_roles(cx, &roles, &user, false),
        Access::Grant(grant) => change_grant(cx, &grant, true),
        Access::Revoke(grant) => change_grant(cx, &grant, false),
        Access::ShowGrants(principal) => show_grants(cx, principal),
        Access::ShowAcl(object) => {
            let (project, object) = resolve(cx, &object)?;
            let all = cx.catalog()?.grants(&project, Some(&object))?;
            shown(cx, &project, all).map(Outcome::Text)
        }
        Access::WhoAmI => Ok(Outcome::Text(format!(
            "Name: {}\nSource IP: 127.0.0.1\nEnd_Point: local\nProject: {}",
            cx.user, cx.project
        ))),
    }
}

fn lines(title: &'static str, names: Vec<String>) -> Outcome {
    Outcome::Listing(Listing {
        layout: Layout::Lines,
        titles: vec![title],
        hidden: 0,
        rows: names.into_iter().map(|name| vec![Some(name)]).collect(),
    })
}

fn done(cx: &Context<'_>, batch: Batch<'_>) -> Result<Outcome> {
    cx.commit(batch, &cx.author())?;
    Ok(Outcome::Done)
}

fn check_name(name: &Name) -> Result<()> {
    let is_known = |c: char| c.is_alphanumeric() || "_$@.:-+".contains(c);
    if name.text.is_empty() || name.text.len() > NAME_MAX || !name.text.chars().all(is_known) {
        let detail = "a name has letters, digits and any of _ $ @ . : - +, at most 128 bytes";
        return Err(Error::semantic(detail).at(name.at.0));
    }
    Ok(())
}

/// `acs:…:user` is not there; `Failed` as the original words it.
fn missing(what: &str, name: &Name) -> Error {
    Error::semantic(format!("{what} '{}' does not exist", name.text)).at(name.at.0)
}

fn exists(what: &str, name: &Name) -> Error {
    Error::semantic(format!("{what} '{}' already exists", name.text)).at(name.at.0)
}

fn seal(cx: &Context<'_>, user: &Name, secret: &ast::Secret) -> Result<crate::catalog::Sealed> {
    if secret.0.is_empty() || secret.0.len() > SECRET_MAX {
        return Err(Error::semantic("a secret key has 1 to 1024 bytes"));
    }
    Vault::beside(cx.warehouse.dir()).seal(&user.text, &secret.0)
}

fn add_user(
    cx: &Context<'_>,
    user: &Name,
    secret: Option<ast::Secret>,
    comment: Option<String>,
) -> Result<Outcome> {
    check_name(user)?;
    let catalog = cx.catalog()?;
    if catalog.member(cx.project, &user.text)?.is_some() {
        return Err(exists("user", user));
    }
    if comment.as_ref().is_some_and(|comment| comment.len() > 1024) {
        return Err(Error::semantic("the comment is longer than 1024 bytes"));
    }
    let sealed = match &secret {
        Some(secret) => Some(seal(cx, user, secret)?),
        None => None,
    };
    let mut batch = cx.store()?.begin();
    let key = Key::Account(user.text.clone());
    batch.expect_unchanged(key.clone())?;
    let known = catalog.account(&user.text)?;
    if let (
        Some(Account {
            secret: Some(_), ..
        }),
        Some(_),
    ) = (&known, &sealed)
    {
        let error = Error::semantic(format!("user '{}' has a secret key already", user.text));
        return Err(error.hint("ALTER USER … SET SECRET changes it"));
    }
    let account = Account {
        created_at_ms: known
            .as_ref()
            .map_or(cx.now_ms, |known| known.created_at_ms),
        secret: sealed.or(known.and_then(|known| known.secret)),
    };
    batch.put(&key, &account);
    let key = Key::Member {
        project: cx.project.to_owned(),
        user: user.text.clone(),
    };
    batch.expect_unchanged(key.clone())?;
    let member = Member {
        comment,
        added_at_ms: cx.now_ms,
    };
    batch.put(&key, &member);
    done(cx, batch)
}

fn alter_user(cx: &Context<'_>, user: &Name, secret: &ast::Secret) -> Result<Outcome> {
    require_user(cx, user)?;
    let key = Key::Account(user.text.clone());
    let Some(mut account) = cx.catalog()?.account(&user.text)? else {
        return Err(missing("user", user));
    };
    let mut batch = cx.store()?.begin();
    batch.expect_record(key.clone(), &account);
    account.secret = Some(seal(cx, user, secret)?);
    batch.put(&key, &account);
    done(cx, batch)
}

/// Removes a user from the project, with his roles and grants; an account that is in no project goes too.
fn remove_user(cx: &Context<'_>, user: &Name) -> Result<Outcome> {
    require_user(cx, user)?;
    let catalog = cx.catalog()?;
    let mut batch = cx.store()?.begin();
    batch.remove(&Key::Member {
        project: cx.project.to_owned(),
        user: user.text.clone(),
    });
    for (member, role) in catalog.role_members(cx.project)? {
        if member == user.text {
            batch.remove(&Key::RoleMember {
                project: cx.project.to_owned(),
                user: member,
                role,
            });
        }
    }
    let grantee = Grantee::User(user.text.clone());
    remove_grants(cx, &mut batch, &grantee)?;
    let mut is_elsewhere = false;
    for project in catalog.projects()? {
        is_elsewhere |= project != cx.project && catalog.member(&project, &user.text)?.is_some();
    }
    if !is_elsewhere {
        batch.remove(&Key::Account(user.text.clone()));
    }
    done(cx, batch)
}

fn remove_grants(cx: &Context<'_>, batch: &mut Batch<'_>, grantee: &Grantee) -> Result<()> {
    for (object, other, _) in cx.catalog()?.grants(cx.project, None)? {
        if other == *grantee {
            batch.remove(&grant_key(cx.project, &object, grantee));
        }
    }
    Ok(())
}

fn require_user(cx: &Context<'_>, user: &Name) -> Result<()> {
    match cx.catalog()?.member(cx.project, &user.text)? {
        Some(_) => Ok(()),
        None => Err(missing("user", user)),
    }
}

fn require_role(cx: &Context<'_>, role: &Name) -> Result<()> {
    if role.text == ADMIN || cx.catalog()?.role(cx.project, &role.text)?.is_some() {
        return Ok(());
    }
    Err(missing("role", role))
}

fn create_role(cx: &Context<'_>, role: &Name) -> Result<Outcome> {
    check_name(role)?;
    if role.text == ADMIN || cx.catalog()?.role(cx.project, &role.text)?.is_some() {
        return Err(exists("role", role));
    }
    let mut batch = cx.store()?.begin();
    let key = Key::Role {
        project: cx.project.to_owned(),
        role: role.text.clone(),
    };
    batch.expect_unchanged(key.clone())?;
    batch.put(
        &key,
        &Role {
            created_at_ms: cx.now_ms,
        },
    );
    done(cx, batch)
}

fn drop_role(cx: &Context<'_>, role: &Name) -> Result<Outcome> {
    require_role(cx, role)?;
    if role.text == ADMIN {
        return Err(Error::semantic("role 'admin' is built in").at(role.at.0));
    }
    let members = members_of(cx, &role.text)?;
    if !members.is_empty() {
        let detail = format!(
            "role '{}' still has users: {}",
            role.text,
            members.join(", ")
        );
        return Err(Error::semantic(detail).at(role.at.0));
    }
    let mut batch = cx.store()?.begin();
    batch.remove(&Key::Role {
        project: cx.project.to_owned(),
        role: role.text.clone(),
    });
    remove_grants(cx, &mut batch, &Grantee::Role(role.text.clone()))?;
    done(cx, batch)
}

fn members_of(cx: &Context<'_>, role: &str) -> Result<Vec<String>> {
    let members = cx.catalog()?.role_members(cx.project)?.into_iter();
    Ok(members
        .filter(|(_, other)| other == role)
        .map(|(user, _)| user)
        .collect())
}

fn describe_role(cx: &Context<'_>, role: &Name) -> Result<Outcome> {
    require_role(cx, role)?;
    let mut text = format!("[users]\n{}\n\n", members_of(cx, &role.text)?.join(", "));
    let grantee = Grantee::Role(role.text.clone());
    let mut all = cx.catalog()?.grants(cx.project, None)?;
    all.retain(|(_, other, _)| *other == grantee);
    text += &shown(cx, cx.project, all)?;
    Ok(Outcome::Text(text.trim_end().to_owned()))
}

fn change_roles(
    cx: &Context<'_>,
    roles: &[Name],
    user: &Name,
    is_granted: bool,
) -> Result<Outcome> {
    require_user(cx, user)?;
    let mut batch = cx.store()?.begin();
    for role in roles {
        require_role(cx, role)?;
        let key = Key::RoleMember {
            project: cx.project.to_owned(),
            user: user.text.clone(),
            role: role.text.clone(),
        };
        match is_granted {
            true => batch.put(&key, &RoleMember {}),
            false => batch.remove(&key),
        }
    }
    done(cx, batch)
}

/// The project and the object that a grant names.
fn resolve(cx: &Context<'_>, object: &Securable) -> Result<(String, Object)> {
    match object {
        Securable::Project(project) => {
            cx.require_project(&project.text)?;
            if project.text != cx.project {
                let detail = "privileges are granted on the current project";
                return Err(Error::semantic(detail).at(project.at.0));
            }
            Ok((project.text.clone(), Object::Project))
        }
        Securable::Table(table) => {
            let project = cx.project_of(table)?;
            let (catalog, name) = (cx.catalog()?, &table.name);
            if let Some((id, _)) = catalog.live_table(&project, &name.text)? {
                return Ok((project, Object::Table(id)));
            }
            match catalog.view(&project, &name.text)? {
                Some(_) => Ok((project, Object::View(name.text.clone()))),
                None => Err(Error::table_not_found(&project, &name.text).at(name.at.0)),
            }
        }
    }
}

fn change_grant(cx: &Context<'_>, grant: &ast::Grant, is_granted: bool) -> Result<Outcome> {
    let (project, object) = resolve(cx, &grant.object)?;
    let grantee = match &grant.principal {
        Principal::User(user) => {
            require_user(cx, user)?;
            Grantee::User(user.text.clone())
        }
        Principal::Role(role) => {
            require_role(cx, role)?;
            Grantee::Role(role.text.clone())
        }
    };
    let mut actions = Vec::new();
    for name in &grant.actions {
        let on_table = object != Object::Project;
        let Some(action) = Action::named(&name.text, on_table) else {
            let what = if on_table { "a table" } else { "a project" };
            let detail = format!("there is no privilege {} on {what}", name.text);
            return Err(Error::semantic(detail).at(name.at.0));
        };
        actions.push(action);
    }
    let key = grant_key(&project, &object, &grantee);
    let mut batch = cx.store()?.begin();
    batch.expect_unchanged(key.clone())?;
    let mut granted = Granted {
        actions: cx.catalog()?.granted(&project, &object, &grantee)?,
    };
    for action in actions {
        match is_granted {
            true => granted.actions.insert(action),
            false => granted.actions.remove(&action),
        };
    }
    match granted.actions.is_empty() {
        true => batch.remove(&key),
        false => batch.put(&key, &granted),
    }
    done(cx, batch)
}

fn show_grants(cx: &Context<'_>, principal: Option<Principal>) -> Result<Outcome> {
    let catalog = cx.catalog()?;
    let mut grantees = Vec::new();
    match principal {
        Some(Principal::Role(role)) => {
            require_role(cx, &role)?;
            grantees.push(Grantee::Role(role.text));
        }
        principal => {
            let user = match principal {
                Some(Principal::User(user)) => {
                    require_user(cx, &user)?;
                    user.text
                }
                _ => cx.user.to_owned(),
            };
            let members = catalog.role_members(cx.project)?.into_iter();
            let roles = members.filter(|(member, _)| *member == user);
            grantees.extend(roles.map(|(_, role)| Grantee::Role(role)));
            grantees.push(Grantee::User(user));
        }
    }
    let mut all = catalog.grants(cx.project, None)?;
    all.retain(|(_, grantee, _)| grantees.contains(grantee));
    shown(cx, cx.project, all).map(Outcome::Text)
}

/// Grants as the original lists them: by grantee, a line for each object.
fn shown(
    cx: &Context<'_>,
    project: &str,
    mut grants: Vec<(Object, Grantee, std::collections::BTreeSet<Action>)>,
) -> Result<String> {
    let catalog = cx.catalog()?;
    grants.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    let mut text = "Authorization Type: ACL".to_owned();
    let mut last = None;
    for (object, grantee, actions) in grants {
        let object = match object {
            Object::Project => format!("projects/{project}"),
            Object::View(name) => format!("projects/{project}/tables/{name}"),
            // A dropped table keeps its grants, and shows them when it is back.
            Object::Table(id) => match catalog.table(id)? {
                Some(table) if table.dropped_at_ms.is_none() => {
                    format!("projects/{project}/tables/{}", table.name)
                }
                _ => continue,
            },
        };
        if last.as_ref() != Some(&grantee) {
            let _ = match &grantee {
                Grantee::Role(role) => write!(text, "\n[role/{role}]"),
                Grantee::User(user) => write!(text, "\n[user/{user}]"),
            };
            last = Some(grantee);
        }
        let actions: Vec<String> = actions.iter().map(Action::to_string).collect();
        let _ = write!(text, "\nA       {object}: {}", actions.join(" | "));
    }
    Ok(text)
}
