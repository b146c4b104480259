# SPDX-License-Identifier: Apache-2.0
"""The status page in a headless Chromium: what it shows is what happens, on every screen, whoever chose the words."""

import os
import pathlib
import shutil
import socket
import sys
import tempfile
import threading

from chromium import PROGRAM, Browser
from rig import FAULTS, FAULTY, LIBC, Client, Daemon, equal, main, true

HOSTILE = "<img src=x onerror=pwned=1>"
INTERFACES = {"libc": LIBC, "faulty": FAULTY}
browser = None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """A daemon with the page, and the page open. What the page met is judged at the end."""

    def __init__(self, interfaces=None, width=1280, **look):
        self.port = free_port()
        self.interfaces = interfaces or INTERFACES
        self.daemon = self.serve()
        self.expected = ()  # errors that are meant
        browser.look(width, **look)
        browser.errors.clear()
        browser.requests.clear()
        try:
            browser.open(f"http://127.0.0.1:{self.port}/")
            browser.wait(f"document.querySelectorAll('.cell').length === {len(self.interfaces)}", "the cells are shown")
        except AssertionError:
            self.daemon.__exit__(*sys.exc_info())
            raise

    def serve(self):
        return Daemon("--http", f"127.0.0.1:{self.port}", interfaces=self.interfaces)

    def __enter__(self):
        return self

    def __exit__(self, kind, *why):
        browser.open("about:blank")  # nobody asks a daemon that stops
        self.daemon.__exit__(kind, *why)
        if not kind:
            equal([e for e in browser.errors if not any(word in e for word in self.expected)], [])
            equal({url for url in browser.requests if not url.startswith((f"http://127.0.0.1:{self.port}/", "data:image/svg"))} - {"about:blank"}, set())

    def crash(self, function="fault_null_read"):
        with self.daemon.client() as client:
            return client.call(function, 1)["error"]["data"]["report"]


def text(selector):
    return browser.evaluate(f"document.querySelector({selector!r})?.innerText ?? null")


def fact(cell, term):
    """What a cell's card says of something."""
    return f"[...[...document.querySelectorAll('.cell')].find(c => c.querySelector('h3').textContent === {cell!r}).querySelectorAll('.facts > div')].find(d => d.firstChild.textContent === {term!r}).lastChild.textContent"


def card(cell):
    return f"[...document.querySelectorAll('.cell')].find(c => c.querySelector('h3').textContent === {cell!r})"


