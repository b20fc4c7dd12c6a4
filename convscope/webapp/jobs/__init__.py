"""Trainings that the page starts and watches: sources, form, processes, events."""
