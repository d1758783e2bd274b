"""Roles that hang without dying: the supervisor's watch finds them, kills them and mail flows again; one that is slow but lives
is left alone, and so is a whole house that was stopped for a while, as a suspended machine is."""
import contextlib
import os
import signal
import time
import unittest

from faults.load import Load
from harness.house import House, wait_for

STOPPED = os.environ.get("POSTHORN_HANG_ROLES", "judge edge").split()


def said(house, role, words):
    """How often the log says so of this role."""
    with open(house.log_path, errors="replace") as f:
        return sum(1 for line in f if f"{role}." in line and words in line)


class Hangs(unittest.TestCase):
    def test_it_is_replaced(self):
        with House(watch_ms=1000) as house:
            load = Load(house)
            with load:
                for role in STOPPED:
                    before = house.kill(role, signal.SIGSTOP)
                    self.assertTrue(before)
                    wait_for(f"{role} is started again", lambda r=role, b=before: house.pids(r) and
                             not set(house.pids(r)) & set(b))
                    kept = len(load.promised)
                    wait_for(f"mail is taken again after {role} hung", lambda k=kept: len(load.promised) > k)
                    self.assertGreaterEqual(said(house, role, "answered nothing three times in a row"), 1)
                    wait_for("the journal has it", lambda r=role: house.journal_holds(f"{r}.0 (process".encode()))
            house.wait_whole()
            self.assertGreater(load.verify(), 2)

    def test_who_is_slow_lives(self):
        with House(watch_ms=1500) as house:
            pid, = house.pids("judge")
            for n in (1, 2):  # what was counted the first time is forgotten
                os.kill(pid, signal.SIGSTOP)
                try:
                    wait_for("it is missed", lambda n=n: said(house, "judge", "does not answer") >= n)
                finally:
                    os.kill(pid, signal.SIGCONT)
                wait_for("it is back", lambda n=n: said(house, "judge", "answers again") >= n)
            self.assertEqual(house.pids("judge"), [pid])
            self.assertEqual(said(house, "judge", "three times"), 0)
            house.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nSubject: slow\r\n\r\nx\r\n")
            house.wait_mail("bob", 1)

    def test_a_house_that_was_suspended_kills_nobody(self):
        with House(watch_ms=200) as house:
            family = house.family()
            everybody = [house.process.pid] + family
            for _ in range(3):
                for p in everybody:  # the supervisor first: it must not see the others stand
                    os.kill(p, signal.SIGSTOP)
                time.sleep(1)  # this is what is tested: many rounds' time goes by, and no round
                for p in reversed(everybody):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(p, signal.SIGCONT)
                house.tool("status")
            house.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nSubject: awake\r\n\r\nx\r\n")
            house.wait_mail("bob", 1)
            with open(house.log_path, errors="replace") as f:
                self.assertNotIn("three times in a row", f.read())
            for p in family:
                self.assertIn(p, house.family())


if __name__ == "__main__":
    unittest.main()
