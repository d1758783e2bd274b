"""DMARC, Authentication-Results and ARC beside foreign implementations: python3-authheaders and libopendmarc judge the same random messages,
python3-authres reads our fields, and dkimpy seals chains that we verify and verifies those of the public suite.

Both foreign DMARC implementations follow RFC 7489: authheaders 0.15 asks a public suffix list unless told dmarcbis, and what it then does is
draft 07 of the tree walk; opendmarc 1.4 knows the list only. RFC 9989 walks the tree. So the random domains are such that both rules
find the same organizational domain: where anything below it has a record, it has one itself, and nobody says psd=. Two of their habits
are left out: authheaders applies sp= to the domain itself, and neither knows np= or t=."""
import ctypes
import ctypes.util
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import unittest

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian puts them, whichever Python runs this
try:
    import authheaders
    import authheaders.dmarc_lookup
    import authres
    import authres.arc
    import authres.dmarc
except ImportError:
    authheaders = None
try:
    import dkim
except ImportError:
    dkim = None

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("POSTHORN_BUILD", os.path.join(ROOT, "build"))
SUFFIXES = "/usr/share/publicsuffix/public_suffix_list.dat"
NAMES = "result asked published policy_domain organizational spf_aligned dkim_aligned rounds questions reason field".split()

spec = importlib.util.spec_from_file_location("arc_vectors", os.path.join(ROOT, "test", "vectors", "arc_test.py"))
arc_vectors = importlib.util.module_from_spec(spec)
spec.loader.exec_module(arc_vectors)


def dmarc_run(records, cases):
    """{name: record}, [(author, (spf result, domain) or None, [(dkim result, domain)])] -> [dict]"""
    with tempfile.NamedTemporaryFile("w", suffix=".zone") as f:
        for name, record in records.items():
            f.write(f'{name} TXT "{record}"\n')
        f.flush()
        lines = []
        for author, spf, signatures in cases:
            lines.append("\t".join((author, spf[0] if spf else "none", spf[1] if spf else "",
                                    ",".join(f"{r}:{d}" for r, d in signatures))))
        p = subprocess.run([os.path.join(BUILD, "test/vectors/dmarc_run"), f.name], input="\n".join(lines) + "\n", text=True,
                           capture_output=True, timeout=120)
    if p.returncode:
        raise RuntimeError(p.stderr)
    return [dict(zip(NAMES, line.split("\t"))) for line in p.stdout.splitlines()]


def random_cases(rng, n):
    """A zone and messages for it."""
    records = {}
    for org in ("example.com", "example.org", "example.co.uk", "bare.net"):
        if org == "bare.net":
            continue
        for name in (org, "mail." + org):
            if name != org and rng.random() < 0.5:
                continue
            tags = [f"p={rng.choice(('none', 'quarantine', 'reject'))}"]
            if rng.random() < 0.4:
                tags.append(f"sp={rng.choice(('none', 'quarantine', 'reject'))}")
            for tag in ("adkim", "aspf"):
                if rng.random() < 0.5:
                    tags.append(f"{tag}={rng.choice('rs')}")
            records["_dmarc." + name] = "v=DMARC1; " + "; ".join(tags)
    names = [p + org for org in ("example.com", "example.org", "example.co.uk", "bare.net") for p in ("", "mail.", "a.mail.", "x.")]
    cases = []
    for _ in range(n):
        author = rng.choice(names)
        near = [x for x in names if x.split(".")[-2:] == author.split(".")[-2:]]
        pick = lambda: rng.choice(near if rng.random() < 0.7 else names)
        spf = (rng.choice(("pass", "pass", "fail", "softfail", "neutral")), pick()) if rng.random() < 0.7 else None
        signatures = [(rng.choice(("pass", "pass", "fail", "permerror")), pick())] if rng.random() < 0.7 else []
        cases.append((author, spf, signatures))
    return records, cases


@unittest.skipIf(authheaders is None, "skipped: there is no python3-authheaders")
class Authheaders(unittest.TestCase):
    def test_random_messages(self):
        known = {}
        slow = authheaders.dmarc_lookup.get_org_domain

        def org(domain):  # theirs reads the whole list each time
            if domain not in known:
                known[domain] = slow(domain)
            return known[domain]
        authheaders.dmarc_lookup.get_org_domain = authheaders.get_org_domain = org
        rng, n, seen = random.Random(9989), 0, set()
        for _ in range(20):
            records, cases = random_cases(rng, 50)
            for (author, spf, signatures), got in zip(cases, dmarc_run(records, cases)):
                s = authheaders.SPFAuthenticationResult(result=spf[0], smtp_mailfrom="a@" + spf[1]) if spf else None
                d = authheaders.DKIMAuthenticationResult(result=signatures[0][0], header_d=signatures[0][1]) if signatures else None
                want, comment, domain, policy = authheaders.dmarc_per_from(author, spf_result=s, dkim_result=d, dnsfunc=lambda q: records.get(q))
                self.assertEqual(got["result"], want, f"{author} {spf} {signatures}: {got} {records}")
                seen.add(want)
                n += 1
        self.assertEqual(seen, {"pass", "fail", "none"})
        self.assertEqual(n, 1000)


