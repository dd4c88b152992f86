"""Every section beside `model`: one class each, with defaults, limits and a Portuguese line per key."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from lunagpt.config.section import Section

Dimension = Literal["helpful", "relevant", "accurate", "detailed", "concise"]


class TokenizerConfig(Section):
    """Section `tokenizer`. Without paths, the tokenizer that comes with LunaGPT is used."""

    path: str | None = Field(None, description="Arquivo tokenizer.json ou pasta do tokenizador.")
    vocab_path: str | None = Field(None, description="Arquivo vocab.json (junto com merges_path).")
    merges_path: str | None = Field(None, description="Arquivo merges.txt (junto com vocab_path).")
    max_length: int = Field(1024, ge=1, description="Tokens que um texto pode ter antes de ser cortado.")
    truncation_strategy: Literal["right", "left"] = Field(
        "right", description="Lado que é cortado quando o texto não cabe: right (fim) ou left (começo)."
    )


class HardwareConfig(Section):
    """Section `hardware`: where the model runs and how much of the machine it may use. What the descriptions
    call without effect is read and checked, and nothing acts on it yet."""

    auto_detect: bool = Field(True, description="Descobre sozinho o que a máquina tem.")
    device: str | None = Field(None, description="Dispositivo: cpu, mps, cuda ou cuda:1.")
    force_cpu: bool = Field(False, description="Usa a CPU mesmo que haja GPU.")
    gpu_devices: list[int] = Field(
        default_factory=list, description="Números das GPUs; vazio usa a primeira."
    )
    mixed_precision: bool = Field(
        True, description="O treino pode usar meia precisão onde ela é mais rápida; false não deixa."
    )
    quantization: Literal["int8", "int4"] | None = Field(
        None, description="Pesos do modelo que responde em 8 bits (int8; int4 ainda faz o mesmo) ou null."
    )
    gpu_memory_fraction: float = Field(
        0.9, gt=0, le=1, description="Fração da memória da GPU (0 a 1) (ainda sem efeito)."
    )
    cpu_threads: int | None = Field(None, ge=1, description="Threads da CPU; null usa todos os núcleos.")
    offload_strategy: Literal["none", "balanced", "aggressive"] = Field(
        "none",
        description="Quanto passar da GPU para a CPU: none, balanced ou aggressive (ainda sem efeito).",
    )
    low_memory: bool = Field(
        False, description="Deixa os pesos nos 16 bits do arquivo: metade da memória, escrita mais lenta."
    )
    sequential_offload: bool = Field(
        False, description="Carrega as camadas uma de cada vez (ainda sem efeito)."
    )
    cache_limit_mb: int | None = Field(
        None, ge=1, description="Limite do cache da conversa, em MB (ainda sem efeito)."
    )
    skip_components: list[Literal["attention", "moe", "state_space", "hypernet", "growing", "rag"]] = Field(
        default_factory=list, description="Partes que ficam desligadas."
    )

    @field_validator("device")
    @classmethod
    def _check_device(cls, device: str | None) -> str | None:
        if device is not None and not re.fullmatch(r"cpu|mps|cuda(:\d{1,3})?", device):
            raise ValueError("os dispositivos são cpu, mps, cuda e cuda:0, cuda:1…")
        return device


class RagConfig(Section):
    """Section `rag`: search in the user's documents before answering."""

    enabled: bool = Field(True, description="Busca nos documentos quando há uma base de conhecimento.")
    knowledge_base_path: str | None = Field(None, description="Pasta da base de conhecimento.")
    k_retrieval: int = Field(5, ge=1, description="Quantos trechos buscar.")
    relevance_threshold: float = Field(0.7, ge=0, le=1, description="Relevância mínima de um trecho (0 a 1).")
    max_context_length: int = Field(
        1500, ge=1, description="Tamanho máximo do contexto encontrado, em tokens."
    )
    embedding_model: str = Field(
        "auto", description="Modelo de vetores: auto, e5, e5-enpt, uma pasta, ou nenhum (só palavras)."
    )
    enable_fallback: bool = Field(True, description="Usa a busca por palavras se os vetores faltarem.")
    use_reader: bool = Field(
        True,
        description="Lê os trechos com o leitor antes de citar: mais certo, décimos de segundo a mais.",
    )
    stop_words: str | list[str] = Field("portuguese", description="Palavras ignoradas na busca por palavras.")


class ThinkingConfig(Section):
    """Section `thinking`: what the model thinks before it answers."""

    mode: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Pensa antes de responder: on, off ou auto (só se o modelo foi treinado para decidir).",
    )
    max_thinking_tokens: int = Field(256, ge=1, description="Tamanho máximo do pensamento, em tokens.")
    show: bool = Field(False, description="Mostra o pensamento; com mode auto, também o pede.")


