"""Measures how long one message waits for the DNS when every lookup takes 100 ms, side by side with rspamd on the same name server:
SPF in a chain of four (record, include, include, address), two DKIM keys, the DMARC walk; ours also looks up the client's name.
Each message is of a domain that nobody has asked for before. Time is from the last octet of the message to the answer: Posthorn's
is the 250 to DATA (stored, on disk), rspamd's its HTTP answer. Each is told once beforehand of a domain of its own.

    POSTHORN_BUILD=build-release /usr/bin/python3 test/bench/dns_wait.py [--delay 0.1] [--messages 5]

Wants rspamd, openssl, python3-dkim and python3-nacl."""
import argparse
import os
import smtplib
import statistics
import sys
import time

TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TEST, os.path.join(TEST, "peers")]
from dns_rounds_test import Signer, outer_address, reverse  # noqa: E402
from harness.dns_gate import DnsGate  # noqa: E402
from harness.house import House  # noqa: E402
from rspamd import Rspamd  # noqa: E402


def ours(house, address, domain, message):
    with smtplib.SMTP("127.0.0.1", house.port["smtp"], f"client.{domain}", source_address=(address, 0)) as c:
        c.ehlo()
        c.mail(f"bounce@news.{domain}")
        c.rcpt("alice@demo.test")
        began = time.monotonic()
        code, words = c.data(message)
        took = time.monotonic() - began
    if code != 250:
        sys.exit(f"Posthorn says {code} {words}")
    return took


def theirs(rspamd, address, domain, message):
    began = time.monotonic()
    said = rspamd.look(message, ip=address, sender=f"bounce@news.{domain}")["symbols"]
    took = time.monotonic() - began
    missing = {"R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"} - set(said)
    if missing:
        sys.exit(f"rspamd does not say {missing}: {sorted(said)}")
    return took


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--delay", type=float, default=0.1)
    p.add_argument("--messages", type=int, default=5)
    args = p.parse_args()
    address = outer_address() or "127.0.0.1"
    signer, gate = Signer(), DnsGate()
    domains = [f"d{i}.test" for i in range(2 * args.messages + 2)]
    # rspamd has no list of suffixes here that knows .test, so the author's own name has the record
    gate.load("".join(signer.zone(d, address) + f'_dmarc.news.{d} TXT "v=DMARC1; p=reject"\n' for d in domains) +
              f"{reverse(address)} PTR client.d0.test\nclient.d0.test A {address}\n")
    times = {ours: [], theirs: []}
    asked = {ours: [], theirs: []}
    with House(accounts=["alice"], resolver=f"127.0.0.1@{gate.port}") as house, Rspamd(f"127.0.0.1@{gate.port}") as rspamd:
        gate.delay = args.delay
        for i, d in enumerate(domains):
            side, peer = ((ours, house), (theirs, rspamd))[i % 2]
            gate.expect([])
            took = side(peer, address, d, signer.message(d))
            if i >= 2:
                times[side].append(took)
                asked[side].append(len({e[2:] for e in gate.log if e[1] == "asked"}))
        head = " ".join(house.mailbox("alice", what="BODY.PEEK[HEADER]")[-1].decode().split())
        missing = {w for w in ("spf=pass", "dkim=pass", "dmarc=pass") if w not in head}
        if missing:
            sys.exit(f"Posthorn does not say {missing}: {head}")
    gate.stop()
    for side, name in ((ours, "Posthorn"), (theirs, "rspamd")):
        t = times[side]
        print(f"{name}: {statistics.median(t) * 1000:.0f} ms ({min(t) * 1000:.0f} to {max(t) * 1000:.0f}), "
              f"{statistics.median(asked[side]):.0f} questions; {args.delay * 1000:.0f} ms a lookup")


if __name__ == "__main__":
    main()
