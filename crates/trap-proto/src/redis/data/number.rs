//! Numbers as Redis reads and writes them.

use alloc::{format, string::String, vec::Vec};

/// Digits behind the point that a sum of decimals is reckoned with: what Redis prints of one (`%.17Lf`).
const DECIMALS: u32 = 17;
const UNIT: i128 = 10_i128.pow(DECIMALS);
/// The longest decimal that is read, in bytes.
const DECIMAL_BYTES_MAX: usize = 40;
/// Binary digits of a number that is added.
const BITS: u32 = 64;
/// The most by which a number is made larger before it is divided.
const SHIFT_MAX: u32 = 120;
/// Digits of sixteen that are exact.
const EXACT_DIGITS: usize = 13;
/// What is below this, and whole, is printed without an exponent.
const WHOLE_BELOW: f64 = 4_503_599_627_370_496.0;

/// A whole number, written as Redis writes it: no sign before what is above nought, and no nought before the rest.
pub(in super::super) fn integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let is_plain = match digits {
        [b'0'] => word.len() == 1,
        [b'1'..=b'9', ..] => digits.len() <= 19,
        _ => false,
    };
    if is_plain { core::str::from_utf8(word).ok()?.parse().ok() } else { None }
}

/// A number, such as `1`, `-2.5e3`, `0x1F` or `inf`.
pub(in super::super) fn double(word: &[u8]) -> Option<f64> {
    let text = core::str::from_utf8(word).ok()?;
    let (unsigned, sign) = text.strip_prefix('-').map_or((text.strip_prefix('+').unwrap_or(text), 1.0), |text| (text, -1.0));
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        return hexadecimal(digits).map(|number| sign * number);
    }
    let number: f64 = text.parse().ok().filter(|number: &f64| !number.is_nan())?;
    // What only grew out of all bounds is refused; what is said to be without bounds is not.
    let is_said = text.bytes().any(|byte| matches!(byte, b'n' | b'N'));
    (number.is_finite() || is_said).then_some(number)
}

/// Digits of sixteen, perhaps some behind a point: as long as they are exact.
fn hexadecimal(text: &str) -> Option<f64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.len() + part.len();
    if !(1..=EXACT_DIGITS).contains(&digits) {
        return None;
    }
    let value = |digit: char| digit.to_digit(16).map(f64::from);
    let whole = whole.chars().try_fold(0.0, |sum, digit| Some(sum * 16.0 + value(digit)?))?;
    let part = part.chars().rev().try_fold(0.0, |sum, digit| Some((sum + value(digit)?) / 16.0))?;
    Some(whole + part)
}

/// The shortest text that is read as the same number.
pub(in super::super) fn text_of(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-inf" } else { "inf" }.into();
    }
    if number == 0.0 || (number.abs() < WHOLE_BELOW && number % 1.0 == 0.0) {
        return format!("{number:.0}");
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let sign = if number < 0.0 { "-" } else { "" };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let power: i32 = exponent.parse().unwrap_or_default();
    let count = i32::try_from(digits.len()).unwrap_or_default();
    // How many noughts are behind the digits, or digits behind the point, where it is below nought.
    let shift = power - count + 1;
    let size = power.abs();
    if shift >= 0 && size < count + 7 {
        return format!("{sign}{digits}{}", "0".repeat(usize::try_from(shift).unwrap_or_default()));
    }
    if shift < 0 && (shift > -7 || size < 4) {
        return match usize::try_from(count + shift) {
            Ok(before @ 1..) => format!("{sign}{}.{}", &digits[..before], &digits[before..]),
            _ => format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-(count + shift)).unwrap_or_default())),
        };
    }
    let rest = if count > 1 { format!(".{}", &digits[1..]) } else { String::new() };
    format!("{sign}{}{rest}e{}{size}", &digits[..1], if power < 0 { '-' } else { '+' })
}

/// A decimal, such as `-1.5` or `2.0e3`, in units of its last digit; `None` if it has more of them, or is none.
fn units(word: &[u8]) -> Option<i128> {
    if word.len() > DECIMAL_BYTES_MAX {
        return None;
    }
    let (word, is_below) = word.strip_prefix(b"-").map_or((word, false), |word| (word, true));
    let mark = word.iter().position(|byte| byte.eq_ignore_ascii_case(&b'e'));
    let (word, power) = match mark {
        Some(at) => (&word[..at], core::str::from_utf8(&word[at + 1..]).ok()?.parse::<i32>().ok()?),
        None => (word, 0),
    };
    let (whole, part) = word.iter().position(|byte| *byte == b'.').map_or((word, &b""[..]), |at| (&word[..at], &word[at + 1..]));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let mut sum: i128 = 0;
    for digit in whole.iter().chain(part) {
        sum = sum.checked_mul(10)?.checked_add(char::from(*digit).to_digit(10)?.into())?;
    }
    let missing = i32::try_from(DECIMALS).ok()?.checked_add(power)?.checked_sub(i32::try_from(part.len()).ok()?)?;
    sum = sum.checked_mul(10_i128.checked_pow(u32::try_from(missing).ok()?)?)?;
    Some(if is_below { -sum } else { sum })
}

/// A number with 64 binary digits, as the processor of Debian's server adds them: so many times two to this power.
#[derive(Clone, Copy, Debug)]
struct Extended(i128, u32);

