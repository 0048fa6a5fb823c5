"""A conversion is published only if plain TensorFlow computes from it what the source does."""

import json

import numpy as np
import pytest

import zoo
from zoo import conversions, protos
from zoo.cli import run
from zoo.commands.verifying import verifying_options
from zoo.errors import DifferenceError, RunError, TrustError, UnsupportedError, UsageError
from zoo.formats import Saved
from zoo.tensors import ArrayTensor

FORMS = ("checkpoint", "frozen", "saved_model")


def left(folder):
    """Return what lies in `folder`, what is hidden too."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", FORMS)
def test_a_faithful_conversion_is_published(tf, tmp_path, form):
    """With what was compared: every output, the same bits, and every weight."""
    done = zoo.convert("vgg-digits", tmp_path / "net", to=form, verify=True)

    assert done.verified.differences == {"serving_default/probabilities": 0.0}
    assert done.verified.weights == 14
    assert not [name for name in left(tmp_path) if name.startswith(".")]
    given = zoo.load(done.target.path).run("prob:0", {"images:0": np.ones((1, 8, 8, 1))})
    assert given.shape == (1, 10)


def test_the_command_prints_each_output(tf, tmp_path, capsys):
    """For a person, and for a script."""
    target = str(tmp_path / "a.pb")
    assert run(["convert", "toy-adder", target, "--to", "frozen", "--verify", "-q"]) == 0
    assert "verified: serving_default/op_to_restore: the same bits" in capsys.readouterr().out

    command = ["convert", "toy-adder", target, "--to", "frozen", "--verify", "--force", "--json"]
    assert run([*command, "--input", "w1=[1, 2]", "--input", "w2=[3, 4]"]) == 0

    verified = json.loads(capsys.readouterr().out)["verified"]
    assert verified["max_abs_diff"] == 0.0
    assert verified["outputs"] == ["serving_default/op_to_restore"]
    assert run([*command, "--input", "w3=1"]) == 2
    assert "no input is called w3" in capsys.readouterr().err
    with pytest.raises(UsageError, match="belong to --verify"):
        verifying_options(lambda **_: None)(
            verify=False, verify_inputs=("a=1",), rtol=0.0, atol=0.0
        )


def wrong(monkeypatch, change):
    """Have every conversion write a model whose weights `change` has changed."""
    write = zoo.formats.Format.write

    def written(form, model, path, options) -> Saved:
        """Write another model than was given."""
        return write(form, change(model), path, options)

    monkeypatch.setattr(conversions.plugins.Format, "write", written)


def flipped(model):
    """Return `model` with the lowest bit of one number of one weight flipped."""
    kernel = np.array(model.weights["conv1_1/kernel"])
    kernel.view(np.uint32).reshape(-1)[0] ^= 1
    weights = model.weights.overlay({"conv1_1/kernel": ArrayTensor.of(kernel)})
    return zoo.Model(model.meta_graph, weights)


def swapped(model):
    """Return `model` with two biases of the same shape in each other's places."""
    names = ("conv1_1/bias", "conv1_2/bias")
    tensors = {
        one: model.weights.tensor(other) for one, other in zip(names, names[::-1], strict=True)
    }
    return zoo.Model(model.meta_graph, model.weights.overlay(tensors))


def other_graph(model):
    """Return `model` with another operation in the place of one."""
    edited = type(model.meta_graph)()
    edited.CopyFrom(model.meta_graph)
    for node in edited.graph_def.node:
        if node.name == "conv1_1":
            node.op = "Relu6"
    return zoo.Model(edited, model.weights)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flipped, "the weight 'conv1_1/kernel' is not what it was"),
        (swapped, "the weight 'conv1_[12]/bias' is not what it was"),
        (other_graph, "the output 'serving_default/probabilities' differs"),
    ],
)
def test_a_conversion_that_changes_something_is_not_published(
    tf, tmp_path, monkeypatch, form, change, words
):
    """Nothing is at the target, and nothing beside it."""
    wrong(monkeypatch, change)

    with pytest.raises(DifferenceError, match=words) as caught:
        zoo.convert("vgg-digits", tmp_path / "net", to=form,
                    verify={"inputs": {"images": np.full((2, 8, 8, 1), 16.0)}})  # fmt: skip

    assert caught.value.code == 1
    assert left(tmp_path) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("change", "names"),
    [(flipped, {"conv1_1/kernel"}), (swapped, {"conv1_1/bias", "conv1_2/bias"})],
)
def test_diff_finds_what_verify_does(tmp_path, monkeypatch, capsys, form, change, names):
    """Where a conversion was not verified, a wrong one is found later; a right one is not."""
    zoo.convert("vgg-digits", tmp_path / "right", to=form)
    wrong(monkeypatch, change)
    zoo.convert("vgg-digits", tmp_path / "wrong", to=form)

    assert run(["diff", "vgg-digits", str(tmp_path / "right"), "--json"]) == 0
    capsys.readouterr()
    assert run(["diff", "vgg-digits", str(tmp_path / "wrong"), "--json"]) == 1

    found = json.loads(capsys.readouterr().out)["weights"]
    assert {one["a"] for one in found["different"]} == names


