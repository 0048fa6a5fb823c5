"""The same input gives the same bytes, in whichever process it is converted."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import zoo
from zoo.errors import UnsupportedError

NAMES = (
    "arm-kws/Basic_LSTM/Basic_LSTM_S.pb",
    "dl4j-keras-cnn-batchnorm/cnn_batch_norm.h5",
    "dl4j-keras-optimizers/nadam.h5",
    "dl4j-pbtxt-controlflow/tensor_array.pb.txt",
    "hub-saved-model-v2-mini",
    "made-here-gaps/partitioned_ref",
    "made-here-gaps/three_metagraphs",
    "mlperf-tiny-kws-savedmodel",
    "rust-keras-multiple-inputs-saved-model",
    "rust-regression-savedmodel",
    "serving-sm-counter",
    "tfjs-module-with-multiple-signatures",
    "tfnet-meta-cond-test",
    "tfx-bench-trained-saved-model",
)
FORMS = ("checkpoint", "frozen", "saved_model")
PROGRAM = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_repeatable import digests
print("\\n" + json.dumps(digests(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])))
"""


def digests(fixtures, folder, names):
    """Return the digests of what the models `names` become, by name, format and file."""
    found = {}
    for name in names:
        for form in FORMS:
            room = folder / name.replace("/", "-") / form
            try:
                zoo.convert(fixtures / name, room / "m", to=form)
            except UnsupportedError:
                continue
            for file in sorted(path for path in room.rglob("*") if path.is_file()):
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                found[f"{name} {form} {file.relative_to(room)}"] = digest
    return found


def begun(fixtures, folder, seed, names):
    """Return a process that converts `names`, with another order of sets for each `seed`."""
    environment = os.environ | {"PYTHONHASHSEED": str(seed), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        Path(__file__).parent,
        fixtures,
        folder / str(seed),
        *names,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_two_processes_write_the_same_bytes(fixtures, tmp_path):
    """Neither the order of sets and maps, nor what was converted before, nor when, is seen."""
    running = [begun(fixtures, tmp_path, 1, NAMES), begun(fixtures, tmp_path, 2, NAMES[::-1])]

    one, other = (json.loads(process.communicate()[0].splitlines()[-1]) for process in running)

    assert len(one) > 3 * len(NAMES)
    assert {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)} == set()
