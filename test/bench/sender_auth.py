"""Measures what believing a sender costs, side by side with rspamd in one run: SPF, two DKIM signatures (RSA-2048 and
Ed25519) and DMARC of one message of 20 KB, DNS answers cached. Each side takes the message over its own protocol
(Posthorn over SMTP through the whole house, rspamd over HTTP with every other module off); compared is the processor
time of the process that judges: posthorn-judge, and rspamd's worker. Not part of ./check: figures on a busy machine say
little.

    POSTHORN_BUILD=build-release /usr/bin/python3 test/bench/sender_auth.py [--messages 3000] [--rounds 3]

Wants knot, rspamd, openssl, python3-dkim and python3-nacl; every round goes ours, theirs, and medians are printed."""
import argparse
import base64
import http.client
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness.house import House, children_of, cpu_seconds, free_port, wait_for  # noqa: E402

WORDS = "posthorn letter of the mail river cloud some words that make a text".split()
ZONE = """@ 3600 SOA ns post 1 60 60 3600 60
@ 3600 NS ns
ns 3600 A 127.0.0.1
@ 3600 MX 10 mx
mx 3600 A 203.0.113.5
@ 3600 TXT "v=spf1 ip4:198.51.100.0/24 ip4:127.0.0.1 include:_spf.example.test -all"
_spf 3600 TXT "v=spf1 ip4:203.0.113.0/24 ~all"
_dmarc 3600 TXT "v=DMARC1; p=reject"
"""
RSPAMD = """
options {{
  filters = "dkim"; cache_file = "{d}/cache"; tempdir = "{d}"; hs_cache_dir = "{d}"; dbdir = "{d}"; local_addrs = [];
  dns {{ nameserver = ["127.0.0.1:{dns}"]; }}
  explicit_modules = ["spf", "dkim", "dmarc"];
}}
logging {{ type = "file"; filename = "{d}/rspamd.log"; level = "error"; }}
metric {{ name = "default"; actions {{ reject = 1500; }} }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; mime = true; }}
spf {{ }}
dkim {{ trusted_only = false; }}
dmarc {{ }}
modules {{ path = "/usr/share/rspamd/plugins/"; }}
"""


def strings(text):
    return " ".join(f'"{text[i:i + 250]}"' for i in range(0, len(text), 250))


def sign(folder):
    """A message of 20 KB with both signatures, made by a signer that is not ours, and its zone."""
    import dkim
    import nacl.signing
    rsa = os.path.join(folder, "rsa.pem")
    subprocess.run(["openssl", "genrsa", "-out", rsa, "2048"], check=True, stderr=subprocess.DEVNULL)
    public = subprocess.run(["openssl", "rsa", "-in", rsa, "-pubout", "-outform", "der"], check=True, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL).stdout
    ed = nacl.signing.SigningKey.generate()
    rng = random.Random(7)
    body = "\r\n".join(" ".join(rng.choice(WORDS) for _ in range(12)) for _ in range(330))[:19000] + "\r\n"
    head = ("From: Ann <ann@example.test>\r\nTo: Bob <bob@demo.test>\r\nSubject: A message of twenty kilobytes\r\n"
            "Date: Sun, 22 Nov 2026 04:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n\r\n")
    message = (head + body).encode()
    how = {"canonicalize": (b"relaxed", b"relaxed")}
    s1 = dkim.sign(message, b"s1", b"example.test", open(rsa, "rb").read(), **how)
    s2 = dkim.sign(message, b"s2", b"example.test", base64.b64encode(bytes(ed)), signature_algorithm=b"ed25519-sha256", **how)
    zone = ZONE + (f"s1._domainkey 3600 TXT {strings('v=DKIM1; k=rsa; p=' + base64.b64encode(public).decode())}\n"
                   f"s2._domainkey 3600 TXT \"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(ed.verify_key)).decode()}\"\n")
    return s1 + s2 + message, zone


