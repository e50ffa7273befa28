"""Runs in Blender's own Python: imports a GLB, then times exporting it: GLB FOLDER REPEAT."""

import json
import sys
from pathlib import Path
from time import perf_counter

import bpy

source, folder, repeat = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 30
bpy.ops.import_scene.gltf(filepath=source)
# The importer's bone shapes are no part of the figure.
for each in [m for m in bpy.data.objects if m.type == "MESH" and not m.modifiers]:
    bpy.data.objects.remove(each)
action = max(bpy.data.actions, key=lambda each: each.frame_range[1])
bpy.context.scene.frame_start = int(action.frame_range[0])
bpy.context.scene.frame_end = int(action.frame_range[1])
EXPORTS = {
    "fbx": lambda path: bpy.ops.export_scene.fbx(
        filepath=path, add_leaf_bones=False, bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False, bake_anim_simplify_factor=0.0,
    ),
    "glb": lambda path: bpy.ops.export_scene.gltf(filepath=path, export_format="GLB"),
}  # fmt: skip
report = {}
for kind, export in EXPORTS.items():
    times = []
    for _ in range(repeat + 1):
        start = perf_counter()
        export(str(folder / f"blender.{kind}"))
        times.append(1e3 * (perf_counter() - start))
    times = sorted(times[1:])
    report[kind] = {"median_ms": round(times[len(times) // 2], 3), "best_ms": round(times[0], 3)}
print(json.dumps(report))
