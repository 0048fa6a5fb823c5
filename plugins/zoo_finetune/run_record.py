"""What a run was made of and what came of it: ``recipe.yaml``, which can be run again.

All options stand at its top, so that the file is a configuration too; what the run found out
itself stands below them, by sections.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import atomic
from zoo.errors import FormatError, UnknownNameError, UsageError, WriteError
from zoo_finetune import fingerprints, recipe_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo_finetune.finetuning import Trained
    from zoo_finetune.recipe import Recipe

NAME = "recipe.yaml"
REPORT = ("report", "report.json", "report.md")
"""What lies beside a record, and is replaced with it."""
_YAML = (".yaml", ".yml")
_PACKAGES = ("zoo", "tensorflow", "keras", "numpy")
_SWITCHES = (
    "CUDA_VISIBLE_DEVICES",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_MAX_CPU_ISA",
    "OMP_NUM_THREADS",
    "TF_DETERMINISTIC_OPS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
_BEGINNING = "# How this model was made; `zoo rebuild` on its folder makes it again.\n"


def record(
    recipe: Recipe,
    base: Mapping[str, Any],
    data: Mapping[str, Any],
    trained: Trained,
    target: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    """Return all that is to be known about a run, ready for YAML.

    Parameters
    ----------
    base
        ``model``, what was trained from (a name, a path), its ``format`` and its ``sha256``, which
        `fingerprints.of_model` gives; the ``tags`` it was opened by, where these were said.
    data
        ``path`` and ``sha256`` of what was learned from, and how many ``examples`` it has.
    target
        ``format`` and ``path`` of the result.
    metrics
        As `metrics.measured` returns them; single numbers are kept.
    """
    numbers = {k: v for k, v in _plain(dict(metrics)).items() if isinstance(v, int | float)}
    facts: dict[str, Any] = _plain(
        {
            **dataclasses.asdict(recipe),
            "base": base,
            "data": data,
            "result": {**target, **_outcome(trained)},
            "made_by": environment(),
            "metrics": numbers,
            "weights": fingerprints.of_weights(trained.model),
        }
    )
    return facts


def write(place: Path, facts: Mapping[str, Any]) -> Path:
    """Write the record `facts` beside the result at `place`, and return its path."""
    import yaml

    path = folder_of(place) / NAME
    text = yaml.safe_dump(dict(facts), sort_keys=False, allow_unicode=True, width=100)
    with atomic.replacing(path) as draft:
        draft.write_text(_BEGINNING + text, encoding="utf-8")
    return path


def load(path: Path, given: Mapping[str, Any] | None = None) -> tuple[Recipe, dict[str, Any]]:
    """Return the recipe at `path`, a file or the folder of a result, and the whole record.

    A recipe that a person wrote is a record with options alone.

    Parameters
    ----------
    given
        Options that count before those of the file.

    Raises
    ------
    UnknownNameError, FormatError, UsageError
        As `recipe_file.read` has them.
    """
    return recipe_file.read(path / NAME if path.is_dir() else path, given)


def folder_of(target: Path) -> Path:
    """Return the folder for what is written about the result at `target`.

    A result that is a folder holds it itself; that of a file or prefix lies beside it.
    """
    return target if target.is_dir() else target.parent


def of_result(target: Path) -> Path:
    """Return the path of the record of the result at `target`, which may be the record itself.

    Raises
    ------
    UnknownNameError
        What lies beside `target` is the record of another result.
    """
    if target.suffix in _YAML or target.is_dir():
        return target
    path = target.parent / NAME
    if path.is_file() and (name := _recorded(path)) != target.name:
        raise UnknownNameError(
            f"there is no record of {target}", found=f"{path} tells of {name or 'no result'}"
        )
    return path


def require_free(target: Path, *, is_folder: bool = False) -> None:
    """Check, before hours of training, that no record of another result is in the way.

    Parameters
    ----------
    is_folder
        Whether the result is to be a folder, which holds its record itself.

    Raises
    ------
    WriteError
        The folder has the record of another model, which could not be rebuilt any more.
    """
    folder = target if is_folder else target.parent
    path = folder / NAME
    if not path.is_file():
        _refuse_strange(() if is_folder else (NAME, *REPORT), folder)
        return
    name = _recorded(path)
    if not name or (name != target.name and not is_folder):
        raise WriteError(
            f"{path} would be replaced",
            found=f"the recipe of {name}" if name else "a recipe that no run wrote",
            hint="give each result a folder of its own",
        )


def _refuse_strange(names: Iterable[str], folder: Path) -> None:
    """Refuse to replace a report beside which there is no record: somebody else wrote it."""
    for name in names:
        if os.path.lexists(folder / name):
            raise WriteError(
                f"{folder / name} would be replaced",
                found="something that no run wrote",
                hint="give each result a folder of its own",
            )


def written_to(path: Path) -> Path | None:
    """Return where the result lay when the record at `path` was written; None if there is none."""
    if not path.is_file() or not _recorded(path):
        return None
    return Path(str(load(path)[1]["result"]["path"]))


def _recorded(path: Path) -> str:
    """Return the name of the result that the record at `path` tells of; empty if of none.

    Folders can be moved: where it was written to does not count.
    """
    try:
        return Path(str(load(path)[1]["result"]["path"])).name
    except (LookupError, TypeError, FormatError, UsageError):
        return ""


def environment() -> dict[str, Any]:
    """Return what decides about the last bits of a result: versions, machine, threads, switches.

    TensorFlow is asked only where it is loaded; 0 threads means that it chooses their number.
    """
    found: dict[str, Any] = {name: _version(name) for name in _PACKAGES}
    found["python"] = platform.python_version()
    found["platform"] = f"{platform.system()} {platform.release()} {platform.machine()}"
    found["processor"] = _processor()
    found["processors"] = _processors()
    found |= _of_tensorflow()
    found["TF_ENABLE_ONEDNN_OPTS"] = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default")
    return found | {name: os.environ[name] for name in _SWITCHES if name in os.environ}


def _of_tensorflow() -> dict[str, Any]:
    tf: Any = sys.modules.get("tensorflow")
    if tf is None:
        return {}
    threading = tf.config.threading
    return {
        "intra_op_threads": threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": threading.get_inter_op_parallelism_threads(),
        "devices": [f"{one.device_type}:{one.name}" for one in tf.config.list_logical_devices()],
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the name of the processor, whose instructions decide about rounding."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _outcome(trained: Trained) -> dict[str, Any]:
    return {
        "epochs": len(trained.epochs),
        "best_epoch": trained.best_epoch,
        "trained_weights": trained.trained_weights,
        "classes": list(trained.classes),
        "features": trained.head.features,
        "logits": trained.head.logits,
    }


def _plain(value: Any) -> Any:
    """Return `value` in the types that YAML knows."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, str | bool | int | float | None):
        return value
    return _plain(value.tolist()) if hasattr(value, "tolist") else str(value)
