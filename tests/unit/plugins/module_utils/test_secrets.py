from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._secrets import (
    ALPHABET,
    Wanted,
    lengths_of,
    random_text,
    settle,
)


def wanted(*names: str, values: dict[str, str] | None = None, rotate: tuple[str, ...] = ()) -> Wanted:
    return Wanted({name: 32 for name in names}, values or {}, frozenset(rotate))


@pytest.mark.parametrize(
    ("given", "lengths"),
    [
        (["a", "b_2"], {"a": 32, "b_2": 32}),
        ([{"name": "a", "length": 48}, {"name": "b"}], {"a": 48, "b": 32}),
        ({"a": 20, "b": {"length": 64}, "c": None}, {"a": 20, "b": 64, "c": 32}),
        ([], {}),
        ([{"name": "a", "length": "40"}], {"a": 40}),
    ],
)
def test_lengths(given: Any, lengths: dict[str, int]) -> None:
    assert lengths_of(given) == lengths


@pytest.mark.parametrize(
    "given",
    [
        *(["no-dash"], [{"length": 3}], [7], {"a": 8}, {"a": 9999}, {"a": True}, {"a": "long"}, {"a": -20}),
        *("postgres_password", 5, [{"name": "a", "lenght": 48}]),
    ],
)
def test_bad_lengths_are_one_sentence(given: Any) -> None:
    with pytest.raises(StackError) as caught:
        lengths_of(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("existing", "wish", "settled"),
    [
        ({}, wanted("a"), {"a": None}),
        ({"a": "old"}, wanted("a", "b"), {"a": "old", "b": None}),
        ({"a": "old"}, wanted(), {"a": "old"}),
        ({}, wanted("a", values={"a": "given"}), {"a": "given"}),
        ({"a": "given"}, wanted("a", values={"a": "given"}), {"a": "given"}),
        ({"a": "old"}, wanted("a", values={"a": ""}), {"a": "old"}),
        ({"a": "old"}, wanted("a", values={"a": "new"}, rotate=("a",)), {"a": "new"}),
        ({}, wanted(values={"extra": "x"}), {"extra": "x"}),
    ],
)
def test_settle(existing: dict[str, str], wish: Wanted, settled: dict[str, Any]) -> None:
    assert settle(existing, wish) == settled


def test_a_secret_in_use_never_changes_silently() -> None:
    with pytest.raises(StackError, match="the value given for a differs from the one in use") as caught:
        settle({"a": "canary-old"}, wanted("a", values={"a": "canary-new"}))
    assert "canary" not in str(caught.value) + str(caught.value.details)


def test_rotating_needs_the_new_value() -> None:
    with pytest.raises(StackError, match="rotate names a, but values has nothing new"):
        settle({"a": "old"}, wanted("a", rotate=("a",)))


def test_random_text_is_letters_and_digits_and_never_the_same() -> None:
    texts = {random_text(40) for _attempt in range(50)}
    assert len(texts) == 50
    assert all(len(text) == 40 and set(text) <= set(ALPHABET) for text in texts)
