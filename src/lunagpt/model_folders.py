"""Where models are: the ones that come with LunaGPT, by name, and which of them answers when nobody says.

luna-nano lies inside the package. Larger ones lie in `models/NAME` of the repository and are found from a
checkout only (`pip install -e .`, `make chat`): a wheel does not carry them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from lunagpt.errors import ModelFolderError

MANIFEST = "manifest.json"
CARD = "README.md"
EMBEDDED = "luna-nano"
#: In `models/`: what the scripted dialogues say of each model, see `default_model`.
VERDICTS = "comportamentos.json"

_NO_FOLDER = (
    'Não há pasta de modelo em "{given}". Confira o caminho, ou deixe de indicá-lo para usar o modelo que '
    "vem com o LunaGPT. Pelo nome, há: {names}."
)
_OTHERS_IN_REPOSITORY = (
    'O modelo "{given}" não vem nesta instalação do LunaGPT: os maiores que a luna-nano ficam na pasta '
    "models/ do repositório. Instale a partir de um clone dele (pip install -e .), ou copie a pasta do "
    "modelo e indique o caminho dela. Pelo nome, há: {names}."
)
_NONE_EMBEDDED = (
    "Esta instalação veio sem o modelo luna-nano. Reinstale o LunaGPT, ou diga outra pasta de modelo com "
    "--model."
)


def checkout() -> Path | None:
    """The root of the repository that this package runs from; None for an installed copy."""
    root = Path(__file__).resolve().parents[2]
    is_one = (root / "pyproject.toml").is_file() and (root / "src" / "lunagpt").is_dir()
    return root if is_one else None


def shipped_models() -> dict[str, Path]:
    """The folders of the models that come with LunaGPT, by name."""
    assets = Path(str(resources.files("lunagpt") / "assets"))
    root = checkout()
    places = [assets] if root is None else [root / "models", assets]  # the package's own keep their names
    return {path.parent.name: path.parent for place in places for path in place.glob(f"*/{MANIFEST}")}


def find_model(given: str | Path) -> Path:
    """The folder of a model: a path, or the name of a shipped model.

    Raises:
        ModelFolderError: there is no such folder; says which names there are.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        return path
    shipped = shipped_models()
    if str(given) in shipped:
        return shipped[str(given)]
    looks_like_ours = path.name == str(given) and path.name.startswith("luna-")
    message = _OTHERS_IN_REPOSITORY if looks_like_ours and checkout() is None else _NO_FOLDER
    raise ModelFolderError(message.format(given=given, names=", ".join(sorted(shipped)) or "nenhum"))


def default_model() -> Path:
    """The model that answers when nobody says which.

    luna-nano, unless one in `models/` is better beyond doubt: `models/comportamentos.json` has the results of
    both on the same scripted dialogues, measured on exactly these weights, and the lower end of the other's
    95 % interval lies above luna-nano's rate. Of several such models the one with the highest rate.

    Raises:
        ModelFolderError: this installation has no model.
    """
    shipped = shipped_models()
    if EMBEDDED not in shipped:
        raise ModelFolderError(_NONE_EMBEDDED)
    root = checkout()
    verdicts = _read_verdicts(root / "models" / VERDICTS) if root is not None else {}
    known = {
        name: verdict
        for name, verdict in verdicts.items()
        if name in shipped and verdict.get("model") == fingerprint(shipped[name])
    }
    if EMBEDDED not in known:
        return shipped[EMBEDDED]
    own = known.pop(EMBEDDED)
    better = {
        name: verdict["value"]
        for name, verdict in known.items()
        if (verdict["suite"], verdict["n"]) == (own["suite"], own["n"]) and verdict["low"] > own["value"]
    }
    return shipped[max(better, key=better.__getitem__)] if better else shipped[EMBEDDED]


def fingerprint(folder: str | Path) -> str | None:
    """SHA-256 of what a model computes: of all that its manifest lists but the card. None without one."""
    try:
        manifest = json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))
        files = {name: entry["sha256"] for name, entry in manifest["files"].items() if name != CARD}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _read_verdicts(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """The file that `benchmarks/default_model.py` writes; {} where it is missing or not of that form."""
    try:
        verdicts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    wanted = {"model", "suite", "n", "value", "low"}
    if not isinstance(verdicts, dict):
        return {}
    return {
        name: entry for name, entry in verdicts.items() if isinstance(entry, dict) and wanted <= entry.keys()
    }
