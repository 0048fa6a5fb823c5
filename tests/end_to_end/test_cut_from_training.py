"""Graphs as training leaves them, cut to outputs: what must outlive the cut, and what is said.

The oracle is plain TensorFlow: a session over the graph as it was.
"""

import numpy as np
import pytest

import zoo
from zoo import errors

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
FORMATS = {"checkpoint": "model", "frozen": "net.pb", "saved_model": "served"}


@pytest.fixture
def saved(tf, plain, tmp_path):
    """Build a graph of TensorFlow 1 and save it; return its answer for some feeds."""
    v1 = tf.compat.v1

    def save(build, fetches, feeds, *, resource=False, steps=()):
        with tf.Graph().as_default(), v1.Session(config=plain.config) as session:
            (v1.enable_resource_variables if resource else v1.disable_resource_variables)()
            v1.disable_control_flow_v2()
            v1.set_random_seed(1)
            build(v1)
            start = [v1.global_variables_initializer(), v1.tables_initializer()]
            session.run([*start, v1.local_variables_initializer()])
            for step in steps:
                session.run(step, feeds)
            v1.train.Saver().save(session, str(tmp_path / "train" / "model"))
            return session.run(fetches, feeds)

    yield save
    v1.enable_resource_variables()
    v1.enable_control_flow_v2()


@pytest.fixture
def ran(plain, tmp_path):
    """Convert what was saved to a format, proven; return what was said, and what it answers."""

    def run(form, fetches, feeds, **options):
        dest = tmp_path / form / FORMATS[form]
        done = zoo.convert(tmp_path / "train", dest, to=form, verify=True, **options)
        return done.repairs, getattr(plain, form)(done.target.path, feeds, fetches)

    return run


def said(notes, name):
    """Return what was said of the repair `name`."""
    return [note.partition(": ")[2] for note in notes if note.startswith(f"{name}: ")]


def dense(v1, x, width, name):
    kernel = v1.get_variable(f"{name}/kernel", (x.shape[-1], width))
    return v1.matmul(x, kernel, name=f"{name}/out")


def counter(v1):
    return v1.get_variable("count", (), initializer=v1.zeros_initializer(), trainable=False)


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("form", ["checkpoint", "saved_model"])
def test_every_list_of_variables_is_cut(saved, ran, form, resource):
    """The step is gone, and averages start from what is there: TensorFlow imports the graph."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        y = dense(v1, x, 3, "last")
        v1.nn.softmax(y, name="p")
        step = v1.train.get_or_create_global_step()
        kernel = v1.trainable_variables()[0]
        v1.add_to_collection(v1.GraphKeys.MODEL_VARIABLES, kernel)
        train = v1.train.GradientDescentOptimizer(0.1).minimize(v1.reduce_sum(y), step)
        with v1.control_dependencies([train]):
            v1.train.ExponentialMovingAverage(0.9).apply([kernel])

    wanted = saved(net, ["p:0"], {"x:0": X}, resource=resource)

    notes, found = ran(form, ["p:0"], {"x:0": X}, outputs=["p:0"])

    assert found[0].tobytes() == wanted[0].tobytes()
    assert any("left out collections" in note and "global_step" in note for note in notes)


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("form", FORMATS)
def test_a_loop_that_counts(saved, ran, form, resource):
    """A constant that waited for the count stays in the loop."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        count = counter(v1)

        def body(i, h):
            with v1.control_dependencies([v1.assign_add(count, 1.0)]):
                return i + 1, h * 2

        _, h = v1.while_loop(lambda i, _: i < 3, body, (0, x))
        dense(v1, h, 3, "last")

    wanted = saved(net, ["last/out:0"], {"x:0": X}, resource=resource)

    notes, found = ran(form, ["last/out:0"], {"x:0": X}, outputs=["last/out:0"])

    assert found[0].tobytes() == wanted[0].tobytes()
    assert said(notes, "updates") == ["the outputs no longer change 1 variable: count"]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_branch_that_counts(saved, ran, sign):
    """A constant that waited for the count stays on its branch."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        count = counter(v1)

        def positive():
            with v1.control_dependencies([v1.assign_add(count, 1.0)]):
                return v1.constant(2.0)

        factor = v1.cond(v1.reduce_sum(x) > 0, positive, lambda: v1.constant(3.0))
        v1.multiply(dense(v1, x, 3, "last"), factor, name="y")

    feeds = {"x:0": np.abs(X) * sign}
    wanted = saved(net, ["y:0"], feeds)

    _, found = ran("frozen", ["y:0"], feeds, outputs=["y:0"])

    assert found[0].tobytes() == wanted[0].tobytes()


@pytest.mark.parametrize("most", [0.5, 7.0])
def test_a_branch_in_a_branch_that_counts(saved, ran, most):
    """What decides on the inner one waits for the count, and decides still."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        count = counter(v1)

        def positive():
            with v1.control_dependencies([v1.assign_add(count, 1.0)]):
                return v1.cond(
                    v1.reduce_max(x) > 1, lambda: v1.constant(7.0), lambda: v1.constant(9.0)
                )

        factor = v1.cond(v1.reduce_sum(x) > 0, positive, lambda: v1.constant(3.0))
        v1.multiply(dense(v1, x, 3, "last"), factor, name="y")

    feeds = {"x:0": np.full((2, 4), most, np.float32)}
    wanted = saved(net, ["y:0"], feeds)

    _, found = ran("frozen", ["y:0"], feeds, outputs=["y:0"])

    assert found[0].tobytes() == wanted[0].tobytes()


