"""Measures what signing costs, side by side with OpenDKIM in one run: a message of 20 KB, relaxed/relaxed. Compared is the
processor time of the processes that sign. Ours are posthorn-judge and posthorn-keys of a whole house, which give every message that
a user submits both signatures (RSA-2048 and Ed25519); theirs is opendkim as a milter, spoken to directly, with one key at a
time, for it makes one signature of a message. In judge's time is also the rest of what it does for a submitted message.

    POSTHORN_BUILD=build-release /usr/bin/python3 test/bench/sign_opendkim.py [--messages 400] [--rounds 3]

Wants opendkim, openssl and python3-dkim; rounds go ours, theirs, and medians are printed."""
import argparse
import os
import statistics
import sys
import tempfile

TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TEST, os.path.join(TEST, "peers")]
from dkim_test import Keys, Milter  # noqa: E402
from harness.house import House, cpu_seconds, wait_for  # noqa: E402
from harness.sink import Sink  # noqa: E402
from judge_test import Outbound  # noqa: E402

HEAD = ("From: Alice <alice@{d}>\r\nTo: x@far.test\r\nSubject: A message of twenty kilobytes\r\nDate: Sun, 22 Nov 2026 04:00:00 +0000\r\n"
        "Message-ID: <1@{d}>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n")
BODY = "posthorn letter of the mail river cloud some words that make a text\r\n" * 285


def ours(house, sink, count):
    """Processor seconds of judge and of keys for one message."""
    pids = [house.pids(r)[0] for r in ("judge", "keys")]
    message = HEAD.format(d="demo.test") + BODY
    had = len(sink.messages)
    before = [cpu_seconds(p) for p in pids]
    client = house.smtp("submission", "alice")
    for _ in range(count):
        client.sendmail("alice@demo.test", ["x@far.test"], message)
    client.quit()
    wait_for("all have left", lambda: len(sink.messages) == had + count)
    used = [(cpu_seconds(p) - b) / count for p, b in zip(pids, before)]
    if sink.texts()[-1].count(b"DKIM-Signature:") != 2:
        sys.exit("Posthorn did not make both signatures")
    sink.messages[:-1] = [("", [], b"")] * (len(sink.messages) - 1)
    return used


def theirs(milter, count):
    message = (HEAD.format(d="example.org") + BODY).encode()
    before = cpu_seconds(milter.process.pid)
    for _ in range(count):
        signed = milter.sign(message)
    if b"DKIM-Signature:" not in signed[:2000]:
        sys.exit("OpenDKIM did not sign")
    return (cpu_seconds(milter.process.pid) - before) / count


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--messages", type=int, default=400)
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="posthorn-bench-") as folder, Sink() as sink, House(
            accounts=["alice"], config=f"route * 127.0.0.1:{sink.port}\n") as house:
        for selector, kind in (("k1", "rsa"), ("k2", "ed25519")):
            Outbound.key(None, house, selector, kind)
        Outbound.keys_again(None, house)
        keys = Keys(folder)
        milters = []
        for selector in ("r", "e"):
            milters.append(Milter(keys, selector, "relaxed/relaxed"))
            os.unlink(milters[-1].socket)  # we are connected; the next one makes its own
        ours(house, sink, 50)
        rounds = []
        for _ in range(args.rounds):
            rounds.append([*ours(house, sink, args.messages), *(theirs(m, args.messages) for m in milters)])
        for m in milters:
            m.close()
    for r in rounds:
        print("  " + "   ".join(f"{x * 1e6:6.0f} us" for x in r))
    judge, keys_, rsa, ed = (statistics.median(x) * 1e6 for x in zip(*rounds))
    print(f"Posthorn {judge + keys_:.0f} us for both signatures (judge {judge:.0f}, keys {keys_:.0f}); "
          f"OpenDKIM {rsa:.0f} us for one with RSA-2048, {ed:.0f} us for one with Ed25519")


if __name__ == "__main__":
    main()
