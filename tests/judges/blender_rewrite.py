"""Runs in Blender's own Python: imports a GLB and exports it again: FROM TO."""

import json
import sys

import bpy

source, target = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 30
bpy.ops.import_scene.gltf(filepath=source)
bpy.ops.export_scene.gltf(
    filepath=target, export_format="GLB", export_optimize_animation_size=False
)
print(json.dumps({"blender": bpy.app.version_string}))
