"""SPF: every case of the public RFC 7208 suite and of the RFC 4408 suite (which allows what the later RFC changed); and random records, clients and zones on which pyspf, a foreign implementation, must agree.

The suites are YAML with a fake DNS. It becomes a zone file, and spf_run (beside this file) answers every case of a document in one
process; `posthorn authcheck` then answers the same cases, as an outsider would ask, each out of a file written in another way."""
import concurrent.futures
import ipaddress
import itertools
import os
import random
import subprocess
import sys
import tempfile
import unittest

from harness import as_outsider

try:
    import yaml
except ImportError:
    yaml = None
sys.path.append("/usr/lib/python3/dist-packages")  # where Debian puts pyspf, whichever Python runs this
try:
    import spf as pyspf
except ImportError:
    pyspf = None

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("POSTHORN_BUILD", os.path.join(ROOT, "build"))
VECTORS = os.path.join(ROOT, "..", "shared", "vectors", "spf")
RECEIVER = "mx.receiver.test"

def octets(v):
    return v if isinstance(v, bytes) else v.encode("latin-1")


def quote(v):
    out = '"'
    for b in octets(v):
        out += chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03d}"
    return out + '"'


def owner(name):
    return "".join(c if 33 <= ord(c) < 127 and c not in '";()\\' else f"\\{ord(c):03d}" for c in name)


def zone_text(zonedata):
    """The suite's zonedata as a zone file. A TXT record for each SPF record unless the name has its own (the suite's rule)."""
    lines = []
    for name, entries in zonedata.items():
        pairs = [(e, None) if isinstance(e, str) else list(e.items())[0] for e in entries]
        has_txt = any(t == "TXT" for t, v in pairs)
        for t, v in pairs:
            if v is None:
                lines.append(f"{owner(name)} {t}")
                continue
            if t == "SPF":
                if has_txt:
                    continue
                t = "TXT"
            if v == "NONE":
                continue
            if t == "TXT":
                parts = [v] if isinstance(v, (str, bytes)) else v
                if not parts:
                    continue  # a record without strings cannot be sent
                text = " ".join(quote(p) for p in parts)
            elif t == "MX":
                text = f"{v[0]} {owner(v[1]) or '.'}"
            elif t in ("PTR", "CNAME"):
                text = owner(v)
            else:
                text = v
            lines.append(f"{owner(name)} {t} {text}")
    return "\n".join(lines) + "\n"


def zone_records(zonedata):
    """The same for as_outsider.zone_file(); records of type SPF are kept beside those of TXT."""
    for name, entries in zonedata.items():
        pairs = [(e, None) if isinstance(e, str) else list(e.items())[0] for e in entries]
        has_txt = any(t == "TXT" for t, v in pairs)
        for t, v in pairs:
            if v == "NONE":
                continue
            if t in ("TXT", "SPF"):
                v = [octets(p) for p in ([v] if isinstance(v, (str, bytes)) else v)]
            if t == "SPF" and not has_txt:
                yield name, "TXT", v
            yield name, t, tuple(v) if t == "MX" else v


def split_sender(mailfrom):
    if not mailfrom:
        return "", ""
    local, at, domain = mailfrom.rpartition("@")
    return (local, domain) if at else ("", mailfrom)


def spf_run(zone, cases):
    """[(client, helo, mailfrom)] -> [dict]"""
    with tempfile.NamedTemporaryFile("w", suffix=".zone", encoding="latin-1") as f:
        f.write(zone)
        f.flush()
        lines = []
        for client, helo, mailfrom in cases:
            local, domain = split_sender(mailfrom)
            lines.append("\t".join((client, helo, local, domain)))
        p = subprocess.run([os.path.join(BUILD, "test/vectors/spf_run"), f.name], input="\n".join(lines) + "\n", text=True,
                           capture_output=True, timeout=120)
    if p.returncode:
        raise RuntimeError(p.stderr)
    names = "result domain mechanism lookups voids rounds explanation reason".split()
    return [dict(zip(names, l.split("\t"))) for l in p.stdout.splitlines()]


def documents(suite):
    with open(os.path.join(VECTORS, suite), encoding="utf-8") as f:
        return [d for d in yaml.safe_load_all(f.read()) if d]


