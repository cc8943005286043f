"""Workflows name their credentials, and are bound to what has the name."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from responses.matchers import json_params_matcher

from tests.support.run_module import ModuleFailed
from tests.unit.plugins.modules.test_n8n_workflow import (
    API,
    PG,
    REGISTERED,
    listing,
    live,
    looked,
    ordered,
    probe,
    publish,
    run,
    sent,
)

pytestmark = pytest.mark.usefixtures("impatient")


REPLACED = {**PG, "id": "c2"}


def bind_anew(*credentials: dict[str, Any]) -> dict[str, Any]:
    """Run where n8n has these, and the one that is replaced is to be the workflow's."""
    listing(live(), credentials=[*credentials])
    body, mended = sent(), live()
    for item in (body, mended):
        item["nodes"][1]["credentials"]["postgres"]["id"] = REPLACED["id"]
    looked()
    responses.put(f"{API}/w1", json=live(), match=[json_params_matcher(body)])
    publish()
    probe(REGISTERED)
    listing(mended, credentials=[*credentials])
    return run("published")


@ordered
def test_a_deleted_credential_is_noticed_and_the_reference_mended() -> None:
    assert bind_anew(REPLACED)["actions"][0] == "update workflow 'w': nodes.PG.credentials.postgres"


@ordered
@pytest.mark.parametrize("credentials", [[], [PG, {**PG, "id": "c2"}]])
def test_a_credential_that_is_missing_or_ambiguous_stops_before_the_first_write(credentials: Any) -> None:
    listing(credentials=credentials)
    listing(credentials=credentials)
    assert "refers to the postgres credential 'pg'" in str(run("published", check=True)["warnings"])
    with pytest.raises(ModuleFailed, match="workflow 'w', node 'PG' refers to the postgres credential 'pg', and there"):
        run("published")


@ordered
def test_a_credential_that_lost_its_name_to_another_is_bound_anew() -> None:
    result = bind_anew({**PG, "name": "pg old"}, REPLACED)
    assert result["actions"][0] == "update workflow 'w': nodes.PG.credentials.postgres"
    assert result["diff"]["before"] == {"w": {"nodes.PG.credentials.postgres": "pg old"}}


@ordered
@pytest.mark.parametrize("kind", ["postgres", "mySql"])
def test_a_credential_that_lost_its_name_to_nobody_is_missing(kind: str) -> None:
    """In check mode an earlier task may give it its name back, and then nothing is to be done here."""
    for _run in range(2):
        listing(live(), credentials=[{**PG, "name": "pg old" if kind == "postgres" else "pg", "type": kind}])
    predicted = run("published", check=True)
    assert predicted["changed"] is (kind != "postgres")
    assert "'PG' refers to the postgres credential 'pg', and there is none" in predicted["warnings"][0]
    with pytest.raises(ModuleFailed, match="'PG' refers to the postgres credential 'pg', and there is none; create"):
        run("published")


@ordered
def test_a_name_that_the_workflow_remembers_wrongly_is_no_difference() -> None:
    remembered = live()
    remembered["nodes"][1]["credentials"]["postgres"]["name"] = "what it was named once"
    listing(
        remembered,
        {"id": "x", "name": "v", "nodes": []},
        credentials=[PG, {**PG, "id": "c2", "name": "what it was named once"}],
    )
    assert run("published")["changed"] is False