class OpenDmarc:
    """libopendmarc by its C interface (dmarc.h)."""
    POLICY = {14: ("none", "none"), 15: ("pass", "none"), 16: ("fail", "reject"), 17: ("fail", "quarantine"), 18: ("fail", "none")}

    def __init__(self):
        self.lib = ctypes.CDLL(ctypes.util.find_library("opendmarc") or "libopendmarc.so.2")
        self.lib.opendmarc_policy_connect_init.restype = ctypes.c_void_p
        self.lib.opendmarc_policy_connect_shutdown.argtypes = [ctypes.c_void_p]
        if self.lib.opendmarc_tld_read_file(SUFFIXES.encode(), b"//", b"*.", b"!"):
            raise OSError("opendmarc cannot read the list of suffixes")

    def judge(self, author, spf, signatures, record, record_domain, org):
        outcome = {"pass": 1, "none": 0}
        p = ctypes.c_void_p(self.lib.opendmarc_policy_connect_init(b"192.0.2.1", 4))
        try:
            if self.lib.opendmarc_policy_store_from_domain(p, author.encode()):
                raise ValueError(author)
            if spf:
                self.lib.opendmarc_policy_store_spf(p, spf[1].encode(), outcome.get(spf[0], 2), 1, None)
            for result, domain in signatures:
                self.lib.opendmarc_policy_store_dkim(p, domain.encode(), b"s", outcome.get(result, 2), None)
            if not record:
                return "none", "none"
            # domain is the author's, org where the record was found if that is not the same
            if self.lib.opendmarc_policy_store_dmarc(p, record.encode(), author.encode(), None if record_domain == author else org.encode()):
                raise ValueError(record)
            return self.POLICY[self.lib.opendmarc_get_policy_to_enforce(p)]
        finally:
            self.lib.opendmarc_policy_connect_shutdown(p)


