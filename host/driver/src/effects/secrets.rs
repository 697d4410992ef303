//! Secrets on their way into a request: fetched for one purpose, kept for one attempt, zeroed with it. Must not show a
//! value to anybody but the egress, which puts it into a header after its checks.

use crate::local::lock;
use sandgate_authority::Target;
use sandgate_egress::{SecretError, SecretSource};
use sandgate_model::SecretTarget;
use sandgate_vault::Vault;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use zeroize::Zeroizing;

/// Values by name and origin.
type Values = BTreeMap<(String, String), Zeroizing<Vec<u8>>>;

/// What one attempt has fetched.
pub(crate) struct Revealed {
    vault: Arc<Vault>,
    values: Mutex<Values>,
}

impl Revealed {
    pub(crate) fn new(vault: Arc<Vault>) -> Arc<Self> {
        Arc::new(Self {
            vault,
            values: Mutex::default(),
        })
    }

    /// Fetches secrets bound to `purpose`, for requests to `origin`. Whether the request may have them was decided
    /// before.
    ///
    /// # Errors
    /// When one cannot be had; says how to mend it, never the value.
    pub(crate) async fn fetch(
        &self,
        names: &[String],
        origin: &str,
        purpose: &SecretTarget,
    ) -> Result<(), String> {
        for name in names {
            let key = (name.clone(), origin.to_owned());
            if lock(&self.values).contains_key(&key) {
                continue;
            }
            let value = self
                .vault
                .reveal(name, purpose)
                .await
                .map_err(|error| crate::chain(&error))?;
            lock(&self.values).insert(key, value);
        }
        Ok(())
    }
}

impl SecretSource for Revealed {
    fn reveal(&self, name: &str, target: &Target) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        lock(&self.values)
            .get(&(name.to_owned(), target.origin()))
            .cloned()
            .ok_or_else(|| {
                SecretError(format!(
                    "the secret `{name}` is not bound to {}",
                    target.origin()
                ))
            })
    }
}
