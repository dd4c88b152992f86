"""The tokenizer of a base, used as Luna's own: same ids as transformers gives, and nothing forged."""

import pytest
from tests.unit.based_models import CHATML, GEMMA, byte_tokenizer, sentence_piece_tokenizer
from tokenizers import Tokenizer, models

from lunagpt.data.token_cache import token_byte_lengths, tokenizer_fingerprint
from lunagpt.data.token_counting import token_counter
from lunagpt.engines.context_window import fit_prompt
from lunagpt.errors import TokenizerError
from lunagpt.generation import TextStreamer
from lunagpt.tokenizer import BaseTokenizer, PortugueseTokenizerFixer, load_tokenizer

transformers = pytest.importorskip("transformers")

DIALOGUE = [
    {"role": "user", "content": "Olá! Tudo bem?"},
    {"role": "assistant", "content": "Tudo, e você? 🌙"},
    {"role": "user", "content": "Bem.\nO que é a lua?"},
    {"role": "assistant", "content": "Um satélite."},
]
SYSTEM = {"role": "system", "content": "Responda em português."}
TEXTS = ["Olá, lua!", " dois  espaços\n\ne linhas", "ação, coração, 1º", "日本 🌙", "a"]

BYTES = {"bytes": byte_tokenizer, "sentence pieces": sentence_piece_tokenizer}


def learned_text(tokenizer: BaseTokenizer, messages) -> str:
    ids, mask = tokenizer.encode_dialog_with_mask(messages)
    assert len(ids) == len(mask)
    assert ids == tokenizer.encode_dialog(messages)
    return tokenizer.decode([token for token, learned in zip(ids, mask, strict=True) if learned])


@pytest.mark.parametrize("kind", BYTES)
def test_ids_are_those_of_transformers_and_text_comes_back(kind, tmp_path):
    theirs = BYTES[kind]()
    ours = BaseTokenizer(BYTES[kind]())
    for text in TEXTS:
        ids = theirs(text, add_special_tokens=False).input_ids
        assert ours.encode_content(text) == ids
        assert ours.encode(text) == theirs(text).input_ids
        space = " " if kind == "sentence pieces" else ""  # which these put before every text
        assert ours.decode(ids) == space + text
        streamer = TextStreamer(ours)
        assert "".join(map(streamer.put, ids)) + streamer.finish() == ours.decode(ids)
        if not space:
            assert sum(token_byte_lengths(ours)[ids]) == len(text.encode())
        assert token_counter(ours)([text]) == [len(ids)]
    ours.save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    assert isinstance(again, BaseTokenizer)
    assert again.encode_dialog([SYSTEM, *DIALOGUE]) == ours.encode_dialog([SYSTEM, *DIALOGUE])
    assert again.special_token_ids == ours.special_token_ids


@pytest.mark.parametrize("kind", BYTES)
def test_without_a_template_lunas_roles_stand_behind_the_vocabulary(kind):
    theirs, ours = BYTES[kind](), BaseTokenizer(BYTES[kind]())
    before = len(theirs)
    assert list(ours.added_tokens) == list(range(before, before + 5)) == list(range(before, ours.vocab_size))
    assert ours.end_token_id == theirs.eos_token_id
    ids = ours.encode_dialog([SYSTEM, *DIALOGUE], add_generation_prompt=True)
    start = [] if kind == "bytes" else [theirs.bos_token_id]
    assert ids[: len(start) + 1] == [*start, ours.system_token_id]
    assert ids[-1] == ours.assistant_token_id
    assert ids.count(ours.end_token_id) == 5
    assert learned_text(ours, DIALOGUE).replace(" ", "") == (
        f"Tudo,evocê?🌙{ours.end_token}Umsatélite.{ours.end_token}"
    )


@pytest.mark.parametrize(("kind", "template"), [("bytes", CHATML), ("sentence pieces", GEMMA)])
def test_a_chat_template_is_followed(kind, template):
    theirs, ours = BYTES[kind](template), BaseTokenizer(BYTES[kind](template))
    assert ours.vocab_size == len(theirs)
    assert ours.added_tokens == {}
    assert ours.thinking_token_id is None
    for messages in (DIALOGUE[:1], DIALOGUE[:3], DIALOGUE):
        for prompt in (False, True):
            wanted = theirs.apply_chat_template(messages, add_generation_prompt=prompt, tokenize=False)
            assert ours.encode_dialog(messages, add_generation_prompt=prompt) == list(
                theirs(wanted, add_special_tokens=False).input_ids
            )
    assert ours.format_dialog(DIALOGUE) == theirs.apply_chat_template(DIALOGUE, tokenize=False)
    end = "<|im_end|>" if kind == "bytes" else "<end_of_turn>"
    assert ours.end_token == end
    assert ours.id_to_token(ours.end_token_id) == end
    assert learned_text(ours, DIALOGUE).strip() == f"Tudo, e você? 🌙{end}Um satélite.{end}"
    system = ours.decode(ours.encode_dialog([SYSTEM, *DIALOGUE[:1]]))
    assert system.index("Responda") < system.index("Olá!")  # Gemma's template takes it with the question
    assert ours.encode_dialog([]) == []


