"""What skipping saves, counted: nothing for square pictures, and for wide ones only where the padding leaves tiles empty."""

from __future__ import annotations

from models.sphinx_x.bench.views import bench_views


def test_wide_pictures_in_a_corner_leave_tiles_empty_and_centred_ones_only_from_three_to_one() -> None:
    rows = {row["name"]: row for row in bench_views(ratios=(1, 2, 3))}
    kept = {name: (row["views"], row["tokens"]) for name, row in rows.items()}
    assert kept == {
        "sphinx_plus 2x2 corner 1:1": (5, 1295),
        "sphinx_plus 2x2 corner 2:1": (3, 779),
        "sphinx_plus 2x2 corner 3:1": (3, 779),
        "sphinx_plus 2x2 centre 1:1": (5, 1295),
        "sphinx_plus 2x2 centre 2:1": (5, 1295),
        "sphinx_plus 2x2 centre 3:1": (5, 1295),
        "sphinx_plus_2k 3x3 corner 1:1": (10, 2590),
        "sphinx_plus_2k 3x3 corner 2:1": (7, 1816),
        "sphinx_plus_2k 3x3 corner 3:1": (4, 1042),
        "sphinx_plus_2k 3x3 centre 1:1": (10, 2590),
        "sphinx_plus_2k 3x3 centre 2:1": (10, 2590),
        "sphinx_plus_2k 3x3 centre 3:1": (4, 1042),
    }
    assert all((row["flops_saved"] > 0) == (row["views"] < row["all_views"]) for row in rows.values())
    assert all(row["all_tokens"] == 259 * row["all_views"] for row in rows.values())
