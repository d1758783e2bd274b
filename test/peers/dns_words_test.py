"""What `posthorn dns` prints is what others read: the zone file is checked by Knot and read by dnspython for domains of every
shape (below another, equal to the host name, with letters beyond ASCII, long), and so is each piece that --panel gives."""
import os
import re
import subprocess
import tempfile
import unittest

import dns.exception
import dns.rdatatype
import dns.zone

from harness.house import House, free_port, have, wait_for

DOMAINS = ("demo.test", "sub.demo.test", "mail.demo.test", "other.test", "xn--bcher-kva.test", "a" * 60 + "." + "b" * 60 + "." + "c" * 50 + ".test")
HEAD = "{0}. 60 IN SOA ns.{0}. post.{0}. 1 60 60 3600 60\n{0}. 60 IN NS ns.{0}.\nns.{0}. 60 IN A 192.0.2.1\n"


@unittest.skipUnless(*have("kzonecheck"))
class Words(unittest.TestCase):
    def records(self, h, domain):
        def two_keys():
            rows = h.tool_json("dns", domain)[0]
            return rows if len({r["name"] for r in rows if r.get("kind") == "dkim" and r["type"] == "TXT"}) == 2 else None
        return wait_for(f"{domain} has its keys", two_keys, 120)

    def check(self, h, domain):
        rows = self.records(h, domain)
        zone_text = h.tool("dns", domain, "--zone").stdout
        with tempfile.NamedTemporaryFile("w", suffix=".zone") as f:
            f.write(HEAD.format(domain) + zone_text)
            f.flush()
            r = subprocess.run(["kzonecheck", "-v", "-o", domain, f.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(r.returncode, 0, f"{domain}: {r.stdout}\n{zone_text}")
        zone = dns.zone.from_text(HEAD.format(domain) + zone_text, origin=domain + ".", relativize=False, check_origin=True)
        for row in rows:
            if row.get("owner") != "domain" or "data" not in row:
                continue
            found = zone.find_rdataset(row["name"] + ".", row["type"])
            if row["type"] == "TXT":
                self.assertIn(row["joined"], [b"".join(x.strings).decode() for x in found])
                for x in found:
                    self.assertTrue(all(0 < len(s) <= 255 for s in x.strings))
        # --panel: the same values; what is longer than a string also in pieces
        panel = h.tool("dns", domain, "--panel").stdout
        for row in rows:
            if row.get("type") == "TXT":
                self.assertIn(f"  Value  {row['joined']}\n", panel)
        for pieces in re.findall(r"pieces of at most 255 characters:\n +(.*)\n", panel):
            parts = re.findall(r'"([^"]*)"', pieces)
            self.assertTrue(len(parts) > 1 and all(len(p) <= 255 for p in parts), pieces)
            self.assertIn("".join(parts), panel)
        self.assertIn(f"(in full: {domain})", panel)
        return rows

    def test_shapes(self):
        with House(config="address 127.0.0.1\naddress 2001:db8::25\n") as h:
            h.tool("domain", "add", *[d for d in DOMAINS if d not in ("demo.test", "xn--bcher-kva.test")], "bücher.test")
            for d in DOMAINS:
                with self.subTest(d):
                    rows = self.check(h, d)
                    spf = [r for r in rows if r.get("type") == "TXT" and r["joined"].startswith("v=spf1")]
                    self.assertEqual(len({r["name"] for r in spf}), len(spf), "one SPF record a name")
            # as people write it, everywhere
            self.assertEqual(h.tool_json("dns", "BÜCHER.test")[0], h.tool_json("dns", "xn--bcher-kva.test")[0])
            self.assertEqual(h.tool_json("dkim", "list", "bücher.test"), h.tool_json("dkim", "list", "xn--bcher-kva.test"))
            r = h.tool("dns", "b\u202echer.test", check=False)
            self.assertIn("no name of a domain", r.stderr)
            # all keys, in their order
            rows = h.tool_json("dkim", "list")[0]
            names = [f"{r['domain']},{r['selector']}" for r in rows]
            self.assertEqual((len(names), names), (2 * len(DOMAINS), sorted(names)))

    def test_delegated(self):
        with House(config=f"address 127.0.0.1\nlisten dns 127.0.0.1:{free_port()}\nzone roll.demo.test\n") as h:
            h.tool("domain", "add", "other.test", "roll.demo.test", "in.roll.demo.test")
            for d in ("demo.test", "other.test"):
                self.check(h, d)
            rows = self.records(h, "other.test")
            aliases = {r["name"]: r["data"] for r in rows if r.get("type") == "CNAME"}
            self.assertEqual(len(aliases), 6)
            self.assertTrue(all(to == f"{name}.roll.demo.test." for name, to in aliases.items()), aliases)
            # a domain inside the zone needs no aliases
            for d in ("roll.demo.test", "in.roll.demo.test"):
                rows = self.records(h, d)
                self.assertEqual([r for r in rows if r.get("type") == "CNAME"], [])
                self.assertEqual({r["owner"] for r in rows if r.get("type") in ("MX", "SRV")}, {"posthorn"})
