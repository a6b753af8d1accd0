"""Orders to a model in other languages than English: to drop what it was told, to keep something from people, to hand over what is not the tool's.

One pattern: the words for dropping near those for instructions, those for not telling near those for people, those
for giving near those for secrets and for the conversation, in each language. Pure. Above: `orders`. Not here: English, disguises.
"""

# ruff: noqa: E501 - a pattern reads better whole than at 120 columns

import re
import unicodedata
from typing import Final

_NEAR: Final = r"[^.!?\u3002\uff01\uff1f]{0,50}"

#: Each language: to drop, what was said; not to tell, people.
_WORDS: Final[tuple[tuple[str, str, str, str], ...]] = (
    (  # Spanish
        r"ignor(a|e|en|ar)|olvid(a|e|ar)|descart(a|e)|omit(e|a|ir)|haz caso omiso|obedec(e|er) a |no (hagas|haga|hagan) caso|no (sigas|siga|sigan|obedezcas|obedezca|cumplas|cumpla|respetes|respete)|desobede(ce|zca)|prescind(e|a) de|salta(te)?|deja de (seguir|lado)",
        r"instruccion(es)?|ordenes|reglas|indicaciones|directrices|mensajes|(te|se|le) (indicaron|dijeron|indico|dijo|dieron)|indicado|orientaciones|normas|politicas|consignas|prompt",
        r"(no|nunca) (le |lo |se )*(digas|diga|informes|informe|menciones|mencione|reveles|avises|cuentes|muestres)|no (debe|debes|deben) (comentar|decir|contar)\w*|sin (informar|avisar|decir|que lo sepa|que se entere)|no se enter[ea]|no (debe|deben|puede|tiene que|ha de) (saber|enterarse|conocer|ver|notar)|a espaldas|(ocult|escond)(a|e)(lo|selo| (esto|este|esta|la llamada))|en secreto",
        r"usuario|usuaria|nadie|persona|client[ea]|humano",
    ),
    (  # Portuguese
        r"ignor(e|a|ar|em)|esque(ca|cam|cer)|desconsider(e|ar)|descart(e|ar)|desobede(ca|cer|ce)|nao (siga|sigas|obedeca|cumpra|respeite|leve em conta)|deixe de (seguir|lado)|passe por cima",
        r"instruco?e?s|instrucoes|regras|ordens|diretrizes|mensagens|orientacoes|normas|politicas|indicacoes|prompt|(te|lhe) (disseram|foi dito)",
        r"(nao|nunca) (diga|conte|informe|mencione|revele|avise|mostre)|sem (informar|avisar|dizer|contar|que (o|a) \w+ saiba)|nao (deve|devem|pode|precisa) (saber|perceber|ver|descobrir)|nao (fique|fica) sabendo|(escond|ocult)(a|e) (isso|isto|este|esta)|em segredo",
        r"usuario|utilizador|ninguem|pessoa|client[ea]|humano",
    ),
    (  # French
        r"ignor(e|ez|er)\b|oubli(e|ez|er)|ne tiens pas compte|ne tenez pas compte|neglig(e|ez)|ne (tiens|tenez) (aucun|plus) compte|ne (suis|suivez|respecte[zs]?|obei[st]|obeissez|applique[zs]?) (pas|plus)|desobei(s|ssez|r)|passe[zr]? outre|fai(s|tes) abstraction|ecarte[zr]?",
        r"instructions|consignes|regles|directives|messages|indications|politiques?|ordres|prompt|(t'|vous |on )a(vez)? (dit|ete)",
        r"ne (le |la |l'|rien )*(dis|dites|mentionne[zs]?|revele[zs]?|informe[zs]?|previen[st]|prevenez|montre[zs]?)|sans (informer|le dire|en parler|rien dire|prevenir|avertir|que l\w*.{0,15} sache)|ne (doit|doivent|peut|dois) (rien|pas|jamais|point|en rien) .{0,6}(savoir|voir|apprendre|remarquer|connaitre)|a l'insu|(cache|dissimule)[zr]?[ -](le|la|ce|cet|cette)\b|en secret|garde[zr]? .{0,15}secret",
        r"utilisateur|utilisatrice|personne|quiconque|client[e]?|humain",
    ),
    (  # German
        r"ignorier(e|en|t)?|vergiss|vergessen sie|missachte|uberge(he|hen)|beachte.{0,20}nicht|(gelten|gilt|zahlen|gultig).{0,20}nicht (mehr|langer)|(folge|befolge|halte|richte)\w*.{0,30}(nicht|keine)|setze?.{0,30}hinweg|ausser kraft|hinfallig|umgehe",
        r"anweisungen|anweisung|befehle|regeln|vorgaben|richtlinien|instruktionen|nachrichten|(bisherige|fruhere|vorherige|obige)\w* (hinweise|grundsatze|auftrage|weisungen)|systemprompt|deine\w* grundsatze",
        r"(sage?|verrate|erzahle?|erwahne|informiere|teile?|melde|zeige?)\b.{0,40}\b(nicht|nichts|niemals|kein)|ohne.{0,40}(zu informieren|zu sagen|zu erwahnen|mitzuteilen)|verschweig|verheimlich|(darf|soll|muss|braucht|durfen|sollen)\b.{0,30}\b(nichts|nicht|nie)\b.{0,20}(erfahren|wissen|merken|mitbekommen)|ohne wissen|(halte|behalte?)\w*.{0,30}(geheim|fur dich)|unbemerkt|heimlich|hinter dem rucken",
        r"benutzer|nutzer|anwender|niemand|menschen|user|kunde|kundin|person|keiner|auftraggeber",
    ),
    (  # Italian
        r"ignora(re|te)?|dimentica(re|te)?|trascura|non considerare|non (seguire|seguite|rispettare|obbedire|tenere conto|applicare)|disobbedisci|disobbedire|lascia perdere|scavalca",
        r"istruzioni|regole|ordini|direttive|messaggi|indicazioni|linee guida|politiche|prompt|ti (hanno|e stato) dett[oi]|consegne",
        r"(non|mai) (dirlo|dire|informare|menzionare|rivelare|avvisare|mostrare)|senza (informare|dirlo|avvisare|che .{0,20}sappia)|non (deve|devono|puo) (sapere|accorgersi|vedere|scoprire)|all'insaputa|nascond(i|ere|ete)(lo| (questo|questa))|di nascosto|in segreto",
        r"utente|nessuno|persona|client[ei]|umano",
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
        r"игнорируй\w*|проигнорируй\w*|забудь\w*|не обращай\w* внимания|ігноруй\w*|проігноруй\w*|забудьте?|не (следуй|подчиняйся|соблюдай|выполняй|учитывай|придерживайся)\w*|отмени|обходи|нарушай\w*|пренебреги\w*|отбрось\w*|игнорирай\w*|забрави",
        r"инструкци\w*|указани\w*|правил\w*|команд\w*|предписани\w*|ограничени\w*|инструктаж\w*|политик\w*|промпт\w*|сообщени\w*|інструкці\w*|вказівк\w*|повідомлен\w*",
        r"не (говори|сообщай|рассказывай|упоминай|показывай|раскрывай|кажи|повідомляй|розповідай|згадуй|казвай|споменавай)\w*|без ведома|без відома|скро(й|йте)\w*.{0,25} от|скрывай\w*.{0,25} от|утаи\w*.{0,25} от|не должен (знать|узнать|видеть|заметить)|не должн[аы] (знать|узнать|видеть)|в тайне|втайне|тайком",
        r"пользовател\w*|клиент\w*|человек\w*|никто|никому|користувач\w*|нікому|потребител\w*",
    ),
    (  # Greek (accents folded)
        r"αγνοησ\w*|ξεχασ\w*|παραβλεψ\w*",
        r"οδηγι\w*|εντολ\w*|κανονε\w*|μηνυματ\w*",
        r"μην (πεισ|πειτε|αναφερ\w*|ενημερων\w*|αποκαλυ\w*)",
        r"χρηστη\w*|κανεναν?",
    ),
    (  # Chinese
        r"忽略|无视|無視|忘记|忘記|不要理会|不要理會|跳过|覆盖|不(要|必|用|再|得|应)?(遵守|遵循|服从|理会|理睬|执行)|违反|绕过|绕开|抛开|不再(有效|适用)",
        r"指令|指示|规则|規則|提示|说明|說明|消息|命令|要求|规定|准则|政策|约束|限制|指引|嘱咐",
        r"不要(告诉|告訴|通知|提及|提到|透露|让|讓|向|对|對)|不得告知|别告诉|別告訴|无需告知|隐瞒|隱瞞|勿告知|不告诉|保密|不(必|用|要|得|可|能)?(向|对)?(用户|使用者)?(说明|告知|解释|提示|显示|展示|让)|瞒着|偷偷|悄悄|暗中|秘密地|不知情|不让|别让",
        r"用户|用戶|使用者|任何人|他人|人类|客户|顾客|对方|本人",
    ),
    (  # Japanese
        r"無視し|忘れ|従わない|破棄し|従わず|従うな|従う必要はな|守らない|守らなくて|守らず|無視せよ|考慮しない",
        r"指示|命令|ルール|規則|プロンプト|メッセージ|方針|制約|指針|ガイドライン|ポリシー",
        r"(ユーザー|利用者|誰|だれ|人間).{0,12}(言わない|伝えない|知らせない|教えない|話さない|明かさない|知らせず|告げず|言及しない|見せない|内緒|秘密|隠して|隠す|伏せ|知られない|気付かれない|気づかれない|黙って|報告しない|通知しない|説明しない)|(内緒|秘密裏|こっそり|密かに|黙って)",
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


#: Each language: to hand over, what only the model or the person has.
_GIVEN: Final[tuple[tuple[str, str], ...]] = (
    (  # Spanish
        r"incluy[ea]|copi(a|e|ar)|peg(a|ue)|envi[ae]|adjunt[ae]|pas(a|e)(le|me|la|las|lo|los)?|anad(e|a)|reenvi[ae]|mand(a|e)|le(e|a)|transmit(e|a)",
        r"contrasenas?|claves? (de api|privadas?|ssh)|credenciales|historial (completo|de (la |esta )?conversacion)|(toda )?la conversacion|conversacion (completa|entera|anterior)|prompt del sistema|(?<!\w)\.env\b|cookies? de sesion|variables de entorno|token de sesion",
    ),
    (  # Portuguese
        r"inclu(a|i|ir)|copi(e|a)|col(e|a)|envi(e|a)|anex(e|a)|pass(e|a)|adicion(e|a)|encaminh(e|a)|mand(e|a)|lei?a|transmit(a|e)",
        r"senhas?|chaves? (de api|privadas?|ssh)|credenciais|historico (completo|d[ae] conversa)|conversa (completa|inteira|anterior)|toda a conversa|prompt do sistema|(?<!\w)\.env\b|cookies? de sessao|variaveis de ambiente",
    ),
    (  # French
        r"inclu(s|ez|re)|met(s|tez|tre)|place[zr]?|copie[zr]?|colle[zr]?|envo(ie|yez|yer)|joi(ns|gnez|ndre)|ajoute[zr]?|transmet(s|tez|tre)?|passe[zr]?|li(s|sez|re)|recopie[zr]?|inser(e|ez|er)",
        r"mots? de passe|cles? (d'api|api|privees?|ssh)|identifiants de connexion|historique (complet|de (la |cette )?conversation)|(toute|toute la|l'integralite de la) conversation|conversation (complete|entiere)|prompt systeme|invite systeme|(?<!\w)\.env\b|cookies? de session|variables d'environnement",
    ),
    (  # German
        r"fugen?|schreibe?n?|kopiere?n?|sende?n?|schicke?n?|hange?n?|ubergi?ib|ubergeben?|leite?n?|lies|lesen sie|gib|geben sie|nenne?|trage?n?",
        r"passwort(er|e)?\b.{0,30}\b(nutzers?|benutzers?|kunden|ein|an|mit)\b|private[nrs]? schlussel|api-?schlussel|zugangsdaten|(gesprachs|chat)verlauf|(ganze|gesamte|bisherige)n? (unterhaltung|gesprach|chat|konversation)|system-?prompt|(?<!\w)\.(env|netrc|ssh|aws)\b|sitzungs-?cookie|umgebungsvariablen",
    ),
    (  # Italian
        r"inclu(di|dere|da)|inserisc(i|a)|copia(re)?|incolla(re)?|invia(re)?|allega(re)?|passa(re)?|aggiung(i|ere)|inoltra(re)?|manda(re)?|legg(i|ere)|trasmett(i|ere)",
        r"password\b.{0,20}\b(utente|cliente)|chiav[ei] (api|privat[ae]|ssh)|credenziali|cronologia (completa|della conversazione)|(intera|tutta la) conversazione|conversazione (completa|intera)|prompt di sistema|(?<!\w)\.env\b|cookie di sessione|variabili d'ambiente",
    ),
    (  # Russian
        r"встав(ь|ьте|ить)|скопируй\w*|отправ(ь|ьте|ить)|прилож\w*|добав(ь|ьте|ить)|переда(й|йте|ть)|перешли\w*|прочита(й|йте)|запиши\w*|включи\w*|укажи\w*|пришли\w*",
        r"парол[ьия]\w*|ключ\w* (api|ssh|доступа)|приватн\w* ключ\w*|закрыт\w* ключ\w*|учетн\w* данн\w*|учётн\w* данн\w*|истори\w* (переписки|чата|диалога|разговора|беседы)|(вс[юяеё]|полн\w*|перепис\w*) (переписк|диалог|беседу|разговор)\w*|системн\w* промпт\w*|переменн\w* окружения|(?<!\w)\.env\b",
    ),
    (  # Chinese
        r"写|寫|包含|包括|附上|附加|发送|發送|发给|粘贴|填入|传给|传入|传递|上传|读取|讀取|复制|複製|放入|放在|转发|记录在",
        r"(对话|聊天|會話|会话|對話)(记录|历史|紀錄|歷史|内容)|(完整|全部|整个|所有)的?(对话|聊天|會話|会话)|系统提示词?|系統提示|密码|密碼|密钥|金鑰|私钥|凭证|凭据|憑證|环境变量|環境變數",
    ),
    (  # Japanese
        r"含め|送信|送って|貼り付け|添付|コピー|渡し|書き込|書いて|記入|読み取|読み込|読んで|転送|入れて|追加し",
        r"会話(の)?(履歴|内容|全体|ログ)|チャット(の)?(履歴|ログ)|システムプロンプト|パスワード|秘密鍵|認証情報|apiキー|環境変数|資格情報",
    ),
)

#: Each language: to answer untruly when asked; to act without anybody's yes; not to mention it.
_ALONE: Final[tuple[str, ...]] = (
    r"si .{0,25}pregunt[ae]n?\b.{0,15}\b(di|diga|responde|contesta) que|sin (pedir|solicitar) (la )?(confirmacion|permiso|aprobacion)",
    r"se .{0,25}pergunt(ar|arem)\b.{0,15}\b(diga|responda) que|sem (pedir|solicitar) (a )?(confirmacao|permissao|aprovacao)",
    r"si .{0,25}demande(nt)?\b.{0,20}\b(dis|dites|reponds|repondez) que|sans demander (de |la |l'|son )?(confirmation|permission|autorisation|accord)",
    r"(wenn|falls) .{0,25}(fragt|fragen)\b.{0,20}\b(sag|sage|antworte|behaupte)\b|ohne (nachzufragen|zu fragen|um erlaubnis)|erwahnen? (sie )?(es|das|dies|diesen \w{1,20}) (nicht|nie|niemals)\b",
    r"se .{0,25}chied(e|ono)\b.{0,15}\b(di|rispondi|dica) che|senza chiedere (la )?(conferma|permesso|autorizzazione)",
    r"если .{0,25}спросит.{0,15}(скажи|ответь|отвечай)|без подтверждения|не спрашивая разрешения",
    r"(无需|不需要?|不必|不用)(用户|使用者)?(确认|同意|批准)|未经(用户|使用者)(确认|同意|允许)",
    r"(sostituisci|sustituye|reemplaza|cambia|substitua|troque|remplace[zr]?|ersetze?n?|замени) .{0,30}\b(iban|conto|cuenta|conta|compte|konto|destinat\w{1,8}|empfanger\w{0,3}|счет|получателя)\b",
    r"(schalte?n?|deaktiviere?n?|stoppe?n?) .{0,40}\b(protokoll|audit-protokoll|virenscanner|firewall|uberwachung)\b|(desactiva|desative|disattiva|desactive[zr]?) .{0,30}(auditoria|antivirus|firewall|registro|journal|audit)",
    r"(確認|許可|同意)(なし(で|に)|なく|を得ずに|せずに|を取らずに)",
)


def _pattern() -> str:
    found: list[str] = list(_ALONE)
    for drop, said, silent, people in _WORDS:
        found.append(f"(?:{drop}){_NEAR}(?:{said})")
        found.append(f"(?:{said}){_NEAR}(?:{drop})")
        found.append(f"(?:{silent})" + (f"{_NEAR}(?:{people})" if people else ""))
        if people:
            found.append(f"(?:{people}){_NEAR}(?:{silent})")
    for give, given in _GIVEN:
        ends = r"\b" if give.isascii() else ""
        found.append(f"(?:{give}){ends}{_NEAR}(?:{given})")
        if not ends:  # the languages that put the verb last, or anywhere
            found.append(f"(?:{given}){_NEAR}(?:{give})")
    return r"(?:(?<=\W)|^|(?<=[^\x00-\x7f]))(?:" + "|".join(found) + ")"


#: Texts are read in this form, too.
ABROAD: Final = re.compile(unicodedata.normalize("NFKC", _pattern()))
