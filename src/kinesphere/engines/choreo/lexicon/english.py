"""The English half of the lexicon, as tables.

Phrases are written without articles, possessives and side words: matching lets those stand between
two words of a phrase ("raise hand" reads "raises his right hand"). The first word of a phrase in
MOVEMENTS is a verb and is inflected; the first phrase of a verb is the name it is suggested by.
"""

from typing import Final

from kinesphere.engines.choreo.script import Action

MOVEMENTS: Final[tuple[tuple[Action, str], ...]] = (
    (Action("walk"), "walk, go for walk, take walk, wander, hike, pace around, tread, walk "
     "around"),
    (Action("walk", speed=0.8), "stroll, amble, saunter, plod, trudge, shuffle"),
    (Action("walk", amplitude=1.3, styles=("proud",)), "strut, swagger, parade"),
    (Action("walk", amplitude=1.3), "stride"),
    (Action("walk", styles=("robotic",)), "walk like robot, walk like machine"),
    (Action("walk", direction="backward", styles=("cool",)), "moonwalk"),
    (Action("walk", direction="backward"), "retreat, back up, back away, back off, reverse"),
    (Action("walk", path="circle"), "circle around, go around in circle, walk laps"),
    (Action("run"), "run, gallop, race"),
    (Action("run", speed=0.8), "jog, trot"),
    (Action("run", speed=1.5), "sprint, dash, rush, bolt, hurry, charge, flee"),
    (Action("sneak"), "sneak, creep, prowl, tiptoe, tip toe, walk on tiptoe, walk on tiptoes, "
     "walk on tip toes, sneak around on tiptoe, slink, skulk, move stealthily"),
    (Action("march"), "march, goose step, march around"),
    (Action("skip"), "skip, frolic, prance, skip along"),
    (Action("sidestep"), "sidestep, side step, side shuffle, walk sideways, step sideways, "
     "step to side, shuffle sideways, strafe, move sideways, crab walk"),
    (Action("stagger"), "stagger, sway, wobble, totter, reel, lurch, teeter"),
    (Action("stagger", styles=("drunk",)), "walk like drunk, walk drunkenly, walk drunk"),
    (Action("limp"), "limp, hobble, drag leg, drag foot, walk with limp"),
    (Action("crawl"), "crawl, crawl on all fours, crawl on hands and knees, walk on all fours, "
     "crawl on belly"),
    (Action("climb", direction="up"), "climb, climb up, climb stairs, climb up stairs, climb "
     "ladder, "
     "climb up ladder, walk up stairs, go up stairs, walk upstairs, go upstairs, run up stairs, "
     "ascend, ascend stairs, walk up flight of stairs, climb flight of stairs, climb steps, "
     "walk up steps, go up steps"),
    (Action("climb", direction="down"), "climb down, climb down stairs, climb down ladder, "
     "walk down stairs, go down stairs, walk downstairs, go downstairs, descend, descend stairs, "
     "walk down flight of stairs, walk down steps"),
    (Action("jump"), "jump, jump up, jump up and down, bounce, bounce up and down, spring up, "
     "vault, "
     "leap up, bound, jump rope, skip rope, jump in air, leap in air, leap into air, jump into "
     "air"),
    (Action("jump", styles=("happy",)), "jump for joy"),
    (Action("hop"), "hop, hop on foot, hop on leg, jump on foot, jump on leg, bunny hop"),
    (Action("leap"), "leap, pounce, hurdle, jump over, leap over"),
    (Action("spin"), "spin, spin around, twirl, twirl around, whirl, whirl around, rotate, "
     "revolve, "
     "gyrate, turn in circle, turn in circles, turn round and round, spin in circle, "
     "spin in circles, turn around in circle, turn around in circles"),
    (Action("spin", styles=("graceful",)), "pirouette"),
    (Action("turn"), "turn, pivot, turn to face, rotate to face"),
    (Action("turn", degrees=180), "turn around, turn back, turn round, turn away, swivel around, "
     "about face, spin on heel, turn on heel"),
    (Action("kneel"), "kneel, kneel down, kneel on knee, kneel down on knee, take knee, "
     "drop to knee, go down on knee, get down on knee, genuflect, sink to knee, fall to knee, "
     "propose"),
    (Action("kneel", side="both"), "kneel on knees, kneel down on knees, drop to knees, "
     "get down on knees, go down on knees, fall to knees, sink to knees, fall on knees"),
    (Action("sit"), "sit, sit down, take seat, have seat, be seated, sit back, sit back down, "
     "perch, plop down, get seated, sit on chair, sit down on chair"),
    (Action("sit_floor"), "sit on floor, sit down on floor, sit on ground, sit down on ground, "
     "sit cross legged, sit down cross legged, sit on floor cross legged, "
     "sit cross legged on floor, sit cross legged on ground, sit on grass, sit down on grass, "
     "sit down cross legged on floor"),
    (Action("stand"), "stand, stand up, get up, get back up, get to feet, stand back up, rise, "
     "rise up, arise, stand up straight, stand straight, stand upright, get up on feet, "
     "rise to feet, get up from floor, get up off floor, get up from ground, get up off ground, "
     "pick self up, get back to feet, recover, regain balance, regain footing"),
    (Action("crouch"), "crouch, crouch down, duck, duck down, hunker down, cower, squat down, "
     "hide"),
    (Action("squat"), "squat, do squats"),
    (Action("lie"), "lie, lie down, lay down, lie on back, lie down on back, lie on floor, "
     "lie down on floor, lie on ground, lie down on ground, recline, go to sleep, lie flat, "
     "sleep"),
    (Action("fall"), "fall, fall down, fall over, collapse, faint, fall to ground, fall to floor, "
     "fall on ground, fall on floor, drop to ground, drop to floor, pass out, keel over, "
     "drop dead, topple, topple over, fall onto ground, fall onto floor"),
    (Action("fall", direction="backward"), "fall backward, fall backwards, fall on back"),
    (Action("bow"), "bow, bow down, curtsy, take bow, bow head, bow respectfully"),
    (Action("bend"), "bend, bend down, bend over, pick up, stoop, stoop down, lean down, reach "
     "down, "
     "bend forward, touch toes, bend at waist, lean over, scoop up"),
    (Action("lunge"), "lunge, do lunges"),
    (Action("dance"), "dance, breakdance, do ballet, perform ballet, boogie, groove, waltz, dance "
     "around, move to music, "
     "dance to music, bust move, tap dance, salsa dance, disco dance, dance waltz, dance tango, "
     "dance ballet, dance salsa, dance jig"),
    (Action("idle"), "idle, wait, pause, rest, stand still, stand idle, stand idly, stay still, "
     "remain still, hold still, not move, do nothing, breathe, stand motionless, freeze, "
     "stand around, catch breath"),
    (Action("dodge"), "dodge, evade, dodge out of way, jump aside, step aside, swerve, sidestep "
     "punch, "
     "avoid punch, avoid blow"),
    (Action("jumping_jack"), "do jumping jacks, do star jumps"),
    (Action("push_up"), "do push ups, do pushups, do press ups"),
    (Action("sit_up"), "do sit ups, do situps, do crunches"),
    (Action("stretch"), "stretch, stretch out, warm up, stretch body, stretch arms, stretch legs, "
     "stretch arm, stretch leg, limber up, stretch muscles"),
    (Action("balance"), "balance on leg, stand on leg, stand on foot, balance, balance on foot, "
     "lift leg, raise leg, lift foot, raise foot, raise knee, lift knee"),
    (Action("cartwheel"), "cartwheel, turn cartwheel"),
    (Action("roll"), "roll, somersault, tumble, roll over, roll on ground, roll on floor"),
    (Action("stomp"), "stomp, stamp, stomp foot, stamp foot, stomp feet, stamp feet, stomp "
     "around"),
    (Action("stumble"), "stumble, trip, trip over, slip, lose balance, lose footing, miss step"),
    (Action("wave"), "wave, wave hand, wave arm, wave goodbye, wave hello, wave hi, greet, say "
     "hello, "
     "say hi, say goodbye, wave good bye, wave bye, say bye"),
    (Action("wave", side="both"), "wave hands, wave arms"),
    (Action("punch"), "punch, throw punch, throw punches, jab, box, shadow box, shadowbox, "
     "spar, uppercut, strike with fist, hit with fist, throw jab, fight, throw fist, throw hook"),
    (Action("clap"), "clap, clap hands, applaud, give applause, give round of applause"),
    (Action("point"), "point, point finger, point at, gesture toward, gesture towards, point to"),
    (Action("raise_arm"), "raise arm, raise hand, lift arm, lift hand, put hand up, hold up hand, "
     "hold hand up, throw up hand, stick hand up, put up hand, raise fist, reach up, "
     "lift up arm, raise up arm, raise up hand, raise arm above head, raise hand above head, "
     "lift arm above head, raise arm over head, raise hand over head"),
    (Action("raise_arm", side="both"), "raise arms, raise hands, lift arms, lift hands, put hands "
     "up, "
     "hold up hands, hold hands up, put up hands, put arms up, throw arms up, throw hands up, "
     "raise arms above head, raise hands above head, raise arms over head, raise arms up, "
     "raise hands up, lift arms up, lift arms above head, surrender, raise hands over head"),
    (Action("cheer"), "cheer, celebrate, rejoice, pump fist, pump fists, hooray, cheer with arms "
     "up, "
     "cheer with hands up, cheer with arms raised, cheer with arms in air, cheer with hands in "
     "air"),
    (Action("throw"), "throw, toss, pitch, hurl, fling, lob, shoot basketball, shoot hoop, "
     "chuck, throw ball overhand"),
    (Action("catch"), "catch"),
    (Action("salute"), "salute, give salute"),
    (Action("nod"), "nod, nod head, nod yes, nod in agreement, nod head yes, nod head in "
     "agreement, "
     "say yes"),
    (Action("shake_head"), "shake head, shake head no, say no, shake head in disagreement, "
     "shake head side to side, shake head from side to side, shake head in disapproval"),
    (Action("shrug"), "shrug, shrug shoulders, shrug shoulder"),
    (Action("cross_arms"), "cross arms, fold arms, cross arms over chest, fold arms over chest, "
     "cross arms in front of chest, fold arms across chest, cross arms across chest"),
    (Action("hands_on_hips"), "put hands on hips, place hands on hips, rest hands on hips, "
     "have hands on hips, put hand on hip, place hand on hip, put hands on waist"),
    (Action("look"), "look, look around, look left and right, glance, glance around, gaze, stare, "
     "peer, peek, watch, observe, scan area, scan surroundings, search, look about, turn head, "
     "survey area, look both ways, search around, look from side to side"),
    (Action("look", direction="up"), "look up"),
    (Action("look", direction="down"), "look down"),
    (Action("drink"), "drink, sip, gulp, swig, take sip, take drink, have drink, guzzle"),
    (Action("phone"), "talk on phone, make phone call, answer phone, speak on phone, take phone "
     "call, "
     "use phone, call someone, be on phone, speak into phone, hold phone to ear, make call, "
     "talk into phone, chat on phone"),
    (Action("pray"), "pray, put palms together, join hands, press palms together, fold hands, "
     "meditate, clasp hands in prayer, join palms, namaste, worship"),
    (Action("push"), "push, shove, push against, push forward, push away"),
    (Action("pull"), "pull, drag, tug, yank, haul, pull back, heave"),
    (Action("lift"), "lift, lift up, lift weights, hoist, raise barbell, deadlift, lift weight, "
     "carry, pick up heavy, lift heavy weights"),
    (Action("swing"), "swing, swing bat, swing racket, swing baseball bat, swing tennis racket, "
     "swing golf club, swing sword, play tennis, play golf, play baseball, hit ball, play "
     "badminton, "
     "bat, swing club, swing axe"),
    (Action("guitar"), "play guitar, strum, strum guitar, play air guitar, play electric guitar, "
     "play ukulele"),
    (Action("drum"), "drum, play drums, play drum, beat drum, beat drums, hit drums, hit drum"),
    (Action("scratch_head"), "scratch head, rub head, scratch hair, ponder"),
    (Action("cry"), "cry, weep, sob, wipe tears, wipe eyes, wipe away tears, burst into tears, "
     "bawl, shed tears"),
    (Action("laugh"), "laugh, giggle, chuckle, laugh out loud, burst out laughing, crack up, "
     "burst into laughter, cackle"),
    (Action("talk"), "talk, speak, chat, explain, gesture, gesticulate, converse, discuss, argue, "
     "give speech, tell story, talk with hands, lecture, preach, make speech, debate"),
    (Action("type"), "type, type on keyboard, use keyboard, type on computer, use computer, "
     "work on computer, type on laptop keyboard, work at computer"),
    (Action("box_guard"), "guard face, take boxing stance, take fighting stance, put up fists, "
     "put fists up, raise fists, get into boxing stance, get into fighting stance, "
     "hold boxing guard, raise guard, hold up fists, take guard, block punch, block"),
    (Action("flap"), "flap, flap arms, flap wings, flap arms like wings, fly like bird, "
     "flap arms like bird, flutter"),
    (Action("conduct"), "conduct, conduct orchestra, conduct choir, direct orchestra, conduct "
     "music, "
     "lead orchestra"),
    (Action("beckon"), "beckon, call over, motion to come, wave over, gesture to come, beckon "
     "over, "
     "signal to come, motion to come over"),
    (Action("blow_kiss"), "blow kiss, blow kisses, throw kiss, send kiss, air kiss"),
    (Action("kick"), "kick, roundhouse kick, front kick, side kick, kick out, kick ball, kick "
     "leg, "
     "kick foot, shoot ball, punt"),
    (Action("kick", amplitude=1.5), "high kick"),
)  # fmt: skip

