"""One signature of a model run on both sides of a conversion, and the outputs compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zoo import ops, plain, plausible
from zoo.errors import DifferenceError, InputError, RunError, some
from zoo.feeds import Checks
from zoo.graph import by_name, called_functions, source, upstream
from zoo.inline import expanded
from zoo.pipelines import GIVERS
from zoo.running import Runner
from zoo.signatures import Signature
from zoo.state import may_change_state
from zoo.trust import trusting
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np

    from zoo import protos
    from zoo.feeds import Feeds
    from zoo.model import Model
    from zoo.plain import Run
    from zoo.specs import TensorSpec
    from zoo.trust import Trust

    Opening = Callable[[], AbstractContextManager[Run]]
    """Opens what was written, anew each time: what a run changes is gone then."""

_RANDOM = ("Random", "Multinomial", "ParameterizedTruncated", "TruncatedNormal", "Uniform")
_SEED = 0


@dataclass(frozen=True)
class Asked:
    """How a conversion is to be verified.

    Attributes
    ----------
    inputs
        Values for inputs, by name, in the place of made ones; or functions that give one for what
        the model says of the input.
    rtol, atol
        How far numbers may differ: by `atol` and `rtol` times what they are.  0: not at all.
    feeds
        What the source is fed besides, by tensor: what a repair made constant.
    moved
        The source's tensors by those of the target that have their values.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    rtol: float = 0.0
    atol: float = 0.0
    feeds: Mapping[str, Any] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)


class Source:
    """The model as it was read, run as it stands."""

    def __init__(self, model: Model) -> None:
        self.meta_graph = plain.as_it_stands(model.meta_graph)
        self.checks = Checks(self.meta_graph.graph_def)
        self.nodes = by_name(self.meta_graph.graph_def)
        self.view = View(self.meta_graph.graph_def, expanded(self.meta_graph.graph_def))
        self._guard = model.guard
        given: dict[str, Any] = {"config": plain.config(), "guard": model.guard}
        self._runner = Runner(self.meta_graph, model.weights, model.assets, **given)

    @property
    def trust(self) -> Trust:
        """How far the model is trusted."""
        return self._guard.trust

    def close(self) -> None:
        """Give its memory back."""
        self._runner.close()

    def run(self, fetches: Sequence[str], feeds: Feeds) -> list[np.ndarray]:
        """Return the values of `fetches`."""
        return self._runner.run(fetches, feeds)

    def reached(self, tensor: str) -> list[protos.NodeDef]:
        """Return the operations that `tensor` needs, those of functions too."""
        graph = self.meta_graph.graph_def
        nodes = [self.nodes[name] for name in upstream(self.nodes, [tensor])]
        called = called_functions(graph, nodes)
        bodies = (f.node_def for f in graph.library.function if f.signature.name in called)
        return [*nodes, *(node for body in bodies for node in body)]


