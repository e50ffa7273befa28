"""Statements run by the database's driver itself, within SQLAlchemy's transaction.

A job costs some thirty statements of less than 10 µs each; what SQLAlchemy does around a statement
takes ten times as long. So those that are run for every job are compiled once, and given to the
driver with plain values: text, numbers, None and lists of them. What comes back is plain too: a
truth value of SQLite is 0 or 1 here.

Whatever the driver raises is raised as SQLAlchemy would, without the values, which may be secret.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import TextClause

NO_VALUES: Final[Mapping[str, Any]] = {}
_MOST_FORMS: Final = 2_000
"""Forms kept; a list of values has one for each of its lengths."""


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement as the driver takes it.

    Attributes:
        statement: What it was made of; kept, so that no other can have its identity.
        text: SQL.
        names: Of the values, in order, or None where the driver takes them by name.
        lists: Of each value that is a list, the names of its items.
        constants: Values that the statement has of its own.
    """

    statement: Executable
    text: str
    names: Sequence[str] | None
    lists: Mapping[str, Sequence[str]]
    constants: Mapping[str, Any]

    def values(self, given: Mapping[str, Any]) -> Any:
        """The values as the driver takes them."""
        if self.lists:
            plain = {name: value for name, value in given.items() if name not in self.lists}
            for name, items in self.lists.items():
                plain.update(zip(items, given[name], strict=True))
            given = plain
        if self.constants:
            given = {**self.constants, **given}
        return given if self.names is None else [given[name] for name in self.names]


_forms: dict[tuple[Any, ...], _Form] = {}
_rows: dict[tuple[str, ...], Callable[[Sequence[Any]], Any]] = {}


def rows(
    connection: Connection, statement: Executable, values: Mapping[str, Any] = NO_VALUES
) -> list[Any]:
    """Every row, as a named tuple. Raises DBAPIError."""
    form = _form(connection.dialect, statement, values)
    try:
        cursor = _driver(connection).execute(form.text, form.values(values))
        found = cursor.fetchall()
        names = tuple([column[0] for column in cursor.description]) if found else ()
        cursor.close()
    except Exception as error:
        _raise(connection, form.text, error)
    return list(map(_row(names), found)) if found else []


def tuples(
    connection: Connection, statement: Executable, values: Mapping[str, Any] = NO_VALUES
) -> list[tuple[Any, ...]]:
    """Every row as the driver gives it, a plain tuple. Raises DBAPIError."""
    form = _form(connection.dialect, statement, values)
    try:
        cursor = _driver(connection).execute(form.text, form.values(values))
        found: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
    except Exception as error:
        _raise(connection, form.text, error)
    return found


def scalar(
    connection: Connection, statement: Executable, values: Mapping[str, Any] = NO_VALUES
) -> Any:
    """The first column of the first row, or None. Raises DBAPIError."""
    form = _form(connection.dialect, statement, values)
    try:
        cursor = _driver(connection).execute(form.text, form.values(values))
        row = cursor.fetchone()
        cursor.close()
    except Exception as error:
        _raise(connection, form.text, error)
    return None if row is None else row[0]


def first(
    connection: Connection, statement: Executable, values: Mapping[str, Any] = NO_VALUES
) -> Any:
    """The first row, as a named tuple, or None. Raises DBAPIError."""
    found = rows(connection, statement, values)
    return found[0] if found else None


def write(connection: Connection, text: str, values: Sequence[Any]) -> int:
    """Run SQL of the driver's own once for each of `values`: how many rows it wrote."""
    try:
        if len(values) == 1:
            cursor = _driver(connection).execute(text, values[0])
        else:
            cursor = _driver(connection).cursor()
            cursor.executemany(text, values)
        number = int(cursor.rowcount)
        cursor.close()
    except Exception as error:
        _raise(connection, text, error)
    return number


def _driver(connection: Connection) -> Any:
    """The driver's own connection."""
    return connection.connection.dbapi_connection


def _row(names: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
    make = _rows.get(names)
    if make is None:
        kind: Any = namedtuple("Row", list(names))  # type: ignore[misc]  # known by now only
        make = _rows[names] = kind._make
    return make


def _form(dialect: Dialect, statement: Executable, values: Mapping[str, Any]) -> _Form:
    # In SQL that was written by hand a list is one value, PostgreSQL's array.
    lists = not isinstance(statement, TextClause)
    lengths = [len(value) for value in values.values() if type(value) is list] if lists else []
    key = (id(statement), dialect.name, *lengths)
    form = _forms.get(key)
    if form is None:
        if len(_forms) >= _MOST_FORMS:
            _forms.clear()
        form = _forms[key] = _compiled(dialect, statement, values)
    return form


def _compiled(dialect: Dialect, statement: Executable, values: Mapping[str, Any]) -> _Form:
    if not isinstance(statement, ClauseElement):
        raise TypeError(f"{type(statement).__name__} cannot be compiled")
    compiled = statement.compile(dialect=dialect)
    if not isinstance(compiled, SQLCompiler):
        raise TypeError(f"{type(statement).__name__} has no values")
    state = compiled.construct_expanded_state(dict(values))
    lists = {name: items for name, items in state.parameter_expansion.items() if name in values}
    given = {*values, *(name for items in lists.values() for name in items)}
    constants = {name: value for name, value in state.parameters.items() if name not in given}
    return _Form(statement, state.statement, state.positiontup, lists, constants)


def _raise(connection: Connection, text: str, error: Exception) -> NoReturn:
    """Raise what SQLAlchemy would for this of the driver; a connection that is broken is given up.

    Anything else is raised as it is.
    """
    dialect = connection.dialect
    kind = dialect.loaded_dbapi.Error
    if not isinstance(error, kind):
        raise error
    broken = dialect.is_disconnect(error, connection.connection, None)
    if broken:
        connection.invalidate(error)
    raise DBAPIError.instance(
        text, None, error, kind, connection_invalidated=broken, dialect=dialect
    ) from error
