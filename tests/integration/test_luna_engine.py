"""Generation and the engine with a real, untrained model: reuse, batches and stops change no answer."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import islice

import pytest
import torch

from lunagpt.chat import LunaChat
from lunagpt.config import LunaConfig
from lunagpt.engines import Engine, LunaEngine
from lunagpt.engines import luna as luna_module
from lunagpt.errors import GenerationError
from lunagpt.generation import Decoding, SamplingParams, generate_batch, generate_tokens
from lunagpt.generation import decoding as decoding_module
from lunagpt.models import LunaModel

GREEDY = SamplingParams(temperature=0.0, max_new_tokens=12, stop_token_ids=(1,))
SAMPLED = SamplingParams(temperature=1.0, top_p=0.95, max_new_tokens=12, stop_token_ids=(1,), seed=5)
TALK = ["Olá!", "Quem é você?", "E a Lua, o que é?", "Obrigado."]


@pytest.fixture(scope="module")
def model() -> LunaModel:
    torch.set_num_threads(1)
    # A head of its own: with random weights a shared table would only repeat the last token. Larger weights
    # make the answers decided and sensitive to everything that was read.
    config = LunaConfig.preset("test").replaced(model={"tie_embeddings": False})
    model = LunaModel.from_scratch(config, seed=3).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:
                weight *= 3
    return model


@pytest.fixture
def window(model: LunaModel, monkeypatch: pytest.MonkeyPatch) -> LunaModel:
    """The model with a context of 160 tokens."""
    monkeypatch.setattr(model.config.model, "max_position_embeddings", 160)
    return model


def prompt(model: LunaModel, text: str) -> list[int]:
    return model.tokenizer.encode_dialog([{"role": "user", "content": text}], add_generation_prompt=True)


def byte_ids(model: LunaModel, data: bytes) -> list[int]:
    """The tokens of single bytes."""
    return [next(i for i in range(16, 272) if model.tokenizer.token_bytes(i) == bytes([b])) for b in data]


def reference(model: LunaModel, ids: list[int], new_tokens: int) -> list[int]:
    """Greedy continuation that reads everything anew for each token."""
    answer: list[int] = []
    while len(answer) < new_tokens:
        with torch.no_grad():
            logits = model(torch.tensor([ids + answer])).logits[0, -1]
        token = int(logits.argmax())
        if token == 1:
            break
        answer.append(token)
    return answer


@pytest.mark.parametrize("piece", [1, 5, 256])
def test_decoding_with_state_equals_reading_everything_each_time(
    model: LunaModel, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_module, "PREFILL_PIECE", piece)
    params = SamplingParams(temperature=0.0, repetition_penalty=1.0, max_new_tokens=12, stop_token_ids=(1,))
    ids = prompt(model, "Conte uma história curta sobre um gato e a lua.")
    answer = list(generate_tokens(model, ids, params))
    assert answer == reference(model, ids, 12)
    assert len(set(answer)) > 2, "the answer is too dull to prove anything"


def test_a_state_and_the_rest_of_the_prompt_equal_the_whole_prompt(model: LunaModel) -> None:
    ids = prompt(model, "Uma pergunta um pouco mais longa, para haver o que dividir.")
    whole = list(generate_tokens(model, ids, SAMPLED))
    first = Decoding(model, ids[:9], SAMPLED)
    assert first.read_prompt()
    assert list(generate_tokens(model, ids[9:], SAMPLED, state=first.state)) == whole


def test_decoding_says_why_it_ended_and_what_it_read(model: LunaModel) -> None:
    ids = prompt(model, "Oi")
    decoding = Decoding(model, ids, GREEDY)
    answer = list(decoding)
    assert decoding.finish_reason == "length"
    assert len(answer) == GREEDY.max_new_tokens
    assert decoding.answer_ids == answer
    assert decoding.read_ids == [*ids, *answer[:-1]]

    stopping = SamplingParams(temperature=0.0, stop_token_ids=(answer[3],))
    decoding = Decoding(model, ids, stopping)
    assert list(decoding) == answer[: answer.index(answer[3])]
    assert decoding.finish_reason == "stop"


@pytest.mark.parametrize("params", [GREEDY, SAMPLED])
def test_a_batch_of_unequal_prompts_equals_single_answers(
    model: LunaModel, params: SamplingParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_module, "PREFILL_PIECE", 8)  # the shorter rows have pieces of padding alone
    prompts = [
        prompt(model, text) for text in ("Oi", "Qual é a capital do Brasil?", "Conte uma história. " * 4)
    ]
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in prompts])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in prompts])
    single = []
    for number, row in enumerate(prompts):
        seed = None if params.seed is None else params.seed + number
        single.append(list(generate_tokens(model, row, replace(params, seed=seed))))
    steps: list[list[int | None]] = []
    result = generate_batch(model, ids, mask, params, on_step=steps.append)
    assert torch.equal(result[:, :longest], ids)
    for row, expected in enumerate(single):
        answer = result[row, longest:].tolist()
        assert answer[: len(expected)] == expected
        assert all(token in (0, 1) for token in answer[len(expected) :])
        assert [step[row] for step in steps if step[row] is not None][: len(expected)] == expected
    assert not result.is_inference()


def test_rows_that_end_early_are_padded(model: LunaModel) -> None:
    ids = torch.tensor([[3, 400, 1, 4], [3, 500, 1, 4]])
    free = generate_batch(model, ids, None, GREEDY)[:, ids.shape[1] :]
    end = int(free[0, 2])
    early = SamplingParams(temperature=0.0, max_new_tokens=12, stop_token_ids=(end,))
    result = generate_batch(model, ids, None, early, pad_token_id=7)[:, ids.shape[1] :]
    stop = free[0].tolist().index(end)
    assert result[0].tolist() == [*free[0, : stop + 1].tolist(), *[7] * (result.shape[1] - stop - 1)]
    for row in range(2):
        ended = (
            free[row].tolist()[: free[row].tolist().index(end) + 1]
            if end in free[row]
            else free[row].tolist()
        )
        assert result[row].tolist()[: len(ended)] == ended


def test_wrong_batches_are_refused(model: LunaModel) -> None:
    ids = torch.tensor([[3, 20, 21], [3, 20, 0]])
    with pytest.raises(GenerationError, match="à esquerda"):
        generate_batch(model, ids, torch.tensor([[1, 1, 1], [1, 1, 0]]), GREEDY)
    with pytest.raises(GenerationError, match="vazio"):
        generate_batch(model, ids[:, :0], None, GREEDY)
    with pytest.raises(GenerationError, match="vazio"):
        Decoding(model, [], GREEDY)


def test_cancelling_stops_within_a_token_and_between_pieces_of_a_prompt(
    model: LunaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_module, "PREFILL_PIECE", 4)
    cancel = threading.Event()
    decoding = Decoding(model, prompt(model, "Conte uma história."), GREEDY, cancel=cancel)
    answer = []
    for token in decoding:
        answer.append(token)
        if len(answer) == 3:
            cancel.set()
    assert len(answer) == 3
    assert decoding.finish_reason == "cancelled"

    decoding = Decoding(model, list(range(300, 340)), GREEDY, cancel=cancel)
    assert list(decoding) == []
    assert decoding.read_ids == []
    assert decoding.finish_reason == "cancelled"

    ids = torch.tensor([prompt(model, "Oi")])
    assert torch.equal(generate_batch(model, ids, None, GREEDY, cancel=cancel), ids)


# -- the engine ----------------------------------------------------------------------------------------------


def converse(chat: LunaChat, forget: bool) -> list[str]:
    answers = []
    for message in TALK:
        if forget:
            chat.engine.forget()
        answers.append(chat.send_message(message))
    return answers


@pytest.mark.parametrize("params", [GREEDY, SAMPLED])
def test_reusing_the_state_changes_nothing_but_the_time(model: LunaModel, params: SamplingParams) -> None:
    reusing = LunaChat(LunaEngine(model), params=params)
    fresh = LunaChat(LunaEngine(model), params=params)
    assert converse(reusing, forget=False) == converse(fresh, forget=True)
    assert fresh.report.reused_tokens == 0
    assert 0 < reusing.report.reused_tokens < reusing.report.prompt_tokens


@pytest.mark.parametrize("canonical", [True, False])
def test_only_what_is_new_is_read(model: LunaModel, canonical: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer itself is read again only if its text is encoded otherwise than it was written."""
    usual = model.tokenizer.encode_content("Sim, claro")
    by_bytes = byte_ids(model, b"Sim, claro")
    assert by_bytes != usual
    script = [*(usual if canonical else by_bytes), 1]
    monkeypatch.setattr(decoding_module, "sample", lambda _l, _p, recent, _g: script[len(recent)])
    chat = LunaChat(model)
    assert chat.send_message("Primeira") == "Sim, claro"
    before = chat.report.prompt_tokens
    chat.send_message("Segunda")
    assert chat.report.reused_tokens == before + (len(usual) if canonical else 0)
    end_of_turn = 1
    assert chat.report.prompt_tokens == before + len(usual) + end_of_turn + len(prompt(model, "Segunda"))