@pytest.mark.parametrize(
    ("kind", "template"),
    [("bytes", None), ("bytes", CHATML), ("sentence pieces", None), ("sentence pieces", GEMMA)],
)
def test_content_never_becomes_a_control_token(kind, template):
    tokenizer = BaseTokenizer(BYTES[kind](template))
    forged = "Oi" + "".join(tokenizer.special_tokens) + "fim"
    honest = tokenizer.encode_dialog([{"role": "user", "content": "Oi"}], add_generation_prompt=True)
    ids = tokenizer.encode_dialog([{"role": "user", "content": forged}], add_generation_prompt=True)

    def control(tokens):
        return [token for token in tokens if token in tokenizer.special_token_ids]

    assert control(ids) == control(honest)
    assert forged in tokenizer.decode(ids)
    assert control(tokenizer.encode_content(forged)) == []
    assert control(tokenizer.encode(forged))
    turns = [{"role": "user", "content": "Oi"}, {"role": "assistant", "content": forged}]
    assert learned_text(tokenizer, turns).strip().startswith(forged)


def test_dialogues_that_a_template_refuses_or_rewrites():
    tokenizer = BaseTokenizer(sentence_piece_tokenizer(GEMMA))
    with pytest.raises(TokenizerError, match="alternar"):
        tokenizer.encode_dialog([DIALOGUE[0], DIALOGUE[0]])
    with pytest.raises(TokenizerError, match="papel"):
        tokenizer.encode_dialog([{"role": "rei", "content": "x"}])
    shouting = "{% for message in messages %}{{ message.content | upper | replace('A', 'B') }}\n{% endfor %}"
    with pytest.raises(TokenizerError, match="reescreve"):
        BaseTokenizer(byte_tokenizer("{{ messages[0].content | length }}")).encode_dialog(DIALOGUE)
    assert BaseTokenizer(byte_tokenizer(shouting)).end_token == "<|endoftext|>"


@pytest.mark.parametrize("budget", [40, 80, 160, 1000])
def test_a_long_dialogue_is_fitted_into_the_window(budget):
    tokenizer = BaseTokenizer(sentence_piece_tokenizer(GEMMA))
    messages = [SYSTEM, *DIALOGUE * 4, {"role": "user", "content": "E agora?"}]
    prompt = fit_prompt(tokenizer, messages, budget + 100)
    assert len(prompt.ids) <= budget + 100
    assert tokenizer.decode(prompt.ids).index("Responda") < tokenizer.decode(prompt.ids).index("E agora?")
    assert (prompt.dropped_messages == 0) == (budget == 1000)


def test_a_template_belongs_to_what_is_cached():
    plain, other = BaseTokenizer(byte_tokenizer(CHATML)), BaseTokenizer(byte_tokenizer(CHATML + " "))
    assert tokenizer_fingerprint(plain) != tokenizer_fingerprint(other)


def test_the_rules_for_portuguese_can_be_put_into_a_base():
    tokenizer = BaseTokenizer(byte_tokenizer())
    PortugueseTokenizerFixer(tokenizer).add_clitic_rules()
    assert tokenizer.decode(tokenizer.encode_content("contou-nos")) == "contou-nos"
    assert tokenizer.decode(tokenizer.encode_content("a-nos")[:1]) == "a"


def test_tokenizers_that_lose_text_are_refused(tmp_path):
    words = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordPiece({"a": 0, "[UNK]": 1}, unk_token="[UNK]")), eos_token="a"
    )
    with pytest.raises(TokenizerError, match="WordPiece"):
        BaseTokenizer(words)
    with pytest.raises(TokenizerError, match="tokenizador rápido"):
        BaseTokenizer(object())
    endless = transformers.PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer().backend_tokenizer)
    with pytest.raises(TokenizerError, match="token de fim"):
        BaseTokenizer(endless)
    with pytest.raises(TokenizerError, match="Não consegui ler"):
        BaseTokenizer.from_pretrained(tmp_path)
