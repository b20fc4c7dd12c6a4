"""The routes of the lab's API, one module for each part of the page."""
