"""Orders to a model, as people write them into definitions: fixed phrases, and ideas in any words (`order_ideas`).

Each pattern is read in lower case on one line; words between are counted in characters, so none can run away. Pure.
Above: `hostile_text`. Not here: disguises (`disguise`), characters and markup (`hostile_text`).
"""

# ruff: noqa: E501, ISC004 - a pattern reads better whole than at 120 columns

import re
from collections.abc import Iterator
from typing import Final

from pierhead.core.disguise import squeezed
from pierhead.core.order_ideas import ideas
from pierhead.core.order_scenes import scenes
from pierhead.core.orders_abroad import ABROAD

_DROP: Final = (
    r"\b(ignor(e|ing)|disregard(ing)?|forget|overrid(e|es|ing)|bypass(ing)?|discard|set aside|supersedes?|stop following"
    r"|do not (follow|obey)(?! any (instructions|commands|directives)\b.{0,30}\b(in|within|inside|from|contained|embedded|found|returned)\b)"
    r"|pay no attention to)\b.{0,30}"
)
_EARLIER: Final = (
    r"\b(previous(ly)?|prior|above|earlier|preceding|other|your|system|safety|existing|original|initial|developer|all"
    r"|any)\b.{0,30}"
)
_RULES: Final = (
    r"\b(instructions?|prompts?|rules|messages?|directions|directives?|guidelines|guardrails|polic(y|ies)|context"
    r"|restrictions|constraints|training|told)\b"
)
_NOT: Final = r"\b(do not|don'?t|never|must not|mustn'?t|without|avoid|refrain from|no need to|should not|shall not)\b[^.!?]{0,20}"
_TELL: Final = (
    r"\b(tell|inform|mention|notify|reveal|alert|disclose|report|say|discuss|explain|warn|log|display)(ing)?\b.{0,40}"
)
_PEOPLE: Final = r"\b(users?|humans?|person|people|anyone|anybody|them|operators?|developers?|owners?)\b"
_UNSEEN: Final = r"\b(silently|secretly|covertly|quietly|discreetly|in the background|behind the scenes)\b.{0,20}"
_ACT: Final = (
    r"\b(call|send|read|add|include|copy|upload|forward|run|execute|append|attach|post|collect|save|store|log)\b"
)
_USING: Final = (
    r"\b(before|after|instead of|prior to|when(ever)?|if) (you )?(using|calling|invoking|running|use|call|invoke|run) "
)
_OTHERS: Final = r"(this|any|all|other|another|the other)\b.{0,30}\b(tools?|function)\b[^.!?]{0,60}\b(must|read|call|send|first|always|also)\b"
_GIVE: Final = (
    r"\b(include|pass|put|add|insert|append|attach|provide|send|copy|encode|embed|paste|write|report|place|repeat|output"
    r"|print|return|collect|gather|forward|upload|leak|share|fill in|set .{0,20} to|supply|dump)\b.{0,60}"
)
_WHOLE: Final = r"\b(full|entire|complete|whole|verbatim|exact|all( of)?( the)?|every|current|previous|user'?s?|your|their|raw)\b.{0,25}"
_INNER: Final = (
    r"\b(system prompt|(developer|system) (message|instructions)|conversation|chat|dialogue|(message|chat|call) (history|log)"
    r"|previous messages|context window|chain[- ]of[- ]thought|reasoning|api[ _-]?keys?|passwords?|credentials?"
    r"|private keys?|env(ironment)? variables?|access tokens?|auth tokens?|secrets|cookies|ssh keys?|private files"
    r"|tool list|list of (available )?tools|available tools)\b"
)
_AGREE: Final = r"\b(permission|approval|confirmation|consent|authori[sz]ation|review|verification)\b"
#: What forbids the order that follows it in the same sentence: such a text asks for care.
_HONEST: Final = (
    r"(?P<forbidden>\b(?:do not|don'?t|never|must not|mustn'?t|cannot|should not|shall not)\b[^.!?;]{0,100}?)?"
)
_HOMES: Final = (
    r"(~|\$home|%userprofile%|/(root|home/[^/\s]+|users/[^/\s]+))[/\\]\.?"
    r"(ssh|aws|kube|gnupg|netrc|npmrc|pypirc|env\b|git-credentials|bash_history|zsh_history|config/(gcloud|gh)\b|docker/config"
    r"|azure|cursor|claude|vault-token|password-store|mozilla|local/share/keyrings)"
)
_SECRETS: Final = (
    r"|\b(your|the user'?s|their|the)? ?\.ssh (folder|directory|dir)\b|\bid_(rsa|ed25519|ecdsa|dsa)\b|\.cursor/mcp\.json|claude_desktop_config|/etc/(shadow|passwd|sudoers|kubernetes)"
    r"|/proc/(self|\d+)/environ|\.aws/credentials|\.kube/config|\.git-credentials|(?<![\w.])\.env file|login data\b.{0,20}"
    r"chrome|/var/run/secrets|169\.254\.169\.254|metadata\.google\.internal|wallet\.dat|seed phrase"
)
_COLLECTORS: Final = (
    r"\b(webhook\.site|requestbin|pipedream\.net|ngrok(-free)?\.(io|app|dev)|pastebin\.com|burpcollaborator|oastify\.com"
    r"|interact\.sh|oast\.(fun|pro|live|site|online|me)|beeceptor\.com|hookbin|dnslog\.cn|transfer\.sh|0x0\.st)\b"
)
_SHELL: Final = (
    r"\b(curl|wget|iwr|invoke-webrequest)\b.{0,120}\|\s*(sudo )?(ba|z)?sh\b|\$\((curl|wget|bash|cat|nc|id)\b|;\s*(rm|curl|"
    r"wget|nc|bash)\s+-?|\brm -rf\s+[~/*]|\bbase64 (-d|--decode)|\bnc -e\b|/dev/tcp/|powershell.{0,20}-enc|\$\{jndi:"
    r"|\bchmod 777\b|\bcrontab\b.{0,20}[-|]|`(curl|wget|cat) [^`]{1,80}`"
)
_WHERE: Final = r"(https?://|ftp://|[\w.+-]+@[\w-]+\.\w+|\b(our|my|this|the following|an? external) (server|address|endpoint|url|webhook|host)\b)"

