"""What a full stop after a Portuguese word means: the closed lists behind :mod:`lunagpt.data.sentences`.

Words are in lower case, without the final stop; stops inside stay (``"p.ex"``, ``"a.c"``).
"""

from __future__ import annotations


def words_of(*lines: str) -> frozenset[str]:
    """The words of `lines`, which are separated by spaces."""
    return frozenset(word for line in lines for word in line.split())


#: A sentence never ends here: what the abbreviation announces follows.
NEVER_LAST = words_of(
    # forms of address, professions, ranks
    "dr dra drs dras drª sr sra srs sras srta srtas srª prof profa profª profs profas engº engª eng enga",
    "arq exmo exma exmos exmas ilmo ilma ilmos ilmas revmo revma rev fr mr mrs ms mme mlle sto sta sgt cb",
    "sd gen cel maj ten alm brig des desa dep sen gov pres min rel pe v.exa v.exª v.sa v.sª exª exa sª sa",
    # streets and buildings
    "av pça pç tv trav rod estr lgo vl jd pq cj ed bl apt apto ap qd lt sl cx",
    # parts of laws, books and papers
    "art arts inc incs cap caps tít tit seç sec vol vols pp pág págs pag pags fl fls nº nºs núm fig figs",
    "tab eq ref refs vd vid cf cfr ex p.ex i.e e.g v.g vs ibid id idem súm enunc trad coord org orgs",
    "adapt ampl proc reqte reqdo apte apdo agte agdo matr dec res port resp séc sécs ca aprox tel tels",
    "cód obs",
)

#: A sentence ends here only if the next word is one that opens sentences.
LAST_BEFORE_OPENER = words_of(
    "jr corp co cia bros st al sp spp ssp subsp loc cit op depto dept univ u.s ph.d m.sc d.sc b.sc esq"
)

#: A sentence ends here if the next word starts with a capital letter.
LAST_BEFORE_CAPITAL = words_of(
    "etc s.a ltda eireli a.c d.c a.m p.m ss segs s.d s.n s.l v.u abs att q.e.d p.s"
)

#: Units of measure: behind a number their stop is that of the sentence.
UNITS = words_of("h min seg s m g kg km l ml cm mm t")

#: Words of their own that are abbreviations in front of a number: "par. 3", "nos. 4 e 5".
ABBREVIATION_BEFORE_NUMBER = words_of("par nos no col pos mod cláus quadro lin lei alín bol reg")

#: Months: abbreviated in front of a year.
MONTHS = words_of("jan fev mar abr mai jun jul ago set out nov dez")

#: Nouns that a capital letter identifies, so that the stop behind that letter ends the sentence.
LABELLED = words_of(
    "vitamina vitaminas hepatite plano ponto pontos letra alternativa opção item grupo turma classe tipo",
    "série categoria bloco anexo figura tabela quadro gráfico nota fator século sala ala setor seção",
    "parte cláusula equipe time linha nível zona região fase etapa caso exemplo variável conjunto reta",
    "vértice segmento matriz influenza gripe apêndice capítulo título livro volume tomo ato cena canto",
)

#: Words that, with a capital, open sentences and hardly ever follow an abbreviation or an initial inside one.
OPENERS = words_of(
    "o a os as um uma uns umas ele ela eles elas eu nós você vocês isso isto aquilo este esta estes estas",
    "esse essa esses essas aquele aquela aqueles aquelas seu sua seus suas meu minha nosso nossa todo",
    "toda todos todas cada algum alguma alguns algumas muitos muitas vários várias outro outra outros",
    "outras ninguém nada tudo alguém quem qual quais que onde quando como quanto por para com sem sob",
    "sobre entre até após desde contra perante durante segundo conforme em no na nos nas num numa nesse",
    "nessa neste nesta nesses nessas nestes nestas naquele naquela ao à aos às pelo pela pelos pelas daí",
    "desse dessa deste desta disso disto mas porém contudo todavia entretanto e ou nem se caso porque",
    "pois portanto logo assim então depois antes agora hoje ontem amanhã já ainda também só apenas aqui",
    "ali lá não sim talvez há havia houve é foi é era está estava será seria tem tinha apesar embora",
    "enquanto além aliás afinal enfim finalmente inicialmente atualmente primeiro primeira",
)

#: Openers before which careless typing leaves out the space ("Ele saiu.Depois voltou").
GLUED_OPENERS = words_of(
    "o a os as um uma ele ela eles elas eu nós você isso isto este esta esse essa mas e se não em no na",
    "por para com quando como depois então assim também já seu sua há é foi ao à",
)
