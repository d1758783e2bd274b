"""The keys that sign mail, in a running house with Knot as the DNS: made for a new domain by themselves, signing only when their
records are seen, rolled when asked, told of when a record goes; killed and damaged on the way (THREATS 50, 53)."""
import os
import signal
import subprocess
import unittest

from harness.house import House, have, wait_for
from knot import SOA, Knot


class Zone:
    """demo.test in Knot, with records that come and go."""

    def __init__(self, knot, name="demo.test", more=""):
        self.knot, self.name, self.serial, self.more = knot, name, 1, more

    def publish(self, records):
        """records: {name: text}. A text of more than 255 octets is written as several strings."""
        self.serial += 1
        lines = SOA.format(z=self.name).replace(" 1 60 60 3600 60", f" {self.serial} 60 60 3600 60")
        lines += self.more
        for name, text in records.items():
            lines += f"{name}. 60 TXT " + " ".join('"%s"' % text[i:i + 200] for i in range(0, len(text), 200)) + "\n"
        with open(os.path.join(self.knot.folder, self.name), "w") as f:
            f.write(lines)
        subprocess.run(["knotc", "-c", self.knot.conf, "-b", "zone-reload", self.name], check=True, stdout=subprocess.DEVNULL)
        for name, text in records.items():
            wait_for(f"Knot shows {name}", lambda n=name, t=text: t[:100] in self.knot.dig(n, "TXT"))


def keys(house, domain="demo.test", verb="list"):
    return house.tool_json("dkim", verb, domain)[0]


def states(rows):
    return sorted((r["algorithm"], r["state"]) for r in rows)


def checked(house, want):
    """Looks until it is so: a fresh answer may still be of the second before."""
    def look():
        rows = keys(house, verb="check")
        return rows if want(rows) else None
    return wait_for("the DNS is seen as it is", look, 20)


def record_name(row):
    return f"{row['selector']}._domainkey.{row['domain']}"


BOTH = [("ed25519", "signing"), ("rsa", "signing")]
WAIT = [("ed25519", "waiting"), ("rsa", "waiting")]


