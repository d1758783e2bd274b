"""How old our domains are, through the real roles but for fetcher, in whose place fetcher_stub hands the test each URL: which
are asked, in which order and how often; what doctor says of the answers; what outlives a killed doctor and a lost fetcher."""
import contextlib
import datetime
import json
import os
import shutil
import socket
import tempfile
import threading
import unittest

from harness.dns_stub import DnsStub
from harness.house import BUILD, House, wait_for

SERVERS = json.dumps({"version": "1.0", "services": [[["net"], ["https://other.invalid/"]], [["test"], ["http://x.invalid/", "https://rdap.invalid/v1/"]]]})
LIST = "https://data.iana.org/rdap/dns.json"


def days(n):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=n)).strftime("%Y-%m-%dT%H:%M:%SZ")


def domain(name, registered=None, expires=None):
    events = [{"eventAction": a, "eventDate": d} for a, d in (("registration", registered), ("expiration", expires)) if d]
    return 200, json.dumps({"objectClassName": "domain", "ldhName": name.upper(), "events": events})


class Registry:
    """Answers what the stub in fetcher's place hands over. answers: URL -> (status, text); the rest is 404."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="posthorn-registry-")
        os.chmod(self.folder, 0o755)
        self.path = os.path.join(self.folder, "socket")
        self.asked, self.answers = [], {LIST: (200, SERVERS)}
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.socket.listen(10)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.socket.accept()
                threading.Thread(target=self.talk, args=(c,), daemon=True).start()

    def talk(self, c):
        with contextlib.suppress(OSError), c, c.makefile("rb") as lines:
            for line in lines:
                url = line.decode().strip()
                self.asked.append(url)
                status, text = self.answers.get(url, (404, "{}"))
                if status == "silent":
                    lines.read()  # until the stub dies
                    return
                c.sendall(f"{status} {len(text.encode())}\n".encode() + text.encode())

    def names(self):
        return [u.rsplit("/", 1)[1] for u in self.asked if u != LIST]

    def stop(self):
        self.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def stub_build(folder):
    """A build folder like BUILD, with fetcher_stub as posthorn-fetcher."""
    for f in os.listdir(BUILD):
        if f.startswith("posthorn") and os.path.isfile(os.path.join(BUILD, f)) and f not in ("posthorn-supervisor", "posthorn-fetcher"):
            os.symlink(os.path.join(BUILD, f), os.path.join(folder, f))
    shutil.copy(os.path.join(BUILD, "posthorn-supervisor"), folder)  # it looks for the others beside itself
    os.symlink(os.path.join(BUILD, "test", "peers", "fetcher_stub"), os.path.join(folder, "posthorn-fetcher"))
    return folder


class Age(unittest.TestCase):
    def setUp(self):
        self.stub, self.registry = DnsStub(["127.0.0.1"]), Registry()
        self.stub.load("test SOA ns.test h.test 1 2 3 4 5\ntest NS ns1.demo.test\nns1.demo.test A 127.0.0.1\n")
        os.environ["POSTHORN_FETCHER_STUB"] = self.registry.path
        self.build = stub_build(tempfile.mkdtemp(prefix="posthorn-build-"))
        os.chmod(self.build, 0o755)

    def tearDown(self):
        del os.environ["POSTHORN_FETCHER_STUB"]
        self.stub.stop()
        self.registry.stop()
        shutil.rmtree(self.build, ignore_errors=True)

    def house(self, config=""):
        return House(accounts=["alice"], resolver=f"127.0.0.1@{self.stub.port}", build=self.build,
                     config=f"address 127.0.0.1\ndoctor test {self.stub.port} 3600\n" + config)

    def say(self, name, *args):
        self.registry.answers[f"https://rdap.invalid/v1/domain/{name}"] = domain(name, *args)

    def found(self, house):
        """Word and subject and severity of what doctor says about ages."""
        out = wait_for("doctor answers", lambda: house.tool("doctor", "--json", check=False, timeout=120).stdout)
        return sorted((f["id"], f["subject"], f["severity"]) for f in json.loads(out)["findings"] if f["id"].startswith("domain-")
                      and f["id"] != "domain-missing")

    def test_what_registries_say(self):
        self.say("demo.test", days(-10))
        self.say("old.test", days(-5000), days(5))
        self.say("middle.test", days(-50), days(20))
        with self.house() as h:
            wait_for("the registry was asked", lambda: "demo.test" in self.registry.names())
            self.assertEqual(self.registry.asked[0], LIST)
            for d in ("old.test", "a.shop.middle.test", "nobody.test", "example.net", "example.invalid"):
                h.tool("domain", "add", d)
            wait_for("each was asked", lambda: {"old.test", "middle.test", "nobody.test"} <= set(self.registry.names()))
            want = [("domain-expires", "middle.test", "warning"), ("domain-expires", "old.test", "error"),
                    ("domain-new", "demo.test", "warning"), ("domain-new", "middle.test", "note")]
            wait_for("doctor says it", lambda: self.found(h) == want)
            names = self.registry.names()
            self.assertEqual(len(names), len(set(names)), names)  # nothing twice
            self.assertEqual([n for n in names if n.endswith("middle.test")], ["a.shop.middle.test", "shop.middle.test", "middle.test"])
            self.assertNotIn("test", names)
            self.assertIn("https://other.invalid/domain/example.net", self.registry.asked)
            self.assertFalse([u for u in self.registry.asked if u.endswith(".invalid") or "x.invalid" in u])
            self.assertEqual(self.registry.asked.count(LIST), 1)
            h.kill("doctor")  # what is known stays known
            h.wait_whole()
            self.assertEqual(self.found(h), want)
            h.tool("domain", "add", "later.test")
            wait_for("the new one was asked", lambda: "later.test" in self.registry.names())
            self.assertEqual(sorted(self.registry.names()), sorted(names + ["later.test"]))
            self.assertEqual(self.registry.asked.count(LIST), 1)

    def test_a_lost_fetcher(self):
        self.registry.answers["https://rdap.invalid/v1/domain/demo.test"] = ("silent", "")
        with self.house() as h:
            wait_for("the registry was asked", lambda: "demo.test" in self.registry.names())
            self.say("demo.test", days(-20))
            h.kill("fetcher")
            h.wait_whole()
            h.tool("domain", "add", "more.test")
            wait_for("doctor says it", lambda: ("domain-new", "demo.test", "note") in self.found(h))

    def test_rubbish_is_survived(self):
        self.registry.answers["https://rdap.invalid/v1/domain/demo.test"] = (200, "[" * 5000)
        self.registry.answers["https://rdap.invalid/v1/domain/big.test"] = (200, " " * 300000)
        self.registry.answers["https://rdap.invalid/v1/domain/html.test"] = (503, "<html>")
        self.registry.answers["https://rdap.invalid/v1/domain/other.test"] = domain("else.test", days(-1))
        with self.house() as h:
            pid = h.pids("doctor")
            for d in ("big.test", "html.test", "other.test"):
                h.tool("domain", "add", d)
            # the one after four failures in a row is of the next round: the order is that of the names
            wait_for("all were asked", lambda: {"demo.test", "big.test", "html.test", "other.test"} <= set(self.registry.names()))
            self.assertEqual(self.found(h), [])
            self.assertEqual(h.pids("doctor"), pid)

    def test_it_can_be_switched_off(self):
        self.say("demo.test", days(-1))
        with self.house("doctor rdap off\n") as h:
            h.tool("domain", "add", "more.test")
            self.assertEqual(self.found(h), [])
            self.assertNotIn("registries asked", h.tool("status", "--json").stdout)
            self.assertEqual(self.registry.asked, [])


if __name__ == "__main__":
    unittest.main()
