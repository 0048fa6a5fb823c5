"""Every model of others, through all nine conversions, as plain TensorFlow sees it.

Each is written in three formats, and each of these again in all three.  What was written is opened
by plain TensorFlow and must give the recorded answer: in a session, and a SavedModel also by
``tf.saved_model.load`` and Keras' layer of it.  The numbers of all of them are the same bits.

The outcome is kept in ``docs/conversions.md``; ``ZOO_KEEP_MATRIX=1`` writes that file anew.
"""

import contextlib
import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import zoo
from tests.end_to_end.models_of_others import (
    ANSWERS,
    CASES,
    FORMS,
    MODELS,
    OTHERS,
    REASONS,
    REFUSED,
    SAID,
    UNOPENED,
    UNRUN,
    WEIGHTS,
)
from zoo import dtypes
from zoo.specs import spec_of

PAGE = Path(__file__).parents[2] / "docs" / "conversions.md"


@dataclass(frozen=True)
class Call:
    """One call of a model: values by its tensors, and what the signature calls these."""

    key: str | None
    feeds: dict
    expected: dict
    names: dict

    def there(self, held):
        """Return the tensors of what was written for those of the source.

        A writer may put a signature's output elsewhere; where there is no such signature, the
        graph's names are the source's.
        """
        _, outputs = held.get(self.key, ({}, {}))
        put_out = outputs.values()
        moved = {t: outputs.get(self.names[t], t) for t in self.expected if t not in put_out}
        return {t: moved.get(t, t) for t in (*self.feeds, *self.expected)}

    def run(self, run, held):
        """Return the outputs in a session, by the source's tensors."""
        there = self.there(held)
        feeds = {there[tensor]: value for tensor, value in self.feeds.items()}
        return run({tensor: there[tensor] for tensor in self.expected}, feeds)


def recorded(case, model, fixtures):
    """Return the calls that are recorded of a model, in their order."""
    return [call for name in case.records for call in calls_in(fixtures / name, case, model)]


def calls_in(path, case, model):
    """Return the calls of one record."""
    with np.load(path) as record:
        stored = {key: record[key] for key in record.files}
    made = {}
    for place, value in stored.items():
        side, _, name = place.partition(":")
        name = (case.feeds if side == "in" else case.outputs).get(name, name)
        if side not in ("in", "out") or name is None or name.endswith(OTHERS):
            continue
        key, _, inner = name.partition("/")
        key, name = (key, inner) if inner and key in model.signatures else (None, name)
        call = made.setdefault(key, Call(key, {}, {}, {}))
        tensor = meant(model, key, side, name)
        (call.feeds if side == "in" else call.expected)[tensor] = value
        call.names[tensor] = name
    return [fed(model, call) for call in made.values() if call.expected]


def meant(model, key, side, name):
    """Return the tensor that a record calls `name`."""
    if ":" in name:
        return name
    signature = model.signature(key)
    return (signature.inputs if side == "in" else signature.outputs)[name].tensor


def fed(model, call):
    """Return `call` with values of the dtypes that the graph takes; bytes are a text."""
    for tensor, value in call.feeds.items():
        dtype = spec_of(model.graph, tensor).dtype
        if dtype is dtypes.STRING:
            text = value.dtype == np.uint8
            call.feeds[tensor] = value.tobytes() if text else value.astype(object)
        else:
            call.feeds[tensor] = value.astype(dtype.numpy)
    return call


def held(form, path):
    """Return the signatures of what was written, each as inputs and outputs by name."""
    from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

    if form == "frozen":
        return {}
    if form == "checkpoint":
        meta_graph = meta_graph_pb2.MetaGraphDef.FromString(Path(f"{path}.meta").read_bytes())
    else:
        stored = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        (meta_graph,) = stored.meta_graphs
    return {
        key: (dict(named(one.inputs)), dict(named(one.outputs)))
        for key, one in meta_graph.signature_def.items()
    }


