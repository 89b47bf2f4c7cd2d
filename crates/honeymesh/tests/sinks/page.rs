//! The page in a real browser, fed by the real daemon.

#[path = "../../../api/tests/api/browser/driver.rs"]
#[expect(dead_code, reason = "the page's own tests do more with it")]
mod driver;

use super::{
    common::in_namespace,
    house::{House, TOKEN},
};
use driver::Browser;
use serde_json::{Value, json};

/// Elements that the lists of the page are made of.
const OURS: &str = "const ours = new Set(['TR','TD','SPAN','TIME','DETAILS','SUMMARY','DL','DT','DD','DIV','BUTTON']);";
/// Whether anything of the corpus acted: scripts that ran, and requests that it asked for.
const ACTED: &str =
    "return window.__pwned !== undefined || performance.getEntriesByType('resource').some(e => e.name.includes('pwned'))";

/// Opens the page, and looks at what it makes of what strangers said last.
pub fn shows_it_and_obeys_nothing(house: &House) {
    let events = house.net.told(&["events", "--json", "--kind", "visit", "--limit", "100"]);
    let shown: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let browse = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(look(&shown));
    };
    in_namespace(&house.net.node, browse).join().unwrap();
}

async fn look(events: &[Value]) {
    let began = std::time::Instant::now();
    let step = |what: &str| eprintln!("{:>6} ms  page: {what}", began.elapsed().as_millis());
    let Some(browser) = Browser::start().await else { return };
    step("the browser is there");
    browser.open("https://127.0.0.1:8443/").await;
    browser.wait("return document.activeElement.id === 'token'").await;
    browser.type_into("#token", TOKEN).await;
    browser.click("#enter button").await;
    browser.wait("return document.getElementById('link').textContent === 'live'").await;
    step("signed in");
    let only_visits =
        "const kind = document.getElementById('events-kind'); kind.value = 'visit'; kind.dispatchEvent(new Event('change'))";
    browser.run(only_visits).await;
    browser.wait("return document.querySelectorAll('#events tr').length >= 100").await;

    browser.wait("return document.querySelectorAll('#bans tr').length > 50").await;
    // Every fact of every visit stands there as text.
    let facts: Vec<Value> = events.iter().map(|event| json!([event["id"], event["fields"]])).collect();
    let is_there = format!(
        "const rows = new Map([...document.querySelectorAll('#events tr')].map(row => [row.dataset.key, row.textContent])); \
         return {}.flatMap(([id, facts]) => Object.values(facts).filter(fact => !rows.get(id)?.includes(shown(fact)))).length === 0",
        json!(facts)
    );
    browser.wait(&is_there).await;
    step("every fact stands there");
    // Nothing else stands there, nothing can be seen that should not, and nothing acted.
    let foreign =
        format!("{OURS} return [...document.querySelectorAll('#events *, #bans *')].filter(e => !ours.has(e.tagName)).length");
    assert_eq!(browser.run(&foreign).await, 0, "only our own elements");
    let handlers = "return [...document.querySelectorAll('#events *, #bans *')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on') || n === 'href' || n === 'src' || n === 'style').length";
    assert_eq!(browser.run(handlers).await, 0, "no attribute of a stranger");
    let unsafe_text = "return [...document.body.innerText.replaceAll('\\n', '').replaceAll('\\t', '').matchAll(UNSAFE)].length";
    assert_eq!(browser.run(unsafe_text).await, 0, "nothing invisible, nothing that reorders");
    assert_eq!(browser.run(ACTED).await, false, "nothing acted");
    assert_eq!(browser.complaints().await, Vec::<String>::new(), "and nothing has tried to");
    assert_eq!(browser.run("return document.title").await, "roof · HoneyMesh");

    step("nothing acted");
    one_list(&browser).await;
    step("one list");
    let lost = is_there.replace("shown(fact)", "shown(fact) + '\\u202e'");
    assert_eq!(browser.run(&lost).await, false, "a fact that is not there is missed");
    each_look_can_fail(&browser, &foreign, handlers, unsafe_text).await;
}

/// Page and daemon refuse the same characters.
async fn one_list(browser: &Browser) {
    let ranges = "const found = []; for (let c = 0; c <= 0x10ffff; c++) { if (c >= 0xd800 && c <= 0xdfff) continue; \
                  if (shown(String.fromCodePoint(c)) === String.fromCodePoint(c)) continue; \
                  const last = found.at(-1); if (last && last[1] === c - 1) last[1] = c; else found.push([c, c]); } return found";
    let mut ours: Vec<[u32; 2]> = Vec::new();
    for c in (0..=0x10_ffff).filter(|c| char::from_u32(*c).is_some_and(honeymesh_format::is_unsafe)) {
        match ours.last_mut() {
            Some([_, last]) if *last == c - 1 => *last = c,
            _ => ours.push([c, c]),
        }
    }
    assert_eq!(browser.run(ranges).await, json!(ours));
    let tower = "return shown('z' + '\\u0301'.repeat(6))";
    assert_eq!(browser.run(tower).await, "z\u{301}\u{301}\u{301}\u{301}\\u{301}\\u{301}");
}

/// What is looked for would be found.
async fn each_look_can_fail(browser: &Browser, foreign: &str, handlers: &str, unsafe_text: &str) {
    let plant = "const b = document.createElement('b'); b.setAttribute('href', 'javascript:x'); b.textContent = 'a\\u202eb'; \
                 document.querySelector('#events td').append(b)";
    browser.run(plant).await;
    assert_eq!(
        (browser.run(foreign).await, browser.run(handlers).await, browser.run(unsafe_text).await),
        (1.into(), 1.into(), 1.into())
    );
    browser.run("const i = document.createElement('img'); i.src = '/pwned'; document.body.append(i)").await;
    browser.wait(ACTED).await;
    browser.run("const s = document.createElement('style'); s.textContent = 'b{}'; document.head.append(s)").await;
    assert!(!browser.complaints().await.is_empty(), "what the policy of the page forbids is told");
}
