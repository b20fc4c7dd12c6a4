"""The routes of the lessons."""

from typing import Annotated, Any

from fastapi import Body, FastAPI

from convscope.lessons.course import COURSE, lesson


def add_lessons(app: FastAPI) -> None:
    """Add what the lessons ask."""

    @app.get("/api/lessons")
    def lessons() -> dict[str, Any]:
        """The lessons in their order."""
        return {
            "lessons": [
                {"name": one.name, "title": one.title, "sentence": one.sentence} for one in COURSE
            ]
        }

    @app.post("/api/lessons/{name}")
    def tell(name: str, state: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        """The numbers of a lesson for what a person has set."""
        return lesson(name).tell(state)
