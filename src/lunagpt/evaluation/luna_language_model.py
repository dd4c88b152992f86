"""LunaModel under evaluation: log-likelihoods in batches, with every context read once.

Continuations of one context start from copies of its decoding state, and the beginning that all contexts
share (an instruction, the examples of a few-shot prompt) is read a single time.

Letters: B contexts of a batch, R continuations, T time, S slots, V vocabulary, D width.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lunagpt.engines.context_window import fit_prompt
from lunagpt.evaluation.language_models import LogLikelihood, PartialModel, cut_at
from lunagpt.evaluation.scoring_plan import ScoringJob, ScoringPlan, Sums, common_length, split_pair, windows
from lunagpt.generation import SamplingParams, generate_batch
from lunagpt.model_folders import fingerprint
from lunagpt.models.decoding_state import DecodingState

if TYPE_CHECKING:
    from lunagpt.engines import Message
    from lunagpt.models import LunaModel

# Tokens of one forward pass. On a CPU larger batches no longer fill the cores better, and the state of each
# row (a third of a megabyte per layer of luna-nano) leaves the cache.
_BATCH_TOKENS = 2048
_BATCH_CONTEXTS = 16
# A shared beginning shorter than this costs less to read again than to copy.
_LEAST_SHARED = 16
_GENERATION_BATCH = 16


class LunaLanguageModel(PartialModel):
    """See `LanguageModel`. Texts are documents without a start token, unless the base's tokenizer has one:
    the first token after an empty context is then never predicted, as in training."""

    kind = "luna"
    capabilities = frozenset({"loglikelihood", "generate", "embed"})

    def __init__(self, model: LunaModel, *, path: Path | None = None) -> None:
        """
        Args:
            model: in evaluation mode.
            path: the folder it was loaded from, for the record.
        """
        self.model = model
        self.name = model.config.model.name
        self.path = path
        if path is None and model.config.model.base_path:
            self.path = Path(model.config.model.base_path)
        self._window = model.config.model.max_position_embeddings

    def describe(self) -> dict[str, Any]:
        """Path, parameters, and the SHA-256 of what the model computes, which a new card does not change."""
        facts: dict[str, Any] = {"parameters": self.model.num_parameters()}
        mark = None if self.path is None else fingerprint(self.path)
        if self.path is not None and mark is not None:
            facts |= {"path": self.path.name, "sha256": mark}
        return facts

    @torch.inference_mode()
    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        """See `LanguageModel.loglikelihood`."""
        plan = self._plan(pairs)
        sums = [Sums() for _ in pairs]
        groups: dict[tuple[int, ...], list[ScoringJob]] = defaultdict(list)
        for job in plan.jobs:
            groups[tuple(job.prefix)].append(job)
        for batch in _batches(groups):
            self._score(batch, sums)
        return plan.results(sums)

    def generate(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[str]:
        """See `LanguageModel.generate`; prompts of like length are answered together."""
        tokenizer = self.model.tokenizer
        budget = self._window - min(max_new_tokens, self._window // 4)
        encoded = [
            [*tokenizer.start_token_ids, *tokenizer.encode_content(prompt)][-budget:]
            if isinstance(prompt, str)
            else fit_prompt(tokenizer, prompt, budget).ids
            for prompt in prompts
        ]
        answers = [""] * len(prompts)
        order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
        for start in range(0, len(order), _GENERATION_BATCH):
            chosen = order[start : start + _GENERATION_BATCH]
            ids, mask = self._padded([encoded[i] for i in chosen])
            params = SamplingParams(
                temperature=temperature,
                seed=seed + chosen[0],
                max_new_tokens=min(max_new_tokens, self._window - ids.shape[1]),
                stop_token_ids=(tokenizer.end_token_id,),
                banned_token_ids=self.model.unspeakable_token_ids,
            )
            output = generate_batch(self.model, ids, mask, params, pad_token_id=tokenizer.end_token_id)[
                :, ids.shape[1] :
            ]
            for i, row in zip(chosen, output.tolist(), strict=True):
                end = row.index(tokenizer.end_token_id) if tokenizer.end_token_id in row else len(row)
                text = tokenizer.decode(row[:end]).strip().rstrip("\ufffd")
                answers[i] = cut_at(text, stop) if isinstance(prompts[i], str) else text
        return answers

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """See `LanguageModel.embed`."""
        return self.model.encode_text(list(texts))

    # -- scoring -------------------------------------------------------------------------------------------

    def _plan(self, pairs: Sequence[tuple[str, str]]) -> ScoringPlan:
        """Tokens of all pairs. Where a token crosses from context to continuation, it is scored whole."""
        tokenizer = self.model.tokenizer
        split = [split_pair(context, continuation) for context, continuation in pairs]
        contexts = list(dict.fromkeys(context for context, _ in split))
        start_ids = list(tokenizer.start_token_ids)
        encoded = dict(
            zip(contexts, map(start_ids.__add__, tokenizer.encode_batch_content(contexts)), strict=True)
        )
        wholes = map(start_ids.__add__, tokenizer.encode_batch_content([c + text for c, text in split]))
        plan = ScoringPlan()
        for number, ((context, text), whole) in enumerate(zip(split, wholes, strict=True)):
            start = common_length(encoded[context], whole)
            count = len(text.encode())
            if start == 0:  # nothing to predict the first token from
                start, count = 1, sum(len(tokenizer.token_bytes(token)) for token in whole[1:])
            plan.num_bytes.append(count)
            if start < len(whole):
                for prefix, target in windows(whole[:start], whole[start:], self._window):
                    plan.jobs.append(ScoringJob(number, prefix, target))
        return plan

    def _score(self, batch: list[tuple[tuple[int, ...], list[ScoringJob]]], sums: list[Sums]) -> None:
        """Scores all jobs of contexts of like length.

        The last token of each context is not read with it but as the first input of the continuations, whose
        outputs then hold all the predictions.
        """
        state = self._read_contexts([prefix[:-1] for prefix, _ in batch])
        jobs = [(row, job) for row, (_, group) in enumerate(batch) for job in group]
        jobs.sort(key=lambda entry: len(entry[1].target))
        while jobs:
            rows = max(1, _BATCH_TOKENS // len(jobs[-1][1].target))
            piece, jobs = jobs[-rows:], jobs[:-rows]
            self._score_continuations(piece, state, sums)

    def _score_continuations(
        self, piece: list[tuple[int, ScoringJob]], state: DecodingState | None, sums: list[Sums]
    ) -> None:
        """R continuations at once, each from a copy of the state of its context."""
        device = self.model.device
        longest = max(len(job.target) for _, job in piece)
        inputs = torch.zeros(len(piece), longest, dtype=torch.int64)
        targets = torch.full((len(piece), longest), -1, dtype=torch.int64)
        for place, (_, job) in enumerate(piece):
            length = len(job.target)
            inputs[place, :length] = torch.tensor([job.prefix[-1], *job.target[:-1]])
            targets[place, :length] = torch.tensor(job.target)
        rows = torch.tensor([row for row, _ in piece], device=device)
        copied = None if state is None else select_rows(state, rows)
        # What stands after the end of a shorter continuation is read too, but only by what follows it.
        hidden = self.model.hidden_states(inputs.to(device), state=copied)
        real = targets >= 0
        logits = self.model.logits(hidden[real.to(device)])
        wanted = targets[real].to(device)
        picked = logits.gather(1, wanted[:, None]).squeeze(1)
        nats = (picked - logits.logsumexp(dim=1)).cpu()
        greedy = (picked >= logits.amax(dim=1)).cpu()
        place = 0
        for _, job in piece:
            length = len(job.target)
            here = slice(place, place + length)
            sums[job.pair].add(float(nats[here].double().sum()), length, bool(greedy[here].all()))
            place += length

    def _read_contexts(self, contexts: list[tuple[int, ...]]) -> DecodingState | None:
        """A state of B rows that has read these tokens; None if there are none."""
        if not any(contexts):
            return None
        shared = common_length(contexts[0], contexts[-1])
        for context in contexts[1:-1]:
            shared = min(shared, common_length(contexts[0], context))
        shared = min(shared, min(map(len, contexts)) - 1)
        state = self.model.new_state()
        if shared >= _LEAST_SHARED and len(contexts) > 1:
            beginning = torch.tensor([contexts[0][:shared]], device=self.model.device)
            self.model.hidden_states(beginning, state=state)
            state = select_rows(state, torch.zeros(len(contexts), dtype=torch.int64))
            contexts = [context[shared:] for context in contexts]
        ids, mask = self._padded(contexts)
        if ids.shape[1]:
            self.model.hidden_states(ids, None if mask is None or bool(mask.all()) else mask, state)
        return state

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
        """(B, T) ids padded on the left, and the mask of the real ones."""
        longest = max(map(len, rows))
        ids = torch.zeros(len(rows), longest, dtype=torch.int64)
        mask = torch.zeros(len(rows), longest, dtype=torch.int64)
        for number, row in enumerate(rows):
            if row:
                ids[number, longest - len(row) :] = torch.tensor(row)
                mask[number, longest - len(row) :] = 1
        return ids.to(self.model.device), mask.to(self.model.device)


def select_rows(state: DecodingState, rows: Tensor) -> DecodingState:
    """A copy of a state whose row r is row `rows[r]` of the given one: (B, …) -> (R, …)."""
    return state.mapped(lambda tensor: tensor.index_select(0, rows.to(tensor.device)))


def _batches(
    groups: dict[tuple[int, ...], list[ScoringJob]],
) -> Iterator[list[tuple[tuple[int, ...], list[ScoringJob]]]]:
    """Contexts of like length together, so that little is padded."""
    batch: list[tuple[tuple[int, ...], list[ScoringJob]]] = []
    for prefix in sorted(groups, key=lambda tokens: (len(tokens), tokens)):
        size = len(prefix) * (len(batch) + 1)
        if batch and (size > _BATCH_TOKENS or len(batch) == _BATCH_CONTEXTS):
            yield batch
            batch = []
        batch.append((prefix, groups[prefix]))
    if batch:
        yield batch
