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

/// Sums in parentheses inside of others.
const DEPTH_MAX: u8 = 8;
/// What compares two sums, the longer ones first.
const COMPARED: [&[u8]; 6] = [b"<=", b">=", b"==", b"!=", b"<", b">"];

/// Numbers with `+`, `-`, `*`, `/`, `%` and parentheses, or a comparison of two such.
pub(super) fn value(sum: &[u8]) -> Option<i64> {
    let bytes: Vec<u8> = sum.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut rest = bytes.as_slice();
    let left = added(&mut rest, 0)?;
    if rest.is_empty() {
        return Some(left);
    }
    let operator = COMPARED.into_iter().find(|operator| rest.starts_with(operator))?;
    rest = &rest[operator.len()..];
    let right = added(&mut rest, 0)?;
    let is_so = match operator {
        b"<=" => left <= right,
        b">=" => left >= right,
        b"==" => left == right,
        b"!=" => left != right,
        b"<" => left < right,
        _ => left > right,
    };
    rest.is_empty().then_some(i64::from(is_so))
}

fn added(rest: &mut &[u8], depth: u8) -> Option<i64> {
    let (mut total, mut product) = (0_i64, number(rest, depth)?);
    while let [operator @ (b'+' | b'-' | b'*' | b'/' | b'%'), behind @ ..] = *rest {
        *rest = behind;
        let next = number(rest, depth)?;
        match operator {
            b'+' => (total, product) = (total.wrapping_add(product), next),
            b'-' => (total, product) = (total.wrapping_add(product), next.wrapping_neg()),
            b'*' => product = product.wrapping_mul(next),
            b'/' => product = product.checked_div(next)?,
            _ => product = product.checked_rem(next)?,
        }
    }
    Some(total.wrapping_add(product))
}

fn number(rest: &mut &[u8], depth: u8) -> Option<i64> {
    let sign = usize::from(matches!(rest.first(), Some(b'-' | b'+')));
    if let Some(behind) = rest[sign..].strip_prefix(b"(") {
        if depth >= DEPTH_MAX {
            return None;
        }
        let is_negative = rest.first() == Some(&b'-');
        *rest = behind;
        let inside = added(rest, depth + 1)?;
        *rest = rest.strip_prefix(b")")?;
        return Some(if is_negative { inside.wrapping_neg() } else { inside });
    }
    let digits = rest.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
    let (number, behind) = rest.split_at_checked(sign + digits).filter(|_| digits > 0)?;
    *rest = behind;
    core::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_worked_out_where_a_shell_does() {
        let table: [(&str, &str); 10] = [
            ("echo $((6*7))", "echo 42"),
            ("echo $(( 1 + 2 * 3 ))x", "echo 7x"),
            ("echo \"$((10-4))\" '$((1+1))'", "echo \"6\" '$((1+1))'"),
            ("echo \\$((1+1))", "echo \\$((1+1))"),
            ("echo $((7%4))$((9/2))", "echo 34"),
            ("echo $((1/0))", "echo $((1/0))"),
            ("echo $((a))", "echo $((a))"),
            ("echo $((2", "echo $((2"),
            ("echo $((-3--4))", "echo 1"),
            ("echo \"it's $((2+2))\"", "echo \"it's 4\""),
        ];
        for (line, expected) in table {
            assert_eq!(core::str::from_utf8(&expanded(line.as_bytes())).unwrap(), expected);
        }
    }
}
