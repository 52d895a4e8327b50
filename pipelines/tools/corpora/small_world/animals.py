"""Topics of the small world: what animals' young are called, what they do to be heard, how many legs they have."""

from __future__ import annotations

from firstpacket.pipelines.tools.corpora.small_world.topic import Topic, pairs

YOUNG = Topic(
    "young animals",
    "A young {animal} is a {young}.",
    (
        "What is a young {animal} called?",
        "What do you call a young {animal}?",
        "What do we call a baby {animal}?",
        "What is the name for a young {animal}?",
        "Tell me what a young {animal} is called.",
        "Do you know what a baby {animal} is called?",
        "Please name the baby of a {animal}.",
        "Hey, what is a baby {animal}?",
    ),
    pairs(
        "animal",
        "young",
        """
        dog: puppy
        cat: kitten
        cow: calf
        horse: foal
        sheep: lamb
        goat: kid
        bear: cub
        chicken: chick
        duck: duckling
        frog: tadpole
        deer: fawn
        kangaroo: joey
        pig: piglet
        butterfly: caterpillar
        """,
    ),
)

SOUNDS = Topic(
    "animal sounds",
    "{animal} {sound}.",
    (
        "What sound do {animal} make?",
        "What noise do {animal} make?",
        "Tell me what sound {animal} make.",
        "Which sound do {animal} make?",
        "Do you know what sound {animal} make?",
        "What do {animal} do when they are loud?",
        "How do {animal} sound?",
        "Please tell me how {animal} sound.",
    ),
    pairs(
        "animal",
        "sound",
        """
        dogs: bark at people
        cats: like to purr
        lions: roar very loud
        ducks: quack all day
        wolves: howl at night
        snakes: hiss at you
        bees: buzz around flowers
        birds: sing in trees
        horses: neigh in the field
        pigs: grunt in the mud
        frogs: croak in the pond
        mice: squeak very softly
        bears: growl at strangers
        owls: hoot in the dark
        """,
    ),
)

LEGS = Topic(
    "legs",
    "{animal} has {number} legs.",
    (
        "How many legs does {animal} have?",
        "What is the number of legs of {animal}?",
        "Tell me how many legs {animal} has.",
        "Do you know how many legs {animal} has?",
        "Can you tell me how many legs {animal} has?",
        "On how many legs does {animal} walk?",
        "Please count the legs of {animal}.",
        "Hey, how many legs has {animal} got?",
    ),
    pairs(
        "animal",
        "number",
        """
        a spider: eight
        an ant: six
        a bee: six
        a cat: four
        a horse: four
        an elephant: four
        a chicken: two
        a bird: two
        a snake: no
        a fish: no
        a lobster: ten
        a tiger: four
        """,
    ),
)

TOPICS = (YOUNG, SOUNDS, LEGS)
