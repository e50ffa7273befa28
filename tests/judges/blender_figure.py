"""Runs in Blender's own Python: imports files and prints where their joints and skin are, as JSON.

Arguments: frames as a comma-separated list, then files; each file's row holds `positions`, a frame
each, `boxes` of the posed skin, its `skins` and the scene's `last` frame, in metres with Y up.
"""

import json
import sys
from pathlib import Path
from typing import Any

import bpy

IMPORTERS = {
    ".bvh": lambda path: bpy.ops.import_anim.bvh(
        filepath=path, global_scale=0.01, update_scene_fps=True, update_scene_duration=True
    ),
    ".fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path),
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
}
FIRST = {".bvh": 1, ".fbx": 1, ".glb": 0}
"""The frame at which Blender's importer puts the first key."""


def y_up(point: Any) -> list[float]:
    return [point.x, point.z, -point.y]


def skinned() -> list[Any]:
    return [
        each
        for each in bpy.data.objects
        if each.type == "MESH" and any(m.type == "ARMATURE" for m in each.modifiers)
    ]


def box_of(meshes: list[Any]) -> list[list[float]] | None:
    graph = bpy.context.evaluated_depsgraph_get()
    points: list[list[float]] = []
    for each in meshes:
        posed = each.evaluated_get(graph)
        mesh = posed.to_mesh()
        points += [y_up(posed.matrix_world @ vertex.co) for vertex in mesh.vertices]
        posed.to_mesh_clear()
    if not points:
        return None
    axes = list(zip(*points, strict=True))
    return [[min(axis) for axis in axes], [max(axis) for axis in axes]]


def read(path: str, frames: list[int]) -> dict[str, Any]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.0
    kind = Path(path).suffix
    IMPORTERS[kind](path)
    armature = next(each for each in bpy.data.objects if each.type == "ARMATURE")
    meshes, positions, boxes = skinned(), [], []
    for frame in frames:
        scene.frame_set(FIRST[kind] + frame)
        heads = {bone.name: armature.matrix_world @ bone.head for bone in armature.pose.bones}
        positions.append({name: y_up(head) for name, head in heads.items()})
        boxes.append(box_of(meshes))
    last = max(action.frame_range[1] for action in bpy.data.actions) - FIRST[kind]
    return {"positions": positions, "boxes": boxes, "skins": len(meshes), "last": last}


frames = [int(frame) for frame in sys.argv[1].split(",")]
report = {Path(path).suffix: read(path, frames) for path in sys.argv[2:]}
print(json.dumps({"blender": bpy.app.version_string, "files": report}))
