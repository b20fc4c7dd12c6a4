"""Trainings that the page starts and watches: data sources, form, processes, events."""