class ProactiveConfig(Section):
    """Section `proactive`: suggestions that nobody asked for. Read and checked; nothing acts on it yet."""

    enabled: bool = Field(False, description="Liga as sugestões proativas (ainda sem efeito).")
    threshold: float = Field(
        0.7, ge=0, le=1, description="Confiança mínima para sugerir (0 a 1) (ainda sem efeito)."
    )
    max_suggestions: int = Field(2, ge=0, description="Máximo de sugestões por resposta (ainda sem efeito).")


class PersonasConfig(Section):
    """Section `personas`: ways of speaking. Read and checked; nothing acts on it yet."""

    default: str = Field("balanced", description="Persona usada quando nenhuma é pedida (ainda sem efeito).")
    definitions_path: str | None = Field(
        None, description="Arquivo com outras personas; vazio usa as prontas (ainda sem efeito)."
    )


class FeedbackConfig(Section):
    """Section `feedback`: ratings of answers. Read and checked; nothing acts on it yet."""

    db_path: str = Field("feedback.jsonl", description="Arquivo onde as avaliações ficam (ainda sem efeito).")
    dimensions: list[Dimension] = Field(
        default=["helpful", "relevant", "accurate", "detailed", "concise"],
        min_length=1,
        description="O que o usuário avalia, de 1 a 5 (ainda sem efeito).",
    )
    enable_reflection: bool = Field(
        True, description="O modelo reflete sobre respostas mal avaliadas (ainda sem efeito)."
    )
    weakness_threshold: float = Field(
        3.5, ge=1, le=5, description="Média abaixo da qual há um ponto fraco (ainda sem efeito)."
    )


class TrainingConfig(Section):
    """Section `training`: the loop that every trainer shares. Lengths are in tokens, intervals in steps."""

    learning_rate: float = Field(3e-3, gt=0, description="Taxa de aprendizado do AdamW (pico).")
    muon_learning_rate: float = Field(
        0.02, gt=0, description="Taxa de aprendizado das matrizes com Muon (pico)."
    )
    min_learning_rate: float = Field(
        0.0,
        ge=0,
        description="Taxa no fim do treino, na escala de learning_rate; Muon segue na mesma proporção.",
    )
    weight_decay: float = Field(0.1, ge=0, description="Decaimento dos pesos.")
    optimizer: Literal["muon", "adamw", "adam"] = Field("muon", description="Otimizador.")
    schedule: Literal["wsd", "cosine", "linear", "constant"] = Field(
        "wsd", description="Curva da taxa: wsd é aquecer, manter e descer."
    )
    warmup_steps: int = Field(100, ge=0, description="Passos de aquecimento.")
    decay_fraction: float = Field(
        0.2, ge=0, le=1, description="Parte final do treino em que a taxa desce (wsd)."
    )
    max_steps: int | None = Field(None, ge=1, description="Passos do otimizador; null usa num_epochs.")
    num_epochs: int = Field(1, ge=1, description="Passagens pelos dados, se max_steps for null.")
    batch_size: int = Field(8, ge=1, description="Sequências por passada.")
    sequence_length: int = Field(1024, ge=2, description="Tokens por sequência.")
    gradient_accumulation_steps: int = Field(1, ge=1, description="Passadas somadas em cada passo.")
    gradient_clipping: float | None = Field(
        1.0, gt=0, description="Norma máxima do gradiente; null não corta."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Precisão das contas; auto mede qual é mais rápida."
    )
    compile: Literal["auto"] | bool = Field(
        "auto", description="Usa torch.compile; auto decide pela máquina."
    )
    seed: int = Field(0, ge=0, description="Semente de tudo o que é sorteado.")
    checkpoint_dir: str = Field("./checkpoints", description="Pasta dos pontos de retomada.")
    checkpoint_interval_minutes: float = Field(
        10.0, gt=0, description="Minutos entre dois pontos de retomada."
    )
    keep_checkpoints: int = Field(2, ge=1, description="Quantos pontos de retomada guardar.")
    eval_interval: int = Field(500, ge=1, description="Passos entre duas avaliações.")
    early_stopping_patience: int | None = Field(
        None, ge=1, description="Avaliações sem melhora antes de parar; null não para."
    )
    output_dir: str = Field("./models/luna", description="Pasta do modelo treinado.")
    run_name: str | None = Field(None, description="Nome do treino nos registros.")
    use_wandb: bool = Field(False, description="Envia as curvas ao Weights & Biases.")
    from_scratch: bool = Field(True, description="Começa do zero; false continua de base_model_path.")
    base_model_path: str | None = Field(None, description="Modelo de partida, se from_scratch for false.")
    trainable: Literal["all", "adapters"] = Field(
        "all",
        description="Quais pesos o treino muda: todos, ou só as partes que o LunaGPT pôs na base (adapters).",
    )

    @model_validator(mode="after")
    def _check_rates(self) -> TrainingConfig:
        if self.min_learning_rate > self.learning_rate:
            raise ValueError(
                f"min_learning_rate ({self.min_learning_rate}) não pode passar de learning_rate "
                f"({self.learning_rate})"
            )
        if not self.from_scratch and self.base_model_path is None:
            raise ValueError("from_scratch é false, mas base_model_path não diz de qual modelo continuar")
        return self

    @property
    def min_learning_rate_ratio(self) -> float:
        """Last rate as a fraction of the peak, the same for every group of parameters."""
        return self.min_learning_rate / self.learning_rate


