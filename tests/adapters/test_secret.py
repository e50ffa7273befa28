import subprocess
import sys
from pathlib import Path

import pytest

from kinesphere.adapters.secret import LENGTH, SecretDamaged, signing_secret

START = """
import sys
from pathlib import Path
from kinesphere.adapters.secret import signing_secret
sys.stdin.readline()
print(signing_secret(Path(sys.argv[1])).hex())
"""


def test_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    key = signing_secret(folder)
    assert len(key) == LENGTH
    assert signing_secret(folder) == key
    assert [path.name for path in folder.iterdir()] == ["secret.key"]
    assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600


def test_another_folder_has_another_key(tmp_path: Path) -> None:
    assert signing_secret(tmp_path / "a") != signing_secret(tmp_path / "b")


def test_servers_that_start_together_share_the_key(tmp_path: Path) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("go\n")
        start.stdin.flush()
    keys = {start.communicate()[0] for start in starts}
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_damaged_key_is_never_signed_with(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"")
    with pytest.raises(SecretDamaged, match="delete it"):
        signing_secret(tmp_path)
