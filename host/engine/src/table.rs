//! A dense vector that is indexed by its own kind of id. The only place in the engine that indexes.
//!
//! Indices from outside (events) are checked with [`Table::row`] before anything is applied; indices from inside
//! come from a plan that `graph` has checked. So the bracket never meets a foreign index.

use sandgate_model::{GateIx, TaskIx};
use serde::{Deserialize, Serialize};
use std::{
    marker::PhantomData,
    ops::{Index, IndexMut},
};

/// An id that is a position.
pub(crate) trait Position: Copy {
    fn at(self) -> usize;
    fn from_at(at: usize) -> Self;
}

impl Position for TaskIx {
    fn at(self) -> usize {
        self.get()
    }
    fn from_at(at: usize) -> Self {
        Self(u32::try_from(at).unwrap_or(u32::MAX))
    }
}

impl Position for GateIx {
    fn at(self) -> usize {
        self.get()
    }
    fn from_at(at: usize) -> Self {
        Self(u32::try_from(at).unwrap_or(u32::MAX))
    }
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Table<I, T> {
    rows: Vec<T>,
    #[serde(skip)]
    key: PhantomData<fn(I) -> I>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            key: PhantomData,
        }
    }
}

impl<I: Position, T> Table<I, T> {
    pub(crate) fn row(&self, ix: I) -> Option<&T> {
        self.rows.get(ix.at())
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn push(&mut self, row: T) -> I {
        let ix = I::from_at(self.rows.len());
        self.rows.push(row);
        ix
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        self.rows.reserve(more);
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (I, &T)> + ExactSizeIterator {
        self.rows
            .iter()
            .enumerate()
            .map(|(at, row)| (I::from_at(at), row))
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = I> + use<I, T> {
        (0..self.rows.len()).map(I::from_at)
    }
}

impl<I, T> FromIterator<T> for Table<I, T> {
    fn from_iter<S: IntoIterator<Item = T>>(rows: S) -> Self {
        Self {
            rows: rows.into_iter().collect(),
            key: PhantomData,
        }
    }
}

impl<I: Position, T> Index<I> for Table<I, T> {
    type Output = T;
    #[expect(
        clippy::indexing_slicing,
        reason = "see the module: only checked indices get here"
    )]
    fn index(&self, ix: I) -> &T {
        &self.rows[ix.at()]
    }
}

impl<I: Position, T> IndexMut<I> for Table<I, T> {
    #[expect(
        clippy::indexing_slicing,
        reason = "see the module: only checked indices get here"
    )]
    fn index_mut(&mut self, ix: I) -> &mut T {
        &mut self.rows[ix.at()]
    }
}
