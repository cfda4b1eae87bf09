"""The library's names are functions, also where a floor of the house has the same name and is there already."""

import subprocess
import sys


def test_floors_leave_their_names_to_the_functions():
    code = (
        "import explain, explain.trust, explain.embedding, explain.lectures.tables\n"
        "from explain.projections import projection\n"
        "assert all(not hasattr(getattr(explain, name), '__path__') for name in explain.__all__)\n"
        "assert projection.PROJECTIONS\n"
        "assert callable(explain.embedding) and callable(explain.lectures)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
