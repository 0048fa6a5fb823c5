"""Graphs as training leaves them, converted for use: what is repaired, by name, and what it gives.

The oracle is plain TensorFlow: a session over the graph as it was, fed as it should be in use.
"""

import numpy as np
import pytest

import zoo
from zoo import errors

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


@pytest.fixture
def trained(tf, plain, tmp_path):
    """Build a graph in the way of TensorFlow 1, save it, and return its answer for some feeds."""
    v1 = tf.compat.v1

    def train(build, fetch, feeds):
        with tf.Graph().as_default(), v1.Session(config=plain.config) as session:
            v1.disable_resource_variables()
            v1.set_random_seed(1)
            build(v1)
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(tmp_path / "train" / "model"))
            return session.run(fetch, feeds)

    return train


@pytest.fixture
def frozen(plain, tmp_path):
    """Convert what was trained to a frozen graph; return what was said, and what it answers."""

    def convert(fetch, feeds, **options):
        done = zoo.convert(tmp_path / "train", tmp_path / "out.pb", to="frozen", **options)
        return done.repairs, plain.frozen(done.target.path, feeds, fetch)

    return convert


def said(notes, name):
    """Return what was said of the repair `name`."""
    return [note.partition(": ")[2] for note in notes if note.startswith(f"{name}: ")]


def variable(v1, name, shape, **kwargs):
    return v1.get_variable(name, shape, use_resource=False, **kwargs)


def dense(v1, x, width, name):
    return v1.matmul(x, variable(v1, f"{name}/kernel", (x.shape[-1], width)), name=f"{name}/out")


def with_dropout(v1):
    """Build a classifier with dropout whose share is fed, and its training."""
    x = v1.placeholder("float32", (None, 4), name="x")
    labels = v1.placeholder("int64", (None,), name="labels")
    keep = v1.placeholder("float32", (), name="keep_prob")
    hidden = v1.nn.dropout(v1.nn.relu(dense(v1, x, 5, "hidden")), keep_prob=keep)
    logits = dense(v1, hidden, 3, "last")
    v1.nn.softmax(logits, name="probabilities")
    loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
    v1.train.AdamOptimizer().minimize(loss, name="train")


def test_a_share_that_is_fed_is_fixed(trained, frozen):
    """The frozen graph needs the input alone, and gives what it gives with dropout off."""
    wanted = trained(with_dropout, "probabilities:0", {"x:0": X, "keep_prob:0": 1.0})

    notes, found = frozen("probabilities:0", {"x:0": X}, verify=True)

    assert found.tobytes() == wanted.tobytes()
    assert said(notes, "switches") == ["fixed keep_prob to 1.0"]
    assert any("probabilities:0" in note for note in notes)
    nodes, weights = said(notes, "training-nodes")
    assert "nodes that the outputs do not need" in nodes
    assert "slots of optimizers" in weights


def test_a_fixed_share_can_still_be_fed(trained, frozen):
    """By the same name, to any value."""
    trained(with_dropout, "probabilities:0", {"x:0": X, "keep_prob:0": 1.0})

    _, found = frozen("probabilities:0", {"x:0": X, "keep_prob:0": 1e-6})

    assert np.ptp(found) == 0  # nothing is kept


def test_a_repair_that_is_switched_off(tf, trained, frozen):
    """The share has to be fed, as it had before."""
    wanted = trained(with_dropout, "probabilities:0", {"x:0": X, "keep_prob:0": 1.0})
    unrepaired = {"repairs": {"switches": False}, "force": True}

    notes, found = frozen("probabilities:0", {"x:0": X, "keep_prob:0": 1.0}, **unrepaired)

    assert found.tobytes() == wanted.tobytes()
    assert not said(notes, "switches")
    with pytest.raises(tf.errors.InvalidArgumentError, match="keep_prob"):
        frozen("probabilities:0", {"x:0": X}, **unrepaired)


