"""Translate expressions of Python to JavaScript, for `translate.py`."""

import ast
import json

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv",
    ast.Mod: "mod", ast.Pow: "pow", ast.BitAnd: "bitand", ast.BitOr: "bitor",
    ast.RShift: "rshift", ast.LShift: "lshift", ast.MatMult: "matmul",
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip
_BUILTINS = {
    "abs", "all", "any", "bool", "dict", "divmod", "enumerate", "float", "frozenset", "getattr",
    "int", "isinstance", "iter", "len", "list", "map", "max", "min", "next", "ord", "range", "repr",
    "reversed", "round", "set", "sorted", "str", "sum", "tuple", "zip", "slice", "ValueError",
}  # fmt: skip
_RESERVED = {
    "arguments", "case", "catch", "const", "default", "delete", "do", "enum", "export", "extends",
    "eval", "function", "in", "instanceof", "let", "new", "null", "package", "private", "super",
    "switch", "this", "throw", "typeof", "var", "void", "static", "public", "interface",
}  # fmt: skip


class TranslationError(Exception):
    """Python that is not in the translated subset."""

    def __init__(self, what: str, node: ast.AST) -> None:
        super().__init__(f"{what}: cannot translate {ast.dump(node)[:200]}")


def literal(value: object) -> str:
    """A text, a number or a list of texts as JavaScript has it, to the letter."""
    return json.dumps(value)  # noqa: TID251 -- code: nothing in it may be made visible


def safe_name(name: str) -> str:
    """A name that JavaScript does not keep for itself."""
    return f"{name}$" if name in _RESERVED else name


