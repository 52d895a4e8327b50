from pathlib import Path

import pytest

from firstpacket.bench.errors import UsageError
from firstpacket.bench.gate.limits import Limit, Limits, limits, read_limits
from firstpacket.bench.options import share


def test_without_a_file_every_label_has_a_first_packet_limit(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_limits(None) == Limits(limits=(Limit("first_packet_latency", "typical"),))


def test_limits_of_the_file_are_read(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").write_text(
        '[gate]\nresolution = "3%"\nmax-minutes = 3\nallow = ["no-baseline"]\n'
        '[[gate.limit]]\nmetric = "stage.asr.host"\nmax-regression = "10%"\nfloor-ms = 5\nlabel = "cascade"\n'
        '[[gate.limit]]\nstatistic = "p95"\nceiling-ms = 800\n'
        "[other]\nis = 'somebody else''s'\n".replace("''", "`")
    )
    found = read_limits(None)
    assert found == Limits(
        (
            Limit("stage.asr.host", label="cascade", max_regression=0.1, floor_ms=5.0),
            Limit("first_packet_latency", "p95", ceiling_ms=800.0),
        ),
        resolution=0.03,
        max_minutes=3.0,
        allow=("no-baseline",),
    )
    assert found.limits[1].name == "p95 of first_packet_latency at most 800 ms"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"resolutoin": "4%"}, "resolution"),
        ({"resolution": "four"}, "share"),
        ({"max-minutes": 0}, "between 0.01 and 1440"),
        ({"max-minutes": True}, "max_minutes"),
        ({"pairs": 100}, "max-minutes"),
        ({"allow": ["regressed"]}, "regressed"),
        ({"limit": [{"metric": "first_paket_latency"}]}, "first_packet_latency"),
        ({"limit": [{"statistic": "p95"}]}, "ceiling-ms"),
        ({"limit": [{"ceiling-ms": 5}]}, "statistic"),
        ({"limit": [{"statistic": "p95", "ceiling-ms": -1}]}, "positive"),
        ({"limit": [{"max-regression": -0.1}]}, "share"),
        ({"limit": [{"max-regression": "nan%"}]}, "share"),
        ({"limit": [{"max-regression": 5}]}, "share"),
        ({"limit": [{"max-regression": "5"}]}, "share"),
        ({"resolution": True}, "share"),
        ({"limit": {"metric": "x"}}, r"\[\[gate.limit\]\]"),
    ],
)
def test_impossible_limits_are_refused_by_name(table, said) -> None:
    with pytest.raises(UsageError, match=said):
        limits(table, "bench.toml")


def test_shares_are_percentages_or_fractions() -> None:
    assert share("5%", "x") == share(0.05, "x") == 0.05


def test_files_over_one_mebibyte_are_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        read_limits(Path("/dev/zero"))
    (tmp_path / "bench.toml").write_text("# \n" * (1 << 19))
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        read_limits(tmp_path / "bench.toml")
