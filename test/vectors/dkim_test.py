"""DKIM: the public vectors of chasquid, mail-auth and SpamAssassin. Each message is verified whole and in pieces of one and seven octets.

Where chasquid's expectation and ours differ by design the table DIFFERENT says so: l= is refused here, and more signatures are looked
at. SpamAssassin's keys were in the live DNS and are gone: a key of our own stands in for them, so that its good messages must come as
far as the signature (the body hash fits the canonical body) and no further."""
import glob
import json
import os
import subprocess
import tempfile
import unittest

from harness import as_outsider

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("POSTHORN_BUILD", os.path.join(ROOT, "build"))
RUN = os.path.join(BUILD, "test", "vectors", "dkim_run")
VECTORS = os.path.join(ROOT, "..", "shared", "vectors")
NOW = 1700000000


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def verify(zone, messages, now=NOW):
    """The results of each message: lists of dicts. All splits have to agree."""
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "zone"), "w") as f:
            f.write(zone)
        names = []
        for i, m in enumerate(messages):
            names.append(os.path.join(d, f"{i}.msg"))
            with open(names[-1], "wb") as f:
                f.write(m)
        seen = []
        for split in ("0", "1", "7"):
            r = subprocess.run([RUN, "verify", os.path.join(d, "zone"), str(now), split] + names, capture_output=True, text=True, timeout=120)
            if r.returncode != 0:
                raise AssertionError(r.stderr[-2000:])
            seen.append(r.stdout)
    if len(set(seen)) != 1:
        raise AssertionError("the way a body is cut changes the result:\n" + "\n".join(seen))
    results = []
    for line in seen[0].splitlines():
        if line.startswith("= "):
            results.append([])
        else:
            results[-1].append(dict(zip("result domain selector algorithm b bits reason".split(), line.split("\t"))))
    return results


def authcheck(zone, message, now=NOW):
    """The same as an outsider asks it."""
    return as_outsider.authcheck("--ip", "192.0.2.1", "--helo", "client.example", "--mail-from", "", "--at", str(now), dns=zone.encode(),
                                 message=message)


def told(answer):
    """The signatures of an answer as verify() gives them, as far as the command tells."""
    return [{k: d[k] for k in ("result", "domain", "selector", "reason")} for d in answer["dkim"]]


def known(results):
    return [{k: r[k] for k in ("result", "domain", "selector", "reason")} for r in results]


def need(name):
    path = os.path.join(VECTORS, name)
    return unittest.skipIf(not os.path.isdir(path), f"there is no {path}")


# chasquid's States, as ours.
STATES = {"SUCCESS": {"pass"}, "PERMFAIL": {"permerror", "neutral", "fail", "policy"}, "TEMPFAIL": {"temperror"}}
# case: (number of the signature, what is different and why)
DIFFERENT = {"09-limited_body": (0, "none", "l= is not accepted")}


