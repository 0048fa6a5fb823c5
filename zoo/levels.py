"""What an operation does where it stands: the same one may be harmless here and not there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from zoo.findings import LEVELS
from zoo.graph import data_inputs, source
from zoo.name_origins import ASSET, COMPUTED, CONSTANT, FED, SAVER, USUAL_NAME, Origin
from zoo.named_files import NamedFiles
from zoo.op_levels import PURE
from zoo.op_levels import SAVER as OF_SAVERS
from zoo.reaching import LOOSE, RESTORE, SAVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo import protos
    from zoo.name_origins import Origins
    from zoo.op_levels import Judgement
    from zoo.reaching import Program

Said = tuple[str, str]
"""A level, and why."""

_IO, _ASSETS, _NETWORK = "io", "assets", "network"
_READS = {"DTensorRestoreV2", "Restore", "RestoreSlice", "RestoreV2"}
_READERS = {
    "CSVDataset", "CSVDatasetV2", "ExperimentalCSVDataset", "FixedLengthRecordDataset",
    "FixedLengthRecordDatasetV2", "GenerateVocabRemapping", "InitializeTableFromTextFile",
    "InitializeTableFromTextFileV2", "LoadAndRemapMatrix", "ReadFile", "TFRecordDataset",
    "TFRecordDatasetV2", "TextLineDataset",
}  # fmt: skip
"""What may be done with a file of the model's own: these read it, and do nothing else with it."""
_ENDS = {
    "Assign", "AssignVariableOp", "Cast", "Identity", "LookupTableImport", "LookupTableImportV2",
    "MergeV2Checkpoints", "NoOp", "Pack", "Reshape", "ShardedFilename",
}  # fmt: skip
"""What a saver does with what it read, and when it has written."""
_PASS_ON = {"Cast", "Identity", "MergeV2Checkpoints", "Pack", "Reshape", "ShardedFilename"}
"""Those of them that give somebody what they take."""
_NO_NAME = re.compile(b"")
_HARMLESS = {
    "descriptor_source": re.compile(rb"|local://|bytes://.*", re.S),
    "output_stream": re.compile(rb"|stdout|stderr|log\((info|warning|error)\)"),
}
"""What attributes hold that name no file, by the attribute; others are empty then."""
_ELSEWHERE = re.compile(rb"[a-zA-Z][\w+.-]*://")
_HERE = (b"file://", b"ram://")
_SHOWN = 60


