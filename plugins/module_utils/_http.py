# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP transport: one kept-alive session, safe repeats, and no writes in check mode."""

from __future__ import annotations

import html
import json as jsonlib
import os
import re
import secrets
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import NewConnectionError as NoConnection
    from urllib3.util.retry import Retry
except ImportError as error:
    REQUESTS_IMPORT_ERROR: Optional[ImportError] = error
else:
    REQUESTS_IMPORT_ERROR = None

    class BoundedRetry(Retry):
        """Waits as the server asks, but never so long that a run seems to hang."""

        def get_retry_after(self, response: Any) -> Optional[float]:
            asked = super().get_retry_after(response)
            return None if asked is None else min(asked, LONGEST_WAIT)


from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import (
    ApiError,
    ReadOnlyError,
    StackError,
    Unreachable,
    masked,
)

# The options behind every connection; a module adds its address and its key.
TRANSPORT_SPEC: dict[str, dict[str, Any]] = {
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float", "default": 30.0},
}
SAFE_METHODS = frozenset({"GET", "HEAD"})
REPEATABLE_METHODS = SAFE_METHODS | {"PUT", "DELETE"}
TURNED_AWAY = 429
REPEATABLE_STATUS = (TURNED_AWAY, 502, 503, 504)
LONGEST_MESSAGE = 500
LONGEST_WAIT = 60.0
# What is none of this would be quoted, escaped and so unmasked, in the error of the library that sends it.
SENDABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")

PAGE = re.compile(r"\s*<(!doctype|html|head|title|body|center|h1|pre|p)\b", re.IGNORECASE)
UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<br>\s*&nbsp;[^<]*", re.IGNORECASE | re.DOTALL)
HEAD = re.compile(r"<head\b.*?</head\s*>", re.IGNORECASE | re.DOTALL)
MARK = re.compile(r"<[^>]*>")


def words_of(text: str) -> str:
    """What somebody would read of an answer, on one line: a page without its marks, and any other text as it is."""
    if PAGE.match(text):
        text = UNSEEN.sub(" ", text)
        body = MARK.sub(" ", HEAD.sub(" ", text))
        text = html.unescape(body if body.strip() else MARK.sub(" ", text))
    return " ".join(text.split())


class Answer:
    """What the server said: ``status``, ``headers``, ``text`` and, where it is JSON, ``json``."""

    def __init__(self, method: str, path: str, status: int, headers: Mapping[str, str], text: str) -> None:
        self.method = method
        self.path = path
        self.status = status
        self.headers = headers
        self.text = text

    @property
    def json(self) -> Any:
        """The decoded body.

        :raises ApiError: when the body is not JSON, as while a server is still starting.
        """
        try:
            return jsonlib.loads(self.text)
        except ValueError:
            kind = self.headers.get("Content-Type", "no content type")
            raise ApiError(
                self.method, self.path, self.status, f"expected JSON, got {kind}: {words_of(self.text)[:80]!r}"
            ) from None


def default_explain(body: Any) -> str:
    """The server's own message in the shapes that most servers use."""
    if isinstance(body, Mapping):
        for key in ("message", "error", "detail"):
            if isinstance(body.get(key), str):
                return body[key]
    return "" if body is None else jsonlib.dumps(body)


