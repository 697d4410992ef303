//! Who speaks. A project that names principals takes a token, or the user that the operating system says; one that names
//! none has one principal, the owner of its state, with every role. Must not decide what somebody may do.

use super::WishError;
use sandgate_model::{Actor, Authenticated, Channel, Digest};
use sandgate_workflow::Project;

/// Who speaks, before it was looked up in the project.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Speaker {
    /// The token it shows; absent: none.
    pub token: Option<String>,
    /// The operating system's name of the user.
    pub user: String,
}

impl Speaker {
    /// The user that this process runs as, with the token that was given to it.
    #[must_use]
    pub fn here(token: Option<String>) -> Self {
        Self {
            token,
            user: user_name(rustix::process::geteuid().as_raw()),
        }
    }

    /// The principal that this is, by the project's file as it is now.
    ///
    /// # Errors
    /// A token that the project does not know: whoever shows one wants to be that principal and nobody else.
    pub(crate) fn actor(&self, project: &Project, channel: Channel) -> Result<Actor, WishError> {
        Ok(self.known(project, channel)?.0)
    }

    /// The same for whoever decides: in a project that names principals, one of these.
    ///
    /// # Errors
    /// As [`Speaker::actor`], and for anybody who is none of the principals.
    pub(crate) fn principal(
        &self,
        project: &Project,
        channel: Channel,
    ) -> Result<Actor, WishError> {
        let (actor, known) = self.known(project, channel)?;
        if known {
            return Ok(actor);
        }
        Err(WishError::NotAPrincipal {
            why: format!(
                "{} is none of the principals of this project: show the token of one in SANDGATE_TOKEN, or add a \
                 [[principal]] with user = \"{}\" to sandgate.toml",
                actor.name, self.user
            ),
        })
    }

    fn known(&self, project: &Project, channel: Channel) -> Result<(Actor, bool), WishError> {
        if let Some(token) = &self.token {
            let principal = project.principal_of_token(Digest::of(token.as_bytes()));
            return match principal {
                Some(principal) => {
                    let actor = Actor {
                        name: principal.name.clone(),
                        roles: principal.roles.clone(),
                        operator: false,
                        authenticated: Authenticated::Token,
                        channel,
                    };
                    Ok((actor, true))
                }
                None => Err(WishError::Unknown {
                    why: "the token is that of no principal of this project: look at [[principal]] in sandgate.toml"
                        .to_owned(),
                }),
            };
        }
        let principal = project.principal_of_user(&self.user);
        let operator = project.principals.is_empty();
        let actor = Actor {
            name: principal.map_or_else(|| self.user.clone(), |p| p.name.clone()),
            roles: principal.map(|p| p.roles.clone()).unwrap_or_default(),
            operator,
            authenticated: Authenticated::Os,
            channel,
        };
        Ok((actor, operator || principal.is_some()))
    }
}

/// The name of a user; `uid:N` for one that has none.
pub(super) fn user_name(uid: u32) -> String {
    match nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("uid:{uid}"),
    }
}
