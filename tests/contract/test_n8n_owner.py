from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.n8n import PASSWORD, Rig, serve
from tests.support.containers import Container, docker
from tests.support.run_module import ModuleFailed, run_module
from tests.support.workflows import rendered

# bcrypt of the password before it, cost 10, as the role takes it.
OWNERS = [
    ("first@example.com", "Canary-first-1", "$2b$10$CanaryCanaryCanaryCanuBz6yKRnepWjn5MtIgN1PsZcICEc4BW."),
    ("second@example.com", "Canary-second-2", "$2b$10$CanaryCanaryCanaryCanulU9FrFrK3aAS.Pr8q7I.FK5LXk30sIq"),
]


def test_a_fresh_n8n_is_predicted_set_up_and_then_left_alone(n8n: Rig) -> None:
    predicted, real, again = n8n.setup
    assert real["changed"] is True
    assert real["diff"] == predicted["diff"]
    assert real["actions"] == predicted["actions"]
    assert again["changed"] is False
    assert stat.S_IMODE(Path(n8n.key_file).stat().st_mode) == 0o600
    assert "canary" not in str(n8n.setup).lower()


def test_a_lost_key_is_replaced_under_its_label(n8n: Rig) -> None:
    lost = Path(n8n.key_file).read_text(encoding="utf-8")
    Path(n8n.key_file).unlink()
    predicted = run_module("n8n_owner", n8n.owner, check=True)
    mended = run_module("n8n_owner", n8n.owner)
    assert mended["diff"] == predicted["diff"]
    assert mended["diff"]["before"] == {"owner": "set up", "api_key": "missing"}
    assert Path(n8n.key_file).read_text(encoding="utf-8") != lost
    assert n8n.sql("SELECT count(*) FROM user_api_keys WHERE label = 'ansible'") == "1"
    assert run_module("n8n_owner", n8n.owner)["changed"] is False


def test_a_refused_key_is_replaced(n8n: Rig) -> None:
    Path(n8n.key_file).write_text("no-key\n", encoding="utf-8")
    mended = run_module("n8n_owner", n8n.owner)
    assert mended["diff"]["before"] == {"owner": "set up", "api_key": "refused"}
    n8n.api("GET", "/workflows?limit=1")


def test_a_wrong_password_is_one_sentence(n8n: Rig, tmp_path: Path) -> None:
    wrong = {**n8n.owner, "password": "Canary-wrong-1", "api_key_file": str(tmp_path / "key")}
    with pytest.raises(ModuleFailed, match=r"password: n8n at .* does not accept it for owner@example.com") as failed:
        run_module("n8n_owner", wrong)
    assert "Canary-wrong-1" not in str(failed.value.result)
    assert not (tmp_path / "key").exists()
    assert PASSWORD not in str(failed.value.result)


def test_an_owner_by_environment_follows_it_and_the_key_stays(
    n8n: Rig, container: Callable[..., Container], tmp_path: Path
) -> None:
    network, *_others = n8n.postgres.inspect()["NetworkSettings"]["Networks"]
    n8n.sql("CREATE DATABASE owned")
    kept = ""
    for email, password, hashed in OWNERS:
        role = {"n8n_owner_email": email, "n8n_owner_password_hash": hashed, "n8n_encryption_key": "contract-owned"}
        given = rendered("{{ n8n_own_environment | combine(n8n_secret_environment) }}", **role)
        given = {name: value for name, value in given.items() if not name.startswith("DB_POSTGRESDB_")}
        before = set(docker("ps", "-q", "--filter", f"network={network}").split())
        url = serve(container, network, **given, DB_POSTGRESDB_DATABASE="owned")
        owner = {"url": url, "email": email, "password": password, "wait_timeout": 400}
        owner |= {"api_key_file": str(tmp_path / "key"), "session_file": str(tmp_path / "session")}
        made = run_module("n8n_owner", owner)
        assert [words.split(" ", 2)[:2] for words in made["actions"]] == ([] if kept else [["make", "the"]])
        assert kept in ("", (tmp_path / "key").read_text(encoding="utf-8"))
        kept = (tmp_path / "key").read_text(encoding="utf-8")
        by_login = {**owner, "api_key_label": email, "api_key_file": str(tmp_path / email)}
        assert run_module("n8n_owner", by_login)["changed"] is True
        (tmp_path / "session").unlink(missing_ok=True)
        (started,) = set(docker("ps", "-q", "--filter", f"network={network}").split()) - before
        docker("rm", "-f", "-v", started)
