"""What users can type, set, read or catch is written down, and what is written down is there."""

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

import zoo
import zoo.testing
from zoo import cli, errors, hookspecs, plugins
from zoo.entries import Entry, File, Head, Preprocessing, Weights
from zoo.registry import Registry
from zoo.samples import sample_model
from zoo_finetune.recipe import Recipe

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
COMMANDS_PAGE = (DOCS / "commands.md").read_text()
SECTIONS = dict(
    re.findall(r"^## (zoo \S+)\n(.*?)(?=^## |\Z)", COMMANDS_PAGE, re.MULTILINE | re.DOTALL)
)
"""What is said of each command, by its name; what holds for several stands before the first."""
IN_COMMON = COMMANDS_PAGE.partition("\n## ")[0]


def every_command(group, name="zoo", parent=None):
    """Yield the name and the command of all that can be typed, plugins and parts included."""
    context = click.Context(group, info_name=name, parent=parent)
    for part in group.list_commands(context):
        command = group.get_command(context, part)
        yield f"{name} {part}", command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{name} {part}", context)


TYPED = dict(every_command(cli.zoo))


@pytest.mark.parametrize("name", sorted(TYPED))
def test_every_command_is_documented(name):
    """With a section, or, for a part of one, in the section of the whole."""
    whole = " ".join(name.split()[:2])

    assert whole in SECTIONS
    assert name == whole or f"`{name}" in SECTIONS[whole]


@pytest.mark.parametrize("name", sorted(TYPED))
def test_every_option_is_documented(name):
    """In the section of its command, or in what is said before the first."""
    said = options_of(IN_COMMON + SECTIONS[" ".join(name.split()[:2])])
    options = [one for one in TYPED[name].params if isinstance(one, click.Option)]

    assert [one.opts for one in options if not said & set(one.opts)] == []


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_no_section_has_an_option_that_is_gone(name):
    """What the line of a command says that it takes, it takes."""
    commands = [TYPED[one] for one in TYPED if one == name or one.startswith(f"{name} ")]
    usage = "\n".join(line for line in SECTIONS[name].splitlines() if line.startswith(f"`{name}"))

    params = [one for command in commands for one in command.params]
    there = {option for one in params for option in (*one.opts, *one.secondary_opts)}
    assert options_of(usage) <= there


def options_of(text):
    """Return the options that `text` names."""
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*(?![\w-])", text))


KINDS = [
    k.__name__
    for k in vars(errors).values()
    if isinstance(k, type) and k.__module__ == "zoo.errors"
]


@pytest.mark.parametrize("name", KINDS)
def test_every_error_is_documented(name):
    """Each kind, with the exit code that it has and a link to its page."""
    page = (DOCS / "errors.md").read_text()
    link = name if name == "ZooError" else rf"[^|]*\(errors/{name}\.md\)"
    row = re.search(rf"^\| \[?`{name}`{link.removeprefix(name)} \| (\d+) \|", page, re.MULTILINE)

    assert row
    assert int(row[1]) == getattr(errors, name).code


@pytest.mark.parametrize("name", [kind for kind in KINDS if kind != "ZooError"])
def test_every_error_has_a_page_with_an_example(name):
    """Which test_readme.py runs, and which shows an error of this kind."""
    page = (DOCS / "errors" / f"{name}.md").read_text()
    code = getattr(errors, name).code

    assert page.startswith(f"# {name}\n")
    assert f"exit code {code}" in page.lower()
    assert re.search(r"^```(console|python)$", page, re.MULTILINE)
    assert "## What helps" in page


@pytest.mark.parametrize("name", sorted(n for n in vars(hookspecs) if n.startswith("zoo_")))
def test_every_hook_is_documented(name):
    """In the overview, by a docstring in the reference, and on a page with a plugin that has it."""
    assert f"`{name}`" in (DOCS / "plugins.md").read_text()
    assert inspect.getdoc(getattr(hookspecs, name))
    page = DOCS / "hooks" / (name.removeprefix("zoo_").replace("_", "-") + ".md")
    assert page.read_text().startswith(f"# `{name}`")
    assert "automodule:: zoo.hookspecs" in (DOCS / "reference" / "hooks.md").read_text()


PARTS = (Entry, Weights, File, Head, Preprocessing)


@pytest.mark.parametrize("key", sorted({key for part in PARTS for key in part.model_fields}))
def test_every_registry_key_is_documented(key):
    """Each key that an entry may have."""
    assert f"`{key}`" in (DOCS / "registry.md").read_text()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_part_of_an_entry_is_in_the_reference(part):
    """Its table is made when the pages are."""
    page = (DOCS / "reference" / "registry-keys.md").read_text()
    assert f"```{{registry-keys}} {part.__name__}\n" in page


def test_the_registry_that_is_shown_has_no_faults(tmp_path):
    """Someone will begin by copying it."""
    page = (DOCS / "registry.md").read_text()
    shown = re.search(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "registry.yaml").write_text(shown[1])

    registry = Registry(tmp_path / "registry.yaml", tmp_path)

    assert registry.names() == ["vgg-tiny"]
    assert registry.faults() == []


@pytest.mark.parametrize("key", [field.name for field in fields(Recipe)])
def test_every_key_of_a_recipe_is_documented(key):
    """Each that `--config` reads."""
    page = (DOCS / "finetune-results.md").read_text()
    assert f"`{key}`" in page.partition("## recipe.yaml")[2].partition("\n## ")[0]


