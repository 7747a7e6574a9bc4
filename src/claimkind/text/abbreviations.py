"""Words that decide whether a full stop ends a sentence.

All are lower case. A list of single words stands in one string, so that it can be read and extended at a glance.
"""

TITLES = frozenset(
    """
    adm admin ald amb asst atty attys bp brig capt cardinal card cdr chanc cmdr cmdt col comdr cpl cpt det dir dr drs
    elder ens fr ft gen gens gov govs hon insp judge lt ltc ltjg maj messrs mlle mme mr mrs ms msgr msgt mt mx mx
    pfc pres prof profs pte pvt ret rev revs rep reps sen sens sfc sgt sgts sir spc spec sra srta ssgt st ste supt
    treas vice
    """.split()
) - {"cardinal", "elder", "judge", "sir", "vice", "ret"}
"""Before a name: never the end of a sentence. `St.`, `Ft.` and `Mt.` begin names of places."""

BEFORE_NUMBER = frozenset(
    """
    no nos fig figs eq eqs eqn eqns vol vols ch chap chaps sec secs sect art arts par para paras pt pts bk app appx ex
    exs tab tbl p pp pg pgs ll l n nn v vv vs ver rev ed eds c ca circ cir approx abt est max min avg about art cl r reg
    rule s ss sch t ref refs obs pop alt tel ext rm apt ste fl bldg lot unit op opus nr num ep eps ser iss q qs col cols
    """.split()
) - {"about", "rule", "unit", "lot"}
"""Not the end of a sentence where a number follows."""

NAMES_WITH_MARK = ("Yahoo", "Jeopardy")
"""Names that end in an exclamation mark."""

NEVER_LAST = frozenset("c vs v cf e.g eg i.e ie viz approx ca circa incl excl esp resp aka a.k.a c/o w".split()) - {"circa"}
"""Never the end of a sentence, since something must follow."""

AMBIGUOUS = frozenset(
    """
    inc co corp ltd llc plc bros cos assn assoc dept div univ inst acad natl intl govt mfg
    jr sr esq phd ph.d md b.a m.a b.sc m.sc d.phil ed.d ll.b ll.m m.d
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun
    ala ariz ark calif colo conn del fla ga ill ind kan kans ky la md mass mich minn miss mo mont neb nebr nev okla ont
    ore pa que penn tenn tex va vt wash wis wisc wyo alta
    ave blvd rd hwy pkwy pl sq ct ln ter rte expy bldg
    al etc et ibid op cit sic
    bn mn tn mln bln trn mio mrd mil bil
    oz lb lbs ft yd yds mi hr hrs min mins secs kg km cm mm mph kph hp qt gal tsp tbsp
    com comm commr cong const corp ctr cty dist elec exec exch fed ind mgmt mgr nat org pet prod pub rel rels rept res
    sci soc supp suppl tech temp trans vet yr yrs mos wk wks dec'd cont ms mss trans tr illus repr
    """.split()
)
"""May end a sentence or stand within one: the next words decide."""

WORDS_TOO = frozenset(
    "al ala app art co com cont del ed elec ex fed fri id ill ind inst la lot mar mass max me mil min mins miss mon no"
    " org ore pet pop prod pub ref rel res sat sec sen sol spec sun tab tech temp vet wash wed est alt reg sic par"
    " ser wk ter gal gen col rep dir det capt car fig op".split()
)
"""Abbreviations that are words as well: in lower case they are taken for words unless a number or lower case follows."""

STARTERS = frozenset(
    """
    a an the this that these those he she it we they i you there here his her its their our my your him them us
    and but or so yet nor if when whenever while although though because since as after before until unless once
    in on at by with from to of during despite under over among between within without about against along around
    beyond for like per throughout upon via what who whom whose why how where which whether then now today yesterday
    tomorrow tonight meanwhile however moreover furthermore nevertheless nonetheless therefore thus hence also still even
    just only not yes some many most more few several all both each every another other others any anyone anything
    everybody everyone everything nobody none nothing somebody someone something neither either such perhaps maybe
    according instead later earlier soon recently finally eventually indeed rather too let please do does did is are was
    were have has had can could would should never always often sometimes usually once again almost already until
    he's she's it's that's there's they're we're i'm i've i'll i'd you're don't didn't isn't wasn't can't won't
    it’s he’s she’s that’s there’s they’re we’re i’m i’ve i’ll i’d you’re don’t didn’t isn’t wasn’t can’t won’t
    whoever whatever being having given following
    """.split()
)
"""Capitalised at the beginning of a sentence, hardly ever within a name."""

