"""What of a model may run: what was found in it, held against how far it is trusted.

What is judged is what would run: an operation that nothing in a call needs stops nothing, and is
not given to TensorFlow either (`stand_ins`).  The user's own file is asked last, since that takes
reading all of the model.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from zoo import protos, trusted
from zoo.errors import TrustError, ZooError, some
from zoo.graph import by_name
from zoo.scanning import scan
from zoo.stand_ins import barred, without
from zoo.trust import Trust, granted
from zoo.waiting import executed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zoo.findings import Finding


class Guard:
    """What of one model, which must not change, may run.

    Attributes
    ----------
    trust
        How far it is trusted; becomes full where the user's own file says so when it is asked.
    """

    def __init__(self, meta_graph: protos.MetaGraphDef, trust: Trust = Trust.USUAL) -> None:
        self._meta_graph = meta_graph
        self.trust = trust

    @property
    def beyond(self) -> list[Finding]:
        """What was found in the model that it is not trusted with; it is looked at once."""
        if self.trust.is_full:
            return []
        return [one for one in self._found if one.level not in self.trust.levels]

    @cached_property
    def _found(self) -> tuple[Finding, ...]:
        return scan(self._meta_graph)

    def is_trusted(self) -> bool:
        """Tell whether all of the model may run; the user's own file is asked if need be."""
        return not self.beyond or self.is_known()

    def _reads_own_files(self) -> bool:
        """Tell whether the model reads files of its own, whose paths a part of it does not get."""
        return not self.trust.is_full and any(one.level == "assets" for one in self._found)

    def barred(self) -> dict[str, Finding]:
        """Return the nodes of the graph that may not run: by name, what they do or call."""
        return barred(self._meta_graph.graph_def, self.beyond)

    def require_nodes(self, names: Iterable[str], those: Mapping[str, Finding]) -> bool:
        """Check that the nodes `names` may run; tell whether more may than before.

        Parameters
        ----------
        those
            The nodes that may not, as `barred` gave them.

        Raises
        ------
        TrustError
            One may not.
        """
        found = [those[name] for name in names if name in those]
        if found:
            self._require(found)
        return bool(found)

    def refuse_saving(self, ran: Iterable[str]) -> None:
        """Check that the nodes `ran`, which a call asks for, are none of the saver's.

        Raises
        ------
        TrustError
            One is: what a saver may do when it is told to, no call of the model does.
        """
        if not self.trust.is_full and self._savers:
            self.require_nodes(ran, self._savers)

    @cached_property
    def _savers(self) -> dict[str, Finding]:
        found = (one for one in self._found if one.level == "saver")
        return barred(self._meta_graph.graph_def, found)

    def require_call(self, fetches: Iterable[str], feeds: Iterable[str]) -> None:
        """Check that what gives the tensors `fetches` from `feeds` may run.

        Raises
        ------
        TrustError
            It may not.
        """
        those = self.barred()
        watched = those or (not self.trust.is_full and self._savers)
        nodes = by_name(self._meta_graph.graph_def) if watched else {}
        ran = executed(nodes, fetches, feeds)
        self.require_nodes(ran, those)
        self.refuse_saving(ran)

    def require_part(
        self, part: protos.GraphDef, fetches: Iterable[str], feeds: Iterable[str]
    ) -> None:
        """Check that `part`, a graph made of what gives `fetches` from `feeds`, may run.

        Raises
        ------
        TrustError
            It may not.
        """
        if not self.beyond and not self._reads_own_files():
            return
        inner = Guard(_alone(part), self.trust).beyond
        if inner:
            self.require_call(fetches, feeds)  # it knows more of how they are reached
        if inner and not self.trust.is_full:
            self._require(inner)

    def require_whole(self, has: Callable[[str], bool] = bool) -> None:
        """Check that all of the model may run, also what no call needs.

        Parameters
        ----------
        has
            Tells whether TensorFlow has an operation: what it lacks cannot run.

        Raises
        ------
        TrustError
            Some of it may not.
        """
        lacking = {op for op in _operations(self._meta_graph.graph_def) if not has(op)}
        found = [one for one in self.beyond if one.op not in lacking]
        if found:
            self._require(found)

    def _require(self, found: Sequence[Finding]) -> None:
        if not self.is_known():
            raise self._refusal(found)

    def is_known(self) -> bool:
        """Tell whether its user lets it do anything, for once or by the file of what is trusted."""
        self.trust = known(self.trust)
        return self.trust.is_full

    def _refusal(self, found: Sequence[Finding]) -> TrustError:
        first, origin = found[0], self.trust.origin
        told = f"node {first.node!r} ({first.level})"
        if first.path:
            told += f", reached by {' > '.join(first.path)}"
        others = dict.fromkeys(one.node for one in found[1:])
        told += f"; and {some(others, 3)}" if others else ""
        if origin is None:
            hint = "if you know who made it: model.trusted()"
        else:
            ref, told = shlex.quote(origin.ref), told + _older(origin.place)
            hint = (
                f"`zoo scan {ref}` shows what it does; who knows its author lets it, once by"
                f" --trust (in Python trust=True), or for good by `zoo trust {ref}`"
            )
        problem = f"the model is not trusted with {first.op}, which it needs: {first.why}"
        return TrustError(problem, found=told, hint=hint)


def known(trust: Trust) -> Trust:
    """Return `trust`, full where the user's own file has the bytes that the model is of."""
    origin, sha256 = trust.origin, ""
    if trust.is_full or origin is None or not trusted.path().exists():
        return trust
    with suppress(OSError, ZooError):  # what is gone, or cannot be told from others, is unknown
        sha256 = trusted.digest(origin.parts())
    return trust.full() if sha256 and trusted.find(sha256) is not None else trust


def refuse_unless_granted(graph: protos.GraphDef) -> None:
    """Check that `graph`, which Keras opens by itself, may run.

    Raises
    ------
    TrustError
        It does more than compute, and the block that opens it is none of `zoo.trusting`.
    """
    try:
        Guard(_alone(graph), granted()).require_whole()
    except TrustError as error:
        error.hint = "if you know who made it, load it so: with zoo.trusting(): ..."
        raise


def _older(place: str) -> str:
    """Return a clause on an older version of the model at `place`, if one is trusted."""
    known: list[trusted.Trusted] = []
    with suppress(ZooError):
        known = [one for one in trusted.listed() if one.name == place]
    if not known:
        return ""
    return f"; what was trusted under this name on {known[-1].date[:10]} had other bytes"


def harmless(meta_graph: protos.MetaGraphDef, trust: Trust = Trust.USUAL) -> protos.MetaGraphDef:
    """Return `meta_graph` with nothing in it that goes beyond `trust`, to be imported."""
    guard = Guard(meta_graph, trust)
    return without(meta_graph, guard.barred(), guard.beyond)


def _alone(graph: protos.GraphDef) -> protos.MetaGraphDef:
    return protos.MetaGraphDef(graph_def=graph)


def _operations(graph: protos.GraphDef) -> set[str]:
    bodies = (one.node_def for one in graph.library.function)
    return {one.op for one in graph.node} | {one.op for body in bodies for one in body}