class CurriculumConfig(Section):
    """Section `curriculum`: easy examples first. Read and checked; nothing acts on it yet."""

    enabled: bool = Field(False, description="Liga o currículo (ainda sem efeito).")
    stages: int = Field(3, ge=1, description="Número de estágios (ainda sem efeito).")
    progress_metrics: list[str] = Field(
        default=["loss", "accuracy"],
        min_length=1,
        description="Medidas que decidem o avanço (ainda sem efeito).",
    )
    progression_threshold: float = Field(
        0.8, ge=0, le=1, description="Valor que faz avançar de estágio (ainda sem efeito)."
    )
    patience: int = Field(
        2, ge=1, description="Épocas sem melhora antes de avançar mesmo assim (ainda sem efeito)."
    )
    min_epochs_per_stage: int = Field(1, ge=1, description="Épocas mínimas por estágio (ainda sem efeito).")


class DataSource(Section):
    """One entry of `data.sources`: files that are read alike, and how much of the mixture they make up.

    `where` keeps rows whose column fits a condition, `exclude` drops them; a condition is a value, a list of
    values or a span ``{min: …, max: …}``. `sample_by` names a column whose values are drawn equally often
    (e.g. a template's family); `sample_cap` bounds the rows per value.
    """

    path: str | list[str] = Field(description="Arquivo, lista de arquivos ou padrão como pasta/*.parquet.")
    name: str | None = Field(None, description="Nome nos registros; vazio usa o do arquivo.")
    weight: float = Field(1.0, gt=0, description="Peso na mistura, em relação às outras fontes.")
    kind: Literal["auto", "text", "dialogue"] = Field("auto", description="Texto corrido ou diálogo.")
    where: dict[str, Any] = Field(default_factory=dict, description="Colunas e valores aceitos.")
    exclude: dict[str, Any] = Field(default_factory=dict, description="Colunas e valores recusados.")
    reject: str | None = Field(None, description="Expressão regular de respostas que são recusadas.")
    reject_user: str | None = Field(None, description="Expressão regular de perguntas que são recusadas.")
    fraction: float = Field(1.0, gt=0, le=1, description="Parte das linhas que entra, sempre as mesmas.")
    sample_by: str | None = Field(None, description="Coluna cujos valores são sorteados por igual.")
    sample_cap: int | None = Field(None, ge=1, description="Máximo de linhas por valor de sample_by.")
    max_repeat: float | None = Field(None, gt=0, description="Máximo de vezes que a fonte é repetida.")
    loss_on: Literal["assistant", "all"] = Field(
        "assistant", description="O que se aprende dos diálogos: só as respostas ou tudo."
    )
    thinking: bool = Field(True, description="Mantém o raciocínio que antecede as respostas.")
    learn_when_to_think: bool = Field(
        False, description="Aprende também quando pensar: o token que abre a resposta."
    )
    parts: list[Literal["article", "questions", "summary", "grounded", "passage"]] = Field(
        default=["article", "questions", "summary", "grounded", "passage"],
        min_length=1,
        description="Exemplos que um verbete de enciclopédia dá.",
    )
    exercises: list[Literal["repeat", "find", "facts", "thread"]] = Field(
        default_factory=list,
        description="Em vez dos textos, exercícios de memória feitos com eles; vazio: os próprios textos.",
    )
    unify_evidence: bool = Field(
        False, description="Reescreve trechos e perguntas no formato único de consulta."
    )
    persona_prompt: bool = Field(False, description="Põe a persona da linha numa mensagem de sistema.")


class DataConfig(Section):
    """Section `data`: what is read; `sources` is a weighted mixture, `train_path` a single file or folder."""

    train_path: str | None = Field(None, description="Arquivo ou pasta de treino.")
    validation_path: str | list[str] | None = Field(None, description="Arquivo(s) ou pasta de validação.")
    format: Literal["auto", "text", "dialogue", "instruction", "qa"] = Field(
        "auto", description="Formato dos arquivos; auto descobre."
    )
    sources: list[DataSource] = Field(default_factory=list, description="Fontes com pesos.")
