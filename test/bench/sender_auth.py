"""Measures what believing a sender costs, side by side with rspamd in one run: SPF, two DKIM signatures (RSA-2048 and
Ed25519) and DMARC of one message of 20 KB, DNS answers cached. Each side takes the message over its own protocol
(Posthorn over SMTP through the whole house, rspamd over HTTP with every other module off); compared is the processor
time of the process that judges: posthorn-judge, and rspamd's worker. Not part of ./check: figures on a busy machine say
little.

    POSTHORN_BUILD=build-release /usr/bin/python3 test/bench/sender_auth.py [--messages 3000] [--rounds 3]

Wants knot, rspamd, openssl, python3-dkim and python3-nacl; every round goes ours, theirs, and medians are printed."""
import argparse
import base64
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading

TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TEST, os.path.join(TEST, "peers")]
from harness.house import House, children_of, cpu_seconds  # noqa: E402
from knot import Knot  # noqa: E402
from rspamd import Rspamd  # noqa: E402

WORDS = "posthorn letter of the mail river cloud some words that make a text".split()
ZONE = """@ 3600 MX 10 mx
mx 3600 A 203.0.113.5
@ 3600 TXT "v=spf1 ip4:198.51.100.0/24 ip4:127.0.0.1 include:_spf.example.test -all"
_spf 3600 TXT "v=spf1 ip4:203.0.113.0/24 ~all"
_dmarc 3600 TXT "v=DMARC1; p=reject"
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


def theirs(rspamd, message, count):
    def work(n):
        client = rspamd.connect()
        for _ in range(n):
            rspamd.look(message, connection=client)
    workers = children_of(rspamd.process.pid)
    before = sum(map(cpu_seconds, workers))
    done = in_threads(count, work)
    return (sum(map(cpu_seconds, workers)) - before) / done


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--messages", type=int, default=3000)
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="posthorn-bench-") as folder:
        message, zone = sign(folder)
    with Knot(more={"example.test": zone}) as knot, House(accounts=["alice"], resolver=knot.address) as house, \
            Rspamd(knot.address) as rspamd:
        missing = {"R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"} - rspamd.symbols(message)
        if missing:
            sys.exit(f"rspamd does not say {missing}")
        ours(house, message, 200), theirs(rspamd, message, 200)
        head = b" ".join(house.mailbox("alice", what="BODY.PEEK[HEADER]")[0].split()).decode()
        missing = {w for w in ("spf=pass", "dkim=pass", "dmarc=pass") if w not in head}
        if missing:
            sys.exit(f"Posthorn does not say {missing}: {head}")
        pairs = [(ours(house, message, args.messages), theirs(rspamd, message, args.messages // 4)) for _ in range(args.rounds)]
    for a, b in pairs:
        print(f"  {a * 1e6:8.0f} us   {b * 1e6:8.0f} us   {b / a:5.1f} x")
    mine, other = (statistics.median(x) for x in zip(*pairs))
    print(f"judge {mine * 1e6:.0f} us a message ({1 / mine:.0f}/s on one core), rspamd {other * 1e6:.0f} us ({1 / other:.0f}/s): "
          f"{other / mine:.1f} x")


if __name__ == "__main__":
    main()
