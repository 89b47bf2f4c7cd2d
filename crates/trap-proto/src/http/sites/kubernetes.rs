//! The API of Kubernetes: tells its version to everybody, and lets nobody else do anything.

use super::{
    super::{reply::Reply, request::Method},
    Visit, quoted, uuid,
};
use alloc::{format, string::String};

/// Paths that the role `system:public-info-viewer` opens to everybody.
const PUBLIC: [&str; 4] = ["/healthz", "/livez", "/readyz", "/version"];

pub(super) fn respond(visit: &Visit<'_>) -> Reply {
    let path = visit.path();
    if visit.asked.authorized {
        return status(visit, "401 Unauthorized", 401, "Unauthorized", "Unauthorized", "");
    }
    let read = matches!(visit.asked.method, Method::Get | Method::Head);
    match path {
        "/version" | "/version/" if read => json(visit, "200 OK", version(visit)),
        _ if read && PUBLIC.iter().any(|public| path.trim_end_matches('/') == *public) => text(visit, "ok"),
        _ => forbidden(visit),
    }
}

fn headers(visit: &Visit<'_>, reply: Reply, kind: &'static str) -> Reply {
    reply
        .with("Audit-Id", uuid(&visit.own_digits("audit", 32)))
        .with("Cache-Control", "no-cache, private")
        .with("Content-Type", kind)
        .with("X-Content-Type-Options", "nosniff")
        .with("X-Kubernetes-Pf-Flowschema-Uid", uuid(&visit.digits("flow schema", 32)))
        .with("X-Kubernetes-Pf-Prioritylevel-Uid", uuid(&visit.digits("priority level", 32)))
}

fn json(visit: &Visit<'_>, status: &'static str, body: String) -> Reply {
    headers(visit, Reply::new(status, "", body), "application/json")
}

fn text(visit: &Visit<'_>, body: &'static str) -> Reply {
    headers(visit, Reply::new("200 OK", "", body), "text/plain; charset=utf-8")
}

fn version(visit: &Visit<'_>) -> String {
    let version = &visit.house.banner;
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let below = minor.parse().unwrap_or(1_u16).saturating_sub(1);
    format!(
        "{{\n  \"major\": \"{major}\",\n  \"minor\": \"{minor}\",\n  \"emulationMajor\": \"{major}\",\n  \"emulationMinor\": \"{minor}\",\n  \"minCompatibilityMajor\": \"{major}\",\n  \"minCompatibilityMinor\": \"{below}\",\n\
         \x20 \"gitVersion\": \"{version}\",\n  \"gitCommit\": \"{}\",\n  \"gitTreeState\": \"clean\",\n  \"buildDate\": \"2025-11-11T19:13:30Z\",\n  \"goVersion\": \"go1.24.9\",\n  \"compiler\": \"gc\",\n  \"platform\": \"linux/amd64\"\n}}",
        visit.digits("kubernetes build", 40)
    )
}

/// What was asked, as the server's access rules name it.
fn forbidden(visit: &Visit<'_>) -> Reply {
    let verb = match (visit.asked.verb.as_str(), visit.path()) {
        ("GET" | "HEAD", _) => "get",
        ("POST", _) => "post",
        ("PUT", _) => "put",
        ("PATCH", _) => "patch",
        ("DELETE", _) => "delete",
        _ => "options",
    };
    let parts: alloc::vec::Vec<&str> = visit.path().trim_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", "v1", rest @ ..] if !rest.is_empty() => ("", rest),
        ["apis", group, _, rest @ ..] if !rest.is_empty() => (*group, rest),
        _ => {
            let path = quoted(visit.path(), 300);
            let text = format!("forbidden: User \\\"system:anonymous\\\" cannot {verb} path \\\"{path}\\\"");
            return status(visit, "403 Forbidden", 403, "Forbidden", &text, "");
        }
    };
    let (space, rest) = match rest {
        ["namespaces", space, rest @ ..] if !rest.is_empty() => (Some(*space), rest),
        _ => (None, rest),
    };
    let kind = quoted(rest.first().copied().unwrap_or_default(), 80);
    let (group, name) = (quoted(group, 80), rest.get(1).map(|name| quoted(name, 80)));
    let verb = match (verb, &name) {
        ("get", None) => "list",
        ("post", _) => "create",
        ("put", _) => "update",
        ("delete", None) => "deletecollection",
        (verb, _) => verb,
    };
    let scope =
        space.map_or_else(|| "at the cluster scope".into(), |space| format!("in the namespace \\\"{}\\\"", quoted(space, 80)));
    let shown = name.as_ref().map_or_else(String::new, |name| format!(" \\\"{name}\\\""));
    let full = if group.is_empty() { kind.clone() } else { format!("{kind}.{group}") };
    let text = format!(
        "{full}{shown} is forbidden: User \\\"system:anonymous\\\" cannot {verb} resource \\\"{kind}\\\" in API group \\\"{group}\\\" {scope}"
    );
    let named = name.map_or_else(String::new, |name| format!("\"name\":\"{name}\","));
    let grouped = if group.is_empty() { String::new() } else { format!("\"group\":\"{group}\",") };
    status(visit, "403 Forbidden", 403, "Forbidden", &text, &format!("{named}{grouped}\"kind\":\"{kind}\""))
}

fn status(visit: &Visit<'_>, line: &'static str, code: u16, reason: &str, text: &str, details: &str) -> Reply {
    let details = match (code, details) {
        (401, _) => String::new(),
        (_, details) => format!("\"details\":{{{details}}},"),
    };
    let body = format!(
        "{{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{{}},\"status\":\"Failure\",\"message\":\"{text}\",\"reason\":\"{reason}\",{details}\"code\":{code}}}\n"
    );
    // Go's encoder breaks lines after each member here; curl and kubectl take either.
    json(visit, line, pretty(&body))
}

/// As the server writes it for people: one member a line, two spaces deep.
fn pretty(compact: &str) -> String {
    let mut text = String::with_capacity(compact.len() * 2);
    let (mut depth, mut in_string, mut escaped, mut empty) = (0_usize, false, false, false);
    for char in compact.trim_end().chars() {
        if in_string {
            text.push(char);
            in_string = escaped || char != '"';
            escaped = !escaped && char == '\\';
            continue;
        }
        let line = |text: &mut String, depth: usize| {
            text.push('\n');
            text.push_str(&"  ".repeat(depth));
        };
        match char {
            '{' => {
                text.push('{');
                depth += 1;
                empty = true;
                continue;
            }
            '}' => {
                depth = depth.saturating_sub(1);
                if !empty {
                    line(&mut text, depth);
                }
            }
            _ if empty => line(&mut text, depth),
            _ => {}
        }
        empty = false;
        text.push(char);
        match char {
            '"' => in_string = true,
            ',' => line(&mut text, depth),
            ':' => text.push(' '),
            _ => {}
        }
    }
    text
}
