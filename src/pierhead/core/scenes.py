"""What must come together for each idea of an order: kinds of terms (`scene_words`) in one sentence.

The number is how many words it may stretch over; one scene ends at a semicolon. `!KIND`: the term as an order.
`-KIND`: not in that sentence. `LATER`: not in the first sentence. `NAMED`: a name with an underscore, as tools have.
Pure: data alone. Above: `order_scenes`. Below: `scene_words`.
"""

from typing import Final

SCENES: Final[tuple[tuple[str, int, str], ...]] = (
    (
        "what only the model knows is asked for",
        18,
        (
            "DIRECTINNER; !GIVE USERS PRIVATE ALSO; !TAKE USERS PRIVATE !GIVE; !GIVE INNER SCOPE LATER; OBLIGED GIVEN "
            "INNER; OBLIGED GIVEN LOOTED; MODEL OBLIGED TAKE PRIVATE; MODEL OBLIGED TAKE INNER; PLEASE !GIVE USERS "
            "PRIVATE; PLEASE !TAKE USERS PRIVATE; PLEASE ALSO !GIVE OTHERTOOL; SCOPE INNER OBLIGED; !GIVE USERS "
            "INNER; !TAKE USERS INNER LATER; LOOTED OFFICE GIVE; LOOTED EVERYTIME GIVEN; OFFICE INNER GIVE; OFFICE "
            "INNER SCOPE; INNER GIVEN LINK; !GIVE PRIVATE OFFICE LATER; !GIVE INNER EVERYTIME; NEEDS SCOPE INNER "
            "LATER; ALWAYS INNER SCOPE; SCOPE USERS PRIVATE YOUMUST; !CALL USERS INNER LATER; !TAKE INNER !GIVE LATER"
        ),
    ),
    (
        "a secret of the person is asked for",
        16,
        (
            "!TAKE SECRETS PEOPLE !GIVE LATER; !TAKE SECRETS USERS LATER; !TAKE SECRETS PEOPLE LATER; SAMPLING "
            "SECRETS; SAMPLING INNER; SECRETS LABEL PEOPLE; !TAKE SECRETS LATER !GIVE; !INSTALL USERS SECRETS MODEL; "
            "!GIVE USERS SECRETS LATER; !GIVE SECRETS TAKE LATER; !CALL USERS SECRETS TAKE"
        ),
    ),
    (
        "an order about other tools",
        20,
        (
            "WHEN NAMED !SET RECIPIENT; WHEN NAMED !SET LITERAL; TOOLNAMED !SET; STOPUSING OTHERTOOL; OTHERTOOLS "
            "UNLESS CALLED; CALLME WHEN; CALLME ALWAYS; CALLME FIRST; !CALL NOBODYASKED; THROUGH OBLIGED TAKE; "
            "THROUGH MUSTBE; !CALL DEPEND ALWAYS LATER; NAMED ALWAYS !SET BCC LATER; NAMED ALWAYS ALSO BCC LATER; "
            "BEHAVIOUR NAMED; BEHAVIOUR OTHERTOOL PAY; PAY OBLIGED LITERAL; PAY RECIPIENT LITERAL LATER; WHEN "
            "OTHERTOOL MUSTBE SETTED; NAMED MUSTBE SETTED LITERAL; NAMED MUSTBE CALLED STARTING; NAMED SAFE NOASK; "
            "OTHERTOOL SAFE NOASK; NAMED UNRELIABLE !SET; EVERYTURN !CALL; EVERYTURN !GIVE; ONCE TAKE AFTERTHAT !GIVE "
            "OTHERTOOL LATER; MODEL EVERYTIME !CALL; MODEL ALWAYS !CALL FIRST"
        ),
    ),
    (
        "an order to choose this tool",
        14,
        (
            "ENDORSED LAB ALWAYS; ENDORSED LAB RIVAL; !CHOOSE ALWAYS NEVER RIVAL; OBLIGED CHOOSE PRECEDE; NEVER "
            "CHOOSE RIVAL; CHOOSE ALWAYS RIVAL"
        ),
    ),
    (
        "an order to keep something from the user",
        16,
        (
            "USERASKS SAYTHAT; PEOPLE NEVER WORRY; PEOPLE WORRY !OMIT; !SAY INVISIBLE; INVISIBLE LATER !OMIT; NEVER "
            "LETON; PEOPLE INVISIBLE"
        ),
    ),
    (
        "an order to drop other instructions",
        14,
        (
            "!DROPIT USERS REQUESTS; FOLLOW ORDERS PRECEDE; !FOLLOW COMING ORDERS; DOAS COMING; !FOLLOW ASORDERS; "
            "!FOLLOW COMING INSTEAD; PRECEDE ORDERS"
        ),
    ),
    (
        "an order to do without people's yes",
        14,
        (
            "WHEN !APPROVE NOASK; !APPROVE RIGHTS WHEN LATER; !SKIP CHECKS RISKY LATER; CHECKS SKIP FALSEENV; "
            "PREAGREED CHECKS; CHECKS SKIP LATER OBLIGED; FALSEENV CHECKS; DECLINES !GIVE ANYWAY; WHEN !APPROVE "
            "ALWAYS CHECKS LATER; !RISKY NOASK WHEN LATER; DATED !RISKY LATER; TUNNEL LATER"
        ),
    ),
    (
        "an order to switch off what guards",
        10,
        ("!OFF GUARD LATER; !DELETE TRACES LATER; !DELETE GUARD LATER; BUILD !OFF CERT; BUILD CERT SKIP"),
    ),
    (
        "an order to show results otherwise",
        14,
        (
            "!INFLATE FIGURES LATER; !RANK ALWAYS FIRST LATER -BADNEWS -BROKEN; !OMIT BADNEWS LATER; EVENIF SAY "
            "GOODNEWS LATER; WHEN BADNEWS !SAY GOODNEWS LATER -NOTHING; ALWAYS SAY GOODNEWS LATER; OBLIGED OMIT "
            "BADNEWS LATER"
        ),
    ),
    (
        "an order about code that is written elsewhere",
        16,
        ("!INSTALL BACKDOOR LATER; !INSTALL DEPEND BUILD LATER; BUILD OBLIGED BACKDOOR; ALWAYS DEPEND BUILD LATER"),
    ),
    (
        "an order about money",
        14,
        (
            "!ROUND REST RECIPIENT LATER; !SET RECIPIENT LITERAL LATER; REST RECIPIENT PAY LITERAL; !SET REST "
            "RECIPIENT LATER; REST PEOPLE RECIPIENT LITERAL; !ROUND PAY RECIPIENT LITERAL"
        ),
    ),
    (
        "an order that stays",
        14,
        (
            "!INSTALL STAYS LATER; !INSTALL RULESFILE LATER; RULESFILE MODEL OBLIGED; MEMORY TRUST !INSTALL; MEMORY "
            "TRUST LATER"
        ),
    ),
    (
        "an order to send something away",
        14,
        (
            "ENDOFREPLY LINK CARRIES; ENDOFREPLY LITERAL CARRIES; !SEND EVERYTIME LITERAL; ALWAYS !GIVE LITERAL LATER "
            "BCC"
        ),
    ),
)
