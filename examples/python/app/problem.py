"""The errors of wit/world.wit, and the words for what the system says."""

import errno

from componentize_py_types import Err
from wit_world.exports import analysis


def invalid_file(message: str) -> Err:
    """The content is not what the file's name says."""
    return Err(analysis.TableError_InvalidFile(message))


def invalid_argument(message: str) -> Err:
    """An argument makes no sense."""
    return Err(analysis.TableError_InvalidArgument(message))


def too_large(message: str) -> Err:
    """A file or an answer is larger than is handled."""
    return Err(analysis.TableError_TooLarge(message))


def from_system(error: OSError, path: str) -> Err:
    """What the system said about a path."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Err(analysis.TableError_NotFound(f"there is no {path}"))
    # A path in no folder that the host opened for the component is "Not capable"; one that the host refuses "not permitted".
    if error.errno in (errno.EACCES, errno.EPERM, getattr(errno, "ENOTCAPABLE", 76)):
        return Err(analysis.TableError_NotPermitted(f"{path} may not be read"))
    if error.errno == errno.EISDIR:
        return Err(analysis.TableError_InvalidArgument(f"{path} is a folder"))
    return Err(analysis.TableError_Failed(f"cannot read {path}: {error.strerror}"))