ORDERS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        (
            "a tag that poses as instructions",
            r"</\s*(tools?|tool_\w+|functions?|descriptions?|definitions?|context)\s*>|</?\s*(important|system|secret|hidden|admin|assistant|critical|override|internal|tool_?use"
            r"|thinking|user_?query|priority|mandatory|sys|prompt|note_to_\w+)\b[^>]{0,100}>"
            r"|\[/?\s*(inst|system|sys|important|admin|hidden|override|instructions?)\b[^\]]{0,60}\]|<\|?\s*(im_start|im_end"
            r"|system|endoftext|start_header_id)\b|<<\s*sys\s*>>|#{2,}\s*(system|instructions?|new task|override|end of)\b"
            r"|\{\{\s*(system|instructions?|#system)|-{3,}\s*(begin|end|start)\b.{0,30}\b(instructions?|prompt|system)\b"
            r"|\b(begin|start|end) (of )?(system|hidden|admin|new|secret) (prompt|instructions?|message)",
        ),
        ("an order to drop other instructions", _DROP + _EARLIER + _RULES),
        (
            "an order to drop other instructions",
            r"\b(ignore|disregard|forget) (everything|anything|all that|whatever|what)\b",
        ),
        ("an order to keep something from the user", _NOT + _TELL + _PEOPLE),
        (
            "an order to keep something from the user",
            r"\b(keep|hide|conceal|withhold|omit|leave|remove)\b.{0,40}\b(secret|hidden|confidential|invisible|out|it|this"
            r"|that|these|step|action|call)\b.{0,20}\b(from|of)\b.{0,20}("
            + _PEOPLE
            + r"|\b(summary|response|answer|reply|output)\b)",
        ),
        (
            "an order to keep something from the user",
            _PEOPLE
            + r".{0,20}\b(must|should|need|does|do|may|can|will)( not|n'?t|not|no) (need to |have to |be able to )?"
            r"(know|see|notice|be (told|informed|aware|notified)|learn|find out)\b",
        ),
        ("an order to hide what is done", _UNSEEN + _ACT),
        ("an order to hide what is done", r"\b(secretly|covertly|surreptitiously)\b|\bwithout (a )?trace\b"),
        ("an order about other tools", _USING + _OTHERS),
        (
            "an order about other tools",
            r"\b(when(ever)?|if|each time|every time|once)\b.{0,30}\b(another|other|any|every|`?\w+_\w+`?|the \w+)\b.{0,20}"
            r"\btools?\b.{0,25}\b(is|are|gets?|was|were|has been) (called|used|invoked|run|available|present|requested)\b.{0,120}"
            r"\b(must|also|first|instead|always|add|send|set|change|replace|include|copy|bcc|modify|forward)\b",
        ),
        (
            "an order about other tools",
            r"\b(when(ever)?|if|before|after|once)\b.{0,12}\b(you )?(use|using|call|calling|invoke|invoking|run|running) (the |any |an? )?[\w`-]+ tools?\b"
            r"[^.!?]{0,40}\b(replace|change|swap|substitute|add|insert|modify|append|set|redirect|send|copy|also)\b",
        ),
        (
            "an order about other tools",
            r"\b(other|existing|built-?in|official|original|native|standard|previous|old)\b.{0,30}\b(tools?|servers?|functions?"
            r"|versions?|implementations?)\b.{0,40}\b(deprecated|broken|unsafe|insecure|outdated|disabled|compromised"
            r"|unreliable|vulnerable|retired|forbidden|banned|malicious)\b",
        ),
        (
            "an order about other tools",
            r"\b(always|must|only)\b.{0,20}\b(choose|prefer|select|pick|use|call|rank)\b.{0,20}\b(this|it)\b.{0,20}"
            r"\b(over|ahead of|rather than|instead of|in place of|before)\b.{0,40}\b(any|all|every|other|alternatives?)\b",
        ),
        (
            "talk of the model's own instructions",
            r"\b(developer message|you are now|your new (role|task|instructions|persona|goal)|new instructions?:|jailbreak(ing)? (mode|prompt|yourself|the (model|assistant|ai))"
            r"|(developer|dan|god|admin|debug|maintenance|unrestricted) mode (is )?(enabled|on|active|activated)|in (developer|god|dan) mode"
            r"|do anything now|act as (an? |the )?(unrestricted|root|admin|uncensored|different)|pretend (to be|that you|you))\b",
        ),
        (
            "talk of the model's own instructions",
            r"\b(notes?|messages?|instructions?|reminder|attention|directive|memo|hint|guidance)s? (to|for|intended for|only for)"
            r" (the |all |any |this |every )?(ai|assistants?|models?|llms?|language models?|agents?|claude|gpt|chatgpt|copilot"
            r"|gemini|cursor|bots?)\b.{0,60}\b(must|always|never|do not|don't|before|first|ignore|disregard|read|send|include|call"
            r"|secret(ly)?|without|silently|reveal|forward|you (should|are|will|have)|override|only)\b",
        ),
        (
            "talk of the model's own instructions",
            r"(^|[.!?\"'\]}>] ?|\\n ?)\s*(system|assistant|human|user)( (message|prompt|note|override|update|notice))?\s*:\s",
        ),
        (
            "talk of the model's own instructions",
            r"\b(the |any |every )?(ai|assistant|llm|language model|ai (agent|model)|model|chatbot)\b,? (must|shall|is (required|instructed"
            r"|obliged|expected) to|has to|will (now )?always)\b",
        ),
        ("what only the model knows is asked for", _GIVE + _WHOLE + _INNER),
        (
            "what only the model knows is asked for",
            _GIVE
            + r"\b(system prompt|developer message|conversation history|chat history|message history|chain[- ]of[- ]thought"
            r"|contents? of (the |your |this )?(conversation|chat|context))\b",
        ),
        (
            "what only the model knows is asked for",
            r"\b(system prompt|conversation history|chat history|previous messages|api keys?|passwords?|credentials)\b.{0,30}"
            r"\b(here|verbatim|in (this|the) (field|parameter|argument)|goes? here|base64|must be (sent|included|passed|given))",
        ),
        (
            "an order to send something away",
            r"\b(send|post|forward|upload|exfiltrate|transmit|bcc|cc|leak|copy|submit|mail|e-?mail|report|push|relay|deliver)"
            r"(ed|ing|s)?\b.{0,80}\b(to|at|via)\b.{0,25}" + _WHERE,
        ),
        ("an order to send something away", r"\b(exfiltrat(e|ing)\b|\bbcc (all|every|each|a copy))"),
        (
            "talk of the model's own instructions",
            r"(^|[.!?\"'\]}>] ?|\\n ?)\s*(tool|function) (result|output|response)\s*:\s",
        ),
        (
            "a secret of the person is asked for",
            r"\b(needs?|requires?|demands?|get) (the )?(users?'?s?|person'?s?|customer'?s?|people'?s?|their) (own |corporate |bank |card |login )*"
            r"(passwords?|pins?|passphrase|one-time code|otp|cvv)\b",
        ),
        (
            "a secret of the person is asked for",
            r"\b(ask|asks|asking|get|prompt|trick|talk|persuade)\b.{0,12}\b(users?|person|people|them|customers?|humans?)\b.{0,40}\b(passwords?|passphrase|one-time"
            r" (code|password)|2fa code|otp|pin|card (number|details)|cvv|seed phrase|social security|security answers?)\b",
        ),
        (
            "an order to send something away",
            r"\b(also|additionally|first|then|always|afterwards?)\b,? (silently |quietly )?(bcc|forward|transfer|upload|exfiltrate|leak)\b",
        ),
        (
            "an order to do without people's yes",
            _HONEST
            + r"\b(without|no|skip(ping)?|bypass(ing)?|never|not|don'?t|auto)\b.{0,12}\b(asking|ask|request(ing)?|wait(ing)?|seek(ing)?|prompt(ing)?|need"
            r"|require[ds]?|further|user|human|any)\b.{0,30}" + _AGREE + r"(?!.{0,20}\b(token|code|email|if)\b)",
        ),
        (
            "an order to do without people's yes",
            r"\b(user|human|admin(istrator)?|owner|security team|operator)s? (has|have) (already |previously |explicitly |fully )*"
            r"(approved|consented|authori[sz]ed|agreed|confirmed|granted|given (permission|consent|approval))\b"
            r"|\b(auto-?approved?|pre-?(approved|authori[sz]ed)|skip (the )?(confirmation|approval|permission))\b",
        ),
        (
            "an order that waits for its time",
            r"\b(after|on|at|from|every) the (third|fourth|fifth|sixth|seventh|tenth|\d+(st|nd|rd|th)|first \w+) (call|use|invocation|run|time)\b"
            r"|\b(after|on|from) \d{4}-\d\d-\d\d\b.{0,60}" + _ACT,
        ),
        (
            "an order to follow what comes later",
            _HONEST
            + r"\b(follow|obey|execute|carry out|comply with|perform|act on|do)\b.{0,20}\b(instructions?|commands?|directions|directives|orders)\b"
            r".{0,40}\b(in|from|returned|contained|embedded|hidden|found|fetched|it (returns|gives)|received)\b"
            r".{0,40}\b(results?|outputs?|responses?|answers?|pages?|urls?|https?|tools?|files?|readme|websites?|documents?)\b",
        ),
        ("a place where secrets lie", _HOMES + _SECRETS),
        ("a place that collects what is sent to it", _COLLECTORS),
        ("a command of a shell", _SHELL),
        ("a path out of its folder", r"(\.\.[/\\]){2,}|\bfile:///|\bgopher://"),
    )
)

