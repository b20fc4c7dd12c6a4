"""A network's filters by level: objects made of parts, and parts made of edges."""
