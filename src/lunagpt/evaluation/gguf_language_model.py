"""A GGUF file under evaluation, through llama.cpp (the package llama-cpp-python).

A small model on a CPU spends its time reading weights, not multiplying: several texts are read in one pass,
each a sequence of llama.cpp's memory, and a long context is read once and copied for each continuation.

Letters: V vocabulary, D width.
"""

from __future__ import annotations

import ctypes
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lunagpt.errors import EvaluationError, missing_extra
from lunagpt.evaluation.language_models import LogLikelihood, PartialModel, cut_at, plain_dialogue
from lunagpt.evaluation.scoring_plan import ScoringJob, ScoringPlan, Sums, common_length, split_pair, windows
from lunagpt.files import sha256_file

if TYPE_CHECKING:
    from lunagpt.engines import Message

_WINDOW = 2048
_BATCH = 512  # tokens of one pass
_SEQUENCES = 32  # texts of one pass
# A shared context shorter than this is cheaper to read again with each continuation, in the same pass.
_LEAST_SHARED = 16

# A token, its place in its sequence, the sequence, and the sum that its prediction of the next token goes to.
Entry = tuple[int, int, int, "tuple[Sums, int] | None"]


class GGUFLanguageModel(PartialModel):
    """See `LanguageModel`. Texts begin with the start token if the file asks for one."""

    kind = "gguf"
    capabilities = frozenset({"loglikelihood", "generate", "embed"})

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        """
        Args:
            path: the .gguf file. threads: default is one for each core this process may use.

        Raises:
            EvaluationError: llama.cpp cannot read it.
            MissingDependencyError: llama-cpp-python is not installed.
        """
        try:
            import llama_cpp
        except ModuleNotFoundError as error:
            raise missing_extra("llama-cpp-python", "gguf", "avaliar arquivos GGUF") from error
        self._api = llama_cpp
        _silence(llama_cpp)
        self.path = Path(path)
        self.name = self.path.stem
        self._threads = threads or int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count() or 1
        self._llama = self._open()
        self._context = self._scoring_context()
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)
        self._vocabulary = self._llama.n_vocab()
        self._embedder: Any = None
        start = self._tokens("a", start=True)
        self._start = start[:1] if start and start[0] == self._llama.token_bos() else []

    def __del__(self) -> None:
        if getattr(self, "_batch", None) is not None:
            self._api.llama_batch_free(self._batch)
            self._api.llama_free(self._context)

    def describe(self) -> dict[str, Any]:
        """Name, size and SHA-256 of the file."""
        return {"path": self.path.name, "bytes": self.path.stat().st_size, "sha256": sha256_file(self.path)}

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        """See `LanguageModel.loglikelihood`."""
        plan = self._plan(pairs)
        sums = [Sums() for _ in pairs]
        groups: dict[tuple[int, ...], list[ScoringJob]] = defaultdict(list)
        for job in plan.jobs:
            groups[tuple(job.prefix)].append(job)
        apart: list[ScoringJob] = []
        for prefix, jobs in groups.items():
            shared = len(prefix) >= _LEAST_SHARED and len(jobs) > 1
            if shared and max(len(job.target) for job in jobs) < _BATCH:
                self._score_shared(prefix, jobs, sums)
            else:
                apart += jobs
        self._score_apart(apart, sums)
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
        """See `LanguageModel.generate`."""
        template = "tokenizer.chat_template" in (self._llama.metadata or {})
        answers: list[str] = []
        settings: dict[str, Any] = {"max_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
        settings |= {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
        for prompt in prompts:
            self._llama.reset()
            if template and not isinstance(prompt, str):
                messages: Any = [dict(message) for message in prompt]
                reply = self._llama.create_chat_completion(messages, **settings)
                answers.append(str(reply["choices"][0]["message"]["content"] or "").strip())
            else:
                text = prompt if isinstance(prompt, str) else plain_dialogue(prompt)
                kept = (self._start + self._tokens(text))[-(_WINDOW - max_new_tokens - 1) :]
                reply = self._llama.create_completion(kept, **settings)
                answers.append(cut_at(str(reply["choices"][0]["text"]).strip(), stop))
        return answers

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """See `LanguageModel.embed`."""
        if self._embedder is None:
            self._embedder = self._open(embedding=True, pooling_type=self._api.LLAMA_POOLING_TYPE_MEAN)
        vectors = [self._embedder.embed(text, normalize=False, truncate=True) for text in texts]
        return np.array(vectors, dtype=np.float32)

    # -- inside --------------------------------------------------------------------------------------------

    def _open(self, **more: Any) -> Any:
        try:
            return self._api.Llama(
                str(self.path),
                n_ctx=_WINDOW,
                n_batch=_BATCH,
                n_ubatch=_BATCH,
                n_threads=self._threads,
                n_threads_batch=self._threads,
                verbose=False,
                **more,
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise EvaluationError(
                f'O llama.cpp não conseguiu abrir "{self.path}" ({error}). O arquivo pode estar estragado ou '
                "ser de uma arquitetura que esta versão não conhece."
            ) from None

    def _tokens(self, text: str, start: bool = False) -> list[int]:
        return list(self._llama.tokenize(text.encode(), add_bos=start, special=False))

    def _plan(self, pairs: Sequence[tuple[str, str]]) -> ScoringPlan:
        plan = ScoringPlan()
        for number, (given, continuation) in enumerate(pairs):
            context, text = split_pair(given, continuation)
            whole = self._start + self._tokens(context + text)
            start = common_length(self._start + self._tokens(context), whole)
            count = len(text.encode())
            if start == 0:  # nothing to predict the first token from
                start = 1
                count -= len(self._llama.detokenize(whole[:1]))
            plan.num_bytes.append(count)
            if start < len(whole):
                for prefix, target in windows(whole[:start], whole[start:], _WINDOW):
                    plan.jobs.append(ScoringJob(number, prefix, target))
        return plan

    def _score_apart(self, jobs: Sequence[ScoringJob], sums: list[Sums]) -> None:
        """Each text in a sequence of its own, as many in one pass as fit."""
        for group in _packed(sorted(jobs, key=lambda job: len(job.prefix) + len(job.target))):
            self._api.llama_memory_clear(self._memory, True)
            entries: list[Entry] = []
            for sequence, job in enumerate(group):
                tokens = job.prefix + job.target[:-1]
                entries += _entries(tokens, 0, len(job.prefix) - 1, job.target, sequence, sums[job.pair])
            for start in range(0, len(entries), _BATCH):
                self._read(entries[start : start + _BATCH])

    def _score_shared(self, prefix: Sequence[int], jobs: Sequence[ScoringJob], sums: list[Sums]) -> None:
        """Several continuations of one long context, which stays in sequence 0."""
        self._api.llama_memory_clear(self._memory, True)
        last = len(prefix) - 1
        context: list[Entry] = [(token, place, 0, None) for place, token in enumerate(prefix[:-1])]
        for start in range(0, last, _BATCH):
            self._read(context[start : start + _BATCH])
        alone = [ScoringJob(job.pair, job.prefix[-1:], job.target) for job in jobs]
        for group in _packed(sorted(alone, key=lambda job: len(job.target)), sequences=_SEQUENCES - 1):
            entries: list[Entry] = []
            for sequence, job in enumerate(group, start=1):
                self._api.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)
                tokens = job.prefix + job.target[:-1]
                entries += _entries(tokens, last, last, job.target, sequence, sums[job.pair])
            self._read(entries)
            for sequence in range(1, len(group) + 1):
                self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def _read(self, entries: Sequence[Entry]) -> None:
        """One pass over at most _BATCH tokens; adds up what they predict."""
        batch = self._batch
        batch.n_tokens = len(entries)
        for i, (token, place, sequence, wanted) in enumerate(entries):
            batch.token[i] = token
            batch.pos[i] = place
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = int(wanted is not None)
        code = self._api.llama_decode(self._context, batch)
        if code != 0:
            raise EvaluationError(f'O llama.cpp parou com o código {code} ao ler um texto com "{self.path}".')
        for i, (_, _, _, wanted) in enumerate(entries):
            if wanted is None:
                continue
            total, target = wanted
            logits = np.ctypeslib.as_array(
                self._api.llama_get_logits_ith(self._context, i), shape=(self._vocabulary,)
            )
            highest = float(logits.max())
            log_sum = highest + float(np.log(np.exp(logits - highest).sum(dtype=np.float64)))
            picked = float(logits[target])
            total.add(picked - log_sum, 1, picked >= highest)

    def _scoring_context(self) -> Any:
        """A context of llama.cpp with room for several sequences, beside the one that writes answers."""
        params = self._api.llama_context_default_params()
        params.n_ctx = 2 * _WINDOW
        params.n_batch = params.n_ubatch = _BATCH
        params.n_seq_max = _SEQUENCES
        params.kv_unified = True
        params.n_outputs_max_per_seq = 0  # as many as tokens
        params.n_threads = params.n_threads_batch = self._threads
        context = self._api.llama_init_from_model(self._llama.model, params)
        if context is None:
            raise EvaluationError(f'O llama.cpp não conseguiu preparar "{self.path}": falta memória?')
        return context


@cache
def _silence(api: Any) -> Any:
    """Turns off what llama.cpp tells on the error output, in English, while it opens a file.

    Returns:
        the callback, which must live as long as the library: the cache keeps it.
    """
    callback = api.llama_log_callback(lambda level, text, data: None)
    api.llama_log_set(callback, ctypes.c_void_p(0))
    return callback


def _entries(
    tokens: Sequence[int], start: int, first: int, target: Sequence[int], sequence: int, total: Sums
) -> list[Entry]:
    """The tokens of one text at places `start` and on; from place `first` they predict `target`."""
    entries: list[Entry] = []
    for place, token in enumerate(tokens, start=start):
        wanted = (total, target[place - first]) if place >= first else None
        entries.append((token, place, sequence, wanted))
    return entries


def _packed(jobs: Sequence[ScoringJob], sequences: int = _SEQUENCES) -> Iterator[list[ScoringJob]]:
    """Jobs, shortest first, in groups that fit into one pass; one that is longer comes alone."""
    group: list[ScoringJob] = []
    size = 0
    for job in jobs:
        length = len(job.prefix) + len(job.target) - 1
        if group and (size + length > _BATCH or len(group) == sequences):
            yield group
            group, size = [], 0
        group.append(job)
        size += length
    if group:
        yield group
