//! The live page in Chromium. Where there is none, the tests say so and pass.
//!
//! `GOPARK_SCREENSHOTS` names a folder for pictures of what was tested.

use crate::child::{alone, here};
use crate::devtools::Tab;
use crate::parked;
use crate::state::{circle, waiting};
use gopark::debug;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Says why there is none.
pub(crate) fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let mut files = names.iter().flat_map(|name| folders.iter().map(move |it| it.join(name)));
    let found = files.find(|file| file.is_file());
    if found.is_none() {
        println!("SKIPPED: no Chromium is on the PATH, so nobody looks at the live page");
    }
    found
}

/// Who looks at the page.
pub(crate) struct Reader(RefCell<Tab>);

impl Reader {
    pub(crate) fn open(program: PathBuf, url: &str) -> Reader {
        Reader(RefCell::new(Tab::open(&program, url, LIMIT)))
    }

    #[track_caller]
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.0.borrow_mut().value(expression)
    }

    #[track_caller]
    fn text(&self, selector: &str) -> String {
        let value = self.value(&format!(
            "(document.querySelector({selector:?}) || {{textContent: 'nothing'}}).textContent"
        ));
        value.as_str().unwrap().trim().to_owned()
    }

    /// Waits for it.
    #[track_caller]
    pub(crate) fn until(&self, expression: &str) {
        let begun = Instant::now();
        while self.value(expression) != true {
            let page = || self.value("document.body.innerText");
            assert!(begun.elapsed() < LIMIT, "not {expression}:\n{}", page());
            // The page's own clock is what is waited for.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub(crate) fn shows(&self, selector: &str, text: &str) {
        self.until(&format!(
            "(document.querySelector({selector:?})?.textContent || '').includes({text:?})"
        ));
    }

    pub(crate) fn press(&self, keys: &[&str]) {
        for key in keys {
            self.0.borrow_mut().press(key);
        }
    }

    pub(crate) fn types(&self, text: &str) {
        self.0.borrow_mut().enter(text);
    }

    fn dark(&self, on: bool) {
        let value = if on { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": value });
        let media = json!({ "features": [feature] });
        self.0.borrow_mut().call("Emulation.setEmulatedMedia", media);
    }

    fn small(&self) {
        let size = json!({ "width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": true });
        self.0.borrow_mut().call("Emulation.setDeviceMetricsOverride", size);
    }

    fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("GOPARK_SCREENSHOTS") {
            self.0.borrow_mut().picture(&PathBuf::from(folder).join(name));
        }
    }

    #[track_caller]
    pub(crate) fn has_no_complaints(&self) {
        assert_eq!(self.0.borrow().complaints, Vec::<Value>::new());
    }
}

/// Texts that stand out from what is behind them less than they should: 4.5 to 1 is what
/// WCAG asks for.
const PALE: &str = r#"(() => {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const box = at.ownerSVGElement ? at.closest('.node')?.querySelector('rect') : null;
      const color = parse(box ? getComputedStyle(box).fill : getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const pale = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((it) => it.nodeType === 3 && it.data.trim());
    if (!own || !element.checkVisibility() || element.matches('title, option, .unseen, .skip, script, style')) continue;
    const style = getComputedStyle(element);
    const front = light(parse(element.ownerSVGElement ? style.fill : style.color));
    const back = light(behind(element));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < 4.5) pale.push(`${element.textContent}: ${ratio.toFixed(2)}`);
  }
  return pale;
})()"#;

/// What can be operated and has no name.
const NAMELESS: &str = r#"[...document.querySelectorAll('button, select, input, a, [tabindex="0"]')]
  .filter((it) => !(it.getAttribute('aria-label') || it.textContent.trim() ||
    (it.labels && it.labels[0] && it.labels[0].textContent.trim())))
  .map((it) => it.outerHTML)"#;

#[test]
fn the_live_page() {
    let Some(program) = chromium() else { return };
    alone(here!(), &[("GOPARK_MAXPROCS", "2")], || looks_at_the_live_page(program));
}

