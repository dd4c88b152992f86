"""`LunaModel.from_base`: a causal model of transformers as the core of a Luna.

A Falcon-H1 becomes a Luna of its own blocks (`falcon_h1.py`); every other family keeps its blocks, with
Luna's parts in them (`based_model.py`). Either way the logits are the base's until something is trained. All
of it works offline: a folder, or what is already in the local Hugging Face cache; code that lies in a folder
is never run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor

from lunagpt.config import LunaConfig, ModelConfig
from lunagpt.errors import ConfigError, ModelFolderError, missing_extra
from lunagpt.model_folders import MANIFEST, shipped_models
from lunagpt.models.checkpoint import TOKENIZER, load_model
from lunagpt.models.conditioned import add_hypernet
from lunagpt.models.falcon_h1 import falcon_h1_settings, luna_weights
from lunagpt.models.parameters import train_only

if TYPE_CHECKING:
    from lunagpt.models.luna_model import LunaModel
    from lunagpt.tokenizer import BaseTokenizer, LunaTokenizer

PURPOSE = "usar um modelo do transformers como base"

#: Settings of section `model` that choose Luna's own blocks, and what they must be over the blocks of a base.
OF_A_BASE = {
    "use_attention": True,
    "positions": "rotary",
    "attention_temperature": False,
    "embedding_convolution": False,
    "sliding_window": None,
}


def is_transformers_folder(folder: Path) -> bool:
    """Whether a folder holds a model of transformers (and not one of Luna)."""
    return (folder / "config.json").is_file() and not (folder / MANIFEST).exists()


def build_on_base(
    path_or_id: Any,
    config: LunaConfig | None = None,
    *,
    trainable: Literal["all", "adapters"] | None = None,
    tokenizer: LunaTokenizer | None = None,
    seed: int = 0,
    keep_dtype: bool = False,
) -> LunaModel:
    """See `LunaModel.from_base`.

    Args:
        trainable: which weights training changes; default is `training.trainable` of the configuration.
        tokenizer: default is the base's own, see `lunagpt.tokenizer.BaseTokenizer`.
        seed: of the weights of Luna's parts.
        keep_dtype: keep the core's weights as they are stored, e.g. in 16 bits; default is float32.

    Raises:
        ModelFolderError: no such base here, or not one that can be used; says what to do.
        ConfigError: the configuration asks for a part that does not fit this family.
        MissingDependencyError: transformers is not installed.
    """

    config = config or LunaConfig.from_environment()
    trainable = trainable or config.training.trainable
    source = resolve_base(path_or_id) if isinstance(path_or_id, str | Path) else None
    if source is not None and not is_transformers_folder(source):
        model = load_model(source, config, keep_dtype=keep_dtype, to_answer=False)
        if config.model.use_hypernet and model.hypernet is None:
            model = add_hypernet(model, seed, **_hypernet_settings(config))
        _train(model, trainable)
        return model
    if source is None:
        core, name = path_or_id, path_or_id.config.model_type
    else:
        core, name = _load_core(source, keep_dtype), Path(path_or_id).name or source.resolve().name
    _refuse_own_blocks(config.model, core)
    if tokenizer is None:
        tokenizer = _load_tokenizer(source, core, config)
    if core.config.model_type == "falcon_h1":
        model = _as_luna(core, config, name, tokenizer, seed)
    else:
        model = _with_parts(core, config, name, tokenizer, seed)
    model.eval().to(config.device)
    _train(model, trainable)
    return model


def _train(model: LunaModel, trainable: str) -> None:
    if trainable not in ("all", "adapters"):
        raise ConfigError(
            f'trainable="{trainable}" não existe. Use "all", para treinar todos os pesos, ou "adapters", '
            "para treinar só os das partes que o LunaGPT acrescenta."
        )
    train_only(model, *(model.adapter_prefixes if trainable == "adapters" else ()))


def _refuse_own_blocks(model: ModelConfig, core: Any) -> None:
    differing = [name for name, value in OF_A_BASE.items() if getattr(model, name) != value]
    if model.use_growing and core.config.model_type != "falcon_h1":  # only Luna's own layers grow
        differing.append("use_growing")
    if differing:
        raise ConfigError(
            f"{', '.join(f'model.{name}' for name in differing)}: muda os blocos do próprio Luna e não se "
            "aplica aos de uma base. Tire da configuração; a uma base se acrescentam use_state_space, "
            "use_moe e use_hypernet."
        )


def tokenizer_of(path_or_id: str | Path, config: LunaConfig) -> LunaTokenizer:
    """The tokenizer of a base, without its weights.

    Raises:
        ModelFolderError, TokenizerError: there is no such base here, or it has none that can be used.
    """
    from lunagpt.tokenizer import BaseTokenizer, load_tokenizer

    source = resolve_base(path_or_id)
    if is_transformers_folder(source):
        return BaseTokenizer.from_pretrained(source, config)
    return load_tokenizer(source / TOKENIZER, config)


def resolve_base(path_or_id: str | Path) -> Path:
    """The folder of a base: as it is, that of a shipped model, or where the local Hugging Face cache keeps
    that name.

    Raises:
        ModelFolderError: neither; nothing is ever downloaded.
    """
    folder = Path(path_or_id).expanduser()
    if folder.is_dir():
        return folder
    if str(path_or_id) in shipped_models():
        return shipped_models()[str(path_or_id)]
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ModuleNotFoundError as error:
        raise missing_extra("transformers", "base", PURPOSE) from error
    try:
        found = try_to_load_from_cache(str(path_or_id), "config.json")
    except HFValidationError:  # not the form of a name, so it was meant as a folder
        found = None
    if isinstance(found, str):
        return Path(found).parent
    raise ModelFolderError(
        f'Não há pasta "{path_or_id}", nem modelo com esse nome entre os que já foram baixados do Hugging '
        "Face nesta máquina. O LunaGPT não baixa modelos: traga a pasta do modelo (config.json, pesos em "
        ".safetensors e tokenizador), por exemplo com hf download, e indique o caminho dela."
    )


def _load_core(folder: Path, keep_dtype: bool) -> Any:
    try:
        from transformers import AutoModelForCausalLM
    except ModuleNotFoundError as error:
        raise missing_extra("transformers", "base", PURPOSE) from error
    try:
        with _quiet():
            return AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype="auto" if keep_dtype else torch.float32,
            )
    except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelFolderError(
            f'O transformers não conseguiu carregar "{folder}" ({reason}). Confira se a pasta tem '
            "config.json e os pesos em .safetensors de um modelo de linguagem causal, e se o transformers "
            "instalado conhece essa família; código que venha dentro da pasta não é executado."
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's English notices and progress bars; errors are raised as ever."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def empty_model_on_base(config: LunaConfig, tokenizer: LunaTokenizer, folder: Path) -> LunaModel:
    """A model on a base without weights, for loading.

    Args:
        config: as saved. folder: holds the config.json of the core.

    Raises:
        ModelFolderError: transformers does not know this core.
    """
    try:
        from transformers import AutoConfig, AutoModelForCausalLM
        from transformers.initialization import no_init_weights
    except ModuleNotFoundError as error:
        raise missing_extra("transformers", "base", PURPOSE) from error
    from lunagpt.models.based_model import LunaModelOnBase

    try:
        core_config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelFolderError(
            f'O transformers não conseguiu ler "{folder}" ({str(error).splitlines()[0]}). Copie a pasta de '
            "novo da origem, ou instale a versão do transformers que conhece essa família."
        ) from None
    with no_init_weights():  # built on the CPU: tables that are not among the weights are computed as always
        core = AutoModelForCausalLM.from_config(core_config, dtype=torch.float32, trust_remote_code=False)
    core.tie_weights()
    with torch.device("meta"):
        return LunaModelOnBase(config, tokenizer, core=core)


def _load_tokenizer(source: Path | None, core: Any, config: LunaConfig) -> BaseTokenizer:
    from lunagpt.tokenizer import BaseTokenizer

    where = source or core.config.name_or_path
    if not where:
        raise ModelFolderError(
            "Este modelo não diz de que pasta veio, e preciso do tokenizador dele. Passe tokenizer=…, ou a "
            "pasta em vez do modelo."
        )
    return BaseTokenizer.from_pretrained(resolve_base(where), config)


def _as_luna(core: Any, config: LunaConfig, name: str, tokenizer: LunaTokenizer, seed: int) -> LunaModel:
    """A Falcon-H1 in Luna's own blocks; its experts and hypernetwork come after."""
    from lunagpt.models.luna_model import LunaModel
    from lunagpt.models.upcycling import upcycle

    given = config.model
    _fit_vocabulary(core, tokenizer)
    settings = falcon_h1_settings(core.config) | {"name": name, "preset": None, "base_path": None}
    settings |= {"expert_dropout": given.expert_dropout, "expert_balancing": given.expert_balancing}
    dense = config.replaced(model=ModelConfig().to_dict() | settings)  # Luna's own parts come after
    with torch.device("meta"):
        model = LunaModel(dense, tokenizer)
    model.load_state_dict(luna_weights(core), assign=True)
    model.finish_loading()
    if given.use_moe:
        model = upcycle(
            model,
            given.num_experts,
            given.experts_per_token,
            given.moe_layers,
            seed,
            emotional_routing=given.emotional_routing,
        )
    if given.use_hypernet:
        model = add_hypernet(model, seed, **_hypernet_settings(config))
    return model


