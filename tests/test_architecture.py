"""Imports run one way, as docs/architecture.md draws them."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path("gm_jax")
CONTRACT = {
    "model", "settings", "replicas", "errors", "fingerprint", "cache", "files", "outputs"
}  # fmt: skip
COMMON = CONTRACT | {"losses", "nn", "networks", "games", "optimizers", "pools"} | {
    "code_tokens", "clip_stage", "conditions", "causal"
}  # fmt: skip
FAMILIES = (
    "adversarial",
    "autoencoders",
    "autoregressive",
    "diffusion",
    "energy",
    "features",
    "multimodal",
    "translation",
)
# What each room may import beside itself; rooms that are not here are at the top.
MAY_IMPORT = {
    **dict.fromkeys(CONTRACT, CONTRACT),
    "losses": CONTRACT,
    "nn": CONTRACT | {"losses"},
    "networks": CONTRACT,
    "optimizers": CONTRACT,
    "games": CONTRACT | {"optimizers"},
    "pools": CONTRACT,
    "code_tokens": CONTRACT,
    "clip_stage": CONTRACT | {"nn"},
    "causal": CONTRACT | {"losses"},
    "conditions": CONTRACT | {"networks", "nn", "tokenizers"},
    **dict.fromkeys(FAMILIES, COMMON | {"weights", "tokenizers"}),
    "weights": CONTRACT,
    "tokenizers": CONTRACT | {"weights"},
    "data": CONTRACT | {"tokenizers"},
    "evaluation": CONTRACT | {"data", "losses", "nn", "weights"},
    # `run`, inside a function: a CLIP that ranks may be a workdir.
    "judging": CONTRACT | {"data", "evaluation", "losses", "nn", "tokenizers", "trained", "run"},
    "training": CONTRACT,
    "zoo": set(FAMILIES),
    "recipes": CONTRACT | {"zoo"},
}
# Parts of a command line, which also opens runs.
PROGRAMS = {PACKAGE / "evaluation" / name for name in ("__main__.py", "runs.py")}


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, as dotted names below it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE.name:
            inside = node.module.split(".")[1:]
            names = [[*inside, alias.name] for alias in node.names]
            found |= {".".join(name) for name in names}
    return found


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_lies_below_it(room):
    files = [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").exists() else []
    files += sorted((PACKAGE / room).rglob("*.py"))
    assert files, f"{room} is gone: take it out of MAY_IMPORT and of docs/architecture.md"
    for path in files:
        for name in imports(path) if path not in PROGRAMS else ():
            assert name.split(".")[0] in MAY_IMPORT[room] | {room}, f"{path} imports {name}"


@pytest.mark.parametrize("family", FAMILIES)
def test_no_system_imports_another(family):
    systems = {path.stem for path in (PACKAGE / family).glob("[!_]*.py")}
    for path in (PACKAGE / family).rglob("*.py"):
        others = {f"{family}.{name}" for name in systems - {path.stem}}
        reached = {".".join(name.split(".")[:2]) for name in imports(path)}
        assert not reached & others, f"{path} imports {reached & others}"
