"""Every text that the command line shows, in one place, so that it can be proofread."""

from __future__ import annotations

# -- help of the commands ------------------------------------------------------------------------------------

ROOT_HELP = """Luna: um modelo de linguagem em português que roda no seu computador.

Para conversar, use "luna chat". As opções abaixo também funcionam direto, por exemplo:
luna --query "Quem é você?"."""
CHAT_HELP = """Conversa com a Luna no terminal.

Sem PERGUNTA, abre a conversa (digite /ajuda nela). Com PERGUNTA, responde e termina. Também lê perguntas de
outro programa, uma por linha, como uma conversa só: echo "Olá" | luna chat"""
TRAIN_HELP = """Treina um modelo como manda uma receita (exemplos em configs/treino).

Ctrl-C grava um ponto de retomada e para; o mesmo comando com --resume continua de onde parou."""
INDEX_HELP = """Lê uma pasta de documentos e grava uma base em que a Luna procura respostas.

Na segunda vez, lê só o que mudou. Depois de lidos, os documentos já podem ser consultados pelas palavras; os
vetores, para a busca pelo significado, vêm em seguida (Ctrl-C para; o mesmo comando continua de onde
parou)."""
ASK_HELP = """Responde a uma pergunta com base em documentos e diz de onde tirou a resposta.

Se os documentos não trazem a resposta, diz isso e onde procurou. Sem --rag, procura na Enciclopédia Luna."""
TOKENIZER_HELP = "Ferramentas do tokenizador, que divide o texto em pedaços para o modelo."
TOKENIZER_TRAIN_HELP = "Aprende um vocabulário com os textos dados e grava a pasta do tokenizador."
INFO_HELP = "Mostra o que há numa pasta de modelo e confere os arquivos dela."
INSPECT_HELP = "Mostra o que acontece dentro de um modelo."
INSPECT_EXPERTS_HELP = """Mostra que tokens vão para que especialistas, camada por camada.

Lê um texto (sem --text nem --file, artigos da Enciclopédia Luna) e mostra, de cada especialista, a parte da
carga, o que ele recebe mais do que o esperado e os tokens mais próprios dele. Com roteamento emocional,
mostra também a emoção lida em --text ou --file e o que ela muda na escolha."""
UPCYCLE_HELP = """Faz de um modelo denso um modelo com especialistas, que responde como o original.

Cada especialista começa como cópia da rede que substitui; o treino (luna train --base-model SAIDA) os
diferencia. MODELO é uma pasta de modelo ou luna-nano."""
GROW_HELP = """Faz de um modelo um mais fundo, com mais camadas.

Com --method identity as camadas novas ainda nada mudam, e ele responde como o original; com stack são cópias
das que há, e só responde bem depois de treinado (luna train --base-model SAIDA). MODELO é uma pasta de
modelo ou luna-nano."""
EVALUATE_HELP = """Mede modelos em conjuntos de avaliação e mostra cada número com o intervalo de 95 %,
o acaso e o que uma resposta fixa alcança.

MODELO é luna-nano, uma pasta de modelo (do LunaGPT ou do transformers) ou um arquivo .gguf. Sem --suite nem
--task, cada arquivo dos dados é medido com as tarefas dele. docs/avaliacao.md explica o resto."""

COMPARE_HELP = """Compara modelos nos mesmos itens e escreve um relatório: o que é diferença, o que é acaso.

MODELO é o que luna evaluate aceita, um arquivo de resultados (.json) dele, ou a palavra aleatorio: um modelo
sem treino, para saber o que se acerta sem saber nada (aleatorio:mini muda o tamanho). Os outros são
comparados com o primeiro."""

USAGE_HEADING = "Uso"
ARGUMENTS_HEADING = "Argumentos"
OPTIONS_HEADING = "Opções"
COMMANDS_HEADING = "Comandos"
OPTIONS_METAVAR = "[OPÇÕES]"
COMMAND_METAVAR = "COMANDO [ARGUMENTOS]..."
HELP_OPTION = "Mostra esta ajuda."
REQUIRED = "(obrigatório)"

# -- help of arguments and options ---------------------------------------------------------------------------

