"""The model folder: what a trained model is on disk.

    model.safetensors                  embedding, attention, feed-forward, norms
    components/ssl/model.safetensors   state-space layers
    components/moe/model.safetensors   mixtures of experts, if there are any
    components/hypernet/model.safetensors   hypernetwork, if there is one
    config/config.json                 the section `model` of LunaConfig
    config/growth.json                 how the model has grown, if it has
    config/base/config.json            transformers' settings of the core, for a model on a base
    tokenizer/                         tokenizer.json, special_tokens.json, vocab.json, merges.txt
    README.md                          model card (optional)
    manifest.json                      size and SHA-256 of every file above

Weights of more than 95 MB come in shards with an index, see `lunagpt.models.weight_files`. A folder appears
whole or not at all (written beside its place, then renamed), holds no pickles, and is checked against its
manifest before a weight is used.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lunagpt.config import LunaConfig, ModelConfig
from lunagpt.errors import MissingDependencyError, ModelFolderError, reason_of
from lunagpt.files import atomic_directory, atomic_write_text, sha256_file
from lunagpt.model_folders import CARD, MANIFEST, find_model
from lunagpt.models.eight_bit import refuse_eight_bits
from lunagpt.models.parameters import unique_state
from lunagpt.models.weight_files import MAX_SHARD_BYTES, has_weights, read_weights, write_weights

if TYPE_CHECKING:
    from lunagpt.models.luna_model import LunaModel
    from lunagpt.tokenizer import LunaTokenizer

CONFIG = "config/config.json"
GROWTH = "config/growth.json"
BASE_CONFIG = "config/base"
TOKENIZER = "tokenizer"
FORMAT = "lunagpt-model-1"

CORE_WEIGHTS = "model.safetensors"
# weights of a component live in a file of their own: marker in the parameter's name -> file
COMPONENT_WEIGHTS = {
    ".state_space.": "components/ssl/model.safetensors",
    ".moe.": "components/moe/model.safetensors",
    "hypernet.": "components/hypernet/model.safetensors",
}


def save_model(
    model: "LunaModel",
    folder: str | Path,
    *,
    dtype: torch.dtype | None = None,
    model_card: str | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> Path:
    """Writes `model` as a folder in one step and returns its path; see `LunaModel.save`.

    `checkpoints/` of an old folder in the same place is lost with it: training keeps its own elsewhere.

    Raises:
        ConfigError: the weights are in 8 bits.
    """
    refuse_eight_bits(model)
    folder = Path(folder)
    with atomic_directory(folder) as fresh:
        for name, tensors in _by_file(unique_state(model)).items():
            stored = {key: _stored(tensor, dtype) for key, tensor in tensors.items()}
            write_weights(fresh / name, stored, max_shard_bytes)
        section = model.config.model.to_dict() | {"base_path": None}
        settings = {"version": model.config.version, "model": section}
        (fresh / CONFIG).parent.mkdir(parents=True)
        if model.config.model.base_family is not None:
            core: Any = model.core
            core.config.save_pretrained(fresh / BASE_CONFIG)
        atomic_write_text(fresh / CONFIG, json.dumps(settings, ensure_ascii=False, indent=2) + "\n")
        if model.growth_history:
            atomic_write_text(fresh / GROWTH, json.dumps(model.growth_history, indent=2) + "\n")
        model.tokenizer.save_pretrained(fresh / TOKENIZER)
        if model_card is not None:
            atomic_write_text(fresh / CARD, model_card)
        write_manifest(fresh)
    return folder


def load_model(
    folder: str | Path,
    config: LunaConfig | None = None,
    *,
    keep_dtype: bool = False,
    to_answer: bool = True,
) -> "LunaModel":
    """Reads a folder written by `save_model`; see `LunaModel.from_pretrained`.

    Args:
        to_answer: follow the section `hardware` (`low_memory`, `skip_components`, `quantization`); a model
            that is to be trained needs all of itself.
    """
    from lunagpt.models.from_base import build_on_base, is_transformers_folder

    folder = find_model(folder)
    config = config or LunaConfig.from_environment()
    keep_dtype = keep_dtype or (to_answer and config.hardware.low_memory)
    if is_transformers_folder(folder):
        nothing_added = ModelConfig(use_state_space=False).to_dict()
        model = build_on_base(
            folder, config.replaced(model=nothing_added), trainable="all", keep_dtype=keep_dtype
        )
    else:
        model = _load_luna(folder, config, keep_dtype)
    if to_answer:
        model.follow_settings(config.hardware)
    return model


def _load_luna(folder: Path, config: LunaConfig, keep_dtype: bool) -> "LunaModel":
    from lunagpt.tokenizer import load_tokenizer

    verify_folder(folder)
    config = read_config(folder, config)
    tokenizer = load_tokenizer(folder / TOKENIZER, config)
    if tokenizer.vocab_size > config.model.vocab_size:
        raise ModelFolderError(
            f'Em "{folder}", o tokenizador tem {tokenizer.vocab_size} entradas e o modelo só '
            f"{config.model.vocab_size}: não foram feitos um para o outro. Copie a pasta de novo da origem."
        )
    weights: dict[str, Tensor] = {}
    for name in (CORE_WEIGHTS, *COMPONENT_WEIGHTS.values()):
        if has_weights(folder / name):
            weights |= read_weights(folder / name)
    model = _empty_model(config, tokenizer, folder)
    if not keep_dtype:
        weights = {key: tensor.float() for key, tensor in weights.items()}
    elif config.model.base_family is not None:  # a foreign core computes in one dtype throughout
        narrow = next(
            tensor.dtype for key, tensor in weights.items() if key.startswith("core.") and tensor.dim() > 1
        )
        weights = {key: t.to(narrow) if key.startswith("core.") else t for key, t in weights.items()}
    _assign(model, weights, folder)
    if (folder / GROWTH).exists():
        model.growth_history = json.loads((folder / GROWTH).read_text(encoding="utf-8"))
    model.eval()
    return model.to(config.device)


def _empty_model(config: LunaConfig, tokenizer: "LunaTokenizer", folder: Path) -> "LunaModel":
    """A model that still lacks its weights."""
    if config.model.base_family is None:
        from lunagpt.models.luna_model import LunaModel

        with torch.device("meta"):
            return LunaModel(config, tokenizer)
    from lunagpt.models.from_base import empty_model_on_base

    return empty_model_on_base(config, tokenizer, folder / BASE_CONFIG)


def read_config(folder: str | Path, config: LunaConfig | None = None) -> LunaConfig:
    """The configuration of a model folder: its `model` section over the other sections of `config`."""
    path = Path(folder) / CONFIG
    stored = LunaConfig.from_file(path, use_environment=False)
    section = stored.model.to_dict() | {"base_path": str(folder)}
    return (config or LunaConfig.from_environment()).replaced(model=section)


def write_manifest(folder: Path) -> None:
    """Writes manifest.json: size and SHA-256 of every file in the folder."""
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    text = json.dumps({"format": FORMAT, "files": files}, ensure_ascii=False, indent=2)
    atomic_write_text(folder / MANIFEST, text + "\n")


def verify_folder(folder: str | Path) -> dict[str, Any]:
    """Checks every file of a model folder against its manifest and returns the manifest.

    Raises:
        ModelFolderError: no such folder, not a LunaGPT model, or a file is missing or changed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelFolderError(
            f'Não há pasta de modelo em "{folder}". Confira o caminho, ou deixe de indicá-lo para usar o '
            "modelo que vem com o LunaGPT."
        )
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFolderError(_foreign(folder)) from None
    except (OSError, ValueError) as error:
        raise ModelFolderError(
            f'Não consegui ler "{folder / MANIFEST}" ({reason_of(error)}). O arquivo está estragado: '
            "copie a pasta de novo da origem."
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelFolderError(
            f'"{folder / MANIFEST}" não é de um modelo que esta versão conhece (esperava o formato '
            f'"{FORMAT}"). '
            "Atualize o LunaGPT ou use um modelo feito por esta versão."
        )
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise ModelFolderError(f'Falta o arquivo "{path}" do modelo. Copie a pasta de novo da origem.')
        size = path.stat().st_size
        if size != expected["size"]:
            raise ModelFolderError(
                f'O arquivo "{path}" tem {size} bytes e devia ter {expected["size"]}: a cópia ficou '
                "incompleta ou foi alterada. Copie a pasta de novo da origem."
            )
        if sha256_file(path) != expected["sha256"]:
            raise ModelFolderError(
                f'O conteúdo de "{path}" não confere com o manifesto: o arquivo foi alterado ou está '
                "estragado. Copie a pasta de novo da origem."
            )
    return manifest


def log_to_wandb(folder: Path, run_name: str | None) -> None:
    """Logs a model folder as an artifact of the current Weights & Biases run, or of a new one."""
    try:
        import wandb
    except ImportError:
        raise MissingDependencyError(
            'O pacote "wandb" é necessário para guardar o modelo no Weights & Biases, mas não está '
            "instalado. Instale com: pip install wandb"
        ) from None
    run = wandb.run or wandb.init(project="lunagpt", name=run_name)
    artifact = wandb.Artifact(folder.name, type="model")
    artifact.add_dir(str(folder))
    run.log_artifact(artifact)


def _by_file(weights: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    files: dict[str, dict[str, Tensor]] = {}
    for key, tensor in weights.items():
        name = next((file for marker, file in COMPONENT_WEIGHTS.items() if marker in key), CORE_WEIGHTS)
        files.setdefault(name, {})[key] = tensor
    return files


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """What goes to disk. Vectors (norms, biases, decay rates) keep float32: they are small and delicate."""
    if dtype is not None and tensor.dim() > 1:
        tensor = tensor.to(dtype)
    return tensor.detach().cpu().contiguous()


def _assign(model: "LunaModel", weights: dict[str, Tensor], folder: Path) -> None:
    """Puts `weights` into a model built on the meta device, after checking names and shapes."""
    wanted = unique_state(model)
    problems = [f"falta {key}" for key in wanted.keys() - weights.keys()]
    problems += [f"sobra {key}" for key in weights.keys() - wanted.keys()]
    problems += [
        f"{key} tem forma {tuple(weights[key].shape)}, esperada {tuple(wanted[key].shape)}"
        for key in wanted.keys() & weights.keys()
        if weights[key].shape != wanted[key].shape
    ]
    if problems:
        listed = "; ".join(sorted(problems)[:3])
        raise ModelFolderError(
            f'Os pesos em "{folder}" não combinam com "{CONFIG}": {listed}. Provavelmente um dos dois foi '
            "trocado: copie a pasta de novo da origem."
        )
    model.load_state_dict(weights, assign=True, strict=False)  # tied weights are there once, under one name
    model.finish_loading()


def _foreign(folder: Path) -> str:
    if (folder / "model" / MANIFEST).exists():
        return f'A pasta "{folder}" é a de um treino. O modelo dele está em "{folder / "model"}".'
    if (folder / "luna.db").exists():  # made by `luna index`
        return (
            f'A pasta "{folder}" é uma base de documentos, e não um modelo. Para perguntar a ela: '
            f'luna ask --rag {folder} "sua pergunta".'
        )
    start = f'A pasta "{folder}" não tem "{MANIFEST}", logo não é um modelo do LunaGPT.'
    if (folder / "config.json").exists():
        return (
            f"{start} É um modelo do transformers: dá para conversar com ele (luna chat --model), medi-lo "
            "(luna evaluate) e treiná-lo (luna train --base-model), mas não há manifesto que conferir."
        )
    if any(folder.glob("*.gguf")):
        return (
            f"{start} Há um arquivo GGUF nela: esta versão não o carrega; use-o com o llama.cpp ou o Ollama."
        )
    return f"{start} Indique a pasta que o treino gravou (a que contém {CORE_WEIGHTS})."