def named(side):
    """Yield names and tensors of one side of a signature, those of a sparse value apart."""
    for name, info in side.items():
        if info.WhichOneof("encoding") == "coo_sparse":
            for part in ("indices", "values", "dense_shape"):
                yield f"{name}_{part}", getattr(info.coo_sparse, f"{part}_tensor_name")
        else:
            yield name, info.name


def in_session(plain, form, path, calls):
    """Return what the calls give in one session of TensorFlow 1, one after the other."""
    stated = held(form, path)
    with plain.opened(form, path, tags_of(path) if form == "saved_model" else ()) as run:
        return [(call, call.run(run, stated)) for call in calls]


def tags_of(path):
    (tags,) = zoo.inspect(path)["tag_sets"]
    return tags


def as_functions(tf, path, calls):
    """Return what those calls give that some signature takes, by ``tf.saved_model.load``.

    Keras runs the first of them, too, by a layer of the SavedModel.
    """
    stated, loaded = held("saved_model", path), tf.saved_model.load(str(path))
    known = {tensor: value for call in calls for tensor, value in call.feeds.items()}
    results = []
    for call in calls:
        there = call.there(stated)
        keys = sorted(stated, key=lambda key, call=call: key != call.key)
        key = next((key for key in keys if takes(stated[key], call, there, known)), None)
        if key is None:
            continue
        inputs, outputs = stated[key]
        fed = {**known, **call.feeds}
        given = {name: fed[tensor] for name, tensor in inputs.items()}
        keys_of = {tensor: name for name, tensor in outputs.items()}
        for function in functions(tf, loaded, path, key, first=not results):
            values = called(tf, function, loaded.signatures[key], given)
            found = {t: keys_of[there[t]] for t in call.expected if there[t] in keys_of}
            results.append((call, {t: values[name].numpy() for t, name in found.items()}))
    return results


def takes(stated, call, there, known):
    """Tell whether a signature can be called with what is known, and gives what is expected."""
    inputs, outputs = stated
    fed = set(inputs.values())
    given = {there[tensor] for tensor in call.expected}
    return set(call.feeds) <= fed <= set(known) and given & set(outputs.values())


def functions(tf, loaded, path, key, *, first):
    """Yield a signature, and Keras' layer of it; that prefers what is called so otherwise."""
    import keras

    yield loaded.signatures[key]
    if first and not hasattr(loaded, key):
        wide = any(tensor.dtype == tf.float64 for tensor in loaded.signatures[key].inputs)
        dtype = "float64" if wide else None
        yield keras.layers.TFSMLayer(str(path), call_endpoint=key, dtype=dtype)


def called(tf, function, signature, given):
    """Call a signature or a layer, which takes one input; for several it is to be subclassed."""
    specs = signature.structured_input_signature[1]
    inputs = {name: tf.constant(value, specs[name].dtype) for name, value in given.items()}
    if function is not signature and len(inputs) == 1:
        return function(*inputs.values())
    return (function if function is signature else function.call_endpoint_fn)(**inputs)


def seeded(model, plain, path):
    """Return a call for each signature on made inputs, with what the source gives for them."""
    drawn, made_calls = np.random.default_rng(5), []
    for key, signature in model.signatures.items():
        feeds = {}
        for spec in signature.inputs.values():
            feeds.update(made_of(spec, drawn))
        outputs = {spec.tensor: name for name, spec in signature.outputs.items()}
        made_calls.append(Call(key, feeds, dict.fromkeys(outputs), outputs))
    with opened_source(model, plain, path) as run:
        for call in made_calls:
            call.expected.update(run({t: t for t in call.expected}, call.feeds))
    return made_calls


def opened_source(model, plain, path):
    """Open a source: by plain TensorFlow where that can, what Keras wrote by zoo."""
    if path.is_dir():
        return plain.opened("saved_model", path, tags_of(path))
    return running(model, plain)


@contextlib.contextmanager
def running(model, plain):
    with model.session(config=plain.config) as session:
        yield session.run


