"""Autobahn's cases, as Python 3 runs them.

The suite is a package of Python 2: its text is bytes. Its files are converted when they are imported, and nothing of them
is written. A string of theirs stays a string, with one character for each byte (Latin-1); `to_bytes` and `to_text` stand
where such a string meets a connection.
"""

import ast
import binascii
import importlib.abc
import importlib.util
import pathlib
import sys
import types
import unittest.mock

import autobahn.asyncio.websocket  # before its parts have stand-ins
from autobahn.websocket.utf8validator import Utf8Validator

try:
    from lib2to3.refactor import RefactoringTool
    FIXERS = "lib2to3.fixes.fix_"
except ImportError:  # Python 3.13 and later
    from fissix.refactor import RefactoringTool
    FIXERS = "fissix.fixes.fix_"

PACKAGE = "case"
FOLDER = pathlib.Path(importlib.util.find_spec("autobahntestsuite").origin).parent
CONVERTER = RefactoringTool([FIXERS + name for name in ("import", "print", "unicode", "xrange")])


def to_bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def to_text(data):
    return data if isinstance(data, str) else data.decode("latin-1")


def load():
    """Returns the suite's list of classes, by their numbers: `{"1.1.1": Case1_1_1, ..}`."""
    stand_ins = {
        "binascii": module(b2a_hex=lambda text: to_text(binascii.b2a_hex(to_bytes(text)))),
        "pkg_resources": module(resource_filename=lambda _, name: str(FOLDER / name)),
        # Named by the cases of compression, which are only counted.
        "autobahn.websocket.compress": module(PerMessageDeflateOffer=unittest.mock.Mock),
        "autobahn.websocket.utf8validator": module(Utf8Validator=OfText),
        # Named by Case 9.9.1, which is not in the suite's list.
        "zope.interface": module(implements=lambda _: None),
        "twisted.internet": module(reactor=None, interfaces=types.SimpleNamespace(IPushProducer=None)),
    }
    sys.meta_path.insert(0, Finder())
    with unittest.mock.patch.dict(sys.modules, stand_ins):
        package = importlib.import_module(PACKAGE)
    # Pickles of equal lists differ in Python 3 when the same string is in one of them twice.
    package.Case.compare = lambda _, one, other: one == other
    return {case.__name__.removeprefix("Case").replace("_", "."): case for case in package.Cases}


def module(**members):
    made = types.ModuleType("stand-in")
    vars(made).update(members)
    return made


class OfText(Utf8Validator):
    def validate(self, text):
        return super().validate(to_bytes(text))


class Finder(importlib.abc.MetaPathFinder):
    """Finds the folder with the cases, and the files in it."""

    def find_spec(self, name, path=None, target=None):
        package, _, module = name.partition(".")
        if package != PACKAGE:
            return None
        file = FOLDER / PACKAGE / f"{module or '__init__'}.py"
        return importlib.util.spec_from_file_location(name, file, loader=Loader(str(file)))


class Loader(importlib.abc.SourceLoader):
    def __init__(self, path):
        self.path = path

    def get_filename(self, name):
        return self.path

    def get_data(self, path):
        return pathlib.Path(path).read_bytes()

    def path_stats(self, path):
        # Nothing is kept for the next time.
        raise OSError

    def source_to_code(self, data, path):
        # One character for each byte, whatever the file says of its encoding.
        text = data.decode("latin-1").replace("coding=utf-8", "").rstrip() + "\n"
        # A class cannot derive from `object` before another class that does.
        text = text.replace("(object, Case, )", "(Case, )")
        # Their encoder takes half of a surrogate pair, too, and makes bytes.
        text = text.replace('.encode("utf-8")', '.encode("utf-8", "surrogatepass").decode("latin-1")')
        tree = ast.parse(str(CONVERTER.refactor_string(text, path)), path)
        return compile(ast.fix_missing_locations(Division().visit(tree)), path, "exec")


class Division(ast.NodeTransformer):
    """Their divisions are of whole numbers, and have whole results in Python 2."""

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Div):
            node.op = ast.FloorDiv()
        return node
