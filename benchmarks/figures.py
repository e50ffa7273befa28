"""Times writing skinned figures against Blender, pygltflib and trimesh; JSON to stdout.

The clip is 150 frames of 22 joints, on a mannequin of some 6,300 points. What is compared:

- Blender 5.0.1 exports the same figure with its animation from an open scene, to FBX and GLB;
- pygltflib gets the very arrays that we made and writes a document with the same accessors, skin
  and animation, so that it is spared making quaternions;
- trimesh writes the mesh alone, since it holds neither skin nor animation.

kinesphere starts from rotation matrices. The skin of a skeleton is made once in a process:
`first_ms` is with it. All candidates take turns but Blender, which runs in a process of its own.
"""

import argparse
import json
import platform
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pygltflib
import trimesh

from formats import alternate, motion
from kinesphere.formats import fbx, glb
from kinesphere.formats.clip import STANDARD
from kinesphere.formats.skin import skin_of

HERE = Path(__file__).parent
BLENDER = HERE.parent / ".judges" / "blender" / "bin" / "python"


def first(encode: Callable[..., bytes], clip: Any) -> float:
    start = perf_counter()
    encode(clip)
    return round(1e3 * (perf_counter() - start), 3)


def by_pygltflib(document: pygltflib.GLTF2, chunks: list[bytes]) -> bytes:
    """Assemble the file anew from the arrays' bytes."""
    whole = pygltflib.GLTF2(
        asset=pygltflib.Asset(version="2.0"), scene=0, scenes=document.scenes,
        nodes=[pygltflib.Node(**vars(each)) for each in document.nodes],
        meshes=document.meshes, materials=document.materials, skins=document.skins,
        animations=[
            pygltflib.Animation(
                channels=[pygltflib.AnimationChannel(**vars(c)) for c in each.channels],
                samplers=[pygltflib.AnimationSampler(**vars(s)) for s in each.samplers],
            )
            for each in document.animations
        ],
        accessors=[pygltflib.Accessor(**vars(each)) for each in document.accessors],
        bufferViews=[pygltflib.BufferView(**vars(each)) for each in document.bufferViews],
        buffers=[pygltflib.Buffer(byteLength=sum(map(len, chunks)))],
    )  # fmt: skip
    whole.set_binary_blob(b"".join(chunks))
    return b"".join(whole.save_to_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=30)
    repeat = parser.parse_args().repeat
    clip = motion()
    started = {"glb": first(glb.encode, clip), "fbx_after_glb": first(fbx.encode, clip)}
    ours = glb.encode(clip)
    document = pygltflib.GLTF2.load_from_bytes(ours)
    blob = document.binary_blob()
    chunks = [
        blob[view.byteOffset : view.byteOffset + view.byteLength + -view.byteLength % 4]
        for view in document.bufferViews
    ]
    skin = skin_of(STANDARD)
    mesh = trimesh.Trimesh(
        skin.points, np.concatenate([faces for _, faces in skin.parts]),
        vertex_normals=skin.normals, process=False,
    )  # fmt: skip
    report: dict[str, Any] = {
        "machine": {"python": platform.python_version(), "numpy": np.__version__},
        "first_ms": started,
        "bytes": {"glb": len(ours), "fbx": len(fbx.encode(clip))},
        "write": alternate(
            {
                "glb, kinesphere": lambda: glb.encode(clip),
                "glb, pygltflib": lambda: by_pygltflib(document, chunks),
                "glb, trimesh, mesh alone": lambda: mesh.export(file_type="glb"),
                "fbx, kinesphere": lambda: fbx.encode(clip),
                "glb_read, kinesphere": lambda: glb.decode(ours),
            },
            repeat,
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "ours.glb"
        source.write_bytes(ours)
        if BLENDER.exists():
            times = str(max(3, repeat // 10))
            command = [str(BLENDER), str(HERE / "blender_export.py"), str(source), folder, times]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            report["blender"] = json.loads(done.stdout.splitlines()[-1])
        else:
            report["blender"] = "not installed: run the slow tests of tests/formats first"
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