QUESTION = "Pergunta para uma resposta só; as aspas são opcionais."
INTERACTIVE = "Abre a conversa, como luna chat."
QUERY = "Responde a esta pergunta e termina."
INPUT = "Arquivo de texto com uma pergunta por linha; cada uma é respondida sem lembrar das outras."
OUTPUT = "Arquivo para as respostas de --input; sem ela, vão para a tela."
CONFIG = "Arquivo de configuração (.json ou .yaml)."
MODEL = "Pasta do modelo; sem ela, vale a da configuração ou o modelo que vem com o LunaGPT."
SYSTEM = "Instruções que o modelo lê antes da conversa."
TEMPERATURE = "Quanto o acaso pesa: 0 escolhe sempre a palavra mais provável; padrão {default}."
TOP_P = "Sorteia só entre as palavras mais prováveis que somam esta probabilidade; padrão {default}."
MAX_TOKENS = "Tamanho máximo de cada resposta, em tokens (pedaços de palavra); padrão {default}."
SHOW_THINKING = "Mostra o que a Luna pensa antes de responder; um modelo pequeno pensa devagar e erra."
MAX_THINKING_TOKENS = "Tamanho máximo do pensamento, em tokens; depois dele vem a resposta; padrão {default}."
SEED = "Número que torna as respostas repetíveis."
VERBOSE = "Mostra cada etapa na saída de erros e, se houver falha, os detalhes dela."
VERSION = "Mostra a versão e termina."
RAG = "Procura as respostas nos documentos da base (veja --knowledge-base)."
KNOWLEDGE_BASE = "Base feita com luna index, ou pasta de documentos, que então é lida na hora."
DISABLE_RAG = "Não procura nada, nem em documentos nem na enciclopédia: só o modelo responde."
NO_ENCYCLOPEDIA = "Não procura na enciclopédia que vem com o LunaGPT."
DOCUMENTS = "Pasta com os documentos (txt, md, pdf, docx, html, csv, json, jsonl, yaml, xml)."
BASE_OUTPUT = "Pasta da base a gravar ou atualizar; padrão {default}."
FILE_TYPE = "Lê só arquivos deste tipo, por exemplo pdf; pode ser repetida."
NO_VECTORS = "Não calcula os vetores: a base é consultada só pelas palavras."
ASK_BASE = "Base feita com luna index, ou pasta de documentos, que então é lida na hora."
ASK_QUESTION = "A pergunta; as aspas são opcionais."
ASK_JSON = "Mostra a resposta, as citações e os trechos em JSON."
RECIPE = "Arquivo da receita (.yaml): modelo, dados e treino."
RUN_DIR = (
    "Pasta do treino: registro, curvas, pontos de retomada e o modelo pronto; padrão runs/NOME-DA-RECEITA."
)
PRESET = "Tamanho do modelo: test, nano ou mini, no lugar do que a receita diz."
DATA_ROOT = "Pasta em que estão os dados da receita."
BASE_MODEL = "Pasta do modelo de que o treino parte; pode ser uma do transformers."
PREPARE = "Só lê os dados e grava os tokens no cache, para o treino começar logo; mostra a mistura."
PREPARE_COLUMNS = ("fonte", "exemplos", "tokens", "parte", "voltas")
PREPARED = "Tokens guardados: {tokens}. O treino começa sem reler os textos."
PREPARE_PLANNED = "Tokens que o treino lê ao todo: {tokens}. Parte e voltas são de cada fonte nesse total."
PREPARE_DROPPED = "Diálogos que não cabem em sequence_length e ficam de fora: {named}."
RESUME = "Continua do último ponto de retomada."
RESUME_FROM = "Continua deste ponto de retomada."
MAX_STEPS = "Passos do treino ao todo."
MAX_MINUTES = "Minutos desta vez."
DECAY_NOW = "Desce a taxa de aprendizado nestes passos e termina."
THREADS = "Linhas de execução da CPU."
CHANGE = "Muda um ajuste da receita; pode ser repetida."
DATA = "Arquivos (.txt, .md, .jsonl, .parquet) ou pastas com eles."
VOCAB_SIZE = "Tamanho do vocabulário, em tokens; padrão {default}."
TOKENIZER_OUTPUT = "Pasta a gravar; padrão {default}."
TOKENIZER_RECIPE = "Arquivo .json com o peso de cada grupo de textos e a parte aprendida dentro dos morfemas."
HELD_OUT = "Arquivo de texto cujos trechos não podem entrar no treino; pode ser repetida."
INFO_MODEL = "Pasta do modelo; sem ela, o modelo que vem com o LunaGPT."
INSPECT_TEXT = "Texto a ler."
INSPECT_FILE = "Arquivo de texto a ler."
INSPECT_LAYER = "Só esta camada, contada a partir de 0; pode ser repetida."
INSPECT_MAX_TOKENS = "Lê no máximo estes tokens; padrão {default}."
UPCYCLE_MODEL = "Pasta do modelo denso, ou luna-nano."
UPCYCLE_OUTPUT = "Pasta a gravar; não pode existir."
UPCYCLE_EXPERTS = "Especialistas por camada; padrão {default}."
UPCYCLE_PER_TOKEN = "Especialistas que cada token usa; padrão {default}."
UPCYCLE_LAYERS = "Camadas: alternate (uma sim, outra não), all, ou números como 1,3,5; padrão {default}."
UPCYCLE_EMOTIONAL = "Liga também o roteamento emocional, que se treina com a coluna emotion dos dados."
GROW_MODEL = "Pasta do modelo, ou luna-nano."
GROW_LAYERS = "Camadas a acrescentar; padrão 1."
GROW_METHOD = "identity (ainda nada mudam) ou stack (cópias); padrão identity."
GROW_POSITION = "end (depois da última camada) ou spread (espalhadas entre elas); padrão end."
EVALUATE_MODELS = "Modelos a medir, um ou mais."
EVALUATE_DATA = (
    "Arquivo ou pasta de avaliação; pode ser repetida. Sem ela, valem os conjuntos que vêm com o LunaGPT e a "
    "pasta da variável LUNA_EVAL_DATA (ou corpus/eval)."
)
EVALUATE_SUITE = (
    "Lista de tarefas: rapida, completa ou um arquivo .yaml; comportamentos são diálogos com roteiro."
)
EVALUATE_TASK = "Uma tarefa pelo nome; pode ser repetida."
EVALUATE_LIMIT = "Itens de cada tarefa, sorteados; no lugar dos limites da suíte."
EVALUATE_JSON = "Arquivo para os resultados; com vários modelos, uma pasta."
EVALUATE_SEED = "Semente do sorteio dos itens; padrão 0."
EVALUATE_JUDGE_ADDRESS = (
    "Com --suite comportamentos: endereço de um servidor compatível com a API da OpenAI, até /v1, em que um "
    "modelo dá notas às conversas. A chave, se houver, vem da variável LUNA_JUDGE_API_KEY ou OPENAI_API_KEY."
)
EVALUATE_JUDGE_MODEL = "Nome do modelo juiz nesse servidor."
EVALUATE_CONTAMINATION = "Relatório do que treino e avaliação têm em comum (.json)."

