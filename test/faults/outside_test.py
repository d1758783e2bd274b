"""What the house depends on fails: the DNS says nothing; there are no file descriptors left."""
import socket
import time
import unittest

from harness.house import House, cpu_seconds, wait_for


class DnsDead(unittest.TestCase):
    def test_mail_waits_and_nothing_bounces(self):
        # a socket that takes every question and answers none
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            with House(resolver=f"127.0.0.1@{silent.getsockname()[1]}") as house:
                house.deliver("alice@demo.test", ["x@far.test", "y@further.test"], b"From: alice@demo.test\r\n\r\nx\r\n",
                              service="submissions", user="alice")
                # mail that needs no DNS goes its way meanwhile
                house.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nSubject: local\r\n\r\nx\r\n")
                house.wait_mail("bob", 1)
                queue = house.tool("queue", "list", "--json").stdout
                self.assertIn("far.test", queue)
                self.assertIn("further.test", queue)
                story = wait_for("an attempt was made", lambda: (lambda t: t if "next attempt" in t else None)(
                    house.tool("trace", "x@far.test", check=False).stdout), 120)
                self.assertNotIn("given up", story)
                self.assertEqual(house.mailbox("alice"), [], "a bounce was sent")
                self.assertIn("far.test", house.tool("queue", "list").stdout)


class NoDescriptors(unittest.TestCase):
    def test_accepting_pauses_without_spinning(self):
        limit = 200  # of each process; as root's own ulimit would be
        with House(config="limit edges 1\n", nofile=limit) as house:
            edge = house.pids("edge")[0]
            crowd = []
            try:
                for _ in range(limit + 100):
                    s = socket.socket()
                    s.setblocking(False)
                    s.connect_ex(("127.0.0.1", house.port["smtp"]))
                    crowd.append(s)

                def greeted():
                    n = 0
                    for s in crowd:
                        try:
                            n += bool(s.recv(1, socket.MSG_PEEK))
                        except OSError:
                            pass
                    return n
                wait_for("the edge is full", lambda: greeted() > limit // 2)
                # it settles: nobody new is greeted, and the process sleeps
                count = greeted()
                used = cpu_seconds(edge)
                end = time.monotonic() + 3
                while time.monotonic() < end:
                    time.sleep(0.2)
                self.assertLess(cpu_seconds(edge) - used, 1.0, "the edge spins")
                self.assertLess(greeted(), limit + 1)
                self.assertGreaterEqual(greeted(), count)
            finally:
                for s in crowd:
                    s.close()

            def taken():
                try:
                    house.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nSubject: after\r\n\r\nx\r\n")
                    return True
                except OSError:
                    return False
            wait_for("mail is taken again", taken)
            self.assertEqual(house.pids("edge"), [edge], "the edge died")


if __name__ == "__main__":
    unittest.main()
