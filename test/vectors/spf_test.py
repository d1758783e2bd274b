"""SPF: every case of the public RFC 7208 suite and of the RFC 4408 suite (which allows what the later RFC changed); and random records, clients and zones on which pyspf, a foreign implementation, must agree.

The suites are YAML with a fake DNS. It becomes a zone file, and spf_run (beside this file) answers every case of a document in one
process; `posthorn authcheck` then answers the same cases, as people would ask."""
import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest

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
                want = [t["result"]] if isinstance(t["result"], str) else t["result"]
                if r["result"] not in want:
                    wrong.append(f"{name}: {r['result']} ({r['reason']}), not {' or '.join(want)}")
                elif "explanation" in t and r["explanation"] != t["explanation"].replace("DEFAULT", ""):
                    wrong.append(f"{name}: {r['explanation']!r}, not {t['explanation']!r}")
                if not r["reason"]:
                    wrong.append(f"{name}: no reason")
        self.assertFalse(wrong, f"{len(wrong)} of {n}:\n" + "\n".join(wrong))
        return n

    def test_rfc7208(self):
        self.assertGreater(self.check("rfc7208-tests.yml"), 190)

    def test_rfc4408(self):
        self.assertGreater(self.check("rfc4408-tests.yml"), 150)
