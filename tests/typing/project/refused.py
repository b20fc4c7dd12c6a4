"""Mistakes that type checkers refuse, each on a line of its own.

An ignored error that is none is an error: pyright's reportUnnecessaryTypeIgnoreComment and mypy's
warn_unused_ignores.
"""

import convscope

convscope.train(epochs="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
convscope.train(epoch=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
convscope.train(optimizer="adamm")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
convscope.train(lr_milestones=0.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
convscope.train(compile=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
convscope.train("digits", "out")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
convscope.resume("run", epochs="60")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
convscope.evaluate("run", split="dev")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
convscope.no_such_verb()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]

result = convscope.train()
result.accuracy  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018
text: str = result.run  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
