"""When a process that has ended is started again.

One that cannot begin says so by its status: the settings or the database are not as they must be, the other processes
find that too, and a person has to look. One that has begun is started again however often it ends, later and later
while it ends soon.
"""

CANNOT = 2
"""The status of a command that cannot do its work as it was asked to."""

_FIRST, _LONGEST = 1.0, 60.0
_WELL = 60.0


class Restarts:
    """Of several processes, by their numbers."""

    def __init__(self, first: float = _FIRST, longest: float = _LONGEST, well: float = _WELL) -> None:
        """`first`, `longest`: seconds until a process is started again; the pause doubles each time. `well`: seconds
        after which one that ends has worked, and the pause is the first again."""
        self._first = first
        self._longest = longest
        self._well = well
        self._pauses: dict[int, float] = {}

    def __repr__(self) -> str:
        return f"<Restarts {self._pauses}>"

    def ended(self, number: int, status: int, lived: float) -> float | None:
        """Seconds until process `number` is started again, which has lived for so many; None: it cannot begin."""
        before = self._pauses.get(number)
        if lived >= self._well:
            pause = self._first
        elif before is None:
            if status == CANNOT:
                return None
            pause = self._first
        else:
            pause = min(self._longest, 2 * before)
        self._pauses[number] = pause
        return pause