@need("dkim-chasquid")
class Chasquid(unittest.TestCase):
    folder = os.path.join(VECTORS, "dkim-chasquid")

    def read(self, case, suffix):
        """Cases may leave out a file: then that of 01-rfc8463 holds."""
        path = os.path.join(self.folder, case + suffix)
        if not os.path.exists(path):
            path = os.path.join(self.folder, "01-rfc8463" + suffix)
        with open(path, "rb") as f:
            return f.read()

    def zone(self, case):
        out = ""
        for line in self.read(case, ".dns").decode().replace("\\\n", "").splitlines():
            name, colon, value = line.partition(":")
            value = " ".join(value.split())
            if value == "TEMPERROR":
                out += f"{name} SERVFAIL\n"
            elif colon and value != "PERMERROR":
                out += f'{name} TXT "{value}"\n'
        return out

    def test_cases(self):
        cases = sorted({os.path.basename(p).split(".")[0] for p in glob.glob(self.folder + "/[0-9]*")})
        self.assertGreaterEqual(len(cases), 11)
        for case in cases:
            with self.subTest(case):
                got = verify(self.zone(case), [crlf(self.read(case, ".msg"))])[0]
                for message in (self.read(case, ".msg"), crlf(self.read(case, ".msg"))):
                    said = authcheck(self.zone(case), message)
                    self.assertEqual(known(got), told(said))
                    self.assertEqual(sum(g["result"] == "pass" for g in got), said["authentication_results"].count("dkim=pass"))
                if case == "03-bad_message":
                    self.assertEqual([], got)  # a message without a signature, and without a header
                    continue
                want = json.loads(self.read(case, ".result"))["Results"]
                self.assertGreaterEqual(len(got), len(want))
                for i, (w, g) in enumerate(zip(want, got)):
                    different = DIFFERENT.get(case)
                    if different and different[0] == i:
                        self.assertEqual(different[1], g["result"])
                        self.assertIn(different[2], g["reason"])
                        continue
                    self.assertIn(g["result"], STATES[w["State"]], g)
                    if w["Domain"]:
                        self.assertEqual((w["Domain"], w["Selector"]), (g["domain"], g["selector"]))
                        self.assertTrue(w["B"].startswith(g["b"]) and len(g["b"]) == 8)


@need("dkim-mail-auth")
class MailAuth(unittest.TestCase):
    """Each file begins with its DNS records, then an empty line, then the message; all pass."""

    def test_messages(self):
        files = sorted(glob.glob(os.path.join(VECTORS, "dkim-mail-auth", "dkim", "*.txt")))
        self.assertEqual(6, len(files))
        for path in files:
            with self.subTest(os.path.basename(path)):
                with open(path, "rb") as f:
                    records, _, message = crlf(f.read()).partition(b"\r\n\r\n")
                zone = "".join('{} TXT "{}"\n'.format(*r.split(" ", 1)) for r in records.decode().splitlines())
                got = verify(zone, [message], 1667600000)[0]
                self.assertTrue(got)
                self.assertEqual(known(got), told(authcheck(zone, message, 1667600000)))
                for g in got:
                    self.assertEqual("pass", g["result"], g)


@need("dkim-spamassassin")
class SpamAssassin(unittest.TestCase):
    # good messages that our rules refuse before the signature is looked at
    REFUSED = {"test-pass-01": "SHA-1", "test-pass-08": "Subject field that is not signed"}

    def setUp(self):
        self.files = sorted(glob.glob(os.path.join(VECTORS, "dkim-spamassassin", "*.msg")))
        with tempfile.TemporaryDirectory() as d:
            record = subprocess.run([RUN, "key", "rsa", os.path.join(d, "key")], capture_output=True, text=True, check=True).stdout.strip()
        halves = f'"{record[:200]}" "{record[200:]}"'
        self.zone = f"*.sa-test.spamassassin.org TXT {halves}\n*.sa-test-nxd.spamassassin.org TXT {halves}\n"

    def results(self, kind):
        files = [f for f in self.files if kind in os.path.basename(f)]
        messages = []
        for path in files:
            with open(path, "rb") as f:
                messages.append(crlf(f.read()))
        results = verify(self.zone, messages, 1244419300)
        for message, r in zip(messages, results):
            self.assertEqual(known(r), told(authcheck(self.zone, message, 1244419300)))
        return {os.path.basename(p)[:-4]: r for p, r in zip(files, results)}

    def test_good_bodies(self):
        results = self.results("test-pass-")
        self.assertGreater(len(results), 20)
        for name, got in results.items():
            with self.subTest(name):
                self.assertTrue(got)
                for g in got:
                    self.assertNotEqual("pass", g["result"])
                self.assertIn(self.REFUSED.get(name, "the signed header fields were changed"), got[0]["reason"])

    def test_nothing_passes(self):
        for kind in ("test-fail-", "test-adsp-"):
            for name, got in self.results(kind).items():
                for g in got:
                    self.assertNotEqual("pass", g["result"], name)


if __name__ == "__main__":
    unittest.main()