class Expressions:
    """Translate expressions."""

    def __init__(self) -> None:
        self.count = 0

    def truth(self, node: ast.expr) -> str:
        """An expression as a condition."""
        return f"py.truth({self.expression(node)})"

    def expression(self, node: ast.expr) -> str:  # noqa: C901, PLR0911, PLR0912 -- one case each
        """One expression."""
        match node:
            case ast.Constant(value=value):
                return self._constant(value, node)
            case ast.Name(id=name):
                return f"py.{safe_name(name)}" if name in _BUILTINS else safe_name(name)
            case ast.BinOp(left=left, op=op, right=right):
                return (
                    f"py.{_OPERATORS[type(op)]}({self.expression(left)}, {self.expression(right)})"
                )
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
                return f"-{value}"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"py.neg({self.expression(operand)})"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"!{self.truth(operand)}"
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                first, *rest = map(self.expression, values)
                return f"py.{word}({first}, {', '.join(f'() => ({each})' for each in rest)})"
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return f"({self.truth(test)} ? {self.expression(body)} : {self.expression(orelse)})"
            case ast.Call():
                return self._call(node)
            case ast.Attribute(value=value, attr=attr):
                return f"{self.expression(value)}.{attr}"
            case ast.Subscript(value=value, slice=index):
                return f"py.item({self.expression(value)}, {self.index(index)})"
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return f"[{', '.join(map(self._element, parts))}]"
            case ast.Set(elts=parts):
                return f"py.set([{', '.join(map(self._element, parts))}])"
            case ast.Dict(keys=keys, values=values):
                pairs = [
                    f"[{self.expression(key)}, {self.expression(value)}]"
                    if key
                    else f"...py.items({self.expression(value)})"
                    for key, value in zip(keys, values, strict=True)
                ]
                return f"py.dict([{', '.join(pairs)}])"
            case ast.JoinedStr(values=parts):
                return " + ".join(['""', *map(self._text, parts)])
            case ast.Lambda(args=arguments, body=body):
                names = ", ".join(safe_name(argument.arg) for argument in arguments.args)
                return f"(({names}) => {self._result(body)})"
            case (
                ast.ListComp(elt=value, generators=loops)
                | ast.GeneratorExp(elt=value, generators=loops)
            ):
                return self._comprehension(self.expression(value), loops)
            case ast.SetComp(elt=value, generators=loops):
                return f"py.set({self._comprehension(self.expression(value), loops)})"
            case ast.DictComp(key=key, value=value, generators=loops):
                pair = f"[{self.expression(key)}, {self.expression(value)}]"
                return f"py.dict({self._comprehension(pair, loops)})"
            case ast.NamedExpr(target=target, value=value):
                return f"({self.target(target)} = {self.expression(value)})"
            case _:
                raise TranslationError("expression", node)

    def _result(self, node: ast.expr) -> str:
        code = self.expression(node)
        return f"({code})"

    def _constant(self, value: object, node: ast.AST) -> str:
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float | str):
            return literal(value)
        raise TranslationError("constant", node)

    def _text(self, part: ast.expr) -> str:
        """A part of a formatted string."""
        if isinstance(part, ast.FormattedValue):
            value = self.expression(part.value)
            value = f"py.repr({value})" if part.conversion == ord("r") else value
            spec = self.expression(part.format_spec) if part.format_spec else '""'
            return f"py.format({value}, {spec})"
        return self.expression(part)

    def _element(self, node: ast.expr) -> str:
        if isinstance(node, ast.Starred):
            return f"...py.iter({self.expression(node.value)})"
        return self.expression(node)

    def _compare(self, node: ast.Compare) -> str:
        """Comparisons in a row; what stands between two is pure here, and may be read twice."""
        parts: list[str] = []
        operands = [node.left, *node.comparators]
        for left, op, right in zip(operands, node.ops, operands[1:], strict=False):
            first, second = self.expression(left), self.expression(right)
            match op:
                case ast.In():
                    parts.append(f"py.contains({second}, {first})")
                case ast.NotIn():
                    parts.append(f"!py.contains({second}, {first})")
                case ast.Is():
                    parts.append(f"({first}) === ({second})")
                case ast.IsNot():
                    parts.append(f"({first}) !== ({second})")
                case _:
                    parts.append(f"py.{_OPERATORS[type(op)]}({first}, {second})")
        return parts[0] if len(parts) == 1 else f"({' && '.join(parts)})"

    def _call(self, node: ast.Call) -> str:
        if isinstance(node.func, ast.Name) and node.func.id == "cast":
            return self.expression(node.args[1])
        arguments = [self._element(argument) for argument in node.args]
        keywords = ", ".join(
            f"{keyword.arg}: {self.expression(keyword.value)}"
            if keyword.arg
            else f"...py.to_object({self.expression(keyword.value)})"
            for keyword in node.keywords
            if keyword.arg != "strict"
        )
        given = f", {{ {keywords} }}" if keywords else ""
        match node.func:
            case ast.Attribute(value=value, attr=attr):
                of = self.expression(value)
                return f'py.method({of}, "{attr}", [{", ".join(arguments)}]{given})'
            case function if given:
                return f"py.call({self.expression(function)}, [{', '.join(arguments)}]{given})"
            case function:
                return f"{self.expression(function)}({', '.join(arguments)})"

    def index(self, node: ast.expr) -> str:
        """What stands between brackets: a number, a slice, or several of them."""
        match node:
            case ast.Slice(lower=lower, upper=upper, step=step):
                ends = (self.expression(end) if end else "null" for end in (lower, upper, step))
                return f"py.slice({', '.join(ends)})"
            case ast.Tuple(elts=parts):
                return f"[{', '.join(map(self.index, parts))}]"
            case ast.Constant(value=value) if value is Ellipsis:
                return '"..."'
            case _:
                return self.expression(node)

    def target(self, node: ast.expr) -> str:
        """What is assigned to: a name, or names in brackets."""
        match node:
            case ast.Name(id=name):
                return safe_name(name)
            case ast.Tuple(elts=parts):
                return f"[{', '.join(map(self.target, parts))}]"
            case ast.Starred(value=value):
                return f"...{self.target(value)}"
            case _:
                raise TranslationError("target", node)

    def _comprehension(self, value: str, loops: list[ast.comprehension]) -> str:
        """An array of all values; the names of its loops are its own."""
        body = f"out$.push({value});"
        for loop in reversed(loops):
            for condition in reversed(loop.ifs):
                body = f"if ({self.truth(condition)}) {body}"
            names = self.target(loop.target)
            body = f"for (const {names} of py.iter({self.expression(loop.iter)})) {{ {body} }}"
        return f"(() => {{ const out$ = []; {body} return out$; }})()"
