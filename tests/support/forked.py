"""Run something in a process of its own that can be killed at a chosen moment; a fork costs no imports."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, Optional
from unittest import mock

from tests.support.run_module import ModuleFailed


class Forked:
    """``answer()`` is what the function returned, ``None`` if it was killed, and raises what a module failed with."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid:
            os.close(writer)
            return
        with contextlib.suppress(BaseException):
            os.close(self._reader)
            try:
                told = {"answer": function()}
            except ModuleFailed as error:
                told = {"failed": error.result}
            except Exception as error:  # noqa: BLE001  # told to the other process
                told = {"died": repr(error)}
            os.write(writer, json.dumps(told).encode())
        os._exit(0)

    def answer(self) -> Optional[Any]:
        with os.fdopen(self._reader) as pipe:
            told = pipe.read()
        _pid, status = os.waitpid(self._pid, 0)
        if os.WIFSIGNALED(status):
            assert not told
            return None
        found = json.loads(told)
        if "failed" in found:
            raise ModuleFailed(found["failed"])
        assert "died" not in found, found["died"]
        return found["answer"]


@contextlib.contextmanager
def killed_after(owner: Any, method: str, calls: int) -> Iterator[Callable[[], Any]]:
    """End this process, as by kill -9, as soon as a method has returned for so many times.

    :returns: a context in which calls do not count
    """
    genuine = getattr(owner, method)
    left = calls
    counts = True

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        answer = genuine(*args, **kwargs)
        left -= counts
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    @contextlib.contextmanager
    def paused() -> Iterator[None]:
        nonlocal counts
        counts = False
        try:
            yield
        finally:
            counts = True

    with mock.patch.object(owner, method, counted):
        yield paused
