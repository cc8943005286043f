"""1,000 small migrations against psql with the same files, and a run with nothing to do; prints one table.

Run from the checkout: .venv/bin/python benchmarks/postgres_migration.py HOST:PORT:USER:PASSWORD [FILES]
It makes databases of its own on that server and drops them. psql must be on PATH.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parents[1]
MODULE = """
import json, sys, time
sys.path.insert(0, %r)
import tests.conftest
from tests.support.run_module import run_module
arguments = json.loads(sys.stdin.read())
import ansible_collections.bestviable.planner_memory.plugins.modules.postgres_migration
began = time.monotonic()
run_module("postgres_migration", arguments)
print(time.monotonic() - began)
"""


def write(folder: Path, count: int) -> None:
    for number in range(1, count + 1):
        text = f"CREATE TABLE t{number} (id serial PRIMARY KEY, note varchar(100) NOT NULL, made timestamp);\n"
        text += f"CREATE INDEX i{number} ON t{number} (made DESC);\nINSERT INTO t{number} (note) VALUES ('first');\n"
        (folder / f"{number:04}_table.sql").write_text(text)


@contextlib.contextmanager
def database(login: list[str], name: str) -> Iterator[str]:
    host, port, user, password = login
    admin = psycopg2.connect(host=host, port=port, user=user, password=password, dbname="postgres")
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
            admin.close()


def by_psql(login: list[str], name: str, folder: Path) -> float:
    """One session and, as the module does, one transaction a file."""
    host, port, user, password = login
    script = "".join(f"BEGIN;\n\\i {file}\nCOMMIT;\n" for file in sorted(folder.glob("*.sql")))
    began = time.monotonic()
    subprocess.run(
        ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U", user, "-d", name],
        input=script,
        text=True,
        check=True,
        env={**os.environ, "PGPASSWORD": password},
    )
    return time.monotonic() - began


def by_module(login: list[str], name: str, folder: Path, on_drift: str) -> float:
    host, port, user, password = login
    arguments = {
        "login_host": host,
        "login_port": int(port),
        "login_user": user,
        "login_password": password,
        "login_db": name,
        "directory": str(folder),
        "on_drift": on_drift,
    }
    done = subprocess.run(
        [sys.executable, "-c", MODULE % str(ROOT)],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    login = sys.argv[1].split(":")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder, count)
        with database(login, "benchmark_psql") as name:
            psql = by_psql(login, name, folder)
        print(f"psql, {count} files: {psql:.2f} s")
        for on_drift in ("ignore", "report"):
            with database(login, f"benchmark_{on_drift}") as name:
                first = by_module(login, name, folder, on_drift)
                nothing = min(by_module(login, name, folder, on_drift) for _turn in range(3))
            print(f"module, on_drift {on_drift}: {first:.2f} s, {first / psql:.2f} times psql; again {nothing:.2f} s")


if __name__ == "__main__":
    main()
