"""How much memory a call takes."""

from __future__ import annotations

import threading

import psutil


class PeakMemory:
    """Largest resident memory while it is open, above that at its start; looked at every ms."""

    def __enter__(self) -> PeakMemory:
        self.process = psutil.Process()
        self.start = self.largest = self.process.memory_info().rss
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.stop.wait(0.001):
            self.largest = max(self.largest, self.process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self.thread.join()
        self.bytes = self.largest - self.start