def made_of(spec, drawn):
    """Return values for an input; a sparse one has two rows with a value each."""
    rows = 2
    parts = spec.tensor.split(",")
    shape = (rows,) if len(parts) > 1 else [size or rows for size in spec.shape]
    if spec.dtype is dtypes.STRING:
        values = np.full(shape, b"Chicago", object)
    else:
        values = (4 * drawn.random(shape)).astype(spec.dtype.numpy)
    if len(parts) == 1:
        return {spec.tensor: values}
    return dict(zip(parts, (values, [[0, 0], [1, 0]], [rows, 1]), strict=True))


def weights_of(tf, form, path):
    """Return the weights that plain TensorFlow reads out of a file, by their keys."""
    if form == "frozen":
        graph = tf.compat.v1.GraphDef.FromString(Path(path).read_bytes())
        constants = {n.name: n.attr["value"].tensor for n in graph.node if n.op == "Const"}
        return {name: tf.make_ndarray(value) for name, value in constants.items()}
    prefix = path / "variables" / "variables" if form == "saved_model" else path
    reader = tf.train.load_checkpoint(str(prefix))
    return {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}


def same(one, other):
    """Tell whether two values are the same bits."""
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype == object:
        return one.tolist() == other.tolist()
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def hold(call, found):
    """Check an answer against what is expected; of a stateful model, too."""
    for tensor, value in found.items():
        expected = call.expected[tensor]
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
        else:
            assert np.asarray(value).tolist() == expected.tolist(), tensor


class Row:
    """One model and its twelve conversions: those of the source, and those of what they gave."""

    def __init__(self, tf, plain, case, fixtures, folder):
        self.tf, self.plain, self.case, self.folder = tf, plain, case, folder
        self.source = fixtures / case.path
        self.cells = {}
        if case.held_to is WEIGHTS:
            form = "saved_model" if self.source.is_dir() and not checkpoint_in(self.source) else ""
            place = checkpoint_in(self.source) or self.source
            self.stored = weights_of(tf, form or "checkpoint", place)
        else:
            self._ask(fixtures)
        for first in FORMS:
            place = self._convert(self.source, (first,))
            for second in FORMS if place is not None else ():
                self._convert(place, (first, second))

    def _ask(self, fixtures):
        """Note what is to be answered, and with which bits the source does."""
        model = zoo.load(self.source)
        if self.case.held_to is ANSWERS:
            self.calls = recorded(self.case, model, fixtures)
        else:
            self.calls = seeded(model, self.plain, self.source)
        with running(model, self.plain) as run:
            self.bits = {id(call): call.run(run, {}) for call in self.calls}
        for call in self.calls:
            hold(call, self.bits[id(call)])

    def _convert(self, source, way):
        """Note what comes of converting `source`; return where the conversion lies."""
        place = self.folder / "-".join(way) / "model"
        try:
            path = zoo.convert(source, place, to=way[-1]).target.path
        except zoo.ZooError as error:
            reason = REFUSED.get(self.case.path, {}).get(way, "")
            assert reason, f"{way}: {error.problem}: {error.found}"
            assert REASONS[reason][0] in error.problem
            self.cells[way] = ("no", reason)
            return None
        self.cells[way] = self._seen(way, path)
        return path

    def _seen(self, way, path):
        """Return how near what was written is to its source, and what is to be said of it."""
        if self.case.held_to is WEIGHTS:
            found = weights_of(self.tf, way[-1], path)
            shared = self.stored.keys() & found.keys()
            assert shared == self.stored.keys() or (shared and way[-1] == "frozen")
            assert all(same(found[key], self.stored[key]) for key in shared)
            return "weights", "unrun" if self.case.path in UNRUN else ""
        answers = in_session(self.plain, way[-1], path, self.calls)
        reason = SAID.get(self.case.path, {}).get(way, "")
        if way[-1] == "saved_model":
            answers += self._as_functions(path, reason)
        for call, found in answers:
            hold(call, found)
        bits = [
            same(v, self.bits[id(call)][t]) for call, found in answers for t, v in found.items()
        ]
        return "bits" if all(bits) else "close", reason

    def _as_functions(self, path, reason):
        """Return what TensorFlow 2 makes of a SavedModel; what it refuses is a known reason."""
        if reason == "one":
            assert not as_functions(self.tf, path, self.calls), REASONS[reason]
            return []
        if reason:
            for refused in (path, self.source):
                with pytest.raises(Exception, match=REASONS[reason][0]):
                    self.tf.saved_model.load(str(refused))
        if reason == "twice":
            return []
        if reason == "objects":
            path = zoo.convert(
                path, path.with_name("bare"), to="saved_model", object_graph=False
            ).target.path
        found = as_functions(self.tf, path, self.calls)
        assert found, "no signature takes a recorded call"
        return found

    def line(self):
        """Return the row of the page."""
        shown = [self._shown(way) for way in WAYS]
        return f"| {self.case.path} | {self.case.held_to} | {' | '.join(shown)} |"

    def _shown(self, way):
        if way not in self.cells:
            return "-"
        grade, reason = self.cells[way]
        return f"{grade} [{[*REASONS].index(reason) + 1}]" if reason else grade


