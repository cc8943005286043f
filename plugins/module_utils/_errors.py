# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors that carry one sentence for the person and facts for the machine."""

from __future__ import annotations

from typing import Any, Iterable, Optional


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced, the longest first, for one may begin like another."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


class StackError(Exception):
    """Something that the person has to know; the message is one sentence.

    Keyword arguments become keys of the failed task's result.
    """

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class Unreachable(StackError):
    """No answer at all: refused, timed out, name unknown, certificate not trusted.

    ``nobody`` says that nothing took the connection, as where the server is not there at all.
    """

    nobody = False


class ReadOnlyError(StackError):
    """A write was attempted in check mode: a defect of this collection, never of the playbook."""

    def __init__(self, attempt: str) -> None:
        super().__init__(f"{attempt} was attempted in check mode; please report this as a defect")


class Moved(StackError):
    """What is to be written is no longer what the plan was made from, and so this step wrote nothing."""


class ReadBackError(StackError):
    """The server accepted every call, and still shows something else than was asked."""


class ApiError(StackError):
    """The server answered, with a status that was not expected.

    ``status`` is the HTTP status code, ``server_message`` the server's own words; ``repeated`` says that the request
    had been sent before, and may have been carried out then.
    """

    repeated = False

    def __init__(
        self, method: str, path: str, status: int, message: str, hint: Optional[str] = None, **details: Any
    ) -> None:
        sentence = f"{method} {path} answered {status}: {message or 'no message'}"
        super().__init__(
            f"{sentence}; {hint}" if hint else sentence, method=method, path=path, status=status, **details
        )
        self.status = status
        self.server_message = message
