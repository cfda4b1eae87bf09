"""No name of the library is also a package of explain/: importing that would put it in the function's place."""

from pathlib import Path

import explain


def test_the_library_and_the_folders_share_no_name():
    folder = Path(explain.__file__).parent
    modules = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert {"views", "trust", "registry"} <= modules
    assert not modules & set(explain.__all__)