WEAK_MOVEMENTS: Final = (
    "go, come, move, approach, travel, head to, head toward, head towards, "
    "head over, head off, head for, head out, proceed, advance, step"
)
"""Walks unless another verb follows at once ("goes to sit")."""

ENDINGS: Final = "stop, cease, quit, halt"
ROUND_TRIPS: Final = "pace, pace back and forth, pace up and down"

NOUN_PHRASES: Final[tuple[tuple[Action, str], ...]] = (
    (Action("jumping_jack"), "jumping jack, jumping jacks, star jump, star jumps"),
    (Action("push_up"), "push up, push ups, pushup, pushups, press up, press ups"),
    (Action("sit_up"), "sit up, sit ups, situp, situps, crunch, crunches"),
    (Action("turn", degrees=90), "quarter turn"),
    (Action("turn", degrees=180), "half turn, u turn, 180 turn"),
    (Action("spin", count=1), "full turn, full spin, complete turn, full rotation"),
    (Action("spin"), "rotations, rotation, pirouettes"),
    (Action("roll", direction="forward"), "forward roll, forward rolls, front roll, front rolls"),
    (Action("roll"), "combat roll, shoulder roll"),
    (Action("punch"), "shadow boxing, shadowboxing, left hook, right hook, punches"),
    (Action("dance"), "disco, ballet dance, hip hop, salsa, waltzes"),
    (Action("kick"), "jump kick, spin kick, spinning kick, flying kick, karate kick, kung fu "
     "kick"),
    (Action("balance"), "tree pose, flamingo pose, crane pose"),
    (Action("clap"), "applause, round of applause"),
    (Action("lift"), "weightlifting, weight lifting, dead lift, dead lifts"),
)  # fmt: skip