class Comparison:
    """One signature, run on both sides."""

    def __init__(
        self, side: Source, key: str | None, stated: Signature, target: Model, asked: Asked
    ) -> None:
        self.side, self.key, self.asked = side, key, asked
        self.stated = _of_source(stated, asked.moved)
        self.theirs = (target.signatures.get(key) if key is not None else None) or stated
        self.outputs = {name: spec.tensor for name, spec in self.stated.outputs.items()}

    def made(self, opening: Opening) -> tuple[dict[str, float], list[str]]:
        """Return by how much each output differs, and a sentence for what cannot be compared.

        Raises
        ------
        DifferenceError
            An output differs by more than was granted.
        RunError
            A side does not run.
        """
        feeds, ours = self._answered()
        random = self._random(feeds, ours)
        values = {n: v for n, v in feeds.values.items() if n not in self.asked.feeds}
        fed = {self._there(name): value for name, value in values.items()}
        with trusting(self.side.trust), opening() as run:
            there = run(fed, [self._fetched(name) for name in ours])
        differences = {
            self._told(name): self._difference(name, one, other, loose=name in random)
            for (name, one), other in zip(ours.items(), there, strict=True)
        }
        exact = {name: d for name, d in differences.items() if d is not None}
        silent = [self._told(name) for name in self.outputs if name not in ours]
        remarks = [f"the source gives no {some(silent)} for these inputs"] if silent else []
        return exact, [*remarks, *random.values(), *self._effects()]

    def _told(self, name: str) -> str:
        return name if self.key is None else f"{self.key}/{name}"

    def _answered(self) -> tuple[Feeds, dict[str, np.ndarray]]:
        """Return values that the source takes, and what it makes of them.

        An output on a branch that is not taken has no value; the others are taken alone then.
        """
        failure: RunError | InputError | None = None
        for plan in plausible.plans(self.stated):
            try:
                return self._tried(plan, list(self.outputs))
            except (RunError, InputError) as error:
                failure = failure or error
        if failure is not None and len(self.outputs) > 1:
            plan = next(plausible.plans(self.stated))
            able = [name for name in self.outputs if self._gives(plan, name)]
            if able:
                return self._tried(plan, able)
        takes = f", for {some(self.stated.inputs)}" if self.stated.inputs else ""
        reached = (node for one in self.outputs.values() for node in self.side.reached(one))
        fed = {source(spec.tensor) for spec in self.stated.inputs.values()}
        piped = any(node.op in GIVERS and node.name not in fed for node in reached)
        queues = "--repair queues puts placeholders for what gives it its inputs"
        raise RunError(
            f"no values were found on which the source runs{takes}",
            found=(failure.found or failure.problem) if failure else "nothing to run",
            hint=queues if piped else "give some: --input NAME=VALUE",
        ) from failure

    def _gives(self, plan: plausible.Plan, name: str) -> bool:
        try:
            self._tried(plan, [name])
        except (RunError, InputError):
            return False
        return True

    def _tried(self, plan: plausible.Plan, names: list[str]) -> tuple[Feeds, dict[str, np.ndarray]]:
        made = plausible.values(self.side.view, self.stated, plan, _SEED)
        given = {n: self._given(n) for n in self.asked.inputs if n in self.stated.inputs}
        fetches = [self.outputs[name] for name in names]
        values = {**made, **given, **self.asked.feeds}
        feeds = self.side.checks.checked(self.stated, values, fetches)
        return feeds, dict(zip(names, self.side.run(fetches, feeds), strict=True))

    def _given(self, name: str) -> Any:
        value = self.asked.inputs[name]
        return value(self.stated.inputs[name]) if callable(value) else value

    def _random(self, feeds: Feeds, ours: dict[str, np.ndarray]) -> dict[str, str]:
        """Return the outputs that are others at each run, with a sentence on why."""
        drawing = {
            name: sorted({n.op for n in self.side.reached(self.outputs[name]) if _draws(n)})
            for name in ours
        }
        if not any(drawing.values()):
            return {}
        again = self.side.run([self.outputs[name] for name in ours], feeds)
        return {
            name: f"{self._told(name)} is random ({some(drawing[name])}): compared in shape alone"
            for (name, one), other in zip(ours.items(), again, strict=True)
            if drawing[name] and not _same_bits(one, other)
        }

    def _effects(self) -> list[str]:
        """Return a sentence on what a run changes, if anything."""
        nodes = {n.name: n for t in self.outputs.values() for n in self.side.reached(t)}
        changing = [f"{n.op} {name!r}" for name, n in nodes.items() if may_change_state(n)]
        return [f"a run changes state: {some(changing, 3)}"] if changing else []

    def _there(self, tensor: str) -> str:
        """Return the tensor of the target for one that is fed to the source."""
        named = self.theirs.inputs
        names = (name for name, spec in self.stated.inputs.items() if spec.tensor == tensor)
        return next((named[name].tensor for name in names if name in named), tensor)

    def _fetched(self, name: str) -> str:
        named = self.theirs.outputs
        return named[name].tensor if name in named else self.outputs[name]

    def _difference(
        self, name: str, one: np.ndarray, other: np.ndarray, *, loose: bool
    ) -> float | None:
        """Return by how much two values differ, None where only their shapes can be compared."""
        import numpy as np

        one, other = np.asarray(one), np.asarray(other)
        if one.shape != other.shape or one.dtype != other.dtype:
            raise self._differs(name, f"{other.dtype} {list(other.shape)}, where the source gives "
                                f"{one.dtype} {list(one.shape)}")  # fmt: skip
        if loose:
            return None
        worst, how = compared(one, other, self.asked)
        if how:
            raise self._differs(name, how)
        return worst

    def _differs(self, name: str, how: str) -> DifferenceError:
        return DifferenceError(
            f"the output {self._told(name)!r} differs from the source's",
            found=how,
            hint="nothing was published; --rtol and --atol say how much may differ",
        )


def _of_source(stated: Signature, moved: Mapping[str, str]) -> Signature:
    """Return `stated` with the tensors by which the source has the same values."""

    def called(specs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
        """Return `specs` as the source calls them."""
        return {
            name: replace(spec, tensor=moved.get(spec.tensor, spec.tensor))
            for name, spec in specs.items()
        }

    return Signature(called(stated.inputs), called(stated.outputs))


def compared(one: np.ndarray, other: np.ndarray, asked: Asked) -> tuple[float, str]:
    """Return by how much two arrays of one kind differ, and how, where that is not granted."""
    import numpy as np

    if _same_bits(one, other):
        return 0.0, ""
    if one.dtype.kind not in "fciuV":
        return float("inf"), "other values"
    worst = _largest(one, other)
    near = np.allclose(other, one, asked.rtol, asked.atol, equal_nan=True)
    if one.dtype.kind in "iu" and not (asked.rtol or asked.atol):
        near = False  # numpy compares whole numbers as floating ones, of which many are the same
    return worst, "" if near else f"up to {worst:.3g}"


def _draws(node: protos.NodeDef) -> bool:
    """Tell whether `node` gives other values at each run."""
    known = ops.op(node.op)
    return node.op.startswith(_RANDOM) and known is not None and known.stateful


def _same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype == object:
        return bool((one == other).all())
    return one.tobytes() == other.tobytes()


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest gap between two numbers; a number and none are infinitely far apart."""
    import numpy as np

    if one.dtype.kind in "iu":
        gaps = np.maximum(one, other) - np.minimum(one, other)
        return float(gaps.astype(f"u{gaps.dtype.itemsize}").max())  # as what overflowed meant
    wide = complex if one.dtype.kind == "c" else np.float64
    left, right = one.astype(wide), other.astype(wide)
    with np.errstate(invalid="ignore"):
        gaps = np.abs(left - right)
    gaps = np.where(np.isnan(left) != np.isnan(right), np.inf, gaps)
    return float(np.nan_to_num(gaps, nan=0.0, posinf=np.inf).max())
