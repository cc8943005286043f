"""Workflows name their credentials, and are bound to what has the name."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import publishing
from responses.matchers import json_params_matcher

from tests.support.run_module import ModuleFailed
from tests.unit.plugins.modules.test_n8n_workflow import (
    API,
    PG,
    REGISTERED,
    listing,
    live,
    ordered,
    probe,
    publish,
    run,
    sent,
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "POLL_SECONDS", 0.0)


@ordered
def test_a_deleted_credential_is_noticed_and_the_reference_mended() -> None:
    replaced = {**PG, "id": "c2"}
    listing(live(), credentials=[replaced])
    body = sent()
    body["nodes"][1]["credentials"]["postgres"]["id"] = "c2"
    responses.put(f"{API}/w1", json=live(), match=[json_params_matcher(body)])
    publish()
    probe(REGISTERED)
    mended = live()
    mended["nodes"][1]["credentials"]["postgres"]["id"] = "c2"
    listing(mended, credentials=[replaced])
    assert run("published")["actions"][0] == "update workflow 'w': nodes.PG.credentials.postgres"


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
    credentials = [{**PG, "name": "pg old"}, {**PG, "id": "c2"}]
    listing(live(), credentials=credentials)
    body = sent()
    body["nodes"][1]["credentials"]["postgres"]["id"] = "c2"
    responses.put(f"{API}/w1", json=live(), match=[json_params_matcher(body)])
    publish()
    probe(REGISTERED)
    mended = live()
    mended["nodes"][1]["credentials"]["postgres"]["id"] = "c2"
    listing(mended, credentials=credentials)
    result = run("published")
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
