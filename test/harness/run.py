"""Runs one file of unittest cases and prints a line a case: @ok NAME, @skip NAME WHY, @FAIL NAME, and the trace of
what failed. Used by ./check; by hand: python3 test/harness/run.py test/clients/send_test.py [CASE...]"""
import importlib.util
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Result(unittest.TestResult):
    @staticmethod
    def name(test):
        return test.id().split(".", 1)[-1] if hasattr(test, "id") else str(test)

    def line(self, state, test, why=""):
        why = " ".join(str(why).split())
        print(f"@{state} {self.name(test).replace(' ', '_')}{' ' + why if why else ''}", flush=True)

    def addSuccess(self, test):
        self.line("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("skip", test, reason)

    def wrong(self, test, err):
        print(self._exc_info_to_string(err, test), flush=True)
        self.line("FAIL", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.wrong(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.wrong(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.wrong(test, err)


def main():
    path = sys.argv[1]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))  # so that houses are taken down
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    if len(sys.argv) > 2:
        wanted = sys.argv[2:]
        suite = unittest.TestSuite(t for s in suite for t in s if any(w in t.id() for w in wanted))
    result = Result()
    suite.run(result)
    return 0 if result.wasSuccessful() else 1


sys.exit(main())
