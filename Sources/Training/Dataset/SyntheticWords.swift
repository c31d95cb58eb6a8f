// SyntheticWords: the words that drawn text is made of, by language.

/// Words by language; ``SyntheticStrings`` splits them between training and evaluation.
public enum SyntheticWords {
    public enum Language: String, Sendable, CaseIterable {
        case english, german, french, spanish, central, nordic, russian, greek

        public var script: SyntheticScript {
            switch self {
            case .russian: .cyrillic
            case .greek: .greek
            default: .latin
            }
        }
    }

    static let lists: [Language: [String]] = [
        .english: words(
            """
            the and of to in is that for with you this from light water garden window letter morning station bridge paper kitchen \
            music number winter market journey quiet yellow history engine harbour coffee weather island mountain question simple \
            answer open closed menu price total page chapter index north south entrance exit platform ticket museum library bakery \
            pharmacy hotel restaurant river street avenue square tower church school theatre cinema police post office bank sale \
            new fresh free about after again album almost always animal another apple autumn balance basket battery beautiful before \
            behind believe between bicycle black blanket board border bottle bottom branch bread bright broken brother brown budget \
            building button cable camera candle capital carbon careful castle centre certain change cheese cherry choice circle city \
            clean clear climate clock cloud coast colour common company complete contact contents copper corner correct cotton country \
            course cover create credit current customer daily danger daughter december decide deliver depth design detail device \
            different dinner direct distance doctor double dragon drawing dream drink driver during early earth east edge education \
            effect eight either electric element empty enough equal error evening every example exchange expert express extra fabric \
            family famous farmer father feather february field figure final finger finish flavour flight floor flower follow forest \
            forward fountain frame friday friend front fruit future gallery general gentle giant glass golden government grain grand \
            grape graphic gravity green ground group growth guide half hammer handle happy health heart heavy height hidden highway \
            holiday honey horizon horse hospital hour house human hundred idea image important include industry inside insurance iron \
            january jacket joint judge juice july junction june kernel keyboard kingdom knife ladder lake language large laser later \
            laugh leather lemon lesson level limit liquid little local lower lucky lunch machine magazine manager manual maple marble \
            margin master matter measure medicine medium member memory message metal middle milk million mineral minute mirror mixture \
            model modern moment monday money monitor month motion motor mouse moving narrow nation nature needle network never night \
            noble normal nothing notice november object ocean october offer olive orange order organic original other outside owner \
            oxygen package painting palace panel parade parcel parent parking partner party passage pattern pause payment pencil people \
            pepper perfect period person phone photo piano picture pillow pilot pink place planet plastic plate player pleasure pocket \
            point polish popular portrait position potato powder power practice present press pretty primary print private problem \
            process product program project promise protein public purple quality quarter queen quick radio railway rapid reader ready \
            reason receipt record recycle region remember repair report research reserve result return rhythm ribbon right ring road \
            rocket rough round royal rubber salad sample sand saturday save scale science screen search season second secret section \
            security select seven shadow share shelter shirt short should shoulder signal silver sister sketch sleep slice small smile \
            smooth soap social socket soft solar solid sound source space special spice spirit spoon spring stage standard start state \
            steam steel stone storage store storm story straight strange stream strong student studio sugar summer sunday supply support \
            surface sweet switch symbol system table tailor talent taste teacher technical telephone temple tender texture thank thick \
            thing thousand thread thunder thursday tiger timber title today together tomato tomorrow tool touch tower trade traffic train \
            travel treasure triangle tropical trust tuesday tunnel twelve twenty typical umbrella under unique united until update upper \
            urban useful valley value vanilla vapour vegetable velvet vessel victory video village violet vision visitor vitamin voice \
            volume wagon walnut warm warning watch wave wealth wednesday week weight welcome west wheat wheel whisper white whole width \
            wild willow wing wire wisdom within without wonder wooden world writer wrong yard year yesterday young zebra zero zone
            """),
        .german: words(
            """
            und der die das nicht mit auf für von über straße schön grün größe äpfel müller fußgänger ausgang eingang bäckerei königin \
            vögel abend adresse allgemein anfang antwort apotheke arbeit aufgabe augenblick ausflug bahnhof baum bericht besuch bibliothek \
            bild blatt blume boden brücke brot brunnen buch büro dach dampf daten deutsch dorf draußen drei drucker dunkel durst ecke ehre \
            eigentum einfach eisen eltern ende erde ergebnis erfahrung erklärung essen fahrrad familie farbe feder feier fenster ferien \
            feuer firma fisch flasche fleisch fluss frage frau freiheit freitag freude freund frieden frisch frühling führung garten gäste \
            gebäude gebühr gefahr geheimnis geld gemüse genau geschäft geschichte gesicht gespräch gesundheit gewicht glas glück grenze \
            größer gruppe gültig hafen hälfte hammer handel haus heizung herbst herz himmel hochzeit höhe holz hunger insel jahr jugend \
            kaffee kalender karte käse kasse kellner kirche klein knopf koffer können kraft krank küche kunde kunst kurz lager lampe land \
            langsam leben leder lehrer leicht leistung licht liebe löffel luft mädchen markt maschine mauer mehrere meinung messer milch \
            mittag mitte möbel monat morgen müde mutter nachricht nacht nähe natur nebel neun norden öffnung ordnung osten papier pflanze \
            platz preis prüfung quelle rathaus rechnung regen reise richtung ruhe sache salz samstag schatten schiff schloss schlüssel \
            schnee schnell schrank schraube schule schwarz schwester see seite sommer sonne sonntag spiegel sprache stadt stärke stein \
            stimme strom stück stunde süden tätigkeit tausend technik teller tisch tochter treppe tür übung ufer uhr umwelt unfall \
            unterricht urlaub vater verkehr vertrag viertel volk vorsicht wagen wald wand wärme wasser weg wein weiß welt werkzeug wetter \
            wiese wind winter wissen woche wohnung wolke wort würfel wurzel zahl zähler zeichen zeit zeitung ziel zimmer zucker zug zukunft
            """),
        .french: words(
            """
            le la les des une avec pour dans écran été naïve garçon forêt où déjà pâtisserie accès accueil acheter adresse affaire âge \
            agréable aider aiguille aimer air ajouter aliment aller ami ancien année appareil après arbre argent arrivée arrêt assez \
            atelier attention aucun automne autre avant avenir avril bague banque barrière bateau bâtiment beaucoup besoin bibliothèque \
            bientôt billet blanc bleu boîte bonheur bouche boulangerie bouteille bras brûler bruit bureau cacher café caisse campagne \
            carré carte cause ceinture célèbre centre cercle chaîne chaise chaleur chambre champ chanson chapeau château chaussure chef \
            chemin cher cheval chien choix chose ciel clé client cœur colère comment commerce compte conseil côté couleur coupe courage \
            cours coût couteau crayon crème cuisine danger date début décembre défense dehors déjeuner demain dent départ dernier derrière \
            désert dessin deux développer devoir différent difficile dimanche dîner droit durée eau échange école économie écouter écrire \
            effet égal église élève embarquement emploi encore énergie enfant ennui ensemble entrée entreprise envoyer épaule époque équipe \
            erreur escalier espace espoir esprit état étage étoile étranger étude événement facile façon faible famille fenêtre ferme fête \
            feuille février fièvre fille fils fleur fleuve fois fond force français frère froid fromage frontière fruit gare gâteau gauche \
            gens glace goût grand gratuit grève gris guerre guichet habitude haut herbe heure heureux hiver histoire homme hôpital hôtel \
            huile idée image immeuble impôt inconnu intérêt jamais janvier jardin jaune jeudi jeune joie jour journal juillet juin jupe \
            lac lait langue large leçon légume lentement lettre libre lieu ligne lit livre loi loin longueur lumière lundi lune machine \
            mai main maison maître malade marché mardi mari matin médecin meilleur même mémoire mensonge mer merci mère métier meuble \
            milieu mois monde montagne montre morceau mot moteur moulin moyen mur musée naissance neige niveau noir nom nombre nord nuage \
            nuit numéro objet œil œuvre offre oiseau ombre orage ordre oreille ouvert page pain paix papier parole partie pays peau pêche \
            peinture pensée père personne petit peuple peur pièce pied pierre plage plaisir plante pluie poids poisson pomme pont porte
            """),
        .spanish: words(
            """
            señor año mañana corazón niño peña acción agua árbol arena atención avión azúcar baño barrio batalla bebé biblioteca café \
            calle cámara camino canción capítulo carácter cocina compañía corazones cuaderno cuchillo débil décimo diseño dólar dueño \
            edición educación enseñar español espíritu estación fábrica fácil fotografía fútbol gasolina habitación helado historia hombre \
            idéntico imagen índice inglés jabón jamón jardín jueves leña libro límite llave lluvia lágrima madera máquina médico menú mes \
            miércoles montaña muñeca música nación naranja número océano olvidar otoño página pañuelo pájaro película pequeño periódico \
            plátano pregunta público queso química razón reina relación reloj río sábado sección semana silla sueño tamaño teléfono \
            título trabajo tráfico último universidad ventana verano viaje víctima volcán zapato coração não ação pão maçã avô lições \
            mão irmã português rodoviária sugestões você água às câmara êxito
            """),
        .central: words(
            """
            così perché città più łódź żółty mężczyzna zażółć gęślą jaźń książka ulica dzień dobry świat źródło północ wschód zamówienie \
            wyjście wejście pociąg mieszkanie śniadanie cześć dziękuję proszę miłość gwiazda książę pieniądze rzeka szkoła święto \
            příliš žluťoučký kůň úpěl ďábelské ódy město náměstí vlak nádraží pondělí úterý čtvrtek pátek léto podzim zima řeka hřiště \
            děkuji prosím jídlo chléb mléko sýr víno hora křižovatka vchod východ árvíztűrő fúrógép köszönöm szép egészség könyv város \
            utca szőlő hétfő csütörtök gyógyszertár élelmiszer șase țară mâine bună ziua oraș gară străzi ışık güneş işçi çocuk şehir \
            öğrenci ağaç köprü teşekkür kahvaltı kış doğru çıkış giriş šola cesta življenje čaj želja škola grad riječ sunce otok ključ
            """),
        .nordic: words(
            """
            ørsted smørrebrød blåbær åre ångström jäätelö yö være også måned forår efterår søndag lørdag gæst æble ønske båd hånd køkken \
            skærm tømmer brød vågn sjælden kærlighed fødselsdag grønt rød blå gård sky fjäll räkor smörgås kött fågel sjö björn hjärta \
            kväll lördag söndag väder sommar höst vår trädgård gräns måndag torsdag nyckel fönster kök stjärna tåg väg flygplats hälsa \
            kiitos hyvää päivää yötä mäki järvi metsä kesä talvi kevät syksy lentokenttä työ vesi leipä juusto kahvi kirja pöytä tuoli \
            ikkuna ovi katu kaupunki silta þjóð fjörður eyja snjór ísland góðan daginn takk fyrir sjór á öll maður ævi
            """),
        .russian: words(
            """
            и в не на что свет вода сад окно письмо утро станция мост бумага кухня музыка число зима рынок тихий жёлтый история двигатель \
            гавань кофе погода остров гора вопрос простой ответ открыто закрыто меню цена итого страница глава север юг вход выход билет \
            музей библиотека булочная аптека гостиница ресторан река улица площадь башня церковь школа театр кино почта банк новый свежий \
            август адрес апрель бабушка белый берег больница большой брат будущее быстро вагон важный ветер вечер вещь вечно вилка вместе \
            внимание воздух возраст война волна врач время всегда встреча газета глаз год голос голубой город гость готовый граница группа \
            далеко дата дверь дворец декабрь дело день деньги деревня дерево дети длинный дождь доктор документ дом дорога дочь друг дядя \
            еда жизнь журнал завод завтра завтрак закон замок звезда звук здание здоровье зелёный земля зеркало знание золото игра идея \
            имя июль июнь каждый камень карта картина касса квартира класс ключ книга ковёр команда комната конец корабль красный край \
            крыша лампа лев лес лестница лето лист лицо лодка ложка лошадь лёд любовь люди магазин май март масло машина мебель мёд между \
            место месяц металл мир много молоко море мороз москва музыкант мяч набор надежда народ наука небо неделя ничего номер ноябрь \
            обед облако образ общий объект огонь одежда озеро океан октябрь опыт осень отдых отец очень память парк первый песня пирог \
            план платье победа поезд поле полёт помощь порядок посуда правда праздник предмет привет пример природа причина птица пустой \
            путь работа радость развитие размер рассказ ребёнок результат рисунок родина роза рубль рука рыба рядом сахар семья сентябрь \
            сердце середина сестра сила синий скоро слово слон смысл снег совет солнце соль сосед список спорт среда стакан стена стол \
            страна строка стул суббота сумка счастье сын сыр тайна тарелка тело тень тетрадь товар точка трава трамвай труд туман угол \
            ужин уровень урок успех учитель февраль фильм форма хлеб хозяин холод хорошо цвет цветок цель центр часть часы человек чай \
            чёрный чистый чудо шаг шапка широкий шум щенок экран энергия этаж юбка явление ягода язык яйцо январь яркий ящик
            """),
        .greek: words(
            """
            και το της των φως νερό κήπος παράθυρο γράμμα πρωί σταθμός γέφυρα χαρτί κουζίνα μουσική αριθμός χειμώνας αγορά ταξίδι ήσυχος \
            κίτρινο ιστορία μηχανή λιμάνι καφές καιρός νησί βουνό ερώτηση απλός απάντηση ανοικτό κλειστό κατάλογος τιμή σύνολο σελίδα \
            κεφάλαιο βορράς νότος είσοδος έξοδος εισιτήριο μουσείο βιβλιοθήκη φούρνος φαρμακείο ξενοδοχείο εστιατόριο ποτάμι οδός πλατεία \
            πύργος εκκλησία σχολείο θέατρο ταχυδρομείο τράπεζα νέος φρέσκο ελεύθερος αέρας αγάπη αδελφός αεροδρόμιο αίμα άλογο αλάτι \
            αλήθεια άνθρωπος άνοιξη αρχή άσπρο αστέρι αύριο αυτοκίνητο βάρκα βιβλίο βράδυ βροχή γάλα γάτα γη γιατρός γλώσσα γυναίκα δάσος \
            δέντρο δρόμος δύναμη δωμάτιο ειρήνη εικόνα ελιά ελπίδα ενέργεια εποχή εργασία εφημερίδα ζάχαρη ζωή ήλιος ημέρα θάλασσα θέμα \
            θερμός ιδέα ιούνιος κανόνας καρδιά καρέκλα κείμενο κεφάλι κλειδί κόκκινο κόσμος κρασί κρύο κύμα λάδι λέξη λουλούδι μάθημα μάτι \
            μέλι μέρα μέσα μήλο μήνας μητέρα μικρός μνήμη νύχτα ξύλο οικογένεια όνομα όραμα ουρανός παιδί πατέρας πέτρα πόλη πόρτα πράσινο \
            προϊόν πουλί ρολόι σάββατο σημείο σίδερο σκάλα σπίτι στιγμή σύννεφο σχέδιο σώμα τέλος τέχνη τραπέζι τρένο τυρί υγεία ύπνος \
            φθινόπωρο φίλος φωνή φύση χαρά χέρι χιόνι χρόνος χρώμα χώρα ψάρι ψωμί ψυχή ώρα ωραίος
            """),
    ]

    private static func words(_ text: String) -> [String] {
        var seen = Set<String>()
        return text.split(whereSeparator: \.isWhitespace).map(String.init).filter { seen.insert($0.lowercased()).inserted }
    }
}
