"""Kleister Charity in small: pages of fields for reports; a property that no field stands for has no value."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tasks.mini.sheets import write_pages
from tasks.mini.sizes import Size

_PRINTED: Final = {
    "address__post_town": "BAY",
    "address__postcode": "ZIP",
    "address__street_line": "WAY",
    "charity_name": "KEY",
    "charity_number": "REF",
    "income_annually_in_british_pounds": "SUM",
    "report_date": "DAY",
    "spending_annually_in_british_pounds": "FEE",
}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write whole documents, eight questions each, below ``folder``; the properties are the parts."""
    write_pages(folder, seed, size, "kleister_charity", _PRINTED)
