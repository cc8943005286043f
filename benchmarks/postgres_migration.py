"""1,000 small migrations against psql with the same files, and a run with nothing to do; prints one table.

Run from the checkout: .venv/bin/python benchmarks/postgres_migration.py HOST:PORT:USER:PASSWORD [FILES [TURNS]]
It makes databases of its own on that server and drops them. psql must be on PATH.

psql is one process with one connection that reads one file after the other, each between BEGIN and COMMIT (what
`psql -1 -f a -f b` runs is one transaction for all, and one psql for each file pays for 1,000 logins). Its time is that
of its process; the module's is that of its main(), and beside it that of its process with all imports. The two take
turns, the first of them changing, each in a database of its own; what is compared are the medians of the turns' ratios.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
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


def by_module(login: list[str], name: str, folder: Path, on_drift: str) -> tuple[float, float]:
    """Seconds in main(), and those of the whole process."""
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
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MODULE % str(ROOT)],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    took = time.monotonic() - began
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return float(done.stdout.splitlines()[-1]), took


def turn(login: list[str], folder: Path, on_drift: str, *, psql_first: bool) -> dict[str, float]:
    found: dict[str, float] = {}

    def psql() -> None:
        with database(login, "benchmark_psql") as name:
            found["psql"] = by_psql(login, name, folder)

    def module() -> None:
        with database(login, f"benchmark_{on_drift}") as name:
            found["main"], found["process"] = by_module(login, name, folder, on_drift)
            found["again"], _process = by_module(login, name, folder, on_drift)

    for run in (psql, module) if psql_first else (module, psql):
        run()
    return found


def main() -> None:
    login = sys.argv[1].split(":")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    turns = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder, count)
        for on_drift in ("report", "ignore"):
            found = []
            for number in range(turns):
                found.append(turn(login, folder, on_drift, psql_first=number % 2 == 0))
                print(" ".join(f"{what} {seconds:.2f}" for what, seconds in found[-1].items()))
            middle = {what: statistics.median(one[what] for one in found) for what in found[0]}
            ratios = sorted(one["main"] / one["psql"] for one in found)
            whole = statistics.median(one["process"] / one["psql"] for one in found)
            print(
                f"on_drift {on_drift}, {count} files: psql {middle['psql']:.2f} s, module {middle['main']:.2f} s,"
                f" {statistics.median(ratios):.2f} times psql (from {ratios[0]:.2f} to {ratios[-1]:.2f}),"
                f" with its imports {whole:.2f} times; again {middle['again']:.2f} s"
            )


if __name__ == "__main__":
    main()
