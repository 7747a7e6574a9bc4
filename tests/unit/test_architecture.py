"""The direction of imports: each layer imports only from those above it."""

import ast
import subprocess
import sys
from pathlib import Path

import claimkind

PACKAGE = Path(claimkind.__file__).parent

# Top first. `io` stands above `dataset`, since labelled tables are read by the same readers as inputs of scoring.
# `__init__` is the last, since it offers what is below, imported when it is used.
LAYERS = (
    "errors", "labels", "manifest", "config", "help", "command", "text", "metrics", "io", "dataset", "models",
    "tracking", "evaluation", "scoring", "training", "benchmarks",
    "__init__", "__main__",
)  # fmt: skip
MAY_IMPORT_MLFLOW = {"tracking", "scoring/pyfunc.py", "scoring/spark.py"}


def imported_modules(path: Path) -> set[str]:
    """Dotted names that a file imports, also within functions; `from package import module` counts as the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules() -> dict[str, set[str]]:
    """By path below the package, what each module imports."""
    return {path.relative_to(PACKAGE).as_posix(): imported_modules(path) for path in sorted(PACKAGE.rglob("*.py"))}


def layer_of(module: str) -> str:
    return module.removesuffix(".py").split("/")[0]


def test_every_module_has_a_layer():
    assert {layer_of(module) for module in modules()} == set(LAYERS)


def test_each_layer_imports_only_from_layers_above_it():
    wrong = []
    for module, imported in modules().items():
        own = LAYERS.index(layer_of(module))
        for name in sorted(imported):
            package, _, rest = name.partition(".")
            target = rest.split(".")[0]
            if package == "claimkind" and target in LAYERS and LAYERS.index(target) > own:
                wrong.append(f"{module} imports {name}")
    assert not wrong, "imports against the direction: " + "; ".join(wrong)


def test_modules_of_one_package_do_not_import_each_other_in_a_circle():
    graph = {  # an import is one of the innermost module that it names
        f"claimkind.{module.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}": imported
        for module, imported in modules().items()
    }
    edges = {
        name: {
            max((other for other in graph if f"{i}.".startswith(f"{other}.")), key=len, default=name) for i in imported
        }
        - {name}
        for name, imported in graph.items()
    }
    while leaves := [name for name, others in edges.items() if not others]:
        edges = {name: others.difference(leaves) for name, others in edges.items() if name not in leaves}
    assert not edges, f"these import each other in a circle: {', '.join(edges)}"


def test_the_package_imports_nothing_heavy():
    code = "import sys, claimkind; print(sorted({'torch', 'mlflow', 'pandas', 'sklearn', 'hydra'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_only_tracking_imports_mlflow():
    importers = {
        module if module.startswith("scoring/") else layer_of(module)
        for module, imported in modules().items()
        if any(name.split(".")[0] == "mlflow" for name in imported)
    }
    assert importers == MAY_IMPORT_MLFLOW
