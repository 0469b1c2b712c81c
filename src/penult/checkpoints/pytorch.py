"""PyTorch's weights files (`.pth`, `.pt`, `.bin`, `.ckpt`), in both layouts of torch.save.

Zip, since PyTorch 1.6: an archive with one folder, in which are

    data.pkl    the pickled object; a storage in it is a persistent id with a key
    data/KEY    the bytes of each storage
    byteorder   "little" or "big"; little if absent
    version     of the layout, 3 at the time of writing

An archive of torch.jit.save is one too, with a program beside the data: see `torchscript`.

Legacy, before: five pickles one after another - the magic number, the version 1001, facts about the
machine, the object, the list of storage keys - and then for each key of this list the number of
elements (int64) and the elements, up to the end of the file.

Both go through the same pickle machine. Every storage must be there with exactly the bytes that the
pickle says, and a tensor must lie within its storage. Source: torch/serialization.py.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from penult.checkpoints.base import Array, Checkpoint, Format, Tensor, WeightsFile
from penult.checkpoints.elements import read_array
from penult.checkpoints.nesting import find_weights
from penult.checkpoints.torch_objects import NAMES, Block, Blocks, TensorView
from penult.checkpoints.torchscript import RESAVE, SCRIPT_NAMES
from penult.checkpoints.unpickle import MAX_PICKLES, Unpickler
from penult.util.budget import Budget
from penult.util.text import quoted

if TYPE_CHECKING:
    from penult.checkpoints.archive import Archive

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
VERSIONS = [b"%d" % version for version in range(1, 11)]  # of the zip layout, as PyTorch 2.13

MAX_VIEWS = 16  # times the file, beyond `_SMALL`: how much its tensors may be; most share nothing

_SMALL = 64 << 20  # bytes
_MAGIC_OPCODE = b"\x8a\x0a" + MAGIC.to_bytes(10, "little") + b"."  # LONG1, STOP
_RESAVE = "load it with PyTorch and torch.save the state_dict again"
_SAVE_STATE = (  # of a model that was pickled as a whole, or beside other things
    "save state_dict() of torch.load(…, weights_only=False), or of its model"
)


def _is_zip(file: WeightsFile) -> bool:
    return file.data[:4] == b"PK\3\4"


def _open_zip(file: WeightsFile) -> Checkpoint:
    from penult.checkpoints.archive import Archive

    archive = Archive(file)
    script = "constants.pkl" in archive.records
    file.resave = RESAVE if script else _SAVE_STATE
    _check_archive(file, archive)
    blocks = Blocks()
    pickle = archive.record("data.pkl")
    start, end = pickle.start, pickle.end
    if end - start > MAX_PICKLES:
        raise file.error(
            f"a data.pkl of {end - start} bytes isn't read, at most {MAX_PICKLES} are;"
            " save the state_dict alone"
        )
    pickles = Unpickler(file, start, end, SCRIPT_NAMES if script else NAMES, blocks.storage)
    root = pickles.load()
    if pickles.end != end:
        raise file.damaged("data.pkl goes on after its end", pickles.end)
    for block in blocks.found.values():
        if archive.size(f"data/{block.key}") != block.size:
            raise file.damaged(f"storage {quoted(block.key)} doesn't have its {block.size} bytes")
    layout = "PyTorch (TorchScript)" if script else ZIP.name
    return _checkpoint(file, layout, root, lambda block: archive.record(f"data/{block.key}").start)


def _check_archive(file: WeightsFile, archive: "Archive") -> None:
    names = archive.records
    if "byteorder" in names and archive.read("byteorder") != b"little":
        raise file.error(f"not little-endian, which isn't supported; {_RESAVE} on another machine")
    version = archive.read("version").strip() if "version" in names else b"3"
    if version not in VERSIONS:
        raise file.error(f"version {quoted(version)} of the layout isn't supported; {_RESAVE}")


def _is_legacy(file: WeightsFile) -> bool:
    return _MAGIC_OPCODE in file.data[:32] or _is_tar(file)


def _is_tar(file: WeightsFile) -> bool:
    """PyTorch's first layout: a tar archive of four members, the first of this name."""
    return file.data[257:262] == b"ustar" and b"sys_info\0" in file.data[:2048]


def _open_legacy(file: WeightsFile) -> Checkpoint:
    if _is_tar(file):
        raise file.error(f"PyTorch's tar layout, before 2017, isn't supported; {_RESAVE}")
    file.resave = _SAVE_STATE
    blocks = Blocks()
    pickles = Unpickler(file, 0, file.size, NAMES, blocks.storage)
    magic, protocol, machine = (pickles.load() for _ in range(3))
    if (magic, protocol) != (MAGIC, PROTOCOL) or not isinstance(machine, dict):
        raise file.damaged("not the magic number, version and machine of a legacy file", 0)
    if machine.get("little_endian") is not True:
        raise file.error(f"not little-endian, which isn't supported; {_RESAVE} on another machine")
    root, keys = pickles.load(), pickles.load()
    starts = _find_storages(file, pickles.end, keys, blocks.found)
    return _checkpoint(file, LEGACY.name, root, lambda block: starts[block.key])


def _find_storages(
    file: WeightsFile, at: int, keys: object, blocks: dict[str, Block]
) -> dict[str, int]:
    """Where each storage begins; the first one's count of elements is at `at`."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise file.damaged("storage keys that aren't texts", at)
    if sorted(keys) != sorted(blocks):
        raise file.damaged("other storages than the tensors are made of", at)
    starts: dict[str, int] = {}
    for key in keys:
        count = int.from_bytes(file.data[at : at + 8], "little")
        if count != blocks[key].count:
            raise file.damaged(
                f"storage of {count} elements where {blocks[key].count} were announced", at
            )
        starts[key] = at + 8
        at = starts[key] + blocks[key].size
    if at != file.size:
        raise file.damaged(f"{file.size} bytes, but the storages end at {at}")
    return starts


def _checkpoint(
    file: WeightsFile, layout: str, root: object, locate: Callable[[Block], int]
) -> Checkpoint:
    def described(views: dict[str, TensorView]) -> dict[str, Tensor]:
        return {
            name: Tensor(view.dtype, view.shape, partial(_read, file, view, locate))
            for name, view in views.items()
        }

    content = find_weights(file, root)
    most = _SMALL + MAX_VIEWS * file.size
    sizes = Budget(most, "bytes in tensors, which share what is stored", file.damaged)
    for view in (*content.tensors.values(), *content.averages.values()):
        sizes.spend(view.size)
    checkpoint = Checkpoint(file, layout, described(content.tensors), content.metadata)
    checkpoint.averages = described(content.averages)
    checkpoint.ema = content.averaged
    return checkpoint


def _read(file: WeightsFile, view: TensorView, locate: Callable[[Block], int]) -> Array:
    start = locate(view.block) + view.start
    return read_array(file.data, view.dtype, start, view.shape, view.byte_strides)


LEGACY = Format("PyTorch (legacy)", _is_legacy, _open_legacy)
ZIP = Format("PyTorch (zip)", _is_zip, _open_zip)
