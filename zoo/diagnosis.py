"""What ails a model: one form for every finding, and the case that is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo import detect, graph_source, inspection, joining, ranking
from zoo.errors import FormatError, ZooError
from zoo.inline import expanded
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from zoo.formats import Format
    from zoo.model import Model
    from zoo.ranking import End

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
"""What stops a tool, what gives wrong or no answers if one does not know, what is good to know."""


@dataclass(frozen=True)
class Diagnosis:
    """One finding.

    Attributes
    ----------
    name
        A word for it that does not change, ``"missing_shard"``.
    severity
        One of `SEVERITIES`.
    cause
        What is wrong, and what TensorFlow says or does because of it.
    found
        What was there: names, paths, numbers.
    help
        What to do: a command, where there is one.
    """

    name: str
    severity: str
    cause: str
    found: str = ""
    help: str = ""


@dataclass(frozen=True)
class Question:
    """What ``zoo doctor`` asks of every file that it is given.

    Attributes
    ----------
    name
        A word that does not change, ``"quantised-weights"``.
    summary
        One line on what it finds.
    ask
        Returns what ails a case.  Where it has nothing to say, it returns nothing; it does not
        raise for a file that is damaged or of another kind.
    """

    name: str
    summary: str
    ask: Callable[[Case], Iterable[Diagnosis]]


@dataclass
class Case:
    """What lies at `path`, looked at as far as each question needs."""

    path: Path
    forms: Mapping[str, Format]

    @cached_property
    def format(self) -> str:
        """The name of the format that recognises it, empty for none."""
        try:
            found = detect.find(self.path, self.forms)
        except ZooError:
            return ""
        return found.form.name if found else ""

    @cached_property
    def _inspected(self) -> tuple[dict[str, Any] | None, ZooError | None]:
        try:
            return inspection.inspect(self.path, self.forms, {}), None
        except ZooError as error:
            return None, error

    @property
    def facts(self) -> dict[str, Any] | None:
        """The document of ``zoo inspect``, None where there is none."""
        return self._inspected[0]

    @property
    def refusal(self) -> ZooError | None:
        """The error with which looking at it ends, None where it does not."""
        return self._inspected[1]

    @cached_property
    def at(self) -> Path:
        """Where the model lies that `path` means: deeper inside, where `path` is a folder of it."""
        try:
            found = detect.find(self.path, self.forms)
        except ZooError:
            return self.path
        if found is not None:
            return found.path
        return type(self.path)(self.facts["path"]) if self.facts else self.path

    @cached_property
    def model(self) -> Model | None:
        """The model as far as it is there, None where nothing can be read."""
        try:
            found = detect.find(self.path, self.forms)
            if found is None:
                return self._alone()
            if found.form.facts is not None:
                return None  # loading takes long, and its facts say enough
            return found.form.looked_at(found.path, self._tags(found.form, found.path))
        except FormatError:
            return self._alone()
        except ZooError:
            return None

    def _tags(self, form: Format, path: Path) -> dict[str, Any]:
        """Return the tags of the first MetaGraph where nobody can choose one."""
        tag_sets = form.choices(path).get("tags", ()) if form.choices else ()
        usual = [tags for tags in tag_sets if list(tags) in (["serve"], [])]
        return {"tags": (usual or tag_sets)[0]} if len(tag_sets) > 1 else {}

    def _alone(self) -> Model | None:
        if self.facts is None or self.facts["format"] not in ("graph", "meta_graph"):
            return None
        alone = joining.graph_alone(self.at)
        return None if alone is None else alone[0]

    @cached_property
    def view(self) -> View:
        """The graph with its calls expanded; an empty one where there is none."""
        from zoo import protos

        if self.model is None:
            return View(protos.GraphDef())
        try:
            return View(self.model.graph, expanded(self.model.graph))
        except ZooError:
            return View(self.model.graph)

    @cached_property
    def ends(self) -> tuple[list[End], list[End]]:
        """The inputs and outputs, ranked."""
        if self.model is None:
            return [], []
        try:
            return ranking.ranked(self.model.meta_graph, self.view)
        except ZooError:
            return [], []

    @cached_property
    def needed(self) -> set[str]:
        """The nodes that the outputs need."""
        outputs = ranking.best(self.ends[1])
        return self.view.upstream(tensor for end in outputs for tensor in end.tensors)

    def on_path(self, names: list[str]) -> str:
        """Return a clause on whether the outputs need one of the nodes `names`."""
        return "the outputs need it" if self.needed & set(names) else "the outputs do without it"

    @property
    def is_text(self) -> bool:
        """Tell whether it is a graph in text form."""
        return self.at.is_file() and graph_source.is_text(self.at)
