"""Why a file was not read: the Portuguese sentences that a user sees, in one place."""

from __future__ import annotations

from lunagpt.errors import DataError
from lunagpt.reporting.numbers import number


class FileProblem(DataError):
    """A file cannot be read; the message is a Portuguese phrase that fits after the file's name and ":"."""


# -- the file itself -----------------------------------------------------------------------------------------

MISSING = "não existe; confira o caminho"
UNREADABLE = "não pôde ser aberto ({reason}); confira se o arquivo está acessível"
FORBIDDEN = "não pôde ser aberto: falta permissão de leitura"
NOT_REGULAR = "não é um arquivo comum (é uma pasta, um dispositivo ou um canal)"
TOO_LARGE = "tem {size}, e o limite é {limit}; divida em arquivos menores"
EMPTY = "está vazio"
NO_TEXT = "não tem texto"
BINARY = "não é texto (parece {kind}); confira a extensão do nome"
BINARY_UNKNOWN = "não é texto: tem bytes que não são de letras; confira se é o arquivo certo"
TOO_MUCH_TEXT = "tem mais de {limit} milhões de caracteres; divida em arquivos menores"
TOO_MANY_ROWS = "tem mais de {limit} registros; divida em arquivos menores"
UNKNOWN_FORMAT = "tem um formato que não é lido; formatos lidos: {formats}"

# -- broken or hostile content -------------------------------------------------------------------------------

TOO_DEEP = "tem mais de {limit} níveis, um dentro do outro; parece malfeito de propósito"
TOO_MANY_NODES = (
    "cresce demais ao ser aberto (mais de {limit} milhões de valores); parece malfeito de propósito"
)
BROKEN = "está com defeito: {reason}; abra no programa de origem e salve de novo"
BROKEN_ROWS = "não tem nenhuma linha que possa ser lida (a primeira: {reason})"
ENTITIES = (
    "define entidades XML, que podem crescer sem limite ou ler outros arquivos; por segurança, não é lido"
)
ZIP_TOO_BIG = "cresce demais ao ser aberto (mais de {limit} MB); parece malfeito de propósito"
ZIP_TOO_MANY = "tem mais de {limit} partes; parece malfeito de propósito"
MEMORY = "precisou de memória demais e a leitura foi interrompida"
TIME = "demorou mais de {limit} segundos e a leitura foi interrompida"
CRASHED = "derrubou o leitor deste formato; o arquivo deve estar com defeito"
UNEXPECTED = "tem um conteúdo que o leitor não esperava ({kind})"

# -- formats -------------------------------------------------------------------------------------------------

SCANNED = (
    "é um PDF escaneado, só com imagens: precisa de OCR. Passe por um programa de OCR "
    '(por exemplo, "ocrmypdf -l por entrada.pdf saida.pdf") e tente de novo'
)
PDF_LOCKED = "é um PDF com senha; salve uma cópia sem senha e tente de novo"
PDF_CIPHER = (
    "é um PDF cifrado que este leitor não abre; instale o outro leitor com "
    'pip install "lunagpt[rag]", ou salve uma cópia sem proteção'
)
NOT_DOCX = (
    "não é um .docx (um .doc antigo ou com senha?); abra no editor de textos e salve como .docx, sem senha"
)

# -- notices: the file was read, but not as it may seem ------------------------------------------------------

SOME_PAGES_SCANNED = "sem texto nas páginas {pages} (imagens?); para ler tudo, passe por um programa de OCR"
PAGES_CUT = "lidas só as primeiras {limit} páginas de {total}"
ROWS_BROKEN = "{count} de {total} linhas não puderam ser lidas (a primeira: {reason})"
DOUBTFUL_ENCODING = "alguns caracteres vieram com defeito e aparecem como \ufffd"
UNBALANCED_QUOTES = "aspas sem par; lido sem levar as aspas em conta"
REPAIRED = "o XML tinha defeitos e foi lido só até onde era possível"

# -- skipped without being opened ----------------------------------------------------------------------------

SKIPPED_FORMAT = "formato não lido ({suffix})"
SKIPPED_NO_SUFFIX = "nome sem extensão"
SKIPPED_LINK = "atalho (link simbólico); os atalhos não são seguidos"
SKIPPED_SPECIAL = "não é um arquivo comum"
SKIPPED_TEMPORARY = "arquivo temporário"
SKIPPED_FOLDER = "pasta que o sistema não deixou abrir"
SKIPPED_DEEP_FOLDER = "pasta aninhada demais"


def megabytes(size: int) -> str:
    """``"12,5 MB"``: a size in bytes as people read it."""
    if size < 1 << 20:
        return f"{number(max(size, 1) / 1024, 1)} KB"
    return f"{number(size / (1 << 20), 1)} MB"