POSTURES: Final[tuple[tuple[Action, str], ...]] = (
    (Action("raise_arm", side="both"), "arms raised, hands raised, arms up, hands up, arms in "
     "air, "
     "hands in air, raised arms, raised hands, arms above head, hands above head, arms overhead, "
     "arms lifted, arms held high, hands held high, arms high"),
    (Action("raise_arm"), "arm raised, hand raised, raised arm, raised hand, arm up, hand up, "
     "hand in air, arm in air, fist raised, raised fist"),
    (Action("hands_on_hips"), "hands on hips, hand on hip, hands on waist, arms akimbo"),
    (Action("cross_arms"), "arms crossed, crossed arms, arms folded, folded arms"),
    (Action("pray"), "palms together, hands folded, hands clasped, hands together"),
    (Action("phone"), "phone to ear, phone at ear, on phone"),
    (Action("box_guard"), "fists up, guard up, boxing stance, fighting stance, boxing guard, "
     "fists raised"),
    (Action("kneel", side="both"), "on knees"),
)  # fmt: skip

STYLES: Final[dict[str, str]] = {
    "tired": "tired, tiredly, exhausted, exhaustedly, weary, wearily, fatigued, sleepy, sleepily, "
    "worn out, drained, lethargic, lethargically, sluggish, sluggishly, exhaustion, fatigue, "
    "drowsy, drowsily, listlessly, weakly, weak",
    "angry": "angry, angrily, furious, furiously, mad, madly, enraged, rage, anger, aggressively, "
    "aggressive, irate, annoyed, irritated, raging, violently, fierce, fiercely, fury",
    "happy": "happy, happily, joyful, joyfully, cheerful, cheerfully, glad, gladly, merrily, "
    "merry, joy, excited, excitedly, delighted, gleefully, gleeful, happiness, jolly, ecstatic, "
    "enthusiastically, enthusiastic, excitement, joyous, joyously",
    "sad": "sad, sadly, sorrowful, sorrowfully, depressed, gloomy, gloomily, dejected, "
    "dejectedly, "
    "unhappy, unhappily, mournfully, melancholic, melancholy, grief, heartbroken, sorrow, "
    "sadness, miserable, miserably, mournful, downcast, despondent",
    "drunk": "drunk, drunken, drunkenly, tipsy, intoxicated, dizzy, dizzily, woozy, unsteadily",
    "sneaky": "sneaky, sneakily, stealthy, stealthily, furtive, furtively, quietly, silently, "
    "cautiously, cautious, carefully, secretly, warily, careful, stealth",
    "proud": "proud, proudly, confident, confidently, arrogant, arrogantly, majestic, "
    "majestically, regal, regally, haughty, haughtily, pride, triumphantly, boldly, confidence, "
    "triumphant, bold",
    "old": "old, elderly, aged, frail, feeble, feebly, ancient",
    "robotic": "robotic, robotically, mechanical, mechanically, stiff, stiffly, rigid, rigidly, "
    "jerky, jerkily",
    "scared": "scared, afraid, frightened, terrified, fearful, fearfully, panicked, fear, "
    "terror, panic, timid, timidly, spooked, startled",
    "graceful": "graceful, ballet, gracefully, elegant, elegantly, fluid, fluidly, smoothly, "
    "smooth, "
    "grace, "
    "elegance, flowing, daintily",
    "heavy": "heavy, heavily, ponderous, ponderously, lumbering, clumsily, clumsy, laboriously",
    "light": "light, lightly, nimble, nimbly, airy, airily, weightless, weightlessly, "
    "light footed, agile, bouncy, breezily",
    "childlike": "childlike, childish, childishly, playful, playfully, goofy, silly",
    "cool": "cool, coolly, casual, casually, relaxed, laid back, nonchalantly, nonchalant, "
    "leisurely, swag, calmly, calm",
    "nervous": "nervous, nervously, anxious, anxiously, tense, tensely, uneasy, uneasily, "
    "restless, "
    "restlessly, jittery, hesitantly, shyly, worried, shy, hesitant, fidgety, impatient, "
    "impatiently, agitated",
}  # fmt: skip