fn looks_at_the_live_page(program: PathBuf) {
    let endpoint = debug::serve("127.0.0.1:0").unwrap();
    // Who looks for a name that does harm finds a name.
    let harm = "<img src=x onerror=document.title='harm'>";
    let porters = waiting(5, harm);
    parked("live::waits", 5);
    circle("holds");
    let url = format!("http://{}/debug/tasks", endpoint.local_addr());
    let page = Reader::open(program, &url);
    page.until("Number(document.body.dataset.looks) >= 2");

    // States, transitions, processors, groups.
    assert_eq!(page.text("#total"), "7");
    assert_eq!(page.text("#level"), "normal for a command-line tool");
    assert_eq!(page.text("[data-state=waiting] .count"), "7");
    assert_eq!(page.value("document.querySelectorAll('[data-state]').length"), 6);
    assert_eq!(page.value("document.querySelectorAll('[data-edge]').length"), 14);
    assert_eq!(page.value("document.querySelectorAll('#processors li').length"), 4);
    page.value("document.querySelector('[name=rate][value=total]').click()");
    let labels = page.text("#labels");
    let made = labels.split_once("go ").map(|(_, rest)| rest.chars().next().unwrap());
    assert!(made.is_some_and(|digit| ('1'..='9').contains(&digit)), "{labels}");
    assert_eq!(page.text("#table tbody tr:first-child td:first-child"), "5");
    assert_eq!(page.text("#table tbody tr:first-child .dot"), "chan receive");
    page.shows("#table tbody tr:first-child td:nth-child(5)", "live/main.rs:");

    // Growth, since the page was opened.
    let more = waiting(3, "more");
    parked("live::waits", 8);
    page.until("document.querySelector('#table tbody td.grows')?.textContent === '+3'");
    page.press(&["m"]);
    page.until("document.querySelector('#table tbody td:nth-child(2)').textContent === '0'");

    // By keys alone: search, choose, look at one task, and back.
    page.press(&["/"]);
    page.types("mutex");
    page.until("document.querySelectorAll('#table tbody tr').length === 1");
    page.shows("#some-title", "“mutex”");
    page.until("document.querySelectorAll('#list button').length === 2");
    page.press(&["ArrowDown"]);
    page.until("document.activeElement.matches('#table .open')");
    page.press(&["Enter"]);
    page.shows("#some-title", "Tasks of the group");
    page.value("document.querySelector('#list button').focus()");
    page.press(&["ArrowDown", "Enter"]);
    page.shows("#one-title", "“holds 1”");
    page.until("document.activeElement.id === 'one-title'");
    page.shows("#detail ol", "state::circle");
    assert_eq!(page.value("document.querySelectorAll('#detail .graph rect').length"), 2);
    assert_eq!(page.value("document.querySelectorAll('#detail .graph path').length"), 2);
    page.picture("task-light.png");
    page.press(&["Escape"]);
    page.until("document.getElementById('one').hidden");
    page.press(&["Escape", "Escape"]);
    page.until("document.getElementById('some').hidden");
    page.until("document.querySelectorAll('#table tbody tr').length >= 2");

    // A state is a filter.
    page.value("document.querySelector('[data-state=running]').focus()");
    page.press(&["Enter"]);
    page.shows("#table tbody", "No group is like that.");
    page.press(&["Enter"]);
    page.until("document.querySelectorAll('#table tbody tr').length >= 2");

    // Names are text.
    page.press(&["/"]);
    page.types("onerror");
    page.until("document.querySelectorAll('#list button').length === 5");
    page.value("document.querySelector('#list button').click()");
    page.shows("#one-title", harm);
    assert_eq!(page.value("document.querySelectorAll('main img').length"), 0);
    assert_ne!(page.value("document.title"), "harm");
    page.press(&["Escape", "Escape"]);
    page.until("document.getElementById('one').hidden");
    page.value("document.getElementById('clear').click(); document.activeElement.blur()");

    // What is paused stays, though there is more.
    page.press(&["p"]);
    page.until("document.getElementById('pause').getAttribute('aria-pressed') === 'true'");
    assert_eq!(page.text("#pause span"), "Go on");
    let still_more = waiting(4, "later");
    parked("live::waits", 12);
    assert_eq!(
        page.value("fetch('/debug/live.json').then((it) => it.json()).then((it) => it.tasks)"),
        14
    );
    assert_eq!(page.text("#total"), "10");
    page.press(&["p"]);
    page.until("document.getElementById('total').textContent === '14'");

    // The list of keys.
    page.press(&["?"]);
    page.until("document.getElementById('keys').open");
    page.press(&["Escape"]);
    page.until("!document.getElementById('keys').open");

    // In both colours, and on a small screen.
    assert_eq!(page.value(NAMELESS), Value::Array(Vec::new()));
    for dark in [false, true] {
        page.dark(dark);
        assert_eq!(page.value("matchMedia('(prefers-color-scheme: dark)').matches"), dark);
        assert_eq!(page.value(PALE), Value::Array(Vec::new()), "dark: {dark}");
        page.picture(if dark { "page-dark.png" } else { "page-light.png" });
    }
    page.small();
    page.until("document.documentElement.scrollWidth <= 400");
    // Nothing of a row is out of sight.
    page.until("document.getElementById('table').scrollWidth <= 400");
    page.picture("page-small.png");

    // Nothing came from elsewhere, and nothing was in the way of what runs.
    let elsewhere = "performance.getEntriesByType('resource').map((it) => it.name)\
                     .filter((it) => !it.startsWith(location.origin))";
    assert_eq!(page.value(elsewhere), Value::Array(Vec::new()));
    page.has_no_complaints();

    // The program stops answering.
    endpoint.close();
    page.until("!document.getElementById('trouble').hidden");
    page.shows("#trouble", "No answer");
    drop((porters, more, still_more));
}
