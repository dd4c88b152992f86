"""What the command line says about itself: help pages, and mistakes in how it is used. See also `texts`."""

from __future__ import annotations

# -- help of the commands ------------------------------------------------------------------------------------

ROOT_HELP = """Luna: um modelo de linguagem em português que roda no seu computador.

Para conversar, use "luna chat". Para perguntar aos seus documentos, use "luna index PASTA" uma vez e depois
"luna ask --rag base PERGUNTA". As opções abaixo também funcionam direto, por exemplo:
luna --query "Quem é você?"."""
CHAT_HELP = """Conversa com a Luna no terminal.

Sem PERGUNTA, abre a conversa (digite /ajuda nela). Com PERGUNTA, responde e termina. Também lê perguntas de
outro programa, uma por linha, como uma conversa só: echo "Olá" | luna chat"""
TRAIN_HELP = """Treina um modelo como manda uma receita (exemplos em configs/treino).

Ctrl-C grava um ponto de retomada e para; o mesmo comando com --resume continua de onde parou. Com várias
receitas, cada uma parte do modelo da anterior."""
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
INSPECT_EXPERTS_HELP = """Mostra quais tokens vão para quais especialistas, camada por camada.

Lê um texto (sem --text nem --file, verbetes da Enciclopédia Luna) e mostra, de cada especialista, a parte da
carga, o que ele recebe mais do que o esperado e os tokens mais próprios dele. Com roteamento emocional,
mostra também a emoção lida em --text ou --file e o que ela muda na escolha."""
UPCYCLE_HELP = """Transforma um modelo denso em um com especialistas, que responde como o original.

Cada especialista começa como cópia da rede que substitui; o treino (luna train --base-model SAÍDA) os
diferencia. MODELO é uma pasta de modelo ou o nome de um que vem com o LunaGPT, como luna-nano."""
GROW_HELP = """Acrescenta camadas a um modelo.

Com --method identity as camadas novas ainda não mudam nada, e ele responde como o original; com stack são
cópias das que há, e só responde bem depois de treinado (luna train --base-model SAÍDA). MODELO é uma pasta
de modelo ou o nome de um que vem com o LunaGPT, como luna-nano."""
AVERAGE_HELP = """Tira a média dos pesos de dois modelos, que precisam ser etapas de um mesmo treino.

Guarda o que a última etapa aprendeu sem tudo o que ela esqueceu. O resultado não foi treinado: meça-o (luna
evaluate) antes de usar."""
PACK_HELP = """Grava a cópia de um modelo para distribuir: pesos em 16 bits, em arquivos de até 95 MB.

Um modelo em models/NOME do repositório do LunaGPT é achado pelo nome: luna chat --model NOME."""
EVALUATE_HELP = """Mede modelos em conjuntos de avaliação e mostra cada número com o intervalo de 95 %,
o acaso e o que uma resposta fixa alcança.

MODELO é luna-nano, uma pasta de modelo (do LunaGPT ou do transformers), um arquivo .gguf, ou a palavra
aleatorio: um modelo sem treino, para saber o que se acerta sem saber nada (aleatorio:mini muda o tamanho).
Sem --suite nem --task, cada arquivo dos dados é medido com as tarefas dele. docs/avaliacao.md explica o
resto."""

COMPARE_HELP = """Compara modelos nos mesmos itens e escreve um relatório: o que é diferença, o que é acaso.

MODELO é o que luna evaluate aceita (também a palavra aleatorio, um modelo sem treino), ou um arquivo de
resultados (.json) dele. Os outros são comparados com o primeiro."""