SPEEDS: Final[dict[float, str]] = {
    0.6: "slow, slowly, slower, gradually, slow motion, at slow pace, unhurriedly, steadily",
    0.4: "crawling pace, super slowly, at snail's pace, in slow motion",
    0.8: "gently paced, unhurried",
    1.6: "fast, quick, quickly, rapidly, rapid, swiftly, swift, faster, hurriedly, hastily, "
    "briskly, "
    "speedily, brisk, in hurry, quicker, at high speed, abruptly, suddenly, sudden, "
    "energetically, "
    "energetic",
    2.0: "at full speed, as fast as possible, frantically, at top speed",
}
AMPLITUDES: Final[dict[float, str]] = {
    1.4: "big, large, huge, wide, widely, bigger, exaggerated, deep, deeply, hard, powerfully, "
    "powerful, strongly, strong, forcefully, forceful, vigorously, vigorous, far, long",
    1.5: "high, higher, highly, high up",
    0.6: "small, little, tiny, slight, low, gently, gentle, softly, soft, smaller, subtle, "
    "subtly, "
    "short",
}
DIRECTIONS: Final[dict[str, str]] = {
    "forward": "forward, forwards, ahead, straight ahead, onward, to front",
    "backward": "backward, backwards, back, rearward, in reverse, to rear",
    "left": "to left, leftward, leftwards, towards left, toward left, to left side, "
    "from left, sideways to left, to left hand side",
    "right": "to right, rightward, rightwards, towards right, toward right, to right side, "
    "sideways to right, to right hand side",
    "up": "upward, upwards, toward sky, to sky, skyward",
    "down": "downward, downwards",
}
UP_DOWN: Final[dict[str, str]] = {"up": "up", "down": "down"}
PATHS: Final[dict[str, str]] = {
    "circle": "in circle, in circles, circle, circles, around in circle, around in circles, "
    "in circular path, circular, in ring, in loop, around and around, round and round",
    "zigzag": "zigzag, in zigzag, zig zag, in zig zag, zigzagging, in zigzag pattern, zigzags, "
    "in serpentine, in s curve",
    "in_place": "in place, on spot, in same spot, on same spot",
    "line": "in line, in straight line, straight, along line",
}
BACK_AND_FORTH: Final = "back and forth, to and fro"
SIDES: Final[dict[str, str]] = {"both": "both"}
LEFT_RIGHT: Final[dict[str, str]] = {"left": "left", "right": "right"}

