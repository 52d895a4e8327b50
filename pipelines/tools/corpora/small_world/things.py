"""Topics of the small world: colors, opposites, capitals and units."""

from __future__ import annotations

from firstpacket.pipelines.tools.corpora.small_world.topic import Topic, pairs

COLORS = Topic(
    "colors",
    "The color of {thing} is {color}.",
    (
        "What is the color of {thing}?",
        "What color does {thing} have?",
        "Which color does {thing} have?",
        "Tell me the color of {thing}.",
        "Do you know the color of {thing}?",
        "Can you tell me the color of {thing}?",
        "Please name the color of {thing}.",
        "I want to paint {thing}. Which color do I need?",
        "Hey, what is the usual color of {thing}?",
    ),
    pairs(
        "thing",
        "color",
        """
        the sky: blue
        the grass: green
        the sun: yellow
        the snow: white
        the night: black
        a banana: yellow
        a tomato: red
        a lemon: yellow
        a carrot: orange
        a frog: green
        a cloud: white
        blood: red
        milk: white
        coal: black
        chocolate: brown
        an elephant: gray
        the ocean: blue
        a cherry: red
        a pumpkin: orange
        a pig: pink
        a leaf: green
        coffee: brown
        a swan: white
        a strawberry: red
        a plum: purple
        wood: brown
        salt: white
        gold: yellow
        """,
    ),
)

OPPOSITES = Topic(
    "opposites",
    "The opposite of {one} is {other}.",
    (
        "What is the opposite of {one}?",
        "Tell me the opposite of {one}.",
        "What word is the opposite of {one}?",
        "Do you know the opposite of {one}?",
        "Can you tell me the opposite of {one}?",
        "Please name the opposite of {one}.",
        "Which word means the opposite of {one}?",
        "If it is not {one}, what is it?",
        "Hey, what is the opposite of the word {one}?",
    ),
    pairs(
        "one",
        "other",
        """
        hot: cold
        cold: hot
        big: small
        small: big
        fast: slow
        slow: fast
        up: down
        down: up
        open: closed
        closed: open
        day: night
        night: day
        black: white
        white: black
        happy: sad
        sad: happy
        full: empty
        empty: full
        old: young
        young: old
        rich: poor
        poor: rich
        strong: weak
        weak: strong
        wet: dry
        dry: wet
        left: right
        right: left
        dark: light
        good: bad
        bad: good
        early: late
        late: early
        long: short
        tall: short
        high: low
        low: high
        clean: dirty
        dirty: clean
        loud: quiet
        quiet: loud
        near: far
        far: near
        inside: outside
        outside: inside
        summer: winter
        winter: summer
        first: last
        last: first
        always: never
        never: always
        soft: hard
        easy: difficult
        difficult: easy
        love: hate
        war: peace
        front: back
        top: bottom
        bottom: top
        true: false
        """,
    ),
)

CAPITALS = Topic(
    "capitals",
    "The capital of {country} is {city}.",
    (
        "What is the capital of {country}?",
        "Tell me the capital of {country}.",
        "Which city is the capital of {country}?",
        "What is the capital city of {country}?",
        "Do you know the capital of {country}?",
        "Can you tell me the capital of {country}?",
        "Please name the capital of {country}.",
        "Hey, what is {country}'s capital?",
        "I am going to {country}. What is the capital?",
    ),
    pairs(
        "country",
        "city",
        """
        France: Paris
        Italy: Rome
        Germany: Berlin
        Spain: Madrid
        England: London
        Ireland: Dublin
        Greece: Athens
        Austria: Vienna
        Japan: Tokyo
        Russia: Moscow
        Egypt: Cairo
        Cuba: Havana
        Portugal: Lisbon
        Norway: Oslo
        Sweden: Stockholm
        Poland: Warsaw
        Hungary: Budapest
        China: Beijing
        Peru: Lima
        Canada: Ottawa
        Belgium: Brussels
        Denmark: Copenhagen
        Finland: Helsinki
        Iraq: Baghdad
        Iran: Tehran
        Turkey: Ankara
        Kenya: Nairobi
        Thailand: Bangkok
        Scotland: Edinburgh
        Mexico: Mexico City
        """,
    ),
)

UNITS = Topic(
    "units",
    "There are {number} {parts}.",
    (
        "How many {parts}?",
        "How many {parts} are there?",
        "Tell me how many {parts} there are.",
        "Do you know how many {parts} there are?",
        "Can you tell me how many {parts} there are?",
        "What is the number of {parts}?",
        "Please say how many {parts} there are.",
        "Hey, how many {parts} do we have?",
    ),
    pairs(
        "parts",
        "number",
        """
        seconds in a minute: sixty
        minutes in an hour: sixty
        hours in a day: twenty four
        days in a week: seven
        months in a year: twelve
        weeks in a year: fifty two
        seasons in a year: four
        years in a century: one hundred
        inches in a foot: twelve
        feet in a yard: three
        ounces in a pound: sixteen
        cents in a dollar: one hundred
        cents in a dime: ten
        quarters in a dollar: four
        millimeters in a centimeter: ten
        centimeters in a meter: one hundred
        meters in a kilometer: one thousand
        grams in a kilogram: one thousand
        eggs in a dozen: twelve
        sides in a triangle: three
        corners in a square: four
        letters in the alphabet: twenty six
        minutes in half an hour: thirty
        """,
    ),
)

TOPICS = (COLORS, OPPOSITES, CAPITALS, UNITS)
