"""How long some work still takes, roughly."""


def time_left(seconds: float) -> str:
    """As in "about 12 minutes left", of an estimate in seconds.

    >>> [time_left(seconds) for seconds in (20, 70, 3000, 9000)]  # doctest: +NORMALIZE_WHITESPACE
    ['less than a minute left', 'about 1 minute left', 'about 50 minutes left',
     'about 2.5 hours left']
    """
    minutes = round(seconds / 60)
    if minutes >= 90:
        return f"about {seconds / 3600:.1f} hours left"
    if seconds < 60:
        return "less than a minute left"
    return f"about {minutes} minute{'s' if minutes > 1 else ''} left"
