"""Words are data: how names and messages of others are shown, and written to files.

- `visible`: on a terminal, in a log, in a message
- `escape_html`: in a page or a drawing
- `aligned`: in a column of text
- `json_text`: JSON that every program can read
- `csv_text`: CSV that no spreadsheet takes for formulas
- `time_left`: how long some work still takes
- `screen`: the terminal itself
"""

from convscope.words.visible import escape_html, visible, visible_lines

__all__ = ["escape_html", "visible", "visible_lines"]