def batch_normalised(v1, x, training, updates=True):
    """Return `x` normalised in the way of the time: updates are part of the branch."""
    mean = variable(v1, "norm/moving_mean", (4,), trainable=False)
    variance = variable(v1, "norm/moving_variance", (4,), trainable=False)

    def in_training():
        found, spread = v1.nn.moments(x, [0])
        moves = [
            v1.assign_sub(mean, (mean - found) * 0.1),
            v1.assign_sub(variance, (variance - spread) * 0.1),
        ]
        with v1.control_dependencies(moves if updates else []):
            return v1.nn.batch_normalization(x, found, spread, None, None, 1e-3)

    def in_use():
        return v1.nn.batch_normalization(x, mean, v1.abs(variance) + 1.0, None, None, 1e-3)

    return v1.cond(training, in_training, in_use) if training is not True else in_training()


def with_branches(v1):
    """Build a net that normalises by one of two branches, a switch says which."""
    v1.disable_control_flow_v2()
    x = v1.placeholder("float32", (None, 4), name="x")
    training = v1.placeholder("bool", (), name="is_training")
    v1.identity(dense(v1, batch_normalised(v1, x, training), 3, "last"), name="logits")


def test_the_branch_of_training_goes(tf, trained, frozen, plain, tmp_path):
    """With it go RefSwitch and AssignSub, which plain TensorFlow freezes to what it refuses."""
    wanted = trained(with_branches, "logits:0", {"x:0": X, "is_training:0": False})

    notes, found = frozen("logits:0", {"x:0": X}, verify=True)

    assert found.tobytes() == wanted.tobytes()
    assert said(notes, "switches") == [
        "fixed is_training to false; left out the branches of 1 decided conditional"
    ]
    ops = {node.op for node in zoo.load(tmp_path / "out.pb").graph.node}
    assert not ops & {"AssignSub", "Merge", "RefSwitch", "Switch"}


def test_a_branch_in_functions_goes(tf, trained, frozen, tmp_path):
    """A conditional of TensorFlow 2 becomes what its branch does."""

    def net(v1):
        v1.enable_control_flow_v2()
        x = v1.placeholder("float32", (None, 4), name="x")
        training = v1.placeholder("bool", (), name="is_training")
        y = v1.cond(training, lambda: v1.nn.dropout(x, rate=0.5), lambda: x + 1.0)
        v1.identity(dense(v1, y, 3, "last"), name="logits")

    wanted = trained(net, "logits:0", {"x:0": X, "is_training:0": False})

    notes, found = frozen("logits:0", {"x:0": X}, verify=True)

    assert found.tobytes() == wanted.tobytes()
    assert said(notes, "switches")
    assert not {node.op for node in zoo.load(tmp_path / "out.pb").graph.node} & {
        "If",
        "StatelessIf",
    }


def always_training(v1):
    """Build a net whose outputs wait for the updates of averages that they do not look at."""
    x = v1.placeholder("float32", (None, 4), name="x")
    v1.identity(dense(v1, batch_normalised(v1, x, True), 3, "last"), name="logits")


def test_updates_on_the_way_to_outputs_go(trained, frozen):
    """The numbers are those of the batch, as they were; nothing is changed for them."""
    wanted = trained(always_training, "logits:0", {"x:0": X})

    notes, found = frozen("logits:0", {"x:0": X}, verify=True)

    assert found.tobytes() == wanted.tobytes()
    (told,) = said(notes, "updates")
    assert "norm/moving_mean" in told
    assert "norm/moving_variance" in told


