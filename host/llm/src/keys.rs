//! The provider's key, from the vault to the way out. This is the only file that sees one, and it keeps none.

use crate::ModelError;
use sandgate_authority::Target;
use sandgate_egress::{SecretError, SecretSource};
use sandgate_model::SecretTarget;
use sandgate_vault::Vault;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Reveals the key of one provider, and no other secret.
pub(crate) struct Key {
    vault: Arc<Vault>,
    provider: String,
}

impl Key {
    pub(crate) fn new(vault: Arc<Vault>, provider: &str) -> Self {
        Self {
            vault,
            provider: provider.to_owned(),
        }
    }

    fn purpose(&self) -> SecretTarget {
        SecretTarget::Provider(self.provider.clone())
    }

    /// Reads the key where it was not read before: it may come from a command, and the way out cannot wait for one.
    pub(crate) async fn read(&self, name: &str) -> Result<(), ModelError> {
        match self.vault.reveal(name, &self.purpose()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(ModelError::Host(format!(
                "the key `{name}` of the provider `{}` cannot be had: {}",
                self.provider,
                chain(&error)
            ))),
        }
    }
}

impl SecretSource for Key {
    fn reveal(&self, name: &str, _: &Target) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        self.vault
            .ready(name, &self.purpose())
            .map_err(|error| SecretError(chain(&error)))
    }
}

/// An error with what is below it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(below) = source {
        text.push_str(": ");
        text.push_str(&below.to_string());
        source = below.source();
    }
    text
}