ACTORS = frozenset(
    """
    activists advocates agents aides allies analysts attendees attorneys authorities backers bankers buyers campaigners
    children citizens city clients clinicians coaches colleagues commuters companies consumers councillors counsel
    couples creditors crews critics crowds customers defenders delegates demonstrators deputies detectives developers
    diplomats directors doctors dozens drivers economists editors employees employers engineers envoys executives
    experts families fans farmers fewer firefighters fishermen friends guards guests historians homeowners hospitals
    hundreds inspectors insurers investigators investors journalists jurors lawmakers lawyers leaders lenders
    ministers men motorists negotiators neighbors neighbours nurses observers officers officials operators opponents
    organisers organizers owners parents participants passengers patients paramedics pedestrians people pilots players
    police politicians pollsters pupils producers prosecutors protesters readers relatives reporters representatives
    rescuers researchers residents retailers reviewers rivals sailors scholars scientists sellers shareholders shoppers
    soldiers sources spectators staff strikers students supporters survivors suspects talks taxpayers teachers
    thousands tourists traders travellers troops tenants users victims villagers visitors volunteers voters witnesses
    women workers writers shares sales prices profits revenue stocks trading bidding fighting negotiations proceedings
    doors gates services trains flights schools shops roads votes results polls tickets rains storms temperatures
    """.split()
)
"""Nouns that begin a sentence without an article."""

NAMES_AFTER_COUNTRY = frozenset(
    """
    airways attorneys bancorp bank bureau census charter chamber circuit coast commission committee congress constitution
    council court customs department district embassy fed forces general government highway house intelligence
    interior internal justice league marine marines marshals mission navy army air open post postal president reserve
    rep representatives route secretary security senate senator senators state states steel supreme treasury
    """.split()
)
"""Follow `U.S.`, `U.N.` and the like as part of a name."""

VERBS = frozenset(
    """
    is are was were be has have had do does did will would can could may might must shall should
    said says say told tells tell asked asks ask left leave leaves went go goes came come comes took take takes made make
    makes gave give gives saw see sees held hold holds found find finds fell fall falls rose rise rises lost lose loses
    won win wins began begin begins ran run runs met meet meets sent send sends put puts hit hits cut cuts set sets led
    lead leads kept keep keeps got get gets knew know knows thought think thinks brought bring brings built build builds
    fought fight fights sought seek seeks spoke speak speaks wrote write writes drove drive drives broke break breaks
    chose choose chooses stood stand stands paid pay pays shot shut shuts spent spend spends became become becomes grew
    grow grows felt feel feels heard hear hears sold sell sells bought buy buys caught taught hope hopes fear fears
    want wants need needs expect expects believe believes resume resumes remain remains open opens close closes start
    starts stop stops continue continues work works live lives plan plans agree agrees argue argues warn warns never
    also still now often rarely later soon then did not seldom always already
    """.split()
)
"""Forms that show that the capitalised word before them is a subject; verbs in *-ed* are recognised by their ending."""

DATES_AND_ZONES = frozenset(
    """
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    eastern central pacific mountain atlantic greenwich daylight standard local gmt utc est edt et cst cdt ct mst mdt mt
    pst pdt pt akst hst bst wet cet cest eet eest msk ist jst kst aest aedt acst awst nzst sast wib zulu
    """.split()
)
"""Go on with a time of day: `9 a.m. Monday`, `8 p.m. Eastern`."""

LETTERED = frozenset(
    """
    appendix block box category chapter channel class column company exhibit factor figure gate grade group hepatitis
    influenza key letter level line major minor model option panel part phase plan platform point protein question
    room route schedule section series size stage step strain studio table team terminal type variant version vitamin
    ward wing zone item clause article annex axis building area team plan witness player person patient candidate
    """.split()
)
"""A single capital after one of these is a label (`hepatitis C`), not the initial of a name."""

SPEECH_VERBS = (
    "said|says|asked|asks|wrote|writes|told|tells|added|adds|replied|replies|shouted|cried|wondered|answered|insisted"
    "|demanded|noted|whispered|warned|joked|recalled|argued|yelled|exclaimed|sighed|called|screamed|muttered|laughed"
    "|announced|declared|responded|continued|explained|quipped|tweeted|murmured|snapped|pleaded|begged|urged"
)

ABBREVIATIONS = TITLES | BEFORE_NUMBER | NEVER_LAST | AMBIGUOUS | {"am", "pm", "may", "me"}

LABELLED_AS_ONE = frozenset(
    {
        "14 May. Water", "in May. Incubation", "in May. Ministers", "16 May. Admission",
        "frightens me. I", "trusted me. A", "70 km/h. At",
    }
)  # fmt: skip