def _hypernet_settings(config: LunaConfig) -> dict[str, Any]:
    return {key: value for key, value in config.model.to_dict().items() if key.startswith("hypernet_")}


def _with_parts(core: Any, config: LunaConfig, name: str, tokenizer: LunaTokenizer, seed: int) -> LunaModel:
    """The core as it is, with Luna's parts in its layers."""
    from lunagpt.models.based_model import LunaModelOnBase, decoder_layers

    decoder_layers(core)  # refuses what is no causal language model before anything is changed
    _fit_vocabulary(core, tokenizer)
    built = config.replaced(model=base_settings(core, config.model) | {"name": name})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LunaModelOnBase(built, tokenizer, core=core)
        model.reset_parts()
    model.check_core()
    return model


def base_settings(core: Any, given: ModelConfig) -> dict[str, Any]:
    """The section `model` for a core: its sizes, and those of a state space in proportion.

    Args:
        given: sizes of the state space that differ from the default are kept.
    """
    text = core.config.get_text_config()
    width, heads = text.hidden_size, text.num_attention_heads
    settings: dict[str, Any] = {
        "base_family": text.model_type,
        "base_path": None,
        "preset": None,
        "vocab_size": core.get_input_embeddings().weight.shape[0],
        "hidden_size": width,
        "num_layers": text.num_hidden_layers,
        "num_heads": heads,
        "num_kv_heads": getattr(text, "num_key_value_heads", None) or heads,
        "head_dim": getattr(text, "head_dim", None) or width // heads,
        "intermediate_size": getattr(text, "intermediate_size", None)
        or getattr(text, "n_inner", None)
        or 4 * width,
        "max_position_embeddings": text.max_position_embeddings,
        "tie_embeddings": core.get_output_embeddings().weight is core.get_input_embeddings().weight,
        "use_attention": True,
    }
    settings["expert_size"] = settings["intermediate_size"]  # an expert begins as a copy
    usual = ModelConfig()
    if (given.ssm_inner_size, given.ssm_num_heads) == (usual.ssm_inner_size, usual.ssm_num_heads):
        # a quarter of the width: about 4 % more weights on a model of half a billion (docs/modelo.md)
        ssm_heads = max(1, width // 4 // 32)
        settings |= {"ssm_inner_size": 32 * ssm_heads, "ssm_num_heads": ssm_heads, "ssm_num_groups": 1}
    return settings


@torch.no_grad()
def _fit_vocabulary(core: Any, tokenizer: LunaTokenizer) -> None:
    """Gives the control tokens that the tokenizer added a row each: the mean of a wording that says what they
    are. The rows of all other tokens stay as they are.
    """
    from lunagpt.tokenizer import BaseTokenizer

    wanted = tokenizer.vocab_size
    if core.get_input_embeddings().weight.shape[0] < wanted:
        core.resize_token_embeddings(wanted, mean_resizing=False)
    if not isinstance(tokenizer, BaseTokenizer):
        return
    tables: list[Tensor] = [core.get_input_embeddings().weight]
    if core.get_output_embeddings().weight is not tables[0]:
        tables.append(core.get_output_embeddings().weight)
    for token, wording in tokenizer.added_tokens.items():
        meaning = torch.tensor(tokenizer.encode_content(wording), device=tables[0].device)
        for table in tables:
            table[token] = table[meaning].float().mean(dim=0).to(table.dtype)
