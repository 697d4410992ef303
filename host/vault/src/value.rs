//! What a value must be like. Knows nothing of where it came from.

use crate::error::ValueError;
use zeroize::Zeroizing;

/// Fewest bytes of a secret. Shorter ones occur by chance: every `1234` in a log would be cut out, and what is left
/// would tell the value.
pub const MIN_SECRET: usize = 8;

/// Most bytes of a secret: as much as all headers of a request together may have.
pub const MAX_SECRET: usize = 64 * 1024;

/// Cuts one line end, which editors and `echo` leave, and checks the rest.
pub(crate) fn checked(mut value: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, ValueError> {
    if value.last() == Some(&b'\n') {
        value.pop();
        if value.last() == Some(&b'\r') {
            value.pop();
        }
    }
    if value.is_empty() {
        return Err(ValueError::Empty);
    }
    if value.len() > MAX_SECRET {
        return Err(ValueError::Long);
    }
    if value
        .iter()
        .any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f)
    {
        return Err(ValueError::Control);
    }
    if value.len() < MIN_SECRET {
        return Err(ValueError::Short);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_cut_and_nothing_else() {
        let long = vec![b'x'; MAX_SECRET];
        let longer = vec![b'x'; MAX_SECRET + 1];
        type Case<'a> = (&'a [u8], Result<&'a [u8], ValueError>);
        let cases: &[Case<'_>] = &[
            (b"12345678", Ok(b"12345678")),
            (b"12345678\n", Ok(b"12345678")),
            (b"12345678\r\n", Ok(b"12345678")),
            (b" 12345678 ", Ok(b" 12345678 ")),
            (b"1234\t5678", Ok(b"1234\t5678")),
            (b"\xff\xfe345678", Ok(b"\xff\xfe345678")),
            (b"12345678\n\n", Err(ValueError::Control)),
            (b"12345678\r", Err(ValueError::Control)),
            (b"1234\r\n5678", Err(ValueError::Control)),
            (b"1234\x005678", Err(ValueError::Control)),
            (b"1234\x7f5678", Err(ValueError::Control)),
            (b"", Err(ValueError::Empty)),
            (b"\n", Err(ValueError::Empty)),
            (b"1234567", Err(ValueError::Short)),
            (b"1234567\n", Err(ValueError::Short)),
            (&long, Ok(&long)),
            (&longer, Err(ValueError::Long)),
        ];
        for (given, expected) in cases {
            let got = checked(Zeroizing::new(given.to_vec()));
            assert_eq!(
                got.as_ref().map(|v| v.as_slice()),
                expected.as_ref().map(|v| *v),
                "{given:?}"
            );
        }
    }
}