DEGREES: Final[dict[float, str]] = {
    1.6: "very, really, extremely, super, so, incredibly, quite, exceptionally, terribly, ultra, "
    "extra, much, totally",
    0.5: "slightly, a bit, a little, somewhat, kind of, sort of, a little bit, fairly, mildly, "
    "bit, "
    "moderately",
}
NUMBERS: Final[dict[float, str]] = {
    1: "one, single", 2: "two, couple of, pair of", 3: "three, few, several", 4: "four", 5: "five",
    6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve, dozen",
    13: "thirteen", 14: "fourteen", 15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen",
    19: "nineteen", 20: "twenty", 30: "thirty", 40: "forty", 45: "forty five", 50: "fifty",
    60: "sixty", 90: "ninety", 100: "hundred", 180: "one hundred eighty", 0.5: "half",
}  # fmt: skip
UNITS: Final[tuple[tuple[str, float, str], ...]] = (
    ("count", 1, "time, times, x, rep, reps, repetition, repetitions, more times, more time"),
    ("laps", 1, "lap, laps, full circles, revolution, revolutions, full circle"),
    ("degrees", 1, "degree, degrees, deg, °"),
    ("seconds", 1, "second, seconds, sec, secs, s"),
    ("seconds", 60, "minute, minutes, min, mins"),
    ("steps", 1, "step, steps, pace, paces"),
)
TALLIES: Final[tuple[tuple[str, float, str], ...]] = (
    ("count", 1, "once"), ("count", 2, "twice"), ("count", 3, "thrice"),
    ("count", 3, "few times, several times, repeatedly, a few times, multiple times, many times"),
    ("count", 2, "couple of times, couple times"),
    ("seconds", 0.5, "half second"),
)  # fmt: skip