def start_knot(folder, zone, port):
    with open(os.path.join(folder, "zone"), "w") as f:
        f.write(zone)
    conf = os.path.join(folder, "knot.conf")
    with open(conf, "w") as f:
        f.write(f"server:\n    listen: 127.0.0.1@{port}\n    rundir: {folder}\n    udp-workers: 1\n    background-workers: 1\n"
                f"database:\n    storage: {folder}/db\ntemplate:\n  - id: default\n    storage: {folder}\n"
                "zone:\n  - domain: example.test\n    file: zone\n    zonefile-sync: -1\n    journal-content: none\n")
    os.mkdir(os.path.join(folder, "db"))
    return subprocess.Popen(["knotd", "-c", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def in_threads(count, work):
    left = [count // 4] * 4
    threads = [threading.Thread(target=work, args=(n,)) for n in left]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(left)


def ours(house, message, count):
    """Processor seconds of the judge for one message."""
    def work(n):
        client = house.smtp()
        for _ in range(n):
            client.sendmail("ann@example.test", ["alice@demo.test"], message)
        client.quit()
    judge = house.pids("judge")[0]
    before = cpu_seconds(judge)
    done = in_threads(count, work)
    return (cpu_seconds(judge) - before) / done


def ask_rspamd(client, message):
    client.request("POST", "/checkv2", message, {"IP": "198.51.100.9", "From": "<ann@example.test>", "Helo": "mx.example.test",
                                                 "Rcpt": "alice@demo.test"})
    return client.getresponse().read().decode()


def theirs(process, port, message, count):
    def work(n):
        client = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(n):
            ask_rspamd(client, message)
    workers = children_of(process.pid)
    before = sum(map(cpu_seconds, workers))
    done = in_threads(count, work)
    return (sum(map(cpu_seconds, workers)) - before) / done


def up(port):
    try:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        client.request("GET", "/ping")
        return client.getresponse().status == 200
    except OSError:
        return False


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--messages", type=int, default=3000)
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    folder = tempfile.mkdtemp(prefix="posthorn-bench-")
    os.chmod(folder, 0o755)
    processes = []
    try:
        dns, port = free_port(), free_port()
        message, zone = sign(folder)
        processes.append(start_knot(folder, zone, dns))
        with House(accounts=["alice"], resolver=f"127.0.0.1@{dns}") as house:
            conf = os.path.join(folder, "rspamd.conf")
            with open(conf, "w") as f:
                f.write(RSPAMD.format(d=folder, dns=dns, port=port))
            processes.append(subprocess.Popen(["rspamd", "-i", "-f", "-c", conf], stdin=subprocess.DEVNULL,
                                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            wait_for("rspamd answers", lambda: up(port))
            said = ask_rspamd(http.client.HTTPConnection("127.0.0.1", port), message)
            for word in ("R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"):
                if word not in said:
                    sys.exit(f"rspamd does not say {word}: {said}")
            ours(house, message, 200), theirs(processes[-1], port, message, 200)
            results = [b for b in house.mailbox("alice", what="BODY.PEEK[HEADER]")[:1]]
            head = b" ".join(results[0].split())
            for word in (b"spf=pass", b"dkim=pass", b"dmarc=pass"):
                if word not in head:
                    sys.exit(f"Posthorn does not say {word.decode()}: {results[0].decode(errors='replace')}")
            pairs = [(ours(house, message, args.messages), theirs(processes[-1], port, message, args.messages // 4))
                     for _ in range(args.rounds)]
        mine, other = (statistics.median(x) for x in zip(*pairs))
        for a, b in pairs:
            print(f"  {a * 1e6:8.0f} us   {b * 1e6:8.0f} us   {b / a:5.1f} x")
        print(f"judge {mine * 1e6:.0f} us a message ({1 / mine:.0f}/s on one core), rspamd {other * 1e6:.0f} us ({1 / other:.0f}/s): "
              f"{other / mine:.1f} x")
    finally:
        for q in processes:
            q.kill()
            q.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