def test_a_tolerance_lets_small_differences_pass(tf, tmp_path, monkeypatch):
    """And says how large they are."""

    def shifted(model):
        """Return the adder with a bias that is a little larger."""
        edited = type(model.meta_graph)()
        edited.CopyFrom(model.meta_graph)
        for node in edited.graph_def.node:
            if node.name == "Add":
                node.op = "AddV2"
        weights = {"bias": ArrayTensor.of(np.float32(2.00001))}
        return zoo.Model(edited, model.weights.overlay(weights))

    wrong(monkeypatch, shifted)
    monkeypatch.setattr(zoo.verifying, "_compare_weights", lambda *_: 0)
    with pytest.raises(DifferenceError):
        zoo.convert("toy-adder", tmp_path / "a.pb", to="frozen", verify=True)

    done = zoo.convert("toy-adder", tmp_path / "a.pb", to="frozen", verify={"rtol": 1e-4})

    assert 0 < done.verified.max_abs_diff < 1e-3


@pytest.fixture
def random_net(tf, tmp_path):
    """Return a graph with one output that is random, and two that are not; one draws in vain."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        tf.add(x, tf.random.uniform(tf.shape(x)), name="noisy")
        tf.multiply(x, 2.0, name="plain")
        tf.add(x, 0.0 * tf.random.uniform([3]), name="steady")
        (tmp_path / "net.pb").write_bytes(session.graph_def.SerializeToString())
    return tmp_path / "net.pb"


def test_random_outputs_are_named(random_net, tmp_path):
    """What is another at each run cannot be compared but in shape."""
    done = zoo.convert(random_net, tmp_path / "out.pb", to="frozen", verify=True)

    assert done.verified.differences == {"plain": 0.0, "steady": 0.0}
    (remark,) = done.verified.remarks
    assert "noisy is random (RandomUniform)" in remark


def test_a_model_of_random_outputs_alone_is_not_proven(random_net, tmp_path):
    """Nothing of it can be compared, and so nothing is published."""
    with pytest.raises(UnsupportedError, match="no output can be compared") as caught:
        zoo.convert(random_net, tmp_path / "out.pb", "frozen", outputs=["noisy:0"], verify=True)

    assert "noisy is random" in caught.value.found
    assert left(tmp_path) == ["net.pb"]


@pytest.mark.parametrize("output", ["noisy:0", "plain:0"])
def test_an_output_of_another_shape_differs(random_net, tmp_path, monkeypatch, output):
    """Also where the values are the same, and where they are random."""

    def widened(model):
        """Return `model` with its output in a list of one."""
        name = output.removesuffix(":0")
        graph = model.extend(lambda given: {"wide": given[output][None]}).graph
        return zoo.Model(renamed(graph, {name: "inner", "wide": name}), model.weights)

    wrong(monkeypatch, widened)

    with pytest.raises(DifferenceError, match="differs") as caught:
        zoo.convert(random_net, tmp_path / "out.pb", "frozen", outputs=[output], verify=True)

    assert "where the source gives float32" in caught.value.found


def renamed(graph, names):
    """Return a model's graph whose nodes have other names."""
    made = protos.MetaGraphDef()
    made.graph_def.CopyFrom(graph)
    for node in made.graph_def.node:
        node.name = names.get(node.name, node.name)
        node.input[:] = [names.get(edge, edge) for edge in node.input]
    return made


