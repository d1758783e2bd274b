"""ARC: the whole public ValiMail suite of chains, and real messages that Google sealed, through arc_run (beside this file): alone, with the
body in pieces of every small size, and once more as people would ask, through `posthorn authcheck`."""
import glob
import itertools
import os
import subprocess
import tempfile
import unittest

from harness import as_outsider

try:
    import yaml
except ImportError:
    yaml = None

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("POSTHORN_BUILD", os.path.join(ROOT, "build"))
VECTORS = os.path.join(ROOT, "..", "shared", "vectors")
SUITE = os.path.join(VECTORS, "arc-validation", "tests", "arc-draft-validation-tests.yml")
REAL = os.path.join(VECTORS, "dkim-mail-auth", "arc")


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def zone_text(records):
    return "".join(f"{name} TXT {quote(value)}\n" for name, value in records.items())


def wire(text):
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "surrogateescape")


def arc_run(folder, zone, messages, split=0, now=1500000000):
    """[bytes] -> [dict]"""
    path = os.path.join(folder, "zone")
    with open(path, "w", encoding="utf-8") as f:
        f.write(zone)
    files = []
    for i, m in enumerate(messages):
        files.append(os.path.join(folder, f"m{i}"))
        with open(files[-1], "wb") as f:
            f.write(m)
    p = subprocess.run([os.path.join(BUILD, "test/vectors/arc_run"), path, str(now), str(split)] + files, capture_output=True, text=True,
                       timeout=300)
    if p.returncode:
        raise RuntimeError(p.stderr)
    names = "result sets sealers oldest_pass first_dmarc_pass first_dmarc_from temporary rounds reason".split()
    return [dict(zip(names, line.split("\t"))) for line in p.stdout.splitlines()]


def cases(zone=zone_text):
    """(scenario's zone, [(name, message, wanted result)])"""
    with open(SUITE, encoding="utf-8") as f:
        for d in yaml.safe_load_all(f.read()):
            records = d.get("txt_records") or d.get("txt-records")
            # an empty cv in the suite: the newest seal says cv=fail, and nothing more is to be sealed. That chain has failed.
            yield zone(records), [(k, wire(t["message"]), (t["cv"] or "").strip().lower() or "fail") for k, t in d["tests"].items()]


@unittest.skipIf(yaml is None, "skipped: there is no python3-yaml")
@unittest.skipUnless(os.path.isfile(SUITE), "skipped: there are no public vectors beside this repository")
class ValiMail(unittest.TestCase):
    def check(self, split):
        wrong, n = [], 0
        for zone, tests in cases():
            with tempfile.TemporaryDirectory() as folder:
                got = arc_run(folder, zone, [m for k, m, want in tests], split)
            self.assertEqual(len(got), len(tests))
            for (name, m, want), r in zip(tests, got):
                n += 1
                if r["result"] != want:
                    wrong.append(f"{name}: {r['result']} ({r['reason']}), not {want}")
                if r["result"] == "pass" and (int(r["sets"]) == 0 or not r["sealers"]):
                    wrong.append(f"{name}: passes without sealers")
        self.assertFalse(wrong, f"{len(wrong)} of {n}:\n" + "\n".join(wrong))
        self.assertEqual(n, 171)

    def test_whole(self):
        self.check(0)

    def test_in_pieces(self):
        for split in (1, 2, 7):
            with self.subTest(split=split):
                self.check(split)

    def test_what_the_first_sealer_saw(self):
        zone, tests = next(cases())
        message = dict((k, m) for k, m, want in tests)["cv_pass_i5_1"]
        with tempfile.TemporaryDirectory() as folder:
            r = arc_run(folder, zone, [message])[0]
        self.assertEqual((r["sets"], r["first_dmarc_pass"]), ("5", "1"))
        self.assertEqual(r["rounds"], "1", "all keys are asked for at once")

    def test_oldest_pass(self):
        zone, tests = next(cases())
        by_name = dict((k, m) for k, m, want in tests)
        with tempfile.TemporaryDirectory() as folder:
            whole, changed = arc_run(folder, zone, [by_name["cv_pass_i2_1"], by_name["cv_pass_i2_1_ams1_invalid"]])
        self.assertEqual((whole["oldest_pass"], changed["oldest_pass"]), ("0", "2"))

    def test_authcheck(self):
        """Every case through the command: as an outsider's file has it, LF or CRLF, out of records written in every way."""
        wrong, n, styles = [], 0, itertools.cycle(as_outsider.STYLES)
        for records, tests in cases(dict.items):
            for name, m, want in tests:
                n += 1
                style = next(styles)
                r = as_outsider.authcheck(*([] if n % 3 else ["--ip", "192.0.2.1", "--helo", "x.example", "--mail-from", ""]), "--at", "1500000000",
                                          message=m if n % 2 else m.replace(b"\r\n", b"\n"),
                                          dns=as_outsider.zone_file([(k, "TXT", [v]) for k, v in records], style))
                if r["arc"]["result"] != want or f"arc={want}" not in r["authentication_results"] and m.strip() and want != "none":
                    wrong.append(f"{name}, {style}: {r['arc']}, not {want}")
        self.assertFalse(wrong, "\n".join(wrong))
        self.assertEqual(n, 171)


@unittest.skipUnless(os.path.isdir(REAL), "skipped: there are no public vectors beside this repository")
class Real(unittest.TestCase):
    """dkim-mail-auth/arc: the DNS records, an empty line, then the message."""

    def test_chains_pass_and_break(self):
        files = sorted(glob.glob(os.path.join(REAL, "*.txt")))
        self.assertTrue(files)
        for path in files:
            with open(path, encoding="utf-8", errors="surrogateescape", newline="") as f:
                records, _, text = f.read().replace("\r\n", "\n").partition("\n\n")
            zone = zone_text(dict(line.split(" ", 1) for line in records.splitlines()))
            good = wire(text)
            body = good.index(b"\r\n\r\n") + 4
            seal = good.lower().index(b"arc-seal:")
            bad_body = good[:body] + b"x" + good[body:]
            bad_seal = good[:seal] + good[seal:].replace(b"cv=", b"cv =", 1).replace(b"t=1", b"t=2", 1)
            with tempfile.TemporaryDirectory() as folder, self.subTest(path=path):
                r = arc_run(folder, zone, [good, bad_body, bad_seal], now=1700000000)
                self.assertEqual(r[0]["result"], "pass", r[0]["reason"])
                said = as_outsider.authcheck("--at", "1700000000", message=text.encode("utf-8", "surrogateescape"), dns=zone.encode())["arc"]
                self.assertEqual(said, {"result": "pass", "reason": r[0]["reason"]})
                self.assertEqual([x["result"] for x in r[1:]], ["fail", "fail"], r[1:])
                self.assertIn("body was changed", r[1]["reason"])
                slow = arc_run(folder, "".join(f"{line.split(' ')[0]} TIMEOUT\n" for line in records.splitlines()), [good])[0]
                self.assertEqual((slow["result"], slow["temporary"]), ("fail", "1"))


if __name__ == "__main__":
    unittest.main()