COMPARE_MODELS = "Modelos a comparar, dois ou mais; o primeiro é a referência."
COMPARE_SUITE = "Lista de tarefas: rapida, completa ou um arquivo .yaml; sem ela e sem --data, rapida."
COMPARE_OUTPUT = "Pasta do relatório; padrão {default}."
COMPARE_LIMIT = "Itens de cada tarefa, sorteados; no lugar dos limites da suíte."
COMPARE_NO_SPEED = "Não mede velocidade e memória."

# -- mistakes on the command line ----------------------------------------------------------------------------

SEE_HELP = 'Veja como usar com "{command} --help".'
NO_SUCH_OPTION = "Não conheço a opção {option}."
NO_SUCH_COMMAND = 'Não conheço o comando "{command}".'
MISSING_COMMAND = "Falta dizer o comando."
MISSING_PARAMETER = "Falta o argumento {name}."
OPTION_NEEDS_VALUE = "A opção {option} precisa de um valor."
OPTION_TAKES_NO_VALUE = "A opção {option} não aceita valor."
EXTRA_ARGUMENTS = "Sobrou na linha de comando: {arguments}"
BAD_VALUE = "Na opção {name}: {reason}"
DID_YOU_MEAN = "Você quis dizer {guess}?"
NOT_A_NUMBER = '"{value}" não é um número.'
NOT_AN_INTEGER = '"{value}" não é um número inteiro.'
OUT_OF_RANGE = "{value} não serve; use {range}."
OPTION_BEFORE_COMMAND = "A opção {option} vem depois do comando: {command} {option} ..."
ONE_MODE_ONLY = "As opções {first} e {second} não combinam: use uma de cada vez."
RAG_NEEDS_BASE = (
    "A opção --rag precisa saber onde procurar: indique a base com --knowledge-base, ou na configuração "
    "(rag.knowledge_base_path)."
)
RAG_ON_AND_OFF = "As opções {first} e --disable-rag se contradizem: use só uma."
OUTPUT_NEEDS_INPUT = "A opção --output só serve junto com --input."

# -- conversation --------------------------------------------------------------------------------------------