FORMATS = {form.name: form for form in plugins.formats(plugins.installed()).values()}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_option_of_a_format_is_documented(name):
    """On the page on formats, or on one of its own."""
    own = DOCS / f"{name}.md"
    said = (DOCS / "formats.md").read_text() + (own.read_text() if own.exists() else "")

    assert [one.name for one in FORMATS[name].options if f"`{one.name}`" not in said] == []


PUBLIC = [f"zoo.{name}" for name in zoo.__all__]
PUBLIC += [f"zoo.testing.{name}" for name in zoo.testing.__all__]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name):
    """By a docstring, which the reference shows."""
    owner, _, last = name.rpartition(".")
    page = (DOCS / "reference" / "api.md").read_text()

    assert inspect.getdoc(getattr(zoo.testing if owner == "zoo.testing" else zoo, last))
    assert re.search(rf"^\.\. (auto\w+|py:data):: {re.escape(name)}$|`{name}` is ", page, re.M)


@pytest.mark.parametrize("name", [n for n in dir(zoo.Model) if not n.startswith("_")])
def test_every_method_of_a_model_is_documented(name):
    """By a docstring, and by an example or a sentence on the page on Python."""
    field = name in zoo.Model.__dataclass_fields__  # which the docstring of the class has
    assert inspect.getdoc(zoo.Model if field else getattr(zoo.Model, name))
    assert re.search(rf"\.{name}\b|`{name}`", (DOCS / "python.md").read_text())


VARIABLE = re.compile(r"\b_?ZOO_[A-Z]+(?:_[A-Z]+)*\b")
PRODUCT = [*(ROOT / "zoo").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]


def test_every_environment_variable_is_documented():
    """Each that the code reads has a row, and no row stands for one that nothing reads."""
    read = {name for path in PRODUCT for name in VARIABLE.findall(path.read_text())}
    page = (DOCS / "reference" / "environment.md").read_text()

    rows = set(re.findall(r"^\| `(_?ZOO_\w+)", page, re.MULTILINE))
    # code that lets a family of variables through has the beginning of their names
    begun = {name for name in read if any(row.startswith(f"{name}_") for row in rows)}
    assert rows == (read - begun) | (rows & begun) | {"_ZOO_COMPLETE"}


PROMISED = {
    "zoo inspect": "format path bytes producer tensorflow_version tag_sets signatures inputs"
    " outputs weights parameters ops head findings why tensor dtype shape trainable features"
    " logits",
    "zoo run": "outputs",
    "zoo convert": "source target repairs verified max_abs_diff outputs format path bytes",
    "zoo finetune": "target outputs head trained_weights epochs loss accuracy val_loss"
    " val_accuracy seconds format path",
    "zoo fetch": "models name tag path sha256 bytes from_cache",
    "zoo list": "models name summary tags cached",
    "zoo diff": "equal weights signatures graph",
}
"""The keys that scripts rely on: they are never taken away."""


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_every_promised_key_is_documented(name):
    """In the section of the command whose document has it."""
    said = words_of(SECTIONS[name])
    assert [key for key in PROMISED[name].split() if key not in said] == []


def words_of(section):
    """Return what `section` has in backticks, and the keys of documents that it shows."""
    marked = re.findall(r"`([^`\n]+)`", section) + re.findall(r'"(\w+)":', section)
    return {word for text in marked for word in re.findall(r"\w+", text)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in a folder with a model and a registry."""
    monkeypatch.chdir(tmp_path)
    zoo.save(sample_model(), "net.pb", format="frozen")
    Path("mine.yaml").write_text("version: 1\nmodels: {}\n")
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "list toy*",
        "info toy-adder",
        "fetch toy-adder",
        "inspect net.pb",
        "convert net.pb net.npz --to npz",
        "diff net.pb net.pb",
        "doctor net.pb",
        "add net.pb --name my-net",
        "check mine.yaml",
        "formats",
        "plugins",
        "lock toy-adder",
        "cache ls",
        "cache prune",
        "verify --all",
        "new-plugin mine",
    ],
)
def test_every_key_that_is_printed_is_documented(line, folder, capsys):
    """Of the document, and of the first thing in each list that it has."""
    cli.run([*line.split(), "--json"])
    document = json.loads(capsys.readouterr().out)
    said = words_of(SECTIONS["zoo " + line.split()[0]] + IN_COMMON)

    keys = {*document, *(key for value in document.values() for key in keys_of_the_first(value))}
    assert sorted(key for key in keys if key not in said) == []


def keys_of_the_first(value):
    """Return the keys of the first thing in a list of things."""
    return (
        list(value[0]) if isinstance(value, list) and value and isinstance(value[0], dict) else []
    )


LINK = re.compile(r"(?<!\\)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    """To a file that is there and a heading that is in it, as a plain git host shows them."""
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    astray = []
    for target in LINK.findall(text):
        place, _, heading = target.partition("#")
        path = page.parent / place if place else page
        if "://" in target or target.startswith("mailto:"):
            continue
        if not path.exists() or (heading and heading not in anchors(path)):
            astray.append(target)

    assert astray == []


def anchors(page):
    """Return what a git host calls the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings}