MARKS: Final[dict[str, str]] = {
    "and": "and, plus, as well as, and also",
    "or": "or, nor",
    "but": "but, instead, rather, however, yet",
    "then": "then, and then, next, afterwards, afterward, after that, after this, after which, "
    "finally, lastly, followed by, eventually, later, subsequently, thereafter, until, before "
    "finally, "
    "last, at end, in end, ending with, ends with, end with, and finally, ending in, ultimately, "
    "immediately after, right after that, which leads to, into",
    "before": "before, prior to, right before, just before",
    "after": "after, right after, just after, immediately following, following",
    "before_that": "before that, beforehand, before this, before doing so",
    "but_first": "but first, but before that, after first",
    "while": "while, whilst, at same time as, when, during, simultaneously with, all while, "
    "and at same time, while also, while simultaneously",
    "as": "as",
    "with": "with, having",
    "together": "at same time, simultaneously, at once, concurrently, together",
    "not": "not, don't, doesn't, didn't, never, no, isn't, aren't, do not, does not, did not, "
    "dont, "
    "doesnt, refuses to, avoids, avoid, won't, cannot, can't, instead of, rather than, no longer",
    "un": "not very, not too, not so, not really",
    "without": "without",
    "copula": "is, are, was, were, be, been, being, am, looks like, seem, seems, seeming, feel, "
    "feels, feeling, felt, appears, appearing, becomes, become, gets, getting, remains, acts, "
    "acting, i'm, he's, she's, they're, it's, you're, we're",
}

