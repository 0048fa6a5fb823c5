"""Each test of the contract catches a broken format of its own, and no other test does."""

import itertools
import os
from dataclasses import replace

import numpy as np
import pytest

import zoo_frozen
from zoo import graph_file, protos, wire
from zoo.errors import FormatError
from zoo.formats import Saved
from zoo.model import Model
from zoo.tensors import LazyTensor
from zoo.testing import FormatContract
from zoo.weights import Weights

SOUND = zoo_frozen.zoo_formats()[0]
JUNK = b"\x0a\xff\xff\xff\xff"
TESTS = sorted(name for name in dir(FormatContract) if name.startswith("test_"))


def begins_as_junk(path):
    with path.open("rb") as file:
        return file.read(len(JUNK)) == JUNK


def without_negative_zeros(array):
    bits = array.view(np.uint32)
    return np.where(bits == 0x80000000, np.uint32(0), bits).view(np.float32)


def loses_the_sign_of_zero(path):
    model = SOUND.load(path)
    tensors = {name: model.weights.tensor(name) for name in model.weights}
    changed = {
        name: LazyTensor(t.dtype, t.shape, lambda t=t: without_negative_zeros(t.read()))
        for name, t in tensors.items()
        if t.dtype.name == "float32"
    }
    return replace(model, weights=model.weights.overlay(changed))


def renames_the_output(path):
    model = SOUND.load(path)
    meta_graph = type(model.meta_graph)()
    meta_graph.CopyFrom(model.meta_graph)
    for node in meta_graph.graph_def.node:
        node.name = "p" if node.name == "probabilities" else node.name
    return replace(model, meta_graph=meta_graph)


def lets_junk_out(path):
    if begins_as_junk(path):
        raise ValueError("wrong wire type")
    return SOUND.load(path)


def makes_something_of_a_part(path):
    try:
        return SOUND.load(path)
    except FormatError:
        if begins_as_junk(path):
            raise
        return Model(protos.MetaGraphDef(), {})


def crashes_on_a_flipped_bit(path):
    try:
        return SOUND.load(path)
    except FormatError:
        if path.stat().st_size == SIZE:
            raise KeyError("node") from None
        raise


def reads_everything(path):
    model = SOUND.load(path)
    return replace(model, weights=Weights.of({n: model.weights[n].copy() for n in model.weights}))


def edits_the_model(model, path):
    model.graph.versions.min_consumer += 1
    return SOUND.save(model, path)


def counts_its_saves(model, path, numbers=itertools.count()):  # noqa: B008
    saved = SOUND.save(model, path)
    with path.open("ab") as file:
        file.write(wire.field(99, bytes([next(numbers)])))
    return saved


def leaves_its_draft(model, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    frozen = model.freeze()
    graph_file.write(draft, frozen.graph, frozen.weights)
    os.replace(draft, path)


def says_nonsense(model, path):
    SOUND.save(model, path)
    return Saved(path, [""])


MUTANTS = {
    "test_weights_survive_bit_for_bit": replace(SOUND, load=loses_the_sign_of_zero),
    "test_outputs_survive": replace(SOUND, load=renames_the_output),
    "test_recognises_its_own": replace(SOUND, recognises=lambda path: path.exists()),
    "test_junk_is_a_format_error": replace(SOUND, load=lets_junk_out),
    "test_cut_off_is_a_format_error": replace(SOUND, load=makes_something_of_a_part),
    "test_flipped_bits_are_no_crash": replace(SOUND, load=crashes_on_a_flipped_bit),
    "test_loading_is_lazy": replace(SOUND, load=reads_everything),
    "test_save_leaves_the_model_alone": replace(SOUND, save=edits_the_model),
    "test_saving_twice_gives_equal_bytes": replace(SOUND, save=counts_its_saves),
    "test_failed_save_leaves_nothing": replace(SOUND, save=leaves_its_draft),
    "test_says_what_it_changed": replace(SOUND, save=says_nonsense),
}
SIZE = 494


def caught_by(form, folder):
    """Return the tests of the contract that `form` fails."""
    failed = []
    for name in TESTS:
        room = folder / name
        room.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            given = {"monkeypatch": patch} if name == "test_failed_save_leaves_nothing" else {}
            try:
                getattr(FormatContract(), name)(form, room, **given)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                failed.append(name)
    return failed


def test_every_test_has_a_mutant():
    """A new test in the contract needs a format that only it catches."""
    assert sorted(MUTANTS) == TESTS


def test_the_sound_format_passes(tmp_path):
    """What the mutants are made of keeps the contract."""
    assert caught_by(SOUND, tmp_path) == []


@pytest.mark.parametrize("name", TESTS)
def test_only_its_own_test_catches_a_mutant(name, tmp_path):
    """Breaking one promise fails the one test of that promise."""
    assert caught_by(MUTANTS[name], tmp_path) == [name]
