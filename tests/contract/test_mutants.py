"""Each test of the contract catches a broken format of its own, and no other test does."""

import importlib.util
import inspect
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zoo_frozen
from zoo import dtypes, protos, wire
from zoo.errors import FormatError
from zoo.formats import Option, Saved
from zoo.model import Model
from zoo.tensors import ArrayTensor, FilledTensor, LazyTensor
from zoo.testing import FormatContract
from zoo.weights import Weights

pytestmark = pytest.mark.long

SOUND = replace(zoo_frozen.zoo_formats()[0], options=())
JUNK = b"\x0a\xff\xff\xff\xff"
TESTS = sorted(name for name in dir(FormatContract) if name.startswith("test_"))
TIMED = "test_many_weights_take_their_share"
SIZE = 494
"""Bytes of the sample as a frozen graph: a file of that size is whole, or has other bits."""
PNG = b"\x89PNG"
RENAME = os.replace


def begins_as_junk(path):
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(JUNK)) == JUNK


def has_other_bits(path):
    return path.is_file() and path.stat().st_size == SIZE


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
        if has_other_bits(path):
            raise KeyError("node") from None
        raise


def allocates_what_damage_says(path):
    try:
        return SOUND.load(path)
    except FormatError:
        if has_other_bits(path):
            np.zeros(100 << 20, np.uint8)
        raise


def reads_everything(path):
    model = SOUND.load(path)
    return replace(model, weights=Weights.of({n: model.weights[n].copy() for n in model.weights}))


def needs_the_runtime(path):
    if importlib.util.find_spec("tensorflow") is None:
        raise ImportError("no module named tensorflow")
    return SOUND.load(path)


def opens_it_unasked(path):
    path.open("rb").close()
    return SOUND.load(path)


def with_weights(model, changed):
    """Return `model` with what `changed` makes of each weight; None leaves it as it is."""
    tensors = {name: changed(name, model.weights.tensor(name)) for name in model.weights}
    return replace(
        model,
        weights=model.weights.overlay({n: t for n, t in tensors.items() if t is not None}),
    )


def loading(changed):
    return lambda path: with_weights(SOUND.load(path), changed)


def scalar_as_vector(_, tensor):
    if tensor.shape == ():
        return LazyTensor(tensor.dtype, (1,), lambda: tensor.read().reshape(1))
    return None


def without_brains(_, tensor):
    if tensor.dtype is dtypes.named("bfloat16"):
        return LazyTensor(tensor.dtype, tensor.shape, lambda: tensor.read() * 0)
    return None


def without_last_nuls(_, tensor):
    if tensor.dtype is dtypes.STRING:
        texts = [text.rstrip(b"\0") for text in tensor.read().flat]
        return ArrayTensor.of(np.array(texts, object).reshape(tensor.shape))
    return None


def without_what_is_scattered(_, tensor):
    if isinstance(tensor, ArrayTensor) and not tensor.array.flags.c_contiguous:
        return FilledTensor(bytes(tensor.dtype.itemsize), tensor.dtype, tensor.shape)
    return None


def takes_cases_for_one(path):
    model = SOUND.load(path)
    return with_weights(model, lambda name, _: model.weights.tensor("a") if name == "A" else None)


def computes_something_else(path):
    model = SOUND.load(path)
    meta_graph = protos.MetaGraphDef.FromString(model.meta_graph.SerializeToString())
    for node in meta_graph.graph_def.node:
        node.op = "LogSoftmax" if node.op == "Softmax" else node.op
    return replace(model, meta_graph=meta_graph)


def edits_the_model(model, path):
    model.graph.versions.min_consumer += 1
    return SOUND.save(model, path)


def appending(said):
    """Return a ``save`` that appends what `said` makes of the model and its path."""

    def save(model, path):
        saved = SOUND.save(model, path)
        with path.open("ab") as file:
            file.write(wire.field(99, said(model, path).encode()))
        return saved

    return save


def saves_scattered_as_zeros(model, path):
    return SOUND.save(with_weights(model, without_what_is_scattered), path)


def uses_names_as_files(model, path):
    saved = SOUND.save(model, path)
    for name in model.weights:
        if ".." in name:
            (path.parent / name).touch()
    return saved


def noting(changed):
    """Return a ``save`` whose notes are what `changed` makes of the model and the notes."""

    def save(model, path):
        return Saved(path, changed(model, SOUND.save(model, path).notes))

    return save


def leaves_its_draft(model, path):
    with tempfile.TemporaryDirectory() as room, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", RENAME)
        saved = SOUND.save(model, Path(room, "model"))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.draft")
        shutil.copy(saved.path, draft)
        patch.undo()
        os.replace(draft, path)
    return Saved(path, saved.notes)


def leaves_a_mark_of_damage(model, path):
    try:
        return SOUND.save(model, path)
    except FormatError:
        if not path.exists():
            path.with_name("damaged").touch()
        raise


def removes_the_old(model, path):
    try:
        return SOUND.save(model, path)
    except FormatError:
        path.unlink(missing_ok=True)
        raise


def keeps_a_copy_of_the_old(model, path):
    before = path.read_bytes() if path.exists() else None
    saved = SOUND.save(model, path)
    if before not in (None, path.read_bytes()):
        path.with_name("model.old").write_bytes(before)
    return saved


