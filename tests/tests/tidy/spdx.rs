//! SPDX licence expressions, as far as packages use them: `OR`, `AND`, `WITH`, parentheses, and the old `/`.

/// Whether the expression can be met with licences of the list alone. Nonsense is not allowed.
pub(crate) fn allowed(expression: &str, list: &[&str]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut tokens = Tokens {
        rest: spaced.split_whitespace().collect(),
        list,
    };
    tokens.rest.reverse();
    let verdict = tokens.either();
    verdict == Some(true) && tokens.rest.is_empty()
}

struct Tokens<'a> {
    /// What has not been read, the next token last.
    rest: Vec<&'a str>,
    list: &'a [&'a str],
}

impl Tokens<'_> {
    fn eat(&mut self, word: &str) -> bool {
        let there = self.rest.last() == Some(&word);
        if there {
            self.rest.pop();
        }
        there
    }

    /// `both OR both ...`: one suffices. `None`: not an expression.
    fn either(&mut self) -> Option<bool> {
        let mut verdict = self.both()?;
        while self.eat("OR") {
            verdict |= self.both()?;
        }
        Some(verdict)
    }

    /// `one AND one ...`: all are needed.
    fn both(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.eat("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.eat("(") {
            let verdict = self.either()?;
            return self.eat(")").then_some(verdict);
        }
        let mut name = self.rest.pop()?.to_owned();
        if self.eat("WITH") {
            name = format!("{name} WITH {}", self.rest.pop()?);
        }
        let word = !["OR", "AND", "WITH", ")"].contains(&name.as_str());
        word.then(|| self.list.contains(&name.as_str()))
    }
}

#[test]
fn expressions_are_weighed() {
    let list = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
    let check = |expression: &str, expected: bool| {
        assert_eq!(allowed(expression, &list), expected, "{expression}");
    };
    check("MIT", true);
    check("MIT OR GPL-3.0", true);
    check("GPL-3.0 OR MIT", true);
    check("MIT/Apache-2.0", true);
    check("MIT AND GPL-3.0", false);
    check("(MIT OR GPL-3.0) AND Apache-2.0", true);
    check("(MIT OR GPL-3.0) AND LGPL-2.1", false);
    check("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true);
    check("GPL-3.0 WITH LLVM-exception", false);
    check("", false);
    check("MIT OR", false);
    check("MIT MIT", false);
    check("(MIT", false);
    check("WITH MIT", false);
}