@unittest.skipUnless(*have("knotd"))
class Rotation(unittest.TestCase):
    def setUp(self):
        self.knot = Knot(more={"demo.test": ""})
        self.knot.__enter__()
        self.zone = Zone(self.knot)
        self.house = House(resolver=self.knot.address)
        self.house.__enter__()

    def tearDown(self):
        failed = any(e for _, e in getattr(getattr(self, "_outcome", None), "errors", []) or [])
        self.house.__exit__(AssertionError if failed else None, None, None)
        self.knot.__exit__(None)

    def made(self):
        return wait_for("two keys are made", lambda: (lambda r: r if len(r) == 2 else None)(keys(self.house)))

    def test_life(self):
        h = self.house
        first = self.made()
        self.assertEqual(states(first), WAIT)
        self.assertEqual({r["dns"] for r in first}, {"missing"})
        self.assertIn("for its record to be published", first[0]["note"])
        # seen at once: nothing else signs
        records = {record_name(r): r["record"] for r in first}
        self.zone.publish(records)
        checked(h, lambda rows: states(rows) == BOTH)
        shown = h.tool("dkim", "show", "demo.test").stdout
        for r in first:
            self.assertIn(f"{record_name(r)}. 3600 IN TXT \"v=DKIM1; k={r['algorithm']}; p=", shown)
        # successors wait for their records, and then until these are settled
        rows = keys(h, verb="rotate")
        self.assertEqual(states(rows), sorted(BOTH + WAIT))
        self.assertEqual(len({r["selector"] for r in rows}), 4)
        self.zone.publish({record_name(r): r["record"] for r in rows})
        rows = checked(h, lambda rows: {r["dns"] for r in rows} == {"equal"})
        self.assertEqual(states(rows), sorted(BOTH + WAIT))
        # a record that goes does not stop its key, but is told
        gone = next(r for r in rows if (r["algorithm"], r["state"]) == ("rsa", "signing"))
        self.zone.publish({record_name(r): r["record"] for r in rows if r is not gone})
        rows = checked(h, lambda rows: {r["dns"] for r in rows} == {"equal", "missing"})
        self.assertEqual(states(rows), sorted(BOTH + WAIT))
        told = next(r for r in rows if r["selector"] == gone["selector"])
        self.assertEqual((told["dns"], told["weight"]), ("missing", "bad"))
        self.assertIn("its record has gone from the DNS", told["note"])

    def test_wrong_record(self):
        first = self.made()
        self.zone.publish({record_name(r): r["record"].replace("p=", "p=A") for r in first})
        rows = checked(self.house, lambda rows: {r["dns"] for r in rows} == {"different"})
        self.assertEqual(states(rows), WAIT)

    def test_seen_by_itself(self):
        """Nobody asks: the record is found within a minute."""
        self.zone.publish({record_name(r): r["record"] for r in self.made()})
        wait_for("both sign", lambda: states(self.house.tool_json("dkim", "list")[0]) == BOTH, 120)

    def test_killed_while_making(self):
        h = self.house
        self.made()
        names = [f"d{i}.test" for i in range(12)]
        h.tool("domain", "add", *names)
        for _ in range(4):
            wait_for("a key is there", lambda: len(os.listdir(os.path.join(h.data, "keys", "dkim"))) > 2)
            h.kill("keys", signal.SIGKILL)
            wait_for("keys runs again", lambda: h.pids("keys"))

        def whole():
            r = h.tool("dkim", "list", "--json", check=False)
            rows = __import__("json").loads(r.stdout) if r.returncode == 0 else []
            return rows if len(rows) == 2 * 13 else None
        rows = wait_for("every domain has its keys", whole, 180)
        self.assertEqual({r["state"] for r in rows}, {"waiting"})
        left = [n for n in os.listdir(os.path.join(h.data, "keys", "dkim")) if n.startswith(".")]
        self.assertEqual(left, [])

    def test_by_hand_and_by_itself(self):
        """A rotation that meets another of the same domain does what is left to do, and is no error."""
        h = self.house
        self.made()
        for i in range(3):
            name = f"new{i}.test"
            h.tool("domain", "add", name)
            calls = [subprocess.Popen([os.path.join(h.build, "posthorn"), "dkim", "rotate", name], env=h.environment(),
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(4)]
            for c in calls:
                said = c.communicate(timeout=60)[1]
                self.assertEqual((c.returncode, said), (0, ""))
            self.assertEqual(states(keys(h, name)), WAIT)

    def test_one_domain_among_many(self):
        """A domain that is added while many others get their keys has its own before they are through."""
        h = self.house
        self.made()
        names = [f"a{i:02}.test" for i in range(64)]
        h.tool("domain", "add", *names)
        folder = os.path.join(h.data, "keys", "dkim")
        wait_for("some have keys", lambda: len(os.listdir(folder)) > 4)
        h.tool("domain", "add", "zz.test")

        def with_keys():
            return {n.split(",")[0] for n in os.listdir(folder) if not n.startswith(".")}
        wait_for("zz.test has keys", lambda: "zz.test" in with_keys(), 120)
        self.assertTrue(set(names) - with_keys(), "others still wait")

    def test_damaged(self):
        h = self.house
        first = self.made()
        path = os.path.join(h.data, "keys", "dkim", f"demo.test,{first[0]['selector']}")
        with open(path, "r+b") as f:
            f.seek(100)
            f.write(b"\0\0\0\0")
        h.kill("keys", signal.SIGKILL)
        wait_for("keys answers again", lambda: h.tool("dkim", "list", check=False).returncode == 0)
        rows = wait_for("another key is made", lambda: (lambda r: r if len(r) == 3 else None)(keys(h, verb="check")))
        self.assertEqual(sorted(r["state"] for r in rows), ["damaged", "waiting", "waiting"])
        self.assertIn("damaged", next(r["note"] for r in rows if r["state"] == "damaged"))

    def test_each_name_server(self):
        """A successor waits until each name server of the domain shows its record, and says which does not."""
        self.house.__exit__(None, None, None)
        second = Knot(listen="127.0.0.2", more={"demo.test": ""}, port=self.knot.port)
        more = "@ 60 NS ns2\nns2 60 A 127.0.0.2\n"
        zones = [Zone(self.knot, more=more), Zone(second, more=more)]
        self.house = House(resolver=self.knot.address, config=f"doctor test {self.knot.port} 3600\n")
        with second:
            self.house.__enter__()
            first = {record_name(r): r["record"] for r in self.made()}
            zones[0].publish(first)
            zones[1].publish({})
            # who has no key that signs does not wait for a server that is behind
            checked(self.house, lambda rows: states(rows) == BOTH)
            both = {record_name(r): r["record"] for r in keys(self.house, verb="rotate")}
            zones[0].publish(both)
            zones[1].publish(first)
            rows = checked(self.house, lambda rows: {r["dns"] for r in rows} == {"equal", "partly"})
            waits = [r for r in rows if r["state"] == "waiting"]
            self.assertEqual({r["dns"] for r in waits}, {"partly"})
            self.assertIn("the name server ns2.demo.test does not show its record yet", waits[0]["note"])
            zones[1].publish(both)
            checked(self.house, lambda rows: {r["dns"] for r in rows} == {"equal"})

    def test_words(self):
        h = self.house
        self.made()
        for args, words in ((("list", "no.such.test"), "there is no domain no.such.test here"),
                            (("list", "no such"), "no domain name"), (("rotate", "far.test"), "there is no domain far.test")):
            r = h.tool("dkim", *args, check=False)
            self.assertEqual(r.returncode, 1)
            self.assertIn(words, r.stderr)
        h.tool("domain", "set", "demo.test", "sign", "off")
        r = h.tool("dkim", "rotate", "demo.test", check=False)
        self.assertIn("is not signed", r.stderr)
