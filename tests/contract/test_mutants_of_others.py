"""Each test of the contracts of nets and sources catches a broken one that no other test does."""

import inspect
import itertools
from dataclasses import dataclass, replace

import pytest

import zoo_architectures
from zoo.errors import FetchError
from zoo.model import Model
from zoo.testing import ArchitectureContract, SourceContract

BUILD = zoo_architectures.vgg_digits
NET = next(one for one in zoo_architectures.zoo_architectures() if one.name == "vgg-digits")
ONCE = BUILD()


def names_in(contract):
    return sorted(name for name in dir(contract) if name.startswith("test_"))


def caught_by(contract, given):
    """Return the tests of `contract` that fail for what is `given`."""
    failed = []
    for name in names_in(contract):
        test = getattr(contract(), name)
        try:
            test(**{key: given[key] for key in inspect.signature(test).parameters})
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed.append(name)
    return failed


def edited(edit):
    """Return a function that builds the net and lets `edit` change its graph."""

    def build():
        built = BUILD()
        edit(built.graph)
        return built

    return build


def puts_nothing_out():
    built = BUILD()
    built.meta_graph.signature_def["serving_default"].outputs.clear()
    return built


def without_shape(graph):
    kernel = next(node for node in graph.node if node.op.startswith("Var"))
    kernel.attr["shape"].CopyFrom(type(kernel.attr["shape"])())
    kernel.attr["shape"].shape.unknown_rank = True


def with_stray_weight():
    built = BUILD()
    name = next(iter(built.weights))
    stray = {"stray": built.weights.tensor(name)}
    return replace(built, weights=built.weights.overlay(stray))


def with_number(numbers=itertools.count()):  # noqa: B008
    return edited(lambda graph: graph.node.add(name=f"n{next(numbers)}", op="NoOp"))()


def takes_any(weights):
    return BUILD() if "zoo/stranger" in weights else None


def loses_one(weights):
    if "zoo/stranger" in weights:
        return None
    name = next(iter(weights))
    return Model(BUILD().meta_graph, weights.only(set(weights) - {name}))


NETS = {
    "test_aliases_mean_one_variable": replace(NET, aliases=lambda _: ("weights",)),
    "test_builds_a_net": replace(NET, build=puts_nothing_out),
    "test_builds_a_net_of_its_own": replace(NET, build=lambda: ONCE),
    "test_builds_the_same_again": replace(NET, build=with_number),
    "test_initial_weights_fit": replace(NET, build=with_stray_weight),
    "test_is_described": replace(NET, summary=""),
    "test_its_own_names_attach": replace(NET, attach=loses_one),
    "test_variables_have_shapes": replace(NET, build=edited(without_shape)),
    "test_weights_of_others_are_refused": replace(NET, attach=takes_any),
}


def shelf(url):
    """Open what lies on a shelf of this program."""
    if url != "shelf:book":
        raise FetchError("nothing lies there", found=url[:10])
    yield b"once upon "
    yield b"a time"


@dataclass(frozen=True)
class Source:
    scheme: str
    open: object


def remembering():
    """Return what goes on where it was left, as one open connection for all would."""
    rest = []

    def opened(url):
        if url != "shelf:book":
            yield from shelf(url)
        if not rest:
            rest.extend(shelf(url))
        while rest:
            yield rest.pop(0)

    return opened


def parsing_ports(url):
    if url.startswith("shelf://host:"):
        raise ValueError("invalid port")
    yield from shelf(url)


def silent_where_nothing_lies(url):
    if url != "shelf:nothing":
        yield from shelf(url)


def saying_all(url):
    if url != "shelf:book":
        raise FetchError(f"nothing lies at {url}")
    yield from shelf(url)


SOURCES = {
    "test_gives_the_bytes": Source("shelf", lambda url: (bytearray(c) for c in shelf(url))),
    "test_gives_them_again": Source("shelf", remembering()),
    "test_missing_is_a_fetch_error": Source("shelf", silent_where_nothing_lies),
    "test_odd_addresses_are_errors_of_ours": Source("shelf", parsing_ports),
    "test_scheme_can_be_typed": Source("Shelf", shelf),
    "test_secrets_stay_secret": Source("shelf", saying_all),
}


def offered(source):
    return {
        "source": source,
        "url": "shelf:book",
        "content": b"once upon a time",
        "missing": "shelf:nothing",
    }


def test_every_test_has_a_mutant():
    """A new test in a contract needs something that only it catches."""
    assert sorted(NETS) == names_in(ArchitectureContract)
    assert sorted(SOURCES) == names_in(SourceContract)


def test_the_sound_ones_pass():
    """What the mutants are made of keeps the contracts."""
    assert caught_by(ArchitectureContract, {"architecture": NET}) == []
    assert caught_by(SourceContract, offered(Source("shelf", shelf))) == []


@pytest.mark.parametrize("name", sorted(NETS))
def test_only_its_own_test_catches_a_net(name):
    """Breaking one promise fails the one test of that promise."""
    assert caught_by(ArchitectureContract, {"architecture": NETS[name]}) == [name]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_only_its_own_test_catches_a_source(name):
    """Breaking one promise fails the one test of that promise."""
    assert caught_by(SourceContract, offered(SOURCES[name])) == [name]
