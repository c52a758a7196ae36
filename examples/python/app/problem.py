"""The errors of wit/world.wit, and the words for what the system says."""

import errno
import functools
from collections.abc import Callable

from componentize_py_types import Err
from wit_world.exports import analysis


class Problem(Exception):
    """An error of the component, on its way to the function that was called.

    componentize-py wants an `Err` raised there; further down it would break the `with` that it passes through, for an
    `Err` cannot be given a traceback.
    """

    def __init__(self, error: analysis.TableError) -> None:
        super().__init__(error)
        self.error = error


def answered[**P, T](function: Callable[P, T]) -> Callable[P, T]:
    """A function that answers a problem as the error of its `result`."""

    @functools.wraps(function)
    def outer(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return function(*arguments, **named)
        except Problem as problem:
            raise Err(problem.error) from None

    return outer


def invalid_file(message: str) -> Problem:
    """The content is not what the file's name says."""
    return Problem(analysis.TableError_InvalidFile(message))


def invalid_argument(message: str) -> Problem:
    """An argument makes no sense."""
    return Problem(analysis.TableError_InvalidArgument(message))


def too_large(message: str) -> Problem:
    """A file or an answer is larger than is handled."""
    return Problem(analysis.TableError_TooLarge(message))


def from_system(error: OSError, path: str) -> Problem:
    """What the system said about a path."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Problem(analysis.TableError_NotFound(f"there is no {path}"))
    # A path in no folder that the host opened for the component is "Not capable"; one that the host refuses "not permitted".
    if error.errno in (errno.EACCES, errno.EPERM, getattr(errno, "ENOTCAPABLE", 76)):
        return Problem(analysis.TableError_NotPermitted(f"{path} may not be read"))
    if error.errno == errno.EISDIR:
        return Problem(analysis.TableError_InvalidArgument(f"{path} is a folder"))
    return Problem(analysis.TableError_Failed(f"cannot read {path}: {error.strerror}"))