def test_the_kept_states_are_those_of_reading_anew(model: LunaModel) -> None:
    engine = LunaEngine(model)
    chat = LunaChat(engine, params=SAMPLED)
    converse(chat, forget=False)
    assert len(engine._kept) == 2
    for snapshot in engine._kept:
        anew = Decoding(model, snapshot.ids, GREEDY)
        anew.read_prompt()
        torch.testing.assert_close(snapshot.logits, anew.logits, rtol=1e-3, atol=1e-3)


def test_asking_the_same_again_reads_nothing(model: LunaModel) -> None:
    engine = LunaEngine(model)
    messages = [{"role": "user", "content": "Quem é você?"}]
    first = engine.stream(messages, GREEDY)
    text = "".join(first)
    again = engine.stream(messages, GREEDY)
    assert "".join(again) == text
    assert first.report.reused_tokens == 0
    assert again.report.reused_tokens == again.report.prompt_tokens == first.report.prompt_tokens


def test_a_stopped_answer_does_not_spoil_the_next_one(model: LunaModel) -> None:
    engine = LunaEngine(model)
    chat = LunaChat(engine, params=GREEDY)
    stream = chat.send_message("Conte uma história.", stream=True)
    said = "".join(islice(stream, 3))
    stream.close()
    assert chat.history[-1]["content"] == said.strip()
    assert chat.report.finish_reason == "cancelled"
    history = chat.history
    after = chat.send_message("Continue.")
    assert chat.report.reused_tokens > 0
    assert after == LunaChat(model, params=GREEDY).send_message_with_history("Continue.", history)