def test_a_change_that_outputs_see_stays(trained, tmp_path):
    """A counter counts, and is no part of a frozen graph."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        count = variable(v1, "count", (), initializer=v1.zeros_initializer())
        with v1.control_dependencies([v1.assign_add(count, 1.0)]):
            v1.add(x, v1.identity(count), name="y")

    trained(net, "y:0", {"x:0": X})

    with pytest.raises(errors.UnsupportedError):
        zoo.convert(tmp_path / "train", tmp_path / "out.pb", to="frozen", outputs=["y:0"])


def test_batch_norm_by_its_averages(trained, frozen):
    """Said by default, done when it is asked for: each example gets the same answer alone."""
    trained(always_training, "logits:0", {"x:0": X})

    notes, found = frozen("logits:0", {"x:0": X}, repairs={"batch-norm": True}, verify=True)
    _, alone = frozen("logits:0", {"x:0": X[:1]}, repairs={"batch-norm": True}, force=True)

    np.testing.assert_allclose(found[:1], alone, rtol=1e-5)
    (told,) = said(notes, "batch-norm")
    assert "norm/moving_mean" in told


def fused(v1):
    """Build a net with fused batch normalisation in training mode, and its updates."""
    image = v1.placeholder("float32", (None, 5, 5, 3), name="image")
    kinds = {"moving_mean": v1.zeros_initializer(), "moving_variance": v1.ones_initializer()}
    averages = [
        v1.get_variable(f"norm/{name}", (3,), initializer=kind) for name, kind in kinds.items()
    ]
    net, *found = v1.nn.fused_batch_norm(image, v1.ones([3]), v1.zeros([3]), name="norm/net")
    moves = [v1.assign_sub(a, (a - f) * 0.1) for a, f in zip(averages, found, strict=True)]
    v1.identity(net, name="normalised")
    with v1.control_dependencies(moves):
        v1.identity(v1.reduce_mean(net), name="loss")


@pytest.mark.parametrize("resources", [False, True])
def test_fused_batch_norm(tf, trained, frozen, resources):
    """The averages are found by who moves them, in variables of both kinds."""
    image = np.random.default_rng(1).normal(size=(2, 5, 5, 3)).astype(np.float32)

    def net(v1):
        if resources:
            v1.enable_resource_variables()
        fused(v1)

    trained(net, "normalised:0", {"image:0": image})

    plain_notes, _ = frozen("normalised:0", {"image:0": image}, outputs=["normalised:0"])
    notes, found = frozen(
        "normalised:0",
        {"image:0": image},
        outputs=["normalised:0"],
        repairs={"batch-norm": True},
        force=True,
    )

    assert any("training mode: batch normalisation" in note for note in plain_notes)
    assert not any("training mode" in note for note in notes)
    np.testing.assert_allclose(found, image / np.sqrt(1 + 1e-3), rtol=1e-5)  # mean 0, variance 1


DROPOUTS = {
    "by rate": lambda v1, x: v1.nn.dropout(x, rate=0.4),
    "of scale": lambda v1, x: (
        v1.math.divide(x, v1.constant(0.6))
        * v1.floor(v1.constant(0.6) + v1.random_uniform(v1.shape(x)))
    ),
}


@pytest.mark.parametrize("kind", sorted(DROPOUTS))
def test_dropout_that_is_built_in(tf, trained, frozen, kind):
    """Said by default, switched off when that is asked for; the answer is as without."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        kernel = v1.constant(np.eye(4, 3, dtype=np.float32))
        v1.matmul(DROPOUTS[kind](v1, x), kernel + variable(v1, "w", (4, 3)) * 0, name="y")

    trained(net, "y:0", {"x:0": X})

    plain_notes, _ = frozen("y:0", {"x:0": X})
    notes, found = frozen("y:0", {"x:0": X}, repairs={"dropout": True}, force=True, verify=True)

    assert any("training mode: dropout is on" in note for note in plain_notes)
    assert not any("training mode" in note for note in notes)
    assert found.tobytes() == X[:, :3].tobytes()


def from_a_queue(v1):
    """Build a net that takes images and their names from a queue."""
    queue = v1.FIFOQueue(8, ["float32", "string"], [[4], []], name="queue")
    images, names = queue.dequeue_many(3, name="batch")
    v1.identity(names, name="names")
    dense(v1, images, 3, "last")
    v1.train.add_queue_runner(
        v1.train.QueueRunner(queue, [queue.enqueue([v1.zeros([4]), v1.constant("a")])])
    )


