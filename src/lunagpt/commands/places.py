"""Where LunaGPT keeps what belongs to the user: `LUNA_HOME` if set, else the usual folders of the system."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_APP = "lunagpt"


def data_folder() -> Path:
    """Folder of the user's data; it need not exist yet."""
    home = _home()
    return platformdirs.user_data_path(_APP, appauthor=False) if home is None else home


def log_folder(kind: str) -> Path:
    """Folder of one kind of logs ("errors", ...); it need not exist yet."""
    home = _home()
    return (platformdirs.user_log_path(_APP, appauthor=False) if home is None else home / "logs") / kind


def private_file(path: Path) -> Path:
    """Makes an empty file that only its owner may read, unless it exists; returns `path`.

    Raises:
        OSError: it cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    return path


def _home() -> Path | None:
    value = os.environ.get("LUNA_HOME", "").strip()
    return Path(value).expanduser() if value else None