def test_signatures_of_several_tensors_are_left_out_aloud(tf, tmp_path):
    """A sparse input is three tensors; what has none is compared."""
    model = zoo.load("toy-adder").with_signature({"w1": "w1:0"}, {"y": "op_to_restore:0"}, "sparse")
    sparse = model.meta_graph.signature_def["sparse"].inputs["s"].coo_sparse
    for place in ("values", "indices", "dense_shape"):
        setattr(sparse, f"{place}_tensor_name", "w2:0")
    path = zoo.save(model, tmp_path / "net", format="saved_model").path

    done = zoo.convert(path, tmp_path / "out", to="saved_model", verify=True)

    assert list(done.verified.differences) == ["serving_default/op_to_restore"]
    assert list(done.verified.remarks) == ["not compared, sparse or ragged: sparse"]


def test_effects_are_named_and_do_not_meet(tf, fixtures, tmp_path):
    """A counter that one signature sets is set back before the next one runs."""
    done = zoo.convert(
        fixtures / "serving-sm-counter" / "00000123", tmp_path / "out", "saved_model", verify=True
    )

    assert len(done.verified.differences) == 4
    assert any("changes state" in one for one in done.verified.remarks)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name",
    [
        "made-here-gaps/decodejpeg_frozen",
        "serving-sm-half-plus-two-tf2-cpu",
        "dotnet-model-types-test",
        "arm-kws/DNN/DNN_S.pb",
        "tfnet-meta-cond-test",
        "tf2onnx-gru",
    ],
)
def test_inputs_that_only_some_values_fit(fixtures, tmp_path, name, form):
    """Pictures, sounds, examples, two names for one tensor, outputs of branches not taken, rows."""
    done = zoo.convert(fixtures / name, tmp_path / "out", to=form, verify=True)

    assert done.verified.differences
    assert done.verified.max_abs_diff == 0.0


def test_a_source_that_does_not_run_is_told(tf, fixtures, tmp_path):
    """Nothing can be proven of it, so nothing is published; its Python is not even asked for."""
    path = fixtures / "made-here-gaps" / "pyfunc_meta" / "model.ckpt"

    with pytest.raises(TrustError, match="PyFunc"):
        zoo.convert(path, tmp_path / "out", to="saved_model", verify=True)
    with pytest.raises(RunError, match="no values were found") as caught:
        zoo.convert(path, tmp_path / "out", to="saved_model", verify=True, trust=True)

    assert "--input" in caught.value.hint
    assert left(tmp_path) == []


def test_an_output_that_has_no_value_is_told(tf, tmp_path):
    """It stands on a branch that is not taken; the other one is compared."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        other, _ = tf.raw_ops.Switch(data=x, pred=tf.constant(True))
        tf.negative(other, name="dead")
        tf.negative(x, name="alive")
        (tmp_path / "net.pb").write_bytes(session.graph_def.SerializeToString())

    done = zoo.convert(
        tmp_path / "net.pb", tmp_path / "a.pb", "frozen", outputs=["dead:0", "alive:0"], verify=True
    )

    assert done.verified.differences == {"serving_default/alive": 0.0}
    assert done.verified.remarks == ("the source gives no serving_default/dead for these inputs",)


def test_what_a_function_draws_is_random_too(tf, tmp_path):
    """The call does not say so, its body does."""

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([3], name="x")])
        def call(self, x):
            """Return a random output, and one that is not."""
            return {"noisy": x + tf.random.uniform([3]), "plain": x * 2}

    net = Net()
    tf.saved_model.save(net, tmp_path / "net", {"serving_default": net.call})

    done = zoo.convert(tmp_path / "net", tmp_path / "out", "saved_model", verify=True)

    assert done.verified.differences == {"serving_default/plain": 0.0}
    assert any("noisy is random" in remark for remark in done.verified.remarks)


def test_names_of_a_signature_lead_to_its_tensors(tf, tmp_path, monkeypatch):
    """What was written may call its nodes otherwise, as long as its signature tells."""

    def moved(model):
        """Return `model` with another name for the placeholder of its input."""
        away = model.renamed({"images": "pixels"}, nodes=True)
        return away.renamed({"pixels": "images"})

    wrong(monkeypatch, moved)

    done = zoo.convert("vgg-digits", tmp_path / "net", to="saved_model", verify=True)

    assert done.verified.max_abs_diff == 0.0
    assert zoo.load(tmp_path / "net").signature().inputs["images"].tensor == "pixels:0"