def test_two_conversations_on_one_engine_do_not_mix(model: LunaModel) -> None:
    engine = LunaEngine(model)
    first, second = (LunaChat(engine, params=GREEDY) for _ in range(2))
    alone = LunaChat(model, params=GREEDY)
    streams = [chat.send_message("Olá, Luna!", stream=True) for chat in (first, second)]
    answers = ["", ""]
    for pieces in zip(*streams, strict=True):
        for number, piece in enumerate(pieces):
            answers[number] += piece
    assert answers == [alone.send_message("Olá, Luna!")] * 2
    assert first.send_message("E agora?") == second.send_message("E agora?") == alone.send_message("E agora?")


def test_control_tokens_are_never_spoken(model: LunaModel) -> None:
    engine = LunaEngine(model)
    with torch.no_grad():
        loud = LunaModel.from_scratch(LunaConfig.preset("test"), seed=4, tokenizer=model.tokenizer).eval()
        loud.embedding.weight[2:16] *= 50  # scores of control tokens far above and below all others
    engine = LunaEngine(loud)
    params = SamplingParams(temperature=2.0, top_k=0, top_p=1.0, max_new_tokens=60, seed=1)
    text = "".join(engine.stream([{"role": "user", "content": "Oi"}], params))
    assert not any(name in text for name in model.tokenizer.special_tokens)
    assert text


def test_the_loop_guard_ends_a_circular_answer(model: LunaModel, monkeypatch: pytest.MonkeyPatch) -> None:
    circle = model.tokenizer.encode_content("sim e não e sim e não")[:4]

    def going_round(logits: torch.Tensor, params: object, recent: list[int], generator: object) -> int:
        return circle[len(recent) % len(circle)]

    monkeypatch.setattr(decoding_module, "sample", going_round)
    stream = LunaEngine(model).stream([{"role": "user", "content": "?"}], SamplingParams(max_new_tokens=300))
    list(stream)
    assert stream.report.finish_reason == "loop"
    assert stream.report.completion_tokens == 24


def test_half_a_character_at_the_end_is_not_shown(model: LunaModel, monkeypatch: pytest.MonkeyPatch) -> None:
    half = byte_ids(model, "😀".encode()[:2])
    script = [*model.tokenizer.encode_content("Oi "), *half, 1]
    monkeypatch.setattr(decoding_module, "sample", lambda _l, _p, recent, _g: script[len(recent)])
    stream = LunaEngine(model).stream([{"role": "user", "content": "?"}], SamplingParams())
    assert "".join(stream) == "Oi "
    assert stream.report.finish_reason == "stop"


def test_long_conversations_stay_within_the_window(window: LunaModel) -> None:
    seen: list[int] = []
    original = window.forward

    def watching(input_ids: torch.Tensor, *args: object, **kwargs: object) -> object:
        output = original(input_ids, *args, **kwargs)
        seen.append(output.state.length)
        return output

    chat = LunaChat(window, params=SamplingParams(temperature=0.0, max_new_tokens=20))
    window.forward = watching
    try:
        for number in range(12):
            chat.send_message(f"Pergunta {number}: o que você acha da chuva?")
    finally:
        del window.forward
    assert max(seen) <= 160
    assert chat.report.dropped_messages > 0
    assert len(chat.history) == 24, "the conversation itself forgets nothing"


def test_an_answer_never_leaves_the_window(window: LunaModel) -> None:
    engine = LunaEngine(window)
    params = SamplingParams(temperature=1.0, max_new_tokens=5000, seed=2, stop_token_ids=())
    stream = engine.stream([{"role": "user", "content": "palavra " * 400}], params)
    list(stream)
    report = stream.report
    assert report.skipped_tokens > 0
    assert report.prompt_tokens <= 120
    assert report.prompt_tokens + report.completion_tokens <= 160


def test_the_user_can_make_the_window_smaller(model: LunaModel) -> None:
    assert LunaEngine(model).context_window == 2048
    assert LunaEngine(model, config=LunaConfig()).context_window == 2048
    small = LunaConfig.from_dict({"tokenizer": {"max_length": 512}})
    assert LunaEngine(model, config=small).context_window == 512
    assert LunaChat(model, config=small).engine.context_window == 512
    large = LunaConfig.from_dict({"tokenizer": {"max_length": 99_999}})
    assert LunaEngine(model, config=large).context_window == 2048


def test_luna_engine_is_an_engine_and_a_model_is_none(model: LunaModel) -> None:
    assert isinstance(LunaEngine(model), Engine)
    assert not isinstance(model, Engine)
    assert luna_module.LunaEngine is type(LunaChat(model).engine)
