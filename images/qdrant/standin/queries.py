# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What points are ranked by: from Qdrant's query interface to the engine's queries."""

from __future__ import annotations

from typing import Any, Callable, Optional

import qdrant_edge as edge

from standin import convert
from standin.errors import bad_request, not_in_standin, wrong_input

LookUp = Callable[[Any, Optional[str]], Any]
# The server's own constant of reciprocal rank fusion.
RANK_CONSTANT = 2
DECAYS = {
    "lin_decay": edge.DecayKind.Lin,
    "exp_decay": edge.DecayKind.Exp,
    "gauss_decay": edge.DecayKind.Gauss,
}
OF_ONE = {
    "neg": edge.Expression.Neg,
    "abs": edge.Expression.Abs,
    "sqrt": edge.Expression.Sqrt,
    "exp": edge.Expression.Exp,
    "log10": edge.Expression.Log10,
    "ln": edge.Expression.Ln,
    "acosh": edge.Expression.Acosh,
}
OF_MANY = {
    "sum": edge.Expression.Sum,
    "mult": edge.Expression.Mult,
    "max": edge.Expression.Max,
    "min": edge.Expression.Min,
}


class Scoring:
    """One query of a body: what to rank by, and the points that it names, which are no answer to it.

    :param look_up: gives the stored vector of a point id
    """

    def __init__(self, body: dict[str, Any], look_up: LookUp) -> None:
        self.using: Optional[str] = body.get("using")
        self.limit: int = body.get("limit") or 10
        self.own: list[Any] = []
        self._look_up = look_up
        if body.get("lookup_from"):
            raise not_in_standin("lookup of vectors in another collection")
        asked = body.get("query")
        self.query = None if asked is None else self._query(asked)
        self.filter = convert.excluding(body.get("filter"), self.own)

    def _query(self, asked: Any) -> Any:
        if not isinstance(asked, dict) or "indices" in asked:
            return edge.Query.Nearest(self._vector(asked), self.using)
        kind = next((key for key in asked if key not in ("mmr", "defaults")), "")
        make = getattr(self, f"_{kind}", None)
        if make is None:
            raise not_in_standin(f"query of the form {sorted(asked)}")
        return make(asked)

    def _vector(self, asked: Any) -> Any:
        """A vector as it is given, or that of a point."""
        if isinstance(asked, (int, str)):
            if asked not in self.own:
                self.own.append(asked)
            return self._look_up(asked, self.using)
        if isinstance(asked, dict) and "indices" not in asked:
            raise not_in_standin("inference: a query by a text, an image or an object")
        return convert.vector(asked)

    def _vectors(self, asked: Optional[list[Any]]) -> list[Any]:
        return [self._vector(one) for one in asked or []]

    def _nearest(self, asked: dict[str, Any]) -> Any:
        vector, spread = self._vector(asked["nearest"]), asked.get("mmr")
        if spread is None:
            return edge.Query.Nearest(vector, self.using)
        diversity = 0.5 if spread.get("diversity") is None else spread["diversity"]
        return edge.Mmr(vector, 1 - diversity, spread.get("candidates_limit") or self.limit, self.using)

    def _recommend(self, asked: dict[str, Any]) -> Any:
        given = asked["recommend"]
        positives, negatives = self._vectors(given.get("positive")), self._vectors(given.get("negative"))
        strategy = given.get("strategy") or "average_vector"
        if strategy == "average_vector":
            return edge.Query.Nearest(_average(positives, negatives), self.using)
        if not positives and not negatives:
            raise bad_request("At least one positive or negative vector ID required with this strategy")
        kind = edge.Query.RecommendBestScore if strategy == "best_score" else edge.Query.RecommendSumScores
        return kind(edge.RecommendQuery(positives, negatives), self.using)

    def _discover(self, asked: dict[str, Any]) -> Any:
        given = asked["discover"]
        target = self._vector(given["target"])
        return edge.Query.Discover(edge.DiscoverQuery(target, self._pairs(given.get("context"))), self.using)

    def _context(self, asked: dict[str, Any]) -> Any:
        return edge.Query.Context(edge.ContextQuery(self._pairs(asked["context"])), self.using)

    def _pairs(self, asked: Any) -> list[Any]:
        pairs = asked if isinstance(asked, list) else [] if asked is None else [asked]
        return [edge.ContextPair(self._vector(one["positive"]), self._vector(one["negative"])) for one in pairs]

    def _order_by(self, asked: dict[str, Any]) -> Any:
        return convert.order_by(asked["order_by"])

    def _fusion(self, asked: dict[str, Any]) -> Any:
        return edge.Fusion.Dbsf() if asked["fusion"] == "dbsf" else edge.Fusion.Rrf(RANK_CONSTANT)

    def _rrf(self, asked: dict[str, Any]) -> Any:
        return edge.Fusion.Rrf(asked["rrf"].get("k") or RANK_CONSTANT, asked["rrf"].get("weights"))

    def _sample(self, asked: dict[str, Any]) -> Any:
        return edge.Sample.Random

    def _formula(self, asked: dict[str, Any]) -> Any:
        return edge.Formula(expression(asked["formula"]), asked.get("defaults") or {})


