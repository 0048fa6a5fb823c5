"""Reference variables made resources train as before, bit for bit; collections come along."""

import numpy as np
import pytest

import zoo


def optimizers(v1):
    return {
        "descent": v1.train.GradientDescentOptimizer(0.1),
        "momentum": v1.train.MomentumOptimizer(0.1, 0.9),
        "adam": v1.train.AdamOptimizer(0.01),
        "adagrad": v1.train.AdagradOptimizer(0.1),
        "rmsprop": v1.train.RMSPropOptimizer(0.01, centered=True),
        "ftrl": v1.train.FtrlOptimizer(0.1),
    }


def build(tf, name):
    """Build a net with reference variables, averages kept in a condition, and an optimizer."""
    v1 = tf.compat.v1

    def variable(key, *shape, trainable=True):
        values = np.random.default_rng(len(key)).normal(size=shape).astype(np.float32)
        return v1.get_variable(key, initializer=values, use_resource=False, trainable=trainable)

    x = v1.placeholder(tf.float32, (None, 4), name="x")
    training = v1.placeholder_with_default(False, (), name="training")
    hidden = tf.nn.relu(tf.matmul(x, variable("hidden/w", 4, 8)) + variable("hidden/b", 8))
    mean = variable("moving_mean", 8, trainable=False)

    def updated():
        new = v1.assign_add(mean, 0.1 * (tf.reduce_mean(hidden, 0) - mean))
        with tf.control_dependencies([new]):
            return tf.identity(hidden)

    used = v1.cond(training, updated, lambda: hidden - mean)
    table = tf.nn.embedding_lookup(variable("table", 10, 8), [1, 3])
    out = tf.matmul(used + tf.reduce_sum(table), variable("out/w", 8, 2), name="logits")
    loss = tf.reduce_mean(out**2, name="loss")
    step = v1.train.create_global_step()
    train = optimizers(v1)[name].minimize(loss, global_step=step)
    v1.add_to_collection("hyperparameters", 0.25)
    return train


@pytest.fixture(params=["descent", "momentum", "adam", "adagrad", "rmsprop", "ftrl"])
def trained(request, tf, tmp_path):
    """Return a checkpoint after two steps, inputs, and what three further steps give."""
    v1 = tf.compat.v1
    inputs = np.random.default_rng(1).normal(size=(5, 6, 4)).astype(np.float32)
    with tf.Graph().as_default(), v1.Session() as session:
        v1.disable_control_flow_v2()
        train = build(tf, request.param)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver()
        for batch in inputs[:2]:
            session.run(train, {"x:0": batch, "training:0": True})
        saver.save(session, str(tmp_path / "model"))
        for batch in inputs[2:]:
            session.run(train, {"x:0": batch, "training:0": True})
        values = {v.op.name: session.run(v) for v in v1.global_variables()}
    return tmp_path / "model", inputs[2:], values


def continued(tf, session, inputs):
    """Go on training in `session` and return the values of all variables."""
    (train,) = session.graph.get_collection("train_op")
    for batch in inputs:
        session.run(train, {"x:0": batch, "training:0": True})
    return {v.op.name: session.run(v) for v in tf.compat.v1.global_variables()}


def same(one, other):
    assert set(one) == set(other)
    for name in one:
        assert one[name].tobytes() == other[name].tobytes(), name


def test_training_goes_on_in_a_session(tf, trained):
    """A checkpoint with its optimizer ends at the weights of an unbroken run."""
    prefix, inputs, expected = trained
    model = zoo.load(prefix)

    with model.session() as session:
        assert session.graph.get_collection("hyperparameters") == [0.25]
        same(continued(tf, session, inputs), expected)


def test_resource_variables_train_as_references_did(tf, trained, tmp_path):
    """The same in the SavedModel that zoo makes of it, where every reference is a handle."""
    prefix, inputs, expected = trained
    zoo.convert(prefix, tmp_path / "m", to="saved_model")
    model = zoo.load(tmp_path / "m")

    assert not any(node.op == "VariableV2" for node in model.graph.node)
    with model.session() as session:
        same(continued(tf, session, inputs), expected)


def test_a_checkpoint_written_again_is_restored_by_tensorflow(tf, trained, tmp_path):
    """Saver, optimizer, step and collections survive; TensorFlow itself goes on from there."""
    prefix, inputs, expected = trained
    zoo.convert(prefix, tmp_path / "again" / "model", to="checkpoint")
    v1 = tf.compat.v1

    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(str(tmp_path / "again" / "model.meta"))
        saver.restore(session, v1.train.latest_checkpoint(str(tmp_path / "again")))
        same(continued(tf, session, inputs), expected)


def test_freezing_takes_the_branch_without_the_update(tf, plain, trained, tmp_path):
    """The switch of training is off, and what it would change is not on the way any more."""
    prefix, inputs, _ = trained
    options = {"drop_collections": True, "outputs": ["logits"]}
    wanted = plain.checkpoint(prefix, {"x:0": inputs[0]}, "logits:0")

    with pytest.raises(zoo.ZooError, match="collections of numbers") as refused:
        zoo.convert(prefix, tmp_path / "net.pb", to="frozen", outputs=["logits"])
    done = zoo.convert(prefix, tmp_path / "net.pb", to="frozen", verify=True, **options)

    assert refused.value.found == "hyperparameters"
    found = plain.frozen(done.target.path, {"x:0": inputs[0]}, "logits:0")
    assert found.tobytes() == wanted.tobytes()


def test_a_branch_with_an_update_cannot_be_frozen(tf, trained, tmp_path):
    """Outputs that change a variable on their way, and it is said which."""
    prefix, _, _ = trained
    options = {"drop_collections": True, "outputs": ["logits"], "repairs": {"switches": False}}

    with pytest.raises(zoo.ZooError) as caught:
        zoo.convert(prefix, tmp_path / "net.pb", to="frozen", **options)

    assert "AssignAdd" in caught.value.found
    assert not (tmp_path / "net.pb").exists()


def test_a_frozen_model_restores_with_a_saver_of_its_own(tf, fixtures, tmp_path):
    """Variables made of constants are initialized, saved and restored by plain TensorFlow."""
    zoo.convert(
        fixtures / "dl4j-lenet-frozen-pb" / "lenet_frozen.pb", tmp_path / "m", to="checkpoint"
    )
    v1 = tf.compat.v1

    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(str(tmp_path / "m.meta"))
        session.run(v1.global_variables_initializer())
        zeros = session.run(v1.global_variables()[0])
        saver.restore(session, str(tmp_path / "m"))
        values = session.run(v1.global_variables()[0])
        saver.save(session, str(tmp_path / "theirs"))

    assert (np.any(zeros), np.any(values)) == (False, True)
    assert (tmp_path / "theirs.data-00000-of-00001").read_bytes() == (
        tmp_path / "m.data-00000-of-00001"
    ).read_bytes()
    assert (tmp_path / "theirs.index").read_bytes() == (tmp_path / "m.index").read_bytes()
