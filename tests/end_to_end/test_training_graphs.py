"""Graphs as they are in the middle of training: what to feed, what to fetch, where the head is."""

import numpy as np
import pytest

import zoo
from zoo import facts, ranking
from zoo.inline import expanded
from zoo.protos import MetaGraphDef
from zoo.view import View


@pytest.fixture
def inspected(tf, tmp_path):
    """Build a graph in the way of TensorFlow 1, save it as a checkpoint, and inspect that."""
    v1 = tf.compat.v1

    def inspect(build):
        with tf.Graph().as_default(), v1.Session() as session:
            v1.disable_resource_variables()
            build(v1)
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(tmp_path / "model"))
        return zoo.inspect(tmp_path / "model")

    return inspect


def variable(v1, name, shape):
    return v1.get_variable(name, shape, use_resource=False)


def dense(v1, x, width, name):
    product = v1.matmul(x, variable(v1, f"{name}/kernel", (x.shape[-1], width)))
    return v1.nn.bias_add(product, variable(v1, f"{name}/bias", (width,)), name=f"{name}/out")


def best(found):
    return [spec["tensor"] for spec in found if spec["rank"] == 0]


def marked(document):
    return {spec["tensor"]: spec["constant"] for spec in document["inputs"] if "constant" in spec}


def classifier(v1, loss):
    x = v1.placeholder("float32", (None, 4), name="x")
    labels = v1.placeholder("float32", (None, 3), name="labels")
    rate = v1.placeholder("float32", (), name="learning_rate")
    logits = dense(v1, v1.nn.relu(dense(v1, x, 5, "hidden")), 3, "last")
    cost = loss(v1, logits, labels)
    v1.train.AdamOptimizer(rate).minimize(cost, name="train")
    v1.summary.scalar("loss", cost)


LOSSES = {
    "softmax": lambda v1, logits, labels: v1.reduce_mean(
        v1.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits)
    ),
    "sparse": lambda v1, logits, labels: v1.losses.sparse_softmax_cross_entropy(
        v1.argmax(labels, 1), logits
    ),
    "sigmoid": lambda v1, logits, labels: v1.reduce_mean(
        v1.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    ),
    "squares": lambda v1, logits, labels: v1.reduce_mean(v1.square(logits - labels)),
    "differences": lambda v1, logits, labels: v1.reduce_mean(v1.squared_difference(logits, labels)),
}


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_predictions_come_before_losses(inspected, loss):
    """The output is what the loss compares with labels; labels and rates are told from inputs."""
    document = inspected(lambda v1: classifier(v1, LOSSES[loss]))

    assert best(document["outputs"]) == ["last/out:0"]
    assert best(document["inputs"]) == ["x:0"]
    whys = {spec["tensor"]: spec["why"] for spec in document["inputs"]}
    assert whys["labels:0"].startswith("labels")
    assert whys["learning_rate:0"] == "only training uses it"
    assert document["head"]["logits"] == "last/out:0"
    assert document["training"]["gradients"]
    assert document["training"]["updates"] == ["ApplyAdam"]
    assert document["optimizer_slots"]["weights"] == 2 * 4 + 2


def test_cross_entropy_written_out(inspected):
    """As the first tutorial had it: the probabilities are the output, not the loss."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        labels = v1.placeholder("float32", (None, 3), name="labels")
        logits = v1.matmul(x, variable(v1, "w", (4, 3))) + variable(v1, "b", (3,))
        loss = -v1.reduce_sum(labels * v1.log(v1.nn.softmax(logits, name="y")))
        v1.train.GradientDescentOptimizer(0.1).minimize(loss)

    document = inspected(net)

    assert best(document["outputs"]) == ["y:0"]
    assert best(document["inputs"]) == ["x:0"]
    assert document["head"]["outputs"] == 3


def test_an_input_that_is_its_own_label(inspected):
    """What an autoencoder is fed is an input, though its loss compares the output with it."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        again = dense(v1, v1.nn.relu(dense(v1, x, 2, "in")), 4, "out")
        v1.train.AdamOptimizer().minimize(v1.reduce_mean(v1.squared_difference(again, x)))

    document = inspected(net)

    assert [spec["rank"] for spec in document["inputs"] if spec["tensor"] == "x:0"] == [0]


def test_a_net_of_one_number(inspected):
    """A line through points has no layers, and its prediction is found all the same."""

    def net(v1):
        x, y = (v1.placeholder("float32", (), name=name) for name in ("x", "y"))
        line = v1.add(v1.multiply(x, variable(v1, "w", ())), variable(v1, "b", ()), name="line")
        v1.train.GradientDescentOptimizer(0.1).minimize(v1.square(line - y))

    document = inspected(net)

    assert best(document["outputs"]) == ["line:0"]
    assert best(document["inputs"]) == ["x:0"]


def softmax_beside_loss(v1):
    x = v1.placeholder("float32", (None, 4), name="x")
    labels = v1.placeholder("int64", (None,), name="labels")
    logits = dense(v1, x, 3, "last")
    v1.nn.softmax(logits, name="probabilities")
    v1.losses.sparse_softmax_cross_entropy(labels, logits)
    right = v1.equal(v1.argmax(logits, 1, name="class"), labels)
    v1.reduce_mean(v1.cast(right, "float32"), name="accuracy")


def test_probabilities_logits_and_measures(inspected):
    """Probabilities first, then the logits; what depends on labels comes after both."""
    outputs = inspected(softmax_beside_loss)["outputs"]
    order = [spec["tensor"] for spec in outputs]

    assert order.index("probabilities:0") < order.index("last/out:0") < order.index("accuracy:0")
    assert "add up to one" in outputs[order.index("probabilities:0")]["why"]


