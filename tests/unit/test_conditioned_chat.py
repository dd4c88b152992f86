"""Conversations under conditions: the engine, the chat and text generation on a model with a hypernetwork."""

from itertools import islice

import pytest
import torch
from tests.scripted_engine import ScriptedEngine
from tests.unit.test_model import make_model

from lunagpt.chat import LunaChat
from lunagpt.conditions import Condition
from lunagpt.engines import ConditionedEngine, LunaEngine
from lunagpt.errors import GenerationError
from lunagpt.generation import SamplingParams
from lunagpt.models import LunaModel

GREEDY = SamplingParams(temperature=0, max_new_tokens=8)
FRIENDLY, ACADEMIC = Condition.of("friendly"), Condition.of("academic", "law")


@pytest.fixture(scope="module")
def model() -> LunaModel:
    return make_model(use_hypernet=True)


def dialogue(text: str, system: str | None = None) -> list[dict[str, str]]:
    start = [] if system is None else [{"role": "system", "content": system}]
    return [*start, {"role": "user", "content": text}]


def answer(engine: LunaEngine, condition: Condition | None, system: str | None = None) -> str:
    return "".join(engine.stream(dialogue("Quem é você?", system), GREEDY, condition=condition))


def test_a_condition_changes_what_is_said_and_both_ways_of_applying_it_agree(model):
    beside, merging = LunaEngine(model), LunaEngine(model, merge_conditions=True)
    said = [answer(beside, condition) for condition in (None, FRIENDLY, ACADEMIC)]
    assert len(set(said)) == 3
    assert [answer(merging, condition) for condition in (None, FRIENDLY, ACADEMIC)] == said
    assert answer(merging, None) == answer(LunaEngine(model), None)
    assert answer(beside, FRIENDLY, "Seja breve.") != answer(beside, FRIENDLY)
    assert beside.takes_conditions
    assert isinstance(beside, ConditionedEngine)


@pytest.mark.parametrize("merge", [False, True])
def test_another_condition_reads_the_dialogue_anew(model, merge):
    engine = LunaEngine(model, merge_conditions=merge)
    reused = []
    for condition in (FRIENDLY, FRIENDLY, ACADEMIC, None, None):
        stream = engine.stream(dialogue("Quem é você?"), GREEDY, condition=condition)
        list(stream)
        reused.append(stream.report.reused_tokens > 0)
    assert reused == [False, True, False, False, True]


@pytest.mark.parametrize("merge", [False, True])
def test_two_conversations_with_their_own_styles_do_not_disturb_each_other(model, merge):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    alone = []
    for condition in (FRIENDLY, ACADEMIC):
        alone.append(answer(LunaEngine(model), condition))
    engine = LunaEngine(model, merge_conditions=merge)
    streams = [
        engine.stream(dialogue("Quem é você?"), GREEDY, condition=condition)
        for condition in (FRIENDLY, ACADEMIC)
    ]
    said = ["", ""]
    for _ in range(GREEDY.max_new_tokens + 1):
        for number, stream in enumerate(streams):
            said[number] += "".join(islice(stream, 1))
    assert said == alone
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_style_of_a_chat_can_change_between_messages(model):
    chat = LunaChat(model, params=GREEDY)
    plain = chat.send_message("Quem é você?")
    chat.clear()
    chat.set_condition(style="friendly", domain="auto")
    friendly = chat.send_message("Quem é você?")
    assert friendly != plain
    chat.clear()
    chat.set_condition()
    assert chat.send_message("Quem é você?") == plain
    chat.set_condition(style="academic")
    chat.reset()
    assert chat.send_message("Quem é você?") == plain


def test_what_takes_no_condition_says_so():
    for engine in (make_model(), ScriptedEngine.echo()):
        chat = LunaChat(engine)
        with pytest.raises(GenerationError, match="hiper-rede"):
            chat.set_condition(style="friendly")
        chat.set_condition()
    with pytest.raises(GenerationError, match="hiper-rede"):
        LunaEngine(make_model()).stream(dialogue("Oi"), GREEDY, condition=FRIENDLY)


def test_text_and_batches_are_generated_under_conditions(model):
    settings = {"temperature": 0, "max_length": 8}
    said = {
        c: model.generate_text("Quem é você?", condition=c, **settings) for c in (None, FRIENDLY, ACADEMIC)
    }
    assert len(set(said.values())) == 3
    ids = torch.tensor([model.tokenizer.encode_dialog(dialogue("Quem é você?"), add_generation_prompt=True)])
    conditions = [ACADEMIC, None, FRIENDLY]
    rows = model.generate(
        ids.expand(3, -1),
        max_new_tokens=8,
        temperature=0,
        condition=conditions,
        banned_token_ids=tuple(model.tokenizer.special_token_ids - {model.tokenizer.end_token_id}),
    )
    for row, condition in zip(rows, conditions, strict=True):
        assert (
            model.tokenizer.decode(row[ids.shape[1] :].tolist(), skip_special_tokens=True) == said[condition]
        )