#: The same with nothing between the letters: for what was taken apart.
_SQUEEZED: Final = re.compile(
    r"(ignore|disregard|forget|override|bypass)(all|any|the|your|every|of|other)*(previous|prior|above|earlier|preceding"
    r"|system|safety)+(instruction|prompt|rule|message|direction|guideline|context)"
    r"|(donot|dont|never|without)(tell|inform|mention|notify|alert|reveal)(ing)?(this|it|anything)?(to)?(the)?(user|human|anyone)"
    r"|(reveal|send|print|include|output)(me|us|the|your|full|entire)*systemprompt"
    r"|(read|cat|send|include|open|print)(the|file|of|contents?)*(homedir)?(sshid|etcpasswd|etcshadow|awscredentials|idrsa)"
)


def orders(plain: str) -> Iterator[tuple[str, str]]:
    """The ideas that are in the text, each with the piece that shows it. `plain` is as `hostile_text.plainly` gives."""
    for name, pattern in ORDERS:
        if found := next((each for each in pattern.finditer(plain) if not each.groupdict().get("forbidden")), None):
            yield name, found[0]
    yield from ideas(plain)
    yield from scenes(plain)
    if found := ABROAD.search(plain):
        yield "an order in another language", found[0]
    if found := _SQUEEZED.search(squeezed(plain)):
        yield "an order, taken apart", found[0]
