//! Secrets. Those that are the key of a provider come with the provider: the plugin that generates text neither asks
//! for them nor uses them, the host does.

use super::{Case, allow};
use crate::{Layer, line::secret_target};
use sandgate_model::{ExecGrant, HttpGrant, ModelGrant, NeedKind, SecretGrant, SecretTarget};

const KIND: NeedKind = NeedKind::Secrets;

impl Case<'_> {
    /// What may be granted as far as plugin, task and operator go, before it is known where it could go to.
    pub(super) fn secret_candidates(&mut self) -> Vec<SecretGrant> {
        let project = self.project;
        let own = |g: &SecretGrant| !matches!(g.to, SecretTarget::Provider(_));
        let picks = self.request.narrowing.secrets.as_deref();
        for pick in picks.unwrap_or_default() {
            if !project
                .secrets()
                .iter()
                .any(|r| own(&r.grant) && r.grant.name == *pick)
            {
                let message = format!(
                    "picks the secret `{pick}`, which the project does not have{}",
                    super::known(
                        project
                            .secrets()
                            .iter()
                            .filter(|r| own(&r.grant))
                            .map(|r| r.grant.name.as_str()),
                    )
                );
                self.refuse(
                    Layer::Project,
                    Some(KIND),
                    message,
                    Some(allow::secret(pick)),
                    None,
                );
            }
        }
        let mut candidates = Vec::new();
        for rule in project.secrets().iter().filter(|r| own(&r.grant)) {
            let (secret, origin) = (&rule.grant, Some(&rule.origin));
            let name = secret.name.as_str();
            if !self.asks(KIND) {
                self.not_asked(KIND, name, origin);
            } else if picks.is_some_and(|p| !p.contains(&secret.name)) {
                self.deny(Layer::Task, KIND, name, super::NOT_PICKED, None, origin);
            } else if let Some(rule) = self.operator.and_then(|o| o.secrets.as_ref())
                && !rule.grant.contains(&secret.name)
            {
                let line = allow::operator(&format!("secrets = [{name:?}]"));
                let why = "the operator does not allow it";
                self.deny(
                    Layer::Operator,
                    KIND,
                    name,
                    why,
                    Some(line),
                    Some(&rule.origin),
                );
            } else {
                candidates.push(secret.clone());
            }
        }
        candidates
    }

    /// Of the candidates, those that have somewhere to go; and the keys of the providers in use.
    pub(super) fn secrets(
        &mut self,
        candidates: Vec<SecretGrant>,
        http: &[HttpGrant],
        exec: &[ExecGrant],
        model: &[ModelGrant],
    ) -> Vec<SecretGrant> {
        let mut granted = Vec::new();
        for secret in candidates {
            let goes = match &secret.to {
                SecretTarget::Origin(origin) => http.iter().any(|h| h.origin() == *origin),
                SecretTarget::Exec(rule) => exec.iter().any(|e| e.name == *rule),
                SecretTarget::Provider(_) => false,
            };
            if goes {
                granted.push(secret);
                continue;
            }
            let target = secret_target(&secret.to);
            let rule = self.project.secrets().iter().find(|r| r.grant == secret);
            let why = format!("nothing is granted that goes to `{target}`");
            let origin = rule.map(|r| &r.origin);
            self.deny(Layer::Task, KIND, secret.name, why, None, origin);
        }
        let keys = self.project.secrets().iter().map(|r| &r.grant).filter(|s| {
            matches!(&s.to, SecretTarget::Provider(p) if model.iter().any(|m| m.provider == *p))
        });
        granted.extend(keys.cloned());
        granted
    }
}
