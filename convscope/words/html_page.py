"""An HTML file by itself: it requests nothing and runs no script."""

from convscope.words.visible import escape_html


def html_page(*, title: str, style: str, header: str, main: str) -> str:
    """The page; `title` is text, which is escaped, `header` and `main` are HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{escape_html(title)}</title><style>{style}</style></head>"
        f"<body><header><h1>{escape_html(title)}</h1>{header}</header>"
        f"<main>{main}</main></body></html>\n"
    )
