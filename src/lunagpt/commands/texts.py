"""What the commands say while they work, in one place, so that it can be proofread; the help pages are in
`help_texts`."""

from __future__ import annotations

# -- conversation --------------------------------------------------------------------------------------------

LOADING = "Carregando {model}…"
OPENING_BASE = "Abrindo {base}…"
MODEL_WITH_SIZE = "{name}, {parameters}"
BANNER = """LunaGPT {version} · {model}, neste computador
Modelo pequeno: muitas respostas não fazem sentido. Não confie no que ele diz.
Digite sua mensagem. /ajuda mostra os comandos; /sair encerra.
"""
USER_PROMPT = "Você: "
CONTINUATION = "  … "
LUNA_PROMPT = "Luna: "
THINKING_PROMPT = "Luna (pensando): "
THINKING_HIDDEN = "pensando…"
COMMANDS_INTRO = "Comandos da conversa:"
MULTILINE_HINT = 'Várias linhas: comece e termine com """ (ou Alt+Enter). Ctrl-C interrompe a resposta.'
COMMAND_HELP_HELP = "mostra esta ajuda"
COMMAND_HELP_CLEAR = "esquece a conversa"
COMMAND_HELP_RESET = "esquece a conversa e volta às configurações do início"
COMMAND_HELP_EXIT = "encerra"
COMMAND_HELP_RAG = "procura ou não nos seus documentos (on/off)"
COMMAND_HELP_ENCYCLOPEDIA = "procura ou não na enciclopédia (on/off)"
COMMAND_HELP_THINKING = "mostra ou não o que a Luna pensa antes de responder (on/off)"
COMMAND_HELP_SOURCES = "mostra os trechos por trás da última resposta"
RAG_IS_ON = "A busca nos seus documentos está ligada."
RAG_IS_OFF = "A busca nos seus documentos está desligada."
ENCYCLOPEDIA_IS_ON = "A busca na enciclopédia está ligada."
ENCYCLOPEDIA_IS_OFF = "A busca na enciclopédia está desligada."
THINKING_IS_ON = "O pensamento, quando houver, aparece antes da resposta."
THINKING_ALWAYS = (
    "Este modelo não aprendeu a escolher quando pensar: agora pensa sempre, o que demora mais e, num modelo "
    "pequeno, costuma piorar a resposta."
)
THINKING_IS_OFF = "O pensamento está oculto."
ON_OR_OFF = 'Não entendi "{value}". Use {command} on ou {command} off.'
NO_SOURCES = "A última resposta não veio de documentos: foi o modelo que a escreveu."
NO_ANSWER_YET = "Ainda não há resposta nesta conversa."
SOURCES_QUERY = "Busca: {query}"
SOURCES_NOTHING = "A busca não encontrou nenhum trecho."
SOURCE_PAGE = ", p. {page}"
SOURCE_SCORE = "relevância {score}"
SOURCE_CITED = "citado"
UNTITLED = "sem título"
CLEARED = "Conversa esquecida. Pode começar outra."
RESET = "Conversa e configurações de volta ao início."
UNKNOWN_COMMAND = "Não conheço o comando {command}."
UNKNOWN_COMMAND_HELP = "/ajuda mostra os que existem."
INTERRUPTED = "[resposta interrompida]"
CUT_OFF = "[resposta cortada em {tokens} tokens; --max-tokens permite mais]"
THINKING_CUT_OFF = "[pensamento cortado em {tokens} tokens; --max-thinking-tokens permite mais]"
LOOPED = "[parei porque a resposta começou a se repetir]"
PRESS_AGAIN = "Para sair, tecle Ctrl-C de novo."
GOODBYE = "Até logo!"

# -- questions from a file -----------------------------------------------------------------------------------