@unittest.skipIf(yaml is None, "there is no python3-yaml")
@unittest.skipUnless(os.path.isdir(VECTORS), "there are no public vectors beside this repository")
class Suites(unittest.TestCase):
    def check(self, suite):
        wrong, n = [], 0
        for d in documents(suite):
            tests = list(d["tests"].items())
            got = spf_run(zone_text(d["zonedata"]), [(str(t["host"]), t["helo"], t["mailfrom"]) for k, t in tests])
            self.assertEqual(len(got), len(tests))
            for (name, t), r in zip(tests, got):
                n += 1
                wrong += self.wrong(name, t, r["result"], r["explanation"], r["reason"])
                if not r["reason"]:
                    wrong.append(f"{name}: no reason")
        self.assertFalse(wrong, f"{len(wrong)} of {n}:\n" + "\n".join(wrong))
        return n

    def wrong(self, name, t, result, explanation, reason):
        want = [t["result"]] if isinstance(t["result"], str) else t["result"]
        if result not in want:
            return [f"{name}: {result} ({reason}), not {' or '.join(want)}"]
        if "explanation" in t and explanation != t["explanation"].replace("DEFAULT", ""):
            return [f"{name}: {explanation!r}, not {t['explanation']!r}"]
        return []

    def test_authcheck(self):
        """Through the command: every case of both suites, and each way to write a file of records about twenty times."""
        styles, wrong, jobs = itertools.cycle(as_outsider.STYLES), [], []

        def one(records, style, name, t):
            try:
                r = as_outsider.authcheck("--no-message", "--ip", str(t["host"]), "--helo", t["helo"], "--mail-from", t["mailfrom"],
                                          dns=as_outsider.zone_file(records, style))
            except AssertionError as e:
                return [f"{name}, {style}: {e}"]
            if r["dkim"] or [r[x]["result"] for x in ("arc", "dmarc")] != ["none", "none"]:
                return [f"{name}, {style}: {r}"]
            return [f"{w} ({style})" for w in self.wrong(name, t, r["spf"]["result"], r["spf"]["explanation"], "")]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for suite in ("rfc7208-tests.yml", "rfc4408-tests.yml"):
                for d in documents(suite):
                    records = list(zone_records(d["zonedata"]))
                    jobs += [pool.submit(one, records, next(styles), name, t) for name, t in d["tests"].items()]
            for j in jobs:
                wrong += j.result()
        self.assertFalse(wrong, f"{len(wrong)} of {len(jobs)}:\n" + "\n".join(wrong))
        self.assertGreater(len(jobs), 390)

    def test_rfc7208(self):
        self.assertGreater(self.check("rfc7208-tests.yml"), 190)

    def test_rfc4408(self):
        self.assertGreater(self.check("rfc4408-tests.yml"), 150)


