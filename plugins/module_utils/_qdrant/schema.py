# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Qdrant's settings are called, what they take, and which server was the first to know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

Version = tuple[int, int]
# The first server that could add and delete a named vector of a collection that exists.
NAMED_VECTOR_CHANGES: Version = (1, 18)
METADATA: Version = (1, 16)
STRICT_MODE: Version = (1, 13)


@dataclass(frozen=True)
class Setting:
    """One key: what it takes, its bounds or words, and the server that knows it first."""

    kind: str = "any"
    smallest: Optional[float] = None
    largest: Optional[float] = None
    words: tuple[str, ...] = ()
    since: Optional[Version] = None
    inner: Optional[Mapping[str, Setting]] = None


def _number(smallest: float = 0, largest: Optional[float] = None, since: Optional[Version] = None) -> Setting:
    return Setting("int", smallest, largest, since=since)


def _real(smallest: float, largest: Optional[float] = None, since: Optional[Version] = None) -> Setting:
    return Setting("float", smallest, largest, since=since)


def _switch(since: Optional[Version] = None) -> Setting:
    return Setting("bool", since=since)


def _word(*words: str, since: Optional[Version] = None) -> Setting:
    return Setting("word", words=words, since=since)


# fmt: off
STEMMED = (
    "arabic", "armenian", "danish", "dutch", "english", "finnish", "french", "german", "greek", "hungarian",
    "italian", "norwegian", "portuguese", "romanian", "russian", "spanish", "swedish", "tamil", "turkish",
)
STOPWORDS = (
    "arabic", "azerbaijani", "basque", "bengali", "catalan", "chinese", "danish", "dutch", "english", "finnish",
    "french", "german", "greek", "hebrew", "hinglish", "hungarian", "indonesian", "italian", "japanese", "kazakh",
    "nepali", "norwegian", "portuguese", "romanian", "russian", "slovene", "spanish", "swedish", "tajik", "turkish",
)
# fmt: on
MEMORY = _word("cold", "cached", "pinned", since=(1, 19))
DATATYPE = _word("float32", "float16", "uint8", "turbo4")
HNSW = {
    "m": _number(),
    "ef_construct": _number(4),
    "full_scan_threshold": _number(10),
    "max_indexing_threads": _number(),
    "on_disk": _switch(),
    "payload_m": _number(),
    "inline_storage": _switch((1, 16)),
    "memory": MEMORY,
}
OPTIMIZERS = {
    "deleted_threshold": _real(0, 1),
    "vacuum_min_vector_number": _number(100),
    "default_segment_number": _number(),
    "max_segment_size": _number(1),
    "memmap_threshold": _number(),
    "indexing_threshold": _number(),
    "flush_interval_sec": _number(),
    "max_optimization_threads": _number(),
    "prevent_unoptimized": _switch((1, 17)),
}
WAL = {"wal_capacity_mb": _number(1), "wal_segments_ahead": _number(), "wal_retain_closed": _number(1, since=(1, 16))}
STRICT = {
    "enabled": _switch(),
    **{
        key: _number(1)
        for key in (
            "max_query_limit",
            "max_timeout",
            "search_max_hnsw_ef",
            "upsert_max_batchsize",
            "max_collection_vector_size_bytes",
            "read_rate_limit",
            "write_rate_limit",
            "max_collection_payload_size_bytes",
            "filter_max_conditions",
            "condition_max_size",
        )
    },
    "unindexed_filtering_retrieve": _switch(),
    "unindexed_filtering_update": _switch(),
    "search_allow_exact": _switch(),
    "search_max_oversampling": _real(0),
    "max_points_count": _number(1, since=(1, 14)),
    "multivector_config": Setting("dict", since=(1, 14)),
    "sparse_config": Setting("dict", since=(1, 14)),
    "max_payload_index_count": _number(0, since=(1, 16)),
    "search_max_batchsize": _number(1, since=(1, 18)),
    "max_resident_memory_percent": _number(1, 100, since=(1, 18)),
}
QUANTIZATION = {
    "scalar": Setting(
        "dict",
        inner={"type": _word("int8"), "quantile": _real(0.5, 1), "always_ram": _switch(), "memory": MEMORY},
    ),
    "product": Setting(
        "dict",
        inner={"compression": _word("x4", "x8", "x16", "x32", "x64"), "always_ram": _switch(), "memory": MEMORY},
    ),
    "binary": Setting(
        "dict",
        inner={
            "always_ram": _switch(),
            "encoding": _word("one_bit", "two_bits", "one_and_half_bits", since=(1, 15)),
            "query_encoding": _word("default", "binary", "scalar4bits", "scalar8bits", since=(1, 15)),
            "memory": MEMORY,
        },
    ),
    "turbo": Setting(
        "dict",
        since=(1, 18),
        inner={"bits": _word("bits1", "bits1_5", "bits2", "bits4"), "always_ram": _switch(), "memory": MEMORY},
    ),
}
VECTOR = {
    "size": _number(1, 65536),
    "distance": _word("Cosine", "Dot", "Euclid", "Manhattan"),
    "on_disk": _switch(),
    "hnsw_config": Setting("dict", inner=HNSW),
    "quantization_config": Setting("dict", inner=QUANTIZATION),
    "datatype": DATATYPE,
    "multivector_config": Setting("dict", inner={"comparator": _word("max_sim")}),
    "memory": MEMORY,
}
SPARSE = {
    "index": Setting(
        "dict",
        inner={"full_scan_threshold": _number(), "on_disk": _switch(), "datatype": DATATYPE, "memory": MEMORY},
    ),
    "modifier": _word("none", "idf"),
}
_EVERY_INDEX = {"on_disk": _switch(), "enable_hnsw": _switch((1, 17)), "memory": MEMORY}
_PRINCIPAL = {**_EVERY_INDEX, "is_principal": _switch((1, 11))}
_TENANT = {**_EVERY_INDEX, "is_tenant": _switch((1, 11))}
INDEX_PARAMS: dict[str, dict[str, Setting]] = {
    "bool": _EVERY_INDEX,
    "datetime": _PRINCIPAL,
    "float": _PRINCIPAL,
    "geo": _EVERY_INDEX,
    "integer": {**_PRINCIPAL, "lookup": _switch(), "range": _switch()},
    "keyword": {**_TENANT, "prefix": _switch((1, 19))},
    "text": {
        **_EVERY_INDEX,
        "tokenizer": _word("prefix", "whitespace", "word", "multilingual"),
        "min_token_len": _number(),
        "max_token_len": _number(),
        "lowercase": _switch(),
        "ascii_folding": _switch((1, 16)),
        "phrase_matching": _switch((1, 15)),
        "stopwords": Setting("stopwords", words=STOPWORDS, since=(1, 15)),
        "stemmer": Setting(
            "dict", since=(1, 15), inner={"type": _word("snowball", "none"), "language": _word(*STEMMED)}
        ),
    },
    "uuid": _TENANT,
}


