"""Under load, every role is killed in turn, twenty times each; then everything at once; then the server is asked to
stop. What was answered 250 is there exactly once, and no client sees more than a temporary no or a line that ends. The house
answers for its own zone, where its keys' records are, so what is submitted is signed all the while."""
import os
import signal
import time
import unittest

from faults.load import Load
from harness.house import ROLES, House, accepts, alive, free_port, wait_for

ROUNDS = int(os.environ.get("POSTHORN_KILL_ROUNDS", "20"))  # times every role


def signing_house():
    """A house whose DNS is itself: its own zone is demo.test, so its keys find their records and sign."""
    port = free_port()
    return House(resolver=f"127.0.0.1@{port}", config=f"address 127.0.0.1\nlisten dns 127.0.0.1:{port}\nzone demo.test\n")


def signs(house):
    return sorted(k["state"] for k in house.tool_json("dkim", "list")[0]) == ["signing", "signing"]


class Killed(unittest.TestCase):
    def test_each_role_in_turn(self):
        roles = ROLES + ["nameserver"]
        with signing_house() as house:
            wait_for("both keys sign", lambda: signs(house))
            kills = 0
            with Load(house, reporters=1, signed=True) as load:
                wait_for("the load runs", lambda: len(load.promised) > 5 and load.reports)
                for _ in range(ROUNDS):
                    for role in roles:
                        before = house.pids(role)
                        self.assertTrue(before, f"no {role} runs")
                        house.kill(role)
                        kills += 1
                        wait_for(f"{role} is started again",
                                 lambda r=role, b=before: [p for p in house.pids(r) if p not in b])
                        kept = len(load.promised)
                        wait_for(f"mail is taken again after {role} died", lambda k=kept: len(load.promised) > k)
                        self.assertIsNone(house.process.poll(), "the supervisor died with it")
                self.assertEqual(kills, ROUNDS * len(roles))
                told = len(load.reports)
                wait_for("reports are taken again", lambda: len(load.reports) > told)
            house.wait_whole()
            self.assertTrue(house.pids("nameserver"))
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
            house.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nSubject: again\r\n\r\nx\r\n")
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
