"""What a user can mend, said in one line."""


class AsrError(Exception):
    """A fault in the input, the configuration or the machine, not in the program.

    The message says what is wrong, where, and how to mend it, in one line.
    The command line prints it to stderr and leaves with exit code 2, as it does with an
    `OSError` that names a file; any other exception is a bug and keeps its traceback.
    """


class Untrainable(AsrError):
    """Settings that cannot be trained with on these data; a search goes on with others."""


def one_line(error: BaseException) -> str:
    """What another library's exception says, for the inside of a message."""
    return (str(error).splitlines() or [type(error).__name__])[0]
