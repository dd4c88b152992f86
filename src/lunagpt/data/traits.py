"""What a row of training data says about its dialogue beside the words: persona, domain and emotion.

Parts of the model learn from it (emotional routing, hypernetworks). A trait is stored as the number of its
name in one of the tuples below, `UNKNOWN` where the row says nothing. Trained weights know the numbers, so
the tuples may only grow, at their end.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

UNKNOWN: Final = -1

PERSONAS: Final = ("balanced", "technical", "friendly", "academic")

# Plutchik's eight basic emotions (1980), and the names under which the data and the user know them.
EMOTIONS: Final = ("joy", "trust", "fear", "surprise", "sadness", "disgust", "anger", "anticipation")
EMOTION_LABELS: Final = dict(
    zip(
        EMOTIONS,
        ("alegria", "confiança", "medo", "surpresa", "tristeza", "nojo", "raiva", "expectativa"),
        strict=True,
    )
)

DOMAINS: Final = ("science", "technology", "health", "law", "business", "language", "culture", "everyday")
DOMAIN_LABELS: Final = dict(
    zip(
        DOMAINS,
        (
            "ciência",
            "tecnologia",
            "saúde",
            "direito e cidadania",
            "economia e trabalho",
            "língua e estudo",
            "cultura",
            "cotidiano",
        ),
        strict=True,
    )
)

# What rows write into the column `domain`, by broad domain; without accents, "_" and "-" read as spaces.
# Values that fit several (documento, conversa, memoria…) are left out: they say nothing about the subject.
_DOMAIN_NAMES: Final = {
    "science": """
        ciencia; ciencias; biologia; fisica; quimica; fisica e quimica; fisica do dia a dia; astronomia;
        geologia; geografia; matematica; natureza; meio ambiente; meioambiente; ambiente; zoologia;
        botanica; ecologia; clima; meteorologia; laboratorio; energia; geometria; probabilidade; numeros;
        proporcao; porcentagem; sequencias; unidades; calculo; estatistica; medidas; plantas; invencoes;
        engenharia; logica; tempo e clima; geografia fisica; continentes e oceanos; biomas e natureza do
        brasil; rios e relevo do brasil; cartografia""",
    "technology": """
        tecnologia; internet; programacao; software; computador; computacao; informatica; tecnologia
        domestica; tecnologia leve; comandos; terminal; python; sql; git; rede; redes; hardware; ti; app;
        eletronica; manual; malware; manual de produto; javascript; html; dados; inteligencia artificial;
        vida digital""",
    "health": """
        saude; saude habitos; saude leve; corpo; corpo e saude; saude publica; saude ocupacional;
        nutricao; clinica; saude mental e bem estar; seguranca e primeiros socorros; bula; medico;
        medicina; psicologia; sono; gravidez; culinaria e nutricao; ansiedade; corpo humano""",
    "law": """
        direito; direitos; juridico; contrato; direito e cidadania; cidadania; consumidor; servico
        publico; servicos br; servicos pt; concurso; regulamento de concurso; politica; sociedade;
        privacidade; prestacao de contas publica; condominio; fraude; golpe; cidadania e instituicoes;
        organizacoes internacionais; associacao; ata de reuniao""",
    "business": """
        economia; economia e trabalho; comercio; financas; financas pessoais; financeiro; banco e
        financas; dinheiro; trabalho; empresa; recursos humanos; estoque; precos; pequeno negocio;
        associacao e cooperativa; contas; servico ao cliente; produto; produto e compras; transporte e
        logistica; organizacao de equipe; emprego; carreira; orcamento; nota fiscal; consumo; agricultura;
        restaurante; oficina; planilha; negocios; profissoes""",
    "language": """
        gramatica; lingua; lingua portuguesa; portugues; vocabulario; linguistica; linguagem; escrita;
        redacao; reescrita; correcao; clareza; escola; estudos; estudo; educacao; educacao superior;
        curso; universidade; academico; academia; pesquisa; glossario; resumo; traducao; metodologia; e
        mail; mensagem; educacao e estudo""",
    "culture": """
        cultura; literatura; historia; historia local; historias; arte; artes; musica; musica e artes;
        teatro; museu; cultura popular; filosofia; religiao; cronica e ficcao; conto; poema; biografia;
        biblioteca; arquivo; arquivo e cartas; mitologia; cinema; esporte; esportes; futebol; leitura;
        livro; livros; piada; proverbio; biografias; historia geral; historia do brasil; historia de
        portugal; conceitos historicos; literatura brasileira; literatura mundial; artes visuais; religiao
        e sociedade; folclore""",
    "everyday": """
        cotidiano; cozinha; receita; comida; alimentacao; casa; familia; viagem; turismo; hospedagem;
        transporte; mobilidade; jardinagem; jardim; horta; animais; animais de estimacao; pets; evento;
        eventos; festa; festas; compras; moradia; obra; construcao; amizade; amigos; relacionamento; luto;
        economia domestica; jogos; jogo; saudacao; despedida; agradecimento; vizinhos; vizinhanca;
        crianca; camping; feira; alimentos; culinaria; vida pratica; calendario e feriados""",
}  # fmt: skip


@cache
def _domain_numbers() -> dict[str, int]:
    numbers = {_plain(name): number for number, name in enumerate(DOMAINS)}
    numbers |= {_plain(label): DOMAINS.index(name) for name, label in DOMAIN_LABELS.items()}
    for name, listed in _DOMAIN_NAMES.items():
        numbers |= {" ".join(value.split()): DOMAINS.index(name) for value in listed.split(";")}
    return numbers


@cache
def _emotion_numbers() -> dict[str, int]:
    names = [*zip(EMOTIONS, EMOTIONS, strict=True), *EMOTION_LABELS.items()]
    return {_plain(value): EMOTIONS.index(emotion) for emotion, value in names}


TRAITS: Final = {"persona": PERSONAS, "domain": DOMAINS, "emotion": EMOTIONS}


def traits_of(row: Mapping[str, Any]) -> dict[str, int]:
    """The number of each trait of `TRAITS`, read from the columns of the same names.

    The domain of an encyclopaedia article stands in its column `area`. A name that is not known is UNKNOWN:
    a row may well have a column `domain` that means something else.
    """
    domain = row.get("domain") or row.get("area")
    persona = row.get("persona")
    return {
        "persona": PERSONAS.index(persona) if persona in PERSONAS else UNKNOWN,
        "domain": _domain_numbers().get(_plain(domain), UNKNOWN),
        "emotion": _emotion_numbers().get(_plain(row.get("emotion")), UNKNOWN),
    }


def _plain(value: Any) -> str:
    """Lower case, without accents, words one space apart."""
    if not isinstance(value, str):
        return ""
    decomposed = unicodedata.normalize("NFD", value.lower().replace("_", " ").replace("-", " "))
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())
