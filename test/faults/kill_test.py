"""Under load, every role is killed in turn, twenty times each; then everything at once; then the server is asked to
stop. What was answered 250 is there exactly once, and no client sees more than a temporary no or a line that ends."""
import os
import signal
import time
import unittest

from faults.load import Load
from harness.house import ROLES, House, accepts, alive, wait_for

ROUNDS = int(os.environ.get("POSTHORN_KILL_ROUNDS", "20"))  # times every role


class Killed(unittest.TestCase):
    def test_each_role_in_turn(self):
        with House() as house:
            kills = 0
            with Load(house) as load:
                wait_for("the load runs", lambda: len(load.promised) > 5)
                for _ in range(ROUNDS):
                    for role in ROLES:
                        before = house.pids(role)
                        self.assertTrue(before, f"no {role} runs")
                        house.kill(role)
                        kills += 1
                        wait_for(f"{role} is started again",
                                 lambda r=role, b=before: [p for p in house.pids(r) if p not in b])
                        kept = len(load.promised)
                        wait_for(f"mail is taken again after {role} died", lambda k=kept: len(load.promised) > k)
                        self.assertIsNone(house.process.poll(), "the supervisor died with it")
                self.assertEqual(kills, ROUNDS * len(ROLES))
            house.wait_whole()
            self.assertGreater(load.verify(), 20)
            for role in ("judge", "edge"):
                self.assertIn(role, house.log_tail(400))

    def test_everything_at_once(self):
        """As when the power fails, as far as processes go: the disk keeps what was written."""
        with House() as house:
            load = Load(house)
            with load:
                for _ in range(3):
                    kept = len(load.promised)
                    wait_for("mail is taken", lambda k=kept: len(load.promised) > k + 5)
                    family = house.family()
                    for pid in [house.process.pid] + family:
                        try:
                            os.kill(pid, signal.SIGKILL)
                        except ProcessLookupError:
                            pass
                    house.process.wait()
                    wait_for("all are gone", lambda f=family: not any(alive(p) for p in f))
                    house.start()
            house.wait_whole()
            load.verify()

    def test_when_the_supervisor_dies_nobody_stays(self):
        with House() as house:
            family = house.family()
            self.assertGreaterEqual(len(family), len(ROLES))
            os.kill(house.process.pid, signal.SIGKILL)
            house.process.wait()
            wait_for("the roles end", lambda: not any(alive(p) for p in family))
            house.start()
            house.deliver("a@far.test", ["bob@demo.test"], b"Subject: again\r\n\r\nx\r\n")
            house.wait_mail("bob", 1)

    def test_sigterm_drains(self):
        with House() as house:
            load = Load(house)
            with load:
                wait_for("the load runs", lambda: len(load.promised) > 5)
                idle = house.imap("bob")  # a client that just sits there
                idle.select("INBOX")
                family = house.family()
                since = time.monotonic()
                house.process.terminate()
                self.assertEqual(house.process.wait(15), 0)
                self.assertLess(time.monotonic() - since, 10)
                wait_for("all are gone", lambda: not any(alive(p) for p in family))
                self.assertFalse(any(accepts(p) for p in house.port.values()))
                with self.assertRaises((idle.abort, OSError)):
                    idle.noop()
                    idle.noop()
                house.start()
                kept = len(load.promised)
                wait_for("mail is taken again", lambda: len(load.promised) > kept)
            load.verify()


if __name__ == "__main__":
    unittest.main()
