"""Topics of the small world: sums, differences, comparisons and counting, with numbers up to twenty.

Responses say "the number" before the number asked for: alone, a recogniser hears to, for and a in two, four and eight.
"""

from __future__ import annotations

from itertools import combinations, product

from firstpacket.pipelines.tools.corpora.small_world.topic import NUMBERS, Topic

_SMALL = range(1, 10)

SUMS = Topic(
    "sums",
    "The sum is the number {c}.",
    (
        "What is {a} plus {b}?",
        "How much is {a} plus {b}?",
        "Tell me what {a} plus {b} is.",
        "Can you add {a} and {b}?",
        "Please add {b} to {a}.",
        "What do you get if you add {a} and {b}?",
        "What is the sum of {a} and {b}?",
        "What does {a} plus {b} make?",
        "Hey, how much are {a} and {b} together?",
        "I have {a} apples and get {b} more. How many is that?",
    ),
    tuple({"a": NUMBERS[a], "b": NUMBERS[b], "c": NUMBERS[a + b]} for a, b in product(_SMALL, _SMALL)),
)

DIFFERENCES = Topic(
    "differences",
    "The difference is the number {c}.",
    (
        "What is {a} minus {b}?",
        "How much is {a} minus {b}?",
        "Tell me what {a} minus {b} is.",
        "Can you take {b} from {a}?",
        "Please subtract {b} from {a}.",
        "What do you get if you take {b} away from {a}?",
        "What is left if you take {b} from {a}?",
        "What does {a} minus {b} make?",
        "What is {a} less {b}?",
        "I have {a} apples and eat {b} of them. How many are left?",
    ),
    tuple({"a": NUMBERS[a], "b": NUMBERS[b], "c": NUMBERS[a - b]} for b, a in combinations(range(1, 11), 2)),
)

DOUBLES = Topic(
    "doubles",
    "Twice {a} is the number {b}.",
    (
        "What is twice {a}?",
        "What is two times {a}?",
        "How much is twice {a}?",
        "Tell me what two times {a} is.",
        "Can you double {a}?",
        "Please double the number {a}.",
        "What do you get if you double {a}?",
        "What is the double of {a}?",
    ),
    tuple({"a": NUMBERS[a], "b": NUMBERS[2 * a]} for a in range(1, 11)),
)

HALVES = Topic(
    "halves",
    "Half of {a} is the number {b}.",
    (
        "What is half of {a}?",
        "How much is half of {a}?",
        "Tell me what half of {a} is.",
        "Can you divide {a} by two?",
        "Please divide {a} by two.",
        "What is {a} divided by two?",
        "What do you get if you cut {a} in half?",
        "What number is half of {a}?",
    ),
    tuple({"a": NUMBERS[2 * a], "b": NUMBERS[a]} for a in range(1, 11)),
)

_UNEQUAL = tuple({"small": NUMBERS[a], "large": NUMBERS[b]} for a, b in combinations(range(1, 11), 2))

LARGER = Topic(
    "larger",
    "The number {large} is larger than {small}.",
    (
        "Which is larger, {small} or {large}?",
        "Which is larger, {large} or {small}?",
        "Which number is bigger, {large} or {small}?",
        "What is more, {small} or {large}?",
        "Tell me which is more, {large} or {small}.",
        "Is {small} or {large} the larger number?",
        "Of {large} and {small}, which is larger?",
        "Please name the larger number, {small} or {large}.",
        "Which of {small} and {large} is bigger?",
    ),
    _UNEQUAL,
)

SMALLER = Topic(
    "smaller",
    "The number {small} is smaller than {large}.",
    (
        "Which is smaller, {small} or {large}?",
        "Which is smaller, {large} or {small}?",
        "Which number is smaller, {large} or {small}?",
        "What is less, {small} or {large}?",
        "Tell me which is less, {large} or {small}.",
        "Is {small} or {large} the smaller number?",
        "Of {large} and {small}, which is smaller?",
        "Please name the smaller number, {small} or {large}.",
        "Which of {small} and {large} is smaller?",
    ),
    _UNEQUAL,
)

_NEXT = tuple({"low": NUMBERS[a], "high": NUMBERS[a + 1]} for a in range(1, 20))

NEXT_NUMBERS = Topic(
    "next numbers",
    "After {low} comes the number {high}.",
    (
        "What comes after {low}?",
        "What number comes after {low}?",
        "Which number follows {low}?",
        "Tell me the number after {low}.",
        "What is the next number after {low}?",
        "When I count, what comes after {low}?",
        "Please count on from {low}.",
        "Do you know the number after {low}?",
    ),
    _NEXT,
)

PREVIOUS_NUMBERS = Topic(
    "previous numbers",
    "Before {high} comes the number {low}.",
    (
        "What comes before {high}?",
        "What number comes before {high}?",
        "Which number is just before {high}?",
        "Tell me the number before {high}.",
        "What is the number before {high}?",
        "When I count, what comes before {high}?",
        "Please count back from {high}.",
        "Do you know the number before {high}?",
    ),
    _NEXT,
)

TOPICS = (SUMS, DIFFERENCES, DOUBLES, HALVES, LARGER, SMALLER, NEXT_NUMBERS, PREVIOUS_NUMBERS)