def numbers_change_under_load():
    with Site() as site:
        rate = "parseFloat(document.querySelector('.tile .big').textContent)"
        browser.wait(f"{rate} === 0", "nothing is called")
        stop = threading.Event()

        def call():
            with site.daemon.client() as client:
                while not stop.is_set():
                    client.call("abs", -1)
                    client.call("usleep", 2000)

        threads = [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            browser.wait(f"{rate} > 10", "calls are counted")
            browser.wait(f"{card('libc')}.querySelector('.trio .value').textContent !== '0'", "the cell's are, too")
            browser.wait("document.querySelector('.tile:nth-child(2) .big').textContent.includes('ms')", "the p99 of calls that sleep is in ms")
            browser.wait(f"{card('libc')}.querySelector('.stroke').getAttribute('d').length > 20", "its line is drawn")
            browser.wait(f"{card('libc')}.querySelector('.crew .busy')", "a worker is seen to be busy")
            browser.evaluate(f"{card('libc')}.querySelector('summary').click()")
            browser.wait("document.querySelector('tbody th button')", "methods are listed")
            equal(browser.evaluate("document.querySelectorAll('tbody th button').length"), 10)
            browser.evaluate("[...document.querySelectorAll('tbody th button')].find(b => b.textContent === 'usleep').click()")
            browser.wait("document.querySelectorAll('.bars rect').length > 0", "a method opens to its histogram")
            true(text(".inside .facts").count("done"), "and how its calls ended")
            browser.evaluate("document.querySelector('thead button').click()")
            browser.wait("document.querySelector('tbody th button').textContent === 'abs' && document.querySelector('th').getAttribute('aria-sort') === 'ascending'", "a head sorts by name")
            equal(browser.evaluate(f"{card('libc')}.querySelectorAll('th:not([scope])').length"), 0)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        browser.wait("[...document.querySelectorAll('.tile .big')].at(-1).textContent === '0'", "and then there is none in flight")


def a_crash_appears_with_its_report():
    with Site() as site:
        browser.wait("document.querySelector('#reports .nothing')?.textContent.startsWith('No crashes')", "there is none")
        report = site.crash()
        link = f"document.querySelector('#reports a[href=\"#report/{report}\"]')"
        browser.wait(link, "the report is listed")
        browser.wait(f"{fact('faulty', 'Restarts')} !== '0'", "the restart is counted")
        browser.wait(f"{card('faulty')}.querySelector('.last').innerText.includes('crashed in fault_null_read')", "the cell says how it ended")
        browser.evaluate(f"{link}.focus()")
        browser.press("Enter")
        browser.wait("document.querySelector('dialog[open] .stack')", "the report opens by a key")
        said = text("dialog")
        for words in ("SIGSEGV", "fault_null_read(value = 1)", "null_read.c", "rip" if os.uname().machine == "x86_64" else "pc", "nothing is mapped"):
            true(words.lower() in said.lower(), f"it says {words}: {said}")
        equal(browser.evaluate("document.activeElement.textContent"), "Close")
        browser.press("Escape")
        browser.wait("!document.querySelector('dialog[open]') && location.hash === ''", "it closes by a key")
        equal(browser.evaluate(f"document.activeElement === {link}"), True)
        # An address that was kept opens it; one that is no report says so.
        browser.open(f"http://127.0.0.1:{site.port}/?again#report/{report}")
        browser.wait("document.querySelector('dialog[open] .stack')", "the address opens it")
        site.expected = ("404",)
        browser.evaluate("location.hash = '#report/0123456789abcdef'")
        browser.wait("document.querySelector('dialog[open] .nothing')?.textContent.includes('cannot be shown')", "another one is not there")
        browser.evaluate("location.hash = ''")
        browser.wait("!document.querySelector('dialog[open]')", "and goes with it")
        browser.wait("document.querySelectorAll('#reports-cell option').length === 3", "a cell can be chosen")
        browser.evaluate("document.querySelector('#reports-cell').value = 'libc'; document.querySelector('#reports-cell').dispatchEvent(new Event('change'))")
        browser.wait("document.querySelector('#reports .nothing')", "which had none")


# Text that is too faint on what is behind it: the contrast of each, as WCAG counts it, is to be 4.5.
FAINT = """(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { const layers = []; for (let n = e; n; n = n.parentElement) layers.unshift(parse(getComputedStyle(n).backgroundColor)); return layers.reduce((a, c) => over(c, a), [255, 255, 255, 1]); };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, box = e.getBoundingClientRect();
    if (!walk.currentNode.data.trim() || !box.width || /^(STYLE|SCRIPT|TITLE|OPTION)$/i.test(e.tagName) || e.closest('.stale')) continue;
    const behind = ground(e), style = getComputedStyle(e), ink = over(parse(e instanceof SVGElement ? style.fill : style.color), behind);
    const [a, b] = [light(ink), light(behind)].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faint.push(`${e.tagName}.${e.className.baseVal ?? e.className} ${walk.currentNode.data.slice(0, 20)} ${((a + .05) / (b + .05)).toFixed(2)}`);
  }
  return faint;
})()"""


def it_fits_every_screen_in_light_and_dark():
    with Site(width=360, height=740) as site:
        with site.daemon.client() as client:
            client.call("abs", -1)
        report = site.crash("fault_abort")
        browser.wait(f"document.querySelector('#reports a[href$=\"{report}\"]')", "the report is listed")
        browser.evaluate("document.querySelectorAll('.cell details').forEach(d => { d.open = true; })")
        browser.wait("document.querySelectorAll('tbody th button').length >= 15", "methods are listed")
        browser.evaluate("document.querySelectorAll('tbody th button').forEach(b => b.click())")
        browser.wait("document.querySelectorAll('.bars rect').length >= 2", "histograms are drawn")
        grounds = set()
        for dark in (False, True):
            for width in (320, 360, 768, 1280):
                browser.look(width, 800, dark=dark)
                browser.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
                for opened in (False, True):
                    if opened:
                        browser.evaluate(f"location.hash = '#report/{report}'")
                        browser.wait("document.querySelector('dialog[open] .stack')", "the report is open")
                        browser.evaluate("document.querySelector('dialog details').open = true")
                    wide = browser.evaluate("[document.documentElement.scrollWidth, innerWidth, document.querySelector('dialog').scrollWidth - document.querySelector('dialog').clientWidth]")
                    true(wide[0] <= wide[1] == width and wide[2] <= 0, f"nothing hangs over at {width}: {wide}")
                    if width == 1280:
                        equal((dark, browser.evaluate(FAINT)), (dark, []))
                browser.evaluate("document.querySelector('dialog').close()")
                browser.wait("location.hash === ''", "it is closed")
            grounds.add(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
        equal(len(grounds), 2)


def it_can_be_used_without_a_mouse_and_without_motion():
    with Site(reduced=True):
        browser.press("Tab")
        equal(browser.evaluate("document.activeElement.className"), "skip")
        browser.wait("document.querySelector('.pulse.live')", "it is live")
        equal(browser.evaluate("document.getAnimations().length"), 0)
        browser.look(1280)
        browser.wait("document.getAnimations().length > 0", "who does not mind motion sees some")
        equal(browser.evaluate("['header', 'main', 'footer', 'h1'].map(name => document.querySelectorAll(name).length)"), [1, 1, 1, 1])
        equal(browser.evaluate("[...document.querySelectorAll('section, article, dialog, svg[role=img]')].filter(e => !e.getAttribute('aria-label') && !document.getElementById(e.getAttribute('aria-labelledby')) && e.tagName !== 'DIALOG').length"), 0)
        browser.evaluate("document.querySelector('.cell summary').focus()")
        browser.press("Enter")
        browser.wait("document.querySelector('.cell details[open] tbody button')", "a key opens the methods")
        browser.evaluate("document.querySelector('.cell details[open] tbody button').focus()")
        browser.press("Enter")
        browser.wait("document.activeElement.getAttribute('aria-expanded') === 'true'", "and a method; the focus stays")


def nobody_looks_and_it_asks_less():
    with Site():
        browser.evaluate("window.delays = []; { const was = setTimeout; window.setTimeout = (f, ms) => { delays.push(ms); return was(f, ms); }; }")
        browser.wait("delays.includes(1000)", "it asks each second")
        browser.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true }); delays.length = 0")
        browser.wait("delays.length === 1", "it asks once more")
        equal(browser.evaluate("delays[0]"), 10000)
        browser.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
        browser.wait("delays.includes(1000)", "it asks each second again")


