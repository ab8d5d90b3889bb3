"""A plugin of mypy (``[tool.mypy]`` in pyproject.toml) for what Amaranth decides at run time and its stubs cannot say.

A component has the attributes that the dictionary in its ``super().__init__({...})`` names and no others, so that a
misspelt port is an error. ``Signal(layout)`` is a view of the layout, whose fields are not checked, and neither is what
the ports of a memory carry. ``Out(1, init=1)`` is allowed, although the stubs know the argument only by its old name.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import (
    ARG_POS,
    Argument,
    CallExpr,
    DictExpr,
    Expression,
    ExpressionStmt,
    FuncDef,
    IntExpr,
    MemberExpr,
    NameExpr,
    StrExpr,
    SuperExpr,
    Var,
)
from mypy.plugin import ClassDefContext, FunctionContext, MethodSigContext, Plugin
from mypy.plugins.common import add_attribute_to_class, add_method_to_class
from mypy.types import AnyType, FunctionLike, Instance, ProperType, Type, TypeOfAny, get_proper_type

COMPONENT = "amaranth.lib.wiring.Component"
FLOW = "amaranth.lib.wiring.Flow.__call__"
MEMORY = "amaranth.lib.memory.Memory"
SIGNAL = "amaranth.hdl._ast.Signal"
STREAM = "amaranth.lib.stream.Interface"
SHAPE_CASTABLE = "amaranth.hdl._ast.ShapeCastable"
FLAT_SHAPES = {"builtins.int", "builtins.bool", "builtins.range", "amaranth.hdl._ast.Shape"}


def any_type() -> AnyType:
    return AnyType(TypeOfAny.explicit)


def member_type(member: Expression | None) -> str | None:
    """Return the full name of the type of a port ``In(...)`` or ``Out(...)``, or None if the source hides it."""
    if not (isinstance(member, CallExpr) and isinstance(member.callee, NameExpr) and member.args):
        return None
    shape = member.args[0]
    if isinstance(shape, IntExpr):
        return SIGNAL
    if isinstance(shape, CallExpr) and isinstance(shape.callee, NameExpr):
        return SIGNAL if shape.callee.name in ("range", "unsigned", "signed") else None
    if isinstance(shape, CallExpr) and isinstance(shape.callee, MemberExpr) and shape.callee.name == "Signature":
        module = shape.callee.expr
        return STREAM if isinstance(module, NameExpr) and module.name == "stream" else None
    return None


def signature_of(init: FuncDef) -> Expression | None:
    """Return what ``__init__`` hands to ``super().__init__``, or None for libraries, whose bodies mypy drops."""
    for statement in init.body.body:
        call = statement.expr if isinstance(statement, ExpressionStmt) else None
        if isinstance(call, CallExpr) and isinstance(call.callee, SuperExpr) and call.callee.name == "__init__":
            return call.args[0] if call.args else None
    return None


def add_members(context: ClassDefContext) -> None:
    """Give a component the attributes that its signature makes, and any attribute if the signature is computed."""
    cls, api = context.cls, context.api
    for init in cls.defs.body:
        if not (isinstance(init, FuncDef) and init.name == "__init__"):
            continue
        signature = signature_of(init)
        items = signature.items if isinstance(signature, DictExpr) else [(None, signature)]
        for key, member in items:
            if isinstance(key, StrExpr):
                found = member_type(member)
                known = api.named_type_or_none(found) if found else None
                if key.value not in cls.info.names:
                    add_attribute_to_class(api, cls, key.value, known or any_type())
            elif "__getattr__" not in cls.info.names:
                text = api.named_type("builtins.str")
                name = Argument(Var("name", text), text, None, ARG_POS)
                add_method_to_class(api, cls, "__getattr__", [name], any_type())


def signal_type(context: FunctionContext) -> Type:
    """Return the type of ``Signal(shape)``, which is a signal or what the shape makes of it."""
    if not context.arg_types or not context.arg_types[0]:
        return context.default_return_type
    shape: ProperType = get_proper_type(context.arg_types[0][0])
    if not isinstance(shape, Instance):
        return any_type()
    for base in shape.type.mro:
        if base.fullname in FLAT_SHAPES:
            return context.default_return_type
    for base in shape.type.mro:
        for parent in base.bases:
            if parent.type.fullname == SHAPE_CASTABLE and isinstance(get_proper_type(parent.args[0]), Instance):
                made = get_proper_type(parent.args[0])
                assert isinstance(made, Instance)
                return made.copy_modified(args=[shape])
    return any_type()


def memory_type(context: FunctionContext) -> Type:
    """Return the type of ``Memory(...)``, the data of whose ports may be values or views."""
    made = get_proper_type(context.default_return_type)
    return made.copy_modified(args=[any_type()] * len(made.args)) if isinstance(made, Instance) else made


def flow_signature(context: MethodSigContext) -> FunctionLike:
    """Return the signature of ``In(shape, init=...)``, with the name that the last parameter has since Amaranth 0.5."""
    names = ["init" if name == "reset" else name for name in context.default_signature.arg_names]
    return context.default_signature.copy_modified(arg_names=names)


class AmaranthPlugin(Plugin):
    """The hooks by which mypy asks about Amaranth."""

    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        return add_members if fullname == COMPONENT else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        return {SIGNAL: signal_type, MEMORY: memory_type}.get(fullname)

    def get_method_signature_hook(self, fullname: str) -> Callable[[MethodSigContext], FunctionLike] | None:
        return flow_signature if fullname == FLOW else None


def plugin(version: str) -> type[Plugin]:
    """Return the plugin; mypy calls this."""
    return AmaranthPlugin