class Random:
    """Zones, records and clients from a seed: valid for the most part, with every mechanism, loops and holes."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.names = [f"d{i}.test" for i in range(6)]
        self.v4 = [f"192.0.2.{i}" for i in range(1, 9)]
        self.v6 = [f"2001:db8::{i}" for i in range(1, 9)]
        self.client = self.r.choice(self.v4 + self.v4 + self.v6 + ["198.51.100.9", "2001:db8:ffff::9"])
        self.zone = {}
        for name in self.names + ["h.test"]:
            self.zone[name] = self.entries(name)
        reverse = ipaddress.ip_address(self.client).reverse_pointer
        if self.r.random() < 0.7:
            self.zone[reverse] = [("PTR", self.r.choice(self.names + ["h.test"])) for _ in range(self.r.choice([1, 1, 2, 12]))]
        self.sender = f"{self.r.choice(['user', 'a-b+c', 'x.y', ''])}@{self.r.choice(self.names)}"

    def some(self, choices, most):
        return [self.r.choice(choices) for _ in range(self.r.randrange(most + 1))]

    def entries(self, name):
        out = []
        if self.r.random() < 0.85:
            out.append(("TXT", self.record()))
        if self.r.random() < 0.03:
            out.append(("TXT", self.record()))
        out += [("A", a) for a in sorted(set(self.some(self.v4, 3)))]
        out += [("AAAA", a) for a in sorted(set(self.some(self.v6, 3)))]
        for i, host in enumerate(self.some(self.names + ["h.test", "missing.test"], 3)):
            out.append(("MX", (i, host)))
        return out

    def target(self):
        return self.r.choice(self.names + self.names + self.names + ["h.test", "missing.test", "%{d}", "%{d1r}.test", "%{h}", "%{l}.%{o}",
                                                       "%{ir}.%{v}.test", "%{d2}", "%{o1}.test", "%{p}", "%{L1r+-}.test", "bad..test",
                                                       "x" * 64 + ".test"])

    def term(self):
        r = self.r
        q = r.choice(["", "", "+", "-", "~", "?"])
        kind = r.choice(["a", "a", "mx", "mx", "ptr", "ip4", "ip6", "exists", "include", "include"])
        if kind in ("a", "mx"):
            cidr = r.choice(["", "", "", "/24", "/32", "/31", "//64", "//127", "/0", "/33", "/29//126"])
            return q + kind + r.choice(["", ":" + self.target()]) + cidr
        if kind == "ptr":
            return q + kind + r.choice(["", ":" + self.target()])
        if kind == "ip4":
            return q + "ip4:" + r.choice(self.v4) + r.choice(["", "", "/31", "/30", "/32", "/033"])
        if kind == "ip6":
            return q + "ip6:" + r.choice(self.v6) + r.choice(["", "", "/127", "/126", "/129"])
        return q + kind + ":" + self.target()

    def record(self):
        r = self.r
        terms = [self.term() for _ in range(r.randrange(4))]
        if r.random() < 0.3:
            terms.insert(r.randrange(len(terms) + 1), "redirect=" + self.target())
        if r.random() < 0.1:
            terms.insert(r.randrange(len(terms) + 1), r.choice(["x=y", "moo", "all.", "a:", "exp=why.test", "%", "v=spf1", "x=%a", "exp="]))
        if r.random() < 0.6:
            terms.append(r.choice(["-all", "~all", "?all", "+all", "all"]))
        return " ".join(["v=spf1"] + terms)

    def text(self):
        lines = []
        for name, entries in self.zone.items():
            for t, v in entries:
                lines.append(f"{name} {t} " + (f"{v[0]} {v[1]}" if t == "MX" else quote(v) if t == "TXT" else v))
        return "\n".join(lines) + "\n"

    def foreign(self, voids):
        """The same by pyspf, out of the same zone."""
        def look(name, qtype, *_):
            for t, v in self.zone.get(name.lower().rstrip("."), []):
                if t == qtype:
                    yield (name, t), ((v.encode(),) if t == "TXT" else v)
        pyspf.DNSLookup = look
        pyspf.MAX_VOID_LOOKUPS = voids
        result, _, why = pyspf.query(i=self.client, s=self.sender, h="h.test", receiver=RECEIVER, strict=1).check()
        return result, why


@unittest.skipIf(pyspf is None, "there is no pyspf (python3-spf)")
class Foreign(unittest.TestCase):
    def test_pyspf_says_the_same(self):
        """Where the two differ, one of two rules explains it.

        1. pyspf counts void lookups also for the addresses of MX and PTR names and for the questions of %{p}; we count terms, as
        RFC 7208 §4.6.4 does. Without its limit it must agree with us, unless we counted more than two ourselves.
        2. pyspf refuses a record that includes its own domain before it evaluates it; by RFC 7208 §4.6 such a record has no error of
        syntax, and what matches first decides. Syntax of unknown modifiers with an open "%{" is left out: pyspf takes it, against
        the grammar of RFC 7208 §12."""
        wrong, seen, explained = [], {}, 0
        for seed in range(600):
            case = Random(seed)
            ours = spf_run(case.text(), [(case.client, "h.test", case.sender)])[0]
            theirs, why = case.foreign(2)
            if ours["result"] != theirs:
                theirs, why = case.foreign(1000)
                explained += 1
                if "that do not exist" in ours["reason"] or "trivial recursion" in why:
                    continue
            seen[ours["result"]] = seen.get(ours["result"], 0) + 1
            if ours["result"] != theirs:
                wrong.append(f"seed {seed}: {case.client} {case.sender}: {ours['result']} ({ours['reason']}), pyspf {theirs}\n" + case.text())
        self.assertFalse(wrong, f"{len(wrong)} differ, {explained} of them by a rule\n" + "\n".join(wrong[:8]))
        for result in "pass fail softfail neutral none permerror".split():
            self.assertGreater(seen.get(result, 0), 5, seen)
        self.assertLess(explained, 40, "the rules explain too much")