class Http:
    """A client for one server.

    :param base_url: scheme, host and port, with or without a trailing slash
    :param headers: sent with every request; values of names in ``secrets`` never show in messages
    :param timeout: seconds for connecting and for each read
    :param retries: how often a refused connection or a 429/502/503/504 is tried again, at once and then
        after 1 s, doubling, or as long as ``Retry-After`` says, at most a minute; a POST or PATCH is repeated only
        when it never left this host, when it was turned away with 429, or when it only reads and its status is no
        answer
    :param read_only: refuse every request that could write (check mode)
    :param secrets: strings that are replaced by ``***`` in every message
    :param explain: picks the server's own message out of a decoded error body
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Optional[Mapping[str, str]] = None,
        timeout: float = 10.0,
        validate_certs: bool = True,
        ca_path: Optional[str] = None,
        retries: int = 3,
        read_only: bool = False,
        secrets: Iterable[str] = (),
        explain: Callable[[Any], str] = default_explain,
    ) -> None:
        if REQUESTS_IMPORT_ERROR is not None:
            raise StackError(
                "the Python library requests is missing on the target host; install python3-requests there"
            )
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.read_only = read_only
        self.reads_count = 0
        self.writes_count = 0
        self._secrets = frozenset(secrets)
        self._explain = explain
        self._session = requests.Session()
        self._session.trust_env = False
        for name, value in (headers or {}).items():
            if not SENDABLE.fullmatch(value):
                raise StackError(
                    f"what is to be sent as {name} has a blank at an edge, a line break or a letter that HTTP cannot"
                    " carry; correct it where it is set (a file or a block of YAML often ends in a line break)"
                )
        self._session.headers.update(headers or {})
        self._session.verify = (ca_path or True) if validate_certs else False
        self._patience = BoundedRetry(
            total=retries,
            backoff_factor=0.5,
            status_forcelist=REPEATABLE_STATUS,
            allowed_methods=REPEATABLE_METHODS,
            respect_retry_after_header=True,
            raise_on_status=False,
        )
        adapter = HTTPAdapter(max_retries=self._patience)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    @classmethod
    def from_params(cls, base_url: str, params: Mapping[str, Any], **more: Any) -> Http:
        """What a module's ``TRANSPORT_SPEC`` opens, with ``retries`` where the module offers that too.

        :raises StackError: when a number cannot be meant
        """
        timeout, retries = params["timeout"], params.get("retries", 3)
        if timeout <= 0:
            raise StackError(f"timeout is {timeout}; it is a number of seconds above 0")
        if retries < 0:
            raise StackError(f"retries is {retries}; it is 0 or more")
        if params["validate_certs"] and params["ca_path"] and not os.path.exists(params["ca_path"]):
            raise StackError(f"ca_path is {params['ca_path']!r}, which is not there on the target host")
        certs = {"validate_certs": params["validate_certs"], "ca_path": params["ca_path"]}
        return cls(base_url, timeout=timeout, retries=retries, **certs, **more)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Optional[Mapping[str, Any]] = None,
        expect: Iterable[int] = (200,),
        reads: bool = False,
    ) -> Answer:
        """Send one request.

        :param path: begins with a slash
        :param expect: status codes that are an answer rather than an error
        :param reads: this POST changes nothing on the server (a search, a login), so it is repeated as a GET is
        :raises ApiError: any other status
        :raises Unreachable: no answer
        :raises ReadOnlyError: a write in check mode
        """
        safe = method in SAFE_METHODS or reads
        if self.read_only and not safe:
            raise ReadOnlyError(f"{method} {path}")
        if safe:
            self.reads_count += 1
        else:
            self.writes_count += 1
        busy: set[int] = set()
        if method not in REPEATABLE_METHODS:
            # Who is asked to come again later was turned away before anything was done.
            busy = {*(REPEATABLE_STATUS if safe else (TURNED_AWAY,))} - {*expect}
        patience = self._patience
        try:
            while True:
                response = self._session.request(
                    method, self.base_url + path, json=json, params=params, timeout=self.timeout, allow_redirects=False
                )
                if response.status_code not in busy or not patience.total:
                    break
                patience = patience.increment(method, path, response=response.raw)
                patience.sleep(response.raw)
        except OSError as error:  # every error of the library, and what it says of files of certificates
            unreachable = Unreachable(
                self.mask(f"{method} {self.base_url}{path} got no answer: {_cause(error)}"), url=self.base_url
            )
            unreachable.nobody = isinstance(
                getattr(error.args[0] if error.args else None, "reason", None), NoConnection
            )
            raise unreachable from None
        return self._answer(method, path, response, expect)

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> Answer:
        return self.request("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> Answer:
        return self.request("PUT", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> Answer:
        return self.request("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Answer:
        return self.request("DELETE", path, **kwargs)

    def download(self, path: str, dest: str) -> None:
        """Write what a GET answers to a file, whole or not at all, readable by its owner alone."""
        self.reads_count += 1
        scratch = f"{dest}.part"
        try:
            with self._session.get(
                self.base_url + path, timeout=self.timeout, stream=True, allow_redirects=False
            ) as response:
                if response.status_code != 200:  # the text of an answer that is a file stays unread
                    self._answer("GET", path, response)
                handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(handle, "wb") as file:
                    for block in response.iter_content(1 << 20):
                        file.write(block)
            os.replace(scratch, dest)
        except requests.RequestException as error:
            raise Unreachable(self.mask(f"GET {self.base_url}{path} got no answer: {_cause(error)}")) from None
        except OSError as error:
            raise StackError(f"{dest} cannot be written: {error.strerror}") from None

    def upload(self, path: str, source: str, params: Optional[Mapping[str, Any]] = None) -> Answer:
        """POST a file as the field ``snapshot`` of a form, block by block; never repeated."""
        if self.read_only:
            raise ReadOnlyError(f"POST {path}")
        self.writes_count += 1
        boundary = secrets.token_hex(16)
        try:
            response = self._session.post(
                self.base_url + path,
                params=params,
                data=_form(boundary, source),
                headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
                timeout=self.timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unreachable(self.mask(f"POST {self.base_url}{path} got no answer: {_cause(error)}")) from None
        except OSError as error:
            raise StackError(f"{source} cannot be read: {error.strerror}") from None
        return self._answer("POST", path, response)

    def mask(self, text: str) -> str:
        return masked(text, self._secrets)

    def _answer(self, method: str, path: str, response: Any, expect: Iterable[int] = (200,)) -> Answer:
        """:raises ApiError: when the status is not one that is expected"""
        answer = Answer(method, path, response.status_code, response.headers, response.text)
        if answer.status not in expect:
            error = ApiError(method, path, answer.status, self.mask(self._server_message(answer)))
            error.repeated = bool(getattr(getattr(response.raw, "retries", None), "history", ()))
            raise error
        return answer

    def _server_message(self, answer: Answer) -> str:
        try:
            message = self._explain(jsonlib.loads(answer.text))
        except ValueError:
            message = answer.text
        return words_of(message)[:LONGEST_MESSAGE]


def _form(boundary: str, source: str) -> Iterator[bytes]:
    name = os.path.basename(source).replace('"', "")
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="snapshot"; filename="{name}"\r\n'
    yield f"{head}Content-Type: application/octet-stream\r\n\r\n".encode()
    with open(source, "rb") as file:
        yield from iter(lambda: file.read(1 << 20), b"")
    yield f"\r\n--{boundary}--\r\n".encode()


def _cause(error: BaseException) -> str:
    """The innermost reason, without the object addresses that urllib3 prints around it."""
    reason = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    text = str(reason)
    return text.rsplit(">: ", 1)[-1].rsplit("): ", 1)[-1]