class Opendmarc(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(SUFFIXES):
            self.skipTest("skipped: there is no list of public suffixes")
        try:
            self.peer = OpenDmarc()
        except OSError as e:
            self.skipTest(f"skipped: there is no libopendmarc ({e})")

    @staticmethod
    def too_lenient(author, spf, signatures, record):
        """opendmarc 1.4 takes other names of the author's organization for aligned under strict alignment too, which neither RFC allows."""
        kin = lambda found: found and found[0] == "pass" and found[1] != author and found[1].split(".")[-2:] == author.split(".")[-2:]
        return ("aspf=s" in record and kin(spf)) or ("adkim=s" in record and any(kin(d) for d in signatures))

    def test_random_messages(self):
        """Result and policy: opendmarc is given the record that applies by either rule."""
        rng, seen = random.Random(7489), {}
        for _ in range(40):
            records, cases = random_cases(rng, 50)
            for (author, spf, signatures), got in zip(cases, dmarc_run(records, cases)):
                labels = author.split(".")
                org = ".".join(labels[-3:] if labels[-2] == "co" else labels[-2:])
                at = author if "_dmarc." + author in records else org
                if self.too_lenient(author, spf, signatures, records.get("_dmarc." + at) or ""):
                    continue
                want = self.peer.judge(author, spf, signatures, records.get("_dmarc." + at), at, org)
                self.assertEqual((got["result"], got["asked"]), want, f"{author} {spf} {signatures}: {got} {records}")
                seen[want] = seen.get(want, 0) + 1
        self.assertEqual(len(seen), 5, seen)


@unittest.skipIf(authheaders is None, "skipped: there is no python3-authres")
class Authres(unittest.TestCase):
    def test_fields_read_back(self):
        rng, n = random.Random(8601), 0
        context = authres.FeatureContext(authres.arc, authres.dmarc)
        for _ in range(10):
            records, cases = random_cases(rng, 30)
            for (author, spf, signatures), got in zip(cases, dmarc_run(records, cases)):
                header = context.parse("Authentication-Results: " + got["field"])
                self.assertEqual(header.authserv_id, "mx.example.org")
                by = {}
                for r in header.results:
                    by.setdefault(r.method, []).append(r)
                if not header.results:
                    self.assertEqual((got["result"], spf, signatures), ("none", None, []))
                    continue
                self.assertEqual([r.result for r in by["dmarc"]], [got["result"]], got["field"])
                self.assertEqual(by["spf"][0].result, spf[0] if spf else "none")
                self.assertEqual([(r.result, r.header_d) for r in by["dkim"]], signatures or [("none", None)])
                if got["result"] != "none":
                    self.assertEqual(by["dmarc"][0].header_from, author)
                if spf:
                    self.assertEqual(by["spf"][0].smtp_mailfrom, "bounce+a=b@" + spf[1])
                n += 1
        self.assertGreater(n, 200)


@unittest.skipIf(dkim is None, "skipped: there is no dkimpy")
class Dkimpy(unittest.TestCase):
    MESSAGE = (b"From: Ann <ann@author.example>\r\nTo: bob@example.org\r\nSubject: A chain\r\nDate: Thu, 14 Jan 2015 15:00:01 -0800\r\n"
               b"Message-ID: <1@author.example>\r\n\r\nHello  there\r\n\r\nBye \r\n")

    def seal(self, folder, hops):
        """(zone, message, dns function): sealed by dkimpy hop by hop."""
        key = os.path.join(folder, "key")
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        import base64
        record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
        with open(key, "rb") as f:
            private = f.read()
        message, zone = self.MESSAGE, {}
        for i in range(1, hops + 1):
            domain = f"list{i}.example"
            zone[f"s._domainkey.{domain}"] = record
            dns = lambda name, timeout=5: zone.get(name.decode().rstrip("."), "").encode() or None
            message = b"Authentication-Results: " + domain.encode() + b"; arc=" + (b"none" if i == 1 else b"pass") + \
                b"; dmarc=pass header.from=author.example\r\n" + message
            fields = dkim.arc_sign(message, b"s", domain.encode(), private, domain.encode(), include_headers=[b"from", b"to", b"subject", b"date"],
                                   dnsfunc=dns) if "dnsfunc" in dkim.arc_sign.__code__.co_varnames else \
                dkim.arc_sign(message, b"s", domain.encode(), private, domain.encode(), include_headers=[b"from", b"to", b"subject", b"date"])
            message = b"".join(fields) + message
        return zone, message, dns

    def test_its_chains_pass_here(self):
        with tempfile.TemporaryDirectory() as folder:
            zone, message, dns = self.seal(folder, 1)
            changed = message.replace(b"Hello", b"Hallo")
            subject = message.replace(b"A chain", b"B chain")
            got = arc_vectors.arc_run(folder, arc_vectors.zone_text(zone), [message, changed, subject])
            for m, r, want in zip((message, changed, subject), got, ("pass", "fail", "fail")):
                self.assertEqual(r["result"], want, r["reason"])
                self.assertEqual(dkim.arc_verify(m, dnsfunc=dns)[0].decode(), want)
            self.assertEqual((got[0]["sealers"], got[0]["first_dmarc_pass"], got[0]["first_dmarc_from"]), ("list1.example", "1", "author.example"))

    @unittest.skipUnless(os.path.isfile(arc_vectors.SUITE) and arc_vectors.yaml, "skipped: there are no public vectors beside this repository")
    def test_the_same_on_the_public_suite(self):
        """dkimpy on the suite and here. Where they differ the suite says who is right (arc_test.py: we agree with it in all)."""
        differ, n = [], 0
        for zone, tests in arc_vectors.cases():
            records = {}
            for line in zone.splitlines():
                name, _, text = line.partition(" TXT ")
                records[name] = text.strip('"').replace("\\\\", "\\")
            dns = lambda name, timeout=5: records.get(name.decode().rstrip("."), "").encode() or None
            with tempfile.TemporaryDirectory() as folder:
                got = arc_vectors.arc_run(folder, zone, [m for k, m, want in tests])
            for (name, m, want), r in zip(tests, got):
                try:
                    theirs = (dkim.arc_verify(m, dnsfunc=dns, minkey=1024)[0] or b"none").decode().lower()
                except Exception as e:
                    theirs = f"raises {type(e).__name__}"
                n += 1
                if theirs != r["result"] and theirs == want:
                    differ.append(f"{name}: dkimpy {theirs}, here {r['result']} ({r['reason']})")
        self.assertFalse(differ)
        self.assertEqual(n, 171)


if __name__ == "__main__":
    unittest.main()
