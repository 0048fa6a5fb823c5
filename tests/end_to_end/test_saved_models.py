"""SavedModels that zoo writes: variables for every weight, trained and run by others."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo

SOURCES = {  # path in the fixtures: weights, of these trainable
    "dl4j-lenet-frozen-pb/lenet_frozen.pb": (10, 10),
    "arm-kws/CNN/CNN_S.pb": (22, 16),
    "dotnet-mnist-conv-model": (20, 10),
    "serving-half-plus-two-v2/00000123/export": (2, 2),
    "made-here-gaps/partitioned_ref/model.ckpt-7": (3, 3),
}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_weight_is_a_variable(tf, fixtures, tmp_path, name):
    """All in ``.variables``, those that train in ``.trainable_variables``, all resources."""
    zoo.convert(fixtures / name, tmp_path / "m", to="saved_model")

    model = tf.saved_model.load(str(tmp_path / "m"))

    weights, trained = SOURCES[name]
    assert len(model.variables) == weights
    assert len(model.signatures["serving_default"].trainable_variables) == trained
    source = zoo.load(fixtures / name)
    by_name = {variable.name.removesuffix(":0"): variable for variable in model.variables}
    for weight in source.weights:
        assert np.array_equal(by_name[weight].numpy(), source.weights[weight])


def test_gradients_reach_the_weights_of_a_frozen_graph(tf, fixtures, tmp_path):
    """What was frozen trains again in plain TensorFlow: a step lowers the loss."""
    path = fixtures / "dl4j-lenet-frozen-pb" / "lenet_frozen.pb"
    cut = "Lenet/fc9_1/BiasAdd"  # before the ArgMax, through which no gradient passes
    zoo.convert(path, tmp_path / "m", to="saved_model", outputs=[cut])
    model = tf.saved_model.load(str(tmp_path / "m"))
    call = model.signatures["serving_default"]
    image = tf.constant(np.random.default_rng(0).normal(size=(4, 784)), tf.float32)

    def loss():
        return tf.reduce_mean(call(input=image)[cut] ** 2)

    with tf.GradientTape() as tape:
        before = loss()
    gradients = tape.gradient(before, call.trainable_variables)
    for variable, gradient in zip(call.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.01 * gradient)

    assert all(np.any(gradient) for gradient in gradients)
    assert loss() < before


def test_the_command_line_tool_runs_it(fixtures, tmp_path):
    """``saved_model_cli run`` takes what zoo wrote."""
    zoo.convert(fixtures / "serving-half-plus-two-v2", tmp_path / "m", to="saved_model")
    np.save(tmp_path / "x.npy", np.array([1, 2, 5], np.float32))

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tensorflow.python.tools.saved_model_cli",
            "run",
            "--dir",
            str(tmp_path / "m"),
            "--tag_set",
            "serve",
            "--signature_def",
            "serving_default",
            "--inputs",
            f"x={tmp_path}/x.npy",
            "--outdir",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-800:]
    assert np.load(tmp_path / "y.npy").tolist() == [2.5, 3.0, 4.5]


def test_tags_are_chosen(tf, fixtures, tmp_path):
    """Of several MetaGraphs the one for serving, or the one named; written under any tags."""
    path = fixtures / "made-here-gaps" / "three_metagraphs"
    facts = zoo.inspect(path)
    assert len(facts["tag_sets"]) == 3
    assert ["serve"] in facts["tag_sets"]

    other = next(tags for tags in facts["tag_sets"] if tags != ["serve"])
    model = zoo.load(path, tags=other)
    zoo.save(model, tmp_path / "m", "saved_model", tags=["a", "b"])

    assert sorted(model.meta_graph.meta_info_def.tags) == other
    assert zoo.inspect(tmp_path / "m")["tag_sets"] == [["a", "b"]]


def test_assets_go_along(tf, plain, fixtures, tmp_path):
    """A file that the graph refers to is copied and found by what loads the model."""
    path = fixtures / "serving-sm-half-plus-two-cpu" / "00000123"

    zoo.convert(path, tmp_path / "m", to="saved_model")

    assert (tmp_path / "m" / "assets" / "foo.txt").read_bytes() == (
        path / "assets" / "foo.txt"
    ).read_bytes()
    x = np.array([[1], [2]], np.float32)
    assert plain.signature(tmp_path / "m", "regress_x2_to_y3", inputs=x)["outputs"].tolist() == [
        [3.5],
        [4.0],
    ]


def test_tables_and_their_files(tf, plain, tmp_path):
    """A vocabulary is looked up as in TensorFlow; no format without files takes it."""

    class Words(tf.Module):
        def __init__(self, path):
            super().__init__()
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(path, "string", 0, "int64", 1, delimiter=" "), -1
            )

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def ids(self, words):
            return {"ids": self.table.lookup(words)}

    (tmp_path / "words.txt").write_text("hello 3\nworld 5\n")
    words = Words(str(tmp_path / "words.txt"))
    tf.saved_model.save(words, str(tmp_path / "m"), {"serving_default": words.ids})
    (tmp_path / "words.txt").unlink()

    model = zoo.load(tmp_path / "m")
    assert model(words=["world", "none"])["ids"].tolist() == [5, -1]
    zoo.save(model, tmp_path / "again", "saved_model")
    assert plain.signature(tmp_path / "again", "serving_default", words=[b"hello"])[
        "ids"
    ].tolist() == [3]
    for form in ("frozen", "checkpoint"):
        with pytest.raises(zoo.ZooError) as caught:
            zoo.save(model, tmp_path / form, form)
        assert "words.txt" in caught.value.found or "table" in caught.value.found


def test_objects_that_need_another_package(tf, fixtures, tmp_path):
    """An optimizer of Keras 2 comes along, and that it needs tf_keras is said; or it stays out."""
    path = fixtures / "rust-keras-multiple-inputs-saved-model"

    with_objects = zoo.convert(path, tmp_path / "with", to="saved_model")
    without = zoo.convert(path, tmp_path / "without", to="saved_model", object_graph=False)

    assert "tf_keras" in " ".join(with_objects.repairs)
    assert "tf_keras" not in " ".join(without.repairs)
    assert tf.saved_model.load(tmp_path / "without").signatures["serving_default"].variables


def test_a_whole_saved_model_in_text(fixtures, tf):
    """``saved_model.pbtxt`` opens like its binary twin, unknown attributes or not."""
    for name in ("tf-savedmodel-half-plus-two-pbtxt", "tf-savedmodel-hpt-fwdcompat"):
        model = zoo.load(fixtures / name)

        assert model.run("y", {"x": np.ones((1, 1), np.float32)}).tolist() == [[2.5]]


def test_files_that_lead_outside_are_refused(fixtures, tmp_path):
    """A model does not read files beside its own folder."""
    import shutil

    from zoo.protos import SavedModel

    shutil.copytree(fixtures / "serving-sm-half-plus-two-tf2-cpu" / "00000123", tmp_path / "m")
    path = tmp_path / "m" / "saved_model.pb"
    parsed = SavedModel.FromString(path.read_bytes())
    parsed.meta_graphs[0].asset_file_def[0].filename = "../../etc/passwd"
    path.write_bytes(parsed.SerializeToString())

    with pytest.raises(zoo.ZooError, match="outside"):
        zoo.load(tmp_path / "m")


def test_what_keras_3_saves_through_tensorflow(tf, tmp_path):
    """Two handles for a variable, of which the saver knows one: both have the value."""
    import keras

    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6), keras.layers.Dense(3)])
    tf.saved_model.save(net, str(tmp_path / "m"))
    value = np.ones((1, 4), np.float32)

    model = zoo.load(tmp_path / "m")
    document = zoo.inspect(tmp_path / "m")

    plain = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    wanted = plain(tf.constant(value))
    found = model.run(None, {next(iter(model.signature().inputs)): value})
    for key, values in wanted.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-5, atol=1e-6)
    assert document["head"]["outputs"] == 3
    assert document["parameters"] == sum(weight.shape.num_elements() for weight in net.weights)
    assert len(model.function().trainable_variables) == 4


def test_files_without_objects(tf, plain, fixtures, tmp_path):
    """In the layout of TensorFlow 1 what runs at loading is no signature: it needs a file."""
    path = fixtures / "serving-sm-half-plus-two-tf2-cpu" / "00000123"

    zoo.convert(path, tmp_path / "m", to="saved_model", object_graph=False)

    loaded = tf.saved_model.load(str(tmp_path / "m"))
    x = tf.constant([1.0, 2.0])
    assert loaded.signatures["serving_default"](x=x)["y"].numpy().tolist() == [2.5, 3.0]
    assert [Path(one.asset_path.numpy().decode()).name for one in loaded.asset_paths] == ["foo.txt"]
    fetches = {"y": zoo.load(tmp_path / "m").signature("serving_default").outputs["y"].tensor}
    values = plain.saved_model(tmp_path / "m", {"serving_default_x:0": [1.0]}, fetches)
    assert values["y"].tolist() == [2.5]


def test_a_chosen_output_keeps_its_table(plain, fixtures, tmp_path):
    """What fills it, and the file that this reads; the other table and file go, and it is said."""
    path = fixtures / "tfx-transform-fn" / "transform_fn"
    signature = zoo.load(path).signature()
    values, indices, shape = signature.inputs["company"].tensor.split(",")
    feeds = {values: [b"Chicago Taxicab", b"?"], indices: [[0, 0], [1, 0]], shape: [2, 1]}
    wanted = signature.outputs["company_xf"].tensor
    expected = plain.saved_model(path, feeds, wanted, tags=["transform"])

    done = zoo.convert(path, tmp_path / "m", to="saved_model", outputs=["company_xf"])

    found = plain.saved_model(tmp_path / "m", feeds, wanted, tags=["transform"])
    assert found.tolist() == expected.tolist() != [[-1], [-1]]
    assert zoo.load(tmp_path / "m").run(wanted, feeds).tolist() == expected.tolist()
    gone, kept = (f"vocab_compute_and_apply_vocabulary{n}_vocabulary" for n in ("", "_1"))
    assert [file.name for file in (tmp_path / "m" / "assets").iterdir()] == [kept]
    assert any("left out files" in note and gone in note for note in done.repairs)


def test_a_chosen_output_of_a_function_keeps_its_table(tf, tmp_path):
    """What fills it is a function, too, that runs when the model is loaded."""
    (tmp_path / "words.txt").write_text("hello\nzoo\n")

    class Lookup(tf.Module):
        """Numbers of words in a file."""

        def __init__(self):
            super().__init__()
            lines, words = tf.lookup.TextFileIndex.LINE_NUMBER, tf.lookup.TextFileIndex.WHOLE_LINE
            path = str(tmp_path / "words.txt")
            fill = tf.lookup.TextFileInitializer(path, tf.string, words, tf.int64, lines)
            self.table = tf.lookup.StaticHashTable(fill, -1)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, word):
            return {"number": self.table.lookup(word), "length": tf.strings.length(word)}

    model = Lookup()
    tf.saved_model.save(model, str(tmp_path / "m"), signatures=model.__call__)

    number = zoo.load(tmp_path / "m").signature().outputs["number"].tensor
    zoo.convert(tmp_path / "m", tmp_path / "cut", to="saved_model", outputs={"n": number})

    signature = tf.saved_model.load(str(tmp_path / "cut")).signatures["serving_default"]
    (word,) = signature.structured_input_signature[1]
    assert signature(**{word: tf.constant(["zoo", "?"])})["n"].numpy().tolist() == [1, -1]
    assert zoo.load(tmp_path / "cut").run("n", {word: [b"zoo"]}).tolist() == [1]


def test_an_export_of_keras_is_frozen_once(tf, plain, tmp_path):
    """Its two signatures are one net each: a format without signatures takes the default one."""
    import keras

    keras.utils.set_random_seed(1)
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    net.export(tmp_path / "net", verbose=False)

    done = zoo.convert(tmp_path / "net", tmp_path / "net.pb", to="frozen", verify=True)

    assert any("took serving_default; serve is the same net" in note for note in done.repairs)
    model = zoo.load(tmp_path / "net.pb")
    ((name, given),) = model.signature().inputs.items()
    x = np.ones((2, 4), np.float32)
    (found,) = model(**{name: x}).values()
    (end,) = model.outputs()
    np.testing.assert_array_equal(plain.frozen(tmp_path / "net.pb", {given.tensor: x}, end), found)
    both = zoo.convert(
        tmp_path / "net", tmp_path / "both.pb", to="frozen",
        outputs=["StatefulPartitionedCall:0", "StatefulPartitionedCall_1:0"],
    )  # fmt: skip
    assert len(zoo.load(both.target.path).signature().inputs) == 2


@pytest.mark.parametrize("other", ["another output", "another input", "another net"])
def test_signatures_of_other_kinds_are_all_kept(tf, tmp_path, other):
    """What is called otherwise, or shares an input, is no twin."""

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], name="x")])
        def double(self, x):
            return {"y": 2 * x}

        @tf.function(input_signature=[tf.TensorSpec([None], name="x")])
        def named(self, x):
            return {"z": 3 * x}

        @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
        def shaped(self, x):
            return {"y": 4 * x}

        @tf.function(input_signature=[tf.TensorSpec([None], name="x")])
        def triple(self, x):
            return {"y": 3 * x}

    net = Net()
    net.weight = tf.Variable(1.0)
    others = {"another output": net.named, "another input": net.shaped, "another net": net.triple}
    second = others[other]
    signatures = {"serving_default": net.double, "second": second}
    tf.saved_model.save(net, str(tmp_path / "net"), signatures)

    done = zoo.convert(tmp_path / "net", tmp_path / "net.pb", to="frozen")

    assert not any("is the same net" in note for note in done.repairs)
    assert len(zoo.load(tmp_path / "net.pb").outputs()) == 2
