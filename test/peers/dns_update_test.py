"""The DNS side of being believed, against real programs: `posthorn dns --push` changes a zone of Knot by RFC 2136 with TSIG and
says in words why it could not; the zone that is delegated to us is answered to kdig, dig and dnspython, over UDP and TCP, and
rolls when the plan changes and when nameserver is started anew."""
import base64
import contextlib
import hashlib
import os
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update

from harness.house import Failure, House, free_port, have, wait_for

SECRET = base64.b64encode(b"a secret of 32 octets for updates").decode()
ZONE = "@ 60 SOA ns post 1 60 60 3600 60\n@ 60 NS ns\nns 60 A 127.0.0.1\n"


class Primary:
    """A Knot that keeps demo.test and takes updates with a key. more: other zones, {name: (records, may be updated)};
    without records the zone cannot be loaded."""

    def __init__(self, zone="", algorithm="hmac-sha256", action="update", more=None):
        self.port = free_port()
        self.folder = d = tempfile.mkdtemp(prefix="posthorn-knot-")
        os.mkdir(d + "/db")
        others = ""
        for name, (records, allowed) in (more or {}).items():
            if records is not None:
                with open(d + "/" + name, "w") as f:
                    f.write(ZONE + records)
            others += (f"  - domain: {name}\n    file: {name}\n    acl: {'yes' if allowed else 'no'}\n"
                       f"    zonefile-sync: -1\n    journal-content: changes\n")
        with open(d + "/demo.test", "w") as f:
            f.write(ZONE + zone)
        with open(d + "/knot.conf", "w") as f:
            f.write(f"server:\n    listen: 127.0.0.1@{self.port}\n    rundir: {d}\n    udp-workers: 1\n    tcp-workers: 1\n"
                    f"    background-workers: 1\ndatabase:\n    storage: {d}/db\nlog:\n  - target: {d}/log\n    any: info\n"
                    f"key:\n  - id: posthorn\n    algorithm: {algorithm}\n    secret: {SECRET}\n"
                    f"acl:\n  - id: a\n    key: posthorn\n    action: {action}\n"
                    f"  - id: yes\n    key: posthorn\n    action: update\n  - id: no\n    key: posthorn\n    action: transfer\n"
                    f"template:\n  - id: default\n    storage: {d}\nzone:\n  - domain: demo.test\n    file: demo.test\n    acl: a\n"
                    f"    zonefile-sync: -1\n    journal-content: changes\n" + others)
        self.process = subprocess.Popen(["knotd", "-c", d + "/knot.conf"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for("Knot answers", lambda: self.ask("demo.test", "SOA"))

    def ask(self, name, kind):
        r = subprocess.run(["kdig", "+short", "+norec", "+retry=0", "@127.0.0.1", "-p", str(self.port), name, kind],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return [] if r.returncode else sorted(r.stdout.split("\n")[:-1])

    def put(self, name, *texts):
        """Somebody else sets the TXT records of a name in demo.test; a text may be a tuple of strings."""
        change = dns.update.Update("demo.test.", keyring=dns.tsigkeyring.from_text({"posthorn": SECRET}), keyalgorithm="hmac-sha256")
        change.delete(name + ".", "TXT")
        for text in texts:
            change.add(name + ".", 60, "TXT", " ".join(f'"{text[i:i + 200]}"' for i in range(0, len(text), 200)))
        answer = dns.query.tcp(change, "127.0.0.1", port=self.port, timeout=10)
        must(answer.rcode() == 0, f"somebody else's update: {answer}")

    def text(self, name):
        return [t.replace('" "', "").strip('"') for t in self.ask(name, "TXT")]

    def stop(self):
        self.process.kill()
        self.process.wait()

    def done(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def key_file(folder, name="posthorn", secret=SECRET, algorithm="hmac-sha256"):
    path = os.path.join(folder, "update.key")
    with open(path, "w") as f:
        f.write(f'# made by a test\nkey "{name}" {{\n  algorithm {algorithm}; // ours\n  secret "{secret}";\n}};\n')
    return path


def house(port, resolver=None, **key):
    folder = tempfile.mkdtemp(prefix="posthorn-test-")
    path = key_file(folder, **key)
    h = House(**({"resolver": resolver} if resolver else {}), config=f"address 127.0.0.1\naddress 2001:db8::25\ndns-update 127.0.0.1@{port} {path}\n")
    h.key_folder = folder
    return h


def end(h, primary):
    shutil.rmtree(h.key_folder, ignore_errors=True)
    primary.done()


def must(condition, what):
    if not condition:
        raise Failure(what)


def refused(words, primary, **key):
    h = house(primary.port, **key)
    try:
        with h:
            r = h.tool("dns", "demo.test", "--push", check=False)
            must(r.returncode == 1 and words in r.stderr, f"not \"{words}\" but: {r.stderr}")
            must(primary.process.poll() is not None or primary.ask("demo.test", "MX") == [], "nothing was changed")
            secret = key.get("secret", SECRET)
            must(secret not in r.stdout + r.stderr + h.tool("status", "--json").stdout + open(h.log_path).read(), "the secret is not told")
            for folder, _, files in os.walk(h.data):
                for f in files:
                    if not os.path.isfile(os.path.join(folder, f)):
                        continue
                    with open(os.path.join(folder, f), "rb") as g:
                        content = g.read()
                    must(secret.encode() not in content and base64.b64decode(secret) not in content, f"the secret is not kept: {folder}/{f}")
    finally:
        end(h, primary)


@unittest.skipUnless(*have("knotd"))
class Push(unittest.TestCase):
    def test_push(self):
        """Records appear; what is not ours stays and is told; a second push changes nothing; --force replaces."""
        primary = Primary('@ 60 TXT "site-verification=1"\n@ 60 MX 5 old\n_dmarc 60 TXT "v=DMARC1; p=none; rua=mailto:me@else.test"\n'
                          'old 60 A 127.0.0.9\n_smtp._tls 60 TXT "v=TLSRPTv1; rua=mailto:tls-reports@old.test"\n')
        h = house(primary.port)
        try:
            with h:
                wait_for("both keys are made", lambda: [r.get("kind") for r in h.tool_json("dns", "demo.test")[0]].count("dkim") == 2)
                before = primary.ask("demo.test", "SOA")
                dry = h.tool("dns", "demo.test", "--push", "--dry-run").stdout
                must("would be added" in dry and primary.ask("demo.test", "SOA") == before, "a dry run changes nothing: " + dry)
                out = h.tool("dns", "demo.test", "--push").stdout
                must(primary.ask("demo.test", "MX") == ["10 mail.demo.test.", "5 old.demo.test."], "MX: " + out)
                must(primary.ask("demo.test", "TXT") == ['"site-verification=1"',
                                                         '"v=spf1 mx ip4:127.0.0.1 ip6:2001:db8::25 ~all"'], "TXT at the apex")
                must(primary.ask("mail.demo.test", "A") == ["127.0.0.1"] and primary.ask("mail.demo.test", "AAAA") == ["2001:db8::25"],
                     "addresses")
                must(primary.ask("_dmarc.demo.test", "TXT") == ['"v=DMARC1; p=none; rua=mailto:me@else.test"'], "DMARC of others stays")
                must(primary.ask("_smtp._tls.demo.test", "TXT") == ['"v=TLSRPTv1; rua=mailto:tls-reports@demo.test"'], "ours is replaced")
                must(primary.ask("_pop3s._tcp.demo.test", "SRV") == ["0 0 0 ."], "SRV of what is not offered")
                must(primary.ask(f"_{h.port['smtp']}._tcp.mail.demo.test", "TLSA")[0].startswith("3 1 1 "), "TLSA")
                keys = [r for r in h.tool_json("dns", "demo.test")[0] if r.get("kind") == "dkim"]
                for k in keys:
                    must("".join(primary.ask(k["name"], "TXT")).replace('" "', "").strip('"') == k["joined"], "a DKIM key")
                must("leave" in out and "me@else.test" in out and "--force" in out, "what is left is told: " + out)
                again = h.tool_json("dns", "demo.test", "--push")[0]
                must(again and all(r["action"] == "leave" for r in again), f"a second push: {again}")
                h.tool("dns", "demo.test", "--push", "--force")
                must(primary.ask("demo.test", "MX") == ["10 mail.demo.test."], "force: MX")
                must(primary.ask("_dmarc.demo.test", "TXT") == ['"v=DMARC1; p=none; rua=mailto:dmarc-reports@demo.test"'], "force: DMARC")
                must('"site-verification=1"' in primary.ask("demo.test", "TXT"), "force leaves what is no SPF")
                none = h.tool("dns", "demo.test", "--push").stdout
                must("Nothing to change" in none, none)
                r = h.tool("dns", "other.test", "--push", check=False)
                must(r.returncode == 1 and "no domain of this server" in r.stderr, r.stderr)
        finally:
            end(h, primary)

    def test_spf(self):
        """An SPF record that names others is left alone, one that differs in addresses only is replaced."""
        primary = Primary('@ 60 TXT "v=spf1 include:shop.test ip4:127.0.0.1 -all"\n')
        h = house(primary.port)
        try:
            with h:
                out = h.tool("dns", "demo.test", "--push").stdout
                must(primary.ask("demo.test", "TXT") == ['"v=spf1 include:shop.test ip4:127.0.0.1 -all"'] and "shop.test" in out, out)
                h.tool("domain", "set", "demo.test", "spf-include", "shop.test")
                h.tool("dns", "demo.test", "--push")
                must(primary.ask("demo.test", "TXT") == ['"v=spf1 mx ip4:127.0.0.1 ip6:2001:db8::25 include:shop.test ~all"'],
                     str(primary.ask("demo.test", "TXT")))
        finally:
            end(h, primary)

    def keys(self, h):
        return wait_for("both keys are made", lambda: (lambda r: r if len(r) == 2 else None)(
            [r for r in h.tool_json("dns", "demo.test")[0] if r.get("kind") == "dkim"]))

    def test_two_servers(self):
        """Another server's key under the selector that ours has by chance is not replaced; a rotation takes another name. Our
        key, written in another way, is ours."""
        primary = Primary()
        h = house(primary.port, resolver=f"127.0.0.1@{primary.port}")
        try:
            with h:
                theirs, same = self.keys(h)
                foreign = theirs["joined"].split("p=")[0] + "p=MCowBQYDK2VwAyEA" + "A" * 28
                ours = same["joined"].replace("v=DKIM1; ", "v=DKIM1;h=sha256 ; t=s; ")
                primary.put(theirs["name"], foreign)
                primary.put(same["name"], ours)
                out = h.tool("dns", "demo.test", "--push").stdout
                must("another key stands under this name" in out, out)
                must(primary.text(theirs["name"]) == [foreign] and primary.text(same["name"]) == [ours], "both stay as they are")

                def other_name():
                    rows = h.tool_json("dkim", "rotate", "demo.test")[0]
                    return rows if theirs["name"].split(".")[0] not in [r["selector"] for r in rows] else None
                wait_for("a rotation takes another name", other_name)
                with open(os.path.join(h.data, "doctor", "retired")) as f:
                    must(f"+ demo.test {theirs['name'].split('.')[0]} " in f.read(), "what its record was is remembered")
                h.tool("dns", "demo.test", "--push")
                must(primary.text(theirs["name"]) == [foreign], "theirs stays still")
                fresh = [r for r in h.tool_json("dns", "demo.test")[0] if r.get("kind") == "dkim"]
                must(all(r["joined"] in primary.text(r["name"]) for r in fresh if r["name"] != same["name"]), "ours are there")
                again = h.tool_json("dns", "demo.test", "--push")[0]
                must(not again or all(r["action"] == "leave" for r in again), f"a second push: {again}")
        finally:
            end(h, primary)

    def test_gone_keys(self):
        """The record of a key that is gone is taken away: that text under that name, and nothing else."""
        gone = "v=DKIM1; k=rsa; p=" + "M" * 392
        primary = Primary()
        h = house(primary.port)
        try:
            with h:
                self.keys(h)
                for name in ("a1", "b1", "c1"):
                    primary.put(f"{name}._domainkey.demo.test", gone.replace("MMM", "NNN") if name == "b1" else gone)
                primary.put("c1._domainkey.demo.test", gone, "site-verification=2")
                path = os.path.join(h.data, "doctor", "retired")
                digest = base64.b64encode(hashlib.sha256(gone.encode()).digest()).decode()
                with open(path, "w") as f:
                    f.write("".join(f"+ demo.test {s} {digest}\n" for s in ("a1", "b1", "c1", "no/name", "never")) + "+ demo.test cut\n\0\n")
                os.chown(path, os.stat(os.path.dirname(path)).st_uid, -1)
                h.kill("doctor")
                wait_for("doctor reads it", lambda: "never" not in open(path).read() or "cut" not in open(path).read())
                wait_for("doctor is back", lambda: h.tool("dns", "demo.test", check=False).returncode == 0)
                dry = h.tool("dns", "demo.test", "--push", "--dry-run").stdout
                must(primary.text("a1._domainkey.demo.test") == [gone] and "its key is gone" in dry, "a dry run: " + dry)
                h.tool("dns", "demo.test", "--push")
                must(primary.text("a1._domainkey.demo.test") == [], "it is taken away")
                must(primary.text("b1._domainkey.demo.test") == [gone.replace("MMM", "NNN")], "another key's stays")
                must(primary.text("c1._domainkey.demo.test") == ["site-verification=2"], "what stands beside it stays")
                primary.put("a1._domainkey.demo.test", gone)
                h.tool("dns", "demo.test", "--push", "--force")
                must(primary.text("a1._domainkey.demo.test") == [gone], "once: who puts it back wants it")
                h.kill("doctor")
                wait_for("doctor is back", lambda: h.tool("dns", "demo.test", check=False).returncode == 0)
                wait_for("its file holds what is left", lambda: open(path).read() == "")
        finally:
            end(h, primary)

    def test_a_zone_that_refuses(self):
        """A zone cut below the domain, with another answer from each zone: what can be done is done, and what was not is told."""
        primary = Primary(action="transfer", zone="_domainkey 60 NS ns\n", more={"_domainkey.demo.test": ("", True)})
        h = house(primary.port)
        try:
            with h:
                keys = self.keys(h)
                r = h.tool("dns", "demo.test", "--push", check=False)
                must(r.returncode == 1 and "the zone demo.test was not changed" in r.stderr, r.stderr)
                must("the server did not change this zone" in r.stdout, r.stdout)
                for k in keys:
                    must(primary.text(k["name"]) == [k["joined"]], "the other zone has its records: " + k["name"])
                must(primary.ask("demo.test", "MX") == [], "this one has none")
        finally:
            end(h, primary)

    def test_a_zone_that_says_nothing(self):
        """A zone below the domain that the server could not load: all else is done, and what was not is told."""
        primary = Primary(zone="_domainkey 60 NS ns\n", more={"_domainkey.demo.test": (None, True)})
        h = house(primary.port)
        try:
            with h:
                self.keys(h)
                r = h.tool("dns", "demo.test", "--push", check=False)
                must(r.returncode == 1 and "the server does not say what" in r.stderr and "SERVFAIL" in r.stderr, r.stderr)
                must("not sent: the server does not say what is there" in r.stdout, r.stdout)
                must(primary.ask("demo.test", "MX") == ["10 mail.demo.test."], "the domain's own zone has its records")
        finally:
            end(h, primary)

    def test_a_name_that_was_handed_on(self):
        """Below a cut to servers that are not this one nothing is added: nobody would see it."""
        primary = Primary(zone="_domainkey 60 NS elsewhere.test.\n")
        h = house(primary.port)
        try:
            with h:
                self.keys(h)
                before = None
                for _ in range(2):
                    out = h.tool("dns", "demo.test", "--push").stdout
                    must("handed this name on" in out, out)
                    must(before in (None, primary.ask("demo.test", "SOA")), "the second changes nothing")
                    before = primary.ask("demo.test", "SOA")
        finally:
            end(h, primary)

    def test_sha512(self):
        """The other algorithm, and a push by itself when dns-push is on."""
        primary = Primary(algorithm="hmac-sha512")
        h = house(primary.port, algorithm="hmac-sha512")
        try:
            with h:
                h.tool("domain", "set", "demo.test", "dns-push", "on")
                wait_for("the records come by themselves", lambda: primary.ask("demo.test", "MX") == ["10 mail.demo.test."])
                h.tool("domain", "set", "demo.test", "dmarc", "reject")
                wait_for("a change of the plan is pushed", lambda: "p=reject" in str(primary.ask("_dmarc.demo.test", "TXT")))
        finally:
            end(h, primary)

    def test_wrong_secret(self):
        refused("the secret in the key file is not the one", Primary(), secret=base64.b64encode(b"another secret of 32 octets here").decode())

    def test_wrong_key_name(self):
        refused("does not know this key", Primary(), name="somebody")

    def test_not_allowed(self):
        refused("does not allow it here", Primary(action="transfer"))

    def test_unreachable(self):
        primary = Primary()
        primary.stop()
        refused("takes no connection", primary)

    def test_clock(self):
        """A server whose clock is an hour ahead: faketime is not needed, a small server plays it (RFC 8945 §5.2.3)."""
        listener = socket.create_server(("127.0.0.1", 0))
        h = house(listener.getsockname()[1])

        def serve():
            c, _ = listener.accept()
            with c:
                n = struct.unpack(">H", c.recv(2))[0]
                wire = c.recv(n)
                ring = dns.tsigkeyring.from_text({"posthorn": SECRET})
                q = dns.message.from_wire(wire, keyring=ring)
                a = dns.message.make_response(q)
                a.set_rcode(dns.rcode.NOTAUTH)
                ahead = int(time.time()) + 3600
                a.use_tsig(ring, keyname="posthorn.", algorithm="hmac-sha256", tsig_error=18, other_data=struct.pack(">HI", ahead >> 32, ahead & 0xffffffff))
                a.request_mac = q.mac
                w = a.to_wire()
                c.sendall(struct.pack(">H", len(w)) + w)
        t = threading.Thread(target=serve, daemon=True)
        t.start()
        try:
            with h:
                r = h.tool("dns", "demo.test", "--push", check=False)
                must(r.returncode == 1 and "clock" in r.stderr and "ahead of ours" in r.stderr, r.stderr)
        finally:
            shutil.rmtree(h.key_folder, ignore_errors=True)
            listener.close()

    def test_more_domains_than_pushes_at_a_time(self):
        """They wait for each other, and each comes to its turn."""
        primary = Primary()
        h = house(primary.port)
        try:
            with h:
                names = [f"c{i}.demo.test" for i in range(40)]
                h.tool("domain", "add", *names)
                for name in names:
                    h.tool("domain", "set", name, "dns-push", "on")
                wait_for("all have their records", lambda: all(primary.ask(n, "MX") for n in reversed(names)), 120)
        finally:
            end(h, primary)

    def test_a_push_by_itself_that_fails_is_told(self):
        h = house(free_port())
        try:
            with h:
                h.tool("domain", "set", "demo.test", "dns-push", "on")
                wait_for("the journal has it", lambda: h.journal_holds(b"the DNS records of demo.test were not pushed"))
                wait_for("the doctor says so", lambda: "dns-push-failed" in h.tool("doctor", check=False).stdout)
                h.tool("domain", "unset", "demo.test", "dns-push")
                wait_for("and no more when it is not asked for", lambda: "dns-push-failed" not in h.tool("doctor", check=False).stdout)
        finally:
            shutil.rmtree(h.key_folder, ignore_errors=True)

    def test_bad_key_file(self):
        """A key file that cannot be is said before anything starts."""
        folder = tempfile.mkdtemp(prefix="posthorn-test-")
        path = key_file(folder, algorithm="hmac-md5")
        h = House(config=f"dns-update 127.0.0.1@53 {path}\n")
        try:
            try:
                h.start()
            except Failure:
                must("neither hmac-sha256 nor hmac-sha512" in h.log_tail(), h.log_tail())
            else:
                raise Failure("it started")
        finally:
            h.stop(check=False)
            shutil.rmtree(folder, ignore_errors=True)


@unittest.skipUnless(*have("kdig"))
class Nameserver(unittest.TestCase):
    def test_nameserver(self):
        """Our own zone, asked by three foreign programs; rotation of a setting; nameserver killed; odd queries."""
        port = free_port()
        zone = "roll.demo.example"
        name = f"_dmarc.demo.test.{zone}"
        with House(config=f"address 127.0.0.1\nlisten dns 127.0.0.1:{port}\nzone {zone}\n") as h:
            def kdig(*a):
                return subprocess.run(["kdig", "@127.0.0.1", "-p", str(port), *a], stdout=subprocess.PIPE, text=True).stdout

            def ask(qname, kind, tcp=False, **options):
                q = dns.message.make_query(qname, kind, **options)
                return (dns.query.tcp if tcp else dns.query.udp)(q, "127.0.0.1", port=port, timeout=10)
            wait_for("the zone is there", lambda: "v=DMARC1" in kdig("+short", name, "TXT"))
            for tool in (["kdig"], ["dig"]):
                for how in ([], ["+tcp"]):
                    out = subprocess.run(tool + how + ["+short", "@127.0.0.1", "-p", str(port), name, "TXT"], stdout=subprocess.PIPE, text=True).stdout
                    must("dmarc-reports@demo.test" in out, f"{tool} {how}: {out}")
            a = ask(name, "TXT")
            must(a.flags & dns.flags.AA and not a.flags & dns.flags.RA and a.rcode() == 0, "flags")
            must(ask(zone, "NS").answer[0][0].to_text() == "mail.demo.test.", "NS")
            must(ask("nothing." + zone, "A").rcode() == dns.rcode.NXDOMAIN, "NXDOMAIN")
            must(ask("demo.test." + zone, "TXT").rcode() == 0 and ask("demo.test." + zone, "TXT").authority, "an empty name in between is NODATA")
            must(ask("example.com", "A").rcode() == dns.rcode.REFUSED and ask(zone, "AXFR", tcp=True).rcode() == dns.rcode.REFUSED, "REFUSED")
            must("8482" in ask(name, "ANY").to_text(), "ANY is short")
            must(ask(name.replace("dmarc", "DmArC"), "TXT", use_edns=0, payload=4096, want_dnssec=True).question[0].name.to_text().startswith("_DmArC"), "0x20")
            serial = ask(zone, "SOA").answer[0][0].serial
            h.tool("domain", "set", "demo.test", "dmarc", "quarantine")
            wait_for("the record rolls", lambda: "p=quarantine" in kdig("+short", name, "TXT"))
            must(ask(zone, "SOA").answer[0][0].serial > serial, "the serial rises")
            h.kill("nameserver")
            wait_for("nameserver is back with its zone", lambda: "p=quarantine" in kdig("+short", "+retry=0", "+time=1", name, "TXT"))
            # several queries in one connection, in small pieces
            with socket.create_connection(("127.0.0.1", port), timeout=10) as c:
                q = dns.message.make_query(name, "TXT").to_wire()
                stream = (struct.pack(">H", len(q)) + q) * 20
                for i in range(0, len(stream), 7):
                    c.sendall(stream[i:i + 7])
                got = b""
                while got.count(b"dmarc-reports") < 20:
                    part = c.recv(65536)
                    must(part, "the connection ended early")
                    got += part
            with socket.create_connection(("127.0.0.1", port), timeout=20) as c:  # too long a query ends it
                c.sendall(b"\xff\xff" + b"x" * 5000)
                try:
                    must(c.recv(100) == b"", "it is closed")
                except ConnectionResetError:
                    pass
            # noise over UDP: no answer is long, and it goes on answering
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect(("127.0.0.1", port))
                for _ in range(2000):
                    s.send(random.randbytes(random.randrange(1, 200)))
                s.setblocking(False)
                try:
                    while True:
                        must(len(s.recv(65536)) <= 1232, "an answer is too long")
                except BlockingIOError:
                    pass
            must("dmarc-reports" in kdig("+tcp", "+short", name, "TXT"), "it still answers")

    def test_a_crowd(self):
        """Hundreds of connections that say nothing, or say it slowly, cost their own network its connections, and nobody else an
        answer; so does a flood of questions. EDNS options, cookies among them, are passed over."""
        port = free_port()
        name = "_dmarc.demo.test.roll.demo.example"
        with House(config=f"address 127.0.0.1\nlisten dns 127.0.0.1:{port}\nzone roll.demo.example\n") as h:
            query = dns.message.make_query(name, "TXT", options=[dns.edns.GenericOption(10, b"12345678"), dns.edns.GenericOption(65001, b"")])

            def ask(source, tcp=False):
                return (dns.query.tcp if tcp else dns.query.udp)(query, "127.0.0.1", port=port, source=source, timeout=10)
            wait_for("the zone is there", lambda: ask("127.3.0.1").answer)
            crowd = []
            try:
                for i in range(300):
                    c = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=("127.1.0.1", 0))
                    crowd.append(c)
                    if i % 2:
                        with contextlib.suppress(OSError):  # it may be closed already
                            c.sendall(b"\0")  # half of a length, and no more
                must(ask("127.2.0.1", tcp=True).answer, "another network has its connections")
                must(ask("127.1.0.1").answer, "the same network has UDP")
                closed = 0
                for c in crowd:
                    c.settimeout(0.01)
                    try:
                        closed += c.recv(1) == b""
                    except ConnectionResetError:
                        closed += 1
                    except TimeoutError:
                        pass
                must(closed >= 290, f"all but ten are closed, not {closed}")
            finally:
                for c in crowd:
                    c.close()
            wait_for("its connections are free again", lambda: ask("127.1.0.1", tcp=True).answer)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(("127.4.0.1", 0))
                s.settimeout(5)
                wire = query.to_wire()
                for _ in range(50):  # a flood of four thousand, no faster than the socket takes them
                    for _ in range(80):
                        s.sendto(wire, ("127.0.0.1", port))
                    must(ask("127.2.0.1").answer, "another network is answered")
                answers = cut = 0
                s.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    while True:
                        a = s.recv(4096)
                        must(len(a) <= 1232, "an answer is too long")
                        cut += bool(a[2] & 2)
                        answers += 1
                must(cut and answers < 4000, f"it is told to come over TCP, and mostly nothing: {answers}, {cut}")
            must(ask("127.4.0.1", tcp=True).answer, "over TCP it is answered")

    def test_keys_sign_by_our_own_zone(self):
        """The whole circle: keys are made, their records appear in the zone, are seen in the DNS there, and the keys sign."""
        port = free_port()
        with House(resolver=f"127.0.0.1@{port}", config=f"address 127.0.0.1\nlisten dns 127.0.0.1:{port}\nzone demo.test\n") as h:
            def states():
                return sorted((k["selector"], k["state"]) for k in h.tool_json("dkim", "list")[0])
            wait_for("both keys sign", lambda: states() == [("ph-ed-1", "signing"), ("ph-rsa-1", "signing")])
            h.tool("dkim", "rotate", "demo.test")
            wait_for("the successors wait in the other slots", lambda: [s for s in states() if s[1] == "waiting"] ==
                     [("ph-ed-2", "waiting"), ("ph-rsa-2", "waiting")])

            def record(selector):
                q = dns.message.make_query(f"{selector}._domainkey.demo.test", "TXT")
                return dns.query.tcp(q, "127.0.0.1", port=port, timeout=10).to_text()
            for selector in ("ph-rsa-1", "ph-rsa-2", "ph-ed-1", "ph-ed-2"):
                wait_for(f"{selector} is answered", lambda: "v=DKIM1" in record(selector))
