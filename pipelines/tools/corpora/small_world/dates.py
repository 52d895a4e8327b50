"""Topics of the small world: days of the week, months, and how long a month is."""

from __future__ import annotations

from firstpacket.pipelines.tools.corpora.small_world.topic import Fact, Topic, pairs

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _steps(names: tuple[str, ...], step: int) -> tuple[Fact, ...]:
    return tuple({"from": name, "to": names[(place + step) % len(names)]} for place, name in enumerate(names))


DAYS_AFTER = Topic(
    "days after",
    "The day after {from} is {to}.",
    (
        "What day comes after {from}?",
        "Which day follows {from}?",
        "What is the day after {from}?",
        "Tell me the day after {from}.",
        "If today is {from}, what day is tomorrow?",
        "Today is {from}. What day is it tomorrow?",
        "Do you know what day comes after {from}?",
        "Please name the day after {from}.",
        "Can you tell me which day is after {from}?",
    ),
    _steps(_DAYS, 1),
)

DAYS_BEFORE = Topic(
    "days before",
    "The day before {from} is {to}.",
    (
        "What day comes before {from}?",
        "Which day is right before {from}?",
        "What is the day before {from}?",
        "Tell me the day before {from}.",
        "If today is {from}, what day was yesterday?",
        "Today is {from}. What day was it yesterday?",
        "Do you know what day comes before {from}?",
        "Please name the day before {from}.",
        "Can you tell me which day is before {from}?",
    ),
    _steps(_DAYS, -1),
)

TWO_DAYS_AFTER = Topic(
    "two days after",
    "Two days after {from} is {to}.",
    (
        "What day is two days after {from}?",
        "Which day comes two days after {from}?",
        "What is two days after {from}?",
        "Tell me which day is two days after {from}.",
        "If today is {from}, what day is it in two days?",
        "Today is {from}. What day is it in two days?",
        "Please name the day two days after {from}.",
        "Do you know the day two days after {from}?",
    ),
    _steps(_DAYS, 2),
)

MONTHS_AFTER = Topic(
    "months after",
    "The month after {from} is {to}.",
    (
        "What month comes after {from}?",
        "Which month follows {from}?",
        "What is the month after {from}?",
        "Tell me the month after {from}.",
        "It is {from} now. What is the next month?",
        "If this month is {from}, what is the next one?",
        "Do you know what month comes after {from}?",
        "Please name the month after {from}.",
        "Can you tell me which month is after {from}?",
    ),
    _steps(_MONTHS, 1),
)

MONTHS_BEFORE = Topic(
    "months before",
    "The month before {from} is {to}.",
    (
        "What month comes before {from}?",
        "Which month is right before {from}?",
        "What is the month before {from}?",
        "Tell me the month before {from}.",
        "It is {from} now. What was the last month?",
        "If this month is {from}, what was the last one?",
        "Do you know what month comes before {from}?",
        "Please name the month before {from}.",
        "Can you tell me which month is before {from}?",
    ),
    _steps(_MONTHS, -1),
)

DAYS_IN_MONTHS = Topic(
    "days in months",
    "{month} has {days} days.",
    (
        "How many days does {month} have?",
        "How many days are there in {month}?",
        "How many days are in {month}?",
        "How long is {month}?",
        "Tell me how many days {month} has.",
        "Do you know how long {month} is?",
        "Please tell me how long {month} is.",
        "What is the number of days in {month}?",
    ),
    pairs(
        "month",
        "days",
        """
        January: thirty one
        February: twenty eight
        March: thirty one
        April: thirty
        May: thirty one
        June: thirty
        July: thirty one
        August: thirty one
        September: thirty
        October: thirty one
        November: thirty
        December: thirty one
        """,
    ),
)

TOPICS = (DAYS_AFTER, DAYS_BEFORE, TWO_DAYS_AFTER, MONTHS_AFTER, MONTHS_BEFORE, DAYS_IN_MONTHS)
