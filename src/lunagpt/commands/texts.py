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
TOKENIZER_HELP = "Ferramentas do tokenizador, que divide o texto em pedaços para o modelo."
TOKENIZER_TRAIN_HELP = "Aprende um vocabulário com os textos dados e grava a pasta do tokenizador."
INFO_HELP = "Mostra o que há numa pasta de modelo e confere os arquivos dela."

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
SEED = "Número que torna as respostas repetíveis."
VERBOSE = "Mostra cada etapa na saída de erros e, se houver falha, os detalhes dela."
VERSION = "Mostra a versão e termina."
RECIPE = "Arquivo da receita (.yaml): modelo, dados e treino."
RUN_DIR = (
    "Pasta do treino: registro, curvas, pontos de retomada e o modelo pronto; padrão runs/NOME-DA-RECEITA."
)
PRESET = "Tamanho do modelo: test, nano ou mini, no lugar do que a receita diz."
DATA_ROOT = "Pasta em que estão os dados da receita."
BASE_MODEL = "Pasta do modelo de que o treino parte."
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
OUTPUT_NEEDS_INPUT = "A opção --output só serve junto com --input."

# -- conversation --------------------------------------------------------------------------------------------

LOADING = "Carregando {model}…"
MODEL_WITH_SIZE = "{name}, {parameters} de parâmetros"
BANNER = """LunaGPT {version} · {model}, neste computador
Modelo pequeno: muitas respostas não fazem sentido. Não confie no que ele diz.
Digite sua mensagem. /ajuda mostra os comandos; /sair encerra.
"""
USER_PROMPT = "Você: "
CONTINUATION = "  … "
LUNA_PROMPT = "Luna: "
COMMANDS_INTRO = "Comandos da conversa:"
MULTILINE_HINT = 'Várias linhas: comece e termine com """ (ou Alt+Enter). Ctrl-C interrompe a resposta.'
COMMAND_HELP_HELP = "mostra esta ajuda"
COMMAND_HELP_CLEAR = "esquece a conversa"
COMMAND_HELP_RESET = "esquece a conversa e volta às configurações do início"
COMMAND_HELP_EXIT = "encerra"
CLEARED = "Conversa esquecida. Pode começar outra."
RESET = "Conversa e configurações de volta ao início."
UNKNOWN_COMMAND = "Não conheço o comando {command}."
UNKNOWN_COMMAND_HELP = "/ajuda mostra os que existem."
INTERRUPTED = "[resposta interrompida]"
CUT_OFF = "[resposta cortada em {tokens} tokens; --max-tokens permite mais]"
LOOPED = "[parei porque a resposta começou a se repetir]"
PRESS_AGAIN = "Para sair, tecle Ctrl-C de novo."
GOODBYE = "Até logo!"

# -- questions from a file -----------------------------------------------------------------------------------

FILE_QUESTION = "Pergunta: {text}"
FILE_ANSWER = "Resposta: {text}"
FILE_ERROR = "[sem resposta] {reason}"
FILE_PROGRESS = "Respondendo {number} de {total}…"
FILE_DONE = "{count} respostas em {path}"
FILE_INTERRUPTED = "Interrompido: {count} de {total} respostas em {path}"
FILE_UNREADABLE = 'Não consegui ler "{path}": {reason}.'
FILE_UNWRITABLE = 'Não consegui gravar "{path}": {reason}.'
FILE_EMPTY = 'Não há perguntas em "{path}": escreva uma por linha.'

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

# -- failures ------------------------------------------------------------------------------------------------

ERROR = "Erro: {message}"
TO_CHECK_MODEL = "conferir o modelo"
TO_TRAIN = "treinar"
WARNING = "Aviso: {message}"
UNEXPECTED = "Algo deu errado dentro do LunaGPT ({kind}). Os detalhes estão em {path}"
UNEXPECTED_NO_LOG = "Algo deu errado dentro do LunaGPT ({kind}). Use --verbose para ver os detalhes."