def checked(where: str, given: Any, known: Mapping[str, Setting]) -> dict[str, Any]:
    """A section with every value of its kind; keys without a value are left out.

    :raises StackError: one sentence about the first key or value that the section does not take
    """
    if not isinstance(given, Mapping):
        raise StackError(f"{where} is {given!r}; it is a dictionary of {', '.join(sorted(known))}")
    normal: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise StackError(f"{where} has the unknown key {key!r}; it takes {', '.join(sorted(known))}")
        if value is not None:
            normal[key] = _value(f"{where}.{key}", value, known[key])
    return normal


def _value(where: str, value: Any, setting: Setting) -> Any:
    if setting.kind in ("int", "float"):
        return _bounded(where, value, setting)
    if setting.kind == "bool":
        if isinstance(value, bool):
            return value
        words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        if str(value).lower() not in words:
            raise StackError(f"{where} is {value!r}; it is true or false")
        return words[str(value).lower()]
    if setting.kind == "word":
        if value not in setting.words:
            raise StackError(f"{where} is {value!r}; it is one of {', '.join(setting.words)}")
        return str(value)
    if setting.kind == "stopwords":
        return _stopwords(where, value, setting)
    if setting.kind == "dict":
        if setting.inner is not None:
            return checked(where, value, setting.inner)
        if not isinstance(value, Mapping):
            raise StackError(f"{where} is {value!r}; it is a dictionary")
    return value


def _stopwords(where: str, value: Any, setting: Setting) -> Any:
    """A language, or languages and words of one's own."""
    given = {"languages": [value]} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or {*given} - {"languages", "custom"}:
        raise StackError(f"{where} is {value!r}; it is a language, or a dictionary of languages and custom")
    for key in given:
        listed = [] if given[key] is None else given[key]
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise StackError(f"{where}.{key} is {given[key]!r}; it is a list of texts")
    for language in given.get("languages") or ():
        if language not in setting.words:
            raise StackError(f"{where} has the language {language!r}; it is one of {', '.join(setting.words)}")
    return value


def _bounded(where: str, value: Any, setting: Setting) -> Any:
    whole = setting.kind == "int"
    smallest, largest = setting.smallest or 0, setting.largest
    kind = "whole number" if whole else "number"
    bounds = f"{kind} from {smallest} to {largest}" if largest is not None else f"{kind} of {smallest} or more"
    try:
        number: Any = int(str(value)) if whole else float(value)
    except (TypeError, ValueError):
        number = None
    if number is None or isinstance(value, bool) or number < smallest or (largest is not None and number > largest):
        raise StackError(f"{where} is {value!r}; it is a {bounds}")
    return number


def too_new(where: str, given: Mapping[str, Any], known: Mapping[str, Setting], server: Version) -> Iterable[str]:
    """The declared keys that a server of this version would ignore, each with the version that it takes."""
    for key, value in given.items():
        setting = known[key]
        path = f"{where}.{key}" if where else key
        if setting.since is not None and setting.since > server:
            yield f"{path} (Qdrant {told(setting.since)})"
        elif setting.inner is not None and isinstance(value, Mapping):
            yield from too_new(path, value, setting.inner, server)


def told(version: Version) -> str:
    return ".".join(str(part) for part in version)