@pytest.mark.parametrize("form", FORMATS)
def test_a_check_beside_an_update(tf, saved, ran, form):
    """The count goes, the check that was grouped with it stays."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        small = v1.Assert(v1.reduce_all(v1.abs(x) < 50), [x])
        with v1.control_dependencies([v1.group(small, v1.assign_add(counter(v1), 1.0))]):
            dense(v1, v1.identity(x), 3, "last")

    wanted = saved(net, ["last/out:0"], {"x:0": X})

    notes, found = ran(form, ["last/out:0"], {"x:0": X}, outputs=["last/out:0"])

    assert found[0].tobytes() == wanted[0].tobytes()
    assert said(notes, "updates")
    with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed"):
        ran(form, ["last/out:0"], {"x:0": X * 1000}, outputs=["last/out:0"], force=True)


@pytest.mark.parametrize("resource", [False, True])
def test_averages_that_start_at_zero(saved, ran, plain, tmp_path, resource):
    """What stands for a statistic is the average in use, not the biased one behind it."""
    from tensorflow.python.training.moving_averages import assign_moving_average

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        mean = v1.get_variable("mean", (4,), initializer=v1.zeros_initializer(), trainable=False)
        spread = v1.get_variable("var", (4,), initializer=v1.ones_initializer(), trainable=False)
        found = v1.nn.moments(x, [0])
        moves = [
            assign_moving_average(one, new, 0.9, zero_debias=True)
            for one, new in zip((mean, spread), found, strict=True)
        ]
        with v1.control_dependencies(moves):
            v1.identity(v1.nn.batch_normalization(x, *found, None, None, 1e-3), name="y")
        v1.nn.batch_normalization(x, mean, spread, None, None, 1e-3, name="right")

    saved(net, ["y:0"], {"x:0": X}, resource=resource, steps=["y:0"] * 3)
    prefix = tmp_path / "train" / "model"
    nodes = zoo.load(prefix).graph.node
    right = next(n.name for n in reversed(nodes) if n.name.startswith("right/") and n.op == "AddV2")
    (wanted,) = plain.checkpoint(prefix, {"x:0": X}, [f"{right}:0"])

    notes, found = ran("frozen", ["y:0"], {"x:0": X}, outputs=["y:0"], repairs={"batch-norm": True})

    assert found[0].tobytes() == wanted.tobytes()
    assert said(notes, "batch-norm") == [
        "moving averages in the place of 2 statistics of a batch: mean, var"
    ]


@pytest.mark.parametrize("resource", [False, True])
def test_batch_norm_in_a_loop_is_left(saved, ran, resource):
    """No average can be read from outside of it; that is said, and what is written runs."""

    def net(v1):
        image = v1.placeholder("float32", (None, 2, 2, 4), name="image")
        mean = v1.get_variable("mean", (4,), initializer=v1.zeros_initializer())
        spread = v1.get_variable("var", (4,), initializer=v1.ones_initializer())

        def body(i, h):
            y, m, v = v1.nn.fused_batch_norm(h, v1.ones([4]), v1.zeros([4]))[:3]
            moves = [
                v1.assign_sub(mean, (mean - m) * 0.1),
                v1.assign_sub(spread, (spread - v) * 0.1),
            ]
            with v1.control_dependencies(moves):
                return i + 1, v1.tanh(y)

        v1.identity(v1.while_loop(lambda i, _: i < 3, body, (0, image))[1], name="y")

    feeds = {"image:0": X.reshape(6, 1, 1, 4).repeat(2, 1).repeat(2, 2)}
    wanted = saved(net, ["y:0"], feeds, resource=resource)

    notes, found = ran("frozen", ["y:0"], feeds, outputs=["y:0"], repairs={"batch-norm": True})

    assert found[0].tobytes() == wanted[0].tobytes()
    assert said(notes, "batch-norm") == ["found nothing that it repairs"]
    assert any("the repair batch-norm does not fit them" in note for note in notes)


def test_a_choice_at_random_is_no_dropout(saved, tmp_path):
    """Both sides of it are values: none of them is dropped by the repair."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        counter(v1)
        v1.where(v1.random_uniform(v1.shape(x)) < 0.3, x * 2.0, x + 1.0, name="mixed")

    saved(net, ["mixed:0"], {"x:0": X})

    done = zoo.convert(
        tmp_path / "train",
        tmp_path / "net.pb",
        to="frozen",
        outputs=["mixed:0"],
        repairs={"dropout": True},
    )

    assert said(done.repairs, "dropout") == ["found nothing that it repairs"]


