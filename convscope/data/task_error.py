"""What is raised for labels of another kind than the task needs."""

from convscope.errors import RequestError

NOT_ONE_HOT = "the columns of `label_column` do not have one 1 in each row"


class TaskError(RequestError):
    """Images with one class each where they may have several labels, or the reverse.

    Attributes:
        fault: what the data have, as a part of a sentence, for callers who were told no task: a
            network that is evaluated has its own.
    """

    def __init__(self, message: str, *, fault: str) -> None:
        super().__init__(message)
        self.fault = fault
