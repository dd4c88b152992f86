"""Portuguese words that carry no subject: ignored in queries, kept in the index.

Closed word classes, the forms of the auxiliary verbs, and the words with which people wrap a request
("me explique", "gostaria de saber"). Written for this project.
"""

from __future__ import annotations

_ARTICLES_AND_PREPOSITIONS = """
o a os as um uma uns umas ao aos à às do da dos das no na nos nas num numa nuns numas dum duma pelo pela pelos
pelas de em por para pra pro pras pros com sem sob sobre entre até desde após ante perante contra durante
mediante segundo conforme
"""

_PRONOUNS = """
eu tu ele ela nós vós eles elas você vocês gente me te se lhe lhes nos vos mim ti si comigo contigo consigo
conosco convosco lo la los las meu minha meus minhas teu tua teus tuas seu sua seus suas nosso nossa nossos
nossas vosso vossa vossos vossas dele dela deles delas nele nela neles nelas este esta estes estas esse essa
esses essas aquele aquela aqueles aquelas isto isso aquilo deste desta destes destas desse dessa desses dessas
daquele daquela daqueles daquelas disto disso daquilo neste nesta nestes nestas nesse nessa nesses nessas
naquele naquela naqueles naquelas nisto nisso naquilo àquele àquela àqueles àquelas àquilo mesmo mesma mesmos
mesmas próprio própria próprios próprias outro outra outros outras algum alguma alguns algumas nenhum nenhuma
nenhuns nenhumas todo toda todos todas tudo nada algo alguém ninguém cada qualquer quaisquer tal tais
"""

_QUESTION_WORDS = """
que quê quem qual quais quanto quanta quantos quantas quando onde aonde donde como porque porquê cujo cuja
cujos cujas
"""

_CONJUNCTIONS_AND_ADVERBS = """
e ou nem mas porém contudo todavia entretanto portanto logo pois embora se caso enquanto assim então também
já ainda não sim só apenas somente muito muita muitos muitas pouco pouca poucos poucas mais menos tão tanto
tanta tantos tantas bem mal aqui ali lá cá aí agora hoje sempre nunca jamais talvez antes depois
"""

_AUXILIARIES = """
é és sou são somos era eras éramos eram fui foi fomos foram fora serei será seremos serão seria seriam seja
sejam sejamos fosse fossem for forem ser sendo sido estou está estás estamos estão estava estavam estive
esteve estivemos estiveram esteja estejam estivesse estivessem estiver estiverem estar estando estado tenho
tem tens temos têm tinha tinham tive teve tivemos tiveram tenha tenham tivesse tivessem tiver tiverem terei
terá terão teria teriam ter tendo tido hei há havia haviam houve houveram haja hajam houvesse houver haverá
haver havendo havido vou vai vamos vão ir pode podem poderia posso podemos poder deve devem devo
"""

_REQUESTS = """
explique explica explicar fale falar diga dizer resuma descreva cite liste mostre gostaria queria quero saber
favor funciona funcionam significa significam serve servem existe existem acontece
"""

PORTUGUESE = frozenset(
    " ".join(
        (
            _ARTICLES_AND_PREPOSITIONS,
            _PRONOUNS,
            _QUESTION_WORDS,
            _CONJUNCTIONS_AND_ADVERBS,
            _AUXILIARIES,
            _REQUESTS,
        )
    ).split()
)
