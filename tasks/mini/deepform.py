"""DeepForm in small: pages of fields for receipts; a property that no field stands for has no value."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tasks.mini.sheets import write_pages
from tasks.mini.sizes import Size

_PRINTED: Final = {"advertiser": "NET", "flight_from": "DAY", "flight_to": "DUE", "gross_amount": "SUM", "contract_num": "REF"}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write whole documents, five questions each, below ``folder``; the properties are the parts."""
    write_pages(folder, seed, size, "deepform", _PRINTED)
