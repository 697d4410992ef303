//! Values on a tape, and digests of arguments. Written by hand and not derived, because a tape outlives the host that wrote
//! it: what is here changes only with the format's version.

use sha2::{Digest as _, Sha256};

/// Digest of a call's arguments: 128 bits of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Args(pub(super) [u8; 16]);

impl Args {
    /// A call without arguments.
    pub(crate) const NONE: Self = Self([0; 16]);

    /// Digest of arguments.
    pub(crate) fn of(arguments: &impl Put) -> Self {
        let mut bytes = Vec::new();
        arguments.put(&mut bytes);
        Self::of_bytes(&bytes)
    }

    /// Digest of bytes as they are.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(Sha256::digest(bytes)) {
            *to = from;
        }
        Self(short)
    }
}

/// What can be written.
pub(crate) trait Put {
    fn put(&self, out: &mut Vec<u8>);
}

/// What can be read again.
pub(crate) trait Word: Put + Sized {
    /// `None` when the bytes are not one.
    fn get(from: &mut Reader<'_>) -> Option<Self>;
}

/// Bytes that are being read.
pub(crate) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(u32::get(self)?).ok()
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Put for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
        impl Word for $number {
            fn get(from: &mut Reader<'_>) -> Option<Self> {
                let bytes = from.take(size_of::<Self>())?;
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )* };
}
numbers!(u8, u16, u32, u64, i32, i64);

impl Put for () {
    fn put(&self, _out: &mut Vec<u8>) {}
}

impl Word for () {
    fn get(_from: &mut Reader<'_>) -> Option<Self> {
        Some(())
    }
}

impl Put for bool {
    fn put(&self, out: &mut Vec<u8>) {
        u8::from(*self).put(out);
    }
}

impl Word for bool {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        match u8::get(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// Lengths are far below 4 GiB: more than a tape holds is never in memory.
fn put_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length).unwrap_or(u32::MAX).put(out);
}

impl Put for [u8] {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        out.extend_from_slice(self);
    }
}

impl Put for str {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }
}

impl Put for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }
}

impl Word for String {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        let length = from.length()?;
        let bytes = from.take(length)?;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }
}

/// Bytes, as opposed to a list of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Put for Blob {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.as_slice().put(out);
    }
}

impl Word for Blob {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        let length = from.length()?;
        from.take(length).map(|bytes| Self(bytes.to_vec()))
    }
}

impl<T: Put + ?Sized> Put for &T {
    fn put(&self, out: &mut Vec<u8>) {
        (*self).put(out);
    }
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        for one in self {
            one.put(out);
        }
    }
}

impl<T: Word> Word for Vec<T> {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        let length = from.length()?;
        // Not reserved in advance: the length may be a lie.
        let mut all = Self::new();
        for _ in 0..length {
            if from.is_at_end() {
                return None;
            }
            all.push(T::get(from)?);
        }
        Some(all)
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
}

impl<T: Word> Word for Option<T> {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        if bool::get(from)? {
            T::get(from).map(Some)
        } else {
            Some(None)
        }
    }
}

impl<T: Put, E: Put> Put for Result<T, E> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_ok().put(out);
        match self {
            Ok(value) => value.put(out),
            Err(error) => error.put(out),
        }
    }
}

impl<T: Word, E: Word> Word for Result<T, E> {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        if bool::get(from)? {
            T::get(from).map(Ok)
        } else {
            E::get(from).map(Err)
        }
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Put),*> Put for ($($name,)*) {
            fn put(&self, out: &mut Vec<u8>) {
                #[expect(non_snake_case, reason = "one name for a type and its value")]
                let ($($name,)*) = self;
                $($name.put(out);)*
            }
        }
        impl<$($name: Word),*> Word for ($($name,)*) {
            fn get(from: &mut Reader<'_>) -> Option<Self> {
                Some(($($name::get(from)?,)*))
            }
        }
    };
}
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);

/// Records and enumerations: fields in their order, cases by the number given.
macro_rules! record {
    ($type:path { $($field:ident),* $(,)? }) => {
        impl $crate::tape::Put for $type {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::tape::Put::put(&self.$field, out);)*
            }
        }
        impl $crate::tape::Word for $type {
            fn get(from: &mut $crate::tape::Reader<'_>) -> Option<Self> {
                use $type as Type;
                Some(Type { $($field: $crate::tape::Word::get(from)?),* })
            }
        }
    };
}
pub(super) use record;

macro_rules! cases {
    ($type:path { $($number:literal => $case:ident $(($value:ident))?),* $(,)? }) => {
        impl $crate::tape::Put for $type {
            fn put(&self, out: &mut Vec<u8>) {
                match self { $(
                    Self::$case $(($value))? => {
                        out.push($number);
                        $($crate::tape::Put::put($value, out);)?
                    }
                )* }
            }
        }
        impl $crate::tape::Word for $type {
            fn get(from: &mut $crate::tape::Reader<'_>) -> Option<Self> {
                Some(match <u8 as $crate::tape::Word>::get(from)? {
                    $($number => {
                        $(let $value = $crate::tape::Word::get(from)?;)?
                        Self::$case $(($value))?
                    })*
                    _ => return None,
                })
            }
        }
    };
}
pub(super) use cases;