@dataclass(frozen=True)
class Context:
    """Judges operations where they stand in `program`.

    Attributes
    ----------
    assets
        The files of the model itself, by the nodes that are given their paths.
    """

    program: Program
    assets: Mapping[str, str]

    def judged(self, body: str, node: protos.NodeDef, op: str, said: Judgement) -> Said:
        """Return the level of the operation `op` at `node` in `body`, and why.

        Parameters
        ----------
        said
            What the table says of it.
        """
        if op != node.op:
            return _beyond_saver(said.level), f"{said.why}; {node.op} calls it"
        if said.attribute:
            return _by_attribute(node, said)
        if said.level == OF_SAVERS:
            return self._of_saver(body, node, said)
        if not said.inputs:
            return said.level, said.why
        return _gravest(op, self._origins(body, node, said), said)

    def _of_saver(self, body: str, node: protos.NodeDef, said: Judgement) -> Said:
        origins = self._origins(body, node, said)
        kinds = {one.kind for one in origins}
        starter = RESTORE if node.op in _READS else SAVE
        there = self.program.started_by(body, node.name)
        if there == {starter} and kinds == {SAVER}:
            return OF_SAVERS, said.why
        if not body and there <= {starter, LOOSE} and self._is_left_behind(node.name, origins):
            return OF_SAVERS, said.why
        level, why = _gravest(node.op, origins, said)
        return level, why if kinds - {SAVER} else f"{why}, and more than the saver runs it"

    def _is_left_behind(self, name: str, origins: Origins) -> bool:
        """Tell whether the node `name` is of a saver that the MetaGraph does not name.

        It is where it writes or reads what the caller says, or what savers do by default, and
        nothing uses it but what savers consist of.
        """
        usual = all(
            one.kind in (FED, SAVER) or (one.kind == CONSTANT and USUAL_NAME.fullmatch(one.value))
            for one in origins
        )
        return usual and bool(origins) and self._ends(name)

    def _ends(self, name: str) -> bool:
        """Tell whether what uses the node `name` is of a saver, and gives nothing to others."""
        nodes, sources = self.program.nodes, self.program.sources
        after = self._after(name)
        around = {name} | after | self._before(sources[name][:1])
        for user in after:
            op = nodes[user].op
            if op not in _ENDS or (op in _PASS_ON and not set(_data(nodes[user])) <= around):
                return False
            if op in _PASS_ON and nodes[name].op in _READS and user not in self._users:
                return False
        return True

    def _after(self, name: str) -> set[str]:
        found, todo = set[str](), [*self._users.get(name, ())]
        while todo:
            user = todo.pop()
            if user not in found:
                found.add(user)
                todo += self._users.get(user, ())
        return found

    def _before(self, names: list[str]) -> set[str]:
        found, todo = set[str](), [*names]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.program.sources.get(name, ())
        return found

    def _origins(self, body: str, node: protos.NodeDef, said: Judgement) -> Origins:
        found = [self._named.given(body, node, number) for number in said.inputs]
        return frozenset().union(*found)

    @cached_property
    def _named(self) -> NamedFiles:
        return NamedFiles(self.program, self.assets)

    @cached_property
    def _users(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, sources in self.program.sources.items():
            for used in sources:
                found.setdefault(used, []).append(name)
        return found


def _data(node: protos.NodeDef) -> list[str]:
    return [source(edge) for edge in data_inputs(node)[: 1 if node.op == "Reshape" else None]]


def _beyond_saver(level: str) -> str:
    return _IO if level == OF_SAVERS else level


def _by_attribute(node: protos.NodeDef, said: Judgement) -> Said:
    """Return the level of `node`, an attribute of which names its files."""
    value = node.attr.get(said.attribute)  # asked like this, it is not made
    names = [] if value is None else [*value.list.s] or [value.s]
    if value is not None and value.WhichOneof("value") == "placeholder":
        return _gravest(node.op, frozenset({Origin(COMPUTED)}), said)  # each call fills it in
    if said.optional:
        harmless = _HARMLESS.get(said.attribute, _NO_NAME)
        names = [name for name in names if not harmless.fullmatch(name)]
    if not names and said.optional:
        return PURE, ""
    return _gravest(node.op, frozenset(Origin(CONSTANT, name) for name in names), said)


def _gravest(op: str, origins: Origins, said: Judgement) -> Said:
    """Return the gravest level that one of `origins` gives to `op`, of which `said` is, and why."""
    if said.optional and origins and origins == {Origin(CONSTANT)}:
        return PURE, ""
    judged = [_with(op, origin, said) for origin in _sorted(origins)]
    return max(judged or [(_NETWORK, said.why)], key=lambda one: LEVELS.index(one[0]))


def _with(op: str, origin: Origin, said: Judgement) -> Said:
    if origin.kind == ASSET:
        level = _ASSETS if op in _READERS else _IO
        return level, f"{said.why} of the model: {_shown(origin.value)}"
    if origin.kind == FED:
        return _IO, f"{said.why} whose name is fed"
    if origin.kind == SAVER:
        return _IO, f"{said.why} where the saver is told to"
    if origin.kind == COMPUTED:
        return _NETWORK, f"{said.why} whose name is computed, and may be that of another machine"
    far = _ELSEWHERE.search(origin.value) and not any(here in origin.value for here in _HERE)
    return _NETWORK if far else _local(said, origin.value), f"{said.why}: {_shown(origin.value)}"


def _local(said: Judgement, name: bytes) -> str:
    """Return the level for the file `name` of this machine."""
    here = said.level in (_IO, OF_SAVERS) or any(one in name for one in _HERE)
    return _IO if here else said.level


def _sorted(origins: Iterable[Origin]) -> list[Origin]:
    return sorted(origins, key=lambda one: (one.kind, one.value))


def _shown(name: bytes) -> str:
    text = name.decode(errors="replace")
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
