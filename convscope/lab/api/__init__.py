"""The routes of the lab, one module for each room of the page."""