SUBJECTS: Final = (
    "man, woman, person, people, human, boy, girl, guy, lady, gentleman, someone, somebody, "
    "figure, "
    "character, actor, actress, dancer, runner, boxer, walker, climber, jumper, drummer, "
    "guitarist, "
    "conductor, soldier, athlete, fighter, player, performer, gymnast, ballerina, model, avatar, "
    "warrior, knight, hero, worker, singer, musician, student, teacher, adult, teenager, kicker, "
    "swimmer, skater, hiker, jogger, sprinter, thrower, catcher, pitcher, human being, "
    "individual, "
    "men, women, persons, humans, male, female, anyone, everyone, everybody, body, subject, "
    "guard, "
    "officer, cop, policeman, businessman, businesswoman, cowboy, king, queen, prince, princess, "
    "wizard, pirate, samurai, martial artist, kickboxer, hunter, waiter, doctor, nurse, farmer, "
    "mime, acrobat, cheerleader, sportsman, monk, priest, bride, groom, astronaut, detective, "
    "spy, "
    "coach, referee, bowler, golfer, fencer, swordsman, puncher, typist, speaker, npc, dude, "
    "fellow"
)
STYLED_SUBJECTS: Final[dict[str, str]] = {
    "robotic": "robot, android, cyborg, machine, automaton, puppet, marionette",
    "childlike": "child, kid, toddler, children, kids, baby, infant",
    "old": "grandma, grandpa, grandmother, grandfather, granny, old timer, elder, senior",
    "drunk": "drunkard, drunk man, drunk guy",
    "sneaky": "thief, burglar, ninja, assassin",
    "heavy": "giant, ogre, troll",
}
LIMBS: Final = (
    "hand, hands, arm, arms, leg, legs, foot, feet, knee, knees, head, fist, fists, elbow, "
    "elbows, "
    "shoulder, shoulders, hip, hips, waist, finger, fingers, toe, toes, heel, palm, palms, chest, "
    "torso, face, eyes, neck, wrist, ankle, chin"
)
THINGS: Final = (
    "running shoes, running shoe, dance floor, dance hall, dance studio, walking stick, walking "
    "cane, "
    "boxing ring, boxing gloves, boxing glove, punching bag, punch bag, swimming pool, kick drum, "
    "drum kit, bus stop, sitting room, living room, jump suit, hiking boots, jumping rope, "
    "dance music, dancing shoes, climbing wall, climbing gear, rest room, bow tie, bow and arrow, "
    "baseball bat, cricket bat, catch phrase, kick off, rolling pin, drinking water, typing "
    "error, "
    "swing set, wave pool, ocean wave, ocean waves, running water, move arm, move arms, move "
    "hand, "
    "move hands, move leg, move legs, move head, move finger, move fingers, run out of, run into, "
    "punch line, walkway, stop sign, turn into, look like, looks like, looking like, come true, "
    "go viral, point of view, cheer squad, race car, drink machine, backflip, back flip, "
    "front flip, frontflip, back flips, push button, pull over, come up, come up with, box set, "
    "cardboard box, wooden box, head band, step ladder, race track, running track, go kart"
)

