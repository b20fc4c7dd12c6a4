"""The routes of the lessons."""

from typing import Annotated, Any

from fastapi import Body, FastAPI

from convscope.lessons.course import LESSONS, lesson


def add_lessons(app: FastAPI) -> None:
    """Add the routes of the lessons."""

    @app.get("/api/lessons")
    def lessons() -> dict[str, Any]:
        """The lessons in order."""
        return {
            "lessons": [
                {"name": item.name, "title": item.title, "description": item.sentence}
                for item in LESSONS
            ]
        }

    @app.post("/api/lessons/{name}")
    def compute(name: str, state: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        """The numbers of a lesson for the settings of its controls."""
        return lesson(name).compute(state)
