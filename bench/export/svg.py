"""The output of `bench show` as a picture."""

from __future__ import annotations

import io
import re

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from firstpacket.bench.record.store import Run
from firstpacket.bench.sanitize import clean_xml
from firstpacket.bench.summary.summarise import summarise

COLUMNS = 110
"""Width of the pictured terminal, in characters."""
_FORM = re.sub(r"@font-face \{\{.*?\n    \}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""rich's own, without fonts from the network: any monospaced font works, as every text element sets its length."""


def svg(run: Run) -> str:
    """The tables and sentences of `bench show` as SVG. Raises `RunError` if the run holds an unknown figure."""
    from firstpacket.bench.report.printed import print_run  # and with it all of the report, which no other format needs

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    print_run(console, run, summarise(run))
    return clean_xml(console.export_svg(title="bench show", code_format=_FORM, unique_id="bench"))
