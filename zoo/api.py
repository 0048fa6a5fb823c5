"""The functions of `zoo`, as Python programs call them; each is a line over a `Library`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import comparisons, conversions, scans
from zoo.advice import advising
from zoo.alterations import Alterations
from zoo.applying import applied
from zoo.both_sides import Asked
from zoo.contrast import Tolerance
from zoo.cutting import Wanted
from zoo.library import Library
from zoo.renaming import Wishes, rules_of
from zoo.repairs import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zoo.formats import Saved
    from zoo.model import Model


def load(
    ref: str | Path,
    format: str | None = None,  # noqa: A002  (the word users know)
    tags: str | Iterable[str] | None = None,
    architecture: str | None = None,
    graph: str | Path | None = None,
    *,
    rename: Mapping[str, str] | Iterable[str] = (),
    ema: bool = False,
    drop_slots: bool = False,
    trust: bool = False,
) -> Model:
    r"""Return the model that `ref` means: a registered name, a path, or a URL with ``#sha256=``.

    A registered model is fetched first if it is not in the store.  Weights are read when used.

    Parameters
    ----------
    format
        The format to read it in; recognised by its contents if not given.
    tags
        Which MetaGraph of a SavedModel; not needed where only one makes sense.
    architecture
        A graph for weights that come without one, by the name a plugin offers it under.
    graph
        The same as a file: a GraphDef or MetaGraphDef, binary or text.
    rename
        New names for stored weights, before they are attached: what a regular expression matches
        as a whole becomes its replacement, ``{r"vgg_16/(.*)": r"\1"}``, or rules
        ``PATTERN=REPLACEMENT``.
    ema
        Whether each weight is replaced by its exponential moving average.
    drop_slots
        Whether what only an optimizer needs is left out.
    trust
        Whether it may do more than compute when it runs: read and write files, use the network,
        run Python.  It is asked for where it would; ``zoo trust`` says it once for a file.

    Returns
    -------
    Model
        Its ``attached`` is a report of which weights went where, if a graph was attached.

    Raises
    ------
    UnknownNameError
        Nothing has this name, or nothing lies there.
    FormatError
        What lies there is damaged, in no format that is installed, or does not fit the graph.
    """
    wishes = _wishes(architecture, graph, rename, ema, drop_slots)
    library = Library(trust=trust)
    with advising(library, ref):
        return library.open(ref, format=format, wishes=wishes, options={"tags": tags}).model


def _wishes(
    architecture: str | None,
    graph: str | Path | None,
    rename: Mapping[str, str] | Iterable[str],
    ema: bool,
    drop_slots: bool,
) -> Wishes:
    path = None if graph is None else Path(graph)
    return Wishes(architecture, path, rules_of(rename), ema, drop_slots)


def save(
    model: Model,
    path: str | Path,
    format: str,  # noqa: A002  (the word users know)
    **options: Any,
) -> Saved:
    """Write `model` to `path` in `format`, whole or not at all.

    Parameters
    ----------
    options
        What the format takes besides, as ``global_step=1000`` for a checkpoint; ``zoo formats``
        lists them.

    Returns
    -------
    Saved
        Its ``path``, and as ``notes`` a sentence for each thing that had to be changed or left out.

    Raises
    ------
    UnsupportedError
        The format cannot hold the model.
    WriteError, DiskError
        It cannot be written; nothing was left behind.
    """
    return Library().save(model, path, format, options)


def convert(
    ref: str | Path,
    dest: str | Path,
    to: str,
    *,
    inputs: Mapping[str, str] | None = None,
    outputs: Iterable[str] | Mapping[str, str] = (),
    signature: str | None = None,
    architecture: str | None = None,
    graph: str | Path | None = None,
    rename: Mapping[str, str] | Iterable[str] = (),
    ema: bool = False,
    drop_slots: bool = False,
    tags: str | Iterable[str] | None = None,
    apply: Sequence[str] = (),
    shapes: Mapping[str, Sequence[int | None]] | None = None,
    rename_inputs: Mapping[str, str] | None = None,
    rename_outputs: Mapping[str, str] | None = None,
    dtype: str | None = None,
    repairs: Mapping[str, bool] | None = None,
    clear_devices: bool = False,
    force: bool = False,
    verify: bool | Mapping[str, Any] = False,
    trust: bool = False,
    **options: Any,
) -> conversions.Conversion:
    """Write the model that `ref` means to `dest`, in the format `to`.

    Parameters
    ----------
    inputs
        Tensors by the names that the new signature has for them.
    outputs
        Signature outputs or tensors to keep, with what they need; by default all there are.  Given
        by name, they are the outputs of a new signature.
    signature
        The signature whose outputs are kept; with names, what the new one is called.
    architecture, graph, rename, ema, drop_slots
        Which graph the weights belong to, and what becomes of them before; see `load`.
    tags
        Which MetaGraph of a SavedModel is read.
    apply
        Names of changes that plugins offer, made of the model as it was read, in this order.
    shapes
        Other sizes of inputs, by name; None for an open axis.
    rename_inputs, rename_outputs
        New names by the old ones.
    dtype
        What floating weights are stored as, ``"float16"`` or ``"bfloat16"``.
    repairs
        By name of a repair, whether it is made: ``{"dropout": True, "devices": False}``; ``"all"``
        stands for those not named.  The others are made where that is usual.
    clear_devices
        Whether operations are freed of the devices that the source names.
    force
        Whether what is at `dest` is replaced.
    verify
        Whether plain TensorFlow runs what was written, on the same inputs as the source, before it
        is published; that it gives the same bits, with TensorFlow's rewriting of graphs off.  In
        the place of True, how: ``inputs``, values to run with by name in the place of made ones;
        ``rtol`` and ``atol``, by how much numbers may differ.
    trust
        Whether what is run for that may do more than compute; see `load`.
    options
        What the format `to` takes besides; ``zoo formats`` lists them.
    """
    kept: dict[str, Any] = {"clear_devices": clear_devices, "force": force, "options": options}
    kept |= {"apply": apply, "load_options": {"tags": tags}, "verify": _asked(verify)}
    with advising(Library(trust=trust), ref) as library:
        return conversions.convert(
            library,
            ref,
            dest,
            to,
            wanted=Wanted(inputs or {}, outputs, signature),
            wishes=_wishes(architecture, graph, rename, ema, drop_slots),
            altering=Alterations(shapes or {}, rename_inputs or {}, rename_outputs or {}, dtype),
            repairs=Choice(repairs or {}),
            **kept,
        )


def apply(model: Model, *names: str) -> Model:
    """Return `model` changed by the transforms `names` that plugins offer; see `zoo.applying`."""
    return applied(Library().plugins, names, model)[0]


def diff(
    a: str | Path | Model,
    b: str | Path | Model,
    *,
    tags_a: str | Iterable[str] | None = None,
    tags_b: str | Iterable[str] | None = None,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> dict[str, Any]:
    """Return whether two models are the same, and where not, as ``zoo diff --json`` prints it.

    Names and order of nodes make no difference, nor does the format: a variable is what a constant
    is, and a function what its body is.  No weight is held whole, and TensorFlow is not imported.

    Parameters
    ----------
    a, b
        Models, or what `load` takes.
    tags_a, tags_b
        Which MetaGraph of a SavedModel; not needed where only one makes sense.
    rtol, atol
        How far numbers may be apart, ``|a - b| <= atol + rtol * |b|``; by default each bit counts.
    """
    tolerance = Tolerance(rtol, atol)
    return comparisons.diff(Library(), a, b, tags_a=tags_a, tags_b=tags_b, tolerance=tolerance)


def _asked(verify: bool | Mapping[str, Any]) -> Asked | None:
    if isinstance(verify, Mapping):
        return Asked(**verify)
    return Asked() if verify else None


def fetch(ref: str, *, offline: bool = False, trust_first: bool = False) -> Path:
    """Return the path in the store of the model `ref`, a name or URL, fetched if it was not there.

    Parameters
    ----------
    offline
        Whether only this machine is asked.
    trust_first
        Whether a URL may be without ``#sha256=``: what comes first must come ever after.

    Raises
    ------
    FetchError, IntegrityError
        No source gave it, or what came is not what was pinned.
    """
    return Library(offline=offline, trust_first=trust_first).fetch(ref)[1].path


def inspect(ref: str | Path, tags: str | Iterable[str] | None = None) -> dict[str, Any]:
    """Return what is in the model that `ref` means, as ``zoo inspect --json`` prints it."""
    options = {"tags": tags}
    return Library().inspect(ref, options=options)


def scan(ref: str | Path) -> dict[str, Any]:
    """Return what the model that `ref` means would do besides computing.

    That is the document of ``zoo scan --json``.  Its files are looked through, and none is run.
    """
    return scans.scan(Library(), ref)


def list_models(pattern: str = "*") -> list[str]:
    """Return the registered names that match the glob `pattern`, in natural order."""
    return [listed.row.name for listed in Library().catalogue.listed(pattern)]