FILE_QUESTION = "Pergunta: {text}"
FILE_THINKING = "Pensamento: {text}"
FILE_ANSWER = "Resposta: {text}"
FILE_ERROR = "[sem resposta] {reason}"
FILE_PROGRESS = "Respondendo {number} de {total}…"
FILE_DONE = "{count} respostas em {path}"
FILE_INTERRUPTED = "Interrompido: {count} de {total} respostas em {path}"
FILE_UNREADABLE = 'Não consegui ler "{path}": {reason}. Confira o caminho e as permissões.'
FILE_NO_TEXT = 'O arquivo "{path}" {problem}.'
FILE_UNWRITABLE = 'Não consegui gravar "{path}": {reason}. Confira o caminho, as permissões e o espaço.'
FILE_EMPTY = 'Não há perguntas em "{path}": escreva uma por linha.'

# -- documents -----------------------------------------------------------------------------------------------

INDEX_READING = "Lendo {done} de {total}: {name}"
INDEX_STOPPED = "Interrompido. O que já foi lido está na base; o mesmo comando continua de onde parou."
INDEX_DONE = 'Base "{base}": {documents} em {chunks}. Já dá para perguntar:'
DOCUMENTS = ("documento", "documentos")
PASSAGES = ("trecho", "trechos")
INDEX_NOTHING = (
    'Não há o que indexar em "{folder}": nenhum documento pôde ser lido, e nenhuma base foi criada. Confira '
    "a pasta e os tipos de arquivo."
)
INDEX_EMPTIED = 'A base "{base}" ficou sem documentos: não há mais nenhum em "{folder}" que se possa ler.'
INDEX_TRY = '  luna ask --rag {base} "sua pergunta"'
INDEX_VECTORS = "Vetores: {done} de {total} trechos ({rate} por segundo)"
INDEX_VECTORS_DONE = "Vetores prontos: a busca agora também é pelo significado."
INDEX_VECTORS_STOPPED = "Vetores: {done} de {total} trechos prontos. O mesmo comando continua de onde parou."
VECTORS_UNDER_WAY = (
    "Ainda faltam os vetores de {missing} da base. Eles são calculados agora, durante a conversa; até lá, a "
    "busca acha esses trechos só pelas palavras."
)
VECTORS_PROGRESS = "Vetores: {done} de {total} trechos."
VECTORS_INCOMPLETE = (
    "A busca pelo significado ainda não vê toda a base: faltam os vetores de {missing}. Para completá-los, "
    "repita o comando luna index com que a base foi feita, ou deixe luna chat aberto com ela."
)
INDEX_A_FILE = '"{path}" é um arquivo. Diga a pasta em que ele está.'
INDEX_NO_FOLDER = 'Não há pasta em "{path}". Confira o caminho dos documentos.'
INDEX_INTO_ITSELF = "A base não pode ficar na própria pasta de documentos; escolha outra com --output."

# -- training ------------------------------------------------------------------------------------------------

PREPARE_STAGE = "{recipe}:"
TRAIN_DONE = """Modelo pronto. Para conversar com ele:
  luna chat --model {model}"""
TRAIN_PAUSED = """O tempo acabou antes do fim: o mesmo comando com --resume continua. O modelo até aqui:
  luna chat --model {model}"""
PREPARE_COLUMNS = ("fonte", "exemplos", "tokens", "parte", "voltas")
PREPARED = "Tokens guardados: {tokens}. O treino começa sem reler os textos."
PREPARE_PLANNED = "Tokens que o treino lê ao todo: {tokens}. Parte e voltas são de cada fonte nesse total."
PREPARE_DROPPED = "Diálogos que não cabem em sequence_length e ficam de fora: {named}."

# -- evaluation ----------------------------------------------------------------------------------------------

