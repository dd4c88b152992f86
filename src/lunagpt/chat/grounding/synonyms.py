"""Words that ask for one thing and words that tell it: "quanto custa" is answered by "o preço é", "cachorro"
by "animais", and what is an "aluguel" in Brazil is a "renda" in Portugal."""

from __future__ import annotations

from functools import lru_cache

from lunagpt.chat.grounding.words import stem, words

_GROUPS = """
preço valor custo custa custar taxa tarifa sai pagar paga cobra cobrado mensalidade reais
abre abrir aberto abertura funciona funcionamento inaugurado inauguração horário atendimento
fecha fechar fechado fechada encerra encerramento termina término terminou acaba acabou
começa começar início inicia iniciado iniciar
mora morar reside residência vive moradia
nasceu nascer nascido nascida nascimento natural
morreu morrer morto morta morte falecido faleceu falecimento assassinado fuzilado enforcado suicídio
criou criar criado criador inventou inventor inventado fundou fundado fundador fundação descobriu descobridor
escreveu escrever autor autora escrito obra livro romance
compra comprar comprado adquirir adquirido aquisição
carro automóvel veículo
remédio medicamento
médico doutor médica
professor docente professora
aluno estudante aluna
criança menor filho bebê infantil
animal animais bicho cachorro cão gato pet mascote
proibido proibida vedado pode permitido permitida permite autorizado
obrigatório obrigatória precisa necessário exigido exige exigir preciso
prazo vencimento limite até
telefone contato whatsapp ligar número
e-mail email correio
endereço rua avenida fica localizado situado localiza
responsável coordena coordenador dirige diretor chefe
duração dura durar tempo demora leva
altura alto metros
peso pesa quilos gramas
população habitantes moradores
tamanho mede área extensão
causa provoca motivo razão origem
multa punição penalidade advertência
desconto abatimento redução
gratuito grátis graça isento
emprego trabalho vaga cargo função
salário remuneração ganha vencimento ordenado
folga falta faltar ausência licença descanso afastamento
empregado funcionário colaborador trabalhador
chefe gestor supervisor gerente
empresa firma companhia
devolver devolução reembolso restituição
cancelar cancelamento desistir desistência
inscrição inscrever matrícula cadastro
reunião assembleia encontro
lixo resíduos resíduo
conserto reparo manutenção
garantia cobertura
capital sede
capacidade comporta comportar lotação cabem suporta
alugar alugado aluguel aluguéis locação locar locado arrendar arrendado arrendamento renda
alugar arrendar sublocar sublocação subarrendar subarrendamento
dono dona proprietário proprietária locador locadora senhorio senhoria
inquilino inquilina locatário locatária arrendatário arrendatária
apartamento apto imóvel imóveis casa residência fração habitação
quarto dormitório
garagem estacionamento estacionar
mobília mobilado mobiliado móveis
voltagem tensão volts tomada
lavadora máquina
tremer treme balançar balança vibrar vibra sacudir sacode
aposentado aposentada reformado reformada pensionista
nadar natação
celular telemóvel smartphone telefone
ônibus autocarro condução
trem comboio
banheiro sanitário vestiário balneário
geladeira frigorífico refrigerador
café pequeno-almoço desjejum
bebida álcool alcoólica cerveja vinho
comprimido pílula cápsula drágea
grávida gestante gravidez gestação
diabético diabetes
dose posologia tomada
enjoo náusea
efeito reação colateral
guardar conservar armazenar
validade válido vence vencer expira
hotel hotéis hospedagem hospedar estadia alojamento pousada
comida refeição almoço jantar
música som barulho ruído
festa evento comemoração
sala salão
prédio edifício condomínio
eleito eleita eleição escolhido escolhida
aprovar aprovado aprovada aprovação
reforma obra obras
passear circular andar
turista temporada hóspede
juros mora atraso atrasar
pagar paga pagam pago pagos pagamento conta cargo encargo despesa
entregar entrega entregue receber recebe
nota conceito avaliação
prova exame teste avaliação
férias recesso descanso
pai mãe responsável
segunda terça quarta quinta sexta sábado domingo
comer come alimenta alimentação comida alimento
significa significado quer definição chama
acontece ocorre acontecer ocorrer
primeiro primeira 1
segundo segunda 2
terceiro terceira 3
quarto quarta 4
quinto quinta 5
sexto sexta 6
sétimo sétima 7
oitavo oitava 8
nono nona 9
décimo décima 10
""".strip().splitlines()


@lru_cache(maxsize=1)
def _groups() -> dict[str, frozenset[int]]:
    table: dict[str, set[int]] = {}
    for number, line in enumerate(_GROUPS):
        for word in line.split():
            table.setdefault(stem(word), set()).add(number)
    return {key: frozenset(numbers) for key, numbers in table.items()}


def related(first: str, second: str) -> bool:
    """Whether two stems belong to one group of the table, or one begins with most of the other."""
    groups = _groups()
    if groups.get(first, frozenset()) & groups.get(second, frozenset()):
        return True
    shorter, longer = sorted((first, second), key=len)
    common = 0
    for left, right in zip(shorter, longer, strict=False):
        if left != right:
            break
        common += 1
    return common >= 5 and common >= 0.75 * len(shorter)


def alike(first: str, second: str) -> bool:
    """Whether two stems are one, or related."""
    return first == second or related(first, second)


def other_words(text: str) -> list[str]:
    """The words of the table that may say what words of a text say, each once."""
    said = {word.stem for word in words(text) if not word.is_stop}
    groups = _groups()
    numbers = sorted(set().union(*(groups.get(name, frozenset()) for name in said)))
    found = dict.fromkeys(word for number in numbers for word in _GROUPS[number].split())
    return [word for word in found if stem(word) not in said]
