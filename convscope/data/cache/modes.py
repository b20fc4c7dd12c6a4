"""Where decoded images may be kept."""

from typing import Literal

CacheMode = Literal["auto", "ram", "disk", "none"]
"""Where decoded images are kept.

- `auto`: in memory if they fit there, else on disk if they are files and the disk has room for
  them, else nowhere.
- `ram`: in memory if they fit there, else nowhere.
- `disk`: on disk, whether or not they would fit in memory; if that is not possible, as `ram`.
- `none`: nowhere; they are decoded again in every epoch.
"""
