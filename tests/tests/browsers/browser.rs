//! A headless Chromium inside a network namespace, led by chromedriver over WebDriver
//! (<https://www.w3.org/TR/webdriver2/>), with curl for the talking.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{Namespace, Service};
use serde_json::{Value, json};

/// Where chromedriver listens: in its namespace nobody else does.
const DRIVER: &str = "http://127.0.0.1:9515";
/// How long the programs may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// One browser with one page. Dropping it ends browser and driver.
pub(crate) struct Browser<'a> {
    namespace: &'a Namespace,
    session: String,
    _driver: Service,
}

impl<'a> Browser<'a> {
    /// Starts it, with a profile of its own below `directory`.
    pub(crate) fn start(namespace: &'a Namespace, directory: &Path) -> Self {
        let (chromium, driver) = (program("chromium"), program("chromedriver"));
        let home = directory.join("browser");
        fs::create_dir(&home).unwrap();
        let mut command = namespace.command(driver);
        // It looks for a display and for a session's services otherwise.
        command.env_clear().env("HOME", &home).arg("--port=9515");
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        let log = directory.join("chromedriver.log");
        let driver = Service::start("chromedriver", command, &log).unwrap();
        let mut browser = Self {
            namespace,
            session: String::new(),
            _driver: driver,
        };
        browser.await_driver();
        let session = browser.ask("POST", "/session", Some(&capabilities(&chromium, &home)));
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    fn await_driver(&self) {
        let begin = Instant::now();
        while self.try_ask("GET", "/status", None).is_err() {
            assert!(begin.elapsed() < PATIENCE, "chromedriver does not answer");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Opens a page; what is shown then, as HTML.
    pub(crate) fn open(&self, url: &str) -> String {
        self.command("POST", "url", Some(&json!({ "url": url })));
        self.source()
    }

    /// Loads the page again; what is shown then, as HTML.
    pub(crate) fn reload(&self) -> String {
        self.command("POST", "refresh", Some(&json!({})));
        self.source()
    }

    fn source(&self) -> String {
        let source = self.command("GET", "source", None);
        source.as_str().unwrap().to_owned()
    }

    fn command(&self, method: &str, command: &str, body: Option<&Value>) -> Value {
        let path = format!("/session/{}/{command}", self.session);
        self.ask(method, &path, body)
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.try_ask(method, path, body);
        answer.unwrap_or_else(|problem| panic!("{method} {path}: {problem}"))
    }

    /// The value that the driver answers with.
    fn try_ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut curl = self.namespace.command("curl");
        curl.args(["--silent", "--show-error", "--max-time", "120"])
            .args(["--request", method])
            .args(["--header", "Content-Type: application/json"])
            .arg(format!("{DRIVER}{path}"))
            .stdin(Stdio::null());
        if let Some(body) = body {
            curl.arg("--data").arg(body.to_string());
        }
        let output = curl
            .output()
            .map_err(|error| format!("cannot run curl (apt-get install curl): {error}"))?;
        let mut answer: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let value = answer["value"].take();
        match value.get("error") {
            Some(error) => Err(format!("{error}: {}", value["message"])),
            None => Ok(value),
        }
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        // The browser ends with its session. What does not end goes with the namespace.
        if !self.session.is_empty()
            && let Err(error) = self.try_ask("DELETE", &format!("/session/{}", self.session), None)
        {
            eprintln!("the browser did not end in an orderly way: {error}");
        }
    }
}

/// What the browser is to be: alone with its page, so that it opens no connection that nobody asked
/// for. Each would be scheduled like a page.
fn capabilities(chromium: &Path, home: &Path) -> Value {
    let profile = format!("--user-data-dir={}", home.join("profile").display());
    let args = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        &profile,
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": {
            "binary": chromium,
            "args": args,
            // No connection ahead of need.
            "prefs": { "net.network_prediction_options": 2 },
        },
    } } })
}

fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut programs = env::split_paths(&path).map(|directory| directory.join(name));
    programs
        .find(|program| program.is_file())
        .unwrap_or_else(|| {
            panic!("this test needs {name}: apt-get install chromium chromium-driver")
        })
}
