"""The names of the months, in the languages of the word lists, and the Roman numerals that stand for them."""

from __future__ import annotations

from sendit.deid.identifiers.vocabulary import fold

_LANGUAGES = (
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesakuuta heinakuuta elokuuta syyskuuta lokakuuta"
    " marraskuuta joulukuuta",
    "tammikuu helmikuu maaliskuu huhtikuu toukokuu kesakuu heinakuu elokuu syyskuu lokakuu marraskuu joulukuu",
    "januar februar marcius aprilis majus junius julius augusztus szeptember oktober november december",
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "ledna unora brezna dubna kvetna cervna cervence srpna zari rijna listopadu prosince",
    "leden unor brezen duben kveten cerven cervenec srpen zari rijen listopad prosinec",
    "januara februara marca aprila maja juna jula augusta septembra oktobra novembra decembra",
    "styczen luty marzec kwiecien maj czerwiec lipiec sierpien wrzesien pazdziernik listopad grudzien",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika listopada grudnia",
    "sty lut mar kwi maj cze lip sie wrz paz lis gru",
    "ocak subat mart nisan mayis haziran temmuz agustos eylul ekim kasim aralik",
    "gener febrer març abril maig juny juliol agost setembre octubre novembre desembre",
    "januar februar marts april maj juni juli august september oktober november december",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
    "janv fevr mars avr mai juin juil aout sept oct nov dec",
    "jan feb mrz apr mai jun jul aug sep okt nov dez",
    "janner februar marz april mai juni juli august september oktober november dezember",
    "januar februar marz april mai juni juli august september oktober november dezember",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
    "янв фев мар апр май июн июл авг сен окт ноя дек",
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "ιανουαριου φεβρουαριου μαρτιου απριλιου μαιου ιουνιου ιουλιου αυγουστου"
    " σεπτεμβριου οκτωβριου νοεμβριου δεκεμβριου",
    "ιανουαριος φεβρουαριος μαρτιος απριλιος μαιος ιουνιος ιουλιος αυγουστος"
    " σεπτεμβριος οκτωβριος νοεμβριος δεκεμβριος",
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sept oct nov dec",
    "jan feb mar apr may jun jul aug sep oct nov dec",
)
"""The months; of a name that several have, the last has it."""

MONTHS = {fold(name): [fold(one) for one in row.split()] for row in _LANGUAGES for name in row.split()}
"""A month's folded name in: the names of all months in its language and length."""

NAME = r"[^\W\d_]{3,12}"
"""What may be such a name."""

OTHER_WORDS = frozenset(
    ["ago", "dec", "ekim", "gen", "gru", "lip", "lis", "lut", "luty", "mag", "mai", "maj", "mar", "mars", "mart", "may",
     "mei", "oct", "ott", "out", "sep", "set", "sie", "zari"]
)  # fmt: skip
"""Names that before a number may be other words: MAR 10 is a reduction of artifacts."""

ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


def month_number(word: str) -> int:
    """Which month a name or a Roman numeral means; 0 where it means none."""
    key = fold(word)
    names = MONTHS.get(key)
    if names is not None:
        return names.index(key) + 1
    return ROMAN.index(word.upper()) + 1 if word.upper() in ROMAN else 0
