//! Sums that a shell works out: whoever doubts a shell asks it for one.

use alloc::{borrow::Cow, string::ToString, vec::Vec};

/// Sums in one line that are worked out, and their length in bytes.
const SUMS_MAX: usize = 16;
const SUM_BYTES_MAX: usize = 64;

/// The line with `$((6*7))` as `42`, but between single quotes. What is no sum of numbers stays.
pub(super) fn expanded(line: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(line, b"$((").is_none() {
        return Cow::Borrowed(line);
    }
    let (mut new, mut rest, mut quoted, mut doubly, mut sums) = (Vec::with_capacity(line.len()), line, false, false, 0);
    while let [first, behind @ ..] = rest {
        match first {
            b'\\' if !quoted => {
                let (pair, further) = rest.split_at(rest.len().min(2));
                new.extend_from_slice(pair);
                rest = further;
                continue;
            }
            b'\'' if !doubly => quoted = !quoted,
            b'"' if !quoted => doubly = !doubly,
            _ => {}
        }
        let sum = rest.strip_prefix(b"$((").filter(|_| !quoted && sums < SUMS_MAX);
        if let Some((value, further)) = sum.and_then(worked_out) {
            new.extend_from_slice(value.to_string().as_bytes());
            rest = further;
            sums += 1;
        } else {
            new.push(*first);
            rest = behind;
        }
    }
    Cow::Owned(new)
}

/// The value of a sum up to `))`, and what follows.
fn worked_out(text: &[u8]) -> Option<(i64, &[u8])> {
    let end = memchr::memmem::find(text.get(..text.len().min(SUM_BYTES_MAX))?, b"))")?;
    Some((value(text.get(..end)?)?, text.get(end + 2..)?))
}

/// Sums inside of others: parentheses, signs, powers and values of values. A pair of parentheses is three of them.
const DEPTH_MAX: u8 = 64;
/// Values that one sum looks up.
const LOOKED_UP_MAX: u8 = 32;
/// What stands between two sums, by how strongly it binds: the longer ones first.
const BINARY: [(&[u8], u8); 18] = [
    (b"<<", 8),
    (b">>", 8),
    (b"<=", 7),
    (b">=", 7),
    (b"==", 6),
    (b"!=", 6),
    (b"&&", 2),
    (b"||", 1),
    (b"**", 11),
    (b"*", 10),
    (b"/", 10),
    (b"%", 10),
    (b"+", 9),
    (b"-", 9),
    (b"<", 7),
    (b">", 7),
    (b"&", 5),
    (b"^", 4),
];
/// How strongly `|` binds, which `||` begins like.
const OR: u8 = 3;
/// Binds stronger than all of them, but for `**`.
const SIGN: u8 = 11;

/// Where a sum's variables are.
pub(super) trait Names {
    /// What a name stands for; nothing if it stands for none.
    fn get(&mut self, name: &[u8]) -> Vec<u8>;
    fn set(&mut self, name: &[u8], value: i64);
}

/// A sum of numbers alone.
struct Nothing;

impl Names for Nothing {
    fn get(&mut self, _name: &[u8]) -> Vec<u8> {
        b"?".to_vec()
    }

    fn set(&mut self, _name: &[u8], _value: i64) {}
}

/// Why something is no sum: as bash says it, and the rest from where it is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: &'static str,
    pub(super) token: Vec<u8>,
}

/// The value of numbers alone, or of nothing.
pub(super) fn value(sum: &[u8]) -> Option<i64> {
    (!sum.trim_ascii().is_empty()).then(|| evaluate(sum, &mut Nothing).ok())?
}

/// The value of what bash takes for a sum; of nothing it is nought.
pub(super) fn evaluate(sum: &[u8], names: &mut dyn Names) -> Result<i64, Wrong> {
    let mut budget = LOOKED_UP_MAX;
    whole(sum, names, 0, &mut budget)
}