LOADING = "Carregando {model}…"
OPENING_BASE = "Abrindo {base}…"
MODEL_WITH_SIZE = "{name}, {parameters} de parâmetros"
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
FILE_UNREADABLE = 'Não consegui ler "{path}": {reason}.'
FILE_UNWRITABLE = 'Não consegui gravar "{path}": {reason}.'
FILE_EMPTY = 'Não há perguntas em "{path}": escreva uma por linha.'

# -- documents -----------------------------------------------------------------------------------------------

INDEX_READING = "Lendo {done} de {total}: {name}"
INDEX_DONE = "Base {base}: {documents} em {chunks}. Já dá para perguntar:"
ONE_DOCUMENT = "1 documento"
MANY_DOCUMENTS = "{count} documentos"
ONE_PASSAGE = "1 trecho"
MANY_PASSAGES = "{count} trechos"
INDEX_EMPTY = "Base {base}: nenhum documento. Confira a pasta e os tipos de arquivo."
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
INDEX_NO_FOLDER = 'Não há pasta em "{path}". Confira o caminho dos documentos.'
INDEX_INTO_ITSELF = "A base não pode ficar na própria pasta de documentos; escolha outra com --output."

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
EVALUATE_TASK_LINE = "{title} · {n} itens"
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
EVALUATE_SAVED = "Resultados em {path}"

# -- comparison ----------------------------------------------------------------------------------------------

COMPARE_NEEDS_TWO = "Uma comparação precisa de dois modelos ou mais."
TO_COMPARE = "comparar modelos"
COMPARE_RANDOM_NAME = "{preset} sem treino"
COMPARE_PAGE = "relatorio.html"
COMPARE_DATA = "comparacao.json"
COMPARE_EVALUATION = "avaliacao-{name}.json"
COMPARE_NO_PICTURES = "Sem os gráficos em PNG e SVG. {reason}"
COMPARE_WRITTEN = "Relatório em {path} (também em .md, com os gráficos e os dados na mesma pasta)."

# -- model folder --------------------------------------------------------------------------------------------

NO_SHIPPED_MODEL = (
    "Esta instalação veio sem o modelo luna-nano. "
    "Reinstale o LunaGPT, ou diga outra pasta de modelo com --model."
)
NO_SUCH_FOLDER = (
    'Não há pasta de modelo em "{path}". Confira o caminho, ou deixe a opção de fora para usar o luna-nano.'
)
INFO_NAME = "Modelo"
INFO_FOLDER = "Pasta"
INFO_PARAMETERS = "Parâmetros"
INFO_SHAPE = "Forma"
INFO_SHAPE_VALUE = "{layers} camadas de largura {width}"
INFO_VOCABULARY = "Vocabulário"
INFO_CONTEXT = "Contexto"
TOKENS = "{count} tokens"
INFO_SIZE = "Tamanho em disco"
INFO_FILES = "Arquivos"
INFO_FILES_GOOD = "{count}, todos conferem com o manifesto (SHA-256)"

# -- experts -------------------------------------------------------------------------------------------------

TO_INSPECT = "inspecionar um modelo"
INSPECT_ONE_TEXT = "As opções --text e --file não combinam: use uma de cada vez."
INSPECT_NO_LAYER = "Não há especialistas na camada {layer}; eles estão nas camadas {layers}."
INSPECT_HEADING = "{model}: {tokens} tokens de {source}"
INSPECT_FROM_TEXT = "--text"
INSPECT_FROM_ENCYCLOPEDIA = "artigos da Enciclopédia Luna"
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
OUTPUT_EXISTS = 'Já existe "{path}". Escolha outra pasta de saída.'
UPCYCLE_BAD_LAYERS = '"{value}" não serve; use alternate, all ou números de camadas como 1,3,5'
UPCYCLE_DONE = """{path}: {layers} camadas com {experts} especialistas, {per_token} por token.
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
    "identity": "que ao nascer nada mudam",
    "stack": "cópias das que havia, com as quais ele só responde bem depois de treinado",
}
GROW_CARD = """

## Crescimento

Feito de {source} com luna grow. Camadas acrescentadas: {numbers}, {kind}.
"""

# -- failures ------------------------------------------------------------------------------------------------

ERROR = "Erro: {message}"
TO_CHECK_MODEL = "conferir o modelo"
TO_TRAIN = "treinar"
WARNING = "Aviso: {message}"
UNEXPECTED = "Algo deu errado dentro do LunaGPT ({kind}). Os detalhes estão em {path}"
UNEXPECTED_NO_LOG = "Algo deu errado dentro do LunaGPT ({kind}). Use --verbose para ver os detalhes."
