"""The split lists of BenchX (Zhou et al., NeurIPS 2024): which they are, where they lie, how they are read.

The sums are those of the lists in its public repository, branch `release`; a list with another sum is another
split and is refused. Some COVIDx lists name a file more than once (BenchX cuts file names at their first dot).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchx.datasets.files import read_list
from benchx.errors import DataMissing, DatasetError

SPLITS_FOLDER = Path.home() / ".cache" / "benchx" / "splits" / "benchx-2024"
"""Where the lists are kept unless the user names another folder."""

PARTS = ("train", "val", "test", "train_1", "train_10")
SUBSETS = {0.01: "train_1", 0.1: "train_10"}
"""The lists that are label fractions of `train`: one fixed draw each, not always nested."""


@dataclass(frozen=True)
class Lists:
    """The lists of one dataset: their folder, and the sha256 of each by part."""

    folder: str
    sha256: Mapping[str, str]


LISTS: dict[str, Lists] = {
    "covidx": Lists(
        "COVIDx",
        {
            "train": "bb5f3a1bf3457a9872db32dae066ec8c1eba1ff5ce74b0e8f3409847a333bd64",
            "train_1": "d01881a5d6f92a8c53402315351d0f46d9795d892c8b4879158959c283fe695f",
            "train_10": "8e3fc784ae5d3f41762fbfec8cef9b1b7091fc9a1fb5697390d2be4138bdb850",
            "val": "c6e7bafe208c3a8195f104d9546699b39c91880480c6fde159d32221008ad244",
            "test": "e76ce6efb57f44ca7c180b2ececd8132fa0d142b465032c964002f819435f2c6",
        },
    ),
    "nih": Lists(
        "NIH_Chest_Xray",
        {
            "train": "035fed235a5931554c1fccaa096c9e2bb8fc80449bfa63fbc44843014e4349a4",
            "train_1": "cc3072c2b1177fd2f8d103e402da9a159dfce0d7ccc90f881c2efa8d9d7fbf63",
            "train_10": "c70afef8bab5debaf8d2cd126dc1feea23e41073d60ef39626e32daa4a0896cd",
            "val": "48fff6634cc3e4294ab836b9d84bb1b3e6d81c73a8b94f69b5208c31eaa4b14a",
            "test": "536637d62365936ef2cbd296e2de11a968d66f973c90b65ece6b8b31936d4a1f",
        },
    ),
    "object-cxr": Lists(
        "Object-CXR",
        {
            "train": "faed2701f392bb3ad0637555a3ee743559f00b3d06b3d87796937be069e2a82c",
            "train_1": "d9632d308f642dba09ea36d19ba912f86540a4e6362c71ab0e1c2bb594c97361",
            "train_10": "3449399bddbd28743b6c4295aa41ef3c923e109d8dd795f8e784859556bb2db8",
            "val": "bcba0ca121097dea3d3447bd1468e0b2619a6b10689a56beff36df9b0d4b65df",
            "test": "d92f5429dbdf21cd91de9d07e53c073ea3a2e0b8871b58f3576e2183490e6a1a",
        },
    ),
    "rsna": Lists(
        "RSNA",
        {
            "train": "887236661d0044bef38133c9ba440df1bbfc9630b153420e34294f600aa4f7d8",
            "train_1": "9cdb3fe4c97046929ab56f845ae2abdf13f18610552cbd14f17c6a2147835b9f",
            "train_10": "5e35777c613924f36bf676bd47cbb32b540ecf97a8f6fd08eb0294153aef53c8",
            "val": "f21237e5f2546b33976381033572d6f759ee8e22bd10a782955c449275020e51",
            "test": "48394d681ab052ec5ca60c773a589123eb9341a269d636f3b65a2514761d6066",
        },
    ),
    "siim": Lists(
        "SIIM",
        {
            "train": "66b66b47c0ab368454aab66d34ce0aa71ec91afaa4d6e7ecfabb74858cea8356",
            "train_1": "6c5f120e5233a70baccf740cc358bf8f8b60249ec8358c1750d87050709a07b5",
            "train_10": "65d5b8b05436fd7f5855cceb328c1bbfd0089e0e4eed5020805bf4c969be9279",
            "val": "3740ddc604f8579604d5017d05c8ff1fdb91cee522b0596a9593ee7191d90e77",
            "test": "cb4b5c7b6722235a45f548667f20e5608c5fc65526b3b58a2e9f28f259745854",
        },
    ),
    "tbx11k": Lists(
        "TBX11K",
        {
            "train": "6dbdafb2302236153ff56fca24007a942f09af1a0a84cf1831843c27bec60792",
            "train_1": "4ceaf9697fce59a20494b7d63685818809677db2ce17825f84bbe9fea117b5d3",
            "train_10": "9203cf483dcd9f61ca19d9e484fdd3c67ea697c31dc94c4f16cde48ea4787caa",
            "val": "056e88310599ef0da5967d859d0b1f5390cd43e0d3cee8a50416d6b20212eaf8",
            "test": "994851b743f4d372f51e1fcbd40a7a409a397f0485b331a211421140d635ee94",
        },
    ),
    "vindr": Lists(
        "VinDr_CXR",
        {
            "train": "9a38946064dd0bb645a5840545accbd169cb07b9fd6ecf190f6397b2e05856de",
            "train_1": "b973fc4ed6018a499a82258bade3175bd81ea171174458d46859b8286aeffc7c",
            "train_10": "9d3047f40e0892c39b2fdf7fcad78e6c4d3b6be7e3ee3fe727a52a96e0711090",
            "val": "d1b7075628d0191d56582a68838bae88d3aa8f90c4f842c9edfc34cb4358d9ce",
            "test": "a9566d4f6a2d6a7cf3c65a6525889122d758e6a860076730057425696b2811c7",
        },
    ),
}
"""By dataset."""


def read_lists(dataset: str, folder: Path) -> dict[str, list[str]]:
    """Read the five lists of a dataset: sample ids by part.

    Args:
        folder: holds one folder per dataset, named as in BenchX's repository.

    Raises:
        DatasetError: BenchX has no lists of this dataset, or a list is not the published one.
        DataMissing: a list is not there.
    """
    if dataset not in LISTS:
        raise DatasetError(
            f"BenchX publishes no split lists of '{dataset}'",
            f"it has them for {', '.join(sorted(LISTS))}",
            "use split official or cv5 for this dataset",
        )
    lists = LISTS[dataset]
    read = {}
    for part in PARTS:
        path = folder / lists.folder / f"{part}.txt"
        if not path.is_file():
            raise DataMissing(
                f"BenchX's split lists of '{dataset}' are not there: no file {path}",
                "the split benchx-2024 is read from them",
                f"fetch them: benchx data splits fetch --out {folder}; or name their folder with --splits",
            )
        refuse_other_sum(
            path.read_bytes(), lists.sha256[part], path, f"fetch it again: benchx data splits fetch --out {folder}"
        )
        read[part] = read_list(path)
    return read


def refuse_other_sum(content: bytes, expected: str, source: object, todo: str) -> None:
    """Raise a DatasetError when some bytes do not have the published sha256."""
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DatasetError(
            f"{source} is not the published list",
            f"its sha256 is {found}, that of the published one {expected}",
            todo,
        )