def test_tables_of_a_checkpoint_are_filled_in_a_saved_model(saved, ran):
    """The collection that a checkpoint has for it is none that loading looks at."""

    def net(v1):
        import tensorflow as tf

        counter(v1)
        words = v1.placeholder("string", (None,), name="words")
        pairs = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
        v1.identity(tf.lookup.StaticHashTable(pairs, 0).lookup(words), name="ids")

    feeds = {"words:0": np.array(["b", "zz"], object)}
    (wanted,) = saved(net, ["ids:0"], feeds)

    _, (found,) = ran("saved_model", ["ids:0"], feeds)

    assert found.tolist() == wanted.tolist()


@pytest.mark.parametrize("flag", ["use_pretrained", "constraints"])
def test_names_that_only_look_like_switches(saved, ran, flag):
    """Weights that were trained before, a threshold of what is kept: both stay inputs."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        trained = v1.placeholder("bool", (), name=flag)
        least = v1.placeholder("float32", (), name="keep_threshold")
        h = v1.cond(trained, lambda: x * 2, lambda: x * 3)
        dense(v1, v1.where(h > least, h, v1.zeros_like(h)), 3, "last")

    feeds = {"x:0": X, f"{flag}:0": True, "keep_threshold:0": 0.3}
    wanted = saved(net, ["last/out:0"], feeds)

    notes, found = ran("frozen", ["last/out:0"], feeds, outputs=["last/out:0"])

    assert found[0].tobytes() == wanted[0].tobytes()
    assert not said(notes, "switches")


def test_a_switch_of_a_loop_of_functions(tf, saved, ran):
    """It is fixed though only the functions of the loop look at it."""

    def net(v1):
        v1.enable_control_flow_v2()
        counter(v1)
        x = v1.placeholder("float32", (None, 4), name="x")
        training = v1.placeholder_with_default(True, (), name="training")

        def body(i, h):
            return i + 1, v1.cond(training, lambda: h * 5.0, lambda: h * 0.5)

        v1.identity(v1.while_loop(lambda i, _: i < 3, body, (0, x))[1], name="y")

    wanted = saved(net, ["y:0"], {"x:0": X, "training:0": False})

    notes, found = ran("frozen", ["y:0"], {"x:0": X}, outputs=["y:0"], repairs={"switches": True})

    assert found[0].tobytes() == wanted[0].tobytes()
    assert said(notes, "switches") == ["fixed training to false"]


@pytest.fixture
def in_functions(tf, tmp_path):
    """Export a net of TensorFlow 2 that drops values, in a function."""

    class Net(tf.Module):
        def __init__(self):
            self.kernel = tf.Variable(tf.ones([4, 3]))

        @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
        def __call__(self, x):
            return {"y": tf.nn.dropout(tf.matmul(x, self.kernel), 0.5)}

    net = Net()
    tf.saved_model.save(net, str(tmp_path / "exported"), signatures=net.__call__)
    return tmp_path / "exported"


def test_dropout_in_functions_is_said(in_functions, tmp_path):
    """Whoever converts the whole model reads of it, too."""
    done = zoo.convert(in_functions, tmp_path / "copy", to="saved_model")

    assert any("dropout is on" in note and "--repair dropout" in note for note in done.repairs)


@pytest.mark.parametrize("cut", [True, False])
def test_dropout_in_functions_is_switched_off(plain, in_functions, tmp_path, cut):
    """What is written loads in TensorFlow 2 also where the rest of the graph is kept."""
    done = zoo.convert(
        in_functions,
        tmp_path / "net",
        to="saved_model",
        repairs={"dropout": True, "training-nodes": cut},
        verify=True,
    )

    found = plain.signature(done.target.path, "serving_default", x=X)

    np.testing.assert_allclose(found["y"], X @ np.ones((4, 3), np.float32), rtol=1e-5)
    assert any("left out the object graph" in note for note in done.repairs)


def test_states_of_random_numbers_that_nobody_uses(tf, plain, tmp_path):
    """A recurrent layer of Keras 3 draws what it drops in use, too; frozen, it does not."""
    import keras

    values = keras.Input((5, 4))
    model = keras.Model(values, keras.layers.LSTM(3, dropout=0.2)(values))
    model.export(str(tmp_path / "exported"), verbose=False)
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    wanted = plain.signature(tmp_path / "exported", "serving_default", **{values.name: x})

    done = zoo.convert(
        tmp_path / "exported",
        tmp_path / "net.pb",
        to="frozen",
        signature="serving_default",
        verify=True,
    )

    stated = zoo.load(tmp_path / "exported").signature("serving_default")
    (spec,), (output,) = stated.inputs.values(), stated.outputs.values()
    found = plain.frozen(done.target.path, {spec.tensor: x}, output.tensor)
    np.testing.assert_allclose(found, next(iter(wanted.values())), rtol=1e-5, atol=1e-6)
    assert said(done.repairs, "updates")


def test_an_input_that_no_output_needs_is_called_so(saved, tmp_path):
    """It is there; that it is of no use is the reason."""

    def net(v1):
        x = v1.placeholder("float32", (None, 4), name="x")
        v1.placeholder("float32", (), name="alone")
        dense(v1, x, 3, "last")

    saved(net, ["last/out:0"], {"x:0": X})

    with pytest.raises(errors.UsageError, match="no output depends on alone:0"):
        zoo.convert(
            tmp_path / "train",
            tmp_path / "net",
            to="saved_model",
            inputs={"x": "x:0", "alone": "alone:0"},
            outputs={"y": "last/out:0"},
        )


def test_a_signature_of_another_name_is_the_only_one(saved, tmp_path):
    """Who names one finds it without asking for it by name."""
    saved(lambda v1: dense(v1, v1.placeholder("float32", (None, 4), name="x"), 3, "last"), [], {})

    done = zoo.convert(
        tmp_path / "train",
        tmp_path / "net",
        to="saved_model",
        inputs={"in": "x:0"},
        outputs={"out": "last/out:0"},
        signature="mine",
    )

    assert [*zoo.load(done.target.path).signatures] == ["mine"]


def test_what_lies_beside_a_source_is_told_of_before_it_is_replaced(in_functions):
    """A result put into its source was not there, and what was there is named as it goes."""
    inner = zoo.convert(in_functions, in_functions / "inner", to="saved_model")
    outer = zoo.convert(in_functions, in_functions, to="saved_model", force=True)

    assert not any("no part of the model" in note for note in inner.repairs)
    assert any("no part of the model: inner" in note for note in outer.repairs)


def test_a_source_that_waits_for_a_queue_says_what_helps(saved, tmp_path):
    """Values for its inputs it has none of do not."""

    def net(v1):
        queue = v1.FIFOQueue(9, ["float32"], shapes=[(4,)])
        dense(v1, queue.dequeue_many(6, name="batch"), 3, "last")

    saved(net, [], {})

    with pytest.raises(errors.RunError, match="no values were found on which the source runs") as e:
        zoo.convert(tmp_path / "train", tmp_path / "net", to="saved_model", verify=True)

    assert "--repair queues" in str(e.value)
    zoo.convert(
        tmp_path / "train", tmp_path / "net", to="saved_model", verify=True,
        repairs={"queues": True},
    )  # fmt: skip


@pytest.fixture
def with_tables(tf, tmp_path):
    """Export a net of TensorFlow 2 with a table that a function fills, and a part without it."""

    class Net(tf.Module):
        def __init__(self):
            pairs = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
            self.table = tf.lookup.StaticHashTable(pairs, 0)
            self.rows = tf.Variable(np.arange(9, dtype=np.float32).reshape(3, 3))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
        def looked_up(self, words):
            return {"rows": tf.gather(self.rows, self.table.lookup(words))}

        @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x")])
        def product(self, x):
            return {"y": tf.matmul(x, self.rows)}

    net = Net()
    signatures = {"serving_default": net.looked_up, "product": net.product}
    tf.saved_model.save(net, str(tmp_path / "exported"), signatures=signatures)
    return tmp_path / "exported"


def test_what_fills_tables_in_functions_is_compared(with_tables, tmp_path):
    """The layout of TensorFlow 1 has it in no function, and is equal."""
    zoo.convert(with_tables, tmp_path / "other", to="saved_model", object_graph=False)
    zoo.convert(with_tables, tmp_path / "net.pb", to="frozen", signature="product")

    assert zoo.diff(with_tables, tmp_path / "other")["equal"]
    assert zoo.diff(with_tables, tmp_path / "net.pb")["graph"]["outputs"]


def test_a_gather_of_a_variable_is_compared(tf, tmp_path):
    """Frozen, it states an axis that it had not as an operation on the variable."""

    class Net(tf.Module):
        def __init__(self):
            self.rows = tf.Variable(np.arange(9, dtype=np.float32).reshape(3, 3))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="at")])
        def __call__(self, at):
            return {"rows": tf.gather(self.rows, at)}

    net = Net()
    tf.saved_model.save(net, str(tmp_path / "exported"), signatures=net.__call__)
    zoo.convert(tmp_path / "exported", tmp_path / "net.pb", to="frozen")

    assert zoo.diff(tmp_path / "exported", tmp_path / "net.pb")["equal"]