def checkpoint_in(folder):
    """Return the prefix of the checkpoint in a folder, None if it is none."""
    found = sorted(folder.glob("*.meta")) if folder.is_dir() else []
    return found[0].with_suffix("") if found else None


WAYS = [way for first in FORMS for way in ((first,), *((first, second) for second in FORMS))]


@pytest.fixture(scope="module")
def rows(tf, plain, fixtures, tmp_path_factory):
    """Return what gives the row of a model, which is made once."""

    @functools.cache
    def row(path):
        return Row(tf, plain, CASES[path], fixtures, tmp_path_factory.mktemp("row"))

    return row


QUICK = [case.path for case in MODELS if not case.slow]
LONG = [case.path for case in MODELS if case.slow]


@pytest.mark.parametrize(
    "path", [*QUICK, *(pytest.param(path, marks=pytest.mark.slow) for path in LONG)]
)
def test_all_nine_directions(rows, path):
    """The recorded answer, and the source's bits, however the model was written."""
    cells = rows(path).cells

    refused = {way for way, (grade, _) in cells.items() if grade == "no"}
    assert refused == REFUSED.get(path, {}).keys()
    assert {grade for grade, _ in cells.values()} <= {"bits", "weights", "no"}


def test_the_page_says_what_happens(rows):
    """The matrix as it is kept, for the models that take no time."""
    shown = [rows(path).line() for path in QUICK]

    sys.stdout.write("\n".join(shown))
    assert set(shown) <= set(PAGE.read_text().splitlines())


@pytest.mark.slow
def test_the_whole_page(rows):
    """The matrix as it is kept: every model, and no line besides."""
    page = whole_page([rows(path).line() for path in CASES])

    sys.stdout.write(page)
    if os.environ.get("ZOO_KEEP_MATRIX"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page


def whole_page(lines):
    """Return the page with the matrix in it."""
    head = PAGE.read_text().partition("| model |")[0]
    short = {"checkpoint": "c", "frozen": "f", "saved_model": "s"}
    titles = ["→ " + " → ".join(short[form] for form in way) for way in WAYS]
    notes = [
        f"{n}. {says[0].upper()}{says[1:]}." for n, (_, says) in enumerate(REASONS.values(), 1)
    ]
    table = [f"| model | held to | {' | '.join(titles)} |", "| --- " * (len(WAYS) + 2) + "|"]
    return head + "\n".join([*table, *lines, "", *notes, ""])


@pytest.mark.parametrize("path", sorted(UNOPENED))
def test_what_does_not_open_says_why(fixtures, tmp_path, path):
    """In every direction the same true reason."""
    for form in FORMS:
        with pytest.raises(zoo.ZooError) as caught:
            zoo.convert(fixtures / path, tmp_path / form / "model", to=form)

        assert UNOPENED[path] in f"{caught.value.problem} {caught.value.found}"
        assert not (tmp_path / form).exists() or not [*(tmp_path / form).iterdir()]
