# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does what was seen match what was expected: paths and matchers, without any I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

MATCHERS = ("equals", "contains", "superset", "keys", "regex", "min", "max", "one_of", "absent")
LONGEST = 160


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


def pick(data: Any, path: str) -> Any:
    """Follow ``a/b/0/c``; keys may contain dots; a key that itself contains slashes (``6379/tcp``) is found too."""
    return _pick(data, [part for part in path.split("/") if part])


def _pick(data: Any, parts: Sequence[str]) -> Any:
    if not parts:
        return data
    if isinstance(data, Mapping):
        for length in range(1, len(parts) + 1):
            key = "/".join(parts[:length])
            if key in data:
                found = _pick(data[key], parts[length:])
                if found is not MISSING:
                    return found
        return MISSING
    if isinstance(data, list) and re.fullmatch(r"-?\d+", parts[0]) and -len(data) <= int(parts[0]) < len(data):
        return _pick(data[int(parts[0])], parts[1:])
    return MISSING


def is_matcher(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and set(value) <= set(MATCHERS)


def mismatch(seen: Any, matcher: Any) -> Optional[str]:
    """None when it matches, else what was wanted in words."""
    if not is_matcher(matcher):
        matcher = {"equals": matcher}
    for name, wanted in matcher.items():
        words = _CHECKS[name](seen, wanted)
        if words:
            return words
    return None


def unmatched(result: Any, expect: Mapping[str, Any]) -> list[str]:
    """Every expectation that does not hold, as ``path: wanted …, seen …``."""
    found = []
    for path, matcher in expect.items():
        seen = pick(result, path)
        words = mismatch(seen, matcher)
        if words:
            found.append(f"{path}: wanted {words}, seen {short(seen)}")
    return found


def short(value: Any) -> str:
    text = value if isinstance(value, str) and value else repr(value)
    text = text.replace("\n", "⏎")
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _equals(seen: Any, wanted: Any) -> str:
    same = seen == wanted and isinstance(seen, bool) == isinstance(wanted, bool)
    return "" if same else short(wanted)


def _contains(seen: Any, wanted: Any) -> str:
    words = f"something with {short(wanted)}"
    if isinstance(seen, str):
        return "" if str(wanted) in seen else words
    return "" if isinstance(seen, (Mapping, list)) and wanted in seen else words


def _superset(seen: Any, wanted: Any) -> str:
    if isinstance(wanted, Mapping):
        if not isinstance(seen, Mapping):
            return f"at least {short(dict(wanted))}"
        lacking: list[Any] = [key for key in wanted if key not in seen or seen[key] != wanted[key]]
    else:
        if not isinstance(seen, (list, Mapping)):
            return f"at least {short(list(wanted))}"
        lacking = [item for item in wanted if item not in seen]
    return f"at least {', '.join(map(short, lacking))}" if lacking else ""


def _keys(seen: Any, wanted: Any) -> str:
    same = isinstance(seen, Mapping) and set(seen) == set(wanted)
    return "" if same else f"exactly {', '.join(map(short, wanted))}"


def _regex(seen: Any, wanted: Any) -> str:
    return "" if seen is not MISSING and re.search(str(wanted), str(seen)) else f"/{wanted}/"


def _number(value: Any) -> Optional[float]:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _min(seen: Any, wanted: Any) -> str:
    number = _number(seen)
    return "" if number is not None and number >= float(wanted) else f"at least {wanted}"


def _max(seen: Any, wanted: Any) -> str:
    number = _number(seen)
    return "" if number is not None and number <= float(wanted) else f"at most {wanted}"


def _one_of(seen: Any, wanted: Any) -> str:
    return "" if any(not _equals(seen, one) for one in wanted) else f"one of {', '.join(map(short, wanted))}"


def _absent(seen: Any, wanted: Any) -> str:
    if bool(wanted) == (seen is MISSING):
        return ""
    return "nothing" if wanted else "anything"


_CHECKS = {
    "equals": _equals,
    "contains": _contains,
    "superset": _superset,
    "keys": _keys,
    "regex": _regex,
    "min": _min,
    "max": _max,
    "one_of": _one_of,
    "absent": _absent,
}