EVALUATE_ONE_CHOICE = "As opções --suite e --task não combinam: use uma de cada vez."
EVALUATE_JUDGE_BOTH = "Para ter um juiz, diga o endereço (--judge) e o nome do modelo (--judge-model)."
EVALUATE_JUDGE_OF_BEHAVIOURS = "O juiz só vale para os diálogos: junte --suite comportamentos."
EVALUATE_JUDGING = "Notas do juiz: {percent}%"
EVALUATE_JUDGE = "Juiz {judge}: nota média {mean} de 5 (95 %: {low} a {high}), {n} diálogos."
EVALUATE_JUDGE_AGREEMENT = "Concordância com as verificações: {agreement} (0,50 é acaso; 1,00, perfeita)."
EVALUATE_JUDGE_UNREADABLE = "Diálogos a que ele não deu nota legível: {n}."
EVALUATE_OPENING = "Abrindo {model}…"
EVALUATE_BEHAVIOURS = "Diálogos: {percent}%"
TO_EVALUATE = "avaliar modelos"
EVALUATE_PROGRESS = "{number}/{total} {title}: {percent}%"
EVALUATE_HEADING = "{model} ({kind}{parameters})"
EVALUATE_KINDS = {"luna": "LunaGPT", "transformers": "transformers", "gguf": "GGUF", "engine": "motor"}
EVALUATE_COLUMNS = ("valor", "95 %", "acaso", "fixa")
EVALUATE_TASK_LINE = "{title} · {n} {items}"
EVALUATE_ITEMS = ("item", "itens")
EVALUATE_DIRTY = "* NÃO É LIMPO: itens que estão nos dados de treino: {dirty} ({sources}). Sem eles: {value}"
EVALUATE_ALL_DIRTY = "* NÃO É LIMPO: todos estes itens estão nos dados de treino ({sources})."
EVALUATE_VERDICTS = {"não supera resposta fixa": "não supera a fixa"}
EVALUATE_LEGEND = (
    "acaso: respostas sorteadas. fixa: a melhor resposta sempre igual. Um valor dentro do acaso não diz nada "
    "sobre o modelo."
)
EVALUATE_NONE_COMPARED = "Nenhuma destas tarefas foi comparada com os dados de treino."
EVALUATE_CHECKED = (
    "Tarefas comparadas com os dados de treino: {checked} de {total}; sem itens em comum: {clean}."
)
EVALUATE_NO_SOURCES = (
    "Contaminação não verificada: o cartão do modelo não diz em que arquivos ele foi treinado."
)
EVALUATE_NO_REPORT = (
    "Contaminação não verificada: indique com --contamination o relatório que compara treino e avaliação."
)
EVALUATE_SKIPPED = "Ficaram de fora:"
EVALUATE_NOTHING = "Nada pôde ser medido."
EVALUATE_SAVED = "Resultados em {path}"

# -- comparison ----------------------------------------------------------------------------------------------

COMPARE_NEEDS_TWO = "Uma comparação precisa de dois modelos ou mais."
TO_COMPARE = "comparar modelos"
RANDOM_MODEL_NAME = "{preset} sem treino"
COMPARE_PAGE = "relatorio.html"
COMPARE_DATA = "comparacao.json"
COMPARE_EVALUATION = "avaliacao-{name}.json"
COMPARE_NO_PICTURES = "Sem os gráficos em PNG e SVG. {reason}"
COMPARE_WRITTEN = "Relatório em {path} (também em .md, com os gráficos e os dados na mesma pasta)."

# -- model folder --------------------------------------------------------------------------------------------

INFO_NAME = "Modelo"
INFO_FOLDER = "Pasta"
INFO_PARAMETERS = "Parâmetros"
INFO_SHAPE = "Camadas"
INFO_SHAPE_VALUE = "{layers}, de largura {width}"
INFO_VOCABULARY = "Vocabulário"
INFO_CONTEXT = "Contexto"
TOKENS = "{count} tokens"
INFO_SIZE = "Tamanho em disco"
INFO_FILES = "Arquivos"
INFO_FILES_GOOD = "{count}, todos conferem com o manifesto (SHA-256)"

# -- experts -------------------------------------------------------------------------------------------------

