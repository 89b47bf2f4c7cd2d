//! What a call of XML-RPC asks WordPress: the method, and the name and password among its parameters.

use super::credentials::Credentials;
use alloc::vec::Vec;

/// Values of a call that are looked at.
const VALUES_MAX: usize = 64;
/// Calls within one that are counted.
const CALLS_MAX: usize = 2_000;

/// A call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) method: Vec<u8>,
    pub(super) credentials: Credentials,
    /// Calls within it (`system.multicall`).
    pub(super) calls: usize,
}

/// Reads a call; `None` if it is none.
pub(super) fn call(body: &[u8]) -> Option<Call> {
    let method = between(body, b"<methodName>", b"</methodName>")?.0.trim_ascii().to_vec();
    if method == b"system.multicall" {
        return Some(multicall(body, method));
    }
    let credentials = credentials(&method, body);
    Some(Call { method, credentials, calls: 0 })
}

/// Many calls in one, as password guessers send them: the first one's credentials, and how many there are.
fn multicall(body: &[u8], method: Vec<u8>) -> Call {
    let calls = memchr::memmem::find_iter(body, b">methodName<").take(CALLS_MAX).count();
    let first = memchr::memmem::find(body, b">methodName<").and_then(|at| body.get(at..)).unwrap_or_default();
    let values = texts(first);
    let mut values = values.iter().copied();
    let inner = values.next().unwrap_or_default();
    let rest: Vec<&[u8]> = values.filter(|value| *value != b"params").collect();
    Call { method, credentials: pick(inner, &rest), calls }
}

fn credentials(method: &[u8], body: &[u8]) -> Credentials {
    let parameters = memchr::memmem::find(body, b"<params>").and_then(|at| body.get(at..)).unwrap_or_default();
    pick(method, &texts(parameters))
}

/// Name and password come first, or behind the number of a blog.
fn pick(method: &[u8], values: &[&[u8]]) -> Credentials {
    let first = match method {
        b"wp.getUsersBlogs" => 0,
        method if [b"wp.".as_slice(), b"metaWeblog.", b"mt.", b"blogger."].iter().any(|name| method.starts_with(name)) => 1,
        _ => return Credentials::default(),
    };
    let text = |index: usize| values.get(index).map(|value| value.to_vec());
    Credentials { username: text(first), password: text(first + 1) }
}

/// The texts of the values in their order.
fn texts(mut xml: &[u8]) -> Vec<&[u8]> {
    let mut texts = Vec::new();
    while let Some((value, rest)) = between(xml, b"<value>", b"</value>").filter(|_| texts.len() < VALUES_MAX) {
        // An array's first value stands behind its own beginning.
        let value = memchr::memmem::rfind(value, b"<value>").and_then(|at| value.get(at + 7..)).unwrap_or(value);
        let inner = value.iter().position(|byte| *byte == b'>').and_then(|at| value.get(at + 1..)).unwrap_or(value);
        texts.push(inner.split(|byte| *byte == b'<').next().unwrap_or_default());
        xml = rest;
    }
    texts
}

/// What stands between two marks, and what is behind the second.
fn between<'a>(text: &'a [u8], from: &[u8], to: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = memchr::memmem::find(text, from)? + from.len();
    let length = memchr::memmem::find(text.get(start..)?, to)?;
    Some((text.get(start..start + length)?, text.get(start + length + to.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn of(body: &str) -> (String, Option<String>, Option<String>, usize) {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let call = call(body.as_bytes()).unwrap();
        (text(call.method), call.credentials.username.map(text), call.credentials.password.map(text), call.calls)
    }

    #[test]
    fn calls_give_their_credentials() {
        let one = "<?xml version=\"1.0\"?><methodCall><methodName>wp.getUsersBlogs</methodName><params><param><value><string>admin</string></value></param><param><value>pass</value></param></params></methodCall>";
        assert_eq!(of(one), ("wp.getUsersBlogs".into(), Some("admin".into()), Some("pass".into()), 0));
        let behind = one
            .replace("wp.getUsersBlogs", "wp.getCategories")
            .replace("<param><value><string>admin", "<param><value><int>1</int></value></param><param><value><string>admin");
        assert_eq!(of(&behind), ("wp.getCategories".into(), Some("admin".into()), Some("pass".into()), 0));
        let inner = "<value><struct><member><name>methodName</name><value><string>wp.getUsersBlogs</string></value></member><member><name>params</name><value><array><data><value><array><data><value><string>admin</string></value><value><string>one</string></value></data></array></value></data></array></value></member></struct></value>";
        let many = alloc::format!(
            "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>{inner}{inner}</data></array></value></param></params></methodCall>"
        );
        assert_eq!(of(&many), ("system.multicall".into(), Some("admin".into()), Some("one".into()), 2));
        assert_eq!(of("<methodName>system.listMethods</methodName>"), ("system.listMethods".into(), None, None, 0));
        assert_eq!(call(b"<methodCall>"), None);
    }
}
