from __future__ import annotations

from tests.support.compose import docker, run
from tests.support.retired import retire, stack

__all__ = ["docker", "retire", "run", "stack"]
