# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors in Qdrant's own shape."""

from __future__ import annotations


class RestError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def collection_not_found(name: str) -> RestError:
    return RestError(404, f"Not found: Collection `{name}` doesn't exist!")


def wrong_input(message: str) -> RestError:
    return RestError(400, f"Wrong input: {message}")


def bad_request(message: str) -> RestError:
    return RestError(400, f"Bad request: {message}")


def format_error(message: str) -> RestError:
    return RestError(400, f"Format error in JSON body: {message}")


def not_in_standin(what: str) -> RestError:
    return RestError(501, f"Not implemented: this stand-in has no {what}; the official server has")
