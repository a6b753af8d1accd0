"""Orders to a model in other languages than English: to drop what it was told, and to keep something from people.

One pattern: the words for dropping near those for instructions, or those for not telling near those for people, in
each language. Pure. Above: `orders`. Not here: English, disguises.
"""

# ruff: noqa: E501 - a pattern reads better whole than at 120 columns

import re
import unicodedata
from typing import Final

_NEAR: Final = r".{0,50}"

#: Each language: to drop, what was said; not to tell, people.
_WORDS: Final[tuple[tuple[str, str, str, str], ...]] = (
    (  # Spanish
        r"ignor(a|e|en|ar)|olvid(a|e|ar)|descart(a|e)|omit(e|a|ir)|haz caso omiso",
        r"instruccion(es)?|ordenes|reglas|indicaciones|directrices|mensajes",
        r"no (le |lo |se )*(digas|diga|informes|informe|menciones|mencione|reveles|avises|cuentes|muestres)|sin (informar|avisar|decir)",
        r"usuario|usuaria|nadie|persona",
    ),
    (  # Portuguese
        r"ignor(e|a|ar|em)|esque(ca|cam|cer)|desconsider(e|ar)|descart(e|ar)",
        r"instruco?e?s|instrucoes|regras|ordens|diretrizes|mensagens",
        r"nao (diga|conte|informe|mencione|revele|avise|mostre)|sem (informar|avisar|dizer|contar)",
        r"usuario|utilizador|ninguem|pessoa",
    ),
    (  # French
        r"ignor(e|ez|er)|oubli(e|ez|er)|ne tiens pas compte|ne tenez pas compte|neglig(e|ez)",
        r"instructions|consignes|regles|directives|messages",
        r"ne (le |la |l'|rien )*(dis|dites|mentionne[zs]?|revele[zs]?|informe[zs]?|previen[st]|prevenez|montre[zs]?)|sans (informer|le dire|prevenir|avertir)",
        r"utilisateur|utilisatrice|personne|quiconque",
    ),
    (  # German
        r"ignorier(e|en|t)?|vergiss|vergessen sie|missachte|uberge(he|hen)|beachte.{0,20}nicht",
        r"anweisungen|anweisung|befehle|regeln|vorgaben|richtlinien|instruktionen|nachrichten",
        r"(sage?|verrate|erzahle?|erwahne|informiere|teile?|melde|zeige?)\b.{0,40}\b(nicht|nichts|niemals|kein)|ohne.{0,40}(zu informieren|zu sagen|zu erwahnen|mitzuteilen)|verschweig|verheimlich",
        r"benutzer|nutzer|anwender|niemand|menschen|user",
    ),
    (  # Italian
        r"ignora(re|te)?|dimentica(re|te)?|trascura|non considerare",
        r"istruzioni|regole|ordini|direttive|messaggi|indicazioni",
        r"non (dirlo|dire|informare|menzionare|rivelare|avvisare|mostrare)|senza (informare|dirlo|avvisare)",
        r"utente|nessuno|persona",
    ),
    (  # Dutch
        r"negeer|vergeet|sla .{0,20} over",
        r"instructies|regels|opdrachten|aanwijzingen|berichten",
        r"(vertel|zeg|meld|noem|informeer)\b.{0,30}\b(niet|niets|nooit)|zonder.{0,30}(te vertellen|te informeren|te melden)",
        r"gebruiker|niemand|mensen",
    ),
    (  # Swedish, Danish, Norwegian
        r"ignorer(a|er)?|glom|glem|bortse fran|se bort fra",
        r"instruktioner(na)?|instrukser|instruksjoner|regler|meddelanden|beskeder",
        r"(beratta|fortael|fortell|sag|sig|si|namn)\b.{0,20}\b(inte|ikke|aldrig|aldri)\b|utan att (beratta|informera)|uden at (fortaelle|informere)",
        r"anvandaren?|brugeren?|brukeren?|nagon|nogen|noen",
    ),
    (  # Polish
        r"zignoruj|ignoruj|zapomnij|pomin",
        r"instrukcj[eia]|polecen|poleceni[ae]|zasad[y]?|regul|wiadomosci",
        r"nie (mow|informuj|wspominaj|ujawniaj|pokazuj|zdradzaj)|bez (informowania|wiedzy)",
        r"uzytkownik\w*|nikomu|nikogo",
    ),
    (  # Czech, Slovak
        r"ignoruj(te)?|zapomen(te)?|zabudni(te)?",
        r"instrukce|instrukcie|pokyn[y]?|pravidl[a]?|zprav[y]?",
        r"(ne(rikej|rikejte|zminuj|sdeluj|informuj|hovor|prezrad)\w*)",
        r"uzivatel\w*|pouzivatel\w*|nikomu",
    ),
    (  # Turkish
        r"yok say|gormezden gel|unut|dikkate alma|goz ardi et",
        r"talimat\w*|yonerge\w*|kural\w*|komut\w*|mesaj\w*",
        r"(soyleme|bahsetme|bildirme|haber verme|gosterme|aciklama)\w*",
        r"kullanici\w*|kimse\w*",
    ),
    (  # Indonesian, Malay
        r"abaikan|lupakan|hiraukan",
        r"instruksi|arahan|aturan|perintah|pesan",
        r"jangan (beri ?tahu|katakan|sebutkan|ungkapkan|beritahu)|tanpa memberi ?tahu",
        r"pengguna|siapa ?pun",
    ),
    (  # Vietnamese (accents folded)
        r"bo qua|phot lo|quen (di|het)",
        r"huong dan|chi dan|chi thi|quy tac|lenh|tin nhan",
        r"(dung|khong|cho) (noi|tiet lo|thong bao|cho .{0,12} biet|bao)",
        r"nguoi dung|ai",
    ),
    (  # Romanian, Hungarian, Finnish
        r"ignora[ti]?|uita[ti]?|hagyd figyelmen kivul|felejtsd el|jata huomiotta|unohda|sivuuta",
        r"instructiuni\w*|reguli\w*|utasitas\w*|szabaly\w*|ohje\w*|saanno\w*|kasky\w*",
        r"nu (spune|informa|mentiona|dezvalui)\w*|ne (mondd|emlitsd|aruld|szolj)\w*|ala (kerro|mainitse|paljasta)",
        r"utilizator\w*|nimanui|felhasznalo\w*|senkinek|kayttaja\w*|kenellekaan",
    ),
    (  # Russian, Ukrainian, Bulgarian
        r"игнорируй\w*|проигнорируй\w*|забудь\w*|не обращай\w* внимания|ігноруй\w*|проігноруй\w*|забудьте?|игнорирай\w*|забрави",
        r"инструкци\w*|указани\w*|правил\w*|команд\w*|сообщени\w*|інструкці\w*|вказівк\w*|повідомлен\w*",
        r"не (говори|сообщай|рассказывай|упоминай|показывай|раскрывай|кажи|повідомляй|розповідай|згадуй|казвай|споменавай)\w*|без ведома|без відома",
        r"пользовател\w*|никому|користувач\w*|нікому|потребител\w*",
    ),
    (  # Greek (accents folded)
        r"αγνοησ\w*|ξεχασ\w*|παραβλεψ\w*",
        r"οδηγι\w*|εντολ\w*|κανονε\w*|μηνυματ\w*",
        r"μην (πεισ|πειτε|αναφερ\w*|ενημερων\w*|αποκαλυ\w*)",
        r"χρηστη\w*|κανεναν?",
    ),
    (  # Chinese
        r"忽略|无视|無視|忘记|忘記|不要理会|不要理會|跳过|覆盖",
        r"指令|指示|规则|規則|提示|说明|說明|消息|命令|要求",
        r"不要(告诉|告訴|通知|提及|提到|透露|让|讓|向|对|對)|不得告知|别告诉|別告訴|无需告知|隐瞒|隱瞞|勿告知|不告诉",
        r"用户|用戶|使用者|任何人|他人|人类",
    ),
    (  # Japanese
        r"無視し|忘れ|従わない|破棄し",
        r"指示|命令|ルール|規則|プロンプト|メッセージ",
        r"(ユーザー|利用者|誰|だれ|人間).{0,12}(言わない|伝えない|知らせない|教えない|話さない|明かさない|知らせず|告げず|言及しない|見せない)",
        r"",
    ),
    (  # Korean
        r"무시하|무시해|무시하고|잊어|잊고",
        r"지시|지침|명령|규칙|프롬프트|메시지",
        r"(알리지|말하지|언급하지|밝히지|보여주지|알려주지)\s?(마|말|않)",
        r"사용자|누구|유저",
    ),
    (  # Arabic
        r"تجاهل\w*|انس\w*|اهمل\w*|أهمل\w*",
        r"تعليمات|التعليمات|الأوامر|الاوامر|أوامر|القواعد|الرسائل|الارشادات|الإرشادات",
        r"لا (تخبر|تقل|تذكر|تبلغ|تكشف|تعلم)\w*|دون (إخبار|اخبار|علم|إبلاغ)",
        r"المستخدم\w*|مستخدم|احد|أحد",
    ),
    (  # Hebrew
        r"התעלם|התעלמ\w*|שכח|שכחו",
        r"הוראות|ההוראות|הנחיות|ההנחיות|כללים|הכללים|הודעות",
        r"אל (תספר|תגלה|תאמר|תזכיר|תודיע)\w*|בלי (לספר|להודיע|לידע)",
        r"משתמש|למשתמש|לאף אחד|המשתמש",
    ),
    (  # Persian
        r"نادیده بگیر\w*|فراموش کن\w*",
        r"دستور\w*|قوانین|پیام\w*|راهنما\w*",
        r"(نگو\w*|اطلاع نده\w*|فاش نکن\w*|نگویید)",
        r"کاربر\w*|کسی",
    ),
    (  # Hindi, Bengali
        r"अनदेखा|नज़रअंदाज़|नजरअंदाज|उपेक्षा|भूल जा|উপেক্ষা|ভুলে যা",
        r"निर्देश\w*|आदेश\w*|नियम\w*|संदेश\w*|নির্দেশ\w*|নিয়ম\w*",
        r"(मत|न) (बताएं|बताना|बताओ|बताइए)|(बताएं|बताना) (नहीं|मत)|को न बता|মত বল|বলবেন না|জানাবেন না",
        r"उपयोगकर्ता|यूज़र|किसी|ব্যবহারকারী\w*",
    ),
    (  # Thai
        r"เพิกเฉย|ละเว้น|ไม่ต้องสนใจ|ลืม|ไม่สนใจ",
        r"คำสั่ง|คำแนะนำ|กฎ|ข้อความ",
        r"(อย่า|ห้าม|ไม่ต้อง)(บอก|แจ้ง|เปิดเผย|กล่าวถึง)",
        r"ผู้ใช้|ใคร",
    ),
)


def _pattern() -> str:
    found: list[str] = []
    for drop, said, silent, people in _WORDS:
        found.append(f"(?:{drop}){_NEAR}(?:{said})")
        found.append(f"(?:{said}){_NEAR}(?:{drop})")
        found.append(f"(?:{silent})" + (f"{_NEAR}(?:{people})" if people else ""))
        if people:
            found.append(f"(?:{people}){_NEAR}(?:{silent})")
    return r"(?:(?<=\W)|^|(?<=[^\x00-\x7f]))(?:" + "|".join(found) + ")"


#: Texts are read in this form, too.
ABROAD: Final = re.compile(unicodedata.normalize("NFKC", _pattern()))
