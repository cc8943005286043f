# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module refuses; snapshots themselves are made in the contract tests."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://qdrant.test:6333"


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"newer_than": "soon"}, "newer_than is 'soon', which is no time; write a number and a unit"),
        ({"keep_for": "5"}, "keep_for is '5', which is no time"),
        ({"keep": 0}, "keep is 0; it is 1 or more"),
        ({"state": "absent"}, "state is absent without name"),
        ({"state": "restored"}, "state is restored with none of them; say one of name, src and location"),
        ({"state": "restored", "name": "a", "location": "file:///b"}, "state is restored with name and location"),
        ({"state": "restored", "src": "/none/such"}, "src is '/none/such', which is no file on the target host"),
        ({"state": "absent", "name": "a", "dest": "/tmp/x"}, "dest stands beside state: absent"),
        ({"dest": "/tmp"}, "dest is '/tmp', which is a folder on the target host; write the name of a file"),
        ({"name": "a/b"}, "name is 'a/b', which is no snapshot's name"),
        ({"collection": "a/b"}, "a collection's name cannot contain '/'"),
    ],
)
@responses.activate
def test_bad_input_is_one_sentence_before_anything_is_contacted(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModuleFailed) as caught:
        run_module("qdrant_snapshot", {"url": BASE, "collection": "c", **params})
    assert sentence in str(caught.value)
    assert len(responses.calls) == 0
