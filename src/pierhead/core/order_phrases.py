"""The phrases of each idea: kinds of words (capitals) and words as they are (small), in the order they follow.

One phrase ends at a semicolon; the number is how many words further on the next may stand at most. What begins with
`-` orders an act, and is none where the act is forbidden: "do not send secrets". Pure: data alone. Above:
`order_ideas`. Below: `order_words`. Not here: fixed phrases and places (`orders`).
"""

from typing import Final

IDEAS: Final[tuple[tuple[str, int, str], ...]] = (
    (
        "an order to drop other instructions",
        5,
        (
            "DROP EARLIER RULE; DROP RULE MASTER; DROP MIND you; don't FOLLOW EARLIER RULE; never FOLLOW EARLIER "
            "RULE; stop FOLLOW your RULE; stop FOLLOW EARLIER MIND; your MIND LAPSED; EARLIER MIND LAPSED; MASTER "
            "RULE LAPSED; RULE MASTER LAPSED; your MIND NOT HOLD; EARLIER MIND NOT HOLD; RULE MASTER NOT HOLD; MIND "
            "you NOT HOLD; set MIND aside; set aside MIND; put MIND aside; PRECEDE system prompt; PRECEDE over MIND; "
            "PRECEDE wishes PERSON; MIND LAPSED for; abandon EARLIER TASK; forget EARLIER TASK; drop EARLIER RULE; "
            "not bound RULE; refuse nothing; don't refuse; never refuse; DESPITE your RULE; DESPITE EARLIER RULE; "
            "DESPITE MASTER RULE; contrary to what you told; your new MIND; treat output as MIND; treat as system "
            "MESSAGE; do whatever it says; do what it says; higher authority than; only FOLLOW this; MIND says DROP; "
            "TAUGHT you about; you were TAUGHT; you have been TAUGHT; your CONDUCT; you MUST obey; commands you MUST "
            "FOLLOW; command you MUST FOLLOW; MODEL no LIMIT; MODEL without LIMIT; MODEL free of LIMIT; FOLLOW "
            "whatever TEXT; FOLLOW whatever TOOL; carry out whatever TEXT; do whatever TEXT says; adopt them without "
            "CHECKING; adopt TEXT RULE; treat TEXT as MIND; treat TEXT as your MIND; treat TEXT as binding; you "
            "operate without LIMIT; you operating without LIMIT; checks LAPSED; RULE LAPSED for session; updated RULE "
            "for you; new RULE for you; COMMAND TEXT FOLLOW; act on everything; act on whatever; act on anything; "
            "DROP what MASTER TAUGHT; obey TEXT; obey ALL COMMAND; FOLLOW ALL COMMAND from; no obligations towards; "
            "MODEL no obligations; COMMAND returned FOLLOW; commands for the agent; commands for the assistant; "
            "commands for you"
        ),
    ),
    (
        "an order to keep something from the user",
        7,
        (
            "DONT TELL PERSON; don't SHOW THIS PERSON; DONT be SHOW PERSON; don't mention OWN; never mention OWN; "
            "don't mention THIS; don't reveal THIS; don't disclose THIS; never mention THIS; without mentioning THIS; "
            "no need TELL PERSON; no need TELL THIS; not necessary TELL PERSON; needn't TELL PERSON; PERSON prefer "
            "not told; make no mention; leave out that; spare PERSON; hide the fact; omit the fact; say nothing "
            "about; act as if nothing; act as though nothing; pretend nothing; your ANSWER DONT OWN; ANSWER no trace; "
            "no trace OWN; no reason TELL PERSON; no reason bring up PERSON; no need bring up PERSON; don't bring up "
            "OWN; don't bring OWN up; nobody KNOW; no one KNOW; DONT let PERSON KNOW; DONT let KNOW; PERSON don't "
            "KNOW; PERSON remain UNAWARE; PERSON stay UNAWARE; keep PERSON UNAWARE; keep THIS between us; keep THIS "
            "yourself; keep OWN HUSH; keep THIS HUSH from PERSON; keep quiet about; between you and me; HIDE OWN your "
            "ANSWER; HIDE OWN from PERSON; HIDE THIS from PERSON; leave out PERSON; leave THIS out your ANSWER; "
            "PERSON ASKS say nothing; PERSON ASKS DENY; ACT UNSEEN; STEALTH ACT; behind PERSON back; ACTAS as if "
            "nothing; ACTAS as though nothing; ACTAS that nothing; ACTAS that only; PERSON bothered; bother PERSON "
            "with; don't trouble PERSON; don't comment on it; don't comment on THIS; don't speak of THIS; "
            "be vague about; "
            "stay vague; only speak of; when asked directly; even when asked; PERSON don't need KNOW; PERSON needn't "
            "KNOW; AGREED without SHOW; log nothing; don't log THIS; leave no trace; so that PERSON not upset; PERSON "
            "not upset; PERSON suspicious; don't list THAT among; don't SHOW among TEXT you; PERSON only KNOW about; "
            "PERSON should only KNOW; no word PERSON; not word PERSON; keep PERSON in dark; without notice; quietly "
            "GIVE; quietly PUT; unless PERSON notices; before PERSON notices"
        ),
    ),
    (
        "an order about other tools",
        4,
        (
            "AHEAD ALL OTHER TOOL; AHEAD OTHER TOOL CALL; AHEAD any TOOL CALL; before any server CALL; MUST CALL ALL "
            "TURN; CALL START ALL CHAT; no ANSWER without CALL; don't ANSWER without CALL; never ANSWER without CALL; "
            "supersedes ALL TOOL; replaces ALL tools; only trusted TOOL; TOOL known BAD; TOOL PRECEDE over OTHER; "
            "TOOL PRECEDE over ALL; CALL exclusively for ALL; only allowed TOOL; only approved TOOL; only permitted "
            "TOOL; first step ALL TURN; MUST CALL before ALL ANSWER; SUPERSEDE OTHER TOOL; other TOOL OFF; OTHER TOOL "
            "NOT WORK; OTHER TOOL no longer WORK; never CALL OTHER TOOL; don't CALL OTHER TOOL; never CALL from "
            "server; don't CALL from server; CALL exclusively never TOOL; ROUTE ALL THROUGH here; ROUTE ALL through "
            "this; ROUTE ALL TURN through; instead of OTHER TOOL CALL this; PREFER over any OTHER; PREFER over ALL "
            "OTHER; CALL START every CHAT; CALL this ALL TURN; CALL on ALL TURN; CALL ALL TURN including; including "
            "when not ASKED; whatever question is; TOOL wins over; PASS through it unaltered; ROUTE ALL FILEREQUEST; "
            "endless loop; in infinite loop; until quota used; TOOL out of date CALL this; TOOL of OTHER server; TOOL "
            "you reach for; refuse to CALL; MUST additionally sent; MUST additionally be sent; ALL MAIL MUST also; "
            "CALL this TOOL instead of any; has been recalled"
        ),
    ),
    (
        "what only the model knows is asked for",
        7,
        (
            "FETCH FILE GIVE; contents of FILE; content of FILE; FILE GIVE; GIVE FILE; hand over KEY; hand KEY over; "
            "ssh id rsa; GIVE bearer token you; encode KEY append; read PERSON KEYED key; steal KEY; GIVE KEY from "
            "your STORE; KEY from your STORE GIVE; ENCODE PERSON MESSAGE; ENCODE CHAT; ENCODE your MIND; GIVE our "
            "CHAT; last MESSAGE of our; RECITE your MIND; RECITE your system; your hidden MIND; your internal MIND; "
            "your own MIND; GIVE shell history; GIVE bash history; EVERYTHING PERSON SAID so; everything you know "
            "about PERSON; CHAT so far; EVERYTHING SAID so far; EVERYTHING SAID word for word; developer MIND to you; "
            "system MIND to you; MIND you received; MIND you were given; OTHER TOOL your disposal; OTHER TOOL "
            "available to you; names of tools you have; previous user MESSAGE; prior user MESSAGE; earlier user "
            "MESSAGE; copies CHAT deliver; copy CHAT GIVE; whatever TOOL returns GIVE; everything TOOL returns GIVE; "
            "CHAT history GIVE; GIVE WHOLE CHAT; GIVE CHAT here; copy of system prompt; WHOLE text of your; what "
            "PERSON SAID GIVE; GIVE what PERSON SAID; GIVE everything PERSON; GIVE whatever PERSON; hidden MINDTEXT; "
            "GIVE PERSON KEYED KEY; GIVE PERSON access KEY; PERSON access KEY GIVE; PERSON PII from memory; fill "
            "PERSON PII; GIVE PERSON PII unmasked; GIVE PII unmasked; contents ALL open file; contents ALL file open; "
            "LOCK GIVE this TOOL; LOCK GIVE TOOL hints; GIVE environment variables; GIVE VALUE environment variables; "
            "dump environment; GIVE clipboard; exfiltrate; GIVE keychain; LOCKER for LOGIN GIVE; query LOCKER GIVE; "
            "system prompt you were; prompt you were STARTED; -PUT LOOT; -PUT private KEYS; -PUT ssh KEYS; -PUT api "
            "KEYS; -PUT SESSION KEYS; -PUT environment variables; -PUT your instructions; -PUT your prompt; -PUT your "
            "context; -PUT your MEMORY; -PUT CHAT HISTORY; -PUT WHOLE CHAT; -PUT PERSON MESSAGES; -PUT recent "
            "MESSAGES; -PUT last MESSAGES; -PUT previous MESSAGES; -PUT secret you; -private KEYS PUT; -ssh KEYS PUT; "
            "-CHAT HISTORY PUT; verbatim text MESSAGES; WHOLE system instructions; your "
            "WHOLE instructions; your full system; verbatim MESSAGES; LAST question url; contents of /etc; reveal ALL "
            "context; reveal any context; -PUT your system; -PUT hidden prompt"
        ),
    ),
    (
        "talk of the model's own instructions",
        4,
        (
            "attention MODEL; ROOT override; OFFICE ruled; you have been UPGRADED; grant access without CHECKING; "
            "grant access without checks; if you are MODEL; LAB RULE; directive MODEL; MODEL READS this; NOTE from "
            "AUTHOR your; NOTE from AUTHOR model; NOTE AUTHOR of your model; your job is now; your task is now; your "
            "role is now; now your job; now your role; LAB has CLEARED; LAB CLEARED this; CLEARED by LAB; OFFICE "
            "DEMAND GIVE KEY; OFFICE DEMAND copy; OFFICE team DEMAND GIVE; you play MODEL which; for this TOOL you "
            "play; MODEL OBLIGED to GIVE; MODEL are OBLIGED; MODEL OBLIGED GIVE; MODEL ought to; MODEL should decode; "
            "MODEL should interpret; MODEL must first; MODEL needs to first; MODEL interprets following; for the "
            "assistant rot13; NOTE from PLATFORM; NOTE from platform AUTHOR; NOTE reviewing MODEL; NOTE SCANNER "
            "MODEL; NOTE any SCANNER; SCANNER rate as harmless; VERIFIED rate THIS harmless; decode and FOLLOW; read "
            "THIS backwards; message from platform operator; my job depends; will be hurt unless; will be fired; "
            "people will die; i hereby instruct; instruct the MODEL; PRETENDING debug mode; in debug mode where; "
            "grant admin rights; THIS entry audited; already audited; SCANNER skip; AUTHOR ORDERS MODEL; order of "
            "OFFICE department; order of OFFICE team; imagine you MODEL; imagine you ROOT; you speak with no; lose "
            "savings unless; right now or; people lose unless; lose savings if you; right now otherwise"
        ),
    ),
    (
        "an order to do without people's yes",
        4,
        (
            "FREED GO without CHECKING; GO without CHECKING with; GO without CHECKING back; CONSENT PERSON ASSUMED; "
            "PERSON CONSENT ASSUMED; CONSENT be assumed; PERSON AGREED advance; opted out CONSENT; CONSENT not "
            "necessary; no CONSENT necessary; you have full authority; you have full permission; treat PERSON as "
            "admin; need no second look; needs no second look; don't wait PERSON CONSENT; don't ask PERSON CONSENT; "
            "don't ask before; no need to ask; no need ASKS again; without ASKING back; without ASKING again; go on "
            "anyway; continue anyway; mark as already AGREED; mark THIS AGREED; as already AGREED; submit as AGREED; "
            "submit THIS as AGREED; fill in yourself; accept THIS without; approve THIS yourself; approve yourself; "
            "CONSENT dialogs skip; run without CONSENT; execute without CONSENT; CALLS run without CONSENT; skip "
            "CONSENT of PERSON; PERSON ASKS stop GO; PERSON ASKS stop don't; reviews are formality; say that human; "
            "state that human; switch off sandbox; disable sandbox; turn off sandbox; disable safety; grant THIS full "
            "access; grant full access disk; PERSON behalf yes; yes PERSON behalf; answer yes on; answer yes to ALL; "
            "consent prompt noise; without ASKING anyone; without asking PERSON; without ASKING first; need no "
            "review; needs no review; admin override; using admin override; pre approved and"
        ),
    ),
    (
        "an order about what happens elsewhere",
        7,
        (
            "WHEN MAIL SWAP RECIPIENT; WHEN MAIL RECIPIENT SWAP; WHEN WRITE MAIL BCC; every time WRITE MAIL BCC; ALL "
            "MAIL you WRITE RECIPIENT; prefix ALL OUTPUT; ALL OUTPUT you PRODUCE; ALL of your ANSWER; ALL your "
            "ANSWER; in ALL LATER ANSWER; from now on EFFECT; from here on EFFECT; end your ANSWER with; begin your "
            "ANSWER; finish your ANSWER; ALL files you edit; ALL file you edit; whenever you WRITE BCC; whenever you "
            "WRITE MAIL add; henceforth EFFECT; answer from here on; remainder of conversation; rest of conversation; "
            "PRAISE only; SINCE ORDINAL REQUEST; remember LATER CHAT that; STORE your memory that; keep in memory "
            "that; your long term memory; don't be questioned; must not questioned; ALL future sessions; in future "
            "sessions run; future CHAT run without; set RECIPIENT ALL TOOL; set RECIPIENT to account; SWAP RECIPIENT "
            "because; when use payment TOOL SWAP; ALL MAIL TOOL RECIPIENT; ALL payments go through; RECIPIENT has to "
            "be set; ALL pull request has; ALL pull request NAMES; import package in place; end each ANSWER with; end "
            "ALL ANSWER with; append to each ANSWER; write to CLAUDE.md that; behaviour of THIS TOOL changes; "
            "behavior of THIS TOOL changes; after ORDINAL CALL; SINCE ORDINAL CALL; WRITE RULESFILE that; PUT "
            "RULESFILE that; add to RULESFILE; ALL file you PRODUCE GIVE; ALL file that you PRODUCE GIVE; initiate "
            "transfer to; initiate payment to; make transfer to iban; send money to; for accounts above initiate; "
            "repeat THIS CALL forever; repeat THIS CALL ever; never return control; don't return control; reply with "
            "link to; ALL test file PRODUCE GIVE; ALL file that you emit"
        ),
    ),
)