/// So many with as many digits less, rounded to the next, and of two that are as near to the even one.
const fn rounded(number: u128, less: u32) -> u128 {
    if less == 0 {
        return number;
    }
    let (whole, rest, half) = (number >> less, number & ((1 << less) - 1), 1 << (less - 1));
    whole + (rest > half || (rest == half && whole & 1 == 1)) as u128
}

impl Extended {
    /// The nearest to so many units; the power is below nought, and told without its sign.
    fn of(units: i128) -> Option<Self> {
        let (size, unit) = (units.unsigned_abs(), UNIT.unsigned_abs());
        if size / unit >= 1 << (BITS - 1) {
            return None;
        }
        let shift = (size.leading_zeros().saturating_sub(1)).min(SHIFT_MAX);
        let numerator = size << shift;
        // What is left of the division only matters where it is half: the last digit tells that there was some.
        let quotient = (numerator / unit) << 1 | u128::from(numerator % unit > 0);
        let less = (u128::BITS - quotient.leading_zeros()).saturating_sub(BITS);
        let mantissa = i128::try_from(rounded(quotient, less)).ok()?;
        Some(Self(if units < 0 { -mantissa } else { mantissa }, (shift + 1).checked_sub(less)?))
    }

    fn plus(self, other: Self) -> Option<Self> {
        let (coarse, fine) = if self.1 <= other.1 { (self, other) } else { (other, self) };
        let apart = fine.1 - coarse.1;
        // Digits that are too far behind those of the larger one to change its last.
        let cut = apart.saturating_sub(BITS - 2);
        if coarse.0 == 0 || cut >= BITS {
            return Some(if coarse.0 == 0 { fine } else { coarse });
        }
        let sum = (coarse.0 << (apart - cut)) + (fine.0 >> cut);
        let less = (u128::BITS - sum.unsigned_abs().leading_zeros()).saturating_sub(BITS);
        let mantissa = i128::try_from(rounded(sum.unsigned_abs(), less)).ok()?;
        Some(Self(if sum < 0 { -mantissa } else { mantissa }, (fine.1 - cut).checked_sub(less)?))
    }

    /// In units of the last digit that is shown.
    fn units(self) -> Option<i128> {
        let size = self.0.unsigned_abs().checked_mul(UNIT.unsigned_abs())?;
        let units = if self.1 < u128::BITS { rounded(size, self.1) } else { 0 };
        i128::try_from(units).ok().map(|units| if self.0 < 0 { -units } else { units })
    }
}

/// What two numbers make together, as Redis says it of `INCRBYFLOAT`; `None` where there is no end to it.
pub(in super::super) fn sum(one: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let extended = |word| units(word).and_then(Extended::of);
    if let Some(sum) = extended(one).zip(extended(other)).and_then(|(one, other)| one.plus(other)?.units()) {
        let (size, sign) = (sum.unsigned_abs(), if sum < 0 { "-" } else { "" });
        let unit = UNIT.unsigned_abs();
        let text = format!("{sign}{}.{:017}", size / unit, size % unit);
        return Some(text.trim_end_matches('0').trim_end_matches('.').into());
    }
    let sum = double(one)? + double(other)?;
    sum.is_finite().then(|| format!("{sum}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_written_as_redis_does() {
        let wholes =
            [("0", Some(0)), ("-1", Some(-1)), ("9223372036854775807", Some(i64::MAX)), ("-9223372036854775808", Some(i64::MIN))];
        for (text, number) in wholes {
            assert_eq!(integer(text.as_bytes()), number, "{text}");
        }
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "x"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
        let doubles = [
            ("1", "1"),
            ("-0", "-0"),
            ("3.0", "3"),
            ("1.5", "1.5"),
            ("-2.25", "-2.25"),
            ("0.1", "0.1"),
            ("0.001", "0.001"),
            ("3e-7", "3e-7"),
            ("1e20", "1e+20"),
            ("1.5e300", "1.5e+300"),
            ("123456789012345680000", "123456789012345680000"),
            ("1e-5", "0.00001"),
            ("0x1F", "31"),
            ("-0x.8", "-0.5"),
            ("+1", "1"),
            ("inf", "inf"),
            ("-Infinity", "-inf"),
            ("17179869184.123", "17179869184.123"),
        ];
        for (said, text) in doubles {
            assert_eq!(double(said.as_bytes()).map(text_of).as_deref(), Some(text), "{said}");
        }
        for text in ["", "0x", "0xg", "nan", "x", "1 ", "1e999", "1,5"] {
            assert_eq!(double(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn sums_of_decimals_are_what_debians_server_makes_of_them() {
        let table = [
            ("0.1", "0.2", "0.3"),
            ("10.50", "0.1", "10.6"),
            ("-1", "1", "0"),
            ("5.0e3", "2.0e2", "5200"),
            ("1", "-1.5", "-0.5"),
            ("5.6", "2.0e2", "205.60000000000000001"),
            ("-4.7", "1e3", "995.29999999999999999"),
        ];
        for (one, other, expected) in table {
            assert_eq!(sum(one.as_bytes(), other.as_bytes()).as_deref(), Some(expected.as_bytes()), "{one} {other}");
        }
        assert_eq!((sum(b"inf", b"1"), sum(b"x", b"1"), sum(b".", b"1")), (None, None, None));
    }
}
