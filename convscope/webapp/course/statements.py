"""Translate definitions and statements of Python to JavaScript, for `translate.py`."""

import ast
from collections.abc import Iterable

from convscope.webapp.course.expressions import Expressions, TranslationError, literal, safe_name


class Statements(Expressions):
    """Translate definitions and statements."""

    def definition(self, node: ast.FunctionDef | ast.ClassDef) -> str:
        """A function or a data class as a constant."""
        if isinstance(node, ast.ClassDef):
            return f"const {node.name} = {self._class(node)};"
        return f"const {safe_name(node.name)} = {self.function(node)};"

    def function(self, node: ast.FunctionDef, *, skip: int = 0) -> str:
        """A function whose parameters have their names with it, for calls by keyword."""
        arguments = node.args
        if arguments.vararg or arguments.kwarg:
            raise TranslationError("*args", node)
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = dict(
            zip([a.arg for a in positional][::-1], arguments.defaults[::-1], strict=False)
        )
        defaults |= {
            argument.arg: default
            for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if default is not None
        }
        names = [argument.arg for argument in [*positional, *arguments.kwonlyargs]][skip:]
        parameters = ", ".join(
            safe_name(name) + (f" = {self.expression(defaults[name])}" if name in defaults else "")
            for name in names
        )
        local = sorted(_assigned(node.body) - set(names))
        declared = f"let {', '.join(map(safe_name, local))};\n" if local else ""
        own = "const self = this;\n" if skip else ""
        body = self.block(node.body)
        return f"py.def({literal(names)}, function ({parameters}) {{\n{own}{declared}{body}}})"

    def _class(self, node: ast.ClassDef) -> str:
        """A data class, or an exception."""
        fields: list[str] = []
        methods: list[str] = []
        for part in node.body:
            match part:
                case ast.AnnAssign(target=ast.Name(id=name), value=value):
                    default = f", () => {self.expression(value)}" if value else ""
                    fields.append(f"[{literal(name)}{default}]")
                case ast.FunctionDef():
                    methods.append(self._method(part))
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    pass
                case _:
                    raise TranslationError(node.name, part)
        if any(isinstance(base, ast.Name) and base.id == "Exception" for base in node.bases):
            return f"py.exception({literal(node.name)})"
        return f"py.dataclass({literal(node.name)}, [{', '.join(fields)}], [{', '.join(methods)}])"

    def _method(self, node: ast.FunctionDef) -> str:
        marks = [mark.id for mark in node.decorator_list if isinstance(mark, ast.Name)]
        kind = next((mark for mark in marks if mark in {"property", "classmethod"}), "method")
        code = self.function(node, skip=1)
        if kind == "classmethod":
            code = code.replace("const self = this;", f"const {node.args.args[0].arg} = this;", 1)
        return f"[{literal(kind)}, {literal(node.name)}, {code}]"

    def block(self, body: Iterable[ast.stmt]) -> str:
        """Statements, one after the other."""
        return "".join(f"{line}\n" for node in body if (line := self.statement(node)))

    def statement(self, node: ast.stmt) -> str:  # noqa: C901, PLR0911, PLR0912 -- one case each
        """One statement."""
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                return ""
            case ast.Expr(value=value):
                return f"{self.expression(value)};"
            case ast.Return(value=value):
                return f"return {self.expression(value) if value else 'null'};"
            case ast.Assign(targets=[target], value=value):
                return self.assign(target, value)
            case ast.AnnAssign(target=target, value=value):
                return self.assign(target, value) if value else ""
            case ast.AugAssign(target=target, op=op, value=value):
                changed = ast.BinOp(left=_as_load(target), op=op, right=value)
                return self.assign(target, ast.copy_location(changed, node))
            case ast.If(test=test, body=body, orelse=orelse):
                other = f" else {{\n{self.block(orelse)}}}" if orelse else ""
                return f"if ({self.truth(test)}) {{\n{self.block(body)}}}{other}"
            case ast.For(target=target, iter=values, body=body):
                return (
                    f"for (const each$ of py.iter({self.expression(values)})) {{\n"
                    f"{self.target(target)} = each$;\n{self.block(body)}}}"
                )
            case ast.While(test=test, body=body):
                return f"while ({self.truth(test)}) {{\n{self.block(body)}}}"
            case ast.Continue():
                return "continue;"
            case ast.Break():
                return "break;"
            case ast.Raise(exc=ast.expr() as error):
                return f"throw {self.expression(error)};"
            case ast.Try(body=body, handlers=[handler], orelse=[], finalbody=[]):
                return self._try(body, handler)
            case ast.With(body=body):  # a lock: a page has one thread
                return self.block(body)
            case ast.Match():
                return self._match(node)
            case ast.FunctionDef():
                return f"{safe_name(node.name)} = {self.function(node)};"
            case _:
                raise TranslationError("statement", node)

    def assign(self, target: ast.expr, value: ast.expr) -> str:
        """An assignment to names, to an item, or to a part of an array."""
        code = self.expression(value)
        match target:
            case ast.Subscript(value=of, slice=index):
                return f"py.set_item({self.expression(of)}, {self.index(index)}, {code});"
            case ast.Tuple(elts=parts) if any(isinstance(p, ast.Subscript) for p in parts):
                if not isinstance(value, ast.Tuple):
                    raise TranslationError("assignment", target)
                pairs = zip(parts, value.elts, strict=True)
                return "\n".join(self.assign(part, each) for part, each in pairs)
            case ast.Tuple():
                return f"{self.target(target)} = py.list({code});"
            case _:
                return f"{self.target(target)} = {code};"

    def _try(self, body: list[ast.stmt], handler: ast.ExceptHandler) -> str:
        if handler.type is None:
            raise TranslationError("except", handler)
        named = f"const {safe_name(handler.name)} = error$;\n" if handler.name else ""
        return (
            f"try {{\n{self.block(body)}}} catch (error$) {{\n"
            f"if (!py.isinstance(error$, {self.expression(handler.type)})) throw error$;\n"
            f"{named}{self.block(handler.body)}}}"
        )

    def _match(self, node: ast.Match) -> str:
        """Cases in turn, each with its names."""
        self.count += 1
        subject, done = f"subject{self.count}$", f"match{self.count}$"
        lines = [f"const {subject} = {self.expression(node.subject)};", f"{done}: {{"]
        for case in node.cases:
            test, bound = self._pattern(case.pattern, subject)
            names = "".join(f"{safe_name(name)} = {value};\n" for name, value in bound.items())
            body = f"{self.block(case.body)}break {done};\n"
            if case.guard:
                body = f"if ({self.truth(case.guard)}) {{\n{body}}}\n"
            lines.append(f"if ({test}) {{\n{names}{body}}}")
        return "{" + "\n".join([*lines, "}"]) + "}"

    def _pattern(self, pattern: ast.pattern, subject: str) -> tuple[str, dict[str, str]]:
        match pattern:
            case ast.MatchValue(value=value):
                return f"py.eq({subject}, {self.expression(value)})", {}
            case ast.MatchOr(patterns=patterns):
                return " || ".join(self._pattern(each, subject)[0] for each in patterns), {}
            case ast.MatchClass(cls=cls, patterns=[], kwd_patterns=[]):
                return f"py.isinstance({subject}, {self.expression(cls)})", {}
            case ast.MatchSequence(patterns=patterns):
                bound = {
                    str(each.name): f"{subject}[{place}]"
                    for place, each in enumerate(patterns)
                    if isinstance(each, ast.MatchAs)
                }
                return f"Array.isArray({subject}) && {subject}.length === {len(patterns)}", bound
            case ast.MatchAs(pattern=None, name=None):
                return "true", {}
            case _:
                raise TranslationError("pattern", pattern)


def _as_load(target: ast.expr) -> ast.expr:
    copied = ast.parse(ast.unparse(target), mode="eval").body
    return ast.copy_location(copied, target)


def _assigned(body: Iterable[ast.AST]) -> set[str]:
    """The names that statements set, of this function and not of functions in it."""
    names: set[str] = set()
    for node in body:
        if isinstance(
            node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
        ):
            continue
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if isinstance(node, ast.MatchAs) and node.name:
            names.add(node.name)
        names |= _assigned(ast.iter_child_nodes(node))
    return names