USAGE_HEADING = "Uso"
ARGUMENTS_HEADING = "Argumentos"
OPTIONS_HEADING = "Opções"
COMMANDS_HEADING = "Comandos"
TALK_COMMANDS = "Conversar e perguntar"
MAKING_COMMANDS = "Treinar e medir"
MODEL_COMMANDS = "Ver e transformar modelos"
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
MODEL = "Pasta ou nome do modelo; sem ela, vale o da configuração ou o que vem com o LunaGPT."
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
RECIPE = "Arquivos das receitas (.yaml), em ordem; cada um diz modelo, dados e treino."
RUN_DIR = (
    "Pasta do treino: registro, curvas, pontos de retomada e o modelo pronto; padrão runs/NOME-DA-RECEITA. "
    "Com várias receitas, a pasta em que cada uma tem a sua."
)
PRESET = "Tamanho do modelo: test, nano, small ou mini, no lugar do que a receita diz."
DATA_ROOT = "Pasta em que estão os dados da receita."
BASE_MODEL = "Modelo de que o treino (a primeira receita) parte; pode ser uma pasta do transformers."
PREPARE = "Só lê os dados e grava os tokens no cache, para o treino começar logo; mostra a mistura."
RESUME = "Continua do último ponto de retomada."
RESUME_FROM = "Continua deste ponto de retomada."
MAX_STEPS = "Passos do treino ao todo, no lugar do que a receita diz; com várias receitas, de cada uma."
MAX_MINUTES = "Depois destes minutos, grava um ponto de retomada e para."
DECAY_NOW = "Desce a taxa de aprendizado a partir de agora, em tantos passos, e termina."
THREADS = "Linhas de execução (threads) da CPU."
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
UPCYCLE_MODEL = "Pasta do modelo denso, ou o nome de um que vem com o LunaGPT."
UPCYCLE_OUTPUT = "Pasta a gravar; não pode existir."
UPCYCLE_EXPERTS = "Especialistas por camada; padrão {default}."
UPCYCLE_PER_TOKEN = "Especialistas que cada token usa; padrão {default}."
UPCYCLE_LAYERS = "Camadas: alternate (uma sim, outra não), all, ou números como 1,3,5; padrão {default}."
UPCYCLE_EMOTIONAL = "Liga também o roteamento emocional, que se treina com a coluna emotion dos dados."
GROW_MODEL = "Pasta do modelo, ou o nome de um que vem com o LunaGPT."
AVERAGE_FIRST = "Pasta do primeiro modelo."
AVERAGE_SECOND = "Pasta do segundo."
AVERAGE_WEIGHT = "Parte do segundo modelo, de 0 a 1; padrão {default}."
PACK_MODEL = "Pasta do modelo."
PACK_DTYPE = "Tipo dos números: float16, bfloat16 ou float32; padrão {default}."
GROW_LAYERS = "Camadas a acrescentar; padrão 1."
GROW_METHOD = "identity (ainda não mudam nada) ou stack (cópias); padrão identity."
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

CONTAMINATION_HELP = """Mostra que linhas de avaliação estão, palavra por palavra, nos dados de treino.

Com -o grava o relatório que luna evaluate --contamination lê."""
CONTAMINATION_TRAINING = "Arquivos, pastas ou padrões com os dados de treino."
CONTAMINATION_EVALUATION = "Arquivo ou pasta de avaliação; pode ser repetida."
CONTAMINATION_ROOT = "Pasta de base dos caminhos relativos."
CONTAMINATION_NGRAM = "Palavras por sequência; padrão 13."
CONTAMINATION_OUTPUT = "Grava o relatório em JSON neste arquivo."
CONTAMINATION_MARKDOWN = "Grava a tabela em Markdown neste arquivo."

COMPARE_MODELS = "Modelos a comparar, dois ou mais; o primeiro é a referência."
COMPARE_SUITE = "Lista de tarefas: rapida, completa ou um arquivo .yaml; sem ela e sem --data, rapida."
COMPARE_OUTPUT = "Pasta do relatório; padrão {default}."
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
    "A opção --rag precisa saber onde procurar: indique a base com --knowledge-base BASE, ou na "
    "configuração (rag.knowledge_base_path)."
)
QUESTION_WITHOUT_WORDS = "A pergunta não tem nenhuma palavra. Escreva o que quer saber."
RAG_ON_AND_OFF = "As opções {first} e --disable-rag se contradizem: use só uma."
RESUME_FROM_ONE = "A opção --resume-from vale para uma receita só; para continuar a sequência, use --resume."
OUTPUT_NEEDS_INPUT = "A opção --output só serve junto com --input."
