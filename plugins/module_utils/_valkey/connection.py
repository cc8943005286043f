# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to Valkey that asks a few questions, in its own protocol (RESP 2).

Not the library valkey: it is in no package that role docker brings to a host, and what is needed here is six kinds of
answers over one socket.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable, masked

CONNECTION_SPEC: dict[str, dict[str, Any]] = {
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 6379},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 5.0},
}
LONGEST_LINE, LONGEST_BULK, MOST_ITEMS, DEEPEST = 8192, 4 * 1048576, 100_000, 4
# The first word of an error -> what it means and the way out.
MEANINGS = {
    "NOAUTH": "wants a password; give it in password, with username where it is not the default user's",
    "WRONGPASS": "does not take this username with this password, or the user is disabled; correct them",
    "LOADING": "is still loading its data from disk; ask again when it has",
    "BUSY": "is busy with a script; end it with SCRIPT KILL, or wait",
    "DENIED": "runs in protected mode and takes only connections from its own host; set a password, or turn that off",
}


class Refused(StackError):
    """The server answered with an error; ``code`` is its first word."""

    def __init__(self, message: str, code: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.code = code


class Connection:
    """One connection, which greets before it is believed; :meth:`ask` sends a command and gives the answer."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.place = f"{params['host']}:{params['port']}"
        self._user = params.get("username") or ""
        self._password = params.get("password") or ""
        self._timeout = float(params["timeout"])
        self._refuse_mistakes(params)
        try:
            self._socket = socket.create_connection((params["host"], params["port"]), timeout=self._timeout)
        except ConnectionRefusedError:
            raise self._unreachable("refuses the connection; is Valkey running, and are host and port right?") from None
        except socket.timeout:
            raise self._unreachable(
                f"cannot be connected to within {self._timeout:g} s (timeout); is a firewall between?"
            ) from None
        except OSError as error:
            words = error.strerror or str(error)
            raise self._unreachable(f"cannot be reached: {words}; correct host and port") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._believed = False
        self._deadline = 0.0
        try:
            if self._password:
                self.ask("AUTH", *([self._user] if self._user else []), self._password)
            self.ask("PING")
        except BaseException:
            self.close()
            raise

    def _refuse_mistakes(self, params: Mapping[str, Any]) -> None:
        if not 1 <= int(params["port"]) <= 65535:
            raise StackError(
                f"port is {params['port']}, which is no port; write a number from 1 to 65535, such as 6379"
            )
        if self._timeout <= 0:
            raise StackError(f"timeout is {self._timeout:g}, which is not above 0; write seconds, such as 5")
        if self._user and not self._password:
            raise StackError(f"username is {self._user}, but there is no password; give both, or neither")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def ask(self, *words: str) -> Any:
        """The answer as str, int, None or a list of those.

        :raises Unreachable: when there is none in time
        :raises Refused: when it is an error
        """
        sent = [word.encode("utf-8", "surrogateescape") for word in words]
        line = b"*%d\r\n" % len(sent) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in sent)
        self._deadline = time.monotonic() + self._timeout
        try:
            self._socket.sendall(line)
            answer = self._answer(0)
        except socket.timeout:
            raise self._unreachable(
                f"took the connection and did not answer {words[0]} within {self._timeout:g} s (timeout);"
                " is it Valkey, and is it overloaded?"
            ) from None
        except OSError as error:
            raise self._unreachable(f"broke the connection: {error.strerror or error}") from None
        if isinstance(answer, _Error):
            raise self._refused(words, str(answer))
        self._believed = True
        return answer

    def _answer(self, depth: int) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return _text(rest)
        if kind == b"-":
            return _Error(_text(rest))
        if kind == b":":
            return self._number(rest, line)
        if kind == b"$":
            size = self._number(rest, line)
            return None if size == -1 else self._bulk(size, line)
        if kind == b"*" and depth < DEEPEST:
            size = self._number(rest, line)
            if not -1 <= size <= MOST_ITEMS:
                raise self._strange(line)
            return None if size == -1 else [self._answer(depth + 1) for _item in range(size)]
        raise self._strange(line)

    def _bulk(self, size: int, line: bytes) -> str:
        if not 0 <= size <= LONGEST_BULK:
            raise self._strange(line)
        content = self._read(size + 2)
        if content[-2:] != b"\r\n":
            raise self._strange(line)
        return _text(content[:-2])

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise self._strange(bytes(self._buffer))
            self._receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        content = bytes(self._buffer[:size])
        del self._buffer[:size]
        return content

    def _receive(self) -> None:
        """One question has the timeout as a whole, however many pieces its answer comes in."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        self._socket.settimeout(left)
        piece = self._socket.recv(65536)
        if not piece and self._buffer:
            raise self._strange(bytes(self._buffer))
        if not piece:
            raise self._unreachable("closed the connection without an answer; is it Valkey, and is the port right?")
        self._buffer += piece

    def _number(self, digits: bytes, line: bytes) -> int:
        try:
            return int(digits)
        except ValueError:
            raise self._strange(line) from None

    def _strange(self, line: bytes) -> StackError:
        seen = masked(line[:40].decode("ascii", "replace"), [self._password])
        what = "answered what cannot be understood" if self._believed else "is not Valkey"
        return StackError(f"what answers at {self.place} {what}: it said {seen!r}; correct host and port")

    def _unreachable(self, words: str) -> Unreachable:
        return Unreachable(f"Valkey at {self.place} {words}")

    def _refused(self, words: tuple[str, ...], said: str) -> Refused:
        said = masked(said, [self._password])
        code = said.split(" ", 1)[0].lstrip("-")
        command = words[0] if words[0] in ("AUTH", "PING", "INFO") else " ".join(words[:2])
        if code == "NOPERM":
            who = f"user {self._user or 'default'}"
            allow = command.lower().replace(" ", "|")
            meaning = f"does not let {who} run {command}; let it with ACL SETUSER … +{allow}, or take another user"
        elif code in MEANINGS:
            meaning = MEANINGS[code]
        elif words[0] == "AUTH":
            meaning = f"does not take the password: {said}; leave password out where the server has none"
        else:
            meaning = f"answered {command} with an error: {said}"
        return Refused(f"Valkey at {self.place} {meaning}", code, server_message=said)


class _Error(str):
    """What the server says after a minus."""

    __slots__ = ()


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def latencies(connection: Connection, count: int) -> list[float]:
    """So many times ms from PING to PONG, one after another, over a connection that stands."""
    found = []
    for _ping in range(count):
        began = time.perf_counter()
        connection.ask("PING")
        found.append((time.perf_counter() - began) * 1000)
    return found


def sections(text: Optional[str]) -> dict[str, str]:
    """``INFO`` as a mapping."""
    pairs = (line.split(":", 1) for line in (text or "").splitlines() if ":" in line and not line.startswith("#"))
    return {name: value.strip() for name, value in pairs}
