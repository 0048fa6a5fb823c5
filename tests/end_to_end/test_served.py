"""SavedModels as people export them: tags, tables, what runs when loaded, signatures that act."""

import numpy as np
import pytest

import zoo
from zoo.cli import run
from zoo.errors import InputError, UnknownNameError, UnsupportedError, UsageError


def exported(tf, path, build, tags=(("serve",),)):
    """Write the SavedModel that `build` makes with TensorFlow 1, under each of `tags`."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        inputs, outputs, options = build(v1)
        signature = v1.saved_model.predict_signature_def(inputs, outputs)
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        stated = {"signature_def_map": {"serving_default": signature}}
        builder.add_meta_graph_and_variables(session, list(tags[0]), **stated, **options)
        for more in tags[1:]:
            builder.add_meta_graph(list(more), **stated)
        builder.save()
    return path


def doubles(v1):
    """Build a variable that doubles, under one input and two names for it."""
    x = v1.placeholder(v1.float32, [None], name="x")
    y = v1.multiply(x, v1.get_variable("v", initializer=2.0, use_resource=False), name="y")
    return {"x": x, "also_x": x}, {"y": y, "also_y": y}, {}


@pytest.mark.parametrize(
    "tags",
    [
        [["serve"], ["train"]],
        [["serve", "gpu"], ["train"]],
        [["serve"], ["serve", "gpu"]],
        [[], ["train"]],
        [["train"]],
        [[]],
    ],
)
def test_tags_that_leave_one_choice(tf, tmp_path, tags):
    """The one for serving, the one without tags as TensorFlow Hub has it, or the only one."""
    path = exported(tf, tmp_path / "m", doubles, tags)

    assert zoo.load(path)(x=[3.0])["y"].tolist() == [6]


@pytest.mark.parametrize("tags", [[["a"], ["b"]], [["serve", "a"], ["serve", "b"]]])
def test_tags_that_leave_several(tf, tmp_path, tags):
    """They are listed, and the one that is named is taken."""
    path = exported(tf, tmp_path / "m", doubles, tags)

    with pytest.raises(UsageError) as caught:
        zoo.load(path)
    assert caught.value.found == " | ".join(",".join(sorted(named)) for named in tags)
    assert zoo.load(path, tags=tags[1])(x=[3.0])["y"].tolist() == [6]
    with pytest.raises(UnknownNameError):
        zoo.load(path, tags=["c"])


def test_two_names_for_one_tensor(tf, tmp_path):
    """Either is enough, both agree, and both outputs are there."""
    model = zoo.load(exported(tf, tmp_path / "m", doubles))

    assert {name: value.tolist() for name, value in model(x=[1.0]).items()} == {
        "y": [2], "also_y": [2],
    }  # fmt: skip
    assert model(x=[1.0], also_x=[1.0])["y"].tolist() == [2]
    with pytest.raises(InputError):
        model(x=[1.0], also_x=[2.0])


def looks_up(tf, words, kind):
    """Return what builds a table out of the file `words`, filled when the model is loaded."""

    def build(v1):
        path = v1.constant(str(words))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, path)
        lines = tf.lookup.TextFileIndex
        filled = tf.lookup.TextFileInitializer(
            path, tf.string, lines.WHOLE_LINE, tf.int64, lines.LINE_NUMBER
        )
        x = v1.placeholder(tf.string, [None], name="x")
        number = tf.cast(tf.lookup.StaticHashTable(filled, -1).lookup(x), tf.float32)
        extra = v1.get_variable("extra", initializer=0.5, use_resource=True)
        first = v1.group(v1.tables_initializer(), v1.assign_add(extra, 10.0))
        assets = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        options = {"assets_collection": assets, kind: first}
        return {"x": x}, {"y": tf.add(number, extra, name="y")}, options

    words.write_text("a\nb\n")
    return build


@pytest.mark.parametrize("kind", ["main_op", "legacy_init_op"])
def test_what_runs_when_loaded(tf, tmp_path, kind):
    """A table is filled from its file, and the main operation has changed a variable."""
    words = tmp_path / "words.txt"
    model = zoo.load(exported(tf, tmp_path / "m", looks_up(tf, words, kind)))
    words.unlink()

    assert model(x=["b", "?"])["y"].tolist() == [11.5, 9.5]
    assert model(x=["b", "?"])["y"].tolist() == [11.5, 9.5]
    with model.session() as session:
        assert session.run("y:0", {"x:0": [b"a"]}).tolist() == [10.5]


def test_an_asset_that_is_gone(tf, tmp_path, capsys):
    """One error names the node, the file, and what helps."""
    words = tmp_path / "words.txt"
    path = exported(tf, tmp_path / "m", looks_up(tf, words, "main_op"))
    words.unlink()
    (path / "assets" / "words.txt").unlink()

    assert run(["run", str(path), "-i", 'x=["b"]']) == 65
    told = capsys.readouterr().err
    assert "node 'text_file_init/InitializeTableFromTextFileV2'" in told
    assert "hint:  put the file there" in told


class Counts:
    """What a TensorFlow 2 program exports: control flow, a counter, text, a ragged input."""

    def __new__(cls, tf):
        """Return the ``tf.Module``."""

        class Module(tf.Module):
            def __init__(self):
                super().__init__()
                self.n, self.w = tf.Variable(0.0), tf.Variable([1.0, 2.0])

            @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
            def flows(self, x):
                for _ in tf.range(3):
                    x = x * 2.0
                return {"y": x + self.w[0] if tf.reduce_sum(x) > 10.0 else x - self.w[1]}

            @tf.function(input_signature=[])
            def count(self):
                self.n.assign_add(1.0)
                return {"n": self.n.read_value()}

            @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="s")])
            def text(self, s):
                return {"upper": tf.strings.upper(s)}

            @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.float32)])
            def ragged(self, x):
                return {"sums": tf.reduce_sum(x, axis=1)}

        return Module()


def test_signatures_of_functions(tf, tmp_path):
    """Loops and branches, text, and a counter: it counts in a session, a call starts anew."""
    module = Counts(tf)
    named = {"serving_default": module.flows, "count": module.count, "text": module.text}
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=named)
    model = zoo.load(tmp_path / "m")

    assert model(x=[1.0, 2.0])["y"].tolist() == [9, 17]
    assert model(x=[0.0, 0.0])["y"].tolist() == [-2, -2]
    assert model.run("upper", {"s": ["ab"]}, signature="text").tolist() == [b"AB"]
    assert [model.run("n", signature="count") for _ in range(2)] == [1, 1]
    with model.session() as session:
        tensor = model.signature("count").outputs["n"].tensor
        assert [session.run(tensor) for _ in range(3)] == [1, 2, 3]


def test_a_ragged_signature_takes_its_parts(tf, tmp_path):
    """TensorFlow exports it as values and row splits; one alone is no input."""
    module = Counts(tf)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.ragged)
    model = zoo.load(tmp_path / "m")

    with pytest.raises(InputError, match="missing"):
        model(x=[1.0, 2.0, 3.0])
    assert model(x=[1.0, 2.0, 3.0], x_1=[0, 2, 3])["sums"].tolist() == [3, 3]


def test_ragged_and_sparse_inputs_of_tensorflow_1(tf, tmp_path):
    """Neither is one tensor: refused by name, while their parts can be fed."""

    def build(v1):
        sparse = v1.sparse_placeholder(v1.float32, [None, 3], name="sparse")
        ragged = tf.compat.v1.ragged.placeholder(tf.float32, 1, name="ragged")
        outputs = {"y": tf.sparse.reduce_sum(sparse, axis=1), "z": tf.reduce_sum(ragged, axis=1)}
        return {"sparse": sparse, "ragged": ragged}, outputs, {}

    model = zoo.load(exported(tf, tmp_path / "m", build))

    for name in ("sparse", "ragged"):
        with pytest.raises(UnsupportedError, match="ragged and sparse"):
            model.run("y", {name: [[1.0, 2.0]]})
    parts = {"sparse/indices": [[0, 1]], "sparse/values": [5.0], "sparse/shape": [1, 3]}
    assert model.run("y", parts).tolist() == [5]


def test_a_module_without_signatures(tf, tmp_path, capsys):
    """There is nothing to call by name: its functions are named, not an empty answer given."""
    tf.saved_model.save(Counts(tf), str(tmp_path / "m"), signatures={})

    assert run(["run", str(tmp_path / "m")]) == 65
    told = capsys.readouterr().err
    assert "count, flows, ragged, text" in told
    assert "signatures=" in told
    with pytest.raises(UnsupportedError):
        zoo.load(tmp_path / "m")()


def test_modules_of_tensorflow_hub(tf, fixtures):
    """Without tags, the signature is called ``default``."""
    for name in ("hub-hub-module-v1-mini", "hub-half-plus-two-v1/unpacked"):
        model = zoo.load(fixtures / name)
        assert model.signature().inputs.keys() == {"default"}
        assert model(default=np.ones(1, np.float32))["default"] in (2.0, 2.5)


def test_attributes_of_a_newer_release(tf, fixtures):
    """What this release does not know is left aside, and doctor names it."""
    path = fixtures / "tf-savedmodel-hpt-fwdcompat" / "00000123"

    assert zoo.load(path)(x=[[1.0]])["y"].tolist() == [[2.5]]
