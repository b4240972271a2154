"""A clock for tests of what is done in a given time, whatever the machine's speed."""


class HandClock:
    """Stands in for the module `time` where a module looks at the clock, and moves only when it is told to."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def move(self, seconds):
        self.now += seconds
