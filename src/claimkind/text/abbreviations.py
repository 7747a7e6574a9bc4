"""Word lists that decide whether a full stop ends a sentence; all words are in lower case."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TITLES = _words(
    """
    adm ald amb asst atty attys bp brig capt cdr chanc chas cmdr cmdt col comdr cpl cpt dep det dir dr dra drs fr ft gen
    gens geo gov govs hon insp jos lt ltc ltjg maj messrs mlle mme mr mrs ms msgr msgt mt mx pfc pres prof profs
    pte pvt rep reps rev revs rt sec sen sens sfc sgt sgts spc sra srta ssgt st ste supt thos treas wm
    """
)
"""Before a name, never at the end of a sentence. `St.`, `Ft.` and `Mt.` begin names of places."""

BEFORE_NUMBER = _words(
    """
    abt alt app approx appx apt art arts b bk c ca ch chap chaps cir circ cl cols ed eds ep eps eq eqn eqns eqs est ex
    exs ext fig figs fl l ll max min mon n nn no nos nr num op p para paras pg pgs pop pp pt pts q qs r ref refs reg
    rm s sat sch sec secs sect ser sun t tab tbl tel v ver vol vols wed
    """
)
"""Goes on with a number; before other words, an ordinary word."""

NEVER_LAST = _words("a.k.a aka approx c ca cf e.g eg excl i.e ie incl n.b p.p.s p.s viz vs v")
"""Something must follow, so never the end of a sentence."""

AMBIGUOUS = _words(
    """
    assn assoc bros co corp dept div inc inst llc ltd mfg natl intl plc univ
    b.a b.sc d.phil ed.d esq jr ll.b ll.m m.a m.d m.sc ph.d phd sr
    jan feb mar apr jun jul aug sep sept oct nov dec thu thur thurs tue tues
    ala alta ariz ark calif colo conn del fla ga ill ind kan ky la mass md me mich minn miss mo mont neb nev okla ont
    ore pa penn que tenn tex va vt w.va wash wis wyo
    ave bldg blvd ct expy hwy ln pkwy pl rd rte sq ter
    al cit ibid
    bil bln bn mil mio mln mn mrd tn tril trn
    cm cu ft gal hp hr hrs kg km kph lb lbs mi mins mm mph oz qt tbsp tsp yd yds yr yrs
    com comm const ctr dist exec fed mgr mgmt supp suppl
    """
)
"""Stands within a sentence or at its end: the words that follow decide."""

FOLLOWED_BY_LOWER_CASE = _words(
    """
    acad admin attn cent cert conf cont dial diff econ educ encl engl esp esq etc fem gent geog govt hist hosp illus
    incl infl intr lang math med misc orig pers phys plur prev prob prop prov pseud publ repr resp sing spec subj syn
    tech temp trans transl usu
    """
)
"""Abbreviations that go on in lower case; before a capital, an ordinary end of a sentence."""

ALSO_WORDS = _words("ala com comm const del fed ill ind la mar mass me mil miss ore sat sun ter thu wash wed wis")
"""Of those above: in lower case a word (*ill*, *me*), and an abbreviation only with a capital (*Ill.*, *Me.*)."""

ABBREVIATIONS = TITLES | BEFORE_NUMBER | NEVER_LAST | AMBIGUOUS | FOLLOWED_BY_LOWER_CASE | {"am", "pm"}
"""Words after which a full stop is looked at closely."""

NAMES_WITH_MARK = ("Jeopardy", "Yahoo")
"""Names that end in an exclamation mark."""

STARTERS = _words(
    """
    a an the this that these those he she it we they i you there here his her its their our my your him them us me
    and but or so yet nor if when whenever while although though because since as after before until unless once in
    on at by with from to of during despite under over among between within without about against along around
    beyond for like per throughout upon via what who whom whose why how where which whether then now today yesterday
    tomorrow tonight meanwhile however moreover furthermore nevertheless nonetheless therefore thus hence also still
    even just only not yes some many most more few several all both each every another other others any anyone
    anything everybody everyone everything nobody none nothing somebody someone something neither either such
    perhaps maybe according instead later earlier soon recently finally eventually indeed rather too let please do
    does did is are was were have has had can could would should never always often sometimes usually again almost
    already being having given following last next
    """
)
"""Begin a sentence with a capital, hardly ever a name."""

GROUPS_OF_PEOPLE = _words(
    """
    activists advocates agents aides allies analysts attorneys authorities backers bankers buyers campaigners
    children citizens clients coaches colleagues commuters companies consumers councillors couples creditors crews
    critics crowds customers delegates demonstrators deputies detectives developers diplomats directors doctors
    drivers economists editors employees employers engineers envoys executives experts families fans farmers
    firefighters fishermen friends guards guests historians hospitals hundreds inspectors insurers investigators
    investors journalists jurors lawmakers lawyers leaders lenders men ministers motorists negotiators neighbors
    neighbours nurses observers officers officials operators opponents organisers organizers owners paramedics
    parents participants passengers patients pedestrians people pilots players police politicians pollsters
    producers prosecutors protesters pupils readers relatives reporters representatives rescuers researchers
    residents retailers rivals sailors scholars scientists shareholders shoppers soldiers sources spectators staff
    strikers students supporters survivors suspects talks taxpayers teachers thousands tourists traders travellers
    troops users victims villagers visitors volunteers voters witnesses women workers writers
    """
)
"""Begin a sentence without an article: *Officials said …*"""

NAMES_AFTER_COUNTRY = _words(
    """
    airlines airways attorneys customs forces marines marshals nationals representatives senators steel states
    """
)
"""Plurals that follow `U.S.` and the like as part of a name."""

VERBS = _words(
    """
    is are was were be has have had do does did will would can could may might must shall should said says asked told
    left went came took made gave saw held found fell rose lost won began ran met sent put hit cut set led kept got knew
    thought brought built fought sought spoke wrote drove broke chose stood paid shot shut spent became grew felt heard
    sold bought caught
    """
)
"""Show that the word before them is a subject; so do verbs in *-ed*."""

DATES_AND_ZONES = _words(
    """
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    eastern central pacific mountain atlantic greenwich daylight standard local gmt utc est edt et cst cdt ct mst mdt mt
    pst pdt pt akst hst bst wet cet cest eet eest msk ist jst kst aest aedt acst awst nzst sast zulu
    """
)
"""Go on after a time of day: `9 a.m. Monday`, `8 p.m. Eastern`."""

NUMBERED_PARTS = (
    "Act|Annex|Appendix|Article|Box|Case|Chapter|Clause|Day|Exercise|Exhibit|Fact|Factor|Figure|Item|Lesson|Lot|Myth|Part"
    "|Phase|Point|Principle|Question|Reason|Rule|Scene|Section|Stage|Step|Table|Theorem|Tip|Title|Unit|Volume|Week"
    r"|(?:Art|Ch|Fig|No|Nr|Sec|Vol)\."
)
"""Begin the marker of a list or a heading together with a number: *Step 1.*, *Article 5.*"""

MONTHS = _words(
    """
    januar februar märz april mai juni juli august september oktober november dezember jan feb mär apr jun jul aug sept
    sep okt nov dez january february march may june july october december
    """
)
"""Go on after a day of the month that is written as an ordinal, as in German."""

LETTERED = _words(
    """
    annex appendix article axis block box building candidate category channel chapter class clause column company
    exhibit factor figure gate grade group hepatitis influenza item key letter level line major minor model option panel
    part patient person phase plan platform player point protein question room route schedule section series size stage
    step strain studio table team terminal type variant version vitamin ward wing witness zone
    """
)
"""A capital letter after one of these is a label (*hepatitis C*), not the initial of a name."""

SPEECH_VERBS = (
    "said|says|asked|asks|wrote|writes|told|tells|added|adds|replied|replies|shouted|cried|wondered|answered|insisted"
    "|demanded|noted|whispered|warned|joked|recalled|argued|yelled|exclaimed|sighed|called|screamed|muttered|laughed"
    "|announced|declared|responded|explained|quipped|murmured|snapped|pleaded|begged|urged"
)
