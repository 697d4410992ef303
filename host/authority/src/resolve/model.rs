//! Text generation.

use super::{Case, allow};
use crate::{Layer, ModelPick, scope::names};
use sandgate_model::{ModelGrant, NeedKind, SecretTarget};

const KIND: NeedKind = NeedKind::Model;

impl Case<'_> {
    pub(super) fn model(&mut self) -> Vec<ModelGrant> {
        let project = self.project;
        let picks = self.request.narrowing.model.as_deref();
        for pick in picks.unwrap_or_default() {
            let offered = project.model().iter().any(|r| {
                r.grant.provider == pick.provider
                    && (pick.model == "*" || names(&r.grant, &pick.model))
            });
            if !offered {
                let (provider, model) = (&pick.provider, &pick.model);
                let message =
                    format!("picks `{provider}/{model}`, which the project does not grant");
                let line = allow::model(provider, model);
                self.refuse(Layer::Project, Some(KIND), message, Some(line), None);
            }
        }
        let mut granted = Vec::new();
        for rule in project.model() {
            let (offer, origin) = (&rule.grant, Some(&rule.origin));
            let what = || format!("{}/{}", offer.provider, offer.models.join(","));
            if !self.asks(KIND) {
                self.not_asked(KIND, what(), origin);
                continue;
            }
            let models = picked(offer, picks);
            if models.is_empty() {
                let why = super::NOT_PICKED;
                self.deny(Layer::Task, KIND, what(), why, None, origin);
                continue;
            }
            if let Some(why) = self.provider_under(&offer.provider) {
                self.denied.push(crate::Denial {
                    what: what(),
                    ..why
                });
                continue;
            }
            granted.push(ModelGrant {
                provider: offer.provider.clone(),
                models,
                approval: offer.approval,
            });
        }
        granted
    }

    /// Why the operator does not allow a provider. One whose key may not be used cannot be used at all.
    fn provider_under(&self, provider: &str) -> Option<crate::Denial> {
        let ceiling = self.operator?;
        let denial = |why: String, line: String, origin: &crate::Origin| crate::Denial {
            layer: Layer::Operator,
            kind: KIND,
            what: String::new(),
            why,
            allow: Some(allow::operator(&line)),
            origin: Some(origin.clone()),
        };
        if let Some(rule) = &ceiling.model
            && !rule.grant.iter().any(|p| p == provider)
        {
            return Some(denial(
                "the operator does not allow this provider".to_owned(),
                format!("model = [{provider:?}]"),
                &rule.origin,
            ));
        }
        let key = |r: &&crate::Rule<sandgate_model::SecretGrant>| matches!(&r.grant.to, SecretTarget::Provider(p) if p == provider);
        let rule = ceiling.secrets.as_ref()?;
        let kept = self
            .project
            .secrets()
            .iter()
            .filter(key)
            .find(|r| !rule.grant.contains(&r.grant.name))?;
        Some(denial(
            format!(
                "the operator does not allow `{}`, the key of this provider",
                kept.grant.name
            ),
            format!("secrets = [{:?}]", kept.grant.name),
            &rule.origin,
        ))
    }
}

/// The models of a rule that the task picks, sorted.
fn picked(offer: &ModelGrant, picks: Option<&[ModelPick]>) -> Vec<String> {
    let mut models = match picks {
        None => offer.models.clone(),
        Some(picks) => {
            let mine = || picks.iter().filter(|p| p.provider == offer.provider);
            if mine().any(|p| p.model == "*") {
                offer.models.clone()
            } else {
                mine()
                    .filter(|p| names(offer, &p.model))
                    .map(|p| p.model.clone())
                    .collect()
            }
        }
    };
    models.sort();
    models.dedup();
    models
}
