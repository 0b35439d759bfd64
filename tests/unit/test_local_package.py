"""The archives of the embedded cloud."""

import io
import zipfile
from pathlib import Path

import pytest

from local import package
from local.errors import CloudError
from local.package import archives


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for file in (
        "functions/__init__.py",
        "functions/greet/handler.py",
        "functions/greet/__pycache__/handler.cpython-313.pyc",
        "functions/other/handler.py",
        "layers/shared/requirements.txt",
        "layers/shared/retorno/clock.py",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("pass")
    monkeypatch.setattr(package, "ROOT", tmp_path)
    return tmp_path


TEMPLATE = {
    "Resources": {
        "Greet": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"CodeUri": "functions/greet"},
        },
        "Layer": {
            "Type": "AWS::Serverless::LayerVersion",
            "Properties": {"ContentUri": "layers/shared"},
        },
        "Topic": {"Type": "AWS::SNS::Topic"},
    }
}


def names(archive: package.Archive) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(archive.content)).namelist()


@pytest.mark.usefixtures("project")
def test_a_function_keeps_its_dotted_name_and_a_layer_its_place() -> None:
    made = archives(TEMPLATE)
    assert made.keys() == {"Greet", "Layer"}
    assert names(made["Greet"]) == ["functions/__init__.py", "functions/greet/handler.py"]
    assert names(made["Layer"]) == ["python/retorno/clock.py", "python/stream_bridge.py"]


def test_only_new_content_makes_a_new_key(project: Path) -> None:
    before = archives(TEMPLATE)
    (project / "functions/greet/handler.py").touch()
    assert archives(TEMPLATE) == before
    (project / "functions/greet/handler.py").write_text("changed")
    after = archives(TEMPLATE)
    assert after["Greet"].key != before["Greet"].key
    assert after["Layer"] == before["Layer"]


@pytest.mark.usefixtures("project")
def test_a_folder_that_is_not_there_is_no_empty_function() -> None:
    function = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "functions/gone"}}
    with pytest.raises(CloudError, match="functions/gone"):
        archives({"Resources": {"Gone": function}})
