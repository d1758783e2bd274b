"""A Knot DNS server of its own with test zones, some signed with DNSSEC: `with Knot() as k:`, then k.address ("127.0.0.1@port")
and k.anchors (a file with trust anchors). On loopback, in a temporary folder.

    secure.test     signed, and its key is among the anchors
    bogus.test      signed, but the anchor is of another key: what validates it finds it forged
    insecure.test   not signed
    null.test       takes no mail (RFC 7505)
    broken.test     the server has no data for it: SERVFAIL
    refused.test    the server does not know it: REFUSED"""
import os
import re
import shutil
import subprocess
import tempfile

from harness.house import free_port, wait_for

SOA = "@ 60 SOA ns.{z}. post.{z}. 1 60 60 3600 60\n@ 60 NS ns\nns 60 A 127.0.0.1\n"
ZONES = {
    "secure.test": SOA + "@ 60 MX 10 mx\nmx 60 A {ip}\n@ 60 TXT \"one\" \"two\"\nalias 60 CNAME mx\n",
    "bogus.test": SOA + "@ 60 MX 10 mx\nmx 60 A {ip}\n",
    "insecure.test": SOA + "@ 60 MX 10 mx2\n@ 60 MX 5 mx1\nmx1 60 A {ip}\nmx2 60 A {ip}\nnomx 60 A {ip}\nnohost 60 MX 5 missing\na\\043b\\064c\\061d 60 A {ip}\n"
                           "self 60 MX 5 mail.demo.test.\ninner 60 MX 5 inside\ninside 60 A 127.0.0.1\ninside 60 AAAA ::1\n"
                           "large 60 TXT " + " ".join('"' + "x" * 250 + '"' for _ in range(30)) + "\n",
    "null.test": SOA + "@ 60 MX 0 .\n",
}


class Knot:
    def __init__(self, ip="127.0.0.1", listen="127.0.0.1", more=None, port=None):
        """more: {name: text} of further ones; they get a SOA and a name server."""
        self.port = port or free_port()
        self.address = f"{listen}@{self.port}"
        self.folder = tempfile.mkdtemp(prefix="posthorn-knot-")
        d = self.folder
        os.mkdir(os.path.join(d, "db"))
        zones = ""
        for z, text in (ZONES | {z: SOA + t for z, t in (more or {}).items()}).items():
            with open(os.path.join(d, z), "w") as f:
                f.write(text.format(z=z, ip=ip))
            signed = z in ("secure.test", "bogus.test")
            zones += f"  - domain: {z}\n    file: {z}\n    zonefile-sync: -1\n    journal-content: none\n"
            zones += "    dnssec-signing: on\n    dnssec-policy: p\n    zonefile-load: whole\n" if signed else ""
        zones += "  - domain: broken.test\n    file: not-there\n"
        self.conf = os.path.join(d, "knot.conf")
        with open(self.conf, "w") as f:
            f.write(f"server:\n    listen: {self.address}\n    rundir: {d}\n    udp-workers: 1\n    tcp-workers: 1\n"
                    f"    background-workers: 1\n"
                    f"database:\n    storage: {d}/db\nlog:\n  - target: {d}/log\n    any: info\n"
                    f"policy:\n  - id: p\n    algorithm: ecdsap256sha256\n    single-type-signing: on\n"
                    f"template:\n  - id: default\n    storage: {d}\nzone:\n{zones}")
        self.anchors = os.path.join(d, "anchors")

    def __enter__(self):
        self.process = subprocess.Popen(["knotd", "-c", self.conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        lines = {z: wait_for(f"the key of {z}", lambda z=z: self.anchor(z)) for z in ("secure.test", "bogus.test")}
        forged = re.sub(r"[0-9a-f]", lambda m: "0123456789abcdef"[15 - int(m.group(), 16)], lines["bogus.test"].rsplit(" ", 1)[1])
        with open(self.anchors, "w") as f:
            f.write("; trust anchors of the test\n" + lines["secure.test"] + "\n" + lines["bogus.test"].rsplit(" ", 1)[0] + " " +
                    forged + "\n")
        os.chmod(self.anchors, 0o644)
        os.chmod(self.folder, 0o755)
        wait_for("Knot answers with signatures", lambda: "RRSIG" in self.dig("secure.test", "MX"))
        return self

    def __exit__(self, kind, *_):
        if kind:
            try:
                print("the log of Knot:\n" + open(os.path.join(self.folder, "log")).read()[-3000:], flush=True)
            except OSError:
                pass
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def anchor(self, zone):
        """The DS record of the zone's key, once Knot has made one."""
        r = subprocess.run(["keymgr", "-c", self.conf, zone, "ds"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        sha256 = [l for l in r.stdout.splitlines() if re.search(r" DS \d+ 13 2 ", l)]
        return sha256[0].lower().replace(" ds ", " DS ") if sha256 else None

    def dig(self, name, kind):
        host, port = self.address.split("@")
        return subprocess.run(["kdig", "+dnssec", "+norec", f"@{host}", "-p", port, name, kind], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True).stdout
