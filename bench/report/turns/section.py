"""The report's section on turns, rendered: pictures of the median turns, the table of all, the details of each."""

from __future__ import annotations

from jinja2 import Template
from markupsafe import Markup

from firstpacket.bench.record.store import Run
from firstpacket.bench.report.templating import inlined, templates
from firstpacket.bench.report.turns.audio_choice import SOUND_BYTES
from firstpacket.bench.report.turns.download import packed_json, turns_download
from firstpacket.bench.report.turns.expanded import Open, expanded
from firstpacket.bench.report.turns.medians import medians
from firstpacket.bench.report.turns.ordering import WORST, ranks
from firstpacket.bench.report.turns.recordings import recordings
from firstpacket.bench.report.turns.rows import choices, turn_rows


def turn_section(run: Run, anchor: str, share: float = 1.0) -> Markup:
    """All turns of a run as HTML, its ids beginning with `anchor`; needs `turn_style` and `turn_script` on the page.

    `share`: of the report's audio budget, for reports on several runs. Raises `RunError` for an unknown figure.
    """
    ranked, corpus = ranks(run), recordings(run)
    rows = turn_rows(run, ranked)
    opened = expanded(run, ranked, corpus, round(SOUND_BYTES * share))
    detail = templates().get_template("turns_detail.html.j2")
    at_once = {number for number, rank in ranked.items() if rank <= WORST}
    html = {number: _rendered(detail, each, anchor) for number, each in opened.items()}
    later = sorted(html.keys() - at_once, key=lambda number: _place(opened[number]))
    return Markup(
        templates()
        .get_template("turns.html.j2")
        .render(
            anchor=anchor,
            medians=medians(run),
            rows=rows,
            choices=choices(run, rows),
            corpus_problem=corpus.problem,
            sounds={number for number, each in opened.items() if each.sound.mp3},
            worst=WORST,
            at_once={number: Markup(html[number]) for number in at_once},
            later=packed_json({str(number): html[number] for number in later}),
            download=turns_download(run),
        )
    )


def turn_style() -> Markup:
    """CSS for the sections; once on a page."""
    return inlined("turns.css")


def turn_script() -> Markup:
    """The script that sorts, filters, opens and downloads; once on a page, after all sections."""
    return inlined("turns.js")


def _rendered(template: Template, each: Open, anchor: str) -> str:
    return template.render(detail=each.detail, sound=each.sound, anchor=anchor)


def _place(each: Open) -> tuple[str, str, int]:
    """Turns with the same texts are adjacent, so that they compress well."""
    turn = each.detail.turn
    return turn.utterance, turn.label, turn.turn