TO_INSPECT = "inspecionar um modelo"
INSPECT_ONE_TEXT = "As opções --text e --file não combinam: use uma de cada vez."
INSPECT_NO_LAYER = "Não há especialistas na camada {layer}. As camadas que os têm: {layers}."
INSPECT_HEADING = "{model}: {tokens} tokens de {source}"
INSPECT_FROM_TEXT = "--text"
INSPECT_FROM_ENCYCLOPEDIA = "verbetes da Enciclopédia Luna"
INSPECT_LAYER_HEADING = "Camada {layer}: {experts} especialistas, violação máxima {violation} %, {dead}"
INSPECT_NO_DEAD = "nenhum parado"
INSPECT_DEAD = "parados: {dead}"
INSPECT_EXPERT = "{number:>4} {load:>5} %  {categories}"
INSPECT_TOKENS = "              {tokens}"
INSPECT_IDLE = "sem tokens neste texto"
INSPECT_EVEN = "de tudo um pouco"
INSPECT_CATEGORIES = {
    "punctuation": "pontuação",
    "number": "números",
    "piece": "pedaços de palavra",
    "function": "palavras gramaticais",
    "name": "nomes",
    "word": "outras palavras",
    "space": "espaços",
}
INSPECT_LEGEND = (
    "carga: parte das escolhas. violação: quanto a maior carga passa da média. 2×: recebe o dobro disso do "
    "que a carga dele faria esperar. Os tokens que começam por espaço vêm entre aspas."
)
INSPECT_EMOTIONS = "Emoções lidas no fim do texto"
INSPECT_UNTRAINED = "(todas iguais: a leitura de emoções ainda não foi treinada)"
INSPECT_INFLUENCE = "O que a leitura muda na parte dos especialistas, em pontos percentuais:"
INSPECT_INFLUENCE_LINE = "  camada {layer:>2}: {changes}"
INSPECT_NO_INFLUENCE = "nada"
TO_UPCYCLE = "converter um modelo"
TO_GROW = "acrescentar camadas a um modelo"
TO_AVERAGE = "tirar a média de dois modelos"
TO_PACK = "gravar um modelo"
OUTPUT_EXISTS = 'Já existe "{path}". Escolha outra pasta de saída.'
UPCYCLE_BAD_LAYERS = 'Na opção --layers: "{value}" não serve; use alternate, all ou números como 1,3,5.'
UPCYCLE_DONE = """{path}: camadas com especialistas: {layers}; em cada uma {experts}, {per_token} por token.
Parâmetros: de {before} para {after}.
As respostas são as do modelo de origem até que o treino diferencie os especialistas:
  luna train RECEITA --base-model {path}"""
UPCYCLE_CARD = """

## Especialistas

Convertido de {source} com luna upcycle: {experts} especialistas, {per_token} por token, nas camadas
{layers}, cada um cópia da rede que substitui. Ao nascer, responde como o modelo de origem.
"""
GROW_DONE = """{path}: de {before} para {after} camadas.
Parâmetros: de {parameters_before} para {parameters_after}.
{answers}
  luna train RECEITA --base-model {path}"""
GROW_ANSWERS = {
    "identity": "As respostas são as do modelo de origem até que o treino use as camadas novas:",
    "stack": "As respostas já não são as do modelo de origem; treine-o antes de usar:",
}
GROW_KINDS = {
    "identity": "que ao nascer não mudam nada",
    "stack": "cópias das que havia, com as quais ele só responde bem depois de treinado",
}
AVERAGE_DONE = """{path}: {first_part} % de {first} e {second_part} % de {second}."""
AVERAGE_CARD = """

## Média

Feito com luna average: {first_part} % dos pesos de {first} e {second_part} % dos de {second}.
"""
PACK_DONE = "{path}: {parameters}, {megabytes} MB em {files} arquivos de pesos."
GROW_CARD = """

## Crescimento

Feito de {source} com luna grow. Camadas acrescentadas: {numbers}, {kind}.
"""

# -- failures ------------------------------------------------------------------------------------------------

ERROR = "Erro: {message}"
TO_CHECK_MODEL = "conferir o modelo"
TO_TRAIN = "treinar"
WARNING = "Aviso: {message}"
SYSTEM_REFUSED = (
    "O sistema recusou uma leitura ou gravação: {reason}. Confira o espaço em disco e as permissões; com "
    "--verbose aparece onde foi."
)
SYSTEM_REFUSED_FILE = (
    'Não consegui usar "{path}": {reason}. Confira o caminho, as permissões e o espaço em disco.'
)
UNEXPECTED = "Algo deu errado dentro do LunaGPT ({kind}). Os detalhes estão em {path}"
UNEXPECTED_NO_LOG = "Algo deu errado dentro do LunaGPT ({kind}). Use --verbose para ver os detalhes."
