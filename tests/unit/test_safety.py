"""Nothing that is loaded can bring code with it."""

import ast
from pathlib import Path

from tests.conftest import ROOT

FILES = sorted(path for folder in ("src", "scripts", "tests") for path in (ROOT / folder).rglob("*.py"))
# Functions of transformers and libraries on top of it that run code of a model's folder or repository if they may.
LOADERS = {"from_pretrained", "from_config", "pipeline"}


def calls(path: Path) -> list[ast.Call]:
    """The calls in a file that could run code of a model."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "transformers"
        for alias in node.names
    }
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr in LOADERS - {"pipeline"})
            or (isinstance(node.func, ast.Name) and node.func.id in LOADERS & imported)
        )
    ]


def refuses_code(call: ast.Call) -> bool:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    value = given.get("trust_remote_code")
    return isinstance(value, ast.Constant) and value.value is False


def test_the_calls_are_found():
    found = {path.relative_to(ROOT).as_posix() for path in FILES if calls(path)}
    assert {
        "src/claimkind/models/transformer/encoders.py", "src/claimkind/benchmarks/backends.py",
        "src/claimkind/benchmarks/baselines.py", "src/claimkind/benchmarks/ceiling.py",
    } <= found  # fmt: skip


def test_every_call_that_loads_a_model_refuses_its_code():
    allowing = [f"{path}:{call.lineno}" for path in FILES for call in calls(path) if not refuses_code(call)]
    assert allowing == []


def test_no_pickle_is_loaded():
    for path in FILES:
        names = {
            alias.name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not names & {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}, path


def test_torch_loads_weights_only():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in ast.unparse(node), path


def test_every_model_is_loaded_from_safetensors():
    loading = [
        (f"{path}:{call.lineno}", {keyword.arg: keyword.value for keyword in call.keywords}.get("use_safetensors"))
        for path in FILES
        for call in calls(path)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "from_pretrained"
        and ast.unparse(call.func).startswith("AutoModel")
        and "src" in path.parts
    ]
    assert len(loading) >= 2
    assert [place for place, value in loading if not (isinstance(value, ast.Constant) and value.value is True)] == []
