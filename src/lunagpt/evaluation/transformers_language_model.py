"""A causal model in a transformers folder under evaluation.

Letters: B texts of a batch, T time, V vocabulary, D width.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lunagpt.errors import EvaluationError, missing_extra
from lunagpt.evaluation.language_models import (
    LogLikelihood,
    PartialModel,
    as_messages,
    cut_at,
    plain_dialogue,
)
from lunagpt.evaluation.scoring_plan import ScoringJob, ScoringPlan, Sums, common_length, split_pair, windows
from lunagpt.files import sha256_file

if TYPE_CHECKING:
    from torch import Tensor

    from lunagpt.engines import Message

_BATCH_TOKENS = 2048
_BATCH_TEXTS = 16
_LONGEST_WINDOW = 4096  # a model that could read a book is still read in pieces that fit into memory


class TransformersLanguageModel(PartialModel):
    """See `LanguageModel`. Texts begin with the start token if the model's tokenizer puts one there."""

    kind = "transformers"
    capabilities = frozenset({"loglikelihood", "generate", "embed"})

    def __init__(self, path: str | Path) -> None:
        """
        Args:
            path: a folder with config.json, weights and tokenizer. Nothing is downloaded, and no code in it
                runs.

        Raises:
            EvaluationError: it cannot be loaded.
            MissingDependencyError: transformers or torch is not installed.
        """
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ModuleNotFoundError as error:
            raise missing_extra(error.name or "transformers", "peers", "avaliar este modelo") from error
        self.path = Path(path)
        self.name = self.path.resolve().name
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(self.path, local_files_only=True)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                self.path, local_files_only=True, dtype="auto", output_loading_info=True
            )
        except Exception as error:  # what a broken folder raises depends on its architecture
            raise EvaluationError(
                f'O transformers não conseguiu carregar "{self.path}": {error}. Confira se a pasta tem '
                "config.json, os pesos e o tokenizador de um modelo causal."
            ) from error
        self.model: Any = loaded[0]
        absent = sorted(loaded[1]["missing_keys"])
        if absent:  # transformers would go on with random numbers in their place
            raise EvaluationError(
                f'Faltam pesos em "{self.path}": {len(absent)}, entre eles {absent[0]}. Copie a pasta de '
                "novo, com todos os arquivos."
            )
        self.model.to(device).eval()
        if device == "cpu":
            self.model.float()  # 16-bit products are slow on most CPUs
        bos = self.tokenizer.bos_token_id
        first = self.tokenizer("a").input_ids[:1]
        self._start = [bos] if bos is not None and first == [bos] else []
        longest = getattr(self.model.config, "max_position_embeddings", None) or _LONGEST_WINDOW
        self._window = min(longest, _LONGEST_WINDOW)
        self._keeps = "logits_to_keep" in inspect.signature(self.model.forward).parameters

    def describe(self) -> dict[str, Any]:
        """Path, parameters, and the SHA-256 of the weights (of the first file, if they are several)."""
        weights = sorted(self.path.glob("*.safetensors"))
        facts: dict[str, Any] = {"path": self.path.resolve().name, "parameters": self.model.num_parameters()}
        return facts | ({"sha256": sha256_file(weights[0])} if weights else {})

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        """See `LanguageModel.loglikelihood`."""
        import torch

        plan = self._plan(pairs)
        sums = [Sums() for _ in pairs]
        with torch.inference_mode():
            for batch in self._batches(plan.jobs):
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
        """See `LanguageModel.generate`."""
        import torch

        template = self.tokenizer.chat_template is not None
        encoded = [self._encode_prompt(prompt, max_new_tokens, template) for prompt in prompts]
        answers = [""] * len(prompts)
        end = self.tokenizer.eos_token_id
        pad = end if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id
        sampling: dict[str, Any] = {"do_sample": temperature > 0, "top_k": None, "top_p": None}
        sampling["temperature"] = temperature if temperature > 0 else None
        order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
        for start in range(0, len(order), _BATCH_TEXTS):
            chosen = order[start : start + _BATCH_TEXTS]
            ids, mask = self._padded([encoded[i] for i in chosen], left=True)
            with torch.inference_mode(), torch.random.fork_rng():
                torch.manual_seed(seed + start)
                output = self.model.generate(
                    ids, attention_mask=mask, max_new_tokens=max_new_tokens, pad_token_id=pad, **sampling
                )[:, ids.shape[1] :]
            for i, row in zip(chosen, output.tolist(), strict=True):
                text = self.tokenizer.decode(row, skip_special_tokens=True).strip()
                plain = isinstance(prompts[i], str) or not template
                answers[i] = cut_at(text, stop) if plain else text
        return answers

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """See `LanguageModel.embed`."""
        import torch

        encoded = [(self._start + self._ids(text))[: self._window] for text in texts]
        vectors = np.empty((len(texts), self.model.config.get_text_config().hidden_size), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
        keep = {"logits_to_keep": 1} if self._keeps else {}
        for start in range(0, len(order), _BATCH_TEXTS):
            chosen = order[start : start + _BATCH_TEXTS]
            ids, mask = self._padded([encoded[i] for i in chosen])
            with torch.inference_mode():
                output = self.model(
                    ids, attention_mask=mask, output_hidden_states=True, use_cache=False, **keep
                )
            hidden = output.hidden_states[-1].float()
            mean = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
            vectors[chosen] = mean.cpu().numpy()
        return vectors

    # -- inside --------------------------------------------------------------------------------------------

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def _plan(self, pairs: Sequence[tuple[str, str]]) -> ScoringPlan:
        plan = ScoringPlan()
        for number, (given, continuation) in enumerate(pairs):
            context, text = split_pair(given, continuation)
            whole = self._start + self._ids(context + text)
            start = common_length(self._start + self._ids(context), whole)
            count = len(text.encode())
            if start == 0:  # nothing to predict the first token from
                start = 1
                count -= len(self.tokenizer.decode(whole[:1]).encode())
            plan.num_bytes.append(count)
            if start < len(whole):
                for prefix, target in windows(whole[:start], whole[start:], self._window):
                    plan.jobs.append(ScoringJob(number, prefix, target))
        return plan

    def _batches(self, jobs: Sequence[ScoringJob]) -> Iterator[list[ScoringJob]]:
        """Jobs of like length together, right-padded: what follows a text does not change it."""
        batch: list[ScoringJob] = []
        for job in sorted(jobs, key=lambda job: len(job.prefix) + len(job.target)):
            size = len(job.prefix) + len(job.target)
            if batch and (size * (len(batch) + 1) > _BATCH_TOKENS or len(batch) == _BATCH_TEXTS):
                yield batch
                batch = []
            batch.append(job)
        if batch:
            yield batch

    def _score(self, batch: list[ScoringJob], sums: list[Sums]) -> None:
        import torch

        ids, mask = self._padded([(job.prefix + job.target)[:-1] for job in batch])
        wanted = sorted(
            {len(job.prefix) - 1 + step for job in batch for step in range(len(job.target))}
        )  # of all texts
        place = {position: i for i, position in enumerate(wanted)}
        keep = {"logits_to_keep": torch.tensor(wanted, device=ids.device)} if self._keeps else {}
        logits = self.model(ids, attention_mask=mask, use_cache=False, **keep).logits
        for row, job in enumerate(batch):
            positions = range(len(job.prefix) - 1, len(job.prefix) - 1 + len(job.target))
            columns = [place[position] if self._keeps else position for position in positions]
            scores = logits[row, columns].float()
            target = torch.tensor(job.target, device=scores.device)
            picked = scores.gather(1, target[:, None]).squeeze(1)
            nats = (picked - scores.logsumexp(dim=1)).double().sum()
            sums[job.pair].add(float(nats), len(job.target), bool((picked >= scores.amax(dim=1)).all()))

    def _encode_prompt(self, prompt: str | Sequence[Message], new_tokens: int, template: bool) -> list[int]:
        if template and not isinstance(prompt, str):
            messages = [dict(message) for message in as_messages(prompt)]
            text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            ids = self._ids(text)  # the template brings its own start token
        else:
            text = prompt if isinstance(prompt, str) else plain_dialogue(prompt)
            ids = self._start + self._ids(text)
        return ids[-max(1, self._window - new_tokens) :]

    def _padded(self, rows: Sequence[Sequence[int]], left: bool = False) -> tuple[Tensor, Tensor]:
        """(B, T) ids and the mask of the real ones."""
        import torch

        longest = max(map(len, rows))
        ids = torch.zeros(len(rows), longest, dtype=torch.int64)
        mask = torch.zeros(len(rows), longest, dtype=torch.int64)
        for number, row in enumerate(rows):
            here = slice(longest - len(row), None) if left else slice(len(row))
            ids[number, here] = torch.tensor(row)
            mask[number, here] = 1
        return ids.to(self.model.device), mask.to(self.model.device)
