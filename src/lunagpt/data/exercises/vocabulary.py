"""Words of which exercises are made up. With an article (``o``, ``a``) where they need one."""

from __future__ import annotations

WOMEN = """
Ana Beatriz Daniela Fernanda Helena Joana Karina Marina Olívia Renata Tânia Vera Yara Zilda Aline Camila
Elisa Gabriela Isabel Larissa Natália Priscila Sabrina Valéria Vitória Cecília Luzia Conceição Eunice
Francisca Iracema Lourdes Noêmia Raimunda Teresa Bianca Débora Flávia Giovana Ingrid Jéssica Lívia Nicole
Simone Tainá Adriana Amanda
""".split()  # noqa: SIM905

MEN = """
Caio Eduardo Gustavo Igor Leandro Nelson Paulo Sérgio Ubiratan William Bruno Davi Fábio Heitor Júlio Marcelo
Otávio Rafael Tiago Wagner Antônio Benedito Dirceu Geraldo Jurandir Moacir Osvaldo Sebastião Zeferino
Anderson Cauê Everton Hugo Kauã Murilo Rogério Vinícius Célio
""".split()  # noqa: SIM905

CITIES = [
    "Sobral", "Recife", "Maringá", "Coimbra", "Braga", "Petrolina", "Ouro Preto", "Pelotas", "Santarém",
    "Campina Grande", "Évora", "Joinville", "Palmas", "Mossoró", "Uberaba", "Faro", "Niterói", "Cuiabá",
    "Ilhéus", "Londrina", "Macapá", "Blumenau", "Viseu", "Caruaru", "Anápolis", "Teresina", "Porto Velho",
    "Aveiro", "Santos", "Juazeiro", "Bauru", "Olinda", "Parintins", "Setúbal", "Vitória", "Manaus",
    "Diamantina", "Lajeado", "Picos", "Crato", "Leiria", "Bagé", "Marabá", "Dourados", "Campos", "Itabuna",
    "Guimarães", "Chapecó", "Rio Branco", "São Luís",
]  # fmt: skip

# The same for women and men.
PROFESSIONS = """
dentista jornalista motorista eletricista taxista artista pianista gerente comerciante atendente analista
economista massagista frentista florista maquinista intérprete policial telefonista estilista recepcionista
paisagista agente ajudante vigilante guia violinista cientista sindicalista desenhista
""".split()  # noqa: SIM905

ANIMALS = [
    ("o", "cachorro"), ("o", "gato"), ("o", "papagaio"), ("o", "coelho"), ("o", "cavalo"), ("a", "gata"),
    ("a", "cadela"), ("a", "tartaruga"), ("a", "calopsita"), ("a", "galinha"),
]  # fmt: skip

PETS = """
Bolinha Farofa Pipoca Trovão Nina Tobias Mel Paçoca Faísca Pandora Rex Amora Biscoito Chico Jiló Quindim Fubá
Pituca Tapioca Zeca Cacau Lobo Estrela Pingo
""".split()  # noqa: SIM905

LIKINGS = [
    "café", "futebol", "xadrez", "feijoada", "samba", "cinema", "pão de queijo", "natação", "poesia",
    "jardinagem", "pescaria", "açaí", "teatro", "fado", "bordado", "vôlei", "cuscuz", "caminhada",
    "fotografia", "choro", "tapioca", "astronomia", "capoeira", "bicicleta", "leitura", "violão",
    "doce de leite", "dominó", "cerâmica", "dança",
]  # fmt: skip

COLORS = ["azul", "verde", "amarelo", "vermelho", "roxo", "laranja", "branco", "preto", "rosa", "cinza"]

DAYS = [
    "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo",
]  # fmt: skip

MONTHS = [
    "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro",
    "novembro", "dezembro",
]  # fmt: skip

THINGS = [
    ("o", "arroz"), ("o", "feijão"), ("a", "farinha"), ("o", "açúcar"), ("o", "café"), ("a", "manteiga"),
    ("o", "queijo"), ("a", "banana"), ("a", "laranja"), ("o", "tomate"), ("a", "cebola"), ("o", "sabão"),
    ("a", "lâmpada"), ("o", "caderno"), ("a", "caneta"), ("a", "cadeira"), ("a", "mesa"), ("o", "copo"),
    ("o", "prato"), ("a", "toalha"), ("o", "martelo"), ("a", "furadeira"), ("a", "tinta"), ("o", "cimento"),
    ("o", "parafuso"), ("a", "mochila"), ("o", "guarda-chuva"), ("a", "garrafa"), ("o", "relógio"),
    ("a", "vassoura"),
]  # fmt: skip

PLACES = [
    ("a", "biblioteca"), ("a", "piscina"), ("o", "museu"), ("a", "secretaria"), ("o", "mercado"),
    ("a", "farmácia"), ("o", "posto de saúde"), ("a", "portaria"), ("o", "restaurante"), ("a", "academia"),
    ("o", "parque"), ("a", "padaria"), ("o", "teatro"), ("a", "escola"), ("o", "laboratório"),
    ("a", "quadra"), ("o", "salão de festas"), ("a", "lavanderia"), ("o", "correio"), ("a", "oficina"),
]  # fmt: skip

EVENTS = [
    ("a", "reunião"), ("a", "prova"), ("o", "exame"), ("a", "consulta"), ("a", "festa"), ("a", "viagem"),
    ("a", "entrevista"), ("o", "curso"), ("a", "formatura"), ("a", "mudança"), ("o", "jantar"),
    ("a", "aula de piano"),
]  # fmt: skip

RELATIVES = [
    ("a", "irmã"), ("o", "irmão"), ("o", "filho"), ("a", "filha"), ("a", "mãe"), ("o", "pai"), ("a", "avó"),
    ("o", "vizinho"), ("a", "professora"),
]  # fmt: skip

NOTICES = ["Avisos", "Anotações", "Informações", "Lista", "Quadro", "Caderno", "Registro"]

SYLLABLES = """
ba be bi bo ca co cu da de di do du fa fe fi ga go gui ja jo la le li lo lu ma me mi mo mu na ne ni no pa pe
pi po ra re ri ro sa se si so ta te ti to tu va ve vi vo xa xi za ze zu bra cri dre fla gra pla tri vre nha
lhe
""".split()  # noqa: SIM905

# Too common to ask for.
COMMON_WORDS = frozenset(
    """
    sobre entre quando onde também esses essas estes estas isso isto aquele foram eram estão sendo tinha
    havia pode podem muito muita muitos muitas ainda depois antes desde cada todos todas outro outra outros
    outras mesmo mesma porque assim quase algum alguma alguns algumas maior menor parte vezes
    """.split()  # noqa: SIM905
)
