"""The lessons as a page that needs no server: a course to put on any disk or web space."""
