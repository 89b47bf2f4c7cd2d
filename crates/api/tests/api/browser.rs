//! The page in a real browser: headless Chromium, driven through its driver's own HTTP interface.

mod driver;

use crate::house::{House, TOKEN, visit};
use driver::Browser;
use honeymesh_api::Limits;
use honeymesh_types::{Event, Grade, Reasons};

/// What strangers send, and what of it must stand on the page, letter by letter.
const HOSTILE: [(&str, &str); 4] = [
    ("<img src=x onerror=document.title='owned'>", "<img src=x onerror=document.title='owned'>"),
    ("<script>document.title='owned'</script>", "<script>document.title='owned'</script>"),
    ("\u{202e}txt.exe\u{1b}[31m\n", "\\u{202e}txt.exe\\u{1b}[31m\\n"),
    ("{{constructor.constructor('document.title=1')()}}", "{{constructor.constructor('document.title=1')()}}"),
];

fn hostile(number: u8, text: &str) -> Event {
    let mut event = visit(number);
    event.fields = [("username".to_owned(), text.to_owned()), (text.to_owned(), text.to_owned())].into();
    event.payload = text.as_bytes().to_vec();
    event
}

fn furnished() -> House {
    let house = House::with(Limits::default());
    house.brain.ban("203.0.113.7", Reasons::TRAP | Reasons::SCAN, Grade::Hostile);
    house.brain.ban("198.51.100.0/24", Reasons::MANUAL, Grade::Operator);
    house.brain.ban("2001:db8:17::/64", Reasons::MESH | Reasons::TRAP, Grade::Payload);
    house.brain.ban("192.0.2.44", Reasons::SCAN, Grade::Spoofable);
    house.brain.events.lock().unwrap().extend((20..26).map(visit));
    house
}

async fn sign_in(browser: &Browser, house: &House) {
    browser.open(&format!("https://{}/", house.https)).await;
    browser.wait("return document.getElementById('board').hidden && document.activeElement.id === 'token'").await;
    browser.screenshot("gate").await;
    browser.type_into("#token", "not the token").await;
    browser.click("#enter button").await;
    browser.wait("return document.getElementById('gate-error').textContent === 'This token is not accepted.'").await;
    browser.run("document.getElementById('token').value = ''").await;
    browser.type_into("#token", TOKEN).await;
    browser.click("#enter button").await;
    browser.wait("return document.getElementById('link').textContent === 'live'").await;
}

const ROWS: &str = "return document.querySelectorAll('#bans tr').length";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_bans_and_events_live_and_lifts_a_ban() {
    let Some(browser) = Browser::start().await else { return };
    let house = furnished();
    sign_in(&browser, &house).await;
    browser.wait("return document.querySelectorAll('#bans tr').length === 4").await;
    browser.wait("return document.querySelectorAll('#events tr').length === 6").await;
    browser.wait("return document.querySelectorAll('#peers tr').length === 2").await;

    // An event happens, and a ban with it: both appear without a touch.
    let event = visit(99);
    house.brain.ban("203.0.113.99", Reasons::TRAP, Grade::Hostile);
    house.brain.events.lock().unwrap().push(event.clone());
    house.desk.tell(&event);
    browser.wait("return document.querySelector('#events tr').textContent.includes('203.0.113.99')").await;
    browser.wait("return document.getElementById('bans').textContent.includes('203.0.113.99/32')").await;

    for (number, (text, _)) in (100..).zip(HOSTILE) {
        house.desk.tell(&hostile(number, text));
    }
    for (_, text) in HOSTILE {
        let has = format!("return document.getElementById('events').textContent.includes({})", serde_json::json!(text));
        browser.wait(&has).await;
    }
    assert_eq!(browser.run("return document.querySelectorAll('#events img, #events script').length").await, 0);

    // The operator bans and lifts.
    browser.type_into("#ban-subject", "192.0.2.200").await;
    browser.type_into("#ban-note", "<b>seen in the log</b>").await;
    browser.click("#ban-form button").await;
    browser.wait("return document.getElementById('bans').textContent.includes('192.0.2.200/32<b>seen in the log</b>')").await;
    browser.type_into("#ban-subject", "10.0.0.1").await;
    browser.click("#ban-form button").await;
    browser.wait("return document.getElementById('ban-result').textContent.includes('is on the allowlist')").await;
    browser.screenshot("board").await;
    browser.darken().await;
    browser.run("document.querySelector('#events summary').click(); window.scrollTo(0, 1e6)").await;
    let is_dark = "return getComputedStyle(document.body).backgroundColor === 'rgb(20, 19, 16)'";
    browser.wait(is_dark).await;
    browser.screenshot("board-dark").await;
    browser.click("button[aria-label='Unban 203.0.113.7/32']").await;
    browser.wait("return !document.getElementById('bans').textContent.includes('203.0.113.7/32')").await;
    assert!(house.brain.ordered().iter().any(|order| order.starts_with("Unban(UnbanOrder { subject: 203.0.113.7/32")));
    assert_eq!(browser.run(ROWS).await, 5);

    assert_eq!(browser.run("return document.title").await, "edge-1 · HoneyMesh");
    assert_eq!(browser.complaints().await, Vec::<String>::new(), "no script error, no violation of the content policy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_when_there_is_nothing_and_when_nobody_answers() {
    let Some(browser) = Browser::start().await else { return };
    let mut house = House::open();
    browser.narrow().await;
    sign_in(&browser, &house).await;
    browser.wait("return document.getElementById('bans-state').textContent.startsWith('Nobody is banned')").await;
    browser.wait("return document.getElementById('events-state').textContent.startsWith('Nothing has happened yet')").await;
    browser.screenshot("empty").await;
    house.brain.ban("2001:db8:17:aaaa::/64", Reasons::TRAP | Reasons::SCAN, Grade::Hostile);
    house.brain.ban("203.0.113.7", Reasons::MESH, Grade::Payload);
    (1..4).map(visit).for_each(|event| house.desk.tell(&event));
    browser.wait("return document.querySelectorAll('#bans tr').length === 2").await;
    browser.run("document.getElementById('bans-title').scrollIntoView()").await;
    browser.screenshot("narrow").await;
    let in_reach =
        "return [...document.querySelectorAll('#bans button')].every(b => b.getBoundingClientRect().right <= innerWidth)";
    assert_eq!(browser.run(in_reach).await, true, "every ban can be lifted without scrolling sideways");
    assert_eq!(
        browser.run("return document.documentElement.scrollWidth <= window.innerWidth").await,
        true,
        "no sideways scrolling"
    );
    assert_eq!(browser.run("return Object.keys(localStorage).length + document.cookie.length").await, 0, "kept in this tab only");
    house.close().await;
    browser.wait("return !document.getElementById('offline').hidden").await;
    browser.screenshot("offline").await;
    browser.click("#leave").await;
    browser.wait("return document.getElementById('board').hidden && sessionStorage.length === 0").await;
    assert_eq!(browser.run("return document.body.textContent.includes('edge-1')").await, false, "nothing stays on the page");
}