def doubled(v1, x):
    return v1.nn.dropout(x, rate=1 - v1.placeholder("float32", (), name="switch"))


def keep(v1, x):
    prob = v1.placeholder("float32", (), name="switch")
    random = v1.floor(prob + v1.random_uniform(v1.shape(x)))
    return v1.div(x, prob) * random


def rate(v1, x):
    return v1.nn.dropout(x, rate=v1.placeholder("float32", (), name="switch"))


def default(v1, x):
    given = v1.placeholder_with_default(np.float32(0.5), (), name="switch")
    return v1.nn.dropout(x, rate=given)


def mode(v1, x):
    training = v1.placeholder("bool", (), name="is_training")
    return v1.cond(training, lambda: v1.nn.dropout(x, rate=0.5), lambda: x)


@pytest.mark.parametrize(
    ("build", "constants"),
    [
        (keep, {"switch:0": 1.0}), (doubled, {"switch:0": 1.0}), (rate, {"switch:0": 0.0}),
        (default, {"switch:0": 0.0}), (mode, {"is_training:0": False}),
    ],
)  # fmt: skip
def test_what_should_be_constant(tf, inspected, build, constants):
    """The share that dropout keeps or drops, and a training switch, whatever they are called."""

    def net(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", (None, 4), name="x")
        v1.nn.softmax(dense(v1, build(v1, dense(v1, x, 5, "hidden")), 3, "last"), name="y")

    document = inspected(net)

    assert document["training"]["dropout"] == []
    assert marked(document) == constants
    assert best(document["inputs"]) == ["x:0"]
    assert document["head"]["logits"] == "last/out:0"


def queued(v1):
    queue = v1.FIFOQueue(10, ["float32", "int64"], shapes=[(4,), ()], name="examples")
    x, labels = queue.dequeue_many(8, name="batch")
    v1.losses.sparse_softmax_cross_entropy(labels, dense(v1, x, 3, "last"))


def iterated(v1):
    data = v1.data.Dataset.from_tensor_slices((np.ones((8, 4), "f"), np.ones(8, "i"))).batch(4)
    x, labels = v1.data.make_initializable_iterator(data).get_next(name="batch")
    v1.losses.sparse_softmax_cross_entropy(labels, dense(v1, x, 3, "last"))


@pytest.mark.parametrize(
    ("build", "tensor", "shape", "word"),
    [
        (queued, "batch:0", [8, 4], "queue examples"),
        (iterated, "IteratorGetNext:0", [None, 4], "iterator"),
    ],
)
def test_the_inputs_of_a_graph_that_feeds_itself(inspected, build, tensor, shape, word):
    """What the queue or iterator gives to the net, and not what it gives to the loss alone."""
    document = inspected(build)
    given = {spec["tensor"].rpartition("/")[2]: spec for spec in document["inputs"]}

    found = given.get(tensor) or given["batch:0"]
    assert (found["shape"], found["rank"]) == (shape, 0)
    assert word in found["why"]
    assert best(document["outputs"]) == ["last/out:0"]


def test_modes_that_nobody_can_switch(inspected):
    """Batch normalisation that trains, dropout that is on."""

    def net(v1):
        x = v1.placeholder("float32", (None, 2, 2, 3), name="x")
        ones = variable(v1, "scale", (3,))
        normal, *_ = v1.nn.fused_batch_norm(x, ones, ones, is_training=True)
        v1.nn.dropout(normal, rate=0.5)

    training = inspected(net)["training"]

    assert len(training["batch_norm"]) == 1
    assert len(training["dropout"]) == 1


def test_functions_are_looked_into(tf, tmp_path):
    """Loops, branches and operations inside the functions of a SavedModel of TensorFlow 2."""

    class Net(tf.Module):
        def __init__(self):
            self.kernel = tf.Variable(tf.ones((4, 3)), name="kernel")

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
        def __call__(self, x):
            for _ in tf.range(3):
                x = tf.cond(tf.reduce_sum(x) > 0, lambda x=x: x * 0.5, lambda x=x: x)
            return tf.nn.softmax(tf.matmul(x, self.kernel))

    tf.saved_model.save(Net(), str(tmp_path / "m"))
    document = zoo.inspect(tmp_path / "m")

    assert document["control_flow"]["loops"] == 1
    assert document["control_flow"]["branches"] == 1
    assert document["ops"]["MatMul"] == 1
    assert document["functions"] > 3
    assert document["head"]["outputs"] == 3


def test_candidates_are_ranked_where_nobody_can_tell(inspected):
    """Two layers that give outputs are both named, and why it is unsure."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        v1.nn.softmax(dense(v1, x, 3, "kind"), name="kinds")
        v1.sigmoid(dense(v1, x, 2, "place"), name="places")

    document = inspected(net)

    assert document["head"] is None
    assert document["heads"]["unsure"] == "2 layers give outputs"
    assert [one["outputs"] for one in document["heads"]["candidates"]] == [3, 2]


def test_a_sum_of_branches_is_unsure(inspected):
    """A wide and a deep part, added up: the last layers are named, none is called the head."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        deep = dense(v1, v1.nn.relu(dense(v1, x, 5, "hidden")), 1, "deep")
        v1.sigmoid(deep + dense(v1, x, 1, "wide"), name="y")

    document = inspected(net)

    assert document["head"] is None
    found = {one["logits"] for one in document["heads"]["candidates"]}
    assert found == {"deep/out:0", "wide/out:0"}


def test_ranking_an_empty_graph():
    """No nodes, no ends, and no error."""
    meta_graph = MetaGraphDef()
    view = View(meta_graph.graph_def, expanded(meta_graph.graph_def))

    assert ranking.ranked(meta_graph, view) == ([], [])
    assert facts.census(meta_graph.graph_def) == {}
