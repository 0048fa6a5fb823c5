"""What can be wrong with a graph's operations: unknown, without a kernel, of other times."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from zoo import failures, graph_source, importable, libraries, stale
from zoo.diagnosis import ERROR, NOTE, SEVERITIES, WARNING, Case, Diagnosis
from zoo.errors import ZooError, counted, some
from zoo.graph import called_functions
from zoo.ops import GRAPH_VERSION
from zoo.references import changed_constants
from zoo.registered import registered
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo import protos

_PYTHON = ("EagerPyFunc", "PyFunc", "PyFuncStateless", "NumpyCallback")
_REWRITTEN = {"AccumulateNV2"}
"""Operations that have no kernel because TensorFlow replaces them before it runs a graph."""


def _bodies(case: Case) -> Iterator[tuple[str, protos.NodeDef]]:
    """Yield every node, those of functions too, each with a name for people."""
    if case.model is None:
        return
    for node in case.model.graph.node:
        yield node.name, node
    for function in case.model.graph.library.function:
        for node in function.node_def:
            yield f"{function.signature.name}/{node.name}", node


def _by_op(case: Case) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    library = set(case.view.library)
    for name, node in _bodies(case):
        if node.op not in library:
            found[node.op].append(name)
    return found


def _severity(case: Case, op: str) -> str:
    """Return how bad an operation is that cannot run: only where the outputs need it."""
    if any(case.view.ops[name] == op for name in case.needed):
        return ERROR
    needed = [case.view.nodes[name] for name in case.needed]
    library = case.view.library
    inner = called_functions(case.view.graph, needed) if library else set()
    inside = (node.op == op for name in inner for node in library[name].node_def)
    return ERROR if any(inside) else NOTE


def unregistered(case: Case) -> Iterator[Diagnosis]:
    """Find operations that this TensorFlow does not have."""
    for op, names in sorted(_by_op(case).items()):
        if registered(op) is None:
            where = libraries.home(op)
            origin = f" ({where.name}, {where.since})" if where else ""
            on_path = case.on_path([n for n in case.view.nodes if case.view.ops[n] == op])
            help_ = failures.help_for(op)
            cut = "; else cut it off: zoo convert --to frozen -o an output that does without"
            yield Diagnosis(
                "unregistered_operation", ERROR,
                f"{op} is not in this TensorFlow{origin}: 'Op type not registered'",
                f"{counted(len(names), 'node')}, {names[0]!r} first; {on_path}", help_ + cut,
            )  # fmt: skip


def without_kernel(case: Case) -> Iterator[Diagnosis]:
    """Find operations that are registered and cannot run."""
    for op, names in sorted(_by_op(case).items()):
        known = registered(op)
        if known is None or known.runs or op in _REWRITTEN:
            continue
        on_path = case.on_path([n for n in case.view.nodes if case.view.ops[n] == op])
        yield Diagnosis(
            "no_kernel", _severity(case, op),
            f"{op} has no kernel for a CPU: 'No OpKernel was registered', which restoring reports"
            " as 'most likely due to a mismatch between the current graph and the graph from the"
            " checkpoint'",
            f"{counted(len(names), 'node')}, {names[0]!r} first; {on_path}",
            failures.OTHER_OUTPUTS,
        )  # fmt: skip


def refused(case: Case) -> Iterator[Diagnosis]:
    """Find operations that TensorFlow refuses in graphs of this version."""
    producer = case.model.graph.versions.producer if case.model else 0
    for op, names in sorted(_by_op(case).items()):
        known = registered(op)
        if known is not None and known.refused_from is not None and producer >= known.refused_from:
            yield Diagnosis(
                "refused_operation", ERROR,
                f"{op} is refused in graphs from version {known.refused_from} on: 'It has been"
                " removed in version'",
                f"{names[0]!r}, in a graph of version {producer}",
                "the graph says a version that its operations are older than; set"
                f" graph_def.versions.producer to {known.refused_from - 1}",
            )  # fmt: skip


def python_functions(case: Case) -> Iterator[Diagnosis]:
    """Find operations that call Python, which no file holds."""
    ops = _by_op(case)
    names = [name for op in _PYTHON for name in ops.get(op, ())]
    if names:
        yield Diagnosis(
            "python_function", min((_severity(case, op) for op in _PYTHON), key=SEVERITIES.index),
            "the graph calls Python functions of the program that built it, which no file holds:"
            " 'callback pyfunc_0 is not found'",
            some(names), failures.NO_PYTHON,
        )  # fmt: skip


def unknown_attributes(case: Case) -> Iterator[Diagnosis]:
    """Find attributes that this TensorFlow's operations do not have."""
    found = [
        f"{name} ({node.op}): {key}"
        for name, node in _bodies(case)
        for key in stale.unknown_attributes(node)
    ]
    if found:
        yield Diagnosis(
            "unknown_attribute", WARNING,
            "attributes that this TensorFlow does not know, of a newer one or of another library:"
            " it ignores them, older releases say 'NodeDef mentions attr not in Op'",
            some(found, 4), f"zoo convert {case.at} OUT --to FORMAT leaves them out, by name",
        )  # fmt: skip


def newer_producer(case: Case) -> Iterator[Diagnosis]:
    """Find a graph that asks for a newer TensorFlow."""
    wanted = case.model.graph.versions.min_consumer if case.model else 0
    if wanted > GRAPH_VERSION:
        yield Diagnosis(
            "newer_version", ERROR,
            "the graph asks for a newer TensorFlow: 'GraphDef min consumer version above current'",
            f"min_consumer {wanted}, where {GRAPH_VERSION} is here", failures.NEWER_RELEASE,
        )  # fmt: skip


def unparsable_version(case: Case) -> Iterator[Diagnosis]:
    """Find a version of TensorFlow that nobody parses today."""
    stated = case.model.meta_graph.meta_info_def.tensorflow_version if case.model else ""
    if importable.parsable(stated) != stated:
        yield Diagnosis(
            "unparsable_version", ERROR,
            "import_meta_graph parses the version that wrote the graph: 'InvalidVersion'",
            f"{stated!r}", f"zoo convert {case.at} OUT --to checkpoint writes one that it parses",
        )  # fmt: skip


def reference_inputs(case: Case) -> Iterator[Diagnosis]:
    """Find operations that change a constant, as freezing batch normalisation leaves them."""
    if case.format != "frozen":
        return
    try:
        graph, _ = graph_source.read_graph(case.at)
    except ZooError:
        return
    found = changed_constants(View(graph))
    if found:
        yield Diagnosis(
            "reference_input", ERROR,
            "a frozen graph that still changes its constants: import says 'was passed float from"
            " ...:0 incompatible with expected float_ref'",
            f"{some(found, 4)}; {case.on_path(found)}",
            f"zoo run {case.at} works, and so does zoo convert {case.at} OUT --to saved_model",
        )  # fmt: skip


def stale_shapes(case: Case) -> Iterator[Diagnosis]:
    """Find shapes noted by an older release that today's contradicts."""
    found = stale.stale_shapes(case.view.nodes.values())
    if found:
        yield Diagnosis(
            "stale_shapes", ERROR,
            "shapes that an older release noted and today's contradicts: 'has an _output_shapes"
            " attribute inconsistent with the GraphDef'",
            some(found, 3), "remove the attribute _output_shapes of every node; zoo does so itself",
        )  # fmt: skip


QUESTIONS = (
    unregistered, without_kernel, refused, python_functions, unknown_attributes, newer_producer,
    unparsable_version, reference_inputs, stale_shapes,
)  # fmt: skip