def test_queues_become_placeholders(trained, frozen):
    """The first output keeps its name, others get one of their own."""
    names = np.array([b"a", b"b", b"c"], object)
    feeds = {"batch:0": X[:3], "batch:1": names}
    wanted = trained(from_a_queue, ["last/out:0", "names:0"], feeds)

    notes, found = frozen(
        ["last/out:0", "names:0"],
        {"batch:0": X[:3], "batch_1:0": names},
        outputs=["last/out:0", "names:0"],
        verify=True,
    )

    assert found[0].tobytes() == wanted[0].tobytes()
    assert found[1].tolist() == [b"a", b"b", b"c"]
    (told,) = said(notes, "queues")
    assert "batch" in told
    assert "batch_1" in told


def test_iterators_become_placeholders(tf, trained, frozen):
    """With the shape that the iterator states, which is open where it is."""

    def net(v1):
        data = tf.data.Dataset.from_tensors(np.zeros(4, np.float32)).repeat().batch(7)
        images = v1.data.make_one_shot_iterator(data).get_next()
        dense(v1, images, 3, "last")

    wanted = trained(net, "last/out:0", {"IteratorGetNext:0": X})

    notes, found = frozen("last/out:0", {"IteratorGetNext:0": X}, outputs=["last/out:0"])

    assert found.tobytes() == wanted.tobytes()
    assert said(notes, "queues")


def test_moving_averages_are_taken_when_asked_for(tf, trained, frozen, tmp_path):
    """Else it is said that they are left."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        dense(v1, x, 3, "last")
        variable(v1, "last/kernel/ExponentialMovingAverage", (4, 3), trainable=False)

    trained(net, "last/out:0", {"x:0": X})
    model = zoo.load(tmp_path / "train")
    key = "last/kernel/ExponentialMovingAverage"

    left, _ = frozen("last/out:0", {"x:0": X})
    notes, found = frozen(
        "last/out:0", {"x:0": X}, repairs={"moving-averages": True}, force=True, verify=True
    )

    assert any("left out 1 moving average" in note for note in left)
    assert said(notes, "moving-averages") == ["took 1 moving average in the place of weights"]
    np.testing.assert_allclose(found, X @ model.weights[key], rtol=1e-5)


def test_devices_of_a_cluster_go(tf, trained, frozen, tmp_path):
    """A graph that was spread over servers and GPUs runs here; what is on a CPU stays there."""

    def net(v1):
        with v1.device("/job:ps/task:0"):
            x = v1.placeholder("float32", (None, 4), name="x")
        with v1.device("/cpu:0"):
            dense(v1, x, 3, "last")

    wanted = None

    def build(v1):
        net(v1)
        for node in v1.get_default_graph().get_operations():
            if node.name == "x":
                node._set_device("/device:GPU:3")

    with pytest.raises(tf.errors.InvalidArgumentError, match="Cannot assign a device"):
        trained(build, "last/out:0", {"x:0": X})

    def soft(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        with v1.device("/cpu:0"):
            dense(v1, x, 3, "last")

    wanted = trained(soft, "last/out:0", {"x:0": X})
    model = zoo.load(tmp_path / "train")
    edited = model.placed(None)
    for node in edited.meta_graph.graph_def.node:
        node.device = {"x": "/job:ps/task:0", "last/out": "/device:GPU:3"}.get(node.name, "/cpu:0")
    zoo.save(edited, tmp_path / "train" / "model", "checkpoint")

    notes, found = frozen("last/out:0", {"x:0": X}, verify=True)
    kept = zoo.convert(
        tmp_path / "train", tmp_path / "kept", to="checkpoint", repairs={"devices": False}
    )

    assert found.tobytes() == wanted.tobytes()
    (told,) = said(notes, "devices")
    assert "/job:ps/task:0" in told
    assert "/device:GPU:3" in told
    assert "/cpu:0" not in told
    devices = {node.device for node in zoo.load(kept.target.path).graph.node}
    assert devices >= {"/job:ps/task:0", "/device:GPU:3"}


def test_what_plain_tensorflow_refuses_is_taken_out(tf, trained, frozen, plain, tmp_path):
    """Noted shapes that are wrong, neighbours that are gone, attributes nobody knows."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        dense(v1, x, 3, "last")

    wanted = trained(net, "last/out:0", {"x:0": X})
    meta = tmp_path / "train" / "model.meta"
    meta_graph = tf.compat.v1.MetaGraphDef.FromString(meta.read_bytes())
    for node in meta_graph.graph_def.node:
        if node.name == "x":
            del node.attr["_output_shapes"].list.shape[:]
            node.attr["_output_shapes"].list.shape.add().dim.add(size=7)
        if node.name == "last/out":
            node.attr["grad_z"].b = False
            node.attr["of_tomorrow"].b = True
            node.attr["_class"].list.s.append(b"loc:@gone")
    meta.write_bytes(meta_graph.SerializeToString())

    notes, found = frozen("last/out:0", {"x:0": X})

    assert found.tobytes() == wanted.tobytes()
    assert "of_tomorrow of MatMul (1)" in said(notes, "attributes")[0]
    assert said(notes, "shapes")[0].endswith("wrong for x")
    assert "gone" in said(notes, "colocation")[0]
    for name in ("attributes", "shapes", "colocation"):
        done = zoo.convert(
            tmp_path / "train", tmp_path / "one", to="checkpoint", repairs={name: False}, force=True
        )
        assert not said(done.repairs, name)
        if name == "attributes":  # which this release ignores, and older ones refuse
            kept = {key for node in zoo.load(done.target.path).graph.node for key in node.attr}
            assert "of_tomorrow" in kept
            continue
        with pytest.raises(ValueError, match=r"inconsistent|colocated"):
            plain.checkpoint(done.target.path, {"x:0": X}, "last/out:0")


