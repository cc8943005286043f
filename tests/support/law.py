"""The law that every resource keeps, on a live server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

from tests.support.run_module import run_module


@dataclass
class Law:
    """One resource's way through life.

    :param module: the module's short name
    :param create: arguments that make the resource from nothing
    :param update: arguments that differ in at least one field
    :param delete: arguments that remove it, or None where removal is not offered
    :param independent_read: what is really there, read without any code of ours under test
    :param drift: change one field behind the module's back (the state after ``update`` is live)
    :param drift_words: a word that the actions must contain when the drift is mended
    """

    module: str
    create: dict[str, Any]
    independent_read: Callable[[], Any]
    update: Optional[dict[str, Any]] = None
    delete: Optional[dict[str, Any]] = None
    drift: Optional[Callable[[], None]] = None
    drift_words: str = ""

    def hold(self) -> None:
        self._step(self.create)
        if self.update is not None:
            self._step(self.update)
        if self.drift is not None:
            self._mend(self.update or self.create)
        if self.delete is not None:
            self._step(self.delete)

    def _step(self, params: dict[str, Any]) -> None:
        before = self.independent_read()
        predicted = run_module(self.module, params, check=True)
        assert predicted["changed"] is True
        assert self.independent_read() == before, "check mode changed something"
        real = run_module(self.module, params)
        assert real["changed"] is True
        assert real["diff"] == predicted["diff"], "check mode predicted another diff"
        assert real["actions"] == predicted["actions"], "check mode predicted other actions"
        self._again(params)

    def _again(self, params: dict[str, Any]) -> None:
        settled = self.independent_read()
        again = run_module(self.module, params)
        assert again["changed"] is False, again["actions"]
        assert again["actions"] == []
        assert again["diff"]["before"] == again["diff"]["after"]
        assert self.independent_read() == settled, "an unchanged run wrote something"

    def _mend(self, params: dict[str, Any]) -> None:
        wanted = self.independent_read()
        assert self.drift is not None
        self.drift()
        assert self.independent_read() != wanted, "the drift of this test changes nothing"
        mended = run_module(self.module, params)
        assert mended["changed"] is True
        assert any(self.drift_words in words for words in mended["actions"]), mended["actions"]
        self._again(params)
