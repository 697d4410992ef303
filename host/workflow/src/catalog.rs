//! The plugins at hand: what each says of itself. The caller loads the components and fills this in; must not
//! load anything here.

use sandgate_model::{Description, Digest, PluginName, Role};
use std::collections::BTreeMap;

/// A plugin that was loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogEntry {
    /// Its role: which world it exports.
    pub role: Role,
    /// Digest of the component.
    pub digest: Digest,
    /// What it says of itself.
    pub description: Description,
}

/// Every plugin of a project that could be loaded, by its name in the project.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    /// The plugins.
    pub plugins: BTreeMap<PluginName, CatalogEntry>,
}

impl Catalog {
    /// A plugin.
    #[must_use]
    pub fn get(&self, name: &PluginName) -> Option<&CatalogEntry> {
        self.plugins.get(name)
    }
}

impl FromIterator<(PluginName, CatalogEntry)> for Catalog {
    fn from_iter<I: IntoIterator<Item = (PluginName, CatalogEntry)>>(iter: I) -> Self {
        Self {
            plugins: iter.into_iter().collect(),
        }
    }
}
