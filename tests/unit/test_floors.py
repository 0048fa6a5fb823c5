"""The plan of the house: a module imports only from floors below its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FLOORS = [  # from the roof down
    # the command line
    {"zoo.__main__", "zoo_finetune.plugin"},
    {"zoo.cli", "zoo_finetune.command"},
    {
        "zoo.commands.beginning",
        "zoo.commands.cache",
        "zoo.commands.catalogue",
        "zoo.commands.environment",
        "zoo.commands.shells",
    }
    | {"zoo.commands.locking"}
    | {"zoo.commands.converting", "zoo.commands.inspecting", "zoo.commands.registering"}
    | {"zoo.commands.comparing", "zoo.commands.doctoring", "zoo.commands.running"}
    | {"zoo.commands.scanning", "zoo.commands.trusting"},
    {"zoo.diff_report", "zoo.pages", "zoo.scan_report"},
    {"zoo.commands.completion", "zoo.commands.libraries", "zoo.commands.verifying"}
    | {"zoo.commands.isolating"},
    {"zoo.commands.examples", "zoo.commands.network", "zoo.commands.places"},
    {"zoo.api", "zoo.commands.options"},
    {"zoo.confined", "zoo.isolation"},
    {"zoo.hearing"},
    {"zoo.labels", "zoo.values"},
    # fine-tuning, what it leaves behind, and what is learned from
    {"zoo_finetune.api"},
    {"zoo_finetune.runs"},
    {"zoo_finetune.results", "zoo_finetune.trial"},
    {"zoo_finetune.naming", "zoo_finetune.report"},
    {"zoo_finetune.model_card"},
    {"zoo_finetune.rebuilding", "zoo_finetune.report_page", "zoo_finetune.run_record"}
    | {"zoo_finetune.thumbnails"},
    {"zoo_finetune.metrics", "zoo_finetune.plots", "zoo_finetune.recipe_file"},
    {"zoo_finetune.finetuning"},
    {"zoo_finetune.faults", "zoo_finetune.training"},
    {"zoo_finetune.devices", "zoo_finetune.feature_cache", "zoo_finetune.training_state"},
    {"zoo_finetune.batches", "zoo_finetune.nets", "zoo_finetune.optimizing"}
    | {"zoo_finetune.progress"},
    {"zoo_finetune.depth", "zoo_finetune.normalising", "zoo_finetune.varying"},
    {"zoo_finetune.examples", "zoo_finetune.pictures"},
    {"zoo_finetune.labelling", "zoo_finetune.streams", "zoo_finetune.tables"},
    {"zoo_finetune.arrays", "zoo_finetune.decoding", "zoo_finetune.folders"},
    {"zoo_finetune.gathered"},
    {"zoo_finetune.contents", "zoo_finetune.image_headers"},
    {"zoo_finetune.fingerprints", "zoo_finetune.recipe", "zoo_finetune.splitting"},
    {"zoo_finetune.option_values"},
    {"zoo_finetune"},
    # names, paths and formats become models, and models become files
    {"zoo.advice", "zoo.comparisons", "zoo.conversions", "zoo.images", "zoo.locking"}
    | {"zoo.registering"}
    | {"zoo.report", "zoo.scans"},
    {"zoo.repairing", "zoo.whereabouts"},
    {"zoo.alterations", "zoo.applying", "zoo.doctor", "zoo.library", "zoo.targets"}
    | {"zoo.opinions"}
    | {"zoo_architectures.train_vgg_digits"},
    {"zoo.origins"},
    {"zoo.located", "zoo.placing", "zoo.ruling"},
    # what ails a file
    {"zoo.ailing_checkpoints", "zoo.ailing_files", "zoo.ailing_graphs", "zoo.ailing_keras"}
    | {"zoo.ailing_operations", "zoo.ailing_signatures"},
    # what plugins may offer, and what they do
    {"zoo.testing.formats"},
    {"zoo.testing.keeping", "zoo.testing.many", "zoo.testing.reading", "zoo.testing.saving"}
    | {"zoo.testing.architectures"},
    {"zoo.testing.comparing", "zoo.testing.sources"},
    {"zoo.plugins", "zoo_architectures", "zoo_checkpoint", "zoo_frozen", "zoo_keras"}
    | {"zoo_npz", "zoo_safetensors", "zoo_saved_model"},
    {"zoo.loaded"},
    {"zoo.plugin_modules"},
    {"zoo.hookspecs"},
    {"zoo.diagnosis"},
    {"zoo.inspection", "zoo.opened"},
    {"zoo.kinds"},
    {"zoo.keras_facts"},
    {"zoo.carried", "zoo.compare", "zoo.describe"},
    {"zoo.unpacked"},
    {"zoo.scanned_files"},
    {"zoo.scanned_archives"},
    {"zoo.extracting"},
    {"zoo.archives", "zoo.detect", "zoo.joining", "zoo.samples"}
    | {"zoo.scan_rules", "zoo.transforms"}
    | {"zoo_architectures.vgg"},
    {"zoo.architectures", "zoo.formats"} | {"zoo_architectures.adder", "zoo_architectures.layers"},
    {"zoo.matched_ends", "zoo.nets", "zoo.walk", "zoo.weight_pairs"},
    # the one value
    {"zoo.cutting", "zoo.verifying"},
    {"zoo.both_sides"},
    {"zoo.model"},
    {"zoo.edits"},
    {"zoo.keras_layer"},
    {"zoo.functions"},
    {"zoo.portable"},
    {"zoo.loops"},
    {"zoo.whiles"},
    # what can be done with a graph and its weights
    {"zoo.keras_net", "zoo.traced"},
    {"zoo.keras_values"} | {"zoo.end_names", "zoo.half_precision", "zoo.input_shapes"},
    {"zoo.attach", "zoo.capture", "zoo.checkpoint_file", "zoo.embedding", "zoo.extending"}
    | {"zoo.halving", "zoo.restorable"}
    | {"zoo.calls"},
    {"zoo.batch_norm", "zoo.batch_statistics", "zoo.dropout", "zoo.in_training", "zoo.new_head"},
    {"zoo.after_head", "zoo.fresh_head"},
    {"zoo.facts", "zoo.heads", "zoo.plain", "zoo.plausible", "zoo.prune", "zoo.running"}
    | {"zoo.guessing"},
    {"zoo.layers", "zoo.ranking", "zoo.twins"},
    {"zoo.fed_pipelines", "zoo.fixed_switches"},
    {"zoo.updates"},
    {"zoo.policy"},
    {"zoo.endpoints", "zoo.loading", "zoo.sizes", "zoo.supervision"}
    | {"zoo.scanned_graphs"}
    | {"zoo.stand_ins"},
    {"zoo.keras_findings"},
    {"zoo.scanning"},
    {"zoo.levels"},
    {"zoo.named_files"},
    {"zoo.name_origins"},
    {"zoo.fillers", "zoo.references", "zoo.saver", "zoo.state", "zoo.waiting"},
    {"zoo.assets", "zoo.devices", "zoo.feeds", "zoo.freeze", "zoo.graph_source"}
    | {"zoo.importable", "zoo.resources", "zoo.runnable", "zoo.thaw"},
    {"zoo.keras_file", "zoo.saved_model_file"} | {"zoo.keras_repairs", "zoo.keras_trust"},
    {"zoo.branches", "zoo.loop_reads", "zoo.tensor_lists"} | {"zoo.keras_1", "zoo.keras_older"},
    {"zoo.keras_errors", "zoo.keras_names", "zoo.keras_nodes"},
    {"zoo.bundle", "zoo.constants", "zoo.engine", "zoo.graph_file", "zoo.inline", "zoo.signatures"}
    | {"zoo.bundle_v1", "zoo.handles"},
    {"zoo.folding", "zoo.stale"},
    {"zoo.ends", "zoo.failures", "zoo.normal_form", "zoo.pipelines", "zoo.switches"},
    {"zoo.bodies", "zoo.frames", "zoo.tensor_arrays"},
    {"zoo.bringing", "zoo.catalogue"},
    {"zoo.pruning", "zoo.rehashing"},
    {"zoo.removal"},
    {"zoo.inventory"},
    {"zoo.pinning", "zoo.registry_edit", "zoo.specs"} | {"zoo.serving"},
    {"zoo.fetching", "zoo.known", "zoo.lockfile", "zoo.remote_registry", "zoo.trusted"},
    {"zoo.matching", "zoo.renaming", "zoo.repairs", "zoo.variables"},
    {"zoo.slots"},
    # the network
    {"zoo.transfer_progress"},
    {"zoo.documents", "zoo.downloads"},
    {"zoo.transfer"},
    {"zoo.pieces"},
    {"zoo.resuming"} | {"zoo.claims"},
    {"zoo.asking", "zoo.retrying"} | {"zoo.partials"},
    {"zoo.credentials", "zoo.lines", "zoo.network_errors"} | {"zoo.digesting"},
    # registries, the store, graphs and tensors
    {
        "zoo.listed",
        "zoo.nodes",
        "zoo.objects",
        "zoo.operands",
        "zoo.registry",
        "zoo.store",
        "zoo.weights",
    }
    | {"zoo.claimed", "zoo.view"},
    {"zoo.reaching"},
    {"zoo.entries", "zoo.graph", "zoo.registry_index", "zoo.tensor_protos"}
    | {"zoo.session_bundle"}
    | {"zoo.parts", "zoo.stored_strings"},
    {"zoo.entry_values", "zoo.hdf5", "zoo.keras_config", "zoo.npy", "zoo.packets"},
    {"zoo.hdf5_objects", "zoo.sources"} | {"zoo.compressed", "zoo.tar_members", "zoo.zip_members"},
    {"zoo.hdf5_messages", "zoo.members"} | {"zoo_architectures.initial"},
    {"zoo.libraries", "zoo.registered"} | {"zoo.bundle_index", "zoo.weighing"},
    {"zoo.attributes", "zoo.contrast"},
    {"zoo.op_defaults", "zoo.op_levels", "zoo.sightings"}
    | {"zoo.ops", "zoo.streams", "zoo.table", "zoo.tensors", "zoo.yaml_events"},
    # the ground
    {"zoo.new_plugin"},
    {"zoo.atomic", "zoo.together"} | {"zoo.folders"},
    {"zoo.leases", "zoo.quarantine", "zoo.rooms", "zoo.usage"}
    | {"zoo.budget", "zoo.found_plugins", "zoo.trust"},
    {"zoo.home"} | {"zoo.amounts"},
    {"zoo.drafts"},
    {"zoo.means"},
    {"zoo.bubblewrap", "zoo.namespaces", "zoo.process_limits", "zoo.system_calls"},
    {"zoo.landlock"},
    {"zoo.apart", "zoo.disk", "zoo.dtypes", "zoo.mapped", "zoo.output", "zoo.protos"}
    | {"zoo.kept", "zoo.owners"},
    {"zoo.addresses", "zoo.digests"},
    {"zoo.work"},
    {
        "zoo.after_keras",
        "zoo.checksums",
        "zoo.errors",
        "zoo.file_types",
        "zoo.redaction",
    }
    | {"zoo.findings"}
    | {"zoo.expiry", "zoo.licences", "zoo.names", "zoo.offline", "zoo.ordered_code", "zoo.paths"}
    | {"zoo.patience", "zoo.tiered", "zoo.time_limits", "zoo.wire"},
]
FLOOR = {module: -depth for depth, floor in enumerate(FLOORS) for module in floor}
ROOT = Path(__file__).parents[2]
FACES = {"zoo", "zoo.commands", "zoo.testing"}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield every module of the house and where it stands."""
    for base, pattern in ((ROOT, "zoo/**/*.py"), (ROOT / "plugins", "**/*.py")):
        for path in base.glob(pattern):
            parts = path.relative_to(base).with_suffix("").parts
            name = ".".join(part for part in parts if part != "__init__")
            if name not in FACES:
                yield name, path


FILES = dict(modules())


def imports(path: Path) -> Iterator[str]:
    """Yield every module of ours that `path` imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name in FLOOR)


def test_every_module_stands_on_one_floor():
    """A new file has to be put on the plan, and one that is gone taken off it."""
    assert sum(len(floor) for floor in FLOORS) == len(FLOOR)
    assert set(FILES) == set(FLOOR)


@pytest.mark.parametrize("module", sorted(FILES))
def test_imports_go_down(module):
    """No module reaches up, or across to its neighbour."""
    assert [used for used in imports(FILES[module]) if FLOOR[used] >= FLOOR[module]] == []


@pytest.mark.parametrize("module", sorted(FILES))
def test_only_the_face_hands_on(module):
    """Modules take names from where they are made, not from the face of the package."""
    tree = ast.parse(FILES[module].read_text())
    taken = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == "zoo"]
    names = {alias.name for node in taken for alias in node.names}

    assert {name for name in names if f"zoo.{name}" not in FLOOR} == set()