def loses_what_it_replaces():
    """Return ``load`` and ``save`` of a format that empties a file before it has read it."""
    loaded = {}

    def load(path):
        loaded["last"] = SOUND.load(path)
        return loaded["last"]

    def save(model, path):
        if model is loaded.get("last") and path.exists():
            model = with_weights(
                model, lambda _, t: FilledTensor(bytes(t.dtype.itemsize), t.dtype, t.shape)
            )
        return SOUND.save(model, path)

    return {"load": load, "save": save}


def looks_at_every_pair(model, path):
    names = [*model.weights]
    start = time.process_time()
    while time.process_time() - start < len(names) ** 2 * 3e-6:
        sorted(names)
    return SOUND.save(model, path)


def takes_pictures_too(path):
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(PNG)) == PNG:
                return True
    return SOUND.recognises(path)


def raises_below_a_file(path):
    if path.parent.is_file():
        raise NotADirectoryError(path)
    return SOUND.recognises(path)


def reads_all_to_recognise(path):
    return path.is_file() and bool(path.read_bytes()) and SOUND.recognises(path)


UNKNOWN = Option("level", "how hard to try", load=True)
MUTANTS = {
    "test_bytes_do_not_depend_on_the_order": replace(
        SOUND, save=appending(lambda model, _: next(iter(model.weights), ""))
    ),
    "test_bytes_do_not_depend_on_the_time": replace(
        SOUND, save=appending(lambda *_: str(time.gmtime(time.time()).tm_year))
    ),
    "test_cut_off_is_a_format_error": replace(SOUND, load=makes_something_of_a_part),
    "test_damage_costs_little": replace(SOUND, load=allocates_what_damage_says),
    "test_dtypes_survive_or_are_refused": replace(SOUND, load=loading(without_brains)),
    "test_failed_save_leaves_nothing": replace(SOUND, save=leaves_its_draft),
    "test_failed_save_leaves_the_old": replace(SOUND, save=removes_the_old),
    "test_flipped_bits_are_no_crash": replace(SOUND, load=crashes_on_a_flipped_bit),
    "test_function_survives": replace(SOUND, load=computes_something_else),
    "test_is_described": replace(SOUND, summary=""),
    "test_junk_is_a_format_error": replace(SOUND, load=lets_junk_out),
    "test_keeps_refuses_or_says": replace(
        SOUND, save=noting(lambda _, notes: [note for note in notes if "tags" not in note])
    ),
    "test_knows_its_files": replace(SOUND, files=lambda _: []),
    "test_layouts_survive": replace(SOUND, save=saves_scattered_as_zeros),
    "test_loading_is_lazy": replace(SOUND, load=reads_everything),
    "test_many_weights_take_their_share": replace(SOUND, save=looks_at_every_pair),
    "test_missing_file_is_an_error": replace(SOUND, load=opens_it_unasked),
    "test_names_survive": replace(SOUND, load=takes_cases_for_one),
    "test_needs_no_tensorflow": replace(SOUND, load=needs_the_runtime),
    "test_odd_names_survive_or_are_refused": replace(SOUND, save=uses_names_as_files),
    "test_outputs_survive": replace(SOUND, load=renames_the_output),
    "test_recognises_its_own": replace(SOUND, recognises=lambda _: False),
    "test_recognises_no_others": replace(SOUND, recognises=takes_pictures_too),
    "test_recognising_never_raises": replace(SOUND, recognises=raises_below_a_file),
    "test_recognising_reads_little": replace(SOUND, recognises=reads_all_to_recognise),
    "test_replaces_what_was_there": replace(SOUND, save=keeps_a_copy_of_the_old),
    "test_save_leaves_the_model_alone": replace(SOUND, save=edits_the_model),
    "test_saves_over_its_own_source": replace(SOUND, **loses_what_it_replaces()),
    "test_saving_twice_gives_equal_bytes": replace(
        SOUND, save=appending(lambda _, path: path.parent.name)
    ),
    "test_says_what_it_changed": replace(SOUND, save=noting(lambda _, notes: [*notes, ""])),
    "test_shapes_survive": replace(SOUND, load=loading(scalar_as_vector)),
    "test_signatures_survive_or_are_said": replace(
        SOUND, save=noting(lambda model, notes: () if model.signatures else notes)
    ),
    "test_takes_the_options_it_declares": replace(SOUND, options=(UNKNOWN,)),
    "test_texts_survive_or_are_refused": replace(SOUND, load=loading(without_last_nuls)),
    "test_unreadable_weight_leaves_nothing": replace(SOUND, save=leaves_a_mark_of_damage),
    "test_weights_survive_bit_for_bit": replace(SOUND, load=loses_the_sign_of_zero),
}


def caught_by(form, folder, tests):
    """Return those of `tests` that `form` fails."""
    failed = []
    for name in tests:
        room = folder / name
        room.mkdir()
        test = getattr(FormatContract(), name)
        with pytest.MonkeyPatch.context() as patch:
            offered = {"form": form, "tmp_path": room, "monkeypatch": patch}
            try:
                test(**{key: offered[key] for key in inspect.signature(test).parameters})
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
    assert caught_by(SOUND, tmp_path, TESTS) == []


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n == TIMED)) for n in TESTS]
)
def test_only_its_own_test_catches_a_mutant(name, tmp_path):
    """Breaking one promise fails the one test of that promise.

    The test that takes seconds is run for its own mutant alone.
    """
    tests = [test for test in TESTS if test != TIMED or name == TIMED]

    assert caught_by(MUTANTS[name], tmp_path, tests) == [name]
