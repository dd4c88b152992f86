"""Tiny random models of other families, as folders of transformers, and small tokenizers for them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

transformers = pytest.importorskip("transformers")
transformers.utils.logging.disable_progress_bar()

TEXTS = [
    "Olá! Tudo bem com você? A lua é cheia, e o céu está claro.",
    "Quem descobriu o Brasil? Pedro Álvares Cabral, em 1500, dizem os livros.",
    "Usuário: qual é a capital? Luna: Brasília. Instruções: responda em português. Pensamento:",
]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for message in messages %}"
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if message.role == 'assistant' else message.role }}\n{{ message.content }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)

SIZES = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}

#: name -> transformers' configuration class, and what it has beside SIZES; windows are shorter than the texts
#: of the tests, and every family's peculiarities are on.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", {}),
    "qwen2": ("Qwen2Config", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3Config", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}),
    "mistral": ("MistralConfig", {"sliding_window": 8}),
    "gemma": ("GemmaConfig", {}),
    "gemma2": ("Gemma2Config", {"sliding_window": 8, "query_pre_attn_scalar": 16}),
    "gemma3": ("Gemma3TextConfig", {"sliding_window": 8, "query_pre_attn_scalar": 16}),
    "gpt2": ("GPT2Config", {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 256}),
    "falcon_h1": (
        "FalconH1Config",
        {
            "mamba_d_ssm": 48,
            "mamba_n_heads": 3,
            "mamba_d_head": 16,
            "mamba_d_state": 8,
            "mamba_chunk_size": 16,
            "lm_head_multiplier": 0.5,
            "embedding_multiplier": 3.0,
            "key_multiplier": 0.7,
            "attention_in_multiplier": 1.2,
            "attention_out_multiplier": 0.9,
            "ssm_in_multiplier": 1.3,
            "ssm_out_multiplier": 0.8,
            "mlp_multipliers": [0.9, 1.4],
            "ssm_multipliers": [0.5, 0.7, 1.1, 0.9, 1.3],
        },
    ),
}
GPT2_SIZES = {"vocab_size": 400, "bos_token_id": 0, "eos_token_id": 1}


def byte_tokenizer(chat_template: str | None = None) -> Any:
    """Byte-level BPE of fewer than 400 tokens, as GPT-2, Llama 3 and Qwen have; no start token."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    control = ["<|start|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=380, special_tokens=control, initial_alphabet=alphabet)
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = chat_template
    return tokenizer


def sentence_piece_tokenizer(chat_template: str | None = None) -> Any:
    """BPE with "▁" for spaces and bytes for what it lacks, as Gemma has; every text begins with <s>."""
    control = ["<s>", "<end_of_turn>", "<start_of_turn>", "<unk>"]
    pieces = [*control, *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = sorted({char for text in TEXTS for char in text if char != " "} | {"▁"} - set(pieces))
    vocabulary = {piece: i for i, piece in enumerate([*pieces, *letters, "▁a", "▁L", "▁Lu"])}
    backend = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=[("▁", "a"), ("▁", "L"), ("▁L", "u")],
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in control])
    from tokenizers.processors import TemplateProcessing

    backend.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="<end_of_turn>", unk_token="<unk>"
    )
    tokenizer.chat_template = chat_template
    return tokenizer


def random_core(family: str, **changes: Any) -> Any:
    """A model of transformers with random weights, far from symmetric ones."""
    name, own = FAMILIES[family]
    sizes = GPT2_SIZES if family == "gpt2" else SIZES
    config = getattr(transformers, name)(**{**sizes, **own, **changes})
    torch.manual_seed(sum(map(ord, family)))
    core = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in core.parameters():  # biases and norms too, which begin as zeros and ones
            parameter.add_(torch.randn_like(parameter) * (0.1 if parameter.dim() < 2 else 0.05))
    return core.eval()


def save_base(folder: Path, family: str, tokenizer: Any = None, **changes: Any) -> Path:
    """A folder of transformers with such a model."""
    random_core(family, **changes).save_pretrained(folder)
    (tokenizer or byte_tokenizer()).save_pretrained(folder)
    return folder
