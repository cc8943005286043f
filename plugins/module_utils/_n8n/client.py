# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that all n8n modules share, and n8n's public API behind them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import (
    ApiError,
    Moved,
    StackError,
    Unreachable,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Http

CONNECTION_SPEC: dict[str, Any] = {
    "url": {"type": "str", "default": "http://127.0.0.1:5678"},
    "request_timeout": {"type": "float", "default": 30.0},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "assume_empty_if_unreachable": {"type": "bool", "default": False},
}
KEY_SPEC: dict[str, Any] = {
    "api_key": {"type": "str", "no_log": True},
    "api_key_file": {"type": "path", "no_log": False},
}
LARGEST_PAGE = 250
TOO_LARGE = 413
NO_JSON = "expected JSON, got"
STARTING = re.compile(r"starting up|Cannot (GET|POST|PUT|PATCH|DELETE)", re.IGNORECASE)
# The scope that a call needs, by the method and the path without its ids.
SCOPES_OF_CALLS = (
    (r"(PUT|POST) /workflows/[^/]+/tags", "workflowTags:update"),
    (r"POST /workflows/[^/]+/(publish|activate)", "workflow:activate"),
    (r"POST /workflows/[^/]+/(unpublish|deactivate)", "workflow:deactivate"),
    (r"POST /workflows/[^/]+/(archive|unarchive)", "workflow:delete"),
)
VERBS = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}
KINDS = {"workflows": "workflow", "credentials": "credential", "executions": "execution", "tags": "tag"}


def http(params: Mapping[str, Any], *, read_only: bool, headers: Optional[Mapping[str, str]] = None) -> Http:
    """A transport to the n8n that ``url`` names; check mode does not insist on a server that refuses."""
    if not params["url"].startswith(("http://", "https://")):
        raise StackError(f"url: '{params['url']}' is no address of an n8n; write http://host:port or https://host")
    headers = dict(headers or {})
    return Http(
        params["url"],
        headers=headers,
        timeout=params["request_timeout"],
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        retries=0 if read_only else 3,
        read_only=read_only,
        secrets=[*headers.values(), params.get("password") or ""],
    )


def may_be_unborn(params: Mapping[str, Any], *, read_only: bool) -> bool:
    """Whether an n8n that nobody reaches may be one that this same play would bring up, were it no check run."""
    return read_only and params["assume_empty_if_unreachable"]


def unborn(error: Unreachable, may_be: bool) -> Optional[StackError]:
    """None where n8n is not there yet and need not be, else what is to be told.

    What takes a connection and does not answer is there, and stays as it is.
    """
    if error.nobody and may_be:
        return None
    rest = "start n8n, or correct url" if error.nobody else "look at n8n's log, or raise request_timeout"
    return StackError(f"{error}; {rest}", reachable=False, **error.details)


def read_private(option: str, path: str) -> Optional[str]:
    """What is kept in a file that an option names, or None where there is no file or nothing in it."""
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{option}: {path} cannot be read: {error}") from None


def read_key(path: str) -> Optional[str]:
    return read_private("api_key_file", path)


def write_private(path: str, text: str) -> None:
    """Replace a file in one step; only its owner can read it, at any moment."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StackError(f"{path} cannot be written: {error}") from None


def scope_of(method: str, path: str) -> Optional[str]:
    """The scope that a call of the public API needs, as n8n names it."""
    path = path.removeprefix("/api/v1")
    for pattern, scope in SCOPES_OF_CALLS:
        if re.fullmatch(pattern, f"{method} {path}"):
            return scope
    kind, _slash, rest = path.strip("/").partition("/")
    verb = ("read" if rest else "list") if method == "GET" else VERBS.get(method)
    return f"{KINDS[kind]}:{verb}" if kind in KINDS and verb else None


class TwoOfOneName(StackError):
    """n8n has two of one name, as it has for a moment while one of two runs gives way to the other."""


def born(item: Mapping[str, Any]) -> tuple[str, str]:
    """What puts things into the order in which they were made."""
    return item.get("createdAt") or "", item["id"]


def first_made(live: Iterable[Mapping[str, Any]], name: str, otherwise: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of the things of one name the one that was made first."""
    return min((item for item in live if item["name"] == name), key=born, default=otherwise)


def gave_way(what: str, first_id: str, name: str) -> Moved:
    """What is to be raised when this run has deleted what it made, for another run made one of this name first."""
    return Moved(
        f"{what} '{name}' (id {first_id}) was made in n8n by somebody else while this run made it, and is the only one"
        " now; run again"
    )


