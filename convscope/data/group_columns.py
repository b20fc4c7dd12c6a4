"""Columns that say which images belong together: asked about, never ignored."""

from convscope.data.classes import quote_names
from convscope.data.column_names import names_a_group
from convscope.data.columns import Columns
from convscope.data.csv_rows import Sheet
from convscope.data.options import DataOptions
from convscope.errors import RequestError


def refuse_unasked_groups(sheet: Sheet, columns: Columns, options: DataOptions) -> None:
    """Raise RequestError for a column that says which images belong together, if no one said
    whether that counts; note one whose values are all different.
    """
    if columns.group is not None or options.get("group_column") or options.get("group_pattern"):
        return
    repeated: dict[int, int] = {}
    for column, header in enumerate(sheet.header):
        kind, cells = names_a_group(header), sheet.column(column)
        if kind is None or column in {
            columns.image,
            columns.label,
            columns.split,
            *columns.one_hot,
        }:
            continue
        filled = [cell for cell in cells if cell]
        count = len(set(filled))
        if count == len(filled) and filled:
            columns.notes.append(f"{header} is another in each row, so there are no groups by it")
        elif count > 1 and (kind == "member" or not _is_of_label(sheet, columns, cells)):
            repeated[column] = count
    if not repeated:
        return
    first = min(repeated, key=lambda i: (names_a_group(sheet.header[i]) != "member", repeated[i]))
    named = quote_names([sheet.header[i] for i in repeated])
    value = f"'{sheet.header[first]}'"
    raise RequestError(
        f"{sheet.path}: by {named} several images belong together ({repeated[first]:,} values of "
        f"{sheet.header[first]!r} in {len(sheet.rows):,} rows); divided over splits, they would "
        f"make results too good. Set `group_column={value}` to keep them together, or "
        "`group_column='none'` if all images are independent."
    )


def _is_of_label(sheet: Sheet, columns: Columns, cells: list[str]) -> bool:
    """Whether a column only repeats what the label says: the number of a species."""
    if columns.label is None:
        return False
    labels = sheet.column(columns.label)
    return len(set(zip(labels, cells, strict=True))) == len(set(labels))