FILLERS: Final[dict[str, str]] = {
    "article": "a, an",
    "definite": "the, this, that, these, those, his, her, their, its, my, your, our, man's, whose",
    "person": "he, she, they, it, i, you, we, who, him, them, himself, herself, themselves, "
    "itself, "
    "myself, yourself, oneself, me, us, which, one another, each other, self",
    "light": "do, does, did, doing, done, perform, performs, performing, performed, take, takes, "
    "taking, took, give, gives, giving, gave, make, makes, making, made, execute, executes, "
    "executing, executed, practise, practises, practising, practice, practices, practicing, has, "
    "have, had, let, lets, show, shows, showing, showed, let's, attempt, attempts, "
    "complete, completes, completing, put, puts, putting, play, hold, holds, holding, held, keep, "
    "break into, breaks into, breaking into, burst into, bursts into, launch into, launches into",
    "aspectual": "start, starts, starting, started, begin, begins, beginning, began, continue, "
    "continues, continuing, continued, keeps, keeping, kept, try, tries, trying, tried, resume, "
    "resumes, start to, starts to, begins to, finish, finishes, finishing, end, ends, ending, "
    "decides, decide, manages, likes, like to, enjoy, enjoys, loves, love, seen, spend, spends",
    "plain": "to, of, in, on, at, for, from, by, through, across, over, under, around, about, "
    "along, "
    "onto, upon, off, out, toward, towards, against, between, near, next to, away, down to, up "
    "to, "
    "round, past, behind, beside, inside, outside, above, below, there, here, where, there is, "
    "there are, just, also, too, again, still, only, even, now, right now, both of, all, each, "
    "every, "
    "other, another, same, own, some, any, such, like, as if, as though, than, because, since, "
    "if, "
    "so that, in order to, will, would, can, could, may, might, must, shall, should, going to, "
    "gonna, want, wants, wanting, wanted, need, needs, please, animate, animation of, animation, "
    "a while, for while, for moment, moment, a moment, first, firstly, first of all, "
    "second of all, to begin with, at first, way, manner, fashion, style, pace, speed, motion, "
    "movement, movements, action, pose, position, side, direction, front of, in front of, front, "
    "able to, about to, how, what, very much, more, most, less, per, at this point, "
    "all right, right away, immediately, continuously, constantly, continually, forever, in way, "
    "beat, bit by bit, altogether, completely, fully, themself, ok, okay, together with, legged, "
    "facing, himself up, t, d, ll, re, ve, m, etc, e g, scene, clip, generate, create, "
    "show me, video of, left and right, oneself up, side to side, from side to side",
}

NOUNS_FIRST: Final = (
    "box boxes bat bats drum drums block blocks duck ducks bolt bolts club pitch pitches type "
    "types reel trip trips guard pull push crunch"
)
"""Verbs that, after an article, a number or another verb, name a thing ("picks up a box")."""

GAP: Final = (
    "a an the his her their its my your our one one's left right both own this that these some "
    "of each him me themselves it something or and"
)

IRREGULAR: Final[dict[str, str]] = {
    "run": "ran", "sit": "sat", "stand": "stood", "kneel": "knelt", "lie": "lay lain lied",
    "lay": "laid", "fall": "fell fallen", "bend": "bent", "throw": "threw thrown",
    "catch": "caught", "swing": "swung", "go": "went gone", "come": "came", "get": "got gotten",
    "take": "took taken", "give": "gave given", "make": "made", "put": "put", "hold": "held",
    "have": "has had", "do": "does did done", "rise": "rose risen", "arise": "arose arisen",
    "spin": "spun", "leap": "leapt", "creep": "crept", "drink": "drank", "speak": "spoke spoken",
    "shake": "shook shaken", "blow": "blew "
    "blown", "weep": "wept", "strike": "struck", "hit": "hit",
    "burst": "burst", "shoot": "shot", "fight": "fought", "beat": "beat beaten", "tell": "told",
    "say": "said", "lead": "led", "fly": "flew flown", "wake": "woke", "sink": "sank sunk",
    "freeze": "froze frozen", "sleep": "slept", "send": "sent", "hide": "hid hidden",
    "spring": "sprang sprung", "slink": "slunk", "flee": "fled", "fling": "flung", "shed": "shed",
    "lose": "lost", "stick": "stuck", "be": "is are was", "bust": "bust", "quit": "quit",
    "bow": "bowed",
}  # fmt: skip
DOUBLING: Final = (
    "run sit stop skip hop jog nod shrug spin clap drum trip flap step jab slip strum sob chat "
    "get put tug drag bat sip hit scan swig quit shed spar plop strut trot"
)
