"""Sheets of small pictures with captions, as PNG, SVG or HTML: maps, filters, patches."""