def test_inputs_that_no_output_needs(tf, trained, frozen, tmp_path):
    """They stay where a signature states them, unless that is asked for."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        v1.placeholder("float32", (None,), name="weights")
        dense(v1, x, 3, "last")

    trained(net, "last/out:0", {"x:0": X})
    model = zoo.load(tmp_path / "train").with_signature(
        {"x": "x:0", "weights": "weights:0"}, {"y": "last/out:0"}
    )
    zoo.save(model, tmp_path / "both", "saved_model")

    kept = zoo.convert(tmp_path / "both", tmp_path / "kept.pb", to="frozen")
    done = zoo.convert(
        tmp_path / "both", tmp_path / "less", to="saved_model", repairs={"unused-inputs": True}
    )

    assert {n.name for n in zoo.load(kept.target.path).graph.node} >= {"x", "weights"}
    assert said(done.repairs, "unused-inputs")
    assert list(zoo.load(done.target.path).signature().inputs) == ["x"]


def test_a_checkpoint_keeps_its_training(trained, tmp_path, plain):
    """Nothing of it is repaired away where the target can hold it, and nobody asked for outputs."""
    feeds = {"x:0": X, "keep_prob:0": 1.0, "labels:0": [0, 1, 2, 0, 1, 2]}
    trained(with_dropout, "probabilities:0", feeds)

    done = zoo.convert(tmp_path / "train", tmp_path / "again", to="checkpoint")

    assert done.repairs == (
        "the graph is kept for training: in use, feed keep_prob 1.0 (--repair switches fixes them)",
    )
    plain.checkpoint(done.target.path, feeds, "train")  # a step


def test_all_repairs_and_none(trained, tmp_path):
    """One word for all of them; what is named counts before it."""
    trained(with_dropout, "probabilities:0", {"x:0": X, "keep_prob:0": 1.0})

    done = zoo.convert(tmp_path / "train", tmp_path / "all", to="checkpoint", repairs={"all": True})
    none = zoo.convert(
        tmp_path / "train", tmp_path / "none.pb", to="frozen", repairs={"all": False}
    )

    assert said(done.repairs, "switches")
    assert not any(node.op == "ApplyAdam" for node in zoo.load(done.target.path).graph.node)
    assert not said(none.repairs, "switches")
    with pytest.raises(errors.UsageError, match="no repair is called"):
        zoo.convert(tmp_path / "train", tmp_path / "x.pb", to="frozen", repairs={"dropuot": True})