fn whole(sum: &[u8], names: &mut dyn Names, depth: u8, budget: &mut u8) -> Result<i64, Wrong> {
    let mut sum = Sum { text: sum, at: 0, last: 0, depth, is_idle: false, budget, names };
    sum.blanks();
    if sum.rest().is_empty() {
        return Ok(0);
    }
    let value = sum.several()?;
    if sum.rest().is_empty() {
        return Ok(value);
    }
    sum.last = sum.at;
    Err(match sum.rest() {
        [b'=', ..] => sum.wrong("attempted assignment to non-variable"),
        [b'.' | b'@' | b'$' | b'\'' | b'"' | b'`' | b'\\', ..] => sum.wrong("syntax error: invalid arithmetic operator"),
        _ => sum.wrong("syntax error in expression"),
    })
}

struct Sum<'a, 'n> {
    text: &'a [u8],
    at: usize,
    /// Where what was read last begins.
    last: usize,
    depth: u8,
    /// What is read does not count: behind `&&`, `||` and `?`.
    is_idle: bool,
    budget: &'n mut u8,
    names: &'n mut dyn Names,
}

impl<'a> Sum<'a, '_> {
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, what: &'static str) -> Wrong {
        Wrong { what, token: self.text.get(self.last..).unwrap_or_default().to_vec() }
    }

    fn blanks(&mut self) {
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    fn take(&mut self, token: &[u8]) -> bool {
        let is_there = self.rest().starts_with(token);
        if is_there {
            self.skip(token.len());
        }
        is_there
    }

    fn skip(&mut self, bytes: usize) {
        self.last = self.at;
        self.at += bytes;
        self.blanks();
    }

    /// Sums with `,` between them: the last counts.
    fn several(&mut self) -> Result<i64, Wrong> {
        let mut value = self.choice()?;
        while self.take(b",") {
            value = self.choice()?;
        }
        Ok(value)
    }

    /// `a ? b : c`.
    fn choice(&mut self) -> Result<i64, Wrong> {
        if self.depth >= DEPTH_MAX {
            return Err(self.wrong("expression recursion level exceeded"));
        }
        self.depth += 1;
        let condition = self.binary(1)?;
        if !self.take(b"?") {
            self.depth -= 1;
            return Ok(condition);
        }
        let before = self.is_idle;
        if self.rest().starts_with(b":") {
            self.last = self.at;
            return Err(self.wrong("expression expected"));
        }
        self.is_idle = before || condition == 0;
        let one = self.several()?;
        if !self.take(b":") {
            return Err(self.wrong("`:' expected for conditional expression"));
        }
        self.is_idle = before || condition != 0;
        let other = self.choice()?;
        self.is_idle = before;
        self.depth -= 1;
        Ok(if condition != 0 { one } else { other })
    }

    fn operator(&self) -> Option<(&'static [u8], u8)> {
        let rest = self.rest();
        let found = BINARY.into_iter().find(|(operator, _)| rest.starts_with(operator));
        let found = found.or_else(|| rest.starts_with(b"|").then_some((&b"|"[..], OR)))?;
        // `a += 1` is read with the name.
        (!(rest.get(found.0.len()) == Some(&b'=') && found.1 != 6 && found.1 != 7)).then_some(found)
    }

    /// What binds at least so strongly.
    fn binary(&mut self, least: u8) -> Result<i64, Wrong> {
        if self.depth >= DEPTH_MAX {
            return Err(self.wrong("expression recursion level exceeded"));
        }
        self.depth += 1;
        let mut left = self.unary()?;
        while let Some((operator, strength)) = self.operator().filter(|(_, strength)| *strength >= least) {
            self.skip(operator.len());
            let before = self.is_idle;
            self.is_idle |= operator == b"&&" && left == 0 || operator == b"||" && left != 0;
            // Powers are worked out from behind.
            let from = self.at;
            let right = self.binary(if operator == b"**" { strength } else { strength + 1 })?;
            self.is_idle = before;
            left = self.worked_out(left, operator, right, from)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn worked_out(&mut self, left: i64, operator: &[u8], right: i64, from: usize) -> Result<i64, Wrong> {
        let shift = u32::try_from(right & 63).unwrap_or_default();
        Ok(match operator {
            b"+" => left.wrapping_add(right),
            b"-" => left.wrapping_sub(right),
            b"*" => left.wrapping_mul(right),
            b"/" | b"%" if right == 0 && !self.is_idle => {
                self.last = from;
                return Err(self.wrong("division by 0"));
            }
            b"/" => {
                if right == 0 {
                    0
                } else {
                    left.wrapping_div(right)
                }
            }
            b"%" => {
                if right == 0 {
                    0
                } else {
                    left.wrapping_rem(right)
                }
            }
            b"**" if right < 0 => return Err(self.wrong("exponent less than 0")),
            b"**" => {
                // Squared again and again: as many steps as the power has bits.
                let (mut value, mut square, mut power) = (1_i64, left, right);
                while power > 0 {
                    if power & 1 == 1 {
                        value = value.wrapping_mul(square);
                    }
                    square = square.wrapping_mul(square);
                    power >>= 1;
                }
                value
            }
            b"<<" => left.wrapping_shl(shift),
            b">>" => left.wrapping_shr(shift),
            b"<=" => i64::from(left <= right),
            b">=" => i64::from(left >= right),
            b"==" => i64::from(left == right),
            b"!=" => i64::from(left != right),
            b"<" => i64::from(left < right),
            b">" => i64::from(left > right),
            b"&&" => i64::from(left != 0 && right != 0),
            b"||" => i64::from(left != 0 || right != 0),
            b"&" => left & right,
            b"^" => left ^ right,
            _ => left | right,
        })
    }

    fn unary(&mut self) -> Result<i64, Wrong> {
        if self.depth >= DEPTH_MAX {
            return Err(self.wrong("expression recursion level exceeded"));
        }
        self.depth += 1;
        let value = match self.rest() {
            [sign @ (b'+' | b'-'), second, ..]
                if sign == second && super::syntax::name_bytes(self.text[self.at + 2..].trim_ascii_start()) > 0 =>
            {
                let by = if *sign == b'+' { 1 } else { -1 };
                self.skip(2);
                let name = self.name();
                let value = self.looked_up(name)?.wrapping_add(by);
                self.give(name, value);
                value
            }
            [b'!', ..] => {
                self.skip(1);
                i64::from(self.binary(SIGN)? == 0)
            }
            [b'~', ..] => {
                self.skip(1);
                !self.binary(SIGN)?
            }
            [b'-', ..] => {
                self.skip(1);
                self.signed()?.wrapping_neg()
            }
            [b'+', ..] => {
                self.skip(1);
                self.signed()?
            }
            [b'(', ..] => {
                self.skip(1);
                let value = self.several()?;
                if !self.take(b")") {
                    return Err(self.wrong("missing `)'"));
                }
                value
            }
            [first, ..] if first.is_ascii_digit() => self.number()?,
            rest if super::syntax::name_bytes(rest) > 0 => self.named()?,
            [] => return Err(self.wrong("syntax error: operand expected")),
            _ => {
                self.last = self.at;
                return Err(self.wrong("syntax error: operand expected"));
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    /// What a sign stands before: it binds stronger than `**`.
    fn signed(&mut self) -> Result<i64, Wrong> {
        self.unary()
    }

    fn name(&mut self) -> &'a [u8] {
        let length = super::syntax::name_bytes(self.rest());
        let name = &self.rest()[..length];
        self.skip(length);
        name
    }

    fn looked_up(&mut self, name: &[u8]) -> Result<i64, Wrong> {
        if self.is_idle {
            return Ok(0);
        }
        let text = self.names.get(name);
        let Some(left) = self.budget.checked_sub(1) else { return Ok(0) };
        *self.budget = left;
        if self.depth >= DEPTH_MAX {
            return Err(self.wrong("expression recursion level exceeded"));
        }
        whole(&text, self.names, self.depth + 1, self.budget)
    }

    fn give(&mut self, name: &[u8], value: i64) {
        if !self.is_idle {
            self.names.set(name, value);
        }
    }

    /// A name, perhaps with what is given to it.
    fn named(&mut self) -> Result<i64, Wrong> {
        let name = self.name();
        let rest = self.rest();
        match rest {
            [b'+', b'+', ..] | [b'-', b'-', ..] => {
                let value = self.looked_up(name)?;
                self.give(name, if rest[0] == b'+' { value.wrapping_add(1) } else { value.wrapping_sub(1) });
                self.skip(2);
                return Ok(value);
            }
            [b'=', second, ..] if *second != b'=' => self.skip(1),
            [b'='] => self.skip(1),
            _ => {
                let assigned = BINARY.into_iter().map(|(operator, _)| operator).chain([&b"|"[..]]);
                let assigned = assigned
                    .filter(|operator| !matches!(*operator, b"<=" | b">=" | b"==" | b"!=" | b"&&" | b"||" | b"**" | b"<" | b">"));
                let found = assigned
                    .into_iter()
                    .find(|operator| rest.strip_prefix(*operator).is_some_and(|behind| behind.first() == Some(&b'=')));
                let Some(operator) = found else { return self.looked_up(name) };
                let before = self.looked_up(name)?;
                self.skip(operator.len() + 1);
                let from = self.at;
                let right = self.choice()?;
                let value = self.worked_out(before, operator, right, from)?;
                self.give(name, value);
                return Ok(value);
            }
        }
        let value = self.choice()?;
        self.give(name, value);
        Ok(value)
    }

    /// `42`, `0x2a`, `052` and `2#101010`; one that is too large goes round.
    fn number(&mut self) -> Result<i64, Wrong> {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'@' | b'_')).count();
        let text = &rest[..length];
        self.skip(length);
        let (base, digits) = match text {
            [b'0', b'x' | b'X', digits @ ..] => (16, digits),
            [b'0', digits @ ..] if !digits.contains(&b'#') => (8, digits),
            _ => match memchr::memchr(b'#', text) {
                Some(at) => {
                    let base = text[..at].iter().fold(0_i64, |sum, digit| (sum * 10 + i64::from(digit & 15)).min(99));
                    (base, &text[at + 1..])
                }
                None => (10, text),
            },
        };
        if !(2..=64).contains(&base) {
            return Err(self.wrong("invalid arithmetic base"));
        }
        let mut value = 0_i64;
        for byte in digits {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'z' => byte - b'a' + 10,
                b'A'..=b'Z' if base <= 36 => byte - b'A' + 10,
                b'A'..=b'Z' => byte - b'A' + 36,
                b'@' => 62,
                _ => 63,
            };
            if i64::from(digit) >= base {
                return Err(self.wrong("value too great for base"));
            }
            value = value.wrapping_mul(base).wrapping_add(i64::from(digit));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_worked_out_where_a_shell_does() {
        let table: [(&str, &str); 11] = [
            ("echo $((6*7))", "echo 42"),
            ("echo $(( 1 + 2 * 3 ))x", "echo 7x"),
            ("echo \"$((10-4))\" '$((1+1))'", "echo \"6\" '$((1+1))'"),
            ("echo \\$((1+1))", "echo \\$((1+1))"),
            ("echo $((7%4))$((9/2))", "echo 34"),
            ("echo $((1/0))", "echo $((1/0))"),
            ("echo $((a))", "echo $((a))"),
            ("echo $((2", "echo $((2"),
            ("echo $((-3--4))", "echo 1"),
            ("echo $((1<<4|2)) $((2**10))", "echo 18 1024"),
            ("echo \"it's $((2+2))\"", "echo \"it's 4\""),
        ];
        for (line, expected) in table {
            assert_eq!(core::str::from_utf8(&expanded(line.as_bytes())).unwrap(), expected);
        }
    }

    #[test]
    fn no_sum_goes_deeper_than_it_may() {
        for sum in ["(", "-", "!", "~", "1?", "1+(", "a=", "++", "1**", "2**2**"] {
            let _ = evaluate(sum.repeat(20_000).as_bytes(), &mut Nothing);
        }
        let numbers =
            ["-9223372036854775808/-1", "-9223372036854775808%-1", "9223372036854775807+1", "2**63", "1<<64", "64#_", "99#1"];
        numbers.iter().for_each(|sum| drop(evaluate(sum.as_bytes(), &mut Nothing)));
        assert_eq!(
            (value(b"2**3**2"), value(b"-2**2"), value(b"1+2*3==7&&4>3"), value(b"")),
            (Some(512), Some(4), Some(1), None)
        );
    }
}
