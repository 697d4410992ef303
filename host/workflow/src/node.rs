//! Taking values out of a parsed file. Every getter answers `None` for what is absent and for what the structure
//! check has already reported, so the readers do not repeat errors. Must not report anything itself.

use crate::{
    Located, Span, scalar,
    shape::{Kind, Shape},
    structure,
};
use sandgate_model::Millis;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// A table of a known shape.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    table: &'a DeTable<'a>,
    shape: &'static Shape,
    /// Its header, or itself when it is inline.
    pub(crate) span: Span,
}

/// A value and its place.
#[derive(Clone, Copy)]
pub(crate) struct Leaf<'a> {
    value: &'a DeValue<'a>,
    kind: &'static Kind,
    pub(crate) span: Span,
}

impl<'a> Node<'a> {
    pub(crate) fn new(table: &'a DeTable<'a>, span: Span, shape: &'static Shape) -> Self {
        Self { table, shape, span }
    }

    /// The value of a key. Asking for a key that the shape does not have is a bug, found by every test that reads.
    pub(crate) fn get(&self, key: &str) -> Option<Leaf<'a>> {
        let field = self.shape.field(key);
        debug_assert!(field.is_some(), "{} has no `{key}`", self.shape.what);
        let value = self.table.get(key)?;
        Some(Leaf {
            value: value.get_ref(),
            kind: &field?.kind,
            span: value.span().into(),
        })
    }

    /// Whether the table may have this key at all.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.shape.field(key).is_some()
    }

    /// Where a key is written.
    pub(crate) fn key_span(&self, key: &str) -> Option<Span> {
        self.table.get_key_value(key).map(|(k, _)| k.span().into())
    }

    pub(crate) fn text(&self, key: &str) -> Option<Located<&'a str>> {
        self.get(key)?.text()
    }

    pub(crate) fn string(&self, key: &str) -> String {
        self.text(key)
            .map(|t| t.value.to_owned())
            .unwrap_or_default()
    }

    /// A value that parses, such as a name.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, key: &str) -> Option<Located<T>> {
        self.get(key)?.parsed()
    }

    pub(crate) fn int<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        match self.get(key)?.value {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
                .ok()
                .and_then(|n| T::try_from(n).ok()),
            _ => None,
        }
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        self.get(key)?.value.as_bool()
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Millis> {
        scalar::duration(self.text(key)?.value).ok()
    }

    pub(crate) fn size(&self, key: &str) -> Option<u64> {
        scalar::size(self.text(key)?.value).ok()
    }

    pub(crate) fn amount(&self, key: &str) -> Option<u64> {
        structure::amount(self.get(key)?.value)
    }

    pub(crate) fn json(&self, key: &str) -> Option<Located<Value>> {
        let leaf = self.get(key)?;
        Some(Located::new(leaf.json()?, leaf.span))
    }

    /// The items of a list; empty when absent.
    pub(crate) fn list(&self, key: &str) -> Vec<Leaf<'a>> {
        self.get(key).map(|leaf| leaf.items()).unwrap_or_default()
    }

    pub(crate) fn table(&self, key: &str) -> Option<Node<'a>> {
        self.get(key)?.table()
    }

    /// The tables of a list of tables.
    pub(crate) fn tables(&self, key: &str) -> Vec<Node<'a>> {
        self.list(key)
            .into_iter()
            .filter_map(|leaf| leaf.table())
            .collect()
    }

    /// The entries of a map, in file order.
    pub(crate) fn entries(&self, key: &str) -> Vec<(Located<&'a str>, Leaf<'a>)> {
        let Some(Leaf {
            value: DeValue::Table(table),
            kind: Kind::Map(_, inner),
            ..
        }) = self.get(key)
        else {
            return Vec::new();
        };
        let leaf = |v: &'a toml::Spanned<DeValue<'a>>| Leaf {
            value: v.get_ref(),
            kind: inner,
            span: v.span().into(),
        };
        table
            .iter()
            .map(|(k, v)| (Located::new(k.get_ref().as_ref(), k.span()), leaf(v)))
            .collect()
    }
}

impl<'a> Leaf<'a> {
    pub(crate) fn text(&self) -> Option<Located<&'a str>> {
        self.value
            .as_str()
            .map(|text| Located::new(text, self.span))
    }

    pub(crate) fn parsed<T: std::str::FromStr>(&self) -> Option<Located<T>> {
        let text = self.text()?;
        Some(Located::new(text.value.parse().ok()?, text.span))
    }

    /// Whether it is a list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    pub(crate) fn items(&self) -> Vec<Leaf<'a>> {
        let (DeValue::Array(items), Kind::List(inner) | Kind::WordOrList(_, inner)) =
            (self.value, self.kind)
        else {
            return Vec::new();
        };
        items
            .iter()
            .map(|v| Leaf {
                value: v.get_ref(),
                kind: inner,
                span: v.span().into(),
            })
            .collect()
    }

    /// The table, with the keys that its shape has.
    pub(crate) fn table(&self) -> Option<Node<'a>> {
        match (self.value, self.kind) {
            (
                DeValue::Table(table),
                Kind::Table(shape) | Kind::TextOr(_, shape) | Kind::BoolOr(shape),
            ) => Some(Node::new(table, self.span, shape)),
            _ => None,
        }
    }

    /// The value as JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        json(self.value)
    }

    /// The value as it was parsed.
    pub(crate) fn raw(&self) -> &'a DeValue<'a> {
        self.value
    }
}

/// A TOML value as JSON; `None` where JSON has no such value.
pub(crate) fn json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.as_ref().to_owned()),
        DeValue::Integer(n) => Value::from(i64::from_str_radix(n.as_str(), n.radix()).ok()?),
        DeValue::Float(f) => {
            serde_json::Number::from_f64(f.as_str().parse().ok()?).map(Value::Number)?
        }
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Datetime(_) => return None,
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|v| json(v.get_ref()))
                .collect::<Option<Vec<_>>>()?,
        ),
        DeValue::Table(table) => Value::Object(
            table
                .iter()
                .map(|(k, v)| Some((k.get_ref().as_ref().to_owned(), json(v.get_ref())?)))
                .collect::<Option<serde_json::Map<_, _>>>()?,
        ),
    })
}