def _average(positives: list[Any], negatives: list[Any]) -> list[float]:
    """Like all of the one and unlike all of the other, as the server reckons it: twice the one less the other."""
    if not positives:
        raise bad_request("Positive vectors should not be empty with `average` strategy")
    if any(not isinstance(one, list) or not one or isinstance(one[0], list) for one in [*positives, *negatives]):
        raise not_in_standin("average of sparse vectors or of multivectors")
    if len({len(one) for one in [*positives, *negatives]}) > 1:
        raise wrong_input("Vector dimension error: vectors of one query have different dimensions")
    mean = _mean(positives)
    return [2 * plus - minus for plus, minus in zip(mean, _mean(negatives))] if negatives else mean


def _mean(vectors: list[list[float]]) -> list[float]:
    return [sum(column) / len(vectors) for column in zip(*vectors)]


def expression(data: Any) -> Any:
    if isinstance(data, str):
        return edge.Expression.Variable(data)
    if not isinstance(data, dict):
        return edge.Expression.Constant(float(data))
    kind, given = next(iter(data.items()))
    if kind in OF_ONE:
        return OF_ONE[kind](expression(given))
    if kind in OF_MANY:
        return OF_MANY[kind]([expression(one) for one in given])
    if kind in DECAYS:
        target = given.get("target")
        where = None if target is None else expression(target)
        return edge.Expression.Decay(
            DECAYS[kind], expression(given["x"]), where, given.get("midpoint"), given.get("scale")
        )
    if kind == "div":
        return edge.Expression.Div(expression(given["left"]), expression(given["right"]), given.get("by_zero_default"))
    if kind == "pow":
        return edge.Expression.Pow(expression(given["base"]), expression(given["exponent"]))
    if kind == "geo_distance":
        return edge.Expression.GeoDistance(convert.geo(given["origin"]), given["to"])
    if kind == "datetime":
        return edge.Expression.Datetime(given)
    if kind == "datetime_key":
        return edge.Expression.DatetimeKey(given)
    return edge.Expression.Condition(convert.condition(data))


def prefetch(data: Any, look_up: LookUp) -> Any:
    if data is None:
        return None
    found = []
    for one in data if isinstance(data, list) else [data]:
        scoring = Scoring(one, look_up)
        found.append(
            edge.Prefetch(
                limit=scoring.limit,
                query=scoring.query,
                prefetches=prefetch(one.get("prefetch"), look_up),
                params=convert.search_params(one.get("params")),
                filter=scoring.filter,
                score_threshold=one.get("score_threshold"),
            )
        )
    return found
