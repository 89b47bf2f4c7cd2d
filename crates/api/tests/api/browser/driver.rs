//! As much of WebDriver as the tests need.

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// Quiet, private, and content with a certificate that nobody signed.
const FLAGS: [&str; 13] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--ignore-certificate-errors",
    "--lang=en",
    "--window-size=1400,1500",
];
/// How long anything on the page may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where screenshots go, if anybody wants them.
const SCREENSHOTS_VARIABLE: &str = "HONEYMESH_SCREENSHOTS";

/// The port on which the driver says that it listens.
fn port(said: &mut BufReader<ChildStdout>) -> u16 {
    let begin = "was started successfully on port ";
    let lines = said.lines().map_while(Result::ok);
    lines.into_iter().find_map(|line| line.split(begin).nth(1)?.trim_end_matches('.').parse().ok()).unwrap()
}

/// A browser with one tab; it ends with this value.
pub(super) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    /// Kept open: a driver that cannot speak any more dies.
    _said: BufReader<ChildStdout>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts driver and browser; `None`, loudly, where there is none.
    pub(super) async fn start() -> Option<Self> {
        let binary = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
        let binary = binary.into_iter().find(|path| std::path::Path::new(path).exists());
        let started = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let (Some(binary), Ok(mut driver)) = (binary, started) else {
            eprintln!("SKIPPED: the page was not tested in a browser: chromium and chromium-driver are not installed");
            return None;
        };
        let mut said = BufReader::new(driver.stdout.take().unwrap());
        let port = port(&mut said);
        let profile = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut browser = Self { driver, address, session: String::new(), _said: said, _profile: profile };
        browser.session = browser.begin(binary).await;
        Some(browser)
    }

    async fn begin(&self, binary: &str) -> String {
        let profile = format!("--user-data-dir={}", self._profile.path().display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"binary": binary, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = self.call(Method::POST, "/session", &wanted).await;
        session["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {session}")).to_owned()
    }

    pub(super) async fn open(&self, url: &str) {
        self.command(Method::POST, "url", json!({"url": url})).await;
    }

    /// Makes the window as narrow as a telephone.
    pub(super) async fn narrow(&self) {
        self.command(Method::POST, "window/rect", json!({"width": 520, "height": 1000})).await;
    }

    /// Asks for dark colours, as a browser does at night.
    pub(super) async fn darken(&self) {
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
        self.command(Method::POST, "goog/cdp/execute", json!({"cmd": "Emulation.setEmulatedMedia", "params": feature})).await;
    }

    /// Runs a script in the page and gives what it returns.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.command(Method::POST, "execute/sync", json!({"script": script, "args": []})).await
    }

    /// Waits until a script returns true.
    pub(super) async fn wait(&self, script: &str) {
        let begin = Instant::now();
        while self.run(script).await != true {
            if begin.elapsed() > PATIENCE {
                self.screenshot("failed").await;
                panic!(
                    "never true: {script}\n{:#?}\n{}",
                    self.complaints().await,
                    self.run("return document.body.innerText").await
                );
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    pub(super) async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.command(Method::POST, &format!("element/{element}/click"), json!({})).await;
    }

    pub(super) async fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.command(Method::POST, &format!("element/{element}/value"), json!({"text": text})).await;
    }

    /// Errors and warnings of the page; those that the network makes when a token is refused are expected.
    pub(super) async fn complaints(&self) -> Vec<String> {
        let log = self.command(Method::POST, "se/log", json!({"type": "browser"})).await;
        let lines = log.as_array().unwrap().iter().map(|entry| format!("{} {}", entry["level"], entry["message"]));
        lines.filter(|line| !line.contains("status of 401") && !line.contains("status of 409")).collect()
    }

    /// Keeps a picture of the page in the directory that `HONEYMESH_SCREENSHOTS` names.
    pub(super) async fn screenshot(&self, name: &str) {
        let Some(dir) = std::env::var_os(SCREENSHOTS_VARIABLE) else { return };
        let picture = self.command(Method::GET, "screenshot", Value::Null).await;
        let file = std::path::Path::new(&dir).join(format!("{name}.png.base64"));
        std::fs::write(file, picture.as_str().unwrap()).unwrap();
    }

    async fn find(&self, selector: &str) -> String {
        let found = self.command(Method::POST, "element", json!({"using": "css selector", "value": selector})).await;
        found
            .as_object()
            .and_then(|found| found.values().next()?.as_str())
            .unwrap_or_else(|| panic!("no {selector}: {found}"))
            .to_owned()
    }

    async fn command(&self, method: Method, command: &str, body: Value) -> Value {
        self.call(method, &format!("/session/{}/{command}", self.session), &body).await
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        let response = sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        let (status, bytes) = (response.status(), response.into_body().collect().await.unwrap().to_bytes());
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(status.is_success(), "{path}: {answer}");
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver takes its browser along when it is told to end, not when it is killed.
        let ended = std::net::TcpStream::connect(self.address).and_then(|mut stream| {
            use std::io::{Read, Write};
            let request =
                format!("DELETE /session/{} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.session, self.address);
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(request.as_bytes())?;
            // The answer comes once the browser has ended; the connection may stay.
            stream.read(&mut [0; 1_024])
        });
        drop(ended);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