def hostile_words_are_words():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="browser-"))
    library = folder / f"{HOSTILE}.so"
    shutil.copy(FAULTS, library)
    interfaces = {"hostile": f'library "{library}";\nint fault_null_read(int value);\n',
                  "files": 'library "libc.so.6";\nint unlink(const char *path);\nint open(const char *path, int flags);\n'}
    with Site(interfaces) as site:
        with site.daemon.client() as client:
            client.call("unlink", f"/tmp/<script>pwned=1</script>{HOSTILE}")
            client.call("open", f"/etc/<script>pwned=1</script>{HOSTILE}", 2)
        report = site.crash()
        browser.wait(f"document.querySelector('#reports a[href$=\"{report}\"]')", "the report is listed")
        ids = browser.evaluate("[...document.querySelectorAll('#reports a')].map(a => a.hash)")
        said = ""
        for which in ids:
            browser.evaluate(f"location.hash = '{which}'")
            browser.wait(f"document.querySelector('dialog[open] .sheet')?.innerText.includes('{which[8:]}')", "the report is open")
            said += text("dialog")
        true(HOSTILE in text("main") and HOSTILE in said, "the words are shown")
        true("<script>" in said, f"the path that was forbidden is shown: {said}")
        equal(browser.evaluate("[typeof window.pwned, document.images.length, document.scripts.length]"), ["undefined", 0, 1])
        # The second wall: what came to stand in the page would not be run. The daemon's policy is in force.
        site.expected = ("Content Security Policy", "TrustedHTML", "Trusted")
        equal(browser.evaluate("(() => { try { document.body.innerHTML += '<b>x</b>'; return 'taken'; } catch (error) { return error.name; } })()"), "TypeError")
        browser.evaluate("{ const s = document.createElementNS('http://www.w3.org/1999/xhtml', 'style'); s.append('body { display: none }'); document.head.append(s); }")
        true(browser.evaluate("getComputedStyle(document.body).display") != "none", "a style of others is not in force")
    shutil.rmtree(folder)


def a_daemon_that_goes_and_comes_back_is_told():
    site = Site()
    with site:
        browser.wait("document.querySelector('#pulse-text').textContent === 'Live'", "it is live")
        old = site.daemon
        old.process.kill()
        old.process.wait()
        site.expected = ("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "Failed to load resource")
        browser.wait("!document.querySelector('#gone').hidden && document.querySelector('#gone').textContent.includes('has not answered since')", "it says that nobody answers")
        true(text("#pulse-text") == "No answer" and browser.evaluate("document.querySelectorAll('.cell').length === 2"), "the last answer is still there")
        site.daemon = site.serve()
        browser.wait("document.querySelector('#gone').hidden && document.querySelector('#pulse-text').textContent.includes('was restarted')", "it says that it is back")
        with Client(site.daemon.path) as client:
            client.call("abs", -1)
        browser.wait(f"{card('libc')}.innerText.includes('1 called')", "it shows the new one's numbers")


CASES = [
    numbers_change_under_load,
    a_crash_appears_with_its_report,
    it_fits_every_screen_in_light_and_dark,
    it_can_be_used_without_a_mouse_and_without_motion,
    nobody_looks_and_it_asks_less,
    hostile_words_are_words,
    a_daemon_that_goes_and_comes_back_is_told,
]

if not PROGRAM:
    print("there is no Chromium: apt-get install chromium-headless-shell")
    sys.exit(77)
with Browser() as browser:
    main(CASES)