def by_name(live: Iterable[Mapping[str, Any]], names: Iterable[str], what: str) -> dict[str, Mapping[str, Any]]:
    """The live things of these names.

    :raises TwoOfOneName: for nobody could tell them apart
    """
    found: dict[str, Mapping[str, Any]] = {}
    names = set(names)
    for item in live:
        name = item["name"]
        if name not in names:
            continue
        if name in found:
            raise TwoOfOneName(
                f"n8n has more than one {what} named '{name}' (ids {found[name]['id']} and {item['id']}); "
                "delete or rename one of them in n8n"
            )
        found[name] = item
    return found


def stranger(url: str, error: ApiError) -> Optional[StackError]:
    """What is to be told where no n8n answers, or none that is ready; else None."""
    starting = STARTING.search(error.server_message)
    if starting and (error.status == 404 or NO_JSON in error.server_message):
        return StackError(
            f"n8n at {url} is still starting; wait until {url}/healthz/readiness answers 200, as the module n8n_owner "
            "does",
            **error.details,
        )
    if NO_JSON in error.server_message:
        return StackError(f"what answers at {url} is no API of n8n ({error}); correct url", **error.details)
    return None


class Api:
    """n8n's public API with one key.

    In check mode an n8n that has no key yet, or that may be unborn and is, is an empty one: ``warnings`` says so, and
    ``has_key`` and ``reachable`` tell which.
    """

    def __init__(self, params: Mapping[str, Any], *, read_only: bool) -> None:
        self.warnings: list[str] = []
        self.url = params["url"].rstrip("/")
        key_file = params["api_key_file"]
        key = params["api_key"] or (read_key(key_file) if key_file else None)
        self._key = "api_key" if params["api_key"] else f"the key in {key_file}"
        self._way_out = (
            "make one in n8n under Settings > n8n API"
            if params["api_key"]
            else "remove the file and let the module n8n_owner make a new one"
        )
        self.has_key = key is not None
        self.reachable = True
        self._may_be_unborn = may_be_unborn(params, read_only=read_only)
        if key is None and not key_file:
            raise StackError("api_key is empty; give the key, or the api_key_file that holds it")
        if key is None and not read_only:
            raise StackError(
                f"api_key_file: {key_file} is not there; let the module n8n_owner make it, or give api_key"
            )
        if key is None:
            self.warnings.append(f"{key_file} is not there yet; n8n is taken to be empty")
        self.http = http(params, read_only=read_only, headers={"X-N8N-API-KEY": key} if key else None)
        self.visitor = http(params, read_only=read_only)  # what is no part of the API never sees the key

    @property
    def missing(self) -> bool:
        return not (self.has_key and self.reachable)

    def list(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Every item of a collection, page by page."""
        if self.missing:
            return []
        items: list[dict[str, Any]] = []
        cursor: Optional[str] = None
        while True:
            query = {"limit": LARGEST_PAGE, **params, **({"cursor": cursor} if cursor else {})}
            try:
                page = self.call("GET", path, params=query)
            except Unreachable as error:
                told = unborn(error, self._may_be_unborn)
                if told is not None:
                    raise told from None
                self.reachable = False
                self.warnings.append(f"{error}; n8n is taken to be empty")
                return []
            if not isinstance(page, Mapping) or not isinstance(page.get("data"), list):
                raise StackError(f"what answers at {self.url} is no n8n: {path} is no listing; correct url")
            items += page["data"]
            cursor = page.get("nextCursor")
            if not cursor:
                return items

    def call(self, method: str, path: str, **kwargs: Any) -> Any:
        """One call of the public API; the decoded answer.

        :raises ApiError: with the way out where the key is to blame
        """
        try:
            return self.http.request(method, f"/api/v1{path}", **kwargs).json
        except ApiError as error:
            raise self._explain(error) from None

    def _explain(self, error: ApiError) -> StackError:
        details = error.details
        if error.status == 401:
            return StackError(f"n8n at {self.url} does not accept {self._key}; {self._way_out}", **details)
        if error.status == 403:
            scope = scope_of(details["method"], details["path"])
            lacks = f"it lacks the scope {scope}" if scope else "it lacks a scope"
            said = "" if error.server_message == "Forbidden" else f" (n8n says: {error.server_message})"
            return StackError(
                f"{self._key} may not {details['method']} {details['path']}, for {lacks}{said}; "
                "make a key with the scopes that the documentation of n8n_owner lists",
                **details,
            )
        told = stranger(self.url, error)
        if told is not None:
            return told
        if error.status == TOO_LARGE:
            hint = (
                "it is larger than n8n takes at once, which is 16 MiB unless its environment says otherwise "
                "(N8N_PAYLOAD_SIZE_MAX)"
            )
            return ApiError(details["method"], details["path"], error.status, error.server_message, hint)
        listing = details["method"] == "GET" and details["path"].removeprefix("/api/v1/") in KINDS
        if listing and (error.status == 404 or error.status in range(300, 400)):
            return StackError(f"what answers at {self.url} has no API of n8n ({error}); correct url", **details)
        return error
