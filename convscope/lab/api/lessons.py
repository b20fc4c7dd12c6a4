"""The routes of the lessons."""

from typing import Annotated, Any

from fastapi import Body, FastAPI

from convscope.lessons.course import LESSONS, lesson


def add_lessons(app: FastAPI) -> None:
    """Add what the lessons ask."""

    @app.get("/api/lessons")
    def lessons() -> dict[str, Any]:
        """The lessons in their order."""
        return {
            "lessons": [
                {"name": one.name, "title": one.title, "description": one.sentence}
                for one in LESSONS
            ]
        }

    @app.post("/api/lessons/{name}")
    def compute(name: str, state: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        """The numbers of a lesson for what a person has set."""
        return lesson(name).compute(state)
