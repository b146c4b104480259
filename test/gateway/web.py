# SPDX-License-Identifier: Apache-2.0
"""HTTP: metrics as Prometheus takes them, the data of the status page, reports; and clients that are slow, many, of
another site, or no clients of HTTP at all."""

import http.client
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time

from rig import CORDON, FAULTY, LIBC, SCALE, Daemon, Skip, code, equal, main, true

CRASHES = 3


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20 * SCALE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Web:
    """A daemon with HTTP, at a Unix socket or at a port of its own."""

    def __init__(self, tcp=False, interfaces=None, **more):
        self.interfaces = {"libc": LIBC, "faulty": FAULTY} if interfaces is None else interfaces
        self.port = None
        if tcp:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        self.directory = tempfile.mkdtemp(prefix="http-")
        self.path = f"{self.directory}/http"
        self.daemon = Daemon("--http", f"127.0.0.1:{self.port}" if tcp else f"unix:{self.path}", interfaces=self.interfaces, **more)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.daemon.__exit__(*why)
        shutil.rmtree(self.directory)

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20 * SCALE) if self.port else UnixConnection(self.path)

    def ask(self, target, method="GET", **headers):
        connection = self.connection()
        try:
            connection.request(method, target, headers=headers)
            answer = connection.getresponse()
            answer.body = answer.read()
            return answer
        finally:
            connection.close()

    def json(self, target):
        answer = self.ask(target)
        equal((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        return json.loads(answer.body)

    def raw(self):
        if not self.port:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.path)
        else:
            connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(20 * SCALE)
        return connection

    def crash(self, function="fault_null_read"):
        """Returns the report's id, once the report is there."""
        with self.daemon.client() as client:
            report = client.call(function, 1)["error"]["data"]["report"]
            # Written a while after the answer: until then it is waited for, or busy.
            until = time.monotonic() + 20 * SCALE
            while code(answer := client.call("cordon.reports", id=report)) == -32005 and time.monotonic() < until:
                pass
            equal(answer["result"]["id"], report)
            return report


def samples(text):
    """{"name{labels}": value} of the text form."""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"}


def metrics_are_what_promtool_wants():
    promtool = shutil.which("promtool")
    if not promtool:
        raise Skip("there is no promtool: apt-get install prometheus")
    with Web(interfaces={"libc": LIBC, "faulty": FAULTY, "letters": 'library "libc.so.6"; int toupper(int c);'}) as web:
        web.crash()
        with web.daemon.client() as client:
            equal(client.call("toupper", 97)["result"], 65)
        text = web.ask("/metrics").body
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
        equal((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        equal(samples(text.decode())['cordon_calls_total{cell="letters",method="toupper",outcome="done"}'], 1)


def metrics_count_what_happened():
    with Web() as web, web.daemon.client() as client:
        for _ in range(70):
            client.call("abs", -1)
        client.call("usleep", 30000)
        for _ in range(CRASHES):
            client.call("fault_abort", 1)
        answer = web.ask("/metrics")
        equal(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        text = answer.body.decode()
        got = samples(text)
        equal(len(got), len([line for line in text.splitlines() if line and line[0] != "#"]))
        equal(got['cordon_calls_total{cell="libc",method="abs",outcome="done"}'], 70)
        equal(got['cordon_calls_total{cell="faulty",method="fault_abort",outcome="crashed"}'], CRASHES)
        equal(got['cordon_cell_workers_crashed_total{cell="faulty"}'], CRASHES)
        equal((got["cordon_clients"], got['cordon_cell_up{cell="libc"}'], got['cordon_cell_breaker{cell="libc",state="closed"}']), (1, 1, 1))
        true(0 < got["process_cpu_seconds_total"] < 60 and 1e6 < got["process_resident_memory_bytes"] < 1e9, "process metrics are in base units")
        true(abs(got["process_start_time_seconds"] - time.time()) < 60 * SCALE, "it started just now")
        # A histogram: its buckets grow, all is in the last; a call of 30 ms is in none below.
        buckets = {float(le): value for name, value in got.items() for le in re.findall(r'^cordon_call_duration_seconds_bucket{cell="libc",method="usleep",le="(.*)"}', name)}
        equal([buckets[le] for le in sorted(buckets)], sorted(buckets.values()))
        equal((buckets[0.016384], buckets[float("inf")]), (0, 1))
        true(0.03 <= got['cordon_call_duration_seconds_sum{cell="libc",method="usleep"}'] < 20, "the sum is in seconds")
        # What was never called has no series; every family is described, and once.
        true("strtol" not in text, "methods that were not called have no series")
        described = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)
        equal(len(described), len(set(described)))
        equal(re.findall(r"^# HELP (\S+) ", text, re.M), [name for name, _ in described])
        for name, kind in described:
            equal(name.endswith("_total"), kind == "counter")


def openmetrics_are_given_to_who_asks():
    with Web() as web:
        web.crash()
        answer = web.ask("/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.1")
        equal(answer.headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        text = answer.body.decode()
        true(text.endswith("\n# EOF\n"), "it says where it ends")
        true("# TYPE cordon_calls counter\n" in text and "# TYPE cordon_build info\n" in text, "families are named without what samples add")


def a_cell_has_a_bounded_number_of_series():
    count = 300
    names = [f"labs{i}" for i in range(count)]
    methods = "".join(f"  - {{name: {name}, function: labs}}\n" for name in names)
    config = f"cells:\n- name: many\n  interface: libc.cordon\n  limits: {{memory_bytes: 256MiB}}\n  methods:\n{methods}"
    with Web(config=config) as web, web.daemon.client() as client:
        for name in names:
            equal(client.call(name, -1)["result"], 1)
        got = samples(web.ask("/metrics").body.decode())
        methods = {name for name in got if name.startswith("cordon_call_duration_seconds_count")}
        equal(len(methods), 257)
        equal(got['cordon_call_duration_seconds_count{cell="many",method="(others)"}'], count - 256)


def stats_are_what_the_method_says():
    with Web() as web, web.daemon.client() as client:
        client.call("abs", -1)
        ours, theirs = client.call("cordon.stats")["result"], web.json("/stats")
        equal(list(theirs), list(ours))
        equal([c["cell"] for c in theirs["cells"]], ["libc", "faulty"])
        equal([(c["calls"], c["methods"]) for c in theirs["cells"]], [(c["calls"], c["methods"]) for c in ours["cells"]])


def reports_are_listed_and_shown():
    with Web() as web, web.daemon.client() as client:
        equal(web.json("/reports"), [])
        ids = [web.crash(name) for name in ("fault_null_read", "fault_abort", "fault_exit7")]
        listed = web.json("/reports")
        equal([entry["id"] for entry in listed], ids[::-1])
        equal([(e["cell"], e["what"], e["function"], e["ended"]) for e in listed][1], ("faulty", "crash", "fault_abort", True))
        equal(client.call("cordon.reports")["result"], listed)
        equal([entry["id"] for entry in web.json("/reports?count=1&cell=faulty")], ids[2:])
        equal(web.json("/reports?cell=libc"), [])
        report = web.json(f"/reports/{ids[0]}")
        equal((report["signal"]["name"], report["call"]["arguments"][0]["value"]), ("SIGSEGV", 1))
        equal(client.call("cordon.reports", id=ids[0])["result"], report)
        # The file has the call's request, for a replay; clients do not get it.
        file = web.daemon.directory / "cordon" / "reports" / f"{ids[0]}.json"
        request = {"frame", "words", "plan"}
        true(set(json.loads(file.read_text())["call"]["replay"]) & request, "the file has the request")
        equal(set(report["call"]["replay"]) & request, set())


def reports_of_others_are_not_shown():
    with Web() as web, web.daemon.client() as client:
        mine = web.crash()
        folder = web.daemon.directory / "cordon" / "reports"
        other = f"{int(mine, 16) + 1:016x}"
        (folder / f"{other}.json").write_text((folder / f"{mine}.json").read_text().replace(mine, other))
        equal([entry["id"] for entry in web.json("/reports")], [mine])
        equal(web.ask(f"/reports/{other}").status, 404)
        equal(client.call("cordon.reports", id=other)["error"]["code"], -32602)
        for name in ("..", "../log", "%2e%2e%2flog", mine + ".json", mine.upper(), mine[:15], mine + "-0", mine + "-1", "/" + mine, "last", ""):
            equal((name, web.ask(f"/reports/{name}").status), (name, 404))
        # What took the report's place is not believed.
        file = folder / f"{mine}.json"
        file.unlink()
        os.symlink("/etc/passwd", file)
        true(web.ask(f"/reports/{mine}").status in (404, 503), "a link is no report; one may still come")
        equal(web.json("/reports"), [])
        file.unlink()
        file.write_text("{")
        equal((web.ask(f"/reports/{mine}").status, web.json("/reports")), (500, []))
        file.unlink()
        os.mkfifo(file)
        equal(web.ask(f"/reports/{mine}").status, 500)
        file.unlink()
        with open(file, "wb") as huge:
            huge.write(b'{"cordon_report":1,"id":"' + mine.encode() + b'","what":"crash"}')
            huge.truncate(17 << 20)
        equal(web.ask(f"/reports/{mine}").status, 500)


def parameters_of_reports_are_judged():
    with Web() as web, web.daemon.client() as client:
        for wrong in ({"cell": "nix"}, {"cell": 7}, {"id": 7}, {"id": "../x"}, {"id": ""}, {"count": 0}, {"count": 257}, {"count": "7"}, {"count": 1.5}):
            equal((wrong, client.call("cordon.reports", **wrong)["error"]["code"]), (wrong, -32602))
        equal(web.ask("/reports?cell=nix").status, 404)
        for count in ("0", "-1", "x", "1x", "%201", "257", "99999999999", "9" * 40):
            equal((count, web.ask(f"/reports?count={count}").status), (count, 400))
        equal(web.ask("/reports?count=256").status, 200)


def clients_that_ask_for_reports_and_leave_do_no_harm():
    with Web() as web:
        report = web.crash()
        requests = [{"jsonrpc": "2.0", "id": i, "method": "cordon.reports", "params": {"id": report} if i % 2 else {}} for i in range(40)]
        for _ in range(10):
            with web.daemon.client() as client:
                client.send(*requests)
        with web.daemon.client() as client:

            def answered():
                """How many of them: two are read at once, and 16 wait; the others are told so."""
                client.send(*requests)
                answers = [client.receive() for _ in requests]
                equal(sorted(a["id"] for a in answers), list(range(40)))
                refused = [a["error"] for a in answers if "error" in a]
                equal({(e["code"], e["data"]["limit"]) for e in refused} - {(-32005, "reports")}, set())
                return len(answers) - len(refused)

            # What those who left have asked takes its places first.
            web.daemon.wait(lambda: answered() >= 18, "those within the limit are answered")
        web.daemon.wait(lambda: web.json("/stats")["requests_in_flight"] == 0, "all requests ended")


def methods_and_targets_are_judged():
    with Web() as web:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"):
            answer = web.ask("/stats", method=method)
            equal((method, answer.status, answer.headers["Allow"]), (method, 405, "GET, HEAD"))
        for target in ("/", "/metrics", "/stats", "/reports"):
            answer = web.ask(target, method="HEAD")
            equal((target, answer.status, answer.body), (target, 200, b""))
            true(int(answer.headers["Content-Length"]) > 0 or target == "/reports", "HEAD says how long it would be")
        for target in ("/nix", "/stats/", "/reportsx", "//", "/../etc/passwd", "/metrics%00"):
            true(web.ask(target).status in (404, 200 if "%00" in target else 404), target)
        answer = web.ask("/")
        policy = answer.headers["Content-Security-Policy"]
        true("default-src 'none'" in policy and "unsafe" not in policy, "the page may do no more than it must")
        equal([name for name in answer.headers if name.lower().startswith("access-control")], [])


def other_hosts_are_refused():
    with Web(tcp=True) as web:
        for host in ("localhost", "LocalHost:9464", f"127.0.0.1:{web.port}", "127.0.0.2", "[::1]:80", "[::1]"):
            equal((host, web.ask("/stats", Host=host).status), (host, 200))
        for host in ("evil.example", "127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[::1].evil.example", "[::1", "10.0.0.1",
                     "localhost:", "localhost:x", "0.0.0.0", "", "[fe80::1]"):
            true(web.ask("/stats", Host=host).status in (400, 403) if host != "localhost:" else True, f"{host} is not ours")
        with web.raw() as twice:
            twice.sendall(b"GET /stats HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
            true(twice.recv(64).split()[1] in (b"400", b"403"), "two hosts are none")
        with web.raw() as old:
            old.sendall(b"GET /stats HTTP/1.0\r\n\r\n")
            equal(old.recv(64).split()[1], b"200")


def heads_that_can_be_read_in_two_ways_are_refused():
    with Web(tcp=True) as tcp, Web() as unix:
        for web in (tcp, unix):
            for fields in (b"", b"Accept: */*\r\n", b"Host : localhost\r\n", b"Host:\r\n localhost\r\n", b"Host: localhost\r\nHost: localhost\r\n",
                           b"Host: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"Host: localhost\r\nContent-Length: 3\r\nContent-Length: 3\r\n",
                           b"Host: localhost\r\nContent-Length: -1\r\n", b"Host: localhost\r\nno colon\r\n", b" Host: localhost\r\n"):
                with web.raw() as connection:
                    connection.sendall(b"GET /stats HTTP/1.1\r\n" + fields + b"\r\n0\r\n\r\n")
                    equal((fields, connection.recv(64).split()[1:2]), (fields, [b"400"]))
            equal(web.ask("/stats").status, 200)
        for fields in (b"Host: local\r\n host\r\n", b"Host: localhost\r\n :80\r\n", b"Host: localhost\r\n evil.example\r\n", b"Host: evil.example\r\n localhost\r\n"):
            with tcp.raw() as connection:  # a folded line is one line with a space in it
                connection.sendall(b"GET /stats HTTP/1.1\r\n" + fields + b"\r\n")
                true(connection.recv(64).split()[1] in (b"400", b"403"), f"{fields} is none of our names")


def idle_and_slow_clients_are_bounded():
    with Web(tcp=True) as web:
        def sockets():
            listed = subprocess.run(["ls", "-l", f"/proc/{web.daemon.process.pid}/fd"], capture_output=True, text=True, check=False)
            return listed.stdout.count("socket:[")

        before = sockets()
        idle = [web.raw() for _ in range(100)]
        began = time.monotonic()
        equal(web.ask("/metrics").status, 200)
        true(time.monotonic() - began < 3 * SCALE, "others are served at once")
        ended = {}

        def drip(name, connection, pieces):
            """A piece now and then, which no timeout for silence ends."""
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    connection.settimeout(0.3)
                    try:
                        if not connection.recv(1):
                            break
                    except TimeoutError:
                        pass
            except OSError:
                pass
            ended[name] = time.monotonic() - began

        def endless():
            while True:
                yield b"X"

        heads = {"head": b"GET /stats HTTP/1.1\r\nHost: localhost\r\nX: ", "body": b"GET /stats HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n"}
        threads = []
        for name, head in heads.items():
            connection = web.raw()
            connection.sendall(head)
            threads.append(threading.Thread(target=drip, args=(name, connection, endless()), daemon=True))
            threads[-1].start()
        # More than all that may be connected: they wait, and come in as others are closed.
        more = [web.raw() for _ in range(60)]
        for thread in threads:
            thread.join(30 * SCALE)
        equal(sorted(ended), ["body", "head"])
        true(all(7 < seconds < 12 * SCALE for seconds in ended.values()), f"they were cut: {ended}")
        for connection in idle + more:
            try:
                equal(connection.recv(1), b"")
            except ConnectionResetError:
                pass
            connection.close()
        equal(web.ask("/metrics").status, 200)
        web.daemon.wait(lambda: sockets() <= before, "descriptors are back")


def what_is_no_request_is_refused():
    with Web() as web:
        for garbage in (b"\0" * 4096, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\xff\xfe GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(9000)) + b"\r\n",
                        b"GET /stats HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            with web.raw() as connection:
                try:
                    connection.sendall(garbage)
                    connection.shutdown(socket.SHUT_WR)
                    answer = connection.recv(65536)
                except (ConnectionResetError, BrokenPipeError):
                    answer = b""
                true(not answer or b" 4" in answer[:16] or b" 5" in answer[:16], f"{garbage[:20]}: {answer[:40]}")
        with web.raw() as connection:  # one after the other, in one piece
            connection.sendall(b"GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
            connection.shutdown(socket.SHUT_WR)
            got = b""
            while piece := connection.recv(65536):
                got += piece
            equal(got.count(b"HTTP/1.1 200"), 3)
        equal(web.ask("/stats").status, 200)


def many_ask_while_calls_are_made_and_crash():
    with Web() as web:
        until = time.monotonic() + 2
        wrong = []

        def ask(target):
            while time.monotonic() < until:
                try:
                    answer = web.ask(target)
                    if answer.status != 200 and not (answer.status == 503 and "reports" in target):
                        wrong.append((target, answer.status, answer.body))
                except Exception as error:  # is told below
                    wrong.append((target, error))

        def call():
            with web.daemon.client() as client:
                while time.monotonic() < until:
                    client.call("abs", -1)
                    client.call("fault_null_read", 1)

        threads = [threading.Thread(target=ask, args=(t,)) for t in ("/metrics", "/stats", "/reports", "/") for _ in range(4)]
        threads += [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(wrong, [])


def a_unix_socket_is_private_and_goes_with_the_daemon():
    with Web() as web:
        path = web.path
        equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        second = subprocess.run([CORDON, "serve", "--interface", str(web.daemon.directory / "libc.cordon"), "--socket", str(web.daemon.directory / "2"), "--http", f"unix:{path}"],
                                capture_output=True, timeout=20 * SCALE, check=False)
        true(second.returncode != 0 and b"in use" in second.stderr, f"a live socket is left alone: {second}")
        equal(web.ask("/stats").status, 200)
        web.daemon.process.kill()
        web.daemon.process.wait()
        true(os.path.exists(path), "it was left over")
        with Daemon("--http", f"unix:{path}", interfaces={"libc": LIBC}) as daemon:
            equal(web.ask("/stats").status, 200)
            true(daemon.process.poll() is None, "the next one took it over")
        true(not os.path.exists(path), "it goes with the daemon")
        with open(path, "w", encoding="utf-8") as file:
            file.write("mine")
        refused = Daemon("--http", f"unix:{path}", interfaces={"libc": LIBC}, expect_ready=False)
        true(refused.process.wait(20 * SCALE) != 0, "what is no socket stays")
        with open(path, encoding="utf-8") as file:
            equal(file.read(), "mine")


def only_loopback_addresses_are_taken():
    for address in ("0.0.0.0:9464", "10.0.0.1:9464", "[::]:9464", "localhost:9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:80x", "[::1:80", "::1:80",
                    "unix:", "unix:" + "x" * 200, "unix:/nonexistent/x"):
        refused = Daemon("--http", address, interfaces={"libc": LIBC}, expect_ready=False)
        true(refused.process.wait(20 * SCALE) not in (0, -6, -11), f"{address} is refused")
        true("http: " in refused.log(), f"{address}: {refused.log()}")


def a_daemon_without_http_needs_no_library_for_it():
    with tempfile.TemporaryDirectory() as place:
        with open(f"{place}/libmicrohttpd.so.12", "w", encoding="utf-8") as file:
            file.write("no library")
        env = {"LD_LIBRARY_PATH": place}
        refused = Daemon("--http", f"unix:{place}/http", interfaces={"libc": LIBC}, env=env, expect_ready=False)
        true(refused.process.wait(20 * SCALE) not in (0, -6, -11), "it does not start")
        true("http: libmicrohttpd cannot be loaded: " in refused.log(), refused.log())
        equal(os.listdir(place), ["libmicrohttpd.so.12"])
        with Daemon(interfaces={"libc": LIBC}, env=env) as daemon, daemon.client() as client:
            equal(client.call("abs", -3)["result"], 3)


def a_stop_does_not_wait_for_http():
    with Web() as web:
        report = web.crash()
        held = [web.raw() for _ in range(20)]
        for i, connection in enumerate(held):
            target = b"/reports" if i % 2 else b"/reports/" + report.encode()
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target * 5)
        web.daemon.process.terminate()
        equal(web.daemon.process.wait(5 * SCALE), 0)
        for connection in held:
            connection.close()


def a_question_that_is_open_at_a_stop_ends_with_it():
    with Web() as web, web.daemon.client() as client:
        report = client.call("fault_abort", 1)["error"]["data"]["report"]
        folder = web.daemon.directory / "cordon" / "reports"
        web.daemon.wait(lambda: (folder / f"{report}.json").exists(), "the report is there")
        (folder / f"{report}.json").unlink()
        with web.raw() as waiting:  # for what clients were told of just now
            waiting.sendall(b"GET /reports/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % report.encode())
            equal(web.ask("/stats").status, 200)
            web.daemon.process.terminate()
            answer = waiting.recv(65536)
            true(not answer or answer.startswith(b"HTTP/1.1 503 "), answer)
        equal(web.daemon.process.wait(5 * SCALE), 0)


main([
    metrics_are_what_promtool_wants,
    metrics_count_what_happened,
    openmetrics_are_given_to_who_asks,
    a_cell_has_a_bounded_number_of_series,
    stats_are_what_the_method_says,
    reports_are_listed_and_shown,
    reports_of_others_are_not_shown,
    parameters_of_reports_are_judged,
    clients_that_ask_for_reports_and_leave_do_no_harm,
    methods_and_targets_are_judged,
    other_hosts_are_refused,
    heads_that_can_be_read_in_two_ways_are_refused,
    idle_and_slow_clients_are_bounded,
    what_is_no_request_is_refused,
    many_ask_while_calls_are_made_and_crash,
    a_unix_socket_is_private_and_goes_with_the_daemon,
    only_loopback_addresses_are_taken,
    a_daemon_without_http_needs_no_library_for_it,
    a_stop_does_not_wait_for_http,
    a_question_that_is_open_at_a_stop_ends_with_it,
])
